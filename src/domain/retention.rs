//! What is kept how long, and what forgetting took.

use std::collections::BTreeMap;

use super::{TenantId, TenantSettings, UnixMillis, spelled};

/// Deliveries and their logs are kept at most this long after they were over.
const DELIVERIES_DAYS_MAX: u32 = 30;
/// What requests were answered is kept this long: who repeats one later asks anew.
const ANSWERS_DAYS: u32 = 1;

spelled! {
    /// What is kept for a while and then forgotten.
    pub enum PurgeKind {
        /// Touches.
        Touches = "touches",
        /// Numbers that agents have shown, one for each agent and number.
        Callers = "callers",
        /// What keeps the touches of erased persons out.
        Erasures = "erasures",
        /// Events that subscribers were told of, with the attempts.
        Deliveries = "deliveries",
        /// Segments of transcripts.
        Transcripts = "transcripts",
        /// Calls with what is left beside them, results above all.
        Calls = "calls",
        /// The history of the configuration.
        Revisions = "revisions",
        /// Agents as calls found them.
        AgentVersions = "agent_versions",
        /// Lines of the audit trail.
        Audit = "audit",
        /// What requests were answered that may come again.
        Answers = "answers",
    }
}

impl PurgeKind {
    /// Whether they are counted by tenant; the others are the installation's.
    #[must_use]
    pub const fn is_of_tenants(self) -> bool {
        !matches!(self, Self::Audit | Self::Answers)
    }
}

/// How long what is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Touches, where no tenant says otherwise.
    pub touches: u32,
    /// Calls, and what is of no use without them.
    pub calls: u32,
    /// What was said in calls, counted from where the call began.
    pub transcripts: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { touches: TenantSettings::TOUCH_RETENTION_DAYS, calls: 400, transcripts: 90 }
    }
}

impl Retention {
    /// The same as a tenant has it.
    #[must_use]
    pub const fn of(self, settings: &TenantSettings) -> Self {
        Self { touches: settings.touch_retention_days, ..self }
    }

    /// How many days things of a kind are kept.
    #[must_use]
    pub fn days(self, kind: PurgeKind) -> u32 {
        match kind {
            PurgeKind::Touches | PurgeKind::Callers | PurgeKind::Erasures => self.touches,
            PurgeKind::Deliveries => self.calls.min(DELIVERIES_DAYS_MAX),
            PurgeKind::Transcripts => self.calls.min(self.transcripts),
            PurgeKind::Calls
            | PurgeKind::Revisions
            | PurgeKind::AgentVersions
            | PurgeKind::Audit => self.calls,
            PurgeKind::Answers => ANSWERS_DAYS,
        }
    }
}

/// How much was forgotten, by whose it was and by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged(BTreeMap<(Option<TenantId>, PurgeKind), u64>);

impl Purged {
    /// Adds to it.
    pub fn add(&mut self, tenant: Option<TenantId>, kind: PurgeKind, count: u64) {
        if count > 0 {
            let sum = self.0.entry((tenant, kind)).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// Adds all of another.
    pub fn append(&mut self, other: &Self) {
        for (&(tenant, kind), &count) in &other.0 {
            self.add(tenant, kind, count);
        }
    }

    /// How much of a kind: a tenant's, or everybody's.
    #[must_use]
    pub fn count(&self, tenant: Option<TenantId>, kind: PurgeKind) -> u64 {
        let is_meant = |of: Option<TenantId>| tenant.is_none() || of == tenant;
        let counts = self.0.iter().filter(|((of, what), _)| *what == kind && is_meant(*of));
        counts.map(|(_, count)| count).sum()
    }
}

/// A run of forgetting that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// When it began.
    pub at: UnixMillis,
    /// What it took.
    pub purged: Purged,
}
