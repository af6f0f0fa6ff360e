//! A tenant's configuration as one document names it: things by name, so that it can be written by
//! hand and carried from one tenant to another.
//!
//! In every part `None` leaves a field as it is and `Some(None)` clears it. A list is the whole
//! list.

use super::{AgentId, AgentState, Attestation, Direction, E164, OutcomeSet, RuntimeMedia, Target};

/// A field that a document names with a value, names with nothing, or does not name.
type Named<T> = Option<Option<T>>;

/// An agent as a document refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentRef {
    /// By its id; or by its name, where a name may be read as an id that no agent has.
    Id(AgentId, String),
    /// By its name, which must be unique among agents that are not archived.
    Name(String),
}

/// A number as a document refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumberRef {
    /// The number itself.
    pub e164: E164,
    /// The name of its account, `Some(None)` where it has none; `None` where the document does not
    /// say and the tenant has the number once.
    pub account: Named<String>,
}

/// A target as a document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetRef {
    /// Any that needs nobody to be looked up.
    Plain(Target),
    /// Another agent.
    Agent(AgentRef),
}

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// Agents, where it lists any kind of them.
    pub agents: Option<Vec<AgentSetup>>,
    /// Numbers, likewise.
    pub numbers: Option<Vec<NumberSetup>>,
    /// The tenant's settings.
    pub settings: SettingsSetup,
}

/// What a document says of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentSetup {
    /// Its id, where it is not known by its name.
    pub id: Option<AgentId>,
    /// Its name.
    pub name: Option<String>,
    /// Which way its calls go; required of a new one.
    pub direction: Option<Direction>,
    /// Its state; a new one is live.
    pub state: Option<AgentState>,
    /// Its label.
    pub label: Named<String>,
    /// Its numbers. What the tenant does not have yet is added.
    pub numbers: Option<Vec<NumberRef>>,
    /// The number it shows first.
    pub primary: Option<NumberRef>,
    /// Its ladder.
    pub targets: Option<Vec<TargetRef>>,
    /// Constant parameters of its runtime.
    pub runtime_parameters: Option<Vec<(String, String)>>,
    /// See [`super::Agent`].
    pub first_audio_timeout_ms: Named<u32>,
    /// The least attestation it asks for, in place of the tenant's.
    pub min_attestation: Named<Attestation>,
    /// The same for the whole return context.
    pub context_min_attestation: Named<Attestation>,
    /// What its runtime speaks; null is PCMU.
    pub runtime_media: Named<RuntimeMedia>,
    /// Fields that are kept for others, each the text of a JSON value; `None` takes it away.
    pub profile: Vec<(String, Option<String>)>,
    /// The sources of its callback role; none: it has no such role.
    pub sources: Option<Vec<AgentRef>>,
    /// The role's window.
    pub window_days: Named<u32>,
    /// Which outcomes count for the role.
    pub trigger_outcomes: Option<OutcomeSet>,
}

/// What a document says of one number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberSetup {
    /// Which.
    pub number: NumberRef,
    /// A name for people.
    pub friendly_name: Named<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Named<TargetRef>,
    /// The agent that claims it.
    pub default_agent: Option<AgentRef>,
}

/// What a document says of the tenant's settings. See [`super::TenantSettings`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsSetup {
    /// The window where nobody says otherwise.
    pub window_days: Option<u32>,
    /// How long touches are kept.
    pub touch_retention_days: Option<u32>,
    /// The least attestation a caller needs.
    pub min_attestation: Option<Attestation>,
    /// What becomes of a call below it.
    pub below_min: Option<BelowMinRef>,
    /// The least attestation for the whole return context.
    pub context_min_attestation: Option<Attestation>,
    /// Who answers when nobody else does.
    pub fallback_agent: Named<AgentRef>,
    /// What a caller hears when every target is used up.
    pub last_resort: Option<Target>,
    /// Callers who are not served.
    pub block_list: Option<Vec<E164>>,
    /// What they get.
    pub block_target: Named<Target>,
}

/// What becomes of a call below the minimum, as a document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BelowMinRef {
    /// As if the caller had withheld the number.
    AsWithheld,
    /// It is rejected.
    Reject,
    /// It goes to this agent.
    Agent(AgentRef),
}
