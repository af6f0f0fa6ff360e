//! What Call Control is told to do with a call: one request an answer (Telnyx docs,
//! sending-commands-for-programmable-voice). A repeated request has the same `command_id`, and is
//! done once.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    commands,
    state::{Left, State},
};
use crate::{
    carriers::{Answer, ApiRequest, Leg, shared::speech},
    domain::{CallId, Direction, MediaFormat, Target},
};

/// `speak` takes so many characters.
const SPEAK_CHARS_MAX: usize = 3000;

/// Whether Call Control can do it: it hands no call on to another application.
pub(super) const fn can(target: &Target) -> bool {
    match target {
        Target::Runtime(_)
        | Target::Builtin(_)
        | Target::Agent(_)
        | Target::Tel(_)
        | Target::Sip(_)
        | Target::Say(_)
        | Target::Busy
        | Target::Reject => true,
        Target::Redirect(_) => false,
    }
}

/// Speech needs somebody who hears it; all else can be done to a call that rings.
pub(super) const fn picks_up_first(answer: &Answer<'_>) -> bool {
    matches!(answer, Answer::Say { .. })
}

/// The request that carries out the answer.
pub(super) fn request(answer: &Answer<'_>, leg: &Leg<'_>) -> ApiRequest {
    let state = |left, step: &str| state(left, leg, step).write();
    let (action, mut body) = match *answer {
        Answer::Media { url, resume_url, format, parameters, .. } => {
            let mut body = stream(url, format);
            body.insert("client_state".to_owned(), state(Left::Stream, resume_url).into());
            if !leg.is_answered {
                ("answer", body)
            } else {
                body.insert("custom_parameters".to_owned(), custom(parameters));
                ("streaming_start", body)
            }
        }
        Answer::DialNumber { number, resume_url } => {
            ("transfer", transfer(&number.to_string(), &state(Left::Dial, resume_url)))
        }
        Answer::DialSip { address, resume_url } => {
            ("transfer", transfer(&format!("sip:{address}"), &state(Left::Dial, resume_url)))
        }
        Answer::Say { text, resume_url } => {
            let body = fields(json!({
                "payload": speech::cut(text, SPEAK_CHARS_MAX),
                "payload_type": "text",
                "voice": "female",
                "language": "en-US",
                "client_state": state(Left::Speech, resume_url),
            }));
            ("speak", body)
        }
        Answer::PickUp { resume_url } => {
            ("answer", fields(json!({ "client_state": state(Left::PickUp, resume_url) })))
        }
        Answer::Busy => ("reject", fields(json!({ "cause": "USER_BUSY" }))),
        Answer::Reject => ("reject", fields(json!({ "cause": "CALL_REJECTED" }))),
        // Nothing that is saved asks for it here.
        Answer::Redirect { .. } | Answer::HangUp => ("hangup", Map::new()),
    };
    body.insert("command_id".to_owned(), command_id(leg, action).to_string().into());
    let id = utf8_percent_encode(leg.carrier_call_id, NON_ALPHANUMERIC);
    let path = format!("/v2/calls/{id}/actions/{action}");
    commands::json_request(Method::POST, path, leg.account, &Value::Object(body))
}

/// The same for the same event and action, however often either comes.
fn command_id(leg: &Leg<'_>, action: &str) -> Uuid {
    let call = CallId::of_carrier_call(leg.account.id, leg.carrier_call_id);
    let event = Uuid::new_v5(&call.0, leg.event_id.unwrap_or_default().as_bytes());
    Uuid::new_v5(&event, action.as_bytes())
}

fn state<'s>(left: Left, leg: &Leg<'s>, step: &'s str) -> State<'s> {
    let parent = if left == Left::Dial { leg.carrier_call_id } else { "" };
    State {
        left,
        direction: leg.direction,
        is_answered: leg.is_answered,
        parent: parent.into(),
        step: step.into(),
    }
}

/// The stream, both ways, as headerless RTP payloads. Every value is written: the defaults are
/// another mode and another leg.
pub(super) fn stream(url: &str, format: MediaFormat) -> Map<String, Value> {
    let codec = format.codec.as_str();
    fields(json!({
        "stream_url": url,
        "stream_track": "inbound_track",
        "stream_codec": codec,
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": codec,
        "stream_bidirectional_target_legs": "self",
    }))
}

fn transfer(to: &str, state: &str) -> Map<String, Value> {
    // Parked once the two are done: that the leg they dialled has ended asks what follows, and a
    // call that is to go on elsewhere is there to do so.
    fields(json!({
        "to": to,
        "target_leg_client_state": state,
        "park_after_unbridge": "self",
    }))
}

fn custom(parameters: &[(&str, &str)]) -> Value {
    parameters.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn fields(object: Value) -> Map<String, Value> {
    if let Value::Object(fields) = object { fields } else { Map::new() }
}

/// The step of a placed call, at its first leg.
pub(super) fn call_state(voice_url: &str) -> String {
    State {
        left: Left::Call,
        direction: Direction::Outbound,
        is_answered: false,
        parent: "".into(),
        step: voice_url.into(),
    }
    .write()
}
