//! Erasing a person, everywhere in a tenant.
//!
//! What named them is deleted or blanked; that there were calls, and what came of them, stays. A
//! keyed code is left that refuses what comes late: an import of old calls, the status webhook of
//! one. It is kept as long as touches are, since an older one would be forgotten anyway. A call to
//! or from the person after that is a new relation, and remembered.

use super::{Tx, WriteError, keep::ANSWERS_KEPT_SECONDS};
use crate::domain::{
    CallId, CallPatch, CallStatus, ContactRefusal, DialState, E164, Erased, Refusal, TenantId,
    UnixMillis,
};

/// Calls of one write: others get their turn in between.
const CALLS_MAX: u32 = 500;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// A call that was not heard of for so long is in no answer that is kept.
const ANSWERS_KEPT_MS: u64 = ANSWERS_KEPT_SECONDS * 1000;

/// Why a call that had not left was not placed.
pub(super) const ERASED: &str = "contact_erased";

impl Tx<'_> {
    /// Takes a person out of some of their calls; whether there may be more.
    ///
    /// # Errors
    /// Unknown tenant; the number is the tenant's own.
    pub fn erase_calls(
        &mut self,
        tenant: TenantId,
        contact: E164,
        erased: &mut Erased,
    ) -> Result<bool, WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        if self.is_own_number(tenant, contact)? {
            return Err(Refusal::Contact(ContactRefusal::OwnNumber).into());
        }
        let calls = self.call_ids_with(tenant, contact, CALLS_MAX)?;
        let is_more = u32::try_from(calls.len()).is_ok_and(|found| found == CALLS_MAX);
        for call in calls {
            self.erase_call(call, contact, erased)?;
        }
        Ok(is_more)
    }

    /// Erases a person of whom `erased` has been erased by now, and leaves the code that refuses
    /// what comes late. Asked once more, it changes nothing.
    ///
    /// # Errors
    /// Unknown tenant; the number is the tenant's own.
    pub fn erase_contact(
        &mut self,
        tenant: TenantId,
        contact: E164,
        mut erased: Erased,
    ) -> Result<Erased, WriteError> {
        let settings = self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?.tenant.settings;
        self.erase_calls(tenant, contact, &mut erased)?;
        erased.touches += self.delete_touches_of(tenant, contact)?;
        erased.answers += self.delete_kept_with(tenant, &contact.as_u64().to_string())?;
        let is_news = erased.touches > 0 || erased.calls > 0;
        let at = match self.erased_at(tenant, contact)?.filter(|_| !is_news) {
            Some(at) => at,
            None => {
                self.put_erasure(tenant, contact)?;
                self.now()
            }
        };
        let kept = u64::from(settings.touch_retention_days) * DAY_MS;
        erased.tombstone_until = UnixMillis(at.0.saturating_add(kept));
        self.insert_audit(Some(tenant), "contact.erase", None)?;
        self.leave_no_trace();
        Ok(erased)
    }

    fn erase_call(
        &mut self,
        id: CallId,
        contact: E164,
        erased: &mut Erased,
    ) -> Result<(), WriteError> {
        let Some(mut call) = self.any_call(id)? else { return Ok(()) };
        let dial = self.any_dial(id)?;
        call.erase(contact);
        self.put_call(&call)?;
        erased.calls += 1;
        erased.briefs += usize::from(self.delete_dial(id)?);
        self.delete_campaign_call(id)?;
        erased.deliveries += self.delete_deliveries_of(call.tenant, id)?;
        let (results, segments) = self.delete_details(id)?;
        (erased.results, erased.segments) = (erased.results + results, erased.segments + segments);
        if call.updated_at.0 + ANSWERS_KEPT_MS > self.now().0 {
            erased.answers += self.delete_kept_with(call.tenant, &id.to_string())?;
        }
        if dial.is_some_and(|dial| dial.state == DialState::Queued) && !call.status.is_final() {
            let now = self.now();
            self.upsert_call(&CallPatch {
                status: Some(CallStatus::Failed),
                ended_at: Some(now),
                error_code: Some(ERASED.to_owned()),
                ..CallPatch::new(id, call.tenant, now)
            })?;
            erased.canceled.push(id);
        }
        Ok(())
    }
}
