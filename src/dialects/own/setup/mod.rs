//! A tenant's configuration as one document, in YAML or JSON: read, written, and what a change of
//! it comes to.
//!
//! A field that the document does not name stays as it is; null clears it, a list is the whole
//! list. Agents and numbers are named by their names and values, so that a document written of one
//! tenant can be applied to another.

mod read;
mod show;
mod table;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use text::Places;

pub use show::{ExportBody, RevisedBody};
pub use table::Listed;

use crate::{
    dialects::{PrivateHosts, Problem, schema},
    domain::{FieldError, Refusal, Setup},
};

/// A document that has been read.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it says.
    pub setup: Setup,
    places: Places,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// The text is no YAML (or JSON, where it is said to be that); or everything in it that is not
    /// understood.
    pub fn read(text: &[u8], is_json: bool, private: PrivateHosts) -> Result<Self, Problem> {
        let (value, places) =
            if is_json { (text::json(text)?, Places::default()) } else { text::yaml(text)? };
        let read = read::setup(value, private);
        match read {
            Ok(setup) => Ok(Self { setup, places }),
            Err(errors) => Err(Refusal::Invalid(placed(&places, errors)).into()),
        }
    }

    /// A problem with the document, told with the places of what is wrong.
    #[must_use]
    pub fn placed(&self, problem: Problem) -> Problem {
        if let Problem::Refused(Refusal::Parts(_)) = problem {
            return Refusal::Invalid(placed(&self.places, problem.told().fields)).into();
        }
        problem
    }
}

/// The same errors in the document's words, in its order, each with its line and column.
fn placed(places: &Places, errors: Vec<FieldError>) -> Vec<FieldError> {
    // The rules name some fields as the other dialects do.
    const NAMES: &[(&str, &str)] = &[
        (".source_agent_ids", ".sources"),
        (".fallback_agent_id", ".fallback_agent"),
        (".primary_number_id", ".primary"),
    ];
    let mut placed: Vec<_> = errors
        .into_iter()
        .map(|FieldError { mut field, message }| {
            for (theirs, ours) in NAMES {
                field = field.replace(theirs, ours);
            }
            let place = places.of(&field);
            let message = match place {
                Some((line, column)) => format!("Line {line}, column {column}: {message}"),
                None => message,
            };
            (place, FieldError { field, message })
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, error)| error).collect()
}

/// The document, for the description of the API.
#[derive(Debug, ToSchema)]
#[schema(as = own::Setup, example = json!({
    "agents": [{ "name": "Return desk", "direction": "inbound", "targets": ["builtin:echo"] }]
}))]
pub struct SetupRequest {
    /// Agents, by id or by name.
    pub agents: Option<Vec<AgentRequest>>,
    /// Numbers. Those that agents name need not be listed.
    pub numbers: Option<Vec<NumberRequest>>,
    /// As for `PATCH /settings`; agents may be named by name (`fallback_agent`, and `below_min` as
    /// `agent:` followed by the name).
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
}

/// An agent of a document.
#[derive(Debug, ToSchema)]
#[schema(as = own::SetupAgent)]
pub struct AgentRequest {
    /// Its id; without one it is known by its name.
    #[schema(format = "uuid")]
    pub id: Option<String>,
    /// Its name.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Required of a new agent.
    pub direction: Option<schema::Direction>,
    /// `draft`, `live` (what a new agent is) or `archived`.
    pub state: Option<String>,
    /// Its label.
    #[schema(max_length = 255)]
    pub label: Option<String>,
    /// Its numbers. What the tenant does not have yet is added.
    pub numbers: Option<Vec<NumberNamed>>,
    /// The number it shows first.
    pub primary: Option<NumberNamed>,
    /// Its ladder; `agent:` may be followed by a name.
    #[schema(max_items = 16)]
    pub targets: Option<Vec<String>>,
    /// Constant parameters of its runtime.
    pub runtime_parameters: Option<BTreeMap<String, String>>,
    /// How long its runtime may be silent at first.
    #[schema(minimum = 100, maximum = 60000)]
    pub first_audio_timeout_ms: Option<u32>,
    /// The least attestation it asks for; null is the tenant's.
    pub min_attestation: Option<schema::Attestation>,
    /// The same for the whole return context.
    pub context_min_attestation: Option<schema::Attestation>,
    /// What its runtime speaks; null is `pcmu`.
    pub runtime_media: Option<schema::RuntimeMedia>,
    /// The sources of its callback role, by name or id; an empty list takes the role away.
    pub sources: Option<Vec<String>>,
    /// The role's window; null is the tenant's.
    #[schema(maximum = 3650)]
    pub window_days: Option<u32>,
    /// Which outcomes count; null is all of them.
    pub trigger_outcomes: Option<Vec<schema::Outcome>>,
    /// Fields that are kept for others. Those of either dialect (persona, voice, instructions,
    /// returns, webhook_url ...) may also stand beside the agent's own.
    #[schema(value_type = Option<Object>)]
    pub profile: Option<Value>,
}

/// A number as a document refers to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::SetupNumberNamed)]
#[serde(untagged)]
pub enum NumberNamed {
    /// The tenant has it once.
    Alone(String),
    /// Several accounts have it.
    At {
        /// The number.
        e164: String,
        /// The name of its account; null where it has none.
        account: Option<String>,
    },
}

/// A number of a document.
#[derive(Debug, ToSchema)]
#[schema(as = own::SetupNumber)]
pub struct NumberRequest {
    /// The number.
    pub e164: schema::Phone,
    /// The name of its account; null where it has none.
    pub account: Option<String>,
    /// A name for people.
    #[schema(max_length = 255, pattern = r"\S")]
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<String>,
    /// The agent that claims it, by name or id.
    pub default_agent: Option<String>,
}
