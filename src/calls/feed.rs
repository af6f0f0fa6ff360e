//! What happens to calls, for whoever looks on: the latest events, numbered, in memory.
//!
//! Readers come for what follows the last event they know, at their own pace: nothing is queued for
//! a reader, so a slow one costs nothing and is told when what it asks for is gone. It never waits
//! and keeps nothing across a restart.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::domain::{CallRecord, E164, TenantId, UnixMillis, spelled};

/// Events that are kept: some seconds of a thousand calls a second, minutes of ordinary days; about
/// 16 MiB when full.
const EVENTS_KEPT_MAX: usize = 8 * 1024;

spelled! {
    /// What happened to a call.
    pub enum Happened {
        /// It is known from now on.
        Started = "call.started",
        /// Somebody answered.
        Answered = "call.answered",
        /// More is known of it, also after its end.
        Updated = "call.updated",
        /// It is over. Exactly one event of a call says so.
        Ended = "call.ended",
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEvent {
    /// Its number; later ones are greater, also after a restart.
    pub id: u64,
    /// What happened.
    pub what: Happened,
    /// The call's row after it.
    pub call: Arc<CallRecord>,
}

/// What follows an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These; whoever has them knows everything up to that number.
    Events(Vec<Arc<CallEvent>>, u64),
    /// What was asked for is not kept: everything that is, follows this number.
    Gone(u64),
}

/// How far a feed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The number of the latest event.
    pub latest: u64,
    /// Nothing is told any more: this process is about to end.
    pub is_closed: bool,
}

/// The latest events of all tenants.
#[derive(Debug)]
pub struct Feed {
    kept: Mutex<VecDeque<Arc<CallEvent>>>,
    progress: watch::Sender<Progress>,
}

impl Feed {
    /// An empty feed. Its numbers go on from the time of day, so they are greater than all that
    /// an earlier process gave, as long as that had under a thousand events a millisecond.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        let progress = Progress { latest: now.0.saturating_mul(1000), is_closed: false };
        Self { kept: Mutex::default(), progress: watch::Sender::new(progress) }
    }

    /// Tells of a call's row that a commit has changed.
    pub fn publish(&self, before: Option<&CallRecord>, after: &CallRecord) {
        let call = Arc::new(after.clone());
        let mut kept = self.lock();
        let mut id = self.progress().latest;
        for what in happened(before, after) {
            id += 1;
            if kept.len() == EVENTS_KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(Arc::new(CallEvent { id, what, call: Arc::clone(&call) }));
        }
        self.progress.send_modify(|progress| progress.latest = id);
    }

    /// Something happened and could not be told: every reader learns that it missed something.
    pub fn missed(&self) {
        let mut kept = self.lock();
        kept.clear();
        self.progress.send_modify(|progress| progress.latest += 1);
    }

    /// Takes a person out of the events that are kept. Their numbers stay, for who reads on.
    pub fn erase(&self, tenant: TenantId, contact: E164) {
        for event in self.lock().iter_mut() {
            if event.call.tenant == tenant && event.call.is_with(contact) {
                let mut call = CallRecord::clone(&event.call);
                call.erase(contact);
                *event = Arc::new(CallEvent { call: Arc::new(call), ..*event.as_ref() });
            }
        }
    }

    /// Ends the readers' waits for good.
    pub fn close(&self) {
        self.progress.send_modify(|progress| progress.is_closed = true);
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// To wait with until it goes on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What follows the event of that number, at most so much is looked through; of one tenant, or
    /// of all.
    #[must_use]
    pub fn after(&self, id: u64, tenant: Option<TenantId>, max: usize) -> Next {
        let kept = self.lock();
        let latest = self.progress().latest;
        let oldest = kept.front().map_or(latest + 1, |event| event.id);
        let Some(known) = (id + 1).checked_sub(oldest).filter(|_| id <= latest) else {
            return Next::Gone(oldest - 1);
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let is_theirs = |event: &&Arc<CallEvent>| tenant.is_none_or(|t| event.call.tenant == t);
        let looked_at = kept.len().saturating_sub(known).min(max);
        let events = kept.iter().skip(known).take(max).filter(is_theirs).cloned().collect();
        Next::Events(events, id + u64::try_from(looked_at).unwrap_or(0))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<CallEvent>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The steps of a call's life that lie between two states of its row.
fn happened(before: Option<&CallRecord>, after: &CallRecord) -> Vec<Happened> {
    let was_answered = before.is_some_and(|before| before.answered_at.is_some());
    let was_over = before.is_some_and(|before| before.status.is_final());
    let mut steps = Vec::with_capacity(3);
    steps.extend(before.is_none().then_some(Happened::Started));
    steps.extend((after.answered_at.is_some() && !was_answered).then_some(Happened::Answered));
    steps.extend((after.status.is_final() && !was_over).then_some(Happened::Ended));
    if steps.is_empty() {
        steps.push(Happened::Updated);
    }
    steps
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{CallId, CallStatus, Direction};

    fn row(tenant: u128, status: CallStatus) -> CallRecord {
        CallRecord {
            id: CallId(Uuid::from_u128(9)),
            tenant: TenantId(Uuid::from_u128(tenant)),
            account: None,
            carrier_call_id: String::new(),
            direction: Direction::Inbound,
            status,
            ani: None,
            dnis: None,
            number: None,
            agent: None,
            version: None,
            reason: None,
            unmatched: false,
            touch: None,
            trace: Vec::new(),
            targets_tried: Vec::new(),
            media: Vec::new(),
            created_at: UnixMillis(1),
            ringing_at: None,
            answered_at: None,
            ended_at: None,
            updated_at: UnixMillis(1),
            ended_by: None,
            error_code: None,
            caller_verified: false,
            is_erased: false,
            by_machine: false,
        }
    }

    fn told(next: Next) -> (Vec<Happened>, u64) {
        match next {
            Next::Events(events, upto) => (events.iter().map(|event| event.what).collect(), upto),
            Next::Gone(before) => panic!("gone, what is kept follows {before}"),
        }
    }

    #[test]
    fn each_step_is_told_once_and_readers_go_at_their_own_pace() {
        let feed = Feed::new(UnixMillis(5));
        let first = feed.progress().latest;
        let ringing = row(1, CallStatus::Ringing);
        let over = row(1, CallStatus::Completed);
        feed.publish(None, &ringing);
        feed.publish(None, &row(2, CallStatus::Failed));
        feed.publish(Some(&ringing), &over);
        feed.publish(Some(&over), &over);
        let tenant = Some(TenantId(Uuid::from_u128(1)));
        use Happened::{Ended, Started, Updated};
        let (all, latest) = told(feed.after(first, None, 100));
        assert_eq!(all, [Started, Started, Ended, Ended, Updated]);
        assert_eq!(latest, first + 5);
        assert_eq!(told(feed.after(first, tenant, 100)), (vec![Started, Ended, Updated], latest));
        assert_eq!(told(feed.after(first, tenant, 2)), (vec![Started], first + 2));
        assert_eq!(told(feed.after(first + 2, tenant, 2)), (vec![Ended], first + 4));
        assert_eq!(told(feed.after(latest, tenant, 2)), (vec![], latest));
        assert_eq!(feed.after(latest + 1, tenant, 2), Next::Gone(first), "of another life");
    }

    #[test]
    fn what_is_gone_is_said_to_be() {
        let feed = Feed::new(UnixMillis(5));
        let first = feed.progress().latest;
        let call = row(1, CallStatus::Ringing);
        for _ in 0..=EVENTS_KEPT_MAX {
            feed.publish(None, &call);
        }
        assert_eq!(feed.after(first, None, 1), Next::Gone(first + 1));
        assert_eq!(told(feed.after(first + 1, None, 1)), (vec![Happened::Started], first + 2));
        let latest = feed.progress().latest;
        feed.missed();
        assert_eq!(feed.after(latest, None, 1), Next::Gone(latest + 1));
        assert_eq!(told(feed.after(latest + 1, None, 1)), (vec![], latest + 1));
    }
}
