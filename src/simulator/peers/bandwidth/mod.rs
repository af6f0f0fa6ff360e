//! Bandwidth Programmable Voice (Bandwidth docs, voice/webhooks, voice/bxml, apis/voice).

mod answer;
mod rest;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Asking, Manners, Peer, StationEvent, StreamTold, fields, form::timestamp};
use crate::{
    domain::{
        Account, AccountOrigin, ApiKey, CallStatus, CarrierId, Direction, Secret, UnixMillis,
    },
    simulator::{
        exchange::Inner,
        leg::{Leg, Who},
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// Bandwidth, as its customers meet it.
pub(super) struct Bandwidth;

impl Peer for Bandwidth {
    fn account(&self, name: &str) -> (Account, Value) {
        let mut account = Account::named(name.to_owned(), CarrierId::Bandwidth, AccountOrigin::Api);
        let random = || Uuid::new_v4().simple().to_string();
        let digits = Uuid::new_v4().as_u128() % 100_000;
        account.account_id = format!("99{digits:05}");
        account.application_id = Uuid::new_v4().to_string();
        let (password, client_id, client_secret) = (random(), random(), random());
        let told = json!({ "account_id": account.account_id,
            "application_id": account.application_id, "webhook_user": name,
            "webhook_password": password, "client_id": client_id,
            "client_secret": client_secret });
        account.secrets = vec![Secret::new(format!("{name}:{password}"))];
        account.api.client = Some(ApiKey { id: client_id, secret: Secret::new(client_secret) });
        (account, told)
    }

    fn call_id(&self) -> String {
        id('c')
    }

    fn stream_id(&self) -> String {
        id('s')
    }

    /// Bandwidth docs, voice/webhooks: a callback may take 15 s.
    fn manners(&self) -> Manners {
        Manners {
            user_agent: "BandwidthAPI/v2",
            connect_max: Duration::from_secs(5),
            answer_max: Duration::from_secs(15),
            // The document says what is shown.
            signs_upgrades: false,
        }
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        let is_first = leg.state().first.is_none();
        let (kind, mut more) = match (asking.dialled, is_first, leg.facts.direction) {
            (Some(dialled), ..) => {
                let cause = cause(dialled.outcome);
                ("transferComplete", json!({ "cause": cause, "transferTo": leg.facts.to }))
            }
            (None, true, Direction::Inbound) => ("initiate", came(leg)),
            (None, true, Direction::Outbound) => ("answer", json!({})),
            (None, false, _) => ("redirect", json!({})),
        };
        if let (Some(who), Some(more)) = (asking.answered_by, more.as_object_mut()) {
            more.insert("machineDetectionResult".to_owned(), detected(who));
        }
        event(leg, kind, more, &asking.step.url)
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        answer::parse(content_type, body)
    }

    /// Nothing but the end is told.
    fn station(&self, leg: &Leg, _event: &StationEvent, url: &str) -> Letter {
        let ended = time(clock::now());
        let more = json!({ "cause": cause(leg.state().status), "endTime": ended });
        event(leg, "disconnect", more, url)
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let more = json!({ "machineDetectionResult": detected(who) });
        event(leg, "machineDetectionComplete", more, url)
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let url = stream.status_callback.as_ref()?;
        let shown = json!({ "id": id, "name": stream.attribute("name"), "tracks": ["inbound"],
            "destination": stream.url, "startTime": time(clock::now()), "type": "WebSocket" });
        let (kind, more) = match what {
            StreamTold::Started => ("mediaStreamStarted", json!({})),
            StreamTold::Stopped => ("mediaStreamStopped", json!({ "cause": "closed" })),
            StreamTold::Failed(problem) => (
                "mediaStreamRejected",
                json!({ "cause": "connection-error", "errorMessage": problem.what }),
            ),
        };
        let mut more = fields(more);
        more.insert("mediaStream".to_owned(), shown);
        Some(event(leg, kind, Value::Object(more), url))
    }

    fn waits_for_rejected_streams(&self) -> bool {
        true
    }

    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire> {
        Box::new(wire::Messages::new(leg, stream, id))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange)
    }

    /// Errors have no codes.
    fn error(&self, status: u16, _code: Option<u32>, message: &str) -> Response {
        rest::error(status, message)
    }
}

/// `c-` or `s-`, eight digits and a UUID.
fn id(kind: char) -> String {
    let digits = Uuid::new_v4().as_fields().0;
    format!("{kind}-{digits:08x}-{}", Uuid::new_v4())
}

/// An event about a call, with what every event has.
fn event(leg: &Leg, kind: &str, more: Value, url: &str) -> Letter {
    let facts = &leg.facts;
    let mut body = common(leg);
    body.insert("eventType".to_owned(), kind.into());
    body.insert("eventTime".to_owned(), time(clock::now()).into());
    let call = format!(
        "https://voice.bandwidth.com/api/v2/accounts/{}/calls/{}",
        facts.account_sid, facts.sid
    );
    body.insert("callUrl".to_owned(), call.into());
    body.extend(fields(more));
    Letter::post(url, "application/json", Value::Object(body).to_string())
}

/// What events and the API tell of a call alike.
fn common(leg: &Leg) -> Map<String, Value> {
    let facts = &leg.facts;
    let mut body = fields(json!({
        "accountId": facts.account_sid,
        "applicationId": facts.application_id,
        "callId": facts.sid,
        "from": facts.from,
        "to": facts.to,
        "direction": match facts.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        },
        "startTime": time(facts.created_at),
    }));
    if let Some(answered) = answered_at(leg) {
        body.insert("answerTime".to_owned(), time(answered).into());
    }
    body
}

fn answered_at(leg: &Leg) -> Option<UnixMillis> {
    let after = leg.state().answered?.duration_since(leg.facts.started);
    let after = u64::try_from(after.as_millis()).ok()?;
    Some(UnixMillis(leg.facts.created_at.0 + after))
}

/// What is told of a call that comes in, beside the rest.
fn came(leg: &Leg) -> Value {
    let mut more = Map::new();
    // Told in the network's words, `TN-Validation-Passed-A`.
    if let Some(word) = &leg.facts.stir_verstat {
        let level = word.strip_prefix("TN-Validation-Passed-");
        let verstat = match level {
            Some(_) => "TN-Verification-Passed",
            None => "TN-Verification-Failed",
        };
        let signed = json!({ "verstat": verstat, "attestationIndicator": level,
            "originatingId": Uuid::new_v4() });
        more.insert("stirShaken".to_owned(), signed);
    }
    if let Some(forwarded) = &leg.facts.forwarded_from {
        let diversion = json!({ "origTo": forwarded, "reason": "no-answer", "privacy": "off" });
        more.insert("diversion".to_owned(), diversion);
    }
    Value::Object(more)
}

fn detected(who: Who) -> Value {
    let value = match who {
        Who::Human => "human",
        Who::Machine => "answering-machine",
    };
    json!({ "value": value, "duration": "PT2.2S" })
}

/// Why a call, or a part of it, ended.
const fn cause(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Completed => "hangup",
        CallStatus::Busy => "busy",
        CallStatus::NoAnswer => "timeout",
        CallStatus::Canceled => "cancel",
        CallStatus::Failed => "error",
        CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => "unknown",
    }
}

/// ISO 8601, in UTC.
fn time(at: UnixMillis) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests;
