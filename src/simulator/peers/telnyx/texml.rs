//! TeXML (Telnyx docs, texml-fundamentals and callbacks): TwiML with a stream of its own, forms
//! that say less, and the signature of events.

use std::sync::Arc;

use axum::{Router, response::Response};
use serde_json::Value;
use uuid::Uuid;

use super::{MANNERS, rest, wire::Messages};
use crate::{
    domain::{Account, CallStatus, CarrierId, UnixMillis},
    simulator::{
        exchange::Inner,
        leg::{Leg, Who},
        peers::{
            Asking, Manners, Peer, StationEvent, StreamTold,
            form::{Form, timestamp, word},
            twiml,
        },
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// What its `<Stream>` has besides Twilio's.
const STREAM: [&str; 5] = [
    "codec",
    "bidirectionalMode",
    "bidirectionalCodec",
    "bidirectionalSamplingRate",
    "enableReconnect",
];

/// TeXML, as its customers meet it.
pub(in crate::simulator::peers) struct Texml;

impl Peer for Texml {
    fn account(&self, name: &str) -> (Account, Value) {
        super::account(name, CarrierId::TelnyxTexml)
    }

    fn call_id(&self) -> String {
        super::call_id()
    }

    fn stream_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn manners(&self) -> Manners {
        MANNERS
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        let mut form = form(leg);
        for (name, number) in [("CallerId", &leg.facts.from), ("FromSipUri", &leg.facts.from)] {
            form.add(name, number);
        }
        form.add("CallingPartyType", "pstn");
        form.add("ToSipUri", format!("{}@sip.telnyx.com", leg.facts.to));
        form.add("CallStatus", word(leg.state().status));
        if let Some(who) = asking.answered_by {
            form.add("AnsweredBy", verdict(who));
        }
        if let Some((problem, url)) = &asking.failed {
            form.add("ErrorCode", problem.code.to_string());
            form.add("ErrorUrl", url);
        }
        if let Some(dialled) = asking.dialled {
            form.add("DialCallSid", super::call_id());
            form.add("DialCallStatus", word(dialled.outcome));
        }
        Letter::form(&asking.step.url, form.encoded())
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        let verbs = twiml::parse(content_type, body, &STREAM)?;
        for verb in &verbs {
            if let Verb::Connect(stream) = verb {
                check(stream)?;
            }
        }
        Ok(verbs)
    }

    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter {
        let (state, facts) = (leg.state(), &leg.facts);
        let mut form = form(leg);
        form.add("CallInitiatedAt", timestamp(facts.created_at).to_string());
        form.add("CallbackSource", "call-progress-events");
        form.add("CallStatus", word(state.status));
        form.add("SequenceNumber", event.sequence.to_string());
        form.add("Timestamp", timestamp(clock::now()).to_string());
        if let Some(seconds) = event.seconds {
            let answered = state.answered.map(|at| at.duration_since(facts.started).as_millis());
            let answered = answered.and_then(|ms| u64::try_from(ms).ok());
            let answered = answered.map(|ms| UnixMillis(facts.created_at.0 + ms));
            form.add("CallDuration", seconds.to_string());
            form.add("EndTime", timestamp(clock::now()).to_string());
            if let Some(at) = answered {
                form.add("AnsweredTime", timestamp(at).to_string());
            }
            form.add("HangupCause", super::control::cause(state.status).0);
            form.add("HangupSource", "caller");
            form.add("CallControlId", &facts.sid);
            form.add("CallLegId", Uuid::new_v4().to_string());
            form.add("CallSessionId", Uuid::new_v4().to_string());
        } else if state.status == CallStatus::InProgress {
            form.add("Codec", "PCMU");
            form.add("SamplingRate", "8000");
        }
        Letter::form(url, form.encoded())
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let mut form = form(leg);
        form.add("AnsweredBy", verdict(who));
        form.add("MachineDetectionDuration", "2480");
        Letter::form(url, form.encoded())
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let mut form = form(leg);
        form.add("StreamSid", id);
        form.add("StreamName", id);
        form.add("StreamEvent", what.as_str());
        form.add("Timestamp", timestamp(clock::now()).to_string());
        if let StreamTold::Failed(_) = what {
            form.add("StreamError", "connection_failed");
        }
        stream.status_callback.as_ref().map(|url| Letter::form(url, form.encoded()))
    }

    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire> {
        Box::new(Messages::new(leg, stream, id))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange)
    }

    fn error(&self, status: u16, code: Option<u32>, message: &str) -> Response {
        rest::error(status, code.unwrap_or(10_007), message)
    }
}

/// The parameters of every request about a call. Which way it goes, none of them says.
fn form(leg: &Leg) -> Form {
    let facts = &leg.facts;
    Form(vec![
        ("AccountSid", facts.account_sid.clone()),
        ("CallSid", facts.sid.clone()),
        ("CallSidLegacy", facts.sid.clone()),
        ("ConnectionId", facts.application_id.clone()),
        ("From", facts.from.clone()),
        ("To", facts.to.clone()),
    ])
}

const fn verdict(who: Who) -> &'static str {
    match who {
        Who::Human => "human",
        Who::Machine => "machine_end_beep",
    }
}

/// What a stream must say to be heard: its defaults are another mode.
fn check(stream: &Stream) -> Result<(), Problem> {
    let is = |name: &str, value: &str| stream.attribute(name) == Some(value);
    if !is("bidirectionalMode", "rtp") {
        return Err(Problem::schema("Stream: bidirectionalMode is not rtp: only MP3 is heard"));
    }
    if !is("codec", "PCMU") || !is("bidirectionalCodec", "PCMU") {
        return Err(Problem::schema("Stream: only PCMU is simulated"));
    }
    Ok(())
}
