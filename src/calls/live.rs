//! The one table of live calls. Locks are held for a few assignments, never across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::sync::Notify;

use crate::domain::{
    AccountId, Agent, AgentId, Attestation, CallEnd, CallId, CallPatch, CallStatus, Direction,
    E164, InboundCall, MediaSession, NumberId, RouteReason, Rung, Target, TargetTried, TenantId,
    Touch, TraceStep, UnixMillis, spelled,
};
use crate::telemetry::clock;

use super::by_agent::ByAgent;
use super::machine::{CARRIER_SILENT, Event, Machine};
use super::{CallUpdate, Feed, Journal};

/// How long a call placed here may be unheard of: it may wait its turn for minutes, and ring for as
/// many.
const UNHEARD_MS_MAX: u64 = 20 * 60 * 1000;

/// What is fixed about a call when it is decided. Edits count for the next call.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its identity.
    pub id: CallId,
    /// Its owner.
    pub tenant: TenantId,
    /// The account that carries it.
    pub account: AccountId,
    /// The carrier's id for its first leg.
    pub carrier_call_id: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Who calls whom, and how far that is vouched for.
    pub call: InboundCall,
    /// Our number.
    pub number: Option<NumberId>,
    /// Who was decided on.
    pub agent: Option<Arc<Agent>>,
    /// Why; `None` where the decision was lost with the process that made it.
    pub reason: Option<RouteReason>,
    /// The callback agent was reached by somebody who was not called before.
    pub unmatched: bool,
    /// The outbound call that is being returned.
    pub touch: Option<Touch>,
    /// What is tried, in order, flattened.
    pub ladder: Vec<Rung>,
    /// What follows when all of it is used up.
    pub last_resort: Target,
    /// The least attestation for which a runtime is told everything about a return call, unless
    /// its agent says otherwise.
    pub context_min_attestation: Attestation,
    /// How the decision was reached.
    pub trace: Vec<TraceStep>,
    /// When the webhook came.
    pub created_at: UnixMillis,
}

impl Facts {
    /// Whether the caller is vouched for enough that this agent's runtime is told everything.
    #[must_use]
    pub fn is_context_full(&self, agent: Option<&Agent>) -> bool {
        let own = agent.and_then(|agent| agent.context_min_attestation);
        self.call.attestation >= own.unwrap_or(self.context_min_attestation)
    }

    /// The call's first row. Where the decision was lost, its row knows better.
    #[must_use]
    pub fn row(&self, status: CallStatus, now: UnixMillis) -> CallPatch {
        let is_decided = self.reason.is_some();
        CallPatch {
            account: Some(self.account),
            carrier_call_id: Some(self.carrier_call_id.clone()),
            direction: Some(self.direction),
            status: Some(status),
            ani: self.call.ani.number(),
            dnis: self.call.dnis,
            number: self.number,
            agent: self.agent.as_ref().map(|agent| agent.id),
            reason: self.reason,
            unmatched: is_decided.then_some(self.unmatched),
            touch: self.touch.map(|touch| touch.id),
            trace: Some(self.trace.clone()).filter(|trace| !trace.is_empty()),
            created_at: Some(self.created_at),
            caller_verified: is_decided.then(|| self.call.attestation.is_verified()),
            ..CallPatch::new(self.id, self.tenant, now)
        }
    }
}

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

/// What `/resume` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The target at this place of the ladder; past its end, the last resort.
    At(usize),
    /// Hang up.
    HangUp,
}

spelled! {
    /// Where a call's media stands.
    pub enum MediaState {
        /// No socket.
        None = "none",
        /// The carrier's socket is open, no runtime is.
        Connecting = "connecting",
        /// Both are.
        Joined = "joined",
        /// Over.
        Over = "over",
    }
}

/// What changes about a call.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Where it stands.
    pub status: CallStatus,
    /// Where its media stands.
    pub media: MediaState,
    /// What `/resume` answers.
    pub resume: Resume,
    /// What was tried so far.
    pub tried: Vec<TargetTried>,
    /// After the carrier's `start`: when a runtime first had the caller's audio.
    pub first_audio_to_runtime: Option<Duration>,
    /// After the carrier's `start`: when the carrier first had a runtime's audio.
    pub first_audio_to_carrier: Option<Duration>,
    /// When the caller last had audio from a runtime; before that, when the media socket opened.
    pub audible_at: Option<UnixMillis>,
    /// What went through its media sockets that have closed.
    pub carried: Vec<MediaSession>,
    /// Who wants it ended, if anybody does.
    pub hang_up: Option<CallEnd>,
}

/// A live call.
#[derive(Debug)]
pub struct LiveCall {
    /// What is fixed.
    pub facts: Facts,
    inner: Mutex<(Machine, State)>,
    hang_up: Notify,
}

impl LiveCall {
    fn new(facts: Facts, status: CallStatus) -> Self {
        let machine = Machine::new(facts.id, facts.tenant, status, facts.created_at);
        let state = State {
            status,
            media: MediaState::None,
            resume: Resume::At(0),
            tried: Vec::new(),
            first_audio_to_runtime: None,
            first_audio_to_carrier: None,
            audible_at: None,
            carried: Vec::new(),
            hang_up: None,
        };
        Self { facts, inner: Mutex::new((machine, state)), hang_up: Notify::new() }
    }

    /// The target at this place of the ladder; past its end, the last resort.
    #[must_use]
    pub fn target(&self, place: usize) -> &Target {
        self.facts.ladder.get(place).map_or(&self.facts.last_resort, |rung| &rung.target)
    }

    /// How the call stands now.
    #[must_use]
    pub fn state(&self) -> State {
        let inner = self.lock();
        State { status: inner.0.status(), ..inner.1.clone() }
    }

    /// Whether it is over; it may have media a moment longer.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.lock().0.is_over()
    }

    /// What `/resume` answers.
    #[must_use]
    pub fn resume(&self) -> Resume {
        self.lock().1.resume
    }

    /// Changes what changes. Nothing may wait inside.
    pub fn note(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock().1);
    }

    /// Asks for the call to be ended: its media socket closes, and `/resume` answers a hang-up. A
    /// call that has no media socket needs the carrier to be told besides.
    pub fn hang_up(&self, by: CallEnd) {
        self.note(|state| {
            state.resume = Resume::HangUp;
            state.hang_up.get_or_insert(by);
        });
        self.hang_up.notify_one();
    }

    /// Waits until somebody asks for the call to be ended; for the one task that carries its media.
    pub async fn hang_up_wanted(&self) -> CallEnd {
        loop {
            if let Some(by) = self.lock().1.hang_up {
                return by;
            }
            self.hang_up.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Machine, State)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All live calls.
#[derive(Debug)]
pub struct Live {
    calls: DashMap<CallId, Arc<LiveCall>>,
    /// The id a call would have by its carrier's id, for calls that have another.
    aliases: DashMap<CallId, CallId>,
    /// The calls that are placed here, until they are over: their webhooks may come before the
    /// answer to our request, so they are known before it is sent.
    placed: DashMap<CallId, Facts>,
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
            calls: DashMap::new(),
            aliases: DashMap::new(),
            placed: DashMap::new(),
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
        let by_carrier = CallId::of_carrier_call(facts.account, &facts.carrier_call_id);
        let id = facts.id;
        let call = match self.calls.entry(id) {
            Entry::Occupied(entry) => return Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                // First, so that no end of the call can come in between.
                self.by_agent.enter(&facts);
                Arc::clone(entry.insert(Arc::new(LiveCall::new(facts, status))).value())
            }
        };
        if by_carrier != id {
            self.aliases.insert(by_carrier, id);
        }
        let patch = call.facts.row(status, now);
        self.journal.record(CallUpdate { patch, is_terminal: false });
        call
    }

    /// Records a call that was refused when it came: it is over, and never live.
    pub fn refuse(&self, facts: &Facts, error_code: &str, now: UnixMillis) {
        let mut patch = facts.row(CallStatus::Failed, now);
        patch.ended_at = Some(now);
        patch.error_code = Some(error_code.to_owned());
        self.journal.record(CallUpdate { patch, is_terminal: true });
    }

    /// A call that the carrier is about to be asked to place. Its row is there already; it is live
    /// from [`Live::begin`] on, when the carrier's id for it is known.
    pub fn expect(&self, facts: Facts) {
        self.by_agent.enter(&facts);
        self.placed.insert(facts.id, facts);
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
        let ours = placed.call.ani.number().zip(placed.call.dnis);
        if placed.account != account || leg.is_some_and(|leg| ours != Some(leg)) {
            return None;
        }
        let facts = Facts { carrier_call_id: carrier_call_id.to_owned(), ..placed.clone() };
        let call = self.open(facts, CallStatus::Initiated, now);
        (call.facts.carrier_call_id == carrier_call_id).then_some(call)
    }

    /// A call that was to be placed here, and was not or was never heard of.
    pub fn fail(&self, id: CallId, error_code: &str, now: UnixMillis) {
        if let Some((_, facts)) = self.placed.remove(&id) {
            if !self.calls.contains_key(&id) {
                self.by_agent.leave(&facts);
            }
            self.refuse(&facts, error_code, now);
        }
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
        self.placed.get(&id).map(|facts| shown(&facts, CallStatus::Queued))
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
                Event::Status { .. } | Event::Asked | Event::Ending(_) | Event::MediaStopped => {}
            }
            inner.0.handle(event, now)
        };
        self.record(call, update);
    }

    /// Closes the calls of which nothing more was heard; due every few seconds.
    pub fn sweep(&self, now: UnixMillis) {
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
            .filter(|placed| placed.created_at.0.saturating_add(UNHEARD_MS_MAX) <= now.0)
            .map(|placed| placed.id)
            .filter(|id| !self.calls.contains_key(id))
            .collect();
        for id in unheard {
            self.fail(id, CARRIER_SILENT, now);
        }
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
        self.journal.record(CallUpdate { patch, is_terminal: false });
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
        }
        self.journal.record(update);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::Ani;

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
            assert!(!rows.try_recv().unwrap().is_terminal);
            assert!(rows.try_recv().unwrap().is_terminal);
            assert!(rows.try_recv().is_err());
        }
    }

    #[test]
    fn the_ladder_ends_in_the_last_resort() {
        let (journal, _rows) = Journal::new();
        let live = Live::new(journal);
        let call = live.open(facts(CallId(Uuid::from_u128(9))), CallStatus::Ringing, UnixMillis(1));
        assert_eq!(call.target(0), &Target::Busy);
        assert_eq!(call.target(1), &Target::Reject);
        live.sweep(UnixMillis(u64::MAX));
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
        assert_eq!(call.hang_up_wanted().await, CallEnd::Api);
        assert_eq!(call.resume(), Resume::HangUp);
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
        live.sweep(UnixMillis(u64::MAX));
        let told: Vec<_> = std::iter::from_fn(|| rows.try_recv().ok()).collect();
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
        live.sweep(UnixMillis(1));
        assert!(rows.try_recv().is_err());
        live.sweep(UnixMillis(1 + UNHEARD_MS_MAX));
        let update = rows.try_recv().unwrap();
        assert_eq!(update.patch.error_code.as_deref(), Some(CARRIER_SILENT));
        assert!(update.is_terminal && rows.try_recv().is_err());
    }
}
