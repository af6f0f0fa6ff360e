//! What is mirrored of a hosted control API, and what of it is to change. Values only.

use crate::domain::{AgentId, AgentRecord, HostedAgent, HostedNumber, NumberId, NumberRecord};

/// The rows that are a hosted control API's, as they are here.
#[derive(Clone, Debug, Default)]
pub struct Mirrored {
    /// Its agents.
    pub agents: Vec<AgentRecord>,
    /// Its numbers.
    pub numbers: Vec<NumberRecord>,
}

/// What has changed at a hosted control API since it was last mirrored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MirrorChange {
    /// Agents that are new or different, in the order they were made.
    pub agents: Vec<HostedAgent>,
    /// Agents that are not there any more.
    pub gone_agents: Vec<AgentId>,
    /// Numbers that are new or different.
    pub numbers: Vec<HostedNumber>,
    /// Numbers that are not there any more.
    pub gone_numbers: Vec<NumberId>,
}

impl MirrorChange {
    /// Whether nothing has changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.agents.is_empty()
            && self.gone_agents.is_empty()
            && self.numbers.is_empty()
            && self.gone_numbers.is_empty()
    }
}
