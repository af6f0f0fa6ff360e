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
    carriers::{ApiRequest, Command, CommandOutcome, Order, Told},
    telemetry::{
        metrics::{self, CommandFate},
        redact,
    },
};

/// Requests that may wait to be sent. They are sent at once; a queue is one of a busy moment.
const QUEUED_MAX: usize = 4096;

/// Without a reply after this, the same is sent again beside it (Telnyx docs, command-retries).
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long the caller is left waiting for a carrier that does not do it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// Opens the queue. It ends with the last of its senders.
pub(super) fn open(shared: &Arc<Shared>) -> mpsc::Sender<Order> {
    let (orders, mut waiting) = mpsc::channel::<Order>(QUEUED_MAX);
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        while let Some(order) = waiting.recv().await {
            let Some(shared) = shared.upgrade() else { return };
            tokio::spawn(async move {
                match &order.told {
                    Told::Answer(request) => shared.answer(&order, request).await,
                    Told::HangUp => shared.end(&order).await,
                    Told::Redirect(url) => shared.send_on(&order, url).await,
                }
            });
        }
    });
    orders
}

impl Shared {
    async fn answer(&self, order: &Order, request: &ApiRequest) {
        let (account, carrier) = (&order.account, order.account.carrier);
        let until = Instant::now() + GIVEN_UP_AFTER;
        let outcome = loop {
            let again_at = Instant::now() + AGAIN_AFTER;
            let sent = timeout(AGAIN_AFTER, self.client.answer(account, request.clone())).await;
            match sent {
                Ok(Sent::Outcome(
                    outcome @ (CommandOutcome::Done | CommandOutcome::Refused(_)),
                )) => break Some(outcome),
                Ok(Sent::Outcome(_) | Sent::Later(_) | Sent::Unreachable) | Err(_) => {}
            }
            if Instant::now() >= until {
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
                self.give_up(order).await;
            }
            Some(_) | None => {
                metrics::dispatched(carrier, CommandFate::Unclear);
                tracing::error!(account = account.name, "a carrier's API does not answer a call");
                self.give_up(order).await;
            }
        }
    }

    /// A call that hears nothing where it is.
    async fn send_on(&self, order: &Order, url: &str) {
        let command = Command::Redirect { carrier_call_id: &order.carrier_call_id, url };
        match self.steer(&order.account, &command).await {
            Steered::Done => {}
            Steered::Refused(..) | Steered::Unclear => self.give_up(order).await,
        }
    }

    /// Nobody is left in silence: a call that could not be answered as told is ended.
    async fn give_up(&self, order: &Order) {
        sleep(AGAIN_AFTER).await;
        self.end(order).await;
    }

    /// It has nobody to tell what came of it.
    async fn end(&self, order: &Order) {
        let command = Command::HangUp { carrier_call_id: &order.carrier_call_id };
        self.steer(&order.account, &command).await;
    }
}
