//! What a write did to a tenant's configuration, thing by thing, and the line of history it leaves.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    AccountId, AgentId, AgentRecord, E164, KeyId, NumberId, NumberRecord, RevisionId, TenantId,
    TenantSettings, UnixMillis, spelled,
};

spelled! {
    /// The kinds of things that are configured.
    pub enum ThingKind {
        /// An agent, its callback role included.
        Agent = "agent",
        /// A number, with who is attached to it.
        Number = "number",
        /// The tenant's settings.
        Settings = "settings",
    }
}

/// A thing that is configured, as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Thing {
    /// An agent.
    Agent(AgentRecord),
    /// A number.
    Number(NumberRecord),
    /// The tenant's settings.
    Settings(TenantSettings),
}

/// What a write did to one thing: made it (no `before`), changed it, or took it away (no `after`).
#[derive(Clone, Debug, PartialEq)]
pub struct Revised {
    /// What it is.
    pub kind: ThingKind,
    /// Its identity; the tenant's for its settings.
    pub id: Uuid,
    /// As it was.
    pub before: Option<Thing>,
    /// As it is.
    pub after: Option<Thing>,
}

/// One line of a tenant's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRecord {
    /// Its identity.
    pub id: RevisionId,
    /// Whose.
    pub tenant: TenantId,
    /// Its place in the order of commits.
    pub place: u64,
    /// With which key it was made; `None` is the daemon itself.
    pub key: Option<KeyId>,
    /// What was done, for people.
    pub summary: String,
    /// How many things were made.
    pub created: u64,
    /// How many were changed.
    pub updated: u64,
    /// How many were taken away.
    pub deleted: u64,
    /// When.
    pub created_at: UnixMillis,
}

/// What people call the agents and numbers that things name by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Agents, those that are gone by their last known name.
    pub agents: BTreeMap<AgentId, String>,
    /// Numbers, likewise.
    pub numbers: BTreeMap<NumberId, E164>,
    /// Carrier accounts.
    pub accounts: BTreeMap<AccountId, String>,
    /// Agents that are not known by their names alone.
    pub repeated: BTreeSet<AgentId>,
}
