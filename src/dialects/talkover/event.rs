//! What Talkover calls the steps of a call, and how it tells of them.

use serde::Serialize;
use serde_json::{Value, json};

use super::call_list;
use crate::{
    dialects::{brief, rfc3339},
    domain::{CallRecord, CallStep, DialRecord, UnixMillis, Webhook},
};

/// Bytes of a body that a template makes at most.
const BODY_LEN_MAX: usize = 256 * 1024;

/// Every event that can be subscribed to, in its documentation's words. Those that have no name in
/// [`event_names`] are taken and never sent: what they tell of does not happen here, or is not
/// known.
pub const EVENTS: &[(&str, &str)] = &[
    ("event_phone_call_started", "Phone call has started"),
    ("event_phone_call_ended", "Phone call has ended"),
    ("event_phone_call_did_not_connect", "Phone call failed to connect"),
    ("event_phone_call_connected", "Phone call connection established"),
    ("event_phone_call_disconnected", "Phone call connection closed"),
    ("event_phone_call_error", "Phone call connection error occurred"),
    ("event_participant_joined", "Participant joined the call"),
    ("event_participant_left", "Participant left the call"),
    ("event_voicemail_detected", "Voicemail system detected"),
    ("event_voicemail_message_left", "Message left on voicemail"),
    ("event_conversation_started", "Human conversation started"),
    ("event_conversation_ended", "Human conversation ended"),
    ("event_action", "Agent executed an action"),
    ("event_action_failed", "Agent action failed"),
    ("event_recording", "Call recording event"),
    ("event_connection_established", "Call connection established"),
    ("event_connection_closed", "Call connection closed"),
    ("event_connection_error", "Call connection error occurred"),
    ("event_user_connected", "User connected to the call"),
    ("event_user_disconnected", "User disconnected from the call"),
    ("event_client_connected", "Client connected to the call"),
    ("event_client_disconnected", "Client disconnected from the call"),
];

/// The names of a step's events. Of a call's end, one of ended, did not connect and error tells.
#[must_use]
pub const fn event_names(step: CallStep) -> &'static [&'static str] {
    match step {
        CallStep::Queued | CallStep::Ringing => &[],
        CallStep::Started => &["event_phone_call_started"],
        CallStep::Answered => &["event_phone_call_connected"],
        CallStep::Voicemail => &["event_voicemail_detected"],
        CallStep::Completed => &["event_phone_call_disconnected", "event_phone_call_ended"],
        CallStep::NoAnswer | CallStep::Busy | CallStep::Canceled => {
            &["event_phone_call_did_not_connect"]
        }
        CallStep::Failed => &["event_phone_call_error"],
    }
}

/// What every event says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its name.
    pub event: &'a str,
    /// The agent's name.
    pub agent_name: Option<&'a str>,
    /// To whom it goes.
    pub webhook: &'a Webhook,
    /// When it happened.
    pub at: UnixMillis,
}

impl Frame<'_> {
    fn shown(&self) -> Value {
        json!({
            "event": self.event,
            "agent_id": self.webhook.agent.as_ref().map(|policy| policy.agent.0),
            "agent_name": self.agent_name,
            "webhook_id": self.webhook.id.0,
            "webhook_name": self.webhook.name,
            "timestamp": rfc3339(self.at),
        })
    }

    /// The event by which somebody tries out a webhook.
    #[must_use]
    pub fn test(&self) -> Value {
        with(self.shown(), "test", Value::Bool(true))
    }
}

#[derive(Serialize)]
struct EventCall {
    id: uuid::Uuid,
    sid: String,
    direction: &'static str,
    from: Option<String>,
    to: Option<String>,
    status: &'static str,
    duration: u64,
}

/// An event's body.
#[must_use]
pub fn event(frame: &Frame<'_>, call: &CallRecord, dial: Option<&DialRecord>) -> Value {
    let talked = call.answered_at.zip(call.ended_at);
    let duration = talked.map_or(0, |(from, to)| to.0.saturating_sub(from.0) / 1000);
    let shown = EventCall {
        id: call.id.0,
        sid: call.carrier_call_id.clone(),
        direction: call.direction.as_str(),
        from: call.ani.map(|number| number.to_string()),
        to: call.dnis.map(|number| number.to_string()),
        status: call_list::word(call.status),
        duration,
    };
    let echo = dial.and_then(|dial| dial.brief.echo.as_deref());
    let data = json!({ "duration": duration, "error_code": call.error_code });
    let body = with(frame.shown(), "call", serde_json::to_value(shown).unwrap_or_default());
    let body = with(body, "call_id", json!(call.id.0));
    with(with(body, "context", brief::shown(echo)), "data", data)
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
    object
}

/// A template with each `{{path}}` replaced by what the body has there. In a JSON text it goes
/// as the text's content, elsewhere as a JSON value, so that no value can end the text it is put
/// into. What is not there is nothing, or null.
///
/// # Errors
/// It grows too long.
pub fn filled(template: &str, body: &str) -> Result<String, &'static str> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut out = String::with_capacity(template.len());
    let mut in_text = InText::default();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((path, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        in_text.read(before);
        put(&mut out, at(&body, path.trim()), in_text.is_inside);
        rest = after;
        if out.len() > BODY_LEN_MAX {
            return Err("the template makes too long a body");
        }
    }
    out.push_str(rest);
    if out.len() > BODY_LEN_MAX { Err("the template makes too long a body") } else { Ok(out) }
}

/// Whether a place in a JSON document is within a text.
#[derive(Default)]
struct InText {
    is_inside: bool,
    is_escaped: bool,
}

impl InText {
    fn read(&mut self, part: &str) {
        for byte in part.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_inside => self.is_escaped = true,
                b'"' => self.is_inside = !self.is_inside,
                _ => {}
            }
        }
    }
}

fn at<'v>(body: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(body, |value, name| match value {
        Value::Array(values) => {
            name.parse().ok().and_then(|n: usize| values.get(n)).unwrap_or(&Value::Null)
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            value.get(name).unwrap_or(&Value::Null)
        }
    })
}

fn put(out: &mut String, value: &Value, in_text: bool) {
    if !in_text {
        out.push_str(&value.to_string());
        return;
    }
    let text = match value {
        Value::Null => return,
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    // A JSON text without its quotes.
    let quoted = Value::String(text).to_string();
    out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let body = json!({
            "call": { "id": "c1", "duration": 7, "from": null },
            "context": { "name": "A \"B\" \\ C\n", "tags": ["x", "y"] },
        });
        let filled = filled(template, &body.to_string()).unwrap();
        assert_eq!(filled, expected, "{template}");
        if template.starts_with('{') {
            assert!(serde_json::from_str::<Value>(&filled).is_ok(), "{filled}");
        }
    }

    #[test]
    fn templates_are_filled_and_stay_json() {
        check(r#"{"id":"{{call.id}}"}"#, r#"{"id":"c1"}"#);
        check(r#"{"id":{{ call.id }},"d":{{call.duration}}}"#, r#"{"id":"c1","d":7}"#);
        check(r#"{"n":"Hi {{context.name}}"}"#, r#"{"n":"Hi A \"B\" \\ C\n"}"#);
        check(r#"{"q":"\"{{call.id}}","f":{{call.from}}}"#, r#"{"q":"\"c1","f":null}"#);
        check(r#"{"t":{{context.tags}},"u":"{{context.tags.1}}"}"#, r#"{"t":["x","y"],"u":"y"}"#);
        check(r#"{"x":"{{nothing.here}}"}"#, r#"{"x":""}"#);
        check("plain {{", "plain {{");
        let long = "{{context}}".repeat(10);
        let body = json!({ "context": "x".repeat(60 * 1024) }).to_string();
        assert!(filled(&long, &body).is_err());
    }

    #[test]
    fn every_event_that_is_sent_can_be_subscribed_to() {
        assert_eq!(EVENTS.len(), 22);
        for name in CallStep::ALL.iter().flat_map(|step| event_names(*step)) {
            assert!(EVENTS.iter().any(|(known, _)| known == name), "{name}");
        }
    }
}
