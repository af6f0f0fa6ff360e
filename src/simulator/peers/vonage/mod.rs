//! Vonage Voice (nexmo-developer, voice-api/webhook-reference, ncco-reference and
//! guides/websockets; Vonage api-specification, voice.yml).
//!
//! A leg that a document connects tells of itself, and the answer to that takes the document's
//! place: what a step brings along is that leg.

mod answer;
mod rest;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Asking, Dialled, Manners, Peer, Station, StationEvent, StreamTold, fields, form::timestamp,
};
use crate::{
    domain::{Account, AccountOrigin, CallStatus, CarrierId, Direction, Secret},
    simulator::{
        exchange::Inner,
        leg::{Leg, Who},
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// Every simulated application's key: it opens nothing else.
const PRIVATE_KEY: &str = include_str!("test_only_key.pem");

/// Vonage, as its customers meet it.
pub(super) struct Vonage;

impl Peer for Vonage {
    fn account(&self, name: &str) -> (Account, Value) {
        let mut account = Account::named(name.to_owned(), CarrierId::Vonage, AccountOrigin::Api);
        let random = || Uuid::new_v4().simple().to_string();
        account.account_id = random().chars().take(8).collect();
        account.application_id = Uuid::new_v4().to_string();
        let secret = random();
        let told = json!({ "api_key": account.account_id, "signature_secrets": [secret],
            "application_id": account.application_id, "private_key": PRIVATE_KEY });
        account.secrets = vec![Secret::new(secret)];
        account.api.private_key = Some(Secret::new(PRIVATE_KEY.to_owned()));
        (account, told)
    }

    fn call_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn stream_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    /// The answer webhook's defaults. A socket shows what its document gave it.
    fn manners(&self) -> Manners {
        Manners {
            user_agent: "Vonage-Voice/1.0",
            connect_max: Duration::from_secs(1),
            answer_max: Duration::from_secs(5),
            signs_upgrades: false,
        }
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        let brings = serde_json::from_str(&asking.step.brings).unwrap_or(Value::Null);
        if let Some(dialled) = asking.dialled {
            return post(&asking.step.url, &dialled_leg(leg, &brings, dialled));
        }
        if let Some(payload) = brings.get("payload") {
            let event = json!({ "payload": payload, "conversation_uuid": conversation(leg),
                "timestamp": timestamp(clock::now()).to_string() });
            return post(&asking.step.url, &event);
        }
        if !brings.is_null() {
            let mut event = fields(connected_leg(leg, &brings));
            event.insert("status".to_owned(), "disconnected".into());
            return post(&asking.step.url, &Value::Object(event));
        }
        let asks = [
            ("from", digits(&leg.facts.from)),
            ("to", digits(&leg.facts.to)),
            ("uuid", leg.facts.sid.clone()),
            ("conversation_uuid", conversation(leg)),
        ];
        // A number's URL is asked by GET; those of placed calls as their customer said.
        if leg.facts.direction == Direction::Inbound && asking.failed.is_none() {
            return get(&asking.step.url, &asks);
        }
        let mut body: serde_json::Map<String, Value> =
            asks.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        if let Some((problem, url)) = &asking.failed {
            body.insert("reason".to_owned(), problem.what.as_str().into());
            let original = json!({ "url": url, "type": "answer" });
            body.insert("original_request".to_owned(), original);
        }
        post(&asking.step.url, &Value::Object(body))
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        answer::parse(content_type, body)
    }

    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter {
        let status = match event.station {
            Station::Initiated => "started",
            Station::Ringing => "ringing",
            Station::Answered => "answered",
            Station::Completed => word(leg.state().status),
        };
        let mut body = fields(own_leg(leg));
        body.insert("status".to_owned(), status.into());
        if let (Station::Completed, Some(seconds)) = (event.station, event.seconds) {
            body.insert("duration".to_owned(), seconds.to_string().into());
        }
        post(url, &Value::Object(body))
    }

    /// With the call's other name.
    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let mut body = fields(own_leg(leg));
        let uuid = body.remove("uuid").unwrap_or_default();
        body.insert("call_uuid".to_owned(), uuid);
        let status = if who == Who::Machine { "machine" } else { "human" };
        body.insert("status".to_owned(), status.into());
        post(url, &Value::Object(body))
    }

    /// By the leg's own events, which [`Peer::ask`] sends where they are answered.
    fn stream_told(
        &self,
        _leg: &Leg,
        _stream: &Stream,
        _id: &str,
        _what: &StreamTold,
    ) -> Option<Letter> {
        None
    }

    fn wire(&self, _leg: &Leg, stream: &Stream, _id: &str) -> Box<dyn Wire> {
        Box::new(wire::Frames::new(stream))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange)
    }

    /// Errors have no codes.
    fn error(&self, status: u16, _code: Option<u32>, message: &str) -> Response {
        rest::error(status, message)
    }
}

/// What every event of the call's own leg says.
fn own_leg(leg: &Leg) -> Value {
    json!({
        "from": digits(&leg.facts.from),
        "to": digits(&leg.facts.to),
        "uuid": leg.facts.sid,
        "conversation_uuid": conversation(leg),
        "direction": direction(leg),
        "timestamp": timestamp(clock::now()).to_string(),
    })
}

/// The same of a leg that a document connected.
fn connected_leg(leg: &Leg, brings: &Value) -> Value {
    let mut event = fields(own_leg(leg));
    event.insert("uuid".to_owned(), Uuid::new_v4().to_string().into());
    event.insert("direction".to_owned(), "outbound".into());
    for name in ["to", "headers"] {
        if let Some(value) = brings.get(name) {
            event.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(event)
}

fn dialled_leg(leg: &Leg, brings: &Value, dialled: Dialled) -> Value {
    let mut event = fields(connected_leg(leg, brings));
    event.insert("status".to_owned(), word(dialled.outcome).into());
    if let Some(talked) = dialled.talked {
        event.insert("duration".to_owned(), talked.as_secs().to_string().into());
        let began = timestamp(clock::now()).to_string();
        event.insert("start_time".to_owned(), began.into());
    }
    Value::Object(event)
}

fn post(url: &str, body: &Value) -> Letter {
    Letter::post(url, "application/json", body.to_string())
}

fn get(url: &str, query: &[(&str, String)]) -> Letter {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}{query}");
    Letter { method: Method::GET, url, headers: HeaderMap::new(), body: String::new() }
}

/// The legs that hear each other have one.
fn conversation(leg: &Leg) -> String {
    format!("CON-{}", leg.facts.sid)
}

/// Numbers go without their plus.
fn digits(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).to_owned()
}

fn direction(leg: &Leg) -> &'static str {
    match leg.facts.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn word(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Queued | CallStatus::Initiated => "started",
        CallStatus::Ringing => "ringing",
        CallStatus::InProgress => "answered",
        CallStatus::Completed => "completed",
        CallStatus::NoAnswer => "unanswered",
        CallStatus::Busy => "busy",
        CallStatus::Canceled => "cancelled",
        CallStatus::Failed => "failed",
    }
}
