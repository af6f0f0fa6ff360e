//! Talkover's calls, as far as they are placed.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, boolean, brief, integer, phone, rfc3339, schema},
    domain::{CallBrief, CallRecord, E164, Refusal},
};

/// Make a Call's body.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::CallRequest)]
pub struct CallRequest {
    /// Who is called.
    pub to: schema::Phone,
    /// What the agent's runtime is given; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Map<String, Value>>,
    /// What comes back with the call; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// After how many seconds the call is placed. It is placed at once: 0.
    #[schema(minimum = 0, maximum = 0)]
    pub delay_seconds: Option<u32>,
    /// A test: nobody is remembered for it.
    pub is_testing: Option<bool>,
}

/// A call that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFields {
    /// Who is called.
    pub to: E164,
    /// A test: nobody is to be remembered for it.
    pub is_test: bool,
    /// How long it waits.
    pub delay_seconds: u32,
    /// What is given along.
    pub brief: CallBrief,
}

/// Reads Make a Call's body.
///
/// # Errors
/// The number is missing or none, or another field is not what its page asks for.
pub fn call(body: Value) -> Result<CallFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let brief = CallBrief {
        variables: reader.optional("payload", brief::object),
        echo: reader.optional("context", brief::object),
        ..CallBrief::default()
    };
    let delay_seconds = reader.optional("delay_seconds", integer(0..=3600)).unwrap_or(0);
    let is_test = reader.optional("is_testing", boolean).unwrap_or(false);
    let given = reader.optional("to", |value| Ok(value.clone()));
    reader.finish()?;
    let given = given.ok_or(Refusal::PhoneMissing)?;
    let to = phone(&given).map_err(|_| no_phone("to", &given))?;
    Ok(CallFields { to, is_test, delay_seconds, brief })
}

/// That a number is none, and what there is in its place: enough of it to be recognised.
pub fn no_phone(field: &'static str, given: &Value) -> Refusal {
    const CHARS_MAX: usize = 64;
    let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    Refusal::PhoneInvalid(field, text.chars().take(CHARS_MAX).collect())
}

/// A call that is being placed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Placed)]
pub struct PlacedBody {
    id: Uuid,
    agent_id: Option<Uuid>,
    #[schema(value_type = Option<schema::Phone>)]
    to: Option<String>,
    status: &'static str,
    created_at: String,
}

impl From<&CallRecord> for PlacedBody {
    fn from(call: &CallRecord) -> Self {
        Self {
            id: call.id.0,
            agent_id: call.agent.map(|agent| agent.0),
            to: call.dnis.map(|number| number.to_string()),
            // Their one word for all that comes before ringing.
            status: "initiated",
            created_at: rfc3339(call.created_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, refusal: &Refusal) {
        assert_eq!(call(body.clone()).as_ref().unwrap_err(), refusal, "{body}");
    }

    #[test]
    fn a_call_is_read_or_refused() {
        check(&json!({}), &Refusal::PhoneMissing);
        check(&json!({ "to": null }), &Refusal::PhoneMissing);
        check(&json!({ "to": "12" }), &Refusal::PhoneInvalid("to", "12".to_owned()));
        check(&json!({ "to": [1] }), &Refusal::PhoneInvalid("to", "[1]".to_owned()));
        check(
            &json!({ "to": "+14155550137", "delay_seconds": 3601 }),
            &Refusal::invalid("delay_seconds", "Must be an integer from 0 to 3600."),
        );
        let body = json!({ "to": "+14155550137", "payload": { "n": 1 }, "is_testing": true,
            "delay_seconds": 60 });
        let read = call(body).unwrap();
        assert!(read.is_test);
        assert_eq!(read.delay_seconds, 60);
        assert_eq!(read.brief.variables.as_deref(), Some(r#"{"n":1}"#));
    }
}
