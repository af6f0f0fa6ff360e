//! Plays one call as Twilio would: asks the customer what to do, does it, tells how it went.
//! It never decides anything that a document decides.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    exchange::{Delivery, Inner, Owned, Person, Pickup, Voice},
    form::Form,
    leg::{Ending, Leg, What},
    post::Reply,
    stream,
    twiml::{self, Dial, Problem, Verb},
};
use crate::{domain::CallStatus, telemetry::clock};

/// Documents of one call: one that asks itself for ever is broken.
const DOCUMENTS_MAX: u32 = 100;

/// What a call placed through the API is to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub(super) url: Option<String>,
    pub(super) fallback_url: Option<String>,
    pub(super) twiml: Option<String>,
    pub(super) status_callback: Option<String>,
    pub(super) events: Vec<String>,
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
    /// Who is told of events, and of which.
    status_callback: Option<(String, Vec<String>)>,
    told: Vec<(String, Form)>,
    sequence: u32,
    /// Where the last document came from: relative URLs are relative to it.
    base: Option<reqwest::Url>,
}

/// What a document leads to.
enum Next {
    Ask(String, Vec<(&'static str, String)>),
    Over,
}

impl Play {
    pub(super) fn new(exchange: Arc<Inner>, leg: Arc<Leg>, voice: Voice) -> Self {
        let (told, sequence) = (Vec::new(), 0);
        Self { exchange, leg, voice, status_callback: None, told, sequence, base: None }
    }

    /// A call to a number of the account.
    pub(super) async fn inbound(mut self, owned: Owned) {
        if !owned.status_callback.is_empty() {
            // A number's own callback is told of the end alone.
            self.status_callback = Some((owned.status_callback, vec!["completed".to_owned()]));
        }
        let fallback = Some(owned.voice_fallback_url).filter(|url| !url.is_empty());
        let document = self.ask_first(&owned.voice_url, fallback.as_deref(), Vec::new()).await;
        self.follow(document).await;
        self.finish().await;
    }

    /// Asks the first URL what to do; where that fails, the other.
    async fn ask_first(
        &mut self,
        url: &str,
        fallback: Option<&str>,
        mut extra: Vec<(&'static str, String)>,
    ) -> Result<Vec<Verb>, Problem> {
        match (self.ask(url, extra.clone()).await, fallback) {
            (Err(problem), Some(fallback)) => {
                extra.push(("ErrorCode", problem.code.to_string()));
                extra.push(("ErrorUrl", url.to_owned()));
                self.leg.note(What::Failed(problem));
                self.ask(fallback, extra).await
            }
            (asked, _) => asked,
        }
    }

    /// A call placed through the API.
    pub(super) async fn outbound(mut self, order: Order, person: Person) {
        self.status_callback = order.status_callback.map(|url| (url, order.events));
        let leg = Arc::clone(&self.leg);
        let pace = self.exchange.pace;
        self.moves(CallStatus::Initiated, "initiated").await;
        if leg.unless_over(sleep(pace)).await.is_some() {
            self.moves(CallStatus::Ringing, "ringing").await;
        }
        let rings = order.timeout.map_or(person.rings, |timeout| person.rings.min(timeout));
        let gave_up = order.timeout.is_some_and(|timeout| timeout < person.rings);
        let answered = match leg.unless_over(sleep(rings.max(pace))).await {
            Some(()) if !gave_up => person.then,
            Some(()) => Pickup::Nobody,
            None => return self.finish().await,
        };
        let verdict = match answered {
            Pickup::Answers(voice) => {
                self.voice = voice;
                "human"
            }
            Pickup::Machine(voice) => {
                self.voice = voice;
                "machine_start"
            }
            Pickup::Nobody => return self.unanswered(CallStatus::NoAnswer).await,
            Pickup::Busy => return self.unanswered(CallStatus::Busy).await,
            Pickup::Fails => return self.unanswered(CallStatus::Failed).await,
        };
        self.answer();
        self.moves(CallStatus::InProgress, "answered").await;
        let mut extra = Vec::new();
        match order.detection {
            Detection::Off => {}
            Detection::First => {
                leg.change(|state| state.answered_by = Some(verdict));
                extra.push(("AnsweredBy", verdict.to_owned()));
            }
            Detection::Meanwhile(url) => {
                leg.change(|state| state.answered_by = Some(verdict));
                let (exchange, leg) = (Arc::clone(&self.exchange), Arc::clone(&leg));
                tokio::spawn(async move {
                    sleep(exchange.pace).await;
                    let form = Form::answered_by(&leg.facts, verdict);
                    tell(&exchange, &leg, &url, "answered_by", &form).await;
                });
            }
        }
        let document = match (&order.url, &order.twiml) {
            (Some(url), _) => self.ask_first(url, order.fallback_url.as_deref(), extra).await,
            (None, Some(document)) => twiml::parse("text/xml", document.as_bytes()),
            (None, None) => Ok(Vec::new()),
        };
        self.follow(document).await;
        self.finish().await;
    }

    async fn unanswered(self, status: CallStatus) {
        self.leg.change(|state| state.status = state.status.advanced(status));
        self.finish().await;
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
                Next::Ask(url, extra) => document = self.ask(&url, extra).await,
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
            if let Some(url) = leg.instead() {
                return Next::Ask(url, Vec::new());
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
                Verb::Connect(stream) => stream::play(self, &stream).await,
                Verb::Dial(dial) => {
                    if let Some(next) = self.dial(dial).await {
                        return next;
                    }
                }
                Verb::Redirect(url) => return Next::Ask(url, Vec::new()),
                Verb::Other(name) => leg.note(What::PassedOver(name)),
                Verb::HangUp | Verb::Reject { .. } => break,
            }
        }
        if let Some(url) = leg.instead() {
            return Next::Ask(url, Vec::new());
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

    fn answer(&self) {
        if self.leg.state().answered.is_none() {
            self.leg.change(|state| {
                state.answered = Some(clock::instant());
                state.status = state.status.advanced(CallStatus::InProgress);
            });
            self.leg.note(What::Answered);
        }
    }

    /// Dials on. What follows is asked for, where the document says whom to ask.
    async fn dial(&mut self, dial: Dial) -> Option<Next> {
        let person = self.exchange.person(&dial.callee);
        let leg = Arc::clone(&self.leg);
        leg.unless_over(sleep(person.rings.max(self.exchange.pace))).await?;
        let (outcome, talk) = match person.then {
            Pickup::Answers(voice) | Pickup::Machine(voice) => {
                let says = u64::try_from(voice.says.len() / 8).unwrap_or(u64::MAX);
                let stays = voice.stays.unwrap_or(Duration::ZERO);
                (CallStatus::Completed, Some(Duration::from_millis(says) + stays))
            }
            Pickup::Nobody => (CallStatus::NoAnswer, None),
            Pickup::Busy => (CallStatus::Busy, None),
            Pickup::Fails => (CallStatus::Failed, None),
        };
        leg.note(What::Dialled { callee: dial.callee, outcome });
        if let Some(talk) = talk {
            leg.unless_over(sleep(talk)).await?;
        }
        let action = dial.action?;
        let mut extra = vec![
            ("DialCallSid", super::exchange::sid("CA")),
            ("DialCallStatus", super::form::word(outcome)),
            ("DialBridged", talk.is_some().to_string()),
        ];
        extra.extend(talk.map(|talk| ("DialCallDuration", talk.as_secs().to_string())));
        Some(Next::Ask(action, extra))
    }

    /// Asks the customer what to do.
    async fn ask(
        &mut self,
        url: &str,
        extra: Vec<(&'static str, String)>,
    ) -> Result<Vec<Verb>, Problem> {
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
        let mut form = Form::of(&self.leg.facts, self.leg.state().status);
        extra.into_iter().for_each(|(name, value)| form.add(name, value));
        let (sent, reply) = self.exchange.post.form(url, &form).await?;
        let (status, took) = (reply.status, reply.took);
        self.leg.note(What::Asked { url: url.to_owned(), status, took });
        let document = read(&reply);
        self.leg.change(|state| {
            state.first.get_or_insert((sent, reply));
        });
        if let Ok(verbs) = &document {
            self.leg.note(What::Instructed(verbs.clone()));
        }
        self.base = Some(absolute);
        document
    }

    /// Comes to a station of an outbound call's life, and tells of it.
    async fn moves(&mut self, status: CallStatus, event: &str) {
        self.leg.change(|state| state.status = state.status.advanced(status));
        self.tell_event(event, None).await;
    }

    async fn tell_event(&mut self, event: &str, seconds: Option<u64>) {
        let Some((url, events)) = &self.status_callback else { return };
        if !events.iter().any(|wanted| wanted == event) {
            return;
        }
        let status = self.leg.state().status;
        let form = Form::of(&self.leg.facts, status).event(self.sequence, clock::now());
        let form = match seconds {
            Some(seconds) => form.last(status, seconds),
            None => form,
        };
        self.sequence += 1;
        match self.exchange.delivery {
            Delivery::Backwards => self.told.push((event.to_owned(), form)),
            Delivery::InOrder => tell(&self.exchange, &self.leg, url, event, &form).await,
            Delivery::Twice => {
                tell(&self.exchange, &self.leg, url, event, &form).await;
                tell(&self.exchange, &self.leg, url, event, &form).await;
            }
        }
    }

    /// The call is over.
    async fn finish(mut self) {
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
        self.tell_event("completed", Some(talked.unwrap_or(0))).await;
        if let Some((url, _)) = &self.status_callback {
            for (event, form) in self.told.iter().rev() {
                tell(&self.exchange, &leg, url, event, form).await;
            }
        }
        leg.note(What::Ended(state.status));
    }
}

/// Tells the customer of an event. Nobody waits for the answer's meaning.
pub(super) async fn tell(exchange: &Inner, leg: &Leg, url: &str, event: &str, form: &Form) {
    let status = match exchange.post.form(url, form).await {
        Ok((_, reply)) => reply.status,
        Err(_) => 0,
    };
    leg.note(What::Told { event: event.to_owned(), status });
}

fn read(reply: &Reply) -> Result<Vec<Verb>, Problem> {
    match reply.status {
        // An empty document ends the call.
        204 => Ok(Vec::new()),
        200..300 => twiml::parse(&reply.content_type, &reply.body),
        status => Err(Problem::new(11_200, format!("HTTP status {status}"))),
    }
}
