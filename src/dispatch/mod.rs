//! The only sender of commands to carriers: paced by account, each call placed by one request.
//!
//! No carrier has an idempotency key for a call, so a request that may have arrived is never
//! repeated: what the carrier says it did not process is sent again, and nothing else. What is
//! known of a call is committed before its command leaves and again when its fate is known. It
//! never decides who calls whom.

mod client;
mod due;
mod lane;
mod numbers;
mod orders;
mod placing;
mod tokens;

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::{
    calls::Live,
    carriers::{
        CallPage, Command, CommandOutcome, NumberOrder, NumberSearch, OfferedNumber, Order,
    },
    domain::{Account, AccountId, CallId, DialFailure, DialRecord, E164, UnixMillis},
    store::{Heads, Store},
};
use client::Client;
pub use due::Prepare;
use lane::Lane;
pub use numbers::NotDone;

/// How commands are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL carriers reach the edge by, without a trailing slash.
    pub public_url: String,
    /// How long a carrier may take to answer; past that nobody can tell what it did.
    pub answer_wait: Duration,
    /// How long a command that the carrier did not process is tried again.
    pub retry_for: Duration,
    /// How long a call may ring, in seconds.
    pub ring_seconds: u32,
}

impl Settings {
    /// The defaults, for an edge at this URL.
    #[must_use]
    pub const fn at(public_url: String) -> Self {
        Self {
            public_url,
            answer_wait: Duration::from_secs(10),
            retry_for: Duration::from_secs(30),
            // What Twilio lets ring unless told otherwise.
            ring_seconds: 60,
        }
    }
}

/// What has become of a call that was to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The carrier has it, or may have it: an index that has applied this knows its touch.
    Taken(Heads),
    /// It was not placed: why, and in the carrier's words.
    Refused(DialFailure, String),
}

/// What has become of a command for a call that the carrier has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steered {
    /// The carrier has done it.
    Done,
    /// It has not: why, and in its words.
    Refused(DialFailure, String),
    /// Nobody can tell.
    Unclear,
}

/// A call to be placed, whose row is in the store.
#[derive(Clone, Debug)]
pub struct Placing {
    /// What is asked.
    pub dial: DialRecord,
    /// On whose behalf.
    pub account: Arc<Account>,
}

/// The sender. Clones share it.
#[derive(Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

struct Shared {
    settings: Settings,
    store: Store,
    live: Arc<Live>,
    client: Client,
    lanes: DashMap<AccountId, Lane>,
    stopped: watch::Sender<bool>,
    /// Told when a call is to wait for its time.
    waiting: Notify,
}

impl Dispatch {
    /// A sender that has sent nothing yet.
    ///
    /// # Errors
    /// No HTTP client can be had.
    pub fn new(settings: Settings, store: Store, live: Arc<Live>) -> Result<Self, String> {
        let client = Client::new(settings.answer_wait)?;
        let (stopped, _) = watch::channel(false);
        let lanes = DashMap::new();
        let waiting = Notify::new();
        let shared = Shared { settings, store, live, client, lanes, stopped, waiting };
        let shared = Arc::new(shared);
        let orders = orders::open(&shared);
        Ok(Self { shared, orders })
    }

    /// Places a call in its turn. What becomes of it is kept whether or not anybody waits for the
    /// verdict.
    pub async fn place(&self, placing: Placing) -> oneshot::Receiver<Verdict> {
        let (verdict, answer) = oneshot::channel();
        let lane = self.lane(&placing.account);
        if let Err((placing, verdict)) = lane.queue(placing, verdict) {
            self.shared.refuse(&placing.dial, DialFailure::Busy, String::new(), verdict).await;
        }
        answer
    }

    /// Where the edge says what carriers are to be told.
    #[must_use]
    pub fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Ends a live call at the carrier, ahead of calls that wait to be placed. It is done whether
    /// or not anybody waits for the verdict.
    pub fn hang_up(
        &self,
        account: &Arc<Account>,
        carrier_call_id: &str,
    ) -> oneshot::Receiver<Steered> {
        let (shared, account) = (Arc::clone(&self.shared), Arc::clone(account));
        let carrier_call_id = carrier_call_id.to_owned();
        let (verdict, answer) = oneshot::channel();
        tokio::spawn(async move {
            let command = Command::HangUp { carrier_call_id: &carrier_call_id };
            drop(verdict.send(shared.steer(&account, &command).await));
        });
        answer
    }

    /// Takes a live call to the rung at `place`, out of what it is doing at the carrier.
    pub fn redirect(
        &self,
        account: &Arc<Account>,
        call: CallId,
        carrier_id: &str,
        place: usize,
    ) -> oneshot::Receiver<Steered> {
        let (shared, account) = (Arc::clone(&self.shared), Arc::clone(account));
        let carrier_call_id = carrier_id.to_owned();
        // No document of ours names this URL: its answer is nobody else's.
        let resume = url(&shared.settings, &account, "resume", call);
        let url = format!("{resume}&attempt={place}&moved=1");
        let (verdict, answer) = oneshot::channel();
        tokio::spawn(async move {
            let command = Command::Redirect { carrier_call_id: &carrier_call_id, url: &url };
            drop(verdict.send(shared.steer(&account, &command).await));
        });
        answer
    }

    /// Looks at the carrier for a call whose fate is not known, and adopts it where exactly one
    /// fits.
    pub fn look_for(&self, placing: Placing) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { shared.look_for(&placing).await });
    }

    /// A page of the calls that an API placed by this account, as the carrier lists them.
    ///
    /// # Errors
    /// The carrier does not list them: why, and in its words.
    pub async fn list_calls(
        &self,
        account: &Account,
        since: UnixMillis,
        page: Option<&str>,
    ) -> Result<CallPage, (DialFailure, String)> {
        match self.shared.ask(account, &Command::ListCalls { since, page }).await {
            Ok(CommandOutcome::Listed(page)) => Ok(page),
            other => Err(refused(other)),
        }
    }

    /// Numbers that the carrier sells.
    ///
    /// # Errors
    /// The carrier names none: why, and in its words.
    pub async fn search_numbers(
        &self,
        account: &Account,
        search: NumberSearch<'_>,
    ) -> Result<Vec<OfferedNumber>, (DialFailure, String)> {
        match self.shared.ask(account, &Command::SearchNumbers(search)).await {
            Ok(CommandOutcome::Offered(offers)) => Ok(offers),
            other => Err(refused(other)),
        }
    }

    /// Buys a number, its calls to be answered here. Who asks again for a number that the account
    /// has bought already is told so: it is paid once.
    ///
    /// # Errors
    /// It was not bought: why, and in the carrier's words.
    pub async fn buy_number(
        &self,
        account: &Account,
        number: E164,
    ) -> Result<(), (DialFailure, String)> {
        let url = |endpoint| {
            format!("{}/carriers/{}/{endpoint}", self.shared.settings.public_url, account.name)
        };
        let (voice_url, status_url) = (url("voice"), url("status"));
        let order = NumberOrder { number, voice_url: &voice_url, status_url: &status_url };
        let ordered = self.shared.ask(account, &Command::BuyNumber(order)).await;
        if matches!(ordered, Ok(CommandOutcome::Owned(true))) {
            return Ok(());
        }
        // Refused it may be because it is ours; and where nobody can tell, the carrier can.
        match self.shared.ask(account, &Command::FindNumber { number }).await {
            Ok(CommandOutcome::Owned(true)) => Ok(()),
            _ => Err(refused(ordered)),
        }
    }

    /// Places no more calls: those that still wait are refused. Live ones can still be ended.
    pub fn stop(&self) {
        self.shared.stopped.send_replace(true);
    }

    fn lane(&self, account: &Arc<Account>) -> Lane {
        let mut lane = self
            .shared
            .lanes
            .entry(account.id)
            .or_insert_with(|| Lane::open(account.api.calls_per_second, &self.shared));
        // Its pace was changed: what waits goes on at the old one.
        if lane.calls_per_second() != account.api.calls_per_second {
            *lane = Lane::open(account.api.calls_per_second, &self.shared);
        }
        lane.clone()
    }
}

/// Why a question has no answer; another question's answer is none.
fn refused(answer: Result<CommandOutcome, (DialFailure, String)>) -> (DialFailure, String) {
    answer.err().unwrap_or((DialFailure::Refused, String::new()))
}

/// The URL that a carrier is given for a call of ours.
fn url(settings: &Settings, account: &Account, endpoint: &str, call: CallId) -> String {
    format!("{}/carriers/{}/{endpoint}?call={call}", settings.public_url, account.name)
}
