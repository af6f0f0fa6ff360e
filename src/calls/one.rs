//! One live call: what is fixed about it, what changes, and what is wanted of it.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::machine::Machine;
use crate::domain::{
    AccountId, Agent, Attestation, CallBrief, CallEnd, CallId, CallPatch, CallStatus, Direction,
    InboundCall, MediaSession, NumberId, RouteReason, Rung, Target, TargetTried, TenantId, Touch,
    TraceStep, UnixMillis, spelled,
};

/// Rungs that may be added to a call's ladder by moving it: more is somebody's endless loop.
pub(super) const ADDED_MAX: usize = 256;

/// Keys that wait to be passed on: nobody presses so many in the moment that takes.
const KEYS_MAX: usize = 64;

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
    /// What it is for; `None` for a call that came to us.
    pub errand: Option<Arc<Errand>>,
    /// When the webhook came.
    pub created_at: UnixMillis,
}

/// What a call placed here is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errand {
    /// What was given along.
    pub brief: CallBrief,
    /// Whether a machine that answers is hung up on.
    pub hangs_up_on_machine: bool,
    /// What is said to one that records; its agent's runtime is told of it otherwise.
    pub voicemail_message: Option<String>,
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
    /// Rungs that follow its ladder, to which it was moved.
    pub added: Vec<Rung>,
    /// Where it shall go on instead of where it is, until it does.
    pub detour: Option<Detour>,
    /// What is known of a machine that answered.
    pub machine: Option<Machinery>,
    /// The carrier's id for the leg that it dials on to, while there is one.
    pub dialled: Option<String>,
    /// Keys that were pressed beside its media socket, and not passed on yet.
    pub keys: String,
}

/// A call's way to somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The place it was at.
    pub from: usize,
    /// The place where it goes on.
    pub to: usize,
}

/// What is known of a machine that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machinery {
    /// It records by now.
    pub is_recording: bool,
    /// Whoever carries the call's media has not been told so yet.
    is_news: bool,
}

/// What is wanted of the one task that carries a call's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To tell the runtime that a machine answered, and records now.
    Tell,
    /// To end the call.
    HangUp(CallEnd),
    /// To go on at this place.
    At(usize),
    /// To pass on [keys](LiveCall::take_keys).
    Keys,
}

/// A live call.
#[derive(Debug)]
pub struct LiveCall {
    /// What is fixed.
    pub facts: Facts,
    inner: Mutex<(Machine, State)>,
    asked: Notify,
    /// How often somebody was told.
    news: AtomicU32,
}

impl LiveCall {
    pub(super) fn new(facts: Facts, status: CallStatus) -> Self {
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
            added: Vec::new(),
            detour: None,
            machine: None,
            dialled: None,
            keys: String::new(),
        };
        Self {
            facts,
            inner: Mutex::new((machine, state)),
            asked: Notify::new(),
            news: AtomicU32::new(0),
        }
    }

    /// What is at this place of the ladder, or of what follows it.
    #[must_use]
    pub fn rung(&self, place: usize) -> Option<Cow<'_, Rung>> {
        let ladder = &self.facts.ladder;
        match place.checked_sub(ladder.len()) {
            None => ladder.get(place).map(Cow::Borrowed),
            Some(place) => self.lock().1.added.get(place).cloned().map(Cow::Owned),
        }
    }

    /// How many rungs there are.
    #[must_use]
    pub fn rungs(&self) -> usize {
        self.facts.ladder.len() + self.lock().1.added.len()
    }

    /// The target at this place of the ladder; past its end, the last resort.
    #[must_use]
    pub fn target(&self, place: usize) -> Cow<'_, Target> {
        match self.rung(place) {
            Some(Cow::Borrowed(rung)) => Cow::Borrowed(&rung.target),
            Some(Cow::Owned(rung)) => Cow::Owned(rung.target),
            None => Cow::Borrowed(&self.facts.last_resort),
        }
    }

    /// Whose target is at this place.
    #[must_use]
    pub fn agent(&self, place: usize) -> Option<Arc<Agent>> {
        self.rung(place).and_then(|rung| rung.agent.clone())
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

    /// Whether it is where we have the carrier dial on.
    #[must_use]
    pub fn dials(&self) -> bool {
        match self.resume() {
            Resume::At(place) => matches!(*self.target(place), Target::Tel(_) | Target::Sip(_)),
            Resume::HangUp => false,
        }
    }

    /// Whether it goes on where nothing of ours is: no further target is tried.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.lock().0.is_elsewhere()
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
    /// call that [has no socket](Self::has_socket) needs the carrier to be told besides. Whether
    /// nobody had asked for it before.
    pub fn hang_up(&self, by: CallEnd) -> bool {
        let is_first = {
            let state = &mut self.lock().1;
            state.resume = Resume::HangUp;
            let is_first = state.hang_up.is_none();
            state.hang_up.get_or_insert(by);
            is_first
        };
        self.tell();
        is_first
    }

    /// Whether a media socket is open, by which the call can be ended or taken elsewhere.
    #[must_use]
    pub fn has_socket(&self) -> bool {
        matches!(self.lock().1.media, MediaState::Connecting | MediaState::Joined)
    }

    /// Asks for the call to go on at the first of these rungs: its media socket is taken there, or
    /// closes and `/resume` answers it. A call that has no media socket needs the carrier to be
    /// told besides. `None`: it was moved too often, or is to be ended.
    pub fn move_on(&self, rungs: Vec<Rung>) -> Option<usize> {
        let to = {
            let state = &mut self.lock().1;
            if state.hang_up.is_some() || state.added.len() + rungs.len() > ADDED_MAX {
                return None;
            }
            let to = self.facts.ladder.len() + state.added.len();
            state.added.extend(rungs);
            let from = match (state.detour, state.resume) {
                (Some(earlier), _) => earlier.from,
                (None, Resume::At(from)) => from,
                (None, Resume::HangUp) => to,
            };
            state.detour = Some(Detour { from, to });
            state.resume = Resume::At(to);
            to
        };
        self.tell();
        Some(to)
    }

    /// A machine answered, and maybe records by now. Whether it is the first time that it does.
    pub fn answered_by_machine(&self, is_recording: bool) -> bool {
        let is_first = {
            let machine = &mut self.lock().1.machine;
            let was_recording = machine.is_some_and(|machine| machine.is_recording);
            let is_first = is_recording && !was_recording;
            if is_first || machine.is_none() {
                *machine = Some(Machinery { is_recording, is_news: is_recording });
            }
            is_first
        };
        if is_first {
            self.tell();
        }
        is_first
    }

    /// The runtime is told, or is about to be: see [`Wanted::Tell`].
    pub fn told_of_machine(&self) {
        self.note(|state| {
            if let Some(machine) = &mut state.machine {
                machine.is_news = false;
            }
        });
    }

    /// Takes back that the call shall go on at this place, unless it has come there.
    pub fn stay(&self, to: usize) {
        self.note(|state| {
            if let Some(detour) = state.detour.take_if(|detour| detour.to == to) {
                state.resume = Resume::At(detour.from);
            }
        });
    }

    /// Takes the detour, if there is one.
    pub fn take_detour(&self) -> Option<Detour> {
        self.lock().1.detour.take()
    }

    /// Says what `/resume` answers, unless the call was asked to go on elsewhere meanwhile.
    pub fn settle(&self, resume: Resume) {
        self.note(|state| {
            state.resume = state.detour.map_or(resume, |detour| Resume::At(detour.to));
        });
    }

    /// A key was pressed, and the carrier's socket does not say so. One that nobody passes on is
    /// forgotten past a limit.
    pub fn press(&self, key: char) {
        self.note(|state| {
            if state.keys.len() < KEYS_MAX {
                state.keys.push(key);
            }
        });
        self.tell();
    }

    /// Takes the keys that are to be passed on.
    pub fn take_keys(&self) -> String {
        std::mem::take(&mut self.lock().1.keys)
    }

    /// Waits until something is wanted of the call; for whoever carries its media, or is about to.
    pub async fn wanted(&self) -> Wanted {
        self.until(|_, state| {
            let hang_up = state.hang_up.map(Wanted::HangUp);
            let tell = state.machine.is_some_and(|machine| machine.is_news);
            let keys = !state.keys.is_empty();
            hang_up
                .or_else(|| state.detour.map(|detour| Wanted::At(detour.to)))
                .or_else(|| tell.then_some(Wanted::Tell))
                .or_else(|| keys.then_some(Wanted::Keys))
        })
        .await
    }

    /// Waits until the call is over.
    pub async fn over(&self) {
        self.until(|machine, _| machine.is_over().then_some(())).await;
    }

    /// A number that is another one when something about the call has changed: as long as it is the
    /// same, who waits for something need not look.
    #[must_use]
    pub fn news(&self) -> u32 {
        self.news.load(Ordering::Acquire)
    }

    /// Tells those who wait that something about the call has changed.
    pub(super) fn tell(&self) {
        self.news.fetch_add(1, Ordering::Release);
        self.asked.notify_waiters();
    }

    async fn until<T>(&self, look: impl Fn(&Machine, &State) -> Option<T>) -> T {
        let mut asked = pin!(self.asked.notified());
        loop {
            // Listens before it looks, so that no change falls in between.
            asked.as_mut().enable();
            {
                let inner = self.lock();
                if let Some(found) = look(&inner.0, &inner.1) {
                    return found;
                }
            }
            asked.as_mut().await;
            asked.set(self.asked.notified());
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, (Machine, State)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
