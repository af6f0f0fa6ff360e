//! What is kept how long. Forgetting is a write like any other, so that who follows forgets too.

use super::{Tx, WriteError};
use crate::{
    domain::{UnixMillis, UnixSeconds},
    replica::log::Stream,
};

/// Contacts or calls of a tenant forgotten in one write: others get their turn in between.
const FORGOTTEN_MAX: u32 = 500;
/// Kept answers forgotten in one write.
const KEPT_MAX: u32 = 5000;
const DAY_SECONDS: u64 = 24 * 3600;
/// A day's grace, so that nothing goes that a decision at this moment still sees.
const GRACE_SECONDS: u64 = DAY_SECONDS;
/// Deliveries and their logs are kept at most this long after they were over.
const DELIVERIES_DAYS_MAX: u32 = 30;
/// What requests were answered is kept this long: who repeats one later asks anew.
pub(super) const ANSWERS_KEPT_SECONDS: u64 = DAY_SECONDS;
/// Log entries kept whatever their age: a follower that was away shortly needs no snapshot.
const ENTRIES_MIN: u64 = 10_000;
/// Log entries are kept at least this long.
const ENTRIES_KEPT_SECONDS: u64 = DAY_SECONDS;

impl Tx<'_> {
    /// Forgets some of what is too old: touches, calls, the history of the configuration, the audit
    /// trail, kept answers, log entries. Whether there
    /// may be more.
    pub(in crate::store) fn forget_some(&mut self) -> Result<bool, WriteError> {
        let calls_before = self.ago(days(self.settings().call_retention_days));
        let kept_days = self.settings().call_retention_days.min(DELIVERIES_DAYS_MAX);
        let deliveries_before = self.ago(days(kept_days));
        let mut is_more = false;
        for record in self.tenants()? {
            let tenant = record.tenant.id;
            let kept = days(record.tenant.settings.touch_retention_days);
            let cutoff: UnixSeconds = self.ago(kept + GRACE_SECONDS).seconds();
            is_more |= !self.purge_touches(tenant, cutoff, FORGOTTEN_MAX)?.is_empty();
            self.delete_aged_callers(tenant, cutoff)?;
            let erased = self.delete_aged_erasures(tenant, cutoff.millis(), FORGOTTEN_MAX)?;
            is_more |= erased > 0;
            is_more |= self.delete_aged_deliveries(tenant, deliveries_before, FORGOTTEN_MAX)? > 0;
            is_more |= self.delete_aged_calls(tenant, calls_before, FORGOTTEN_MAX)? > 0;
            is_more |= self.delete_aged_revisions(tenant, calls_before, FORGOTTEN_MAX)? > 0;
            // It is noted once a day that calls still find a version.
            let unused = UnixMillis(calls_before.0.saturating_sub(2 * DAY_SECONDS * 1000));
            self.delete_aged_versions(tenant, unused)?;
        }
        self.delete_aged_audit(calls_before)?;
        let answered_before = self.ago(ANSWERS_KEPT_SECONDS);
        is_more |= self.delete_aged_kept(answered_before, KEPT_MAX)? > 0;
        for stream in Stream::ALL {
            self.trim(stream, ENTRIES_MIN, self.ago(ENTRIES_KEPT_SECONDS))?;
        }
        Ok(is_more)
    }

    const fn ago(&self, seconds: u64) -> UnixMillis {
        UnixMillis(self.now().0.saturating_sub(seconds * 1000))
    }
}

fn days(days: u32) -> u64 {
    u64::from(days) * DAY_SECONDS
}
