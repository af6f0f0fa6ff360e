//! Erasing a person, everywhere in a tenant.
//!
//! What named them is deleted or blanked; that there were calls, and what came of them, stays. A
//! keyed code is left that refuses what comes late: an import of old calls, the status webhook of
//! one, the next pull of a hosted control API. It is kept as long as touches are, since an older
//! one would be forgotten anyway. A call to or from the person after that is a new relation, and
//! remembered.
//!
//! Of the configuration and its history the block list names callers, and they leave it, past and
//! present. Nothing else there is a person's: numbers are the tenant's own while they are in it, a
//! `tel:` target is a place the tenant sends calls to, and names, profiles and notes are what its
//! people wrote of agents and numbers; who is named there is erased where it was written, and from
//! its history as that ages. What is mirrored of a hosted control API is agents and numbers alone:
//! its calls are touches here.

use super::{Tx, WriteError, keep::ANSWERS_KEPT_SECONDS};
use crate::domain::{
    CallId, CallPatch, CallRecord, CallStatus, ContactRefusal, DialState, E164, Erased, Refusal,
    TenantId, UnixMillis, VersionId,
};

/// Calls of one write: others get their turn in between.
const CALLS_MAX: u32 = 500;
/// Lines of history of one write: each may hold a block list of ten thousand, twice.
const REVISIONS_MAX: u32 = 50;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// A call that was not heard of for so long is in no answer that is kept.
const ANSWERS_KEPT_MS: u64 = ANSWERS_KEPT_SECONDS * 1000;

/// Why a call that had not left was not placed.
pub(super) const ERASED: &str = "contact_erased";

impl Tx<'_> {
    /// Takes a person out of some of their calls and of what history says; whether there may be
    /// more.
    ///
    /// # Errors
    /// Unknown tenant; the number is the tenant's own.
    pub fn erase_some(
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
        let is_all = |count: usize, max| u32::try_from(count).is_ok_and(|count| count < max);
        let is_last = is_all(calls.len(), CALLS_MAX);
        for call in calls {
            self.erase_call(call, contact, erased)?;
        }
        let revisions = self.erase_from_revisions(tenant, contact, REVISIONS_MAX)?;
        erased.revisions += revisions;
        Ok(!is_last || !is_all(revisions, REVISIONS_MAX))
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
        let mut settings = self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?.tenant.settings;
        self.erase_some(tenant, contact, &mut erased)?;
        if settings.block_list.contains(&contact) {
            settings.block_list.retain(|blocked| *blocked != contact);
            self.put_settings(tenant, &settings)?;
            erased.blocks += 1;
        }
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
        self.erased = Some((tenant, contact));
        self.leave_no_trace();
        Ok(erased)
    }

    /// What a call said itself in the place of an agent, which may speak of its person.
    fn own_words(&self, call: &CallRecord) -> Result<Option<VersionId>, WriteError> {
        let speaker = self.implicit_caller(call.tenant)?;
        Ok(call.version.filter(|_| speaker.is_some() && call.agent == speaker))
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
        let words = self.own_words(&call)?;
        if words.is_some() {
            call.version = None;
        }
        self.put_call(&call)?;
        erased.calls += 1;
        if let Some(version) = words {
            erased.words += self.delete_unused_version(version)?;
        }
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
