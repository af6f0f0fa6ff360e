//! A tenant's settings, as far as they steer calls.

use super::{AgentId, Attestation, E164, Target, TenantId};

/// A tenant as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its identity.
    pub id: TenantId,
    /// Its name, for people; unique in the installation.
    pub name: String,
    /// What steers its calls.
    pub settings: TenantSettings,
}

/// What steers a tenant's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// How far back a touch counts, in days, unless the callback agent says otherwise; 0 is all
    /// that is kept.
    pub window_days: u32,
    /// How long touches are kept, in days; a longer window is refused.
    pub touch_retention_days: u32,
    /// The least attestation a caller needs.
    pub min_attestation: Attestation,
    /// What becomes of a call below it.
    pub below_min: BelowMin,
    /// The least attestation for which a runtime is told everything about a return call.
    pub context_min_attestation: Attestation,
    /// Who answers when nobody else does.
    pub fallback_agent: Option<AgentId>,
    /// What a caller hears when every target is used up.
    pub last_resort: Target,
    /// Callers who are not served, sorted.
    pub block_list: Vec<E164>,
    /// What they get; `None` is the carrier's reject.
    pub block_target: Option<Target>,
}

impl TenantSettings {
    /// The window where nobody says otherwise.
    pub const WINDOW_DAYS: u32 = 30;
    /// The retention where nobody says otherwise.
    pub const TOUCH_RETENTION_DAYS: u32 = 400;
    /// What is said where the tenant has not chosen its last words.
    pub const LAST_RESORT: &'static str =
        "We are sorry, nobody can take your call right now. Please try again later. Goodbye.";
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            window_days: Self::WINDOW_DAYS,
            touch_retention_days: Self::TOUCH_RETENTION_DAYS,
            min_attestation: Attestation::None,
            below_min: BelowMin::AsWithheld,
            context_min_attestation: Attestation::None,
            fallback_agent: None,
            last_resort: Target::Say(Self::LAST_RESORT.to_owned()),
            block_list: Vec::new(),
            block_target: None,
        }
    }
}

/// What becomes of a call whose attestation is below the tenant's minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BelowMin {
    /// It is routed as if the caller had withheld the number.
    AsWithheld,
    /// It is rejected.
    Reject,
    /// It goes to this agent.
    Agent(AgentId),
}
