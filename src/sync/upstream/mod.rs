//! Hosted control APIs as a source: what a team keeps at Talkover or CallingBox is pulled through
//! the public API, compared with what is mirrored, and written as one change.
//!
//! What a page means, what follows from a comparison and how long to wait are pure (`listing`,
//! `plan`, `pace`, `events`); `client` and `pull` ask, `follow` does it again and again. Nothing is
//! taken for gone unless its whole list was read, of one moment; and where most of a kind would go
//! at once, the next pull must say so too. While the API is away, what is mirrored stays: it lies
//! in the store, and calls are answered from the index. It never writes to a hosted API.

mod client;
mod events;
mod follow;
mod listing;
mod pace;
mod plan;
mod pull;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

use crate::{
    dialects::Problem,
    domain::{
        HostedAgent, HostedCall, HostedKind, HostedNumber, Secret, TenantId, UnixMillis, spelled,
    },
    store::WriteError,
    telemetry::metrics::EventOutcome,
};
pub use follow::Following;
use listing::Fault;
use plan::Doubt;

/// Events that may wait for the store: as many as carriers' own may.
const EVENTS_QUEUED_MAX: usize = 16 * 1024;

spelled! {
    /// What is done with what is pulled.
    pub enum Mode {
        /// It is routed by.
        Mirror = "mirror",
        /// It is only looked at: past calls are decided, none is taken.
        Shadow = "shadow",
    }
}

/// A hosted API to pull from.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Its name, unique in the installation.
    pub name: String,
    /// Whose it is here.
    pub tenant: TenantId,
    /// Whose API it is.
    pub kind: HostedKind,
    /// Where it is: scheme and host, no trailing slash.
    pub base_url: String,
    /// The key to it.
    pub key: Secret,
    /// What its webhooks are signed with; without one, none is taken.
    pub webhook_secret: Option<Secret>,
    /// From one pull to the next.
    pub interval: Duration,
    /// The carrier account of numbers that have none.
    pub carrier_account: Option<String>,
    /// What is done with it.
    pub mode: Mode,
}

/// Why a pull did not come to its end. Texts are fragments; none holds a key.
#[derive(Debug, Error)]
enum Trouble {
    /// No answer.
    #[error("it does not answer: {0}")]
    Away(String),
    /// An answer that says it is the API's fault.
    #[error("it answers {0} to {1}")]
    Failing(u16, String),
    /// An answer that says it is ours.
    #[error("it refuses {1} with {0}")]
    Refused(u16, String),
    /// The key opens nothing.
    #[error("it refuses the key with {0}")]
    Key(u16),
    /// More was asked than its limits allow.
    #[error("it asks to be left alone for {} s", .0.as_secs())]
    Limited(Duration),
    /// The answer is too long to read.
    #[error("an answer is longer than is read")]
    TooLong,
    /// The answer is no JSON.
    #[error("its answer to {0} is no JSON")]
    Unreadable(String),
    /// A list is none, or not of one moment.
    #[error("{}", fault(.0, .1))]
    List(Fault, String),
    /// A row that cannot be read.
    #[error("{0}")]
    Row(String),
    /// Too much would go.
    #[error(
        "{} of {} {} are gone from it at once; nothing is applied unless the next pull says the same",
        .0.gone, .0.known, .0.what
    )]
    Doubtful(Doubt),
    /// The store refused the change, or failed.
    #[error("{0}")]
    Store(String),
}

fn fault(fault: &Fault, list: &str) -> String {
    match fault {
        Fault::NoPage => format!("its answer to {list} is no list"),
        Fault::Shifted => format!("{list} changed each time it was read"),
        Fault::Endless => format!("{list} does not end"),
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        Self::Store(match error {
            WriteError::Refused(refusal) => Problem::from(refusal).told().message,
            WriteError::Store(error) => error.to_string(),
        })
    }
}

/// How an upstream stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it was last pulled whole.
    pub last_success_at: Option<UnixMillis>,
    /// Why the last pull did not come to its end, if it did not.
    pub last_error: Option<String>,
    /// When it is pulled next.
    pub next_pull_at: Option<UnixMillis>,
    /// Touches taken from it since the start.
    pub touches: u64,
}

/// What an upstream in shadow mode says, as it was last pulled.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    /// Its agents.
    pub agents: Vec<HostedAgent>,
    /// Its numbers.
    pub numbers: Vec<HostedNumber>,
    /// Its calls of both directions, oldest first.
    pub calls: Vec<HostedCall>,
    /// Older calls that were too many to keep.
    pub forgotten: u64,
}

/// One hosted API, and how it stands.
pub struct Upstream {
    settings: UpstreamSettings,
    standing: Mutex<Standing>,
    shadow: Mutex<Arc<Shadow>>,
    nudge: Notify,
}

impl Upstream {
    /// What was said of it in the configuration.
    #[must_use]
    pub const fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it says, where it is only shadowed.
    #[must_use]
    pub fn shadow(&self) -> Arc<Shadow> {
        Arc::clone(&self.shadow.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stand(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn cast(&self, shadow: Shadow) {
        *self.shadow.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shadow);
    }
}

/// Every hosted API that is pulled. Clones share them.
#[derive(Clone, Default)]
pub struct Upstreams {
    all: Arc<[Arc<Upstream>]>,
    events: Option<mpsc::Sender<(Arc<Upstream>, HostedCall)>>,
}

impl Upstreams {
    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn all(&self) -> &[Arc<Upstream>] {
        &self.all
    }

    /// The one of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.all.iter().find(|upstream| upstream.settings.name == name)
    }

    /// Takes an event of a hosted service's webhook. It waits for nothing: what an event tells of a
    /// call goes to a bounded queue, and what it does not tell is pulled.
    #[must_use]
    pub fn take_event(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: UnixMillis,
    ) -> EventOutcome {
        let Some(upstream) = self.get(name) else { return EventOutcome::Unknown };
        let UpstreamSettings { kind, tenant, mode, .. } = upstream.settings;
        let Some(secret) = &upstream.settings.webhook_secret else { return EventOutcome::Unknown };
        if !events::is_signed(kind, secret, headers, body, now) {
            return EventOutcome::Unsigned;
        }
        let Ok(body) = serde_json::from_slice(body) else { return EventOutcome::Malformed };
        let call = events::call_of(kind, &body, tenant, now);
        match (call, &self.events) {
            (Some(call), Some(events)) if mode == Mode::Mirror => {
                match events.try_send((Arc::clone(upstream), call)) {
                    Ok(()) => EventOutcome::Accepted,
                    Err(_) => EventOutcome::QueueFull,
                }
            }
            _ => {
                upstream.nudge.notify_one();
                EventOutcome::Accepted
            }
        }
    }
}
