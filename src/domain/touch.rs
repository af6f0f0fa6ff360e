//! One outbound call to a person, remembered.

use super::{AgentId, E164, Outcome, TenantId, TouchId, UnixSeconds};

/// How many touches a contact remembers: the newest of each (agent, caller ID), and of those pairs
/// the eight newest. Past that the oldest pair is evicted and counted.
pub const REMEMBERED_MAX: usize = 8;

/// One outbound call to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Its identity; merging and idempotency go by it.
    pub id: TouchId,
    /// Whose contact it is.
    pub tenant: TenantId,
    /// Who was called.
    pub contact: E164,
    /// The source agent.
    pub agent: AgentId,
    /// The number that was shown.
    pub caller_id: E164,
    /// When the call was placed.
    pub at: UnixSeconds,
    /// How it ended, as far as is known.
    pub outcome: Outcome,
}

impl Touch {
    /// What touches are ordered by everywhere: newer is greater.
    #[must_use]
    pub const fn rank(&self) -> (UnixSeconds, TouchId) {
        (self.at, self.id)
    }

    /// The two accounts of one call made one: the earlier start, the higher outcome. Commutative,
    /// associative and idempotent, so that order and repetition do not matter.
    #[must_use]
    pub fn merged(self, other: &Self) -> Self {
        Self { at: self.at.min(other.at), outcome: self.outcome.max(other.outcome), ..self }
    }
}
