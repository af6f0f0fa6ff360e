//! Call Control (Telnyx docs, voice-api-webhooks and sending-commands-for-programmable-voice): a
//! call tells of its events, and does what the API is asked to do with it, one thing after another.

use std::sync::Arc;

use axum::{Router, response::Response};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};
use uuid::Uuid;

use super::{MANNERS, rest, wire::Messages};
use crate::{
    domain::{Account, CallStatus, CarrierId, Direction},
    simulator::{
        exchange::{Inner, Owned, Person},
        leg::{Ending, Leg, State, What, Who},
        peers::{
            Asking, Manners, Peer, Station, StationEvent, StreamTold, fields, form::timestamp,
        },
        play::{Order, Play, tell},
        post::Letter,
        talk::{self, Wire},
        verb::{Problem, Step, Stream, Verb},
    },
    telemetry::clock,
};

/// How long a caller listens to ringing that nobody ends.
const RINGS_MAX: Duration = Duration::from_secs(60);

/// Call Control, as its customers meet it.
pub(in crate::simulator::peers) struct CallControl;

impl Peer for CallControl {
    fn account(&self, name: &str) -> (Account, Value) {
        super::account(name, CarrierId::Telnyx)
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

    /// An incoming call is the one event that instructions are expected for at once.
    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        event(leg, "call.initiated", &asking.step.url, initiated(leg))
    }

    /// What an event is answered with says nothing.
    fn read(&self, _content_type: &str, _body: &[u8]) -> Result<Vec<Verb>, Problem> {
        Ok(Vec::new())
    }

    fn station(&self, leg: &Leg, told: &StationEvent, url: &str) -> Letter {
        if told.station != Station::Completed {
            return event(leg, "call.initiated", url, initiated(leg));
        }
        let state = leg.state();
        let (cause, code) = cause(state.status);
        let source = match state.ending {
            Some(Ending::Person) => "caller",
            Some(_) | None => "callee",
        };
        let rest = json!({ "state": "hangup", "hangup_cause": cause, "hangup_source": source,
            "sip_hangup_cause": code, "from": leg.facts.from, "to": leg.facts.to });
        event(leg, "call.hangup", url, rest)
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let result = match who {
            Who::Human => "human",
            Who::Machine => "machine",
        };
        let rest = json!({ "result": result, "from": leg.facts.from, "to": leg.facts.to });
        event(leg, "call.machine.detection.ended", url, rest)
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let (name, rest) = match what {
            StreamTold::Started => ("streaming.started", json!({ "stream_url": stream.url })),
            StreamTold::Stopped => ("streaming.stopped", json!({ "stream_url": stream.url })),
            StreamTold::Failed(_) => {
                let rest = json!({ "failure_reason": "connection_failed", "stream_id": id,
                    "stream_type": "websocket",
                    "stream_params": { "stream_url": stream.url, "track": "inbound_track" } });
                ("streaming.failed", rest)
            }
        };
        stream.status_callback.as_ref().map(|url| event(leg, name, url, rest))
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

    fn inbound(&self, play: Play, owned: Owned) -> BoxFuture<'static, ()> {
        Box::pin(inbound(play, owned.voice_url))
    }

    fn outbound(&self, play: Play, order: Order, person: Person) -> BoxFuture<'static, ()> {
        Box::pin(outbound(play, order, person))
    }
}

/// An event about a leg.
fn event(leg: &Leg, name: &str, url: &str, rest: Value) -> Letter {
    let facts = &leg.facts;
    let now = timestamp(clock::now()).to_string();
    let mut payload = fields(rest);
    for (name, value) in [
        ("call_control_id", facts.sid.as_str().into()),
        (
            "call_leg_id",
            Uuid::new_v5(&Uuid::NAMESPACE_OID, facts.sid.as_bytes()).to_string().into(),
        ),
        ("call_session_id", Uuid::new_v4().to_string().into()),
        ("client_state", leg.state().orders.brings.into()),
        ("connection_id", facts.application_id.as_str().into()),
        ("start_time", timestamp(facts.created_at).to_string().into()),
    ] {
        payload.insert(name.to_owned(), value);
    }
    let body = json!({
        "data": { "event_type": name, "id": Uuid::new_v4(), "occurred_at": now,
            "payload": payload, "record_type": "event" },
        "meta": { "attempt": 1, "delivered_to": url },
    });
    Letter::post(url, "application/json", body.to_string())
}

fn initiated(leg: &Leg) -> Value {
    let facts = &leg.facts;
    let (direction, state) = match facts.direction {
        Direction::Inbound => ("incoming", "parked"),
        Direction::Outbound => ("outgoing", "bridging"),
    };
    let diversion = facts.forwarded_from.as_ref().map(
        |number| json!([{ "name": "Diversion", "value": format!("<sip:{number}@192.0.2.9>") }]),
    );
    json!({ "direction": direction, "state": state, "from": facts.from, "to": facts.to,
        "connection_codecs": "PCMU,PCMA", "sip_headers": diversion })
}

/// How a leg ended: Telnyx's cause, and SIP's code.
pub(super) const fn cause(status: CallStatus) -> (&'static str, &'static str) {
    match status {
        CallStatus::Canceled => ("originator_cancel", "487"),
        CallStatus::NoAnswer => ("timeout", "487"),
        CallStatus::Busy => ("user_busy", "486"),
        CallStatus::Failed => ("not_found", "404"),
        CallStatus::Completed
        | CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => ("normal_clearing", "200"),
    }
}

/// A call comes in, and rings until something is asked for.
async fn inbound(mut play: Play, url: String) {
    let letter = CallControl.ask(&play.leg, &Asking::of(Step::to(&url)));
    match play.asks(letter).await {
        Ok(reply) if (200..300).contains(&reply.status) => {
            play.tells = vec![(Station::Completed, url.clone())];
            obey(&play, &url).await;
        }
        // Not asked again, and nobody will tell what to do with it.
        Ok(reply) => {
            let problem = Problem::new(11_200, format!("HTTP status {}", reply.status));
            play.leg.note(What::Failed(problem));
            play.leg.end(Ending::Failed);
        }
        Err(problem) => {
            play.leg.note(What::Failed(problem));
            play.leg.end(Ending::Failed);
        }
    }
    play.finish().await;
}

/// A call is placed, and rings until somebody answers.
async fn outbound(mut play: Play, order: Order, person: Person) {
    let url = order.step.map(|step| step.url).unwrap_or_default();
    let stations = [Station::Initiated, Station::Completed];
    play.tells = stations.into_iter().map(|station| (station, url.clone())).collect();
    let Some(who) = play.rings(order.timeout, person).await else { return play.finish().await };
    pick_up(&play, &url).await;
    play.detects(&order.detection, who);
    obey(&play, &url).await;
    play.finish().await;
}

/// Somebody answers.
async fn pick_up(play: &Play, url: &str) {
    if play.leg.state().answered.is_some() {
        return;
    }
    play.answer();
    let facts = &play.leg.facts;
    let rest = json!({ "state": "answered", "from": facts.from, "to": facts.to });
    tell(&play.exchange, &play.leg, "answered", event(&play.leg, "call.answered", url, rest)).await;
}

/// Does what is asked for until the call is over. A stream goes on beside other things, until it
/// is stopped or another takes its place.
async fn obey(play: &Play, url: &str) {
    let leg = &play.leg;
    let mut stream: Option<BoxFuture<'_, ()>> = None;
    loop {
        let streaming = async {
            match stream.as_mut() {
                Some(stream) => stream.await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            biased;
            () = streaming => {
                stream = None;
                leg.change(|state| {
                    state.orders.is_streaming = false;
                    // What it was interrupted for follows now.
                    state.instead = None;
                });
                continue;
            }
            asked = next(leg) => asked,
        };
        let Some((action, body)) = asked else { break };
        if let Some(brings) = body.get("client_state").and_then(Value::as_str) {
            leg.change(|state| state.orders.brings = Some(brings.to_owned()));
        }
        match action.as_str() {
            "answer" | "streaming_start" => {
                let socket = stream_of(&body, url);
                stream = Some(Box::pin(async move {
                    pick_up(play, url).await;
                    if let Some(socket) = socket {
                        talk::play(play, &socket).await;
                    }
                }));
            }
            "streaming_stop" => leg.go_to(Step::default()),
            "speak" => speak(play, url, &body).await,
            "transfer" => transfer(play, url, &body).await,
            "reject" => refuse(leg, &body),
            _ => leg.end(Ending::Api),
        }
    }
    // The stream sees that the call is over, and says so first.
    if let Some(stream) = stream {
        stream.await;
    }
}

/// What is asked for next; none once the call is over.
async fn next(leg: &Leg) -> Option<(String, Value)> {
    let is_due = |state: &State| state.ending.is_some() || !state.orders.waiting.is_empty();
    let rings = leg.state().answered.is_none();
    let wait = if rings { RINGS_MAX } else { Duration::from_secs(24 * 3600) };
    if leg.until(wait, is_due).await.is_none() {
        leg.end(Ending::Person);
    }
    let mut asked = None;
    leg.change(|state| {
        if state.ending.is_none() {
            asked = state.orders.waiting.pop_front();
        }
    });
    asked
}

/// The stream that a command asks for.
fn stream_of(body: &Value, url: &str) -> Option<Stream> {
    let stream_url = body.get("stream_url").and_then(Value::as_str)?;
    let parameters = body.get("custom_parameters").and_then(Value::as_array);
    let pair = |parameter: &Value| {
        let text = |name| parameter.get(name).and_then(Value::as_str).map(str::to_owned);
        Some((text("name")?, text("value")?))
    };
    Some(Stream {
        url: stream_url.to_owned(),
        status_callback: Some(url.to_owned()),
        parameters: parameters.into_iter().flatten().filter_map(pair).collect(),
        ..Stream::default()
    })
}

async fn speak(play: &Play, url: &str, body: &Value) {
    let (leg, exchange) = (&play.leg, &play.exchange);
    let text = body.get("payload").and_then(Value::as_str).unwrap_or_default();
    tell(exchange, leg, "speak_started", event(leg, "call.speak.started", url, json!({}))).await;
    leg.note(What::Said(text.to_owned()));
    let status = match leg.unless_over(sleep(exchange.pace)).await {
        Some(()) => "completed",
        None => "call_hangup",
    };
    let ended = event(leg, "call.speak.ended", url, json!({ "status": status }));
    tell(exchange, leg, "speak_ended", ended).await;
}

/// Another leg is dialled, which tells of itself; when the two have talked, both are done.
async fn transfer(play: &Play, url: &str, body: &Value) {
    let exchange = &play.exchange;
    let text = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let callee = text("to");
    let from = play.leg.facts.to.clone();
    let facts = exchange.facts(from, callee.to_owned(), Direction::Outbound);
    let other = Leg::new(facts, CallStatus::Initiated);
    let brings = text("target_leg_client_state").to_owned();
    other.change(|state| state.orders.brings = Some(brings));
    let told = async |name: &str, rest: Value| {
        tell(exchange, &play.leg, name, event(&other, name, url, rest)).await;
    };
    told("call.initiated", initiated(&other)).await;
    let Some(dialled) = play.reach(callee).await else { return };
    let status = dialled.outcome;
    if let Some(talked) = dialled.talked {
        let parties = json!({ "from": other.facts.from, "to": callee, "state": "answered" });
        told("call.answered", parties.clone()).await;
        pick_up(play, url).await;
        told("call.bridged", parties).await;
        if play.leg.unless_over(sleep(talked)).await.is_none() && !play.leg.is_over() {
            play.leg.change(|state| state.instead = None);
        }
    }
    let (cause, code) = cause(status);
    let rest = json!({ "state": "hangup", "hangup_cause": cause, "hangup_source": "callee",
        "sip_hangup_cause": code, "from": other.facts.from, "to": callee });
    told("call.hangup", rest).await;
    if dialled.talked.is_some() {
        play.leg.end(Ending::Document);
    }
}

fn refuse(leg: &Leg, body: &Value) {
    let is_busy = body.get("cause").and_then(Value::as_str) == Some("USER_BUSY");
    let (what, ending) = match is_busy {
        true => (What::Busy, Ending::Busy),
        false => (What::Rejected, Ending::Rejected),
    };
    leg.note(what);
    leg.end(ending);
}
