//! The callback role as our own API shows it: everything, always.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    dialects::WarningBody,
    domain::{Callback, OutcomeSet},
};

/// A callback role.
#[derive(Debug, Serialize)]
pub struct CallbackBody {
    source_agent_ids: Vec<Uuid>,
    window_days: Option<u32>,
    trigger_outcomes: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
