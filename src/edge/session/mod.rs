//! One call's media: the carrier's socket on one side, one runtime after the other on the other
//! side, until somebody hangs up or no socket is left to try.
//!
//! One task carries a call: it writes what the bridge holds, reads what may be read, and wakes when
//! the liveness says so. It may begin before the carrier's socket is there: then runtimes are
//! opened ahead, and until it comes nothing about the call changes but what was tried. It knows no
//! HTTP; the carrier's side is any socket of messages. What the carrier is told
//! next is left in the live call for `/resume`.

mod arriving;
mod parting;
mod reading;
mod watch;
mod writing;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use self::watch::Watch;
use self::writing::Outlet;
use super::comfort::Comfort;
use super::gather;
use super::prewarm::Expected;
use super::report::{self, End, Report};
use super::socket::{Arrival, CarrierSocket, Open};
use super::start::{self, Told};
use super::voice::Voice;
use crate::calls::{Facts, Live, LiveCall, MediaState, Resume, Wanted};
use crate::domain::{AgentId, Target, UnixMillis};
use crate::media::bridge::{Bridge, Counts, FromCarrier, FromRuntime};
use crate::media::liveness::{Due, Liveness};
use crate::media::messages::Start;
use crate::runtime::websocket::{CLOSE_NORMAL, Heard, Socket};
use crate::runtime::{
    Context, Dial, DialError, Dialer, RuntimeHandle, RuntimeSocket, Sources, Transcript,
};
use crate::telemetry::timer::Timer;
use crate::telemetry::{clock, metrics};

/// Messages that are read before the first of them is written: a crowded process finds several of a
/// call when its turn comes.
const READ_AT_ONCE_MAX: usize = 8;

/// What a session needs besides its call.
#[derive(Clone)]
pub struct Wiring {
    /// Where calls live.
    pub live: Arc<Live>,
    /// The way to runtimes.
    pub dialer: Dialer,
    /// Where what runtimes are told comes from.
    pub sources: Sources,
    /// What the caller hears while the next runtime is dialled.
    pub comfort: Comfort,
    /// The URL that runtimes reach the control API by, where they are told one.
    pub control_url: Option<Arc<str>>,
}

/// Carries a call whose stream has begun, from the target at `place` on. `token` is the call's own.
pub async fn carry(
    arrival: Arrival,
    call: Arc<LiveCall>,
    place: usize,
    token: String,
    wiring: &Wiring,
) -> Report {
    let Arrival { socket, start, open } = arrival;
    let mut session =
        Session::new(Carrier::Here(socket), start.clone(), call, place, token, wiring);
    session.begin(start, open);
    let end = session.run().await;
    Box::pin(session.finish(end)).await
}

/// The same of a call whose stream is to begin: opens its runtime, and carries the call when its
/// carrier's socket comes. `start` stands for the carrier's own until then.
pub async fn carry_ahead(
    expected: Expected,
    start: Start,
    call: Arc<LiveCall>,
    place: usize,
    token: String,
    wiring: &Wiring,
) -> Report {
    let mut session = Session::new(Carrier::Expected(expected), start, call, place, token, wiring);
    let end = session.run().await;
    // What is needed for good-bye would lie among what every frame needs.
    Box::pin(session.finish(end)).await
}

/// One side of the bridge.
enum Carrier {
    Expected(Expected),
    Here(CarrierSocket),
}

/// The other side of the bridge.
enum Leg {
    None,
    Dialing(RuntimeHandle),
    /// Connected, while what it is told first is still being gathered.
    Connected(RuntimeSocket),
    Open(Voice),
    /// It hung up before the carrier's socket came: the call ends as soon as that does.
    HungUp,
}

enum Event {
    /// The carrier's socket; `None`: it does not come any more.
    Arrived(Option<Arrival>),
    Carrier(Heard),
    Dialed(Result<RuntimeSocket, DialError>),
    Ready,
    Runtime(Heard),
    Timer,
    Wanted(Wanted),
    /// The call is over.
    Over,
}

struct Session<'w> {
    carrier: Carrier,
    leg: Leg,
    bridge: Bridge,
    liveness: Liveness,
    timer: Timer,
    /// What times of day are counted from.
    origin: Instant,
    /// When the carrier's stream began.
    began: Duration,
    start: Start,
    call: Arc<LiveCall>,
    token: String,
    wiring: &'w Wiring,
    context: Option<Context>,
    /// What was said before the attempt that is under way, where it is not the first.
    transcript: Option<Transcript>,
    place: usize,
    attempt_at: UnixMillis,
    /// The carrier takes nothing more for now, so the runtime is not read.
    is_blocked: bool,
    /// Messages of the runtime that were read since the last write.
    read_in_turn: usize,
    ping_due: bool,
    /// The runtime cannot be written to any more.
    is_deaf: bool,
    /// The call was over when last looked at.
    is_over: bool,
    counted: Counts,
    to_runtime: Outlet,
    to_carrier: Outlet,
    report: Report,
    /// Counts the carrier's socket, once it is there.
    open: Option<(Option<Open>, metrics::MediaCall)>,
}

impl<'w> Session<'w> {
    fn new(
        carrier: Carrier,
        start: Start,
        call: Arc<LiveCall>,
        place: usize,
        token: String,
        wiring: &'w Wiring,
    ) -> Self {
        let facts = &call.facts;
        let attestation = facts.call.attestation;
        let context = facts
            .touch
            .map(|touch| Context::fetch(&wiring.sources.context, touch, attestation.is_verified()));
        Self {
            carrier,
            leg: Leg::None,
            bridge: Bridge::new(start.clone()),
            liveness: Liveness::new(),
            timer: Timer::default(),
            origin: clock::instant(),
            began: Duration::ZERO,
            start,
            call,
            token,
            wiring,
            context,
            transcript: None,
            place,
            attempt_at: clock::now(),
            is_blocked: false,
            read_in_turn: 0,
            ping_due: false,
            is_deaf: false,
            is_over: false,
            counted: Counts::default(),
            to_runtime: Outlet::default(),
            to_carrier: Outlet::default(),
            report: Report::new(),
            open: None,
        }
    }

    async fn run(&mut self) -> End {
        let call = Arc::clone(&self.call);
        let mut wanted = std::pin::pin!(call.wanted());
        let mut over = std::pin::pin!(call.over());
        let mut watch = Watch::default();
        let mut end = self.advance(self.place);
        while end.is_none() {
            end = poll_fn(|cx| {
                // What is wanted of the call is looked at when there is news of it, and not with
                // every frame.
                let seen = call.news();
                if watch.has_news(seen, cx) {
                    if let Poll::Ready(what) = wanted.as_mut().poll(cx) {
                        wanted.set(call.wanted());
                        watch = Watch::default();
                        return Poll::Ready(self.handle(Event::Wanted(what)));
                    }
                    // With a carrier's socket, its own end is waited for a moment.
                    if self.is_expecting() && over.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(self.handle(Event::Over));
                    }
                }
                self.carry_on(cx)
            })
            .await;
        }
        end.unwrap_or(End::CarrierGone)
    }

    /// Carries frames as long as there are any. It returns when the call ends, and when what is
    /// waited for besides has changed.
    fn carry_on(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<End>> {
        loop {
            let event = ready!(self.poll(cx));
            let has_arrived = matches!(event, Event::Arrived(_));
            let end = self.handle(event);
            if end.is_some() || has_arrived {
                return Poll::Ready(end);
            }
        }
    }

    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.origin)
    }

    fn agent(&self) -> Option<AgentId> {
        self.call.agent(self.place).map(|agent| agent.id)
    }

    /// Goes on to the target at `place`: dials it, or ends where it is no socket, or no time is
    /// left. Before the carrier's socket is there, what is no runtime elsewhere waits for it.
    fn advance(&mut self, place: usize) -> Option<End> {
        self.place = place;
        self.leg = Leg::None;
        let target = self.call.target(place).into_owned();
        if self.is_expecting() {
            if !matches!(target, Target::Runtime(_)) {
                return None;
            }
        } else {
            self.call.note(|state| state.media = MediaState::Connecting);
            self.call.settle(Resume::At(place));
            let has_time = !self.liveness.left(self.now()).is_zero();
            if !has_time || !target.is_media() {
                return Some(End::Next(self.next_document()));
            }
        }
        self.attempt_at = clock::now();
        let Facts { id, tenant, .. } = self.call.facts;
        if place > 0 {
            let source = &self.wiring.sources.transcript;
            self.transcript = Some(Transcript::fetch(source, tenant, id));
        }
        if !self.report.tried.is_empty() {
            self.bridge.comfort(&self.wiring.comfort.frames(self.start.format.media()));
        }
        // One span a target; never zero, since the id's variant bits are set.
        let span = id.0.as_u64_pair().1.wrapping_add(place as u64);
        self.leg = Leg::Dialing(self.wiring.dialer.dial(Dial {
            target,
            agent: self.agent(),
            call: id,
            token: self.token.clone(),
            traceparent: format!("00-{}-{span:016x}-00", id.trace_id()),
        }));
        None
    }

    /// The first target from here on that is no socket: a document that is heard at once.
    fn next_document(&self) -> usize {
        let len = self.call.rungs();
        (self.place..len).find(|&place| !self.call.target(place).is_media()).unwrap_or(len)
    }

    /// Reads one thing, or writes what has come of that, or wakes. What has been read already goes
    /// before writing, so that it leaves in one write.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        loop {
            let is_drained = self.read_in_turn < READ_AT_ONCE_MAX;
            if is_drained && let Poll::Ready(event) = self.poll_read(cx) {
                self.read_in_turn += 1;
                return Poll::Ready(event);
            }
            let may_read = self.may_read_runtime();
            if self.write_to_carrier(cx).is_err() {
                return Poll::Ready(Event::Carrier(Heard::Over));
            }
            if !self.is_deaf {
                // What it said before it stopped listening, a close above all, is still to be read.
                self.is_deaf = self.write_to_runtime(cx).is_err();
            }
            self.read_in_turn = 0;
            // What was not read because something waited to be written is read now.
            if is_drained && (may_read || !self.may_read_runtime()) {
                break;
            }
        }
        let Some(at) = self.liveness.wake_at() else { return Poll::Pending };
        ready!(self.timer.poll(self.origin + at, cx));
        Poll::Ready(Event::Timer)
    }

    fn handle(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Arrived(Some(arrival)) => self.arrive(arrival),
            Event::Arrived(None) => Some(End::NeverCame),
            Event::Over => self.call_off(),
            Event::Wanted(Wanted::Tell) => {
                self.tell_of_machine();
                None
            }
            Event::Wanted(Wanted::Keys) => self.pass_keys(),
            Event::Wanted(_) if self.is_expecting() => self.call_off(),
            Event::Carrier(heard) => self.hear_carrier(heard),
            Event::Dialed(Ok(socket)) => {
                self.leg = Leg::Connected(socket);
                None
            }
            Event::Dialed(Err(error)) => {
                self.tried(error.as_str(), None);
                self.advance(self.place + 1)
            }
            Event::Ready => self.join(),
            Event::Runtime(heard) => self.hear_runtime(heard),
            Event::Timer => self.wake(),
            Event::Wanted(Wanted::HangUp(by)) => Some(End::HungUp(by)),
            Event::Wanted(Wanted::At(place)) => self.move_to(place),
        }
    }

    fn join(&mut self) -> Option<End> {
        let agent = self.call.agent(self.place);
        let is_full = self.call.facts.is_context_full(agent.as_deref());
        let context = self.context.as_ref().map(|context| context.text(is_full));
        let transcript = self.transcript.take().and_then(|transcript| transcript.text());
        let control_url = self.wiring.control_url.as_deref();
        let told = Told { context, transcript, control_url };
        let start = start::start(&self.call, self.place, &self.start, told);
        let Leg::Connected(socket) = std::mem::replace(&mut self.leg, Leg::None) else {
            return None;
        };
        let (call, runtime) = (self.start.format.media(), start.format.media());
        let Some(voice) = Voice::new(socket, call, runtime, &start.stream_sid) else {
            return self.lose("other_format", None, self.now());
        };
        self.leg = Leg::Open(voice);
        self.bridge.join(&start);
        let timeout = agent.and_then(|agent| agent.first_audio_timeout_ms);
        let timeout = timeout.map(|ms| Duration::from_millis(u64::from(ms)));
        self.liveness.opened(self.now(), timeout);
        if !self.is_expecting() {
            self.call.note(|state| state.media = MediaState::Joined);
        }
        None
    }

    fn hear_carrier(&mut self, heard: Heard) -> Option<End> {
        let (Heard::Text, Carrier::Here(socket)) = (heard, &self.carrier) else {
            let is_gone = matches!(heard, Heard::Close(_) | Heard::Over | Heard::Lost(_));
            return is_gone.then_some(End::CarrierGone);
        };
        match self.bridge.from_carrier(socket.text()) {
            FromCarrier::Audio => {
                gather::frame();
                if matches!(self.leg, Leg::Open(_)) {
                    self.to_runtime.relay.read();
                }
                None
            }
            FromCarrier::Other => None,
            FromCarrier::Stop => Some(End::CarrierStopped),
            FromCarrier::Overrun => self.lose("overrun", None, self.now()),
        }
    }

    fn hear_runtime(&mut self, heard: Heard) -> Option<End> {
        let now = self.now();
        self.liveness.alive(now);
        match (heard, &self.leg) {
            (Heard::Text, Leg::Open(socket)) => {
                let what = self.bridge.from_runtime(socket.text());
                if what == FromRuntime::Audio {
                    gather::frame();
                }
                // What is held is neither timed nor heard yet.
                if what == FromRuntime::Audio && !self.is_expecting() {
                    self.to_carrier.relay.read();
                    self.liveness.heard();
                }
                None
            }
            // Without a code (1005) is how some libraries close when they are asked to close and
            // nothing else; what crashes sends no close frame at all.
            (Heard::Close(None | Some(CLOSE_NORMAL)), _) => self.hung_up(),
            (Heard::Close(code), _) => self.lose("closed", code, now),
            (Heard::Over, _) => self.lose("lost", Some(1006), now),
            (Heard::Lost(since), _) => {
                let since = since.saturating_duration_since(self.origin);
                self.lose("stalled", None, since)
            }
            (Heard::Text | Heard::Binary | Heard::Alive, _) => None,
        }
    }

    fn wake(&mut self) -> Option<End> {
        let now = self.now();
        if self.is_blocked {
            self.liveness.excuse(now);
        }
        while let Some(due) = self.liveness.due(now) {
            match due {
                Due::Ping => {
                    // Told by a webhook half a second ago, and not by its socket: a socket that
                    // leads nowhere.
                    if self.is_over {
                        return Some(End::CarrierGone);
                    }
                    self.is_over = !self.is_expecting() && self.call.is_over();
                    self.ping_due = true;
                    if report::count(self.bridge.counts(), &mut self.counted) {
                        self.call.note(|state| state.audible_at = Some(clock::now()));
                    }
                }
                Due::Stalled(since) => return self.lose("stalled", None, since),
                Due::Silent => return self.lose("silent", None, now),
                Due::Spent => {
                    self.tried("too_late", None);
                    self.part();
                    return Some(End::Next(self.next_document()));
                }
            }
        }
        None
    }
}
