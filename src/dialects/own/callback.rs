//! The callback role as our own API shows it: everything, always.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{WarningBody, schema},
    domain::{Callback, OutcomeSet},
};

/// A callback role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Callback)]
pub struct CallbackBody {
    /// The outbound agents whose calls are returned to this one.
    source_agent_ids: Vec<Uuid>,
    /// How far back it looks; null is the tenant's own window.
    window_days: Option<u32>,
    /// Which outcomes of a call make its return this agent's; null means all.
    #[schema(value_type = Option<Vec<schema::Outcome>>)]
    trigger_outcomes: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<WarningBody>>,
}

impl CallbackBody {
    /// The same with what the write warns of.
    #[must_use]
    pub fn warns(self, warnings: Vec<WarningBody>) -> Self {
        Self { warnings: Some(warnings), ..self }
    }
}

impl From<&Callback> for CallbackBody {
    fn from(callback: &Callback) -> Self {
        let outcomes = callback.trigger_outcomes;
        let listed = (outcomes != OutcomeSet::ALL)
            .then(|| outcomes.iter().map(|outcome| outcome.as_str()).collect());
        Self {
            source_agent_ids: callback.sources.iter().map(|source| source.0).collect(),
            window_days: callback.window_days,
            trigger_outcomes: listed,
            warnings: None,
        }
    }
}
