//! The way of call rows to the store: a bounded queue that nothing in a call's path waits for.
//!
//! It never blocks. When it is full an update is lost and counted; the carrier's later webhooks
//! make the row again under the same id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{Facts, LiveCall};
use crate::domain::{
    AgentId, CallPatch, CallStatus, Direction, InboundCall, RouteReason, TouchId, UnixMillis,
};
use crate::telemetry::{clock, metrics, redact};

/// Entries that may wait for the store: a minute of 200 calls a second, within 10 MiB.
const ENTRIES_QUEUED_MAX: usize = 16 * 1024;

/// How often it is told that entries are lost.
const TOLD_EVERY_MS: u64 = 1000;

/// What became known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallUpdate {
    /// For its row.
    pub patch: CallPatch,
    /// The call is over. Exactly one update of a call says so.
    pub is_terminal: bool,
}

/// What is to be kept, as small as it can be handed on: rows are made of it where they are written.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A call has begun.
    Begun(Arc<LiveCall>, CallStatus, UnixMillis),
    /// A call was refused when it came, or never came to be: why, and when.
    Refused(Box<Facts>, Box<str>, UnixMillis),
    /// More is known of a call.
    Known(Box<CallUpdate>),
}

impl Entry {
    /// What it says, and where it says that a call was decided here, how the call was: what its
    /// decision can be explained by.
    #[must_use]
    pub fn read(self) -> (CallUpdate, Option<Decided>) {
        match self {
            Self::Begun(call, status, at) => {
                let patch = call.facts.row(status, at);
                (CallUpdate { patch, is_terminal: false }, Decided::of(&call.facts))
            }
            Self::Refused(facts, error_code, at) => {
                let mut patch = facts.row(CallStatus::Failed, at);
                patch.ended_at = Some(at);
                patch.error_code = Some(error_code.into());
                (CallUpdate { patch, is_terminal: true }, Decided::of(&facts))
            }
            Self::Known(update) => (*update, None),
        }
    }
}

/// A decision that was made here, and what it was made of besides the index.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The call.
    pub call: InboundCall,
    /// When.
    pub at: UnixMillis,
    /// Why it went where it went.
    pub reason: RouteReason,
    /// To whom.
    pub agent: Option<AgentId>,
    /// Which call was returned.
    pub touch: Option<TouchId>,
}

impl Decided {
    fn of(facts: &Facts) -> Option<Self> {
        let is_ours = facts.direction == Direction::Inbound && facts.trace.is_empty();
        Some(Self {
            call: facts.call,
            at: facts.created_at,
            reason: facts.reason.filter(|_| is_ours)?,
            agent: facts.agent.as_ref().map(|agent| agent.id),
            touch: facts.touch.map(|touch| touch.id),
        })
    }
}

/// The sender's side of the queue.
#[derive(Clone, Debug)]
pub struct Journal {
    sender: Arc<ArcSwapOption<mpsc::Sender<Entry>>>,
    losses: Arc<Losses>,
}

/// Entries that were lost. A store that does not keep up loses thousands a second, and a line for
/// each would cost the calls more than their rows do.
#[derive(Debug, Default)]
struct Losses {
    told_at: AtomicU64,
    untold: AtomicU64,
}

impl Losses {
    /// One more; how many there are to be told of, if it is time to.
    fn add(&self, UnixMillis(now): UnixMillis) -> Option<u64> {
        self.untold.fetch_add(1, Relaxed);
        let told_at = self.told_at.load(Relaxed);
        let is_due = now.saturating_sub(told_at) >= TOLD_EVERY_MS;
        let is_ours =
            is_due && self.told_at.compare_exchange(told_at, now, Relaxed, Relaxed).is_ok();
        is_ours.then(|| self.untold.swap(0, Relaxed))
    }
}

impl Journal {
    /// A queue, and its other end.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, receiver) = mpsc::channel(ENTRIES_QUEUED_MAX);
        let sender = Arc::new(ArcSwapOption::from_pointee(sender));
        (Self { sender, losses: Arc::default() }, receiver)
    }

    /// Hands an entry to the store, now or never.
    pub fn record(&self, entry: Entry) {
        let sender = self.sender.load();
        let lost = match &*sender {
            None => entry,
            Some(sender) => match sender.try_send(entry) {
                Ok(()) => return,
                Err(TrySendError::Full(lost) | TrySendError::Closed(lost)) => lost,
            },
        };
        metrics::journal_dropped(1);
        let Some(lost_since) = self.losses.add(clock::now()) else { return };
        let (CallUpdate { patch, is_terminal }, _) = lost.read();
        let CallPatch { id, status, reason, ani, dnis, ended_by, .. } = patch;
        tracing::error!(
            lost_since, call = %id, trace_id = %id.trace_id(), ?status, ?reason, ?ended_by, is_terminal,
            ani = redact::masked(ani), dnis = redact::masked(dnis),
            "call updates lost, this one last: the store does not keep up, or is closed"
        );
    }

    /// Ends the queue: its other end gets what is in it, then the end. What comes later is lost
    /// and counted.
    pub fn close(&self) {
        self.sender.store(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_a_second_and_none_is_forgotten() {
        let losses = Losses::default();
        let told: Vec<_> = (0..3000).filter_map(|ms| losses.add(UnixMillis(5000 + ms))).collect();
        assert_eq!(told, [1, 1000, 1000]);
    }
}
