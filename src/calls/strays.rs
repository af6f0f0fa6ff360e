//! What carriers tell of outbound calls that are not live here, on its way to the store; and the
//! calls of other people's dialers of which nobody can say who made them.
//!
//! A bounded queue that no webhook waits for, and a bounded list for people. It never guesses.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc;

use crate::domain::{E164, OrphanCause, StrayEvent, TenantId};
use crate::telemetry::metrics;

/// Events that may wait for the store: a minute of 70 calls a second with four events each.
const EVENTS_QUEUED_MAX: usize = 16 * 1024;

/// Orphans kept for people to look at; older ones have been counted.
const ORPHANS_MAX: usize = 1000;

/// A call of somebody else's dialer that makes no touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What was last told of it.
    pub event: StrayEvent,
    /// Why it makes none.
    pub cause: OrphanCause,
    /// Whose it would be, where that much is known.
    pub tenant: Option<TenantId>,
}

/// The queue's sending end, and the list. Clones share both.
#[derive(Clone, Debug)]
pub struct Strays {
    sender: Arc<ArcSwapOption<mpsc::Sender<StrayEvent>>>,
    orphans: Arc<Mutex<VecDeque<Orphan>>>,
}

impl Strays {
    /// A queue, and its other end.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<StrayEvent>) {
        let (sender, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let sender = Arc::new(ArcSwapOption::from_pointee(sender));
        (Self { sender, orphans: Arc::default() }, receiver)
    }

    /// Hands an event to the store, now or never.
    pub fn tell(&self, event: StrayEvent) {
        let sender = self.sender.load();
        let refused = match &*sender {
            None => Some(event),
            Some(sender) => sender.try_send(event).err().map(mpsc::error::TrySendError::into_inner),
        };
        if let Some(event) = refused {
            self.orphaned(event, OrphanCause::QueueFull, None);
        }
    }

    /// Nobody can be said to have made the call. A call is counted once, however much is told of
    /// it.
    pub fn orphaned(&self, event: StrayEvent, cause: OrphanCause, tenant: Option<TenantId>) {
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        let orphan = Orphan { event, cause, tenant };
        let known = orphans.iter_mut().find(|known| {
            known.event.account == orphan.event.account
                && known.event.carrier_call_id == orphan.event.carrier_call_id
        });
        if let Some(known) = known {
            *known = orphan;
            return;
        }
        metrics::touch_orphaned(cause);
        if orphans.len() >= ORPHANS_MAX {
            orphans.pop_front();
        }
        orphans.push_back(orphan);
    }

    /// Drops what is kept of calls with a person: the tenant's, and those of which nobody knows
    /// whose they are.
    pub fn erase(&self, tenant: TenantId, contact: E164) {
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.retain(|orphan| {
            let is_theirs = orphan.tenant.is_none_or(|owner| owner == tenant);
            let (from, to) = (orphan.event.from, orphan.event.to);
            !is_theirs || (from != Some(contact) && to != Some(contact))
        });
    }

    /// The orphans kept, newest first.
    #[must_use]
    pub fn orphans(&self) -> Vec<Orphan> {
        let orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.iter().rev().cloned().collect()
    }

    /// Ends the queue: its other end gets what is in it, then the end.
    pub fn close(&self) {
        self.sender.store(None);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{AccountId, UnixMillis};

    fn event(carrier_call_id: String) -> StrayEvent {
        StrayEvent {
            account: AccountId(Uuid::from_u128(1)),
            carrier_call_id,
            call: None,
            agent: None,
            from: None,
            to: None,
            status: None,
            by_machine: false,
            at: UnixMillis(1),
        }
    }

    #[test]
    fn orphans_are_listed_once_and_bounded() {
        let (strays, _events) = Strays::new();
        for n in 0..ORPHANS_MAX + 10 {
            for _ in 0..2 {
                strays.orphaned(event(format!("CA{n}")), OrphanCause::NoAgent, None);
            }
        }
        let orphans = strays.orphans();
        assert_eq!(orphans.len(), ORPHANS_MAX);
        assert_eq!(orphans[0].event.carrier_call_id, format!("CA{}", ORPHANS_MAX + 9));
        strays.close();
        strays.tell(event("CA".to_owned()));
        assert_eq!(strays.orphans()[0].cause, OrphanCause::QueueFull);
    }
}
