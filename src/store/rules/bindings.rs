//! Attaching agents to numbers, and the claims that come of it.
//!
//! Only a new binding of an inbound agent without the callback role claims; taking the role gives
//! claims up for good, leaving it does not give them back.

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentId, AgentRecord, AgentState, Direction, NumberId, Refusal, TenantId, Warning,
        WarningCode,
    },
    store::Sharing,
};

impl Tx<'_> {
    /// Attaches a number; attaching it again changes nothing. The first becomes the primary.
    ///
    /// # Errors
    /// Unknown agent or number; the agent is archived; the number is claimed (see [`Sharing`]).
    pub fn attach_number(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
        number: NumberId,
        sharing: Sharing,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, agent)?;
        self.known_number(tenant, number)?;
        if !record.numbers.contains(&number) {
            self.refuse_mirrored_agent(agent)?;
            self.bind(&record, number, sharing)?;
            self.settle_primary(tenant, agent, record.primary_number)?;
            self.insert_audit(Some(tenant), "agent.attach_number", Some(agent.0))?;
        }
        self.known_agent(tenant, agent)
    }

    /// Detaches a number. Where it was the primary, the oldest that remains takes its place.
    ///
    /// # Errors
    /// Unknown agent or number; the agent is archived; the number is not attached to it.
    pub fn detach_number(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
        number: NumberId,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, agent)?;
        self.known_number(tenant, number)?;
        if !record.numbers.contains(&number) {
            return Err(Refusal::NumberNotAttached.into());
        }
        self.refuse_mirrored_agent(agent)?;
        self.delete_binding(number, agent)?;
        self.settle_primary(tenant, agent, record.primary_number)?;
        self.insert_audit(Some(tenant), "agent.detach_number", Some(agent.0))?;
        self.known_agent(tenant, agent)
    }

    /// Makes an attached number the primary.
    ///
    /// # Errors
    /// Unknown agent or number; the agent is archived; the number is not attached to it.
    pub fn set_primary(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
        number: NumberId,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, agent)?;
        self.known_number(tenant, number)?;
        if !record.numbers.contains(&number) {
            return Err(Refusal::NumberNotAttached.into());
        }
        if record.primary_number != Some(number) {
            self.refuse_mirrored_agent(agent)?;
            self.put_primary(agent, Some(number))?;
            self.insert_audit(Some(tenant), "agent.set_primary", Some(agent.0))?;
        }
        self.known_agent(tenant, agent)
    }

    /// Makes `wanted` the agent's numbers: others go, missing ones come, the rest keep their rows
    /// and claims.
    pub(super) fn replace_numbers(
        &mut self,
        record: &AgentRecord,
        wanted: &[NumberId],
        sharing: Sharing,
    ) -> Result<(), WriteError> {
        let (tenant, agent) = (record.agent.tenant, record.agent.id);
        for &number in wanted {
            self.known_number(tenant, number)?;
        }
        for &number in record.numbers.iter().filter(|number| !wanted.contains(number)) {
            self.delete_binding(number, agent)?;
        }
        let mut attached = record.numbers.clone();
        for &number in wanted {
            if !attached.contains(&number) {
                self.bind(record, number, sharing)?;
                attached.push(number);
            }
        }
        self.settle_primary(tenant, agent, record.primary_number)
    }

    /// Takes an agent off all its numbers.
    pub(super) fn detach_all(&mut self, record: &AgentRecord) -> Result<(), WriteError> {
        for &number in &record.numbers {
            self.delete_binding(number, record.agent.id)?;
        }
        self.put_primary(record.agent.id, None)
    }

    /// Keeps the primary among the attached: as it was, else the oldest attached, else none.
    pub(super) fn settle_primary(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
        wanted: Option<NumberId>,
    ) -> Result<(), WriteError> {
        let record = self.known_agent(tenant, agent)?;
        let kept = wanted.filter(|number| record.numbers.contains(number));
        self.put_primary(agent, kept.or_else(|| record.numbers.first().copied()))
    }

    /// Says of each number that the agent keeps that it is not its default by a claim.
    pub(super) fn warn_of_no_claims(&mut self, record: &AgentRecord) -> Result<(), WriteError> {
        for &id in &record.numbers {
            let number = self.known_number(record.agent.tenant, id)?;
            let is_kept =
                |b: &crate::domain::BindingRecord| b.agent == record.agent.id && b.claim.is_none();
            if number.bindings.iter().any(is_kept) {
                let message = format!(
                    "Agent {} stays attached to {} without a claim: it answers there only where \
                     no other live agent has one. Detach and attach it to claim the number.",
                    record.agent.name, number.e164
                );
                let (code, number) = (WarningCode::NoClaim, Some(number.e164));
                self.warn(Warning { code, message, number, from: None, to: None });
            }
        }
        Ok(())
    }

    fn bind(
        &mut self,
        record: &AgentRecord,
        number: NumberId,
        sharing: Sharing,
    ) -> Result<(), WriteError> {
        let agent = &record.agent;
        let claims = agent.direction == Direction::Inbound && agent.callback.is_none();
        if claims && sharing == Sharing::Exclusive {
            self.refuse_claimed(number, agent.id)?;
        }
        self.insert_binding(number, agent.id, claims)
    }

    /// CallingBox's rule: one inbound agent a number. Owners with the callback role do not count,
    /// nor do those that are not live, since that dialect does not show them as owners.
    pub(super) fn refuse_claimed(&self, number: NumberId, by: AgentId) -> Result<(), WriteError> {
        for (binding, state) in self.bindings(number)? {
            let is_other = binding.agent != by && binding.direction == Direction::Inbound;
            let holds = binding.claim.is_some() && state == AgentState::Live;
            let has_role = || -> Result<bool, WriteError> {
                let other = self.routed_agent(binding.agent)?;
                Ok(other.is_some_and(|other| other.callback.is_some()))
            };
            if is_other && holds && !has_role()? {
                return Err(Refusal::NumberClaimed(binding.agent).into());
            }
        }
        Ok(())
    }
}
