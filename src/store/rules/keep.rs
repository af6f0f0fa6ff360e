//! What is kept how long. Forgetting is a write like any other, so that who follows forgets too.

use super::{Tx, WriteError};
use crate::{
    domain::{PurgeKind, Purged, Retention, Tenant, TenantId, UnixMillis},
    replica::log::Stream,
};

/// What one write forgets in all: others get their turn in between. Contacts and transcripts go
/// whole, so that the last of them may exceed it.
const FORGOTTEN_MAX: u32 = 500;
const DAY_SECONDS: u64 = 24 * 3600;
/// What requests were answered is kept this long: who repeats one later asks anew.
pub(super) const ANSWERS_KEPT_SECONDS: u64 = DAY_SECONDS;
/// Log entries kept whatever their age: a follower that was away shortly needs no snapshot.
const ENTRIES_MIN: u64 = 10_000;
/// Log entries kept at most for a snapshot of touches that the next start may go on from: to read
/// more takes as long as to read all touches there are.
const ENTRIES_NEEDED_MAX: u64 = 1_000_000;
/// Log entries of a stream that one write forgets. They lie one after the other, and go faster than
/// rows of which each has its indexes.
const TRIMMED_MAX: u32 = 5_000;
/// Log entries are kept at least this long.
const ENTRIES_KEPT_SECONDS: u64 = DAY_SECONDS;

/// What a write has forgotten by now, and how much more it may.
struct Round {
    purged: Purged,
    left: u32,
}

impl Round {
    fn note(&mut self, tenant: Option<TenantId>, kind: PurgeKind, count: usize) {
        self.left = self.left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        self.purged.add(tenant, kind, u64::try_from(count).unwrap_or(u64::MAX));
    }
}

impl Tx<'_> {
    /// Forgets some of what is too old: how much, and whether there may be more. Somebody needs the
    /// log of touches from a place on.
    pub(in crate::store) fn forget_some(
        &mut self,
        needed: u64,
    ) -> Result<(Purged, bool), WriteError> {
        let mut round = Round { purged: Purged::default(), left: FORGOTTEN_MAX };
        let retention = self.settings().retention;
        for record in self.tenants()? {
            let Tenant { id, settings, .. } = record.tenant;
            let retention = retention.of(&settings);
            for kind in PurgeKind::ALL.iter().copied().filter(|kind| kind.is_of_tenants()) {
                let before = self.cutoff(retention, kind);
                let count = self.forget_of_tenant(id, kind, before, round.left)?;
                round.note(Some(id), kind, count);
            }
        }
        let before = self.cutoff(retention, PurgeKind::Audit);
        let audit = self.delete_aged_audit(before, round.left)?;
        round.note(None, PurgeKind::Audit, audit);
        let before = self.cutoff(retention, PurgeKind::Answers);
        let answers = self.delete_aged_kept(before, round.left)?;
        round.note(None, PurgeKind::Answers, answers);
        let mut is_more = round.left == 0;
        for stream in Stream::ALL {
            let before = self.ago(ENTRIES_KEPT_SECONDS);
            let kept_min = match stream {
                Stream::Control => ENTRIES_MIN,
                Stream::Touches => {
                    let since = self.head(stream)?.seq.saturating_sub(needed);
                    since.clamp(ENTRIES_MIN, ENTRIES_NEEDED_MAX)
                }
            };
            let trimmed = self.trim(stream, kept_min, before, TRIMMED_MAX)?;
            is_more |= u32::try_from(trimmed).is_ok_and(|trimmed| trimmed == TRIMMED_MAX);
        }
        Ok((round.purged, is_more))
    }

    fn forget_of_tenant(
        &mut self,
        tenant: TenantId,
        kind: PurgeKind,
        before: UnixMillis,
        max: u32,
    ) -> Result<usize, WriteError> {
        match kind {
            PurgeKind::Touches => self.purge_touches(tenant, before.seconds(), max),
            PurgeKind::Callers => self.delete_aged_callers(tenant, before.seconds(), max),
            PurgeKind::Erasures => self.delete_aged_erasures(tenant, before, max),
            PurgeKind::Deliveries => self.delete_aged_deliveries(tenant, before, max),
            PurgeKind::Transcripts => self.purge_transcripts(tenant, before, max),
            PurgeKind::Calls => self.delete_aged_calls(tenant, before, max),
            PurgeKind::Revisions => self.delete_aged_revisions(tenant, before, max),
            PurgeKind::AgentVersions => self.delete_aged_versions(tenant, before, max),
            PurgeKind::Audit | PurgeKind::Answers => Ok(0),
        }
    }

    /// What is of a kind and from before this goes.
    fn cutoff(&self, retention: Retention, kind: PurgeKind) -> UnixMillis {
        self.ago(u64::from(retention.days(kind) + grace_days(kind)) * DAY_SECONDS)
    }

    const fn ago(&self, seconds: u64) -> UnixMillis {
        UnixMillis(self.now().0.saturating_sub(seconds * 1000))
    }
}

/// Days that are given on top.
const fn grace_days(kind: PurgeKind) -> u32 {
    match kind {
        // So that nothing goes that a decision at this moment still sees.
        PurgeKind::Touches | PurgeKind::Callers | PurgeKind::Erasures => 1,
        // It is noted once a day that calls still find a version.
        PurgeKind::AgentVersions => 2,
        PurgeKind::Deliveries
        | PurgeKind::Transcripts
        | PurgeKind::Calls
        | PurgeKind::Revisions
        | PurgeKind::Audit
        | PurgeKind::Answers => 0,
    }
}
