//! Answers that are requests: what a carrier that takes no documents is told to do with a call.
//!
//! Somebody is on the line, so they wait for nobody's turn. Each names itself, so the carrier does
//! it once however often it comes.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{Shared, client::Sent};
use crate::{
    carriers::{Command, CommandOutcome, Order},
    telemetry::metrics::{self, CommandFate},
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
            tokio::spawn(async move { shared.carry_out(&order).await });
        }
    });
    orders
}

impl Shared {
    async fn carry_out(&self, order: &Order) {
        let (account, carrier) = (&order.account, order.account.carrier);
        let until = Instant::now() + GIVEN_UP_AFTER;
        let outcome = loop {
            let again_at = Instant::now() + AGAIN_AFTER;
            let sent = timeout(AGAIN_AFTER, self.client.order(order)).await;
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
            tokio::time::sleep_until(again_at).await;
        };
        match outcome {
            Some(CommandOutcome::Done) => metrics::dispatched(carrier, CommandFate::Done),
            Some(CommandOutcome::Refused(error)) => {
                metrics::dispatched(carrier, CommandFate::Refused);
                tracing::warn!(
                    account = account.name,
                    status = error.status,
                    code = error.code,
                    message = error.message,
                    "a carrier refuses to answer a call as told"
                );
                self.end(order).await;
            }
            Some(_) | None => {
                metrics::dispatched(carrier, CommandFate::Unclear);
                tracing::error!(account = account.name, "a carrier's API does not answer a call");
                self.end(order).await;
            }
        }
    }

    /// Nobody is left in silence: a call that could not be answered as told is ended.
    async fn end(&self, order: &Order) {
        sleep(AGAIN_AFTER).await;
        let command = Command::HangUp { carrier_call_id: &order.carrier_call_id };
        self.steer(&order.account, &command).await;
    }
}
