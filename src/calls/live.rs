//! The one table of live calls. Locks are held for a few assignments, never across an await.

use std::sync::Arc;
use std::time::Duration;

use dashmap::{DashMap, Entry as Place};
use foldhash::fast::RandomState;
use moka::sync::Cache;
use uuid::Version;

use crate::domain::{
    AccountId, AgentId, CallEnd, CallId, CallPatch, CallStatus, E164, TenantId, UnixMillis,
};
use crate::telemetry::clock;

use super::by_agent::ByAgent;
use super::machine::{CARRIER_SILENT, Event};
use super::one::{Facts, LiveCall, MediaState};
use super::{CallUpdate, Entry, Feed, Journal, table};

/// How long a call placed here may be unheard of: it may wait its turn for minutes, and ring for as
/// many.
const UNHEARD_MS_MAX: u64 = 20 * 60 * 1000;

/// How long it is remembered that a call has ended. Carriers repeat an event for a minute or so.
const ENDED_LIFE: Duration = Duration::from_secs(10 * 60);

/// Ends remembered at once: ten minutes of 160 calls a second, within some 10 MiB.
const ENDED_MAX: u64 = 100_000;

/// A call in progress, or about to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveCall {
    /// Its identity.
    pub id: CallId,
    /// The number that was dialled.
    pub dnis: Option<E164>,
    /// Where it stands.
    pub status: CallStatus,
    /// When it began.
    pub created_at: UnixMillis,
}

/// A call that is placed here.
#[derive(Clone, Debug)]
struct Placed {
    facts: Facts,
    /// Nobody wants it any more: it is ended as soon as the carrier has it.
    is_unwanted: bool,
}

/// All live calls.
#[derive(Debug)]
pub struct Live {
    calls: DashMap<CallId, Arc<LiveCall>, RandomState>,
    /// The id a call would have by its carrier's id, for calls that have another.
    aliases: DashMap<CallId, CallId, RandomState>,
    /// The calls that are placed here, until they are over: their webhooks may come before the
    /// answer to our request, so they are known before it is sent.
    placed: DashMap<CallId, Placed, RandomState>,
    /// Calls of which the carrier has told the end, by the id that each would have by its
    /// carrier's id: what is told late is known to be late.
    ended: Cache<CallId, ()>,
    /// Each agent's calls in either of those two, by whom they are with.
    by_agent: ByAgent,
    journal: Journal,
    feed: Feed,
}

impl Live {
    /// An empty table, whose rows go there.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        let feed = Feed::new(clock::now());
        Self {
            calls: table(),
            aliases: table(),
            placed: table(),
            ended: Cache::builder().time_to_live(ENDED_LIFE).max_capacity(ENDED_MAX).build(),
            by_agent: ByAgent::default(),
            journal,
            feed,
        }
    }

    /// What happened to calls, once it is on disk.
    #[must_use]
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Enters a call and records its row. One that is there already stays as it is: a carrier that
    /// repeats its webhook changes nothing.
    pub fn open(&self, facts: Facts, status: CallStatus, now: UnixMillis) -> Arc<LiveCall> {
        let id = facts.id;
        let call = match self.calls.entry(id) {
            Place::Occupied(entry) => return Arc::clone(entry.get()),
            Place::Vacant(entry) => {
                // First, so that no end of the call can come in between.
                self.by_agent.enter(&facts);
                Arc::clone(entry.insert(Arc::new(LiveCall::new(facts, status))).value())
            }
        };
        // A call placed here has an id of its own; anybody else's is made of its carrier's.
        if id.0.get_version() != Some(Version::Sha1) {
            let Facts { account, carrier_call_id, .. } = &call.facts;
            self.aliases.insert(CallId::of_carrier_call(*account, carrier_call_id), id);
        }
        self.journal.record(Entry::Begun(Arc::clone(&call), status, now));
        call
    }

    /// Records a call that was refused when it came: it is over, and never live.
    pub fn refuse(&self, facts: Facts, error_code: &str, now: UnixMillis) {
        self.journal.record(Entry::Refused(Box::new(facts), error_code.into(), now));
    }

    /// A call that the carrier is about to be asked to place. Its row is there already; it is live
    /// from [`Live::begin`] on, when the carrier's id for it is known.
    pub fn expect(&self, facts: Facts) {
        self.by_agent.enter(&facts);
        self.placed.insert(facts.id, Placed { facts, is_unwanted: false });
    }

    /// The call placed here, which the carrier knows by that id. `None` where it is none of this
    /// account, is over, or is known to the carrier by another id. `leg` is from whom to whom the
    /// carrier says it goes, where it says so.
    pub fn begin(
        &self,
        id: CallId,
        account: AccountId,
        carrier_call_id: &str,
        leg: Option<(E164, E164)>,
        now: UnixMillis,
    ) -> Option<Arc<LiveCall>> {
        // Held until the call is in the table: whoever ends a call takes it from here first, so one
        // that is over cannot begin again.
        let placed = self.placed.get(&id)?;
        let ours = placed.facts.call.ani.number().zip(placed.facts.call.dnis);
        if placed.facts.account != account || leg.is_some_and(|leg| ours != Some(leg)) {
            return None;
        }
        let facts = Facts { carrier_call_id: carrier_call_id.to_owned(), ..placed.facts.clone() };
        let call = self.open(facts, CallStatus::Initiated, now);
        if placed.is_unwanted {
            call.hang_up(CallEnd::Api);
        }
        (call.facts.carrier_call_id == carrier_call_id).then_some(call)
    }

    /// A call that was to be placed here, and was not or was never heard of.
    pub fn fail(&self, id: CallId, error_code: &str, now: UnixMillis) {
        if let Some(facts) = self.take_placed(id) {
            self.refuse(facts, error_code, now);
        }
    }

    /// A call that was to be placed here is canceled, and its row says so already.
    pub fn forget(&self, id: CallId) {
        drop(self.take_placed(id));
    }

    fn take_placed(&self, id: CallId) -> Option<Facts> {
        let (_, placed) = self.placed.remove(&id)?;
        if !self.calls.contains_key(&id) {
            self.by_agent.leave(&placed.facts);
        }
        Some(placed.facts)
    }

    /// Asks for a call to be ended that the carrier was asked for, and of which it has not been
    /// heard. False where there is none.
    pub fn unwant(&self, id: CallId, tenant: TenantId) -> bool {
        let placed = self.placed.get_mut(&id).filter(|placed| placed.facts.tenant == tenant);
        placed.map(|mut placed| placed.is_unwanted = true).is_some()
    }

    /// The call of that id.
    #[must_use]
    pub fn get(&self, id: CallId) -> Option<Arc<LiveCall>> {
        self.calls.get(&id).map(|entry| Arc::clone(entry.value()))
    }

    /// The call that the carrier knows by that id.
    #[must_use]
    pub fn by_carrier(&self, account: AccountId, carrier_call_id: &str) -> Option<Arc<LiveCall>> {
        let id = CallId::of_carrier_call(account, carrier_call_id);
        self.get(id).or_else(|| {
            let alias = self.aliases.get(&id).map(|entry| *entry.value());
            alias.and_then(|id| self.get(id))
        })
    }

    /// Whether the carrier has told the end of that call, not long ago.
    #[must_use]
    pub fn has_ended(&self, account: AccountId, carrier_call_id: &str) -> bool {
        self.ended.contains_key(&CallId::of_carrier_call(account, carrier_call_id))
    }

    /// Every call of a tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: TenantId) -> Vec<Arc<LiveCall>> {
        let of_tenant = |call: &Arc<LiveCall>| call.facts.tenant == tenant;
        self.calls.iter().map(|entry| Arc::clone(entry.value())).filter(of_tenant).collect()
    }

    /// Whether an agent has any call, those about to be placed included.
    #[must_use]
    pub fn is_busy(&self, agent: AgentId) -> bool {
        self.by_agent.has(agent)
    }

    /// An agent's calls with a person, those about to be placed included, oldest first.
    #[must_use]
    pub fn between(&self, agent: AgentId, contact: E164) -> Vec<ActiveCall> {
        let ids = self.by_agent.between(agent, contact);
        let mut calls: Vec<_> = ids.into_iter().filter_map(|id| self.active(id)).collect();
        calls.sort_unstable_by_key(|call| (call.created_at, call.id));
        calls
    }

    fn active(&self, id: CallId) -> Option<ActiveCall> {
        let shown = |facts: &Facts, status| ActiveCall {
            id,
            dnis: facts.call.dnis,
            status,
            created_at: facts.created_at,
        };
        if let Some(call) = self.get(id) {
            return Some(shown(&call.facts, call.state().status));
        }
        self.placed.get(&id).map(|placed| shown(&placed.facts, CallStatus::Queued))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Something happened to a call; what is to be recorded of it, is. A call that is over leaves
    /// the table.
    pub fn apply(&self, call: &LiveCall, event: Event, now: UnixMillis) {
        let update = {
            let mut inner = call.lock();
            match &event {
                Event::Tried(tried) => inner.1.tried.push(tried.clone()),
                Event::Carried(session) => inner.1.carried.push(session.clone()),
                Event::MediaStarted => inner.1.audible_at = Some(now),
                Event::Status { status: CallStatus::Completed | CallStatus::Canceled, .. } => {
                    // The carrier does not say who had it end the call.
                    let by = inner.1.hang_up;
                    inner.0.wanted_over(by);
                }
                Event::Status { .. }
                | Event::Asked
                | Event::Ending(_)
                | Event::MediaStopped
                | Event::Elsewhere => {}
            }
            inner.0.handle(event, now)
        };
        if update.as_ref().is_some_and(|update| update.is_terminal) {
            let Facts { account, carrier_call_id, .. } = &call.facts;
            self.ended.insert(CallId::of_carrier_call(*account, carrier_call_id), ());
        }
        self.record(call, update);
    }

    /// Closes the calls of which nothing more was heard; due every few seconds. The calls that
    /// come back look over, and their carriers are to be asked.
    pub fn sweep(&self, now: UnixMillis) -> Vec<Arc<LiveCall>> {
        let due: Vec<_> = self
            .calls
            .iter()
            .filter(|entry| entry.value().lock().0.wake_at() <= now)
            .map(|entry| Arc::clone(entry.value()))
            .collect();
        for call in due {
            let update = call.lock().0.tick(now);
            self.record(&call, update);
        }
        let unheard: Vec<_> = self
            .placed
            .iter()
            .filter(|placed| placed.facts.created_at.0.saturating_add(UNHEARD_MS_MAX) <= now.0)
            .map(|placed| placed.facts.id)
            .filter(|id| !self.calls.contains_key(id))
            .collect();
        for id in unheard {
            self.fail(id, CARRIER_SILENT, now);
        }
        let looks = |call: &Arc<LiveCall>| call.lock().0.looks(now);
        self.calls.iter().map(|entry| Arc::clone(entry.value())).filter(looks).collect()
    }

    /// How many calls have an open media socket by which no runtime's audio has gone to the caller
    /// for that long.
    #[must_use]
    pub fn silent(&self, now: UnixMillis, for_ms: u64) -> usize {
        let is_silent = |call: &LiveCall| {
            let inner = call.lock();
            let has_socket = matches!(inner.1.media, MediaState::Connecting | MediaState::Joined);
            has_socket && inner.1.audible_at.is_some_and(|at| now.0.saturating_sub(at.0) >= for_ms)
        };
        self.calls.iter().filter(|entry| is_silent(entry.value())).count()
    }

    /// Ends the journal, when nothing more is to be recorded.
    pub fn close(&self) {
        self.journal.close();
    }

    /// Records what became known of a call that is not live in this process.
    pub fn record_late(&self, patch: CallPatch) {
        self.journal.record(Entry::Known(Box::new(CallUpdate { patch, is_terminal: false })));
    }

    fn record(&self, call: &LiveCall, update: Option<CallUpdate>) {
        let Some(update) = update else { return };
        if update.is_terminal {
            let facts = &call.facts;
            self.placed.remove(&facts.id);
            self.calls.remove(&facts.id);
            self.by_agent.leave(facts);
            let by_carrier = CallId::of_carrier_call(facts.account, &facts.carrier_call_id);
            self.aliases.remove(&by_carrier);
            call.tell();
        }
        self.journal.record(Entry::Known(Box::new(update)));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::calls::{Detour, Resume, Wanted, one::ADDED_MAX};
    use crate::domain::{
        Agent, Ani, Attestation, Direction, InboundCall, RouteReason, Rung, Target,
    };

    fn facts(id: CallId) -> Facts {
        Facts {
            id,
            tenant: TenantId(Uuid::from_u128(2)),
            account: AccountId(Uuid::from_u128(3)),
            carrier_call_id: "CA1".to_owned(),
            direction: Direction::Inbound,
            call: InboundCall {
                account: None,
                dnis: None,
                ani: Ani::Withheld,
                forwarded_from: None,
                attestation: Attestation::None,
            },
            number: None,
            agent: None,
            reason: Some(RouteReason::Default),
            unmatched: false,
            touch: None,
            ladder: vec![Rung { agent: None, target: Target::Busy }],
            last_resort: Target::Reject,
            context_min_attestation: Attestation::None,
            trace: Vec::new(),
            errand: None,
            created_at: UnixMillis(1),
        }
    }

    #[test]
    fn a_call_is_found_by_both_ids_until_it_is_over() {
        let (journal, mut rows) = Journal::new();
        let live = Live::new(journal);
        let account = AccountId(Uuid::from_u128(3));
        for id in [CallId::of_carrier_call(account, "CA1"), CallId(Uuid::from_u128(9))] {
            let call = live.open(facts(id), CallStatus::Ringing, UnixMillis(1));
            let again = live.open(facts(id), CallStatus::Ringing, UnixMillis(2));
            assert!(Arc::ptr_eq(&call, &again), "a repeated webhook changes nothing");
            assert_eq!(live.by_carrier(account, "CA1").unwrap().facts.id, id);
            assert!(live.by_carrier(account, "CA2").is_none());
            let ended = Event::Status { status: CallStatus::Completed, at: UnixMillis(5) };
            live.apply(&call, ended.clone(), UnixMillis(5));
            live.apply(&call, ended, UnixMillis(6));
            assert!(live.is_empty() && live.by_carrier(account, "CA1").is_none());
            assert!(!rows.try_recv().unwrap().read().0.is_terminal);
            assert!(rows.try_recv().unwrap().read().0.is_terminal);
            assert!(rows.try_recv().is_err());
        }
    }

    #[test]
    fn the_ladder_ends_in_the_last_resort() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let call = live.open(facts(CallId(Uuid::from_u128(9))), CallStatus::Ringing, UnixMillis(1));
        assert_eq!(*call.target(0), Target::Busy);
        assert_eq!(*call.target(1), Target::Reject);
        let _ = live.sweep(UnixMillis(u64::MAX));
        assert!(live.is_empty());
    }

    #[test]
    fn a_caller_who_hears_nothing_is_counted() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let call = live.open(facts(CallId(Uuid::from_u128(9))), CallStatus::Ringing, UnixMillis(1));
        assert_eq!(live.silent(UnixMillis(99_000), 1000), 0, "no socket, no silence");
        live.apply(&call, Event::MediaStarted, UnixMillis(2000));
        call.note(|state| state.media = MediaState::Joined);
        assert_eq!(live.silent(UnixMillis(2999), 1000), 0);
        assert_eq!(live.silent(UnixMillis(3000), 1000), 1);
        call.note(|state| state.audible_at = Some(UnixMillis(2500)));
        assert_eq!(live.silent(UnixMillis(3000), 1000), 0);
        call.note(|state| state.media = MediaState::Over);
        assert_eq!(live.silent(UnixMillis(9000), 1000), 0);
    }

    #[tokio::test]
    async fn a_hang_up_is_not_missed() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let call = live.open(facts(CallId(Uuid::from_u128(9))), CallStatus::Ringing, UnixMillis(1));
        call.hang_up(CallEnd::Api);
        assert_eq!(call.wanted().await, Wanted::HangUp(CallEnd::Api));
        assert_eq!(call.resume(), Resume::HangUp);
    }

    #[tokio::test]
    async fn a_move_is_not_missed_and_not_overruled() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let call = live.open(facts(CallId(Uuid::from_u128(9))), CallStatus::Ringing, UnixMillis(1));
        let say = |text: &str| vec![Rung { agent: None, target: Target::Say(text.to_owned()) }];
        assert_eq!((call.move_on(say("a")), call.move_on(say("b"))), (Some(1), Some(2)));
        assert_eq!(call.wanted().await, Wanted::At(2));
        // The runtime that asked for it hangs up right after.
        call.settle(Resume::HangUp);
        assert_eq!(call.resume(), Resume::At(2));
        assert_eq!(call.take_detour(), Some(Detour { from: 0, to: 2 }));
        assert_eq!((&*call.target(2), call.rungs()), (&Target::Say("b".to_owned()), 3));
        assert_eq!(*call.target(3), Target::Reject);
        while call.move_on(say("again")).is_some() {}
        assert_eq!(call.rungs(), 1 + ADDED_MAX);
        // The carrier refuses the last move; of an earlier one nothing is left to take back.
        call.stay(1);
        assert_eq!(call.wanted().await, Wanted::At(ADDED_MAX));
        call.stay(ADDED_MAX);
        assert_eq!(call.take_detour(), None);
        assert_eq!(call.resume(), Resume::At(2));
        call.hang_up(CallEnd::Api);
        assert_eq!(call.wanted().await, Wanted::HangUp(CallEnd::Api));
        assert_eq!(call.move_on(Vec::new()), None);
    }

    #[test]
    fn a_placed_call_begins_for_its_carrier_alone_and_ends_once() {
        let (journal, mut rows) = Journal::new();
        let live = Live::new(journal);
        let id = CallId(Uuid::from_u128(9));
        let placed = Facts { direction: Direction::Outbound, ..facts(id) };
        let (account, other) = (placed.account, AccountId(Uuid::from_u128(99)));
        let leg = placed.call.ani.number().zip(placed.call.dnis);
        live.expect(placed);
        assert!(live.get(id).is_none() && rows.try_recv().is_err());
        assert!(live.begin(id, other, "CA7", leg, UnixMillis(2)).is_none());
        let stranger = E164::from_u64(19_995_550_100).map(|number| (number, number));
        assert!(live.begin(id, account, "CA7", stranger, UnixMillis(2)).is_none());
        let call = live.begin(id, account, "CA7", None, UnixMillis(2)).unwrap();
        assert_eq!(call.facts.carrier_call_id, "CA7");
        assert!(live.begin(id, account, "CA8", None, UnixMillis(2)).is_none());
        assert!(live.by_carrier(account, "CA7").is_some());
        let ended = Event::Status { status: CallStatus::Busy, at: UnixMillis(5) };
        live.apply(&call, ended, UnixMillis(5));
        assert!(live.begin(id, account, "CA7", None, UnixMillis(6)).is_none());
        live.fail(id, "refused", UnixMillis(7));
        let _ = live.sweep(UnixMillis(u64::MAX));
        let told: Vec<_> =
            std::iter::from_fn(|| rows.try_recv().ok().map(|row| row.read().0)).collect();
        assert_eq!(told.iter().filter(|update| update.is_terminal).count(), 1);
    }

    #[test]
    fn a_call_is_found_by_agent_and_person_from_its_placing_to_its_end() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let id = CallId(Uuid::from_u128(9));
        let contact = E164::from_u64(14_155_550_137).unwrap();
        let agent = Agent {
            id: AgentId(Uuid::from_u128(5)),
            tenant: TenantId(Uuid::from_u128(2)),
            name: "Renewals".to_owned(),
            direction: Direction::Outbound,
            state: crate::domain::AgentState::Live,
            targets: Vec::new(),
            callback: None,
            runtime_parameters: Vec::new(),
            first_audio_timeout_ms: None,
            min_attestation: None,
            context_min_attestation: None,
            runtime_media: None,
        };
        let by = agent.id;
        let call = InboundCall { dnis: Some(contact), ..facts(id).call };
        let placed = Facts {
            direction: Direction::Outbound,
            agent: Some(Arc::new(agent)),
            call,
            ..facts(id)
        };
        let statuses =
            |live: &Live| live.between(by, contact).iter().map(|c| c.status).collect::<Vec<_>>();
        live.expect(placed.clone());
        assert_eq!(statuses(&live), [CallStatus::Queued]);
        let call = live.begin(id, placed.account, "CA7", None, UnixMillis(2)).unwrap();
        assert_eq!(statuses(&live), [CallStatus::Initiated]);
        assert!(live.is_busy(by) && live.between(AgentId(Uuid::nil()), contact).is_empty());
        let ended = Event::Status { status: CallStatus::Busy, at: UnixMillis(5) };
        live.apply(&call, ended, UnixMillis(5));
        assert!(!live.is_busy(by) && statuses(&live).is_empty());
        live.expect(placed);
        live.fail(id, "refused", UnixMillis(6));
        assert!(!live.is_busy(by));
    }

    #[test]
    fn a_placed_call_of_which_nothing_is_heard_fails() {
        let (journal, mut rows) = Journal::new();
        let live = Live::new(journal);
        live.expect(Facts { direction: Direction::Outbound, ..facts(CallId(Uuid::from_u128(9))) });
        let _ = live.sweep(UnixMillis(1));
        assert!(rows.try_recv().is_err());
        let _ = live.sweep(UnixMillis(1 + UNHEARD_MS_MAX));
        let (update, _) = rows.try_recv().unwrap().read();
        assert_eq!(update.patch.error_code.as_deref(), Some(CARRIER_SILENT));
        assert!(update.is_terminal && rows.try_recv().is_err());
    }
}
