//! What is kept how long, and what forgetting last took.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    dialects::rfc3339,
    domain::{Purge, PurgeKind, Retention, TenantId},
};

/// What is kept how long.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Retention)]
pub struct RetentionBody {
    /// When what is too old was last forgotten; null while the first time since the start lasts.
    last_run_at: Option<String>,
    /// For a tenant its own; for operators everybody's, with the audit trail and kept answers.
    kinds: Vec<RetainedBody>,
}

/// A kind of thing that is kept for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Retained)]
pub struct RetainedBody {
    /// Its name; transcripts are counted by segment.
    kind: &'static str,
    /// How many days it is kept. Touches: as the tenant says; for operators as configured.
    keep_days: u32,
    /// How much of it the last run has deleted.
    purged_last_run: u64,
}

impl RetentionBody {
    /// As a tenant sees it, or operators.
    #[must_use]
    pub fn new(tenant: Option<TenantId>, retention: Retention, last: Option<&Purge>) -> Self {
        let is_seen = |kind: &PurgeKind| tenant.is_none() || kind.is_of_tenants();
        let retained = |kind: PurgeKind| RetainedBody {
            kind: kind.as_str(),
            keep_days: retention.days(kind),
            purged_last_run: last.map_or(0, |last| last.purged.count(tenant, kind)),
        };
        Self {
            last_run_at: last.map(|last| rfc3339(last.at)),
            kinds: PurgeKind::ALL.iter().copied().filter(is_seen).map(retained).collect(),
        }
    }
}
