//! What a call is answered: the decision, and then rung by rung down its ladder.

use std::{cell::RefCell, fmt::Write, sync::Arc};

use bytes::Bytes;
use uuid::Uuid;

use super::{Edge, step, token, way};
use crate::{
    calls::{Event as CallEvent, Facts, LiveCall, Resume},
    carriers::{self, Answer, DialOutcome, Leg, Order, Otherwise, Reply, Told, VoiceRequest},
    domain::{
        Account, CallEnd, CallId, CallStatus, Decision, RouteReason, Rung, Target, TargetTried,
        Tenant, UnixMillis, Verdict,
    },
    routing,
    telemetry::{
        clock,
        metrics::{self, CommandFate},
        redact,
    },
};

/// What a URL of ours has besides its base and account: an endpoint, an id and a place; or a
/// ticket.
const URL_REST_LEN: usize = 128;

/// What a carrier has been answered.
#[derive(Clone, Debug)]
pub(super) enum Answered {
    /// A document, of this media type.
    Document(&'static str, Bytes),
    /// Nothing; a request to its API is under way.
    Ordered,
}

thread_local! {
    /// Where answers are written, each into the room that the last one took.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A carrier asking for instructions.
pub(super) struct Asked<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) carrier_call_id: &'a str,
    /// The carrier's id for the event, where it has one.
    pub(super) event_id: Option<&'a str>,
    pub(super) voice: &'a VoiceRequest,
    pub(super) now: UnixMillis,
}

impl Asked<'_> {
    /// Whether the carrier does not ask, but tells what has happened and is answered by requests.
    pub(super) fn tells(&self) -> bool {
        carriers::room(self.account.carrier).is_told_by_requests()
    }
}

/// The same, kept for what may follow.
struct OwnedAsked {
    account: Arc<Account>,
    carrier_call_id: String,
    event_id: String,
    voice: VoiceRequest,
}

impl Edge {
    /// Decides, enters the call among the living, and answers its first rung.
    pub(super) fn decide(self: &Arc<Self>, asked: &Asked<'_>, id: CallId) -> Answered {
        let call = asked.voice.call;
        let view = self.index.view();
        let started = clock::instant();
        let decision = routing::decide(&view, &call, asked.now);
        metrics::decision(decision.reason, started.elapsed());
        let Some(tenant) = decision.tenant else {
            tracing::info!(
                account = asked.account.name,
                dnis = redact::masked(call.dnis),
                "a call for a number that nobody here owns"
            );
            return self.write(asked, &refusal(decision.reason));
        };
        let ladder = match decision.verdict {
            Verdict::Route => routing::ladder(&view, decision.agent, decision.targets),
            Verdict::Reject => Vec::new(),
        };
        let facts = facts(asked, id, &decision, tenant, ladder);
        let (verdict, reason) = (decision.verdict, decision.reason);
        drop(view);
        match verdict {
            Verdict::Reject => {
                self.live.refuse(facts, reason.as_str(), asked.now);
                self.write(asked, &refusal(reason))
            }
            Verdict::Route => {
                let status = match asked.voice.is_answered {
                    true => CallStatus::InProgress,
                    false => CallStatus::Ringing,
                };
                let live = self.live.open(facts, status, asked.now);
                self.rung(asked, &live, 0)
            }
        }
    }

    /// Answers what follows when a rung has ended.
    pub(super) fn resume(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        id: CallId,
        target: &str,
        attempt: usize,
    ) -> Answered {
        let talked = asked.voice.dial == Some(DialOutcome::Answered);
        let Some(live) = self.live.by_carrier(asked.account.id, asked.carrier_call_id) else {
            // Its process is gone. Who talked is done; anybody else is decided once more.
            if talked {
                return self.hang_up(asked);
            }
            let call = step::parties(target, asked.voice.call);
            let voice = VoiceRequest { call, ..*asked.voice };
            return self.decide(&Asked { voice: &voice, ..*asked }, id);
        };
        live.note(|state| state.dialled = None);
        self.live.apply(&live, CallEvent::Asked, asked.now);
        self.media.prewarms().pass(live.facts.id, attempt);
        if let Some(dial) = asked.voice.dial {
            let outcome = match dial {
                DialOutcome::Answered => "answered",
                DialOutcome::Unanswered(status) => status.as_str(),
            };
            self.tried(&live, attempt.saturating_sub(1), outcome, asked.now);
        }
        if let Some(detour) = live.take_detour() {
            // Taken out of a dial, or of nothing: no task carries its media.
            if asked.voice.dial.is_none() {
                self.tried(&live, detour.from, "moved", asked.now);
            }
            return self.rung(asked, &live, detour.to);
        }
        if talked {
            self.live.apply(&live, CallEvent::Ending(CallEnd::Caller), asked.now);
            return self.hang_up(asked);
        }
        match live.resume() {
            Resume::HangUp => {
                let by = live.state().hang_up.unwrap_or(CallEnd::Agent);
                self.live.apply(&live, CallEvent::Ending(by), asked.now);
                self.hang_up(asked)
            }
            // The carrier may know better: a socket it could not open counts as tried.
            Resume::At(place) => self.rung(asked, &live, place.max(attempt)),
        }
    }

    /// Answers the rung at `place`: past the ladder's end the last resort, past that good-bye.
    pub(super) fn rung(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        live: &Arc<LiveCall>,
        place: usize,
    ) -> Answered {
        if place > live.rungs() {
            self.live.apply(live, CallEvent::Ending(CallEnd::LastTarget), asked.now);
            return self.hang_up(asked);
        }
        live.note(|state| state.resume = Resume::At(place));
        let target = &*live.target(place);
        let room = carriers::room(asked.account.carrier);
        if !room.can(target) {
            // Saved where it could be done, or behind an agent: the next target's turn.
            self.tried(live, place, "unsupported", asked.now);
            return self.rung(asked, live, place + 1);
        }
        // Nothing follows what is said but the call's end.
        let is_last = matches!(target, Target::Say(_));
        let resume_url = self.step(asked, live, if is_last { live.rungs() } else { place } + 1);
        let (answer, outcome) = match target {
            Target::Runtime(_) | Target::Builtin(_) => {
                return self.media(asked, live, place, &resume_url);
            }
            Target::Tel(number) => {
                let (number, resume_url) = (*number, resume_url.as_str());
                let answer = Answer::DialNumber { number, resume_url };
                return self.write_rung(asked, &answer, live, place);
            }
            Target::Sip(address) => {
                let resume_url = resume_url.as_str();
                let answer = Answer::DialSip { address, resume_url };
                return self.write_rung(asked, &answer, live, place);
            }
            // The ladder expands agents; one that is left leads nowhere.
            Target::Agent(_) => return self.rung(asked, live, place + 1),
            Target::Redirect(url) => (Answer::Redirect { url }, "redirected"),
            Target::Say(text) => (Answer::Say { text, resume_url: &resume_url }, "spoken"),
            Target::Busy => (Answer::Busy, "refused"),
            Target::Reject => (Answer::Reject, "refused"),
        };
        let is_answered = asked.voice.is_answered;
        if !is_answered && room.picks_up_first(&answer) {
            let resume_url = &self.step(asked, live, place);
            return self.write_rung(asked, &Answer::PickUp { resume_url }, live, place);
        }
        self.tried(live, place, outcome, asked.now);
        self.live.apply(live, CallEvent::Ending(CallEnd::LastTarget), asked.now);
        self.write_rung(asked, &answer, live, place)
    }

    /// Where a carrier asks for the rung at `place`.
    fn step(&self, asked: &Asked<'_>, live: &LiveCall, place: usize) -> String {
        let mut url = self.url(asked, "/resume?call=", live.facts.id);
        // Nothing can go wrong with writing to a text.
        let _infallible = write!(url, "&attempt={place}");
        if asked.tells() {
            // Later events say nothing of the call but this: a process that has been started since
            // has to decide by it.
            step::write_parties(&mut url, &live.facts.call);
        }
        url
    }

    /// A URL of ours for what follows in a call.
    fn url(&self, asked: &Asked<'_>, endpoint: &str, id: CallId) -> String {
        let (base, account) = (&self.settings.public_url, &asked.account.name);
        let mut buffer = Uuid::encode_buffer();
        let id = &*id.0.hyphenated().encode_lower(&mut buffer);
        let mut url = String::with_capacity(base.len() + account.len() + URL_REST_LEN);
        url.extend([base, "/carriers/", account, endpoint, id]);
        url
    }

    fn media(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        live: &Arc<LiveCall>,
        place: usize,
        resume_url: &str,
    ) -> Answered {
        let id = live.facts.id;
        let agent = live.agent(place);
        let mut url = String::with_capacity(self.settings.media_url.len() + URL_REST_LEN);
        url.extend([self.settings.media_url.as_str(), "/media/"]);
        let view = self.index.view();
        let Some(key) = view.media_keys().first() else {
            tracing::error!("no media key: the log has not been followed yet");
            return self.write(asked, &Answer::HangUp);
        };
        let (agent, spoken) = (agent.map(|agent| agent.id), way::spoken(live, place));
        let claims = token::Claims::new((id, asked.account.id), agent, (place, spoken), asked.now);
        token::write_into(&mut url, key, &claims);
        self.media.prewarm(live, place);
        let status_url = self.url(asked, "/status?call=", id);
        let room = carriers::room(asked.account.carrier);
        let answer = Answer::Media {
            url: &url,
            status_url: &status_url,
            resume_url,
            format: room.media_format(spoken.format()),
            parameters: &[],
        };
        self.write_rung(asked, &answer, live, place)
    }

    pub(super) fn tried(
        &self,
        live: &LiveCall,
        place: usize,
        outcome: &'static str,
        now: UnixMillis,
    ) {
        let target = live.target(place);
        metrics::target(target.kind(), outcome);
        let tried = TargetTried {
            attempt: u32::try_from(place).unwrap_or(u32::MAX),
            agent: live.agent(place).map(|agent| agent.id),
            target: target.to_string(),
            at: now,
            outcome: outcome.to_owned(),
            close_code: None,
        };
        self.live.apply(live, CallEvent::Tried(tried), now);
    }

    /// Ends the call.
    pub(super) fn hang_up(&self, asked: &Asked<'_>) -> Answered {
        self.write(asked, &Answer::HangUp)
    }

    /// Writes the answer of the rung at `place`: where a carrier that is asked by a request refuses
    /// it, the next one's turn comes.
    fn write_rung(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        answer: &Answer<'_>,
        live: &Arc<LiveCall>,
        place: usize,
    ) -> Answered {
        self.write_with(asked, answer, |asked| {
            let (edge, live) = (Arc::clone(self), Arc::clone(live));
            Some(Otherwise(Box::new(move || edge.go_past(&asked, &live, place))))
        })
    }

    /// What was answered at `place` is not done. Nothing is due where the call has gone on since.
    fn go_past(self: &Arc<Self>, asked: &OwnedAsked, live: &Arc<LiveCall>, place: usize) {
        let now = clock::now();
        let is_there = live.resume() == Resume::At(place);
        if live.is_over() || live.is_elsewhere() || live.has_socket() || !is_there {
            return;
        }
        self.tried(live, place, "carrier_refused", now);
        self.media.prewarms().pass(live.facts.id, place + 1);
        // Another request, though it may ask for the same.
        let event_id = format!("{} past {place}", asked.event_id);
        let OwnedAsked { account, carrier_call_id, voice, .. } = asked;
        let event_id = Some(event_id.as_str());
        let asked = Asked { account, carrier_call_id, event_id, voice, now };
        drop(self.rung(&asked, live, place + 1));
    }

    fn write(&self, asked: &Asked<'_>, answer: &Answer<'_>) -> Answered {
        self.write_with(asked, answer, |_| None)
    }

    fn write_with(
        &self,
        asked: &Asked<'_>,
        answer: &Answer<'_>,
        otherwise: impl FnOnce(OwnedAsked) -> Option<Otherwise>,
    ) -> Answered {
        // Once somebody has answered, a call cannot be refused any more.
        let is_refusal = matches!(answer, Answer::Busy | Answer::Reject);
        let answer = if is_refusal && asked.voice.is_answered { &Answer::HangUp } else { answer };
        let Asked { account, carrier_call_id, event_id, voice, now: _ } = *asked;
        let VoiceRequest { call, direction, is_answered, .. } = *voice;
        let leg = Leg { account, carrier_call_id, event_id, direction, is_answered, call };
        let room = carriers::room(account.carrier);
        let (reply, written) =
            WRITTEN.with_borrow_mut(|out| match room.answer(answer, &leg, out) {
                document @ Reply::Document(_) => (document, Bytes::copy_from_slice(out)),
                request @ Reply::Request(_) => (request, Bytes::new()),
            });
        match reply {
            Reply::Document(content_type) => Answered::Document(content_type, written),
            Reply::Request(request) => {
                let (account, carrier_call_id) = (Arc::clone(account), carrier_call_id.to_owned());
                let otherwise = otherwise(OwnedAsked {
                    account: Arc::clone(&account),
                    carrier_call_id: carrier_call_id.clone(),
                    event_id: event_id.unwrap_or_default().to_owned(),
                    voice: *voice,
                });
                let told = Told::Answer { request, otherwise };
                self.order(Order { account, carrier_call_id, told });
                Answered::Ordered
            }
        }
    }

    /// Has a carrier told something by its API.
    pub(super) fn order(&self, order: Order) {
        let (carrier, account) = (order.account.carrier, Arc::clone(&order.account));
        if self.orders.try_send(order).is_err() {
            // So many are under way that the carrier's API must be gone: its own time limit ends
            // the call.
            metrics::dispatched(carrier, CommandFate::Refused);
            tracing::error!(
                account = account.name,
                "a call is not answered or ended: too many wait"
            );
        }
    }
}

/// What the caller of a rejected call gets.
const fn refusal(reason: RouteReason) -> Answer<'static> {
    match reason {
        RouteReason::NoInboundAgent => Answer::Busy,
        RouteReason::UnknownNumber
        | RouteReason::Blocked
        | RouteReason::Attestation
        | RouteReason::Callback
        | RouteReason::Passthrough
        | RouteReason::Default
        | RouteReason::Fallback
        | RouteReason::NoTarget => Answer::Reject,
    }
}

fn facts(
    asked: &Asked<'_>,
    id: CallId,
    decision: &Decision<'_>,
    tenant: &Tenant,
    ladder: Vec<Rung>,
) -> Facts {
    Facts {
        id,
        tenant: tenant.id,
        account: asked.account.id,
        carrier_call_id: asked.carrier_call_id.to_owned(),
        direction: asked.voice.direction,
        call: asked.voice.call,
        number: decision.number.map(|number| number.id),
        agent: decision.agent.cloned(),
        reason: Some(decision.reason),
        unmatched: decision.unmatched,
        touch: decision.touch,
        ladder,
        last_resort: tenant.settings.last_resort.clone(),
        context_min_attestation: tenant.settings.context_min_attestation,
        trace: Vec::new(),
        errand: None,
        created_at: asked.now,
    }
}
