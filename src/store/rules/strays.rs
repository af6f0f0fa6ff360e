//! What carriers tell of outbound calls that are not live here: calls of other people's dialers
//! become touches, late news of our own calls their rows. Nothing is guessed.

use super::{Tx, WriteError, dials::outcome};
use crate::domain::{
    AgentId, CallId, CallPatch, CallRecord, CallStatus, Direction, E164, OrphanCause, Outcome,
    StrayEvent, TenantId, Touch, TouchId, TouchRecord,
};
use crate::store::{ImportedCalls, Rows, StrayFate};

/// Who made a stray call, showing what to whom.
struct Maker {
    tenant: TenantId,
    agent: AgentId,
    caller_id: E164,
    contact: E164,
}

/// Why nobody here did; the tenant, where that much is known.
type Orphan = (OrphanCause, Option<TenantId>);

impl Tx<'_> {
    /// Takes a stray event in.
    ///
    /// # Errors
    /// The store's.
    pub fn take_stray(&mut self, event: &StrayEvent) -> Result<StrayFate, WriteError> {
        if let Some(id) = event.call {
            let call = self.any_call(id)?.filter(|call| is_of(call, event));
            let Some(call) = call else {
                return Ok(StrayFate::Orphaned(OrphanCause::UnknownCall, None));
            };
            self.upsert_call(&patch(&call, event))?;
            return Ok(StrayFate::Taken);
        }
        let id = CallId::of_carrier_call(event.account, &event.carrier_call_id);
        let id = TouchId(id.0);
        let owner = self.account(event.account)?.and_then(|account| account.tenant);
        let mut known = self.touch_owners(id)?;
        // What comes by one tenant's account is news of nobody else's.
        known.retain(|tenant| owner.is_none_or(|owner| owner == *tenant));
        for tenant in &known {
            let Some(record) = self.touch(*tenant, id)? else { continue };
            let touch = Touch { outcome: heard(event), ..record.touch };
            let touch = Touch { at: touch.at.min(event.at.seconds()), ..touch };
            self.merge_touches(*tenant, vec![TouchRecord { touch, ..record }])?;
        }
        let Some(_) = event.status.filter(|_| known.is_empty()) else {
            return Ok(StrayFate::Taken);
        };
        match self.maker(event)? {
            Err((cause, tenant)) => Ok(StrayFate::Orphaned(cause, tenant)),
            Ok(Maker { tenant, agent, caller_id, contact }) => {
                let (at, outcome) = (event.at.seconds(), heard(event));
                let touch = Touch { id, tenant, contact, agent, caller_id, at, outcome };
                let record = TouchRecord { touch, external_id: None, call: None };
                self.merge_touches(tenant, vec![record])?;
                Ok(StrayFate::Taken)
            }
        }
    }

    /// Takes in a carrier's list of calls, of one tenant or of all: those that are new, those that
    /// were known, and why the rest make no touch.
    ///
    /// # Errors
    /// The store's.
    pub fn import_calls(
        &mut self,
        tenant: Option<TenantId>,
        calls: &[StrayEvent],
    ) -> Result<ImportedCalls, WriteError> {
        let mut imported = ImportedCalls::default();
        for call in calls {
            let Some(standing) = self.standing(tenant, call)? else { continue };
            imported.count(standing);
            if matches!(standing, Standing::New | Standing::Known) {
                self.take_stray(call)?;
            }
        }
        Ok(imported)
    }
}

/// What a call of a carrier's list is to us.
#[derive(Clone, Copy)]
enum Standing {
    /// Nobody has told of it.
    New,
    /// It is a touch already.
    Known,
    /// We placed it, and know it better.
    Ours,
    /// Nobody here made it.
    Orphan(OrphanCause),
}

impl ImportedCalls {
    fn count(&mut self, standing: Standing) {
        match standing {
            Standing::New => self.accepted += 1,
            Standing::Known | Standing::Ours => self.duplicates += 1,
            Standing::Orphan(cause) => *self.orphans.entry(cause.as_str()).or_default() += 1,
        }
    }
}

impl Rows<'_> {
    /// What [`Tx::import_calls`] would make of the calls.
    ///
    /// # Errors
    /// The store's.
    pub fn rehearse_import(
        &self,
        tenant: Option<TenantId>,
        calls: &[StrayEvent],
    ) -> Result<ImportedCalls, WriteError> {
        let mut imported = ImportedCalls::default();
        for call in calls {
            if let Some(standing) = self.standing(tenant, call)? {
                imported.count(standing);
            }
        }
        Ok(imported)
    }

    /// What the call is; nothing where one tenant asks and it is another's, or nobody's.
    fn standing(
        &self,
        tenant: Option<TenantId>,
        event: &StrayEvent,
    ) -> Result<Option<Standing>, WriteError> {
        let is_theirs = |of: TenantId| tenant.is_none_or(|tenant| tenant == of);
        let id = CallId::of_carrier_call(event.account, &event.carrier_call_id);
        let known = self.touch_owners(TouchId(id.0))?;
        if !known.is_empty() {
            return Ok(known.into_iter().any(is_theirs).then_some(Standing::Known));
        }
        let (of, standing) = match self.maker(event)? {
            Err((cause, of)) => (of, Standing::Orphan(cause)),
            Ok(maker) => {
                let ours = self.call_by_carrier_id(maker.tenant, &event.carrier_call_id)?;
                (Some(maker.tenant), ours.map_or(Standing::New, |_| Standing::Ours))
            }
        };
        Ok((tenant.is_none() || of.is_some_and(is_theirs)).then_some(standing))
    }

    fn maker(&self, event: &StrayEvent) -> Result<Result<Maker, Orphan>, WriteError> {
        let shown = match event.from {
            Some(from) => self.number_at(Some(event.account), from)?,
            None => None,
        };
        let owner = match &shown {
            Some(number) => Some(number.tenant),
            None => self.account(event.account)?.and_then(|account| account.tenant),
        };
        let (Some(tenant), Some(caller_id)) = (owner, event.from) else {
            return Ok(Err((OrphanCause::UnknownNumber, owner)));
        };
        let Some(contact) = event.to else {
            return Ok(Err((OrphanCause::NoContact, owner)));
        };
        let agent = match &event.agent {
            Some(text) => self.named_agent(tenant, text)?,
            None => {
                let bindings = shown.map(|number| number.bindings).unwrap_or_default();
                let outbound = bindings.iter().filter(|b| b.direction == Direction::Outbound);
                only(outbound.map(|binding| binding.agent))
            }
        };
        Ok(match agent {
            Ok(agent) => Ok(Maker { tenant, agent, caller_id, contact }),
            Err(cause) => Err((cause, owner)),
        })
    }

    /// An outbound agent by its id, or by a name that is no other's.
    fn named_agent(
        &self,
        tenant: TenantId,
        text: &str,
    ) -> Result<Result<AgentId, OrphanCause>, WriteError> {
        let found = match text.parse() {
            Ok(id) => self.agent(tenant, id)?.into_iter().collect(),
            Err(_) => self.agents_named(tenant, text)?,
        };
        Ok(match found.as_slice() {
            [one] if one.agent.direction == Direction::Outbound => Ok(one.agent.id),
            [] | [_] => Err(OrphanCause::UnknownAgent),
            [..] => Err(OrphanCause::AmbiguousAgent),
        })
    }
}

/// The one there is.
fn only(mut agents: impl Iterator<Item = AgentId>) -> Result<AgentId, OrphanCause> {
    let first = agents.next().ok_or(OrphanCause::NoAgent)?;
    agents.next().map_or(Ok(first), |_| Err(OrphanCause::AmbiguousAgent))
}

/// Whether it can be about this call: the id is in a URL, which others may have been given.
fn is_of(call: &CallRecord, event: &StrayEvent) -> bool {
    fn agree<T: PartialEq>(known: Option<T>, told: Option<T>) -> bool {
        known.zip(told).is_none_or(|(known, told)| known == told)
    }
    let is_known = call.carrier_call_id == event.carrier_call_id;
    let says_who = event.from.is_some() && event.to.is_some();
    call.direction == Direction::Outbound
        && call.account == Some(event.account)
        && (is_known || call.carrier_call_id.is_empty() && says_who)
        && agree(call.ani, event.from)
        && agree(call.dnis, event.to)
}

fn patch(call: &CallRecord, event: &StrayEvent) -> CallPatch {
    CallPatch {
        carrier_call_id: Some(event.carrier_call_id.clone()),
        status: event.status,
        ended_at: event.status.filter(|status| status.is_final()).map(|_| event.at),
        by_machine: event.by_machine,
        ..CallPatch::new(call.id, call.tenant, event.at)
    }
}

fn heard(event: &StrayEvent) -> Outcome {
    match event.by_machine {
        true => Outcome::Voicemail,
        false => outcome(event.status.unwrap_or(CallStatus::Queued)),
    }
}
