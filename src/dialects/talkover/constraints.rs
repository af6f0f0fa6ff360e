//! Talkover's dry run of a callback role. It has field names and an answer of its own.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Problem, Reader, boolean, carrier_words, ids, schema},
    domain::{AgentId, FieldError, Refusal},
};

/// What is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintFields {
    /// Whether the agent is to hold the role at all.
    pub holds_role: bool,
    /// Over which agents.
    pub sources: Vec<AgentId>,
}

/// Check Callback Constraints' body, for the document.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::ConstraintsRequest)]
pub struct ConstraintsRequest {
    /// Whether the agent is to hold the callback role; true where it is not said.
    pub is_callback_agent: Option<bool>,
    /// The agents whose calls may be returned to it.
    pub callback_source_agents: Option<Vec<Uuid>>,
    /// The outcomes that make a contact eligible.
    #[schema(min_items = 1)]
    pub callback_trigger_statuses: Option<Vec<schema::Outcome>>,
}

/// Reads Check Callback Constraints' body.
///
/// # Errors
/// A field is not what its page asks for.
pub fn constraints(body: Value) -> Result<ConstraintFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let fields = ConstraintFields {
        holds_role: reader.optional("is_callback_agent", boolean).unwrap_or(true),
        sources: reader.optional("callback_source_agents", ids).unwrap_or_default(),
    };
    reader.optional("callback_trigger_statuses", carrier_words);
    reader.finish().map(|()| fields)
}

/// Check Callback Constraints' answer.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = talkover::Constraints)]
pub struct ConstraintsBody {
    success: bool,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'static str>,
    /// What stands against it, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

impl ConstraintsBody {
    /// The answer to a role that meets these objections, over these sources.
    #[must_use]
    pub fn new(objections: &[Refusal], sources: &[AgentId]) -> Self {
        let errors: Vec<_> =
            objections.iter().flat_map(|objection| sentences(objection, sources)).collect();
        match errors.is_empty() {
            true => Self { success: true, message: "Configuration is valid", code: None, errors },
            false => Self {
                success: false,
                message: "Configuration has errors",
                code: Some("VALIDATION_ERROR"),
                errors,
            },
        }
    }

    /// Whether nothing stands against it.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.success
    }
}

fn sentences(objection: &Refusal, sources: &[AgentId]) -> Vec<String> {
    if let Refusal::Invalid(fields) = objection {
        return fields.iter().map(|field| sentence(field, sources)).collect();
    }
    if let Refusal::SourceNotOutbound(at) = objection
        && let Some(source) = sources.get(*at)
    {
        return vec![format!("Source agent {source} is not outbound")];
    }
    if *objection == Refusal::NotInbound {
        return vec!["Agent must be inbound to serve as a callback agent".to_owned()];
    }
    vec![Problem::from(objection.clone()).told().message]
}

/// `Source agent 3f0c... is not published`; of other fields, the field and what is wrong.
fn sentence(error: &FieldError, sources: &[AgentId]) -> String {
    let place = error.field.strip_prefix("source_agent_ids.").and_then(|at| at.parse().ok());
    let message = error.message.trim_end_matches('.');
    match place.and_then(|at: usize| sources.get(at)) {
        Some(source) if message.ends_with("is not published") => {
            format!("Source agent {source} is not published")
        }
        Some(source) => format!("Source agent {source}: {message}"),
        None if error.field == "source_agent_ids" => format!("callback_source_agents: {message}"),
        None => format!("{}: {message}", error.field),
    }
}
