//! The way of call rows to the store: a bounded queue that nothing in a call's path waits for.
//!
//! It never blocks. When it is full an update is lost and counted; the carrier's later webhooks
//! make the row again under the same id.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::domain::CallPatch;
use crate::telemetry::{metrics, redact};

/// Updates that may wait for the store: a minute of 200 calls a second, within 10 MiB.
const UPDATES_QUEUED_MAX: usize = 16 * 1024;

/// What became known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallUpdate {
    /// For its row.
    pub patch: CallPatch,
    /// The call is over. Exactly one update of a call says so.
    pub is_terminal: bool,
}

/// The sender's side of the queue.
#[derive(Clone, Debug)]
pub struct Journal {
    sender: Arc<ArcSwapOption<mpsc::Sender<CallUpdate>>>,
}

impl Journal {
    /// A queue, and its other end.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<CallUpdate>) {
        let (sender, receiver) = mpsc::channel(UPDATES_QUEUED_MAX);
        (Self { sender: Arc::new(ArcSwapOption::from_pointee(sender)) }, receiver)
    }

    /// Hands an update to the store, now or never.
    pub fn record(&self, update: CallUpdate) {
        let sender = self.sender.load();
        let lost = match &*sender {
            None => update,
            Some(sender) => match sender.try_send(update) {
                Ok(()) => return,
                Err(TrySendError::Full(lost) | TrySendError::Closed(lost)) => lost,
            },
        };
        metrics::journal_dropped(1);
        let CallPatch { id, status, reason, ani, dnis, ended_by, .. } = lost.patch;
        tracing::error!(
            call = %id, trace_id = %id.trace_id(), ?status, ?reason, ?ended_by, is_terminal = lost.is_terminal,
            ani = redact::masked(ani), dnis = redact::masked(dnis),
            "call update lost: the store does not keep up, or is closed"
        );
    }

    /// Ends the queue: its other end gets what is in it, then the end. What comes later is lost
    /// and counted.
    pub fn close(&self) {
        self.sender.store(None);
    }
}
