//! What the edge has carriers told: answers that are requests, that a call is to end or to go on.
//!
//! Somebody is on the line, so they wait for nobody's turn. Each answer names itself, so the
//! carrier does it once however often it comes.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{Shared, Steered, client::Sent};
use crate::{
    calls::Event,
    carriers::{ApiRequest, Command, CommandOutcome, Order, Otherwise, Told},
    domain::Account,
    telemetry::{
        clock,
        metrics::{self, CommandFate},
        redact,
    },
};

/// Requests that may wait to be sent. They are sent at once; a queue is one of a busy moment.
const QUEUED_MAX: usize = 4096;

/// Without a reply after this, the same is sent again beside it (Telnyx docs, command-retries).
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long a carrier that is there may fail to do it, where something else can be done: all of it
/// has two seconds.
const PASSED_AFTER: Duration = Duration::from_millis(1200);

/// How long the caller is left waiting for a carrier that does not do it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// Whose call is told something.
struct Leg {
    account: Arc<Account>,
    carrier_call_id: String,
}

/// Opens the queue. It ends with the last of its senders.
pub(super) fn open(shared: &Arc<Shared>) -> mpsc::Sender<Order> {
    let (orders, mut waiting) = mpsc::channel::<Order>(QUEUED_MAX);
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        while let Some(order) = waiting.recv().await {
            let Some(shared) = shared.upgrade() else { return };
            tokio::spawn(async move {
                let Order { account, carrier_call_id, told } = order;
                let leg = Leg { account, carrier_call_id };
                match told {
                    Told::Answer { request, otherwise } => {
                        shared.answer(&leg, &request, otherwise).await;
                    }
                    Told::HangUp => shared.end(&leg).await,
                    Told::Redirect(url) => shared.send_on(&leg, &url).await,
                    Told::Look => shared.look(&leg).await,
                }
            });
        }
    });
    orders
}

impl Shared {
    async fn answer(&self, leg: &Leg, request: &ApiRequest, otherwise: Option<Otherwise>) {
        let (account, carrier) = (&leg.account, leg.account.carrier);
        let began = Instant::now();
        let outcome = loop {
            let again_at = Instant::now() + AGAIN_AFTER;
            let sent = timeout(AGAIN_AFTER, self.client.answer(account, request.clone())).await;
            let is_heard = match sent {
                Ok(Sent::Outcome(
                    outcome @ (CommandOutcome::Done | CommandOutcome::Refused(_)),
                )) => break Some(outcome),
                // It is there, and does not do this.
                Ok(Sent::Outcome(_)) => true,
                Ok(Sent::Later(_) | Sent::Unreachable) | Err(_) => false,
            };
            let past = if is_heard && otherwise.is_some() { PASSED_AFTER } else { GIVEN_UP_AFTER };
            if began.elapsed() >= past {
                break None;
            }
            metrics::dispatched(carrier, CommandFate::Retried);
            sleep_until(again_at).await;
        };
        match outcome {
            Some(CommandOutcome::Done) => metrics::dispatched(carrier, CommandFate::Done),
            Some(CommandOutcome::Refused(error)) => {
                metrics::dispatched(carrier, CommandFate::Refused);
                let message = redact::scrub(&error.message);
                tracing::warn!(
                    account = account.name,
                    status = error.status,
                    code = error.code,
                    message,
                    "a carrier refuses to answer a call as told"
                );
                self.give_up(leg, otherwise).await;
            }
            Some(_) | None => {
                metrics::dispatched(carrier, CommandFate::Unclear);
                tracing::error!(account = account.name, "a carrier's API does not answer a call");
                self.give_up(leg, otherwise).await;
            }
        }
    }

    /// A call that is to hear something else than where it is.
    async fn send_on(&self, leg: &Leg, url: &str) {
        let command = Command::Redirect { carrier_call_id: &leg.carrier_call_id, url };
        match self.steer(&leg.account, &command).await {
            Steered::Done => {}
            Steered::Refused(..) | Steered::Unclear => self.give_up(leg, None).await,
        }
    }

    /// Nobody is left in silence: a call that could not be answered as told is answered otherwise,
    /// and ended where there is no other way.
    async fn give_up(&self, leg: &Leg, otherwise: Option<Otherwise>) {
        match otherwise {
            Some(Otherwise(go_on)) => go_on(),
            None => {
                sleep(AGAIN_AFTER).await;
                self.end(leg).await;
            }
        }
    }

    /// It has nobody to tell what came of it.
    async fn end(&self, leg: &Leg) {
        let command = Command::HangUp { carrier_call_id: &leg.carrier_call_id };
        self.steer(&leg.account, &command).await;
    }

    /// Asks once where a call stands. What is not known is asked again later, by whoever asked.
    async fn look(&self, leg: &Leg) {
        let Leg { account, carrier_call_id } = leg;
        let found = self.client.look(account, carrier_call_id).await;
        let fate = if found.is_some() { CommandFate::Done } else { CommandFate::Unclear };
        metrics::dispatched(account.carrier, fate);
        let call = self.live.by_carrier(account.id, carrier_call_id);
        let (Some(status), Some(call)) = (found, call) else { return };
        let now = clock::now();
        if status.is_final() {
            self.live.apply(&call, Event::Status { status, at: now }, now);
        } else if !call.has_socket() && !call.is_over() {
            let id = call.facts.id;
            tracing::info!(call = %id, trace_id = %id.trace_id(), "a call goes on elsewhere");
            self.live.apply(&call, Event::Elsewhere, now);
        }
    }
}
