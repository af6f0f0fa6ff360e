//! What a call's runtime is told of it: the call, its agent, what it is for, and the call that it
//! returns.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{SegmentBody, brief, rfc3339},
    domain::{
        AgentVersion, Attestation, CallBrief, CallRecord, CallSummary, ResultStatus, RouteReason,
        Segment, Touch, UnixMillis,
    },
};

/// Everything that is known of a call, for who talks in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Briefing)]
pub struct BriefingBody {
    call_id: Uuid,
    direction: &'static str,
    status: &'static str,
    reason: Option<&'static str>,
    from: Option<String>,
    to: Option<String>,
    /// How far the network vouches for the caller; null once the call is over.
    attestation: Option<&'static str>,
    caller_verified: bool,
    is_test: bool,
    /// The agent as it was when the call began: its id, its name, and all that was written of it.
    #[schema(value_type = Option<Object>)]
    agent: Value,
    /// What it is to do: the call's own instructions, else the agent's.
    instructions: Option<String>,
    /// What was given along for the agent.
    #[schema(value_type = Object)]
    variables: Value,
    /// What was given along for whoever placed the call.
    #[schema(value_type = Object)]
    echo: Value,
    /// The call that is being returned, as `start` tells it.
    #[schema(value_type = Option<Object>)]
    return_context: Value,
    result_status: &'static str,
    /// What was said so far.
    transcript: Vec<SegmentBody>,
}

/// What a briefing is made from.
#[derive(Debug)]
pub struct BriefingFields {
    /// The call.
    pub call: CallRecord,
    /// A test.
    pub is_test: bool,
    /// What was given along.
    pub brief: CallBrief,
    /// Its agent as it was.
    pub version: Option<AgentVersion>,
    /// What the network says of the caller.
    pub attestation: Option<Attestation>,
    /// The call that is being returned, as [`return_context`] has it.
    pub returned: Option<Value>,
    /// Whether its result is known.
    pub result: ResultStatus,
    /// What was said.
    pub segments: Vec<Segment>,
}

impl From<BriefingFields> for BriefingBody {
    fn from(fields: BriefingFields) -> Self {
        let BriefingFields { call, brief, version, .. } = fields;
        let agent = version.map(|version| {
            let mut bag: Map<String, Value> =
                serde_json::from_str(&version.profile).unwrap_or_default();
            bag.insert("id".to_owned(), json!(call.agent.map(|agent| agent.0)));
            bag.insert("name".to_owned(), version.name.into());
            bag
        });
        let own = agent.as_ref().and_then(|agent| agent.get("instructions")?.as_str());
        let instructions = brief.instructions.or_else(|| own.map(str::to_owned));
        Self {
            call_id: call.id.0,
            direction: call.direction.as_str(),
            status: call.status.as_str(),
            reason: call.reason.map(RouteReason::as_str),
            from: call.ani.map(|ani| ani.to_string()),
            to: call.dnis.map(|dnis| dnis.to_string()),
            attestation: fields.attestation.map(Attestation::as_str),
            caller_verified: call.caller_verified,
            is_test: fields.is_test,
            agent: agent.map(Value::Object).unwrap_or_default(),
            instructions,
            variables: brief::shown(brief.variables.as_deref()),
            echo: brief::shown(brief.echo.as_deref()),
            return_context: fields.returned.unwrap_or_default(),
            result_status: fields.result.as_str(),
            transcript: fields.segments.into_iter().map(SegmentBody::from).collect(),
        }
    }
}

/// What is told of a call that is being returned, in a `start` and in a briefing. `known` is what
/// routing saw of it; `is_full`: the caller is vouched for enough for everything to be told.
#[must_use]
pub fn return_context(
    known: &Touch,
    summary: Option<&CallSummary>,
    is_verified: bool,
    is_full: bool,
) -> Value {
    let touch = summary.map_or(known, |summary| &summary.touch);
    let name = summary.and_then(|summary| summary.source_agent.as_ref()).map(|(_, name)| name);
    let mut of_touch = json!({
        "source_agent": { "id": touch.agent.to_string(), "name": name },
        "at": rfc3339(UnixMillis(touch.at.0.saturating_mul(1000))),
        "outcome": touch.outcome.as_str(),
    });
    if let (true, Some(of_touch)) = (is_full, of_touch.as_object_mut()) {
        of_touch.insert("caller_id".to_owned(), json!(touch.caller_id.to_string()));
    }
    let mut told = Map::new();
    told.insert("touch".to_owned(), of_touch);
    if let Some(summary) = summary.filter(|_| is_full) {
        let of_call = json!({
            "variables": opaque(summary.variables.as_deref()),
            "echo": opaque(summary.echo.as_deref()),
            "result": opaque(summary.result.as_deref()),
        });
        told.insert("call".to_owned(), of_call);
    }
    told.insert("caller_verified".to_owned(), json!(is_verified));
    told.insert("partial".to_owned(), json!(summary.is_none()));
    Value::Object(told)
}

/// A stored JSON text as a value; one that is none, as the text it is.
fn opaque(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| {
        serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
    })
}
