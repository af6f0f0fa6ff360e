//! What is kept of a call beside its row: its agent as it was, its result, what was said.

use uuid::Uuid;

use super::{TenantId, UnixMillis, VersionId, spelled};

/// An agent's name and profile at some moment. Calls hold on to it, however the agent is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentVersion {
    /// Its identity.
    pub id: VersionId,
    /// The agent's name.
    pub name: String,
    /// The agent's profile: see [`super::AgentRecord::profile`].
    pub profile: String,
}

impl VersionId {
    /// The id of what a tenant's agents looked like: the same name and profile are one version.
    #[must_use]
    pub fn of(tenant: TenantId, name: &str, profile: &str) -> Self {
        // The length tells where the name ends.
        let text = format!("{}:{name}{profile}", name.len());
        Self(Uuid::new_v5(&tenant.0, text.as_bytes()))
    }
}

spelled! {
    /// Whether a call's result is known.
    pub enum ResultStatus {
        /// Not yet, or never.
        Pending = "pending",
        /// It is.
        Completed = "completed",
        /// It could not be found out.
        Failed = "failed",
    }
}

/// What came of a call, as its runtime says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The fields that the agent returns, as the text of one JSON object.
    Completed(String),
    /// There is none, and why.
    Failed(String),
}

impl CallResult {
    /// Whether it is known.
    #[must_use]
    pub const fn status(&self) -> ResultStatus {
        match self {
            Self::Completed(_) => ResultStatus::Completed,
            Self::Failed(_) => ResultStatus::Failed,
        }
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> Option<&str> {
        match self {
            Self::Completed(fields) => Some(fields),
            Self::Failed(_) => None,
        }
    }

    /// Why there is none.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Completed(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// Something that was said in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its place among what was said.
    pub sequence_no: u32,
    /// Who said it: a word of the runtime's.
    pub role: String,
    /// What.
    pub text: String,
    /// From when.
    pub started_at: Option<UnixMillis>,
    /// Until when.
    pub ended_at: Option<UnixMillis>,
    /// Who wrote it down: a word of the runtime's.
    pub source: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_name_and_profile() {
        let tenant = TenantId(Uuid::from_u128(1));
        let id = VersionId::of(tenant, "Desk", "{}");
        assert_eq!(id, VersionId::of(tenant, "Desk", "{}"));
        for other in [
            VersionId::of(TenantId(Uuid::from_u128(2)), "Desk", "{}"),
            VersionId::of(tenant, "Desk{", "}"),
            VersionId::of(tenant, "", "Desk{}"),
        ] {
            assert_ne!(id, other);
        }
    }
}
