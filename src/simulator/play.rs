//! Plays one call as a carrier would: asks the customer what to do, does it, tells how it went.
//! It never decides anything that the customer decides.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    exchange::{Delivery, Inner, Owned, Person, Pickup, Voice},
    leg::{Ending, Leg, What, Who},
    peers::{Asking, Dialled, Station, StationEvent},
    post::{Letter, Reply},
    talk,
    verb::{Dial, Problem, Step, Verb},
};
use crate::{domain::CallStatus, telemetry::clock};

/// Documents of one call: one that asks itself for ever is broken.
const DOCUMENTS_MAX: u32 = 100;

/// What a call placed through the API is to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// Asked what to do once somebody has answered.
    pub(super) step: Option<Step>,
    /// Asked when that fails.
    pub(super) fallback_url: Option<String>,
    /// What to do, where that was said at once: a media type and a document.
    pub(super) document: Option<(&'static str, String)>,
    /// Who is told of which station.
    pub(super) tells: Vec<(Station, String)>,
    /// How long it may ring.
    pub(super) timeout: Option<Duration>,
    pub(super) detection: Detection,
}

/// Whether it is to be found out who answers.
#[derive(Clone, Debug, Default)]
pub(super) enum Detection {
    #[default]
    Off,
    /// Before the document is asked for.
    First,
    /// Meanwhile; the URL is told.
    Meanwhile(String),
}

/// A call being played.
pub(super) struct Play {
    pub(super) exchange: Arc<Inner>,
    pub(super) leg: Arc<Leg>,
    pub(super) voice: Voice,
    /// Who is told of which station.
    pub(super) tells: Vec<(Station, String)>,
    /// What is to be told at the end, where nothing is told in time.
    told: Vec<(Station, Letter)>,
    sequence: u32,
    /// Where the last document came from: relative URLs are relative to it.
    base: Option<reqwest::Url>,
}

/// What a document leads to.
enum Next {
    Ask(Asking),
    Over,
}

impl Play {
    pub(super) fn new(exchange: Arc<Inner>, leg: Arc<Leg>, voice: Voice) -> Self {
        let (tells, told, sequence) = (Vec::new(), Vec::new(), 0);
        Self { exchange, leg, voice, tells, told, sequence, base: None }
    }

    /// A call to a number of the account.
    pub(super) async fn inbound(mut self, owned: Owned) {
        if !owned.status_callback.is_empty() {
            // A number's own callback is told of the end alone.
            self.tells = vec![(Station::Completed, owned.status_callback)];
        }
        let fallback = Some(owned.voice_fallback_url).filter(|url| !url.is_empty());
        let asking = Asking::of(Step::to(owned.voice_url));
        let document = self.ask_first(asking, fallback).await;
        self.follow(document).await;
        self.finish().await;
    }

    /// Asks the first URL what to do; where that fails, the other.
    async fn ask_first(
        &mut self,
        asking: Asking,
        fallback: Option<String>,
    ) -> Result<Vec<Verb>, Problem> {
        match (self.ask(&asking).await, fallback) {
            (Err(problem), Some(fallback)) => {
                self.leg.note(What::Failed(problem.clone()));
                let url = asking.step.url.clone();
                let step = Step { url: fallback, ..asking.step.clone() };
                self.ask(&Asking { step, failed: Some((problem, url)), ..asking }).await
            }
            (asked, _) => asked,
        }
    }

    /// A call placed through the API.
    pub(super) async fn outbound(mut self, order: Order, person: Person) {
        self.tells = order.tells;
        let Some(who) = self.rings(order.timeout, person).await else { return self.finish().await };
        self.answer();
        self.comes_to(CallStatus::InProgress, Station::Answered).await;
        let answered_by = self.detects(&order.detection, who);
        let document = match (order.step, &order.document) {
            (Some(step), _) => {
                let asking = Asking { answered_by, ..Asking::of(step) };
                self.ask_first(asking, order.fallback_url).await
            }
            (None, Some((content_type, text))) => {
                self.exchange.peer.read(content_type, text.as_bytes())
            }
            (None, None) => Ok(Vec::new()),
        };
        self.follow(document).await;
        self.finish().await;
    }

    /// Lets it ring until somebody answers, if anybody does.
    pub(super) async fn rings(&mut self, timeout: Option<Duration>, person: Person) -> Option<Who> {
        let leg = Arc::clone(&self.leg);
        let pace = self.exchange.pace;
        self.comes_to(CallStatus::Initiated, Station::Initiated).await;
        if leg.unless_over(sleep(pace)).await.is_some() {
            self.comes_to(CallStatus::Ringing, Station::Ringing).await;
        }
        let rings = timeout.map_or(person.rings, |timeout| person.rings.min(timeout));
        let gave_up = timeout.is_some_and(|timeout| timeout < person.rings);
        leg.unless_over(sleep(rings.max(pace))).await?;
        let status = match person.then {
            _ if gave_up => CallStatus::NoAnswer,
            Pickup::Answers(voice) => {
                self.voice = voice;
                return Some(Who::Human);
            }
            Pickup::Machine(voice) => {
                self.voice = voice;
                return Some(Who::Machine);
            }
            Pickup::Nobody => CallStatus::NoAnswer,
            Pickup::Busy => CallStatus::Busy,
            Pickup::Fails => CallStatus::Failed,
        };
        leg.change(|state| state.status = state.status.advanced(status));
        None
    }

    /// Finds out who has answered, if it is to; what is to be told with the first request.
    pub(super) fn detects(&self, detection: &Detection, who: Who) -> Option<Who> {
        match detection {
            Detection::Off => None,
            Detection::First => {
                self.leg.change(|state| state.answered_by = Some(who));
                Some(who)
            }
            Detection::Meanwhile(url) => {
                self.leg.change(|state| state.answered_by = Some(who));
                let (exchange, leg, url) =
                    (Arc::clone(&self.exchange), Arc::clone(&self.leg), url.clone());
                tokio::spawn(async move {
                    sleep(exchange.pace).await;
                    let letter = exchange.peer.detected(&leg, who, &url);
                    tell(&exchange, &leg, "answered_by", letter).await;
                });
                None
            }
        }
    }

    /// Does what the document says, and what follows from it, until the call is over.
    async fn follow(&mut self, first: Result<Vec<Verb>, Problem>) {
        let mut document = first;
        for _ in 0..DOCUMENTS_MAX {
            let verbs = match document {
                Ok(verbs) => verbs,
                Err(problem) => {
                    self.leg.note(What::Failed(problem));
                    return self.leg.end(Ending::Failed);
                }
            };
            match self.perform(verbs).await {
                Next::Ask(asking) => document = self.ask(&asking).await,
                Next::Over => return,
            }
        }
        self.leg.note(What::Failed(Problem::new(0, "the documents lead in a circle")));
        self.leg.end(Ending::Failed);
    }

    async fn perform(&mut self, verbs: Vec<Verb>) -> Next {
        let leg = Arc::clone(&self.leg);
        for (place, verb) in verbs.into_iter().enumerate() {
            if leg.state().ending.is_some() {
                return Next::Over;
            }
            if let Some(step) = leg.instead() {
                return Next::Ask(Asking::of(step));
            }
            if let Verb::Reject { is_busy } = verb {
                let is_first = place == 0 && leg.state().answered.is_none();
                return self.refuse(is_first, is_busy);
            }
            if !matches!(verb, Verb::Pause(_) | Verb::Redirect(_)) {
                self.answer();
            }
            match verb {
                Verb::Say(text) => leg.note(What::Said(text)),
                Verb::Pause(length) => {
                    leg.unless_over(sleep(length)).await;
                }
                Verb::Connect(stream) => talk::play(self, &stream).await,
                Verb::Dial(dial) => {
                    if let Some(asking) = self.dial(dial).await {
                        return Next::Ask(asking);
                    }
                }
                Verb::Redirect(step) => return Next::Ask(Asking::of(step)),
                Verb::Other(name) => leg.note(What::PassedOver(name)),
                Verb::HangUp | Verb::Reject { .. } => break,
            }
        }
        if let Some(step) = leg.instead() {
            return Next::Ask(Asking::of(step));
        }
        leg.end(Ending::Document);
        Next::Over
    }

    fn refuse(&self, is_first: bool, is_busy: bool) -> Next {
        let (what, ending) = match (is_first, is_busy) {
            (false, _) => return self.over(Ending::Document),
            (true, true) => (What::Busy, Ending::Busy),
            (true, false) => (What::Rejected, Ending::Rejected),
        };
        self.leg.note(what);
        self.over(ending)
    }

    fn over(&self, ending: Ending) -> Next {
        self.leg.end(ending);
        Next::Over
    }

    pub(super) fn answer(&self) {
        if self.leg.state().answered.is_none() {
            self.leg.change(|state| {
                state.answered = Some(clock::instant());
                state.status = state.status.advanced(CallStatus::InProgress);
            });
            self.leg.note(What::Answered);
        }
    }

    /// Dials on. What follows is asked for, where the document says whom to ask.
    async fn dial(&mut self, dial: Dial) -> Option<Asking> {
        let dialled = self.reach(&dial.callee).await?;
        if let Some(talked) = dialled.talked {
            self.leg.unless_over(sleep(talked)).await?;
        }
        let step = dial.action?;
        Some(Asking { dialled: Some(dialled), ..Asking::of(step) })
    }

    /// Rings somebody else: how that goes, and how long they will talk. None where the call ends or
    /// goes elsewhere meanwhile.
    pub(super) async fn reach(&self, callee: &str) -> Option<Dialled> {
        let person = self.exchange.person(callee);
        let leg = Arc::clone(&self.leg);
        leg.unless_over(sleep(person.rings.max(self.exchange.pace))).await?;
        let (outcome, talked) = match person.then {
            Pickup::Answers(voice) | Pickup::Machine(voice) => {
                let says = u64::try_from(voice.says.len() / 8).unwrap_or(u64::MAX);
                let stays = voice.stays.unwrap_or(Duration::ZERO);
                (CallStatus::Completed, Some(Duration::from_millis(says) + stays))
            }
            Pickup::Nobody => (CallStatus::NoAnswer, None),
            Pickup::Busy => (CallStatus::Busy, None),
            Pickup::Fails => (CallStatus::Failed, None),
        };
        leg.note(What::Dialled { callee: callee.to_owned(), outcome });
        Some(Dialled { outcome, talked })
    }

    /// Asks the customer what to do.
    async fn ask(&mut self, asking: &Asking) -> Result<Vec<Verb>, Problem> {
        let url = asking.step.url.as_str();
        let absolute = match &self.base {
            Some(base) => base.join(url),
            None => url.parse(),
        };
        let absolute = absolute.map_err(|_| Problem::new(11_100, format!("bad URL {url:?}")))?;
        // The URL is signed as it was given: parsing may write it differently.
        let url = if url.contains("://") { url } else { absolute.as_str() };
        if !self.exchange.post.is_ours(url) {
            self.leg.note(What::HandedOver(url.to_owned()));
            self.leg.end(Ending::HandedOver);
            return Ok(Vec::new());
        }
        let step = Step { url: url.to_owned(), ..asking.step.clone() };
        let letter = self.exchange.peer.ask(&self.leg, &Asking { step, ..asking.clone() });
        let reply = self.asks(letter).await?;
        let document = self.read(&reply);
        if let Ok(verbs) = &document {
            self.leg.note(What::Instructed(verbs.clone()));
        }
        self.base = Some(absolute);
        document
    }

    /// Sends a request for instructions, and keeps the first.
    pub(super) async fn asks(&self, letter: Letter) -> Result<Reply, Problem> {
        let url = letter.url.clone();
        let (sent, reply) = self.exchange.post.send(letter).await?;
        self.leg.note(What::Asked { url, status: reply.status, took: reply.took });
        self.leg.change(|state| {
            state.first.get_or_insert((sent, reply.clone()));
        });
        Ok(reply)
    }

    fn read(&self, reply: &Reply) -> Result<Vec<Verb>, Problem> {
        match reply.status {
            // An empty document ends the call.
            204 => Ok(Vec::new()),
            200..300 => self.exchange.peer.read(&reply.content_type, &reply.body),
            status => Err(Problem::new(11_200, format!("HTTP status {status}"))),
        }
    }

    /// Comes to a station of the call's life, and tells of it.
    pub(super) async fn comes_to(&mut self, status: CallStatus, station: Station) {
        self.leg.change(|state| state.status = state.status.advanced(status));
        self.tell_station(station, None).await;
    }

    async fn tell_station(&mut self, station: Station, seconds: Option<u64>) {
        let urls: Vec<String> = self
            .tells
            .iter()
            .filter(|(wanted, _)| *wanted == station)
            .map(|(_, url)| url.clone())
            .collect();
        for url in urls {
            let event = StationEvent { station, sequence: self.sequence, seconds };
            let letter = self.exchange.peer.station(&self.leg, &event, &url);
            self.sequence += 1;
            let name = station.as_str();
            match self.exchange.delivery {
                Delivery::Backwards => self.told.push((station, letter)),
                Delivery::InOrder => tell(&self.exchange, &self.leg, name, letter).await,
                Delivery::Twice => {
                    tell(&self.exchange, &self.leg, name, letter.clone()).await;
                    tell(&self.exchange, &self.leg, name, letter).await;
                }
            }
        }
    }

    /// The call is over.
    pub(super) async fn finish(mut self) {
        let leg = Arc::clone(&self.leg);
        let now = clock::instant();
        leg.change(|state| {
            let last = match (state.answered, state.ending) {
                (Some(_), _) => CallStatus::Completed,
                (None, Some(Ending::Busy)) => CallStatus::Busy,
                (None, Some(Ending::Rejected)) => CallStatus::NoAnswer,
                (None, Some(Ending::Failed)) => CallStatus::Failed,
                (None, _) => CallStatus::Canceled,
            };
            state.status = state.status.advanced(last);
            state.ending = state.ending.or(Some(Ending::Document));
            state.ended_at = Some(clock::now());
        });
        let state = leg.state();
        let talked = state.answered.map(|answered| now.duration_since(answered).as_secs());
        self.tell_station(Station::Completed, Some(talked.unwrap_or(0))).await;
        for (station, letter) in self.told.into_iter().rev() {
            tell(&self.exchange, &leg, station.as_str(), letter).await;
        }
        leg.note(What::Ended(state.status));
    }
}

/// Tells the customer of an event. Nobody waits for the answer's meaning.
pub(super) async fn tell(exchange: &Inner, leg: &Leg, event: &str, letter: Letter) {
    let status = match exchange.post.send(letter).await {
        Ok((_, reply)) => reply.status,
        Err(_) => 0,
    };
    leg.note(What::Told { event: event.to_owned(), status });
}
