//! CallingBox's calls: what is asked for one, and how it is shown.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    agent::{URL_LEN_MAX, field},
    inbound::implicit_profile,
};
use crate::{
    dialects::{
        PrivateHosts, Reader, boolean, brief, id, phone,
        profile::{self, Field, Rule},
        rfc3339, schema, text, web_url,
    },
    domain::{
        AgentId, AgentVersion, CallBrief, CallRecord, CallResult, CallStatus, DeliveryStatus,
        DialRecord, E164, InlineHook, Refusal, ResultStatus, RouteReason,
    },
};

/// What belongs to the agent; taking it for one call and dropping it silently would be worse.
const OF_THE_AGENT: &[&str] =
    &["persona", "voice", "language", "returns", "tools", "voicemail_action", "prompt"];

/// What belongs to an agent also where none is named.
const OF_ANY_AGENT: &[&str] = &["persona", "voice"];

/// Dispatch an Outbound Call's body.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::CallRequest)]
pub struct CallRequest {
    /// Who calls: an outbound agent. Without one the call says itself, by `prompt`, what an agent
    /// would, and who answers it is connected to the daemon's `runtime.default_target`: with
    /// none configured, such a call is refused (`no_target`).
    pub agent_id: Option<Uuid>,
    /// Who is called.
    pub to: schema::Phone,
    /// Which of the agent's numbers is shown; its primary one if nothing is said. Without an agent,
    /// which of yours; the oldest if nothing is said.
    pub from_number: Option<schema::Phone>,
    /// What who calls is told, in a call that names no agent.
    #[schema(pattern = r"\S", max_length = 65535)]
    pub prompt: Option<String>,
    /// What such a call returns: names to `boolean`, `string` or `number`.
    #[schema(value_type = Option<Object>)]
    pub returns: Option<Map<String, Value>>,
    /// Its language (BCP 47).
    #[schema(max_length = 35)]
    pub language: Option<String>,
    /// Its tools.
    #[schema(max_items = 16, value_type = Option<Vec<Object>>)]
    pub tools: Option<Vec<Map<String, Value>>>,
    /// What becomes of it where a machine answers.
    pub voicemail_action: Option<super::VoicemailAction>,
    /// What the agent is told for this call.
    #[schema(pattern = r"\S", max_length = 65535)]
    pub instructions: Option<String>,
    /// What the agent's runtime is given; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// What comes back with the call; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// Where the end of the call is told.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://example.com/calls")]
    pub webhook_url: Option<String>,
}

/// A call that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFields {
    /// Who calls.
    pub agent: Named,
    /// Who is called.
    pub to: E164,
    /// Which number is shown; the primary one, or the oldest, where none is said.
    pub from: Option<E164>,
    /// What is given along.
    pub brief: CallBrief,
}

/// Who a call says is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// This agent.
    Agent(AgentId),
    /// Nobody: the call says itself what an agent would, as the text of a JSON object.
    Nobody(String),
}

/// Reads Dispatch an Outbound Call's body.
///
/// # Errors
/// A required field is missing, one is not what its page asks for, or one is the agent's.
pub fn call(body: Value, private: PrivateHosts) -> Result<CallFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    // A null is no prompt to call anybody with; nor is it a word that no agent is meant.
    let is_named = reader.has("agent_id") || !reader.says("prompt");
    let agent = is_named.then(|| reader.required("agent_id", id));
    let to = reader.required("to", phone);
    let from = reader.optional("from_number", phone);
    let brief = CallBrief {
        instructions: reader.optional("instructions", text(65_535)),
        variables: reader.optional("context", brief::object),
        echo: reader.optional("metadata", brief::object),
        webhook_url: reader.optional("webhook_url", web_url(URL_LEN_MAX, private.redirect)),
    };
    for name in if is_named { OF_THE_AGENT } else { OF_ANY_AGENT } {
        if reader.says(name) {
            reader.blame(name, "belongs to the agent and cannot be given for one call");
        }
    }
    let (agent, brief) = match agent {
        Some(agent) => (agent.map(Named::Agent), brief),
        None => {
            reader.check("prompt", text(65_535));
            let profile = implicit_profile(&mut reader);
            let echo = with_language(brief.echo.as_deref(), &profile);
            (Some(Named::Nobody(profile)), CallBrief { echo, ..brief })
        }
    };
    let (Some(agent), Some(to)) = (agent, to) else { return Err(reader.refusal()) };
    reader.finish().map(|()| CallFields { agent, to, from, brief })
}

/// Where clients of such calls look for their language.
fn with_language(echo: Option<&str>, profile: &str) -> Option<String> {
    let profile: Value = serde_json::from_str(profile).unwrap_or_default();
    let language = profile.get("language").cloned();
    let Some(language) = language else { return echo.map(str::to_owned) };
    let mut shown = brief::shown(echo);
    if let Some(fields) = shown.as_object_mut() {
        fields.entry("language").or_insert(language);
    }
    Some(shown.to_string())
}

/// How a call is to be canceled.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::CancelRequest)]
pub struct CancelRequest {
    /// Also where somebody has answered.
    pub force: Option<bool>,
}

/// Reads whether a call is to be canceled though somebody has answered.
///
/// # Errors
/// The field is not understood.
pub fn cancel(body: Value) -> Result<bool, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let is_forced = reader.optional("force", boolean).unwrap_or(false);
    reader.finish().map(|()| is_forced)
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::Call)]
pub struct CallBody {
    id: Uuid,
    agent_id: Option<Uuid>,
    #[schema(value_type = Option<schema::Phone>)]
    to_number: Option<String>,
    #[schema(value_type = Option<schema::Phone>)]
    from_number: Option<String>,
    #[schema(value_type = schema::CallStatus)]
    status: &'static str,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    persona: Option<String>,
    instructions: Option<String>,
    prompt: Option<String>,
    #[schema(value_type = Object)]
    context: Value,
    #[schema(value_type = Option<Object>)]
    returns: Value,
    language: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    #[schema(value_type = Option<Object>)]
    result: Value,
    result_status: &'static str,
    result_error: Option<String>,
    created_at: String,
    started_at: Option<String>,
    answered_at: Option<String>,
    ended_at: Option<String>,
    duration_seconds: Option<u64>,
    updated_at: String,
    // Nothing is sold here.
    billed_duration_seconds: u64,
    billing_amount_milli_cents: u64,
    reservation_status: &'static str,
    webhook_url: Option<String>,
    webhook_status: &'static str,
    webhook_error: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    hangup_cause: Option<&'static str>,
    answered_by: Option<&'static str>,
    // Ours.
    carrier_call_id: String,
    #[schema(value_type = Option<schema::RouteReason>)]
    reason: Option<&'static str>,
    is_test: bool,
}

impl CallBody {
    /// A call: its row, what was asked for it where it was placed here, its agent as it then was,
    /// and what came of it.
    #[must_use]
    pub fn new(
        call: CallRecord,
        dial: Option<DialRecord>,
        version: Option<&AgentVersion>,
        result: Option<&CallResult>,
    ) -> Self {
        let status = call.standing();
        let talked = call.answered_at.zip(call.ended_at);
        let is_test = dial.as_ref().is_some_and(|dial| dial.is_test);
        let error_message = dial.as_ref().and_then(|dial| dial.error_message.clone());
        let brief = dial.map(|dial| dial.brief).unwrap_or_default();
        let profile = version.map_or("", |version| &version.profile);
        let mut profile = profile::shown(profile, AS_IT_WAS);
        let mut word = |name: &str| match profile.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (persona, language, prompt) = (word("persona"), word("language"), word("prompt"));
        let instructions = brief.instructions.or_else(|| word("instructions"));
        let webhook_url = brief.webhook_url.or_else(|| word("webhook_url"));
        let returns = profile.remove("returns").unwrap_or_default();
        Self {
            id: call.id.0,
            // Who nobody named is nobody.
            agent_id: call.agent.filter(|_| prompt.is_none()).map(|agent| agent.0),
            to_number: call.dnis.map(|number| number.to_string()),
            from_number: call.ani.map(|number| number.to_string()),
            status: status.as_str(),
            direction: call.direction.as_str(),
            persona,
            instructions,
            prompt,
            context: brief::shown(brief.variables.as_deref()),
            language,
            metadata: brief::shown(brief.echo.as_deref()),
            result: result_of(&call, &returns, result),
            returns,
            result_status: result.map_or(ResultStatus::Pending, CallResult::status).as_str(),
            result_error: result.and_then(CallResult::error).map(str::to_owned),
            created_at: rfc3339(call.created_at),
            started_at: call.ringing_at.or(call.answered_at).map(rfc3339),
            answered_at: call.answered_at.map(rfc3339),
            ended_at: call.ended_at.map(rfc3339),
            duration_seconds: talked.map(|(from, to)| to.0.saturating_sub(from.0) / 1000),
            updated_at: rfc3339(call.updated_at),
            billed_duration_seconds: 0,
            billing_amount_milli_cents: 0,
            reservation_status: "released",
            webhook_url,
            webhook_status: "none",
            webhook_error: None,
            error_code: call.error_code,
            error_message,
            hangup_cause: hangup_cause(call.status),
            answered_by: call.by_machine.then_some("machine"),
            carrier_call_id: call.carrier_call_id,
            reason: call.reason.map(RouteReason::as_str),
            is_test,
        }
    }

    /// The same with what became of telling the URL that came along.
    #[must_use]
    pub fn told(self, hook: Option<InlineHook>) -> Self {
        let Some(hook) = hook else { return self };
        let webhook_status = match hook.status {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Exhausted => "failed",
        };
        Self { webhook_url: Some(hook.url), webhook_status, webhook_error: hook.error, ..self }
    }
}

/// What a call shows of its agent.
const AS_IT_WAS: &[Field] = &[
    field("persona", Rule::Text(usize::MAX)),
    field("instructions", Rule::Text(usize::MAX)),
    field("prompt", Rule::Text(usize::MAX)),
    field("language", Rule::Text(usize::MAX)),
    field("webhook_url", Rule::Text(usize::MAX)),
    field("returns", Rule::Returns),
];

/// The result; of a call that ended without a word, every field as null.
fn result_of(call: &CallRecord, returns: &Value, result: Option<&CallResult>) -> Value {
    match (result, returns) {
        (Some(result), _) => brief::opaque(result.fields()),
        (None, Value::Object(fields)) if call.standing().is_final() && !has_talked(call) => {
            fields.keys().map(|name| (name.clone(), Value::Null)).collect()
        }
        (None, _) => Value::Null,
    }
}

fn has_talked(call: &CallRecord) -> bool {
    call.answered_at.is_some() && !call.by_machine
}

/// The end in the words that switches have for it (ITU-T Q.850).
const fn hangup_cause(status: CallStatus) -> Option<&'static str> {
    match status {
        CallStatus::Completed => Some("normal_clearing"),
        CallStatus::NoAnswer => Some("no_answer"),
        CallStatus::Busy => Some("user_busy"),
        CallStatus::Canceled => Some("originator_cancel"),
        CallStatus::Failed => Some("call_rejected"),
        CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(change: &Value) -> Value {
        let mut body =
            json!({ "agent_id": "018f4a9e-0000-7000-8000-000000000001", "to": "+14155550137" });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    #[track_caller]
    fn check_refused(change: &Value, field: &str) {
        match call(body(change), PrivateHosts::default()) {
            Err(Refusal::Invalid(errors)) => assert_eq!(errors[0].field, field, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_call_is_said_by_field() {
        check_refused(&json!({ "agent_id": null, "prompt": "Hi" }), "agent_id");
        check_refused(&json!({ "to": "555" }), "to");
        check_refused(&json!({ "from_number": "N" }), "from_number");
        check_refused(&json!({ "context": [] }), "context");
        check_refused(&json!({ "metadata": "x" }), "metadata");
        check_refused(&json!({ "webhook_url": "ftp://x" }), "webhook_url");
        for field in OF_THE_AGENT {
            check_refused(&json!({ *field: "x" }), field);
            let said_nothing = call(body(&json!({ *field: null })), PrivateHosts::default());
            assert!(said_nothing.is_ok(), "{field}: {said_nothing:?}");
        }
    }

    #[test]
    fn who_names_nobody_has_a_prompt() {
        let read = |prompt: Value| {
            call(json!({ "to": "+14155550137", "prompt": prompt }), PrivateHosts::default())
        };
        assert!(matches!(read(json!("Hi")).unwrap().agent, Named::Nobody(_)));
        for (prompt, field) in [(Value::Null, "agent_id"), (json!(" "), "prompt")] {
            match read(prompt) {
                Err(Refusal::Invalid(errors)) => assert_eq!(errors[0].field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn context_and_metadata_are_kept_as_they_are() {
        let body = body(&json!({ "context": { "a": [1] }, "unknown": true }));
        let read = call(body, PrivateHosts::default()).unwrap();
        assert_eq!(read.brief.variables.as_deref(), Some(r#"{"a":[1]}"#));
        assert_eq!(read.brief.echo, None);
    }
}
