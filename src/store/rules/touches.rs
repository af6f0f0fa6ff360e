//! Touches: merging what comes in any order and however often.

use super::{Tx, WriteError};
use crate::{
    domain::{Refusal, TenantId, Touch, TouchRecord, UnixSeconds},
    store::{MergedTouches, Rows},
    telemetry::metrics,
};

/// Other dialers' clocks are not ours, and some tell of a call only when it is over: so much after
/// an erasure what they tell may still be of before it.
const CLOCKS_APART_SECONDS: u64 = 300;

impl Rows<'_> {
    /// Whether a touch that is not known is of a time from which its person has been erased.
    ///
    /// # Errors
    /// The store's.
    pub fn is_late(&self, touch: &Touch) -> Result<bool, WriteError> {
        let Some(erased_at) = self.erased_at(touch.tenant, touch.contact)? else {
            return Ok(false);
        };
        let is_before = touch.at.0 <= erased_at.seconds().0 + CLOCKS_APART_SECONDS;
        Ok(is_before && self.touch(touch.tenant, touch.id)?.is_none())
    }
}

impl Tx<'_> {
    /// Merges touches: of the same id the higher outcome and the earlier start. What is known of a
    /// touch otherwise stays as it was first told; one that names another person under a known id
    /// changes nothing; one from before its person was erased is refused.
    ///
    /// # Errors
    /// Unknown tenant; a touch of another tenant.
    pub fn merge_touches(
        &mut self,
        tenant: TenantId,
        touches: Vec<TouchRecord>,
    ) -> Result<MergedTouches, WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let mut merged = MergedTouches::default();
        for (place, record) in touches.into_iter().enumerate() {
            if record.touch.tenant != tenant {
                return Err(Refusal::TenantNotFound.into());
            }
            if self.is_late(&record.touch)? {
                metrics::touch_erased();
                merged.erased.push(place);
            } else if self.merge(&record)? {
                merged.accepted += 1;
            } else {
                merged.duplicates += 1;
            }
        }
        // What the daemon itself remembers of its calls is told by the calls.
        if self.actor().key.is_some() && merged.accepted > 0 {
            self.insert_audit(Some(tenant), "touches.merge", None)?;
        }
        Ok(merged)
    }

    /// Whether the touch was new or changed what was known.
    pub(super) fn merge(&mut self, record: &TouchRecord) -> Result<bool, WriteError> {
        let told = record.touch;
        let Some(known) = self.touch(told.tenant, told.id)? else {
            self.put_touch(record)?;
            self.touch_added(told);
            return Ok(true);
        };
        if known.touch.contact != told.contact {
            return Ok(false);
        }
        let touch: Touch = known.touch.merged(&told);
        let call = known.call.or(record.call);
        if touch == known.touch && call == known.call {
            return Ok(false);
        }
        self.put_touch(&TouchRecord { touch, call, external_id: known.external_id })?;
        if touch.rank() < known.touch.rank() {
            // It may no longer be the newest of its pair, and what takes its place is in the rows.
            self.touch_contact(touch.tenant, touch.contact);
        } else if touch != known.touch {
            self.touch_added(touch);
        }
        Ok(true)
    }

    /// Forgets touches before the cutoff, of so many contacts at most; how many.
    ///
    /// # Errors
    /// The store's.
    pub fn purge_touches(
        &mut self,
        tenant: TenantId,
        cutoff: UnixSeconds,
        contacts_max: u32,
    ) -> Result<usize, WriteError> {
        let mut count = 0;
        for contact in self.aged_contacts(tenant, cutoff, contacts_max)? {
            count += self.delete_aged(tenant, contact, cutoff)?;
            self.touch_contact(tenant, contact);
        }
        Ok(count)
    }
}
