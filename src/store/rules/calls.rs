//! Call rows: what several accounts of one call, in any order and however often, make of it.

use super::{Tx, WriteError};
use crate::domain::{
    CallId, CallPatch, CallRecord, CallStatus, CallStep, Direction, Refusal, TenantId, VersionId,
};
use crate::store::CallChange;

impl Tx<'_> {
    /// Writes what has become known of a call, making its row where there is none. Its status only
    /// advances, facts and points in time stay as first told, targets tried add up.
    ///
    /// # Errors
    /// Unknown tenant; the id is another tenant's call; an outbound call that was not placed here.
    pub fn upsert_call(&mut self, told: &CallPatch) -> Result<CallRecord, WriteError> {
        self.tenant(told.tenant)?.ok_or(Refusal::TenantNotFound)?;
        let before = self.any_call(told.id)?;
        match &before {
            Some(known) if known.tenant != told.tenant => {
                return Err(Refusal::CallNotFound.into());
            }
            // A call of ours has its row before anybody can tell of it.
            None if told.direction == Some(Direction::Outbound) => {
                return Err(Refusal::CallNotFound.into());
            }
            Some(_) | None => {}
        }
        let after = self.tell_call(before, told)?;
        if after.direction == Direction::Outbound && (told.status.is_some() || told.by_machine) {
            self.follow_dial(&after, told.by_machine)?;
        }
        Ok(after)
    }

    /// Notes that a call was steered: `call.hangup`, `call.transfer`, `call.move`.
    ///
    /// # Errors
    /// No such call.
    pub fn note_steering(
        &mut self,
        tenant: TenantId,
        id: CallId,
        action: &str,
    ) -> Result<(), WriteError> {
        self.call(tenant, id)?.ok_or(Refusal::CallNotFound)?;
        self.insert_audit(Some(tenant), action, Some(id.0))
    }

    /// Writes what a call was with what is told of it, for all who listen.
    pub(super) fn tell_call(
        &mut self,
        before: Option<CallRecord>,
        told: &CallPatch,
    ) -> Result<CallRecord, WriteError> {
        self.tell_call_as(before, told, None)
    }

    /// The same of a call whose agent is like this.
    pub(super) fn tell_call_as(
        &mut self,
        before: Option<CallRecord>,
        told: &CallPatch,
        version: Option<VersionId>,
    ) -> Result<CallRecord, WriteError> {
        let mut after = merged(before.clone().unwrap_or_else(|| unknown(told)), told.clone());
        after.version = after.version.or(version);
        if after.version.is_none() && before.as_ref().and_then(|before| before.agent) != after.agent
        {
            after.version = self.keep_version(after.tenant, after.agent)?;
        }
        self.put_call(&after)?;
        self.count_call(before.as_ref(), &after)?;
        self.count_campaign_call(before.as_ref(), &after)?;
        let is_news = before.as_ref().is_none_or(|before| {
            *before != CallRecord { updated_at: before.updated_at, ..after.clone() }
        });
        if is_news {
            let steps = CallStep::between(before.as_ref(), &after);
            self.steps.extend(steps.map(|step| (after.clone(), step)));
            self.calls.push(CallChange { before, after: after.clone() });
        }
        Ok(after)
    }
}

/// A call of which nothing is known but that it is.
fn unknown(told: &CallPatch) -> CallRecord {
    CallRecord {
        id: told.id,
        tenant: told.tenant,
        account: None,
        carrier_call_id: String::new(),
        direction: told.direction.unwrap_or(Direction::Inbound),
        status: CallStatus::Queued,
        ani: None,
        dnis: None,
        number: None,
        agent: None,
        version: None,
        reason: None,
        unmatched: false,
        touch: None,
        trace: Vec::new(),
        targets_tried: Vec::new(),
        media: Vec::new(),
        created_at: told.created_at.unwrap_or(told.updated_at),
        ringing_at: None,
        answered_at: None,
        ended_at: None,
        updated_at: told.updated_at,
        ended_by: None,
        error_code: None,
        caller_verified: false,
        is_erased: false,
        by_machine: false,
    }
}

fn merged(known: CallRecord, mut told: CallPatch) -> CallRecord {
    if known.is_erased {
        // Whoever still knows the person does not bring them back.
        (told.ani, told.dnis, told.touch, told.trace) = (None, None, None, None);
    }
    let mut targets_tried = known.targets_tried;
    for tried in told.targets_tried {
        // A patch whose commit failed may come again.
        if !targets_tried.contains(&tried) {
            targets_tried.push(tried);
        }
    }
    let mut media = known.media;
    for session in told.media {
        if !media.contains(&session) {
            media.push(session);
        }
    }
    let carrier_call_id = if known.carrier_call_id.is_empty() {
        told.carrier_call_id.unwrap_or_default()
    } else {
        known.carrier_call_id
    };
    let rings = told.status == Some(CallStatus::Ringing);
    CallRecord {
        id: known.id,
        tenant: known.tenant,
        account: known.account.or(told.account),
        carrier_call_id,
        direction: known.direction,
        status: told.status.map_or(known.status, |status| known.status.advanced(status)),
        ani: known.ani.or(told.ani),
        dnis: known.dnis.or(told.dnis),
        number: known.number.or(told.number),
        agent: known.agent.or(told.agent),
        version: known.version,
        reason: known.reason.or(told.reason),
        unmatched: known.unmatched || told.unmatched.unwrap_or(false),
        touch: known.touch.or(told.touch),
        trace: if known.trace.is_empty() { told.trace.unwrap_or_default() } else { known.trace },
        targets_tried,
        media,
        created_at: told.created_at.map_or(known.created_at, |at| known.created_at.min(at)),
        ringing_at: known.ringing_at.or(rings.then_some(told.updated_at)),
        answered_at: known.answered_at.or(told.answered_at),
        ended_at: known.ended_at.or(told.ended_at),
        updated_at: known.updated_at.max(told.updated_at),
        ended_by: known.ended_by.or(told.ended_by),
        error_code: known.error_code.or(told.error_code),
        caller_verified: known.caller_verified || told.caller_verified.unwrap_or(false),
        is_erased: known.is_erased,
        by_machine: known.by_machine || told.by_machine,
    }
}
