//! Whoever answers or calls, as far as routing needs to know.

use super::{
    AgentId, Attestation, MediaFormat, OutcomeSet, RuntimeMedia, Target, TenantId, spelled,
};

spelled! {
    /// Which way an agent's calls go.
    pub enum Direction {
        /// Answers calls.
        Inbound = "inbound",
        /// Places calls.
        Outbound = "outbound",
    }
}

spelled! {
    /// An agent's life. A deleted agent is gone, not a state.
    pub enum AgentState {
        /// Not taking calls yet, or unpublished again.
        Draft = "draft",
        /// Taking calls.
        Live = "live",
        /// Retired; its touches still count.
        Archived = "archived",
    }
}

/// An agent as the index holds it: what a decision, a ladder and a runtime's `start` need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its identity.
    pub id: AgentId,
    /// Its owner.
    pub tenant: TenantId,
    /// Its name, for people.
    pub name: String,
    /// Which way its calls go.
    pub direction: Direction,
    /// Whether it takes calls.
    pub state: AgentState,
    /// Its ladder, tried in order.
    pub targets: Vec<Target>,
    /// The callback role, if it holds it.
    pub callback: Option<Callback>,
    /// Constant parameters for its runtime's `start.customParameters`.
    pub runtime_parameters: Vec<(String, String)>,
    /// Move to the next target when the runtime has sent no audio for this long after the call
    /// began. `None` (the default): a bot that only listens is healthy.
    pub first_audio_timeout_ms: Option<u32>,
    /// The least attestation for which it believes who is calling back; below it the callback role
    /// does not see the call, though the agent still answers as a default. It adds to the tenant's
    /// minimum and cannot lower it; `None` asks for no more.
    pub min_attestation: Option<Attestation>,
    /// The least attestation for which its runtime is told everything about a return call; `None`
    /// is the tenant's.
    pub context_min_attestation: Option<Attestation>,
    /// What its runtime speaks; `None` is PCMU.
    pub runtime_media: Option<RuntimeMedia>,
}

impl Agent {
    /// Whether it is in business; with a target besides, it is routable.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == AgentState::Live
    }

    /// The audio its runtime speaks.
    #[must_use]
    pub fn runtime_format(&self) -> MediaFormat {
        self.runtime_media.unwrap_or(RuntimeMedia::Pcmu).format()
    }
}

/// The callback role: return calls after these agents' calls are this agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The source agents, in the order they were given; never empty, never twice the same.
    pub sources: Vec<AgentId>,
    /// How far back a touch counts, in days; 0 is all that is kept, `None` the tenant's.
    pub window_days: Option<u32>,
    /// Which outcomes count.
    pub trigger_outcomes: OutcomeSet,
    /// Place in the control log where the role was taken: earlier has held it longer.
    pub since: u64,
}
