//! What a hosted control API says of its agents, numbers and calls, whatever its dialect: the
//! nouns as they are told by others, before anything of ours stands beside them.

use uuid::Uuid;

use super::{
    AgentId, AgentState, Direction, E164, NumberId, Outcome, OutcomeSet, TenantId, Touch, TouchId,
    TouchRecord, UnixMillis, spelled,
};

spelled! {
    /// Whose control API it is.
    pub enum HostedKind {
        /// Talkover's.
        Talkover = "talkover",
        /// CallingBox's.
        CallingBox = "callingbox",
    }
}

impl HostedKind {
    /// Whether it knows the callback role. Where it does not, the role is given here.
    #[must_use]
    pub const fn has_callbacks(self) -> bool {
        matches!(self, Self::Talkover)
    }

    /// Whether it says who a number's default agent is, and names numbers for people. Where it
    /// does not, both are said here.
    #[must_use]
    pub const fn has_defaults(self) -> bool {
        matches!(self, Self::CallingBox)
    }
}

/// A hosted control API that is mirrored here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRecord {
    /// Its name, unique in the installation.
    pub name: String,
    /// Whose API it is.
    pub kind: HostedKind,
    /// Where it is: scheme and host, no trailing slash.
    pub base_url: String,
    /// Who is mirrored into.
    pub tenant: TenantId,
    /// When it was last pulled whole; what is mirrored is at least as new.
    pub last_success_at: Option<UnixMillis>,
    /// Its calls up to then are known, but for what became of those that were not over.
    pub calls_until: Option<UnixMillis>,
}

impl UpstreamRecord {
    /// Whose the rows are, for people.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("{} at {}", self.kind, self.base_url)
    }
}

/// How much of an upstream is mirrored here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirroredCounts {
    /// Agents, archived ones among them.
    pub agents: u64,
    /// Numbers.
    pub numbers: u64,
    /// Agents that hold the callback role.
    pub callbacks: u64,
}

/// The identity here of what a hosted API names so: its own where that is a UUID.
#[must_use]
pub fn hosted_id(tenant: TenantId, id: &str) -> Uuid {
    TouchId::of_external(tenant, id).0
}

/// An agent.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedAgent {
    /// Its identity.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its label, where the dialect has one.
    pub label: Option<String>,
    /// Which way its calls go.
    pub direction: Direction,
    /// Whether it takes calls.
    pub state: AgentState,
    /// Its other fields, as the text of one JSON object.
    pub profile: String,
    /// The numbers attached to it.
    pub numbers: Vec<NumberId>,
    /// The one it shows first.
    pub primary: Option<NumberId>,
    /// Its callback role, where the dialect has the role and the agent holds it.
    pub callback: Option<HostedCallback>,
    /// When it was made, as far as it says.
    pub created_at: UnixMillis,
}

/// A callback role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedCallback {
    /// Its source agents, in order.
    pub sources: Vec<AgentId>,
    /// Its window, where it says so.
    pub window_days: Option<u32>,
    /// Which outcomes count, where it says so.
    pub trigger_outcomes: Option<OutcomeSet>,
}

/// A number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedNumber {
    /// Its identity.
    pub id: NumberId,
    /// The number itself.
    pub e164: E164,
    /// A name for people, where the dialect has one.
    pub friendly_name: Option<String>,
    /// Its inbound agent, where the dialect says so.
    pub default_agent: Option<AgentId>,
}

/// A call, of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedCall {
    /// Its identity, which is its touch's.
    pub id: TouchId,
    /// What it is called there, where that is no UUID.
    pub external_id: Option<String>,
    /// Which way it went.
    pub direction: Direction,
    /// Who called or answered.
    pub agent: Option<AgentId>,
    /// Who called.
    pub from: Option<E164>,
    /// Who was called.
    pub to: Option<E164>,
    /// When it was made.
    pub at: UnixMillis,
    /// How it ended, as far as is known.
    pub outcome: Outcome,
    /// A test, for which nobody is remembered.
    pub is_test: bool,
}

impl HostedCall {
    /// The touch that the call is; `None` where it is none: inbound, a test, or without one of
    /// agent, caller ID and contact.
    #[must_use]
    pub fn touch(&self, tenant: TenantId) -> Option<TouchRecord> {
        if self.direction != Direction::Outbound || self.is_test {
            return None;
        }
        let touch = Touch {
            id: self.id,
            tenant,
            contact: self.to?,
            agent: self.agent?,
            caller_id: self.from?,
            at: self.at.seconds(),
            outcome: self.outcome,
        };
        Some(TouchRecord { touch, external_id: self.external_id.clone(), call: None })
    }
}
