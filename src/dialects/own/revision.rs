//! Changes of a tenant's configuration: what one came to, and the history of all.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::RevisedBody;
use crate::{
    dialects::{Reader, WarningBody, boolean, rfc3339},
    domain::{Names, Refusal, Revised, RevisionId, RevisionRecord},
};

/// How a document is to be applied.
#[derive(Clone, Copy, Debug)]
pub struct ApplyFields {
    /// Rehearse it only.
    pub plan: bool,
    /// Take away what the document does not name.
    pub prune: bool,
}

/// Reads how a document is to be applied.
///
/// # Errors
/// A parameter is not understood.
pub fn apply(mut query: Reader) -> Result<ApplyFields, Refusal> {
    let plan = query.filter("plan", boolean).unwrap_or(false);
    let prune = query.filter("prune", boolean).unwrap_or(false);
    query.finish().map(|()| ApplyFields { plan, prune })
}

/// How a revision is to be gone back to.
#[derive(Clone, Copy, Debug)]
pub struct RollbackFields {
    /// Rehearse it only.
    pub plan: bool,
    /// Undo the revision itself too.
    pub before: bool,
}

/// Reads how a revision is to be gone back to.
///
/// # Errors
/// A parameter is not understood.
pub fn rollback(mut query: Reader) -> Result<RollbackFields, Refusal> {
    let plan = query.filter("plan", boolean).unwrap_or(false);
    let before = query.filter("before", boolean).unwrap_or(false);
    query.finish().map(|()| RollbackFields { plan, before })
}

/// What a document or a rollback has changed, or would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Applied)]
pub struct AppliedBody {
    /// Whether this was a rehearsal.
    planned: bool,
    /// The revision that it left; null where nothing was changed.
    revision: Option<Uuid>,
    changes: Vec<RevisedBody>,
    warnings: Vec<WarningBody>,
}

impl AppliedBody {
    /// What was changed.
    #[must_use]
    pub fn new(
        changes: &[Revised],
        names: &Names,
        revision: Option<RevisionId>,
        warnings: Vec<WarningBody>,
    ) -> Self {
        Self {
            planned: false,
            revision: revision.map(|id| id.0),
            changes: changes.iter().map(|change| RevisedBody::new(change, names)).collect(),
            warnings,
        }
    }

    /// The same, as a rehearsal.
    #[must_use]
    pub fn planned(self) -> Self {
        Self { planned: true, revision: None, ..self }
    }
}

/// A line of history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Revision)]
pub struct RevisionBody {
    id: Uuid,
    /// When.
    at: String,
    /// With which key; null is the daemon itself.
    key_id: Option<Uuid>,
    /// What was done, for people.
    summary: String,
    /// How many things were made.
    created: u64,
    /// How many were changed.
    updated: u64,
    /// How many were taken away.
    deleted: u64,
}

impl From<&RevisionRecord> for RevisionBody {
    fn from(record: &RevisionRecord) -> Self {
        Self {
            id: record.id.0,
            at: rfc3339(record.created_at),
            key_id: record.key.map(|key| key.0),
            summary: record.summary.clone(),
            created: record.created,
            updated: record.updated,
            deleted: record.deleted,
        }
    }
}

/// A line of history with what it did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::RevisionWhole)]
pub struct RevisionWholeBody {
    #[serde(flatten)]
    revision: RevisionBody,
    changes: Vec<RevisedBody>,
}

impl RevisionWholeBody {
    /// A revision and its changes.
    #[must_use]
    pub fn new(record: &RevisionRecord, changes: &[Revised], names: &Names) -> Self {
        let changes = changes.iter().map(|change| RevisedBody::new(change, names)).collect();
        Self { revision: record.into(), changes }
    }
}
