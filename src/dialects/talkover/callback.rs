//! Talkover's callback agents: the role as set, as read and as listed, each in its own shape.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AgentState;
use crate::{
    dialects::{agent::AgentNamed, schema},
    domain::{AgentId, AgentRecord, OutcomeSet, Target},
};

/// `callback_config`. Our own fields are there only where they are set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackConfig)]
struct Config {
    source_agent_ids: Vec<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<schema::Outcome>)]
    callback_trigger_statuses: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    window_days: Option<u32>,
}

impl Config {
    /// Whether it says more than Talkover's own fields do.
    const fn says_more(&self) -> bool {
        self.callback_trigger_statuses.is_some() || self.window_days.is_some()
    }

    /// Without the role the list is empty, as Talkover shows nothing else there.
    fn of(record: &AgentRecord) -> Self {
        let callback = record.agent.callback.as_ref();
        let sources = callback.map(|callback| callback.sources.as_slice()).unwrap_or_default();
        let outcomes = callback.map(|callback| callback.trigger_outcomes);
        Self {
            source_agent_ids: sources.iter().map(|source| source.0).collect(),
            callback_trigger_statuses: outcomes
                .filter(|outcomes| *outcomes != OutcomeSet::ALL)
                .map(|outcomes| outcomes.iter().map(|outcome| outcome.as_str()).collect()),
            window_days: callback.and_then(|callback| callback.window_days),
        }
    }
}

/// Set Agent as Callback's answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Callback)]
pub struct CallbackBody {
    id: Uuid,
    name: String,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    callback_config: Config,
    #[schema(value_type = Vec<schema::Target>)]
    targets: Vec<String>,
}

impl From<&AgentRecord> for CallbackBody {
    fn from(record: &AgentRecord) -> Self {
        Self {
            id: record.agent.id.0,
            name: record.agent.name.clone(),
            direction: record.agent.direction.as_str(),
            callback_config: Config::of(record),
            targets: record.agent.targets.iter().map(Target::to_string).collect(),
        }
    }
}

/// Update Callback Sources' answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackSources)]
pub struct SourcesBody {
    id: Uuid,
    callback_config: Config,
    #[schema(value_type = Vec<schema::Target>)]
    targets: Vec<String>,
}

impl From<&AgentRecord> for SourcesBody {
    fn from(record: &AgentRecord) -> Self {
        Self {
            id: record.agent.id.0,
            callback_config: Config::of(record),
            targets: record.agent.targets.iter().map(Target::to_string).collect(),
        }
    }
}

/// A row of List Callback Agents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackListed)]
pub struct CallbackListed {
    id: Uuid,
    name: String,
    label: String,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    current_status: &'static str,
    callback_config: Config,
}

impl From<&AgentRecord> for CallbackListed {
    fn from(record: &AgentRecord) -> Self {
        let agent = &record.agent;
        Self {
            id: agent.id.0,
            name: agent.name.clone(),
            label: record.label.clone().unwrap_or_else(|| agent.name.clone()),
            direction: agent.direction.as_str(),
            current_status: AgentState::word(agent.state),
            callback_config: Config::of(record),
        }
    }
}

/// An agent in four words: a row of List Callback Source Agents, and the head of Get Callback
/// Agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::AgentInShort)]
pub struct SourceBody {
    id: Uuid,
    name: String,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    current_status: &'static str,
}

impl From<&AgentRecord> for SourceBody {
    fn from(record: &AgentRecord) -> Self {
        Self {
            id: record.agent.id.0,
            name: record.agent.name.clone(),
            direction: record.agent.direction.as_str(),
            current_status: AgentState::word(record.agent.state),
        }
    }
}

/// Get Callback Agent's answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackAgent)]
pub struct CallbackAgentBody {
    agent: SourceBody,
    source_agents: Vec<AgentNamed>,
    stats: Stats,
    /// Ours: there only where it says more than `source_agents` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    callback_config: Option<Config>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackAgentStats)]
struct Stats {
    total_callbacks_received: u64,
    callbacks_answered: u64,
}

impl CallbackAgentBody {
    /// A callback agent with its sources' names and its count of return calls.
    #[must_use]
    pub fn new(
        record: &AgentRecord,
        sources: &[(AgentId, String)],
        received: u64,
        answered: u64,
    ) -> Self {
        Self {
            agent: SourceBody::from(record),
            source_agents: sources.iter().map(|(id, name)| AgentNamed::new(*id, name)).collect(),
            stats: Stats { total_callbacks_received: received, callbacks_answered: answered },
            callback_config: Some(Config::of(record)).filter(Config::says_more),
        }
    }
}
