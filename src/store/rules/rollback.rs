//! Puts a tenant's configuration back as it was: an ordinary new write, which leaves a revision of
//! its own and can itself be taken back.

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentId, AgentRecord, NumberId, NumberRecord, Refusal, Revised, RevisionId, TenantId,
        Thing, ThingKind,
    },
    store::Until,
};

/// What is to be put back, sorted by what it is.
#[derive(Default)]
struct Past {
    agents: Vec<AgentRecord>,
    numbers: Vec<NumberRecord>,
    new_agents: Vec<AgentId>,
    new_numbers: Vec<NumberId>,
}

impl Tx<'_> {
    /// Puts everything back that was changed since a revision: what has changed by that. Things
    /// made since are taken away, things deleted since come back under their ids.
    ///
    /// # Errors
    /// No such revision; a number that would come back is somebody's meanwhile.
    pub fn roll_back(
        &mut self,
        tenant: TenantId,
        to: RevisionId,
        until: Until,
    ) -> Result<Vec<Revised>, WriteError> {
        let revision = self.revision(tenant, to)?.ok_or(Refusal::RevisionNotFound)?;
        let from = match until {
            Until::After => revision.place + 1,
            Until::Before => revision.place,
        };
        let mut past = Past::default();
        for ((kind, id), thing) in self.befores(tenant, from)? {
            match (kind, thing) {
                (_, Some(Thing::Agent(record))) => past.agents.push(record),
                (_, Some(Thing::Number(record))) => past.numbers.push(record),
                (_, Some(Thing::Settings(settings))) => self.put_settings(tenant, &settings)?,
                (ThingKind::Agent, None) => past.new_agents.push(AgentId(id)),
                (ThingKind::Number, None) => past.new_numbers.push(NumberId(id)),
                // Settings are there as long as their tenant is.
                (ThingKind::Settings, None) => {}
            }
        }
        self.refuse_mirrored_past(&past)?;
        self.clear_for(&past)?;
        self.put_back(tenant, &past)?;
        let changes = self.changes_of(tenant)?;
        if !changes.is_empty() {
            let side = match until {
                Until::After => "to",
                Until::Before => "to before",
            };
            self.summary = Some(format!("rollback {side} {to}"));
            self.insert_audit(Some(tenant), "revision.rollback", Some(to.0))?;
        }
        Ok(changes)
    }

    /// What is mirrored is put back by its owner alone.
    fn refuse_mirrored_past(&self, past: &Past) -> Result<(), WriteError> {
        let agents = past.agents.iter().map(|record| record.agent.id);
        agents
            .chain(past.new_agents.iter().copied())
            .try_for_each(|id| self.refuse_mirrored_agent(id))?;
        let numbers = past.numbers.iter().map(|record| record.id);
        numbers
            .chain(past.new_numbers.iter().copied())
            .try_for_each(|id| self.refuse_mirrored_number(id))
    }

    /// Takes apart what will be put together anew, and away what was not there.
    fn clear_for(&mut self, past: &Past) -> Result<(), WriteError> {
        let agents = past.agents.iter().map(|record| record.agent.id);
        for id in agents.chain(past.new_agents.iter().copied()) {
            self.delete_callback(id)?;
        }
        let numbers = past.numbers.iter().map(|record| record.id);
        for id in numbers.chain(past.new_numbers.iter().copied()) {
            self.delete_bindings(id)?;
        }
        for id in &past.new_agents {
            self.delete_agent_row(*id)?;
        }
        for id in &past.new_numbers {
            self.delete_number(*id)?;
        }
        Ok(())
    }

    /// Rows first, then what refers to them.
    fn put_back(&mut self, tenant: TenantId, past: &Past) -> Result<(), WriteError> {
        for record in &past.agents {
            self.restore_agent(record)?;
        }
        for record in &past.numbers {
            self.check_place(tenant, record)?;
            self.restore_number(record)?;
            if let Some(config) = &record.inbound
                && !self.is_implicit(config.agent)?
            {
                self.insert_implicit(tenant, config.agent, Some(record.id))?;
            }
        }
        for record in &past.agents {
            if let Some(role) = &record.agent.callback {
                self.put_callback(record.agent.id, role)?;
            }
        }
        for binding in past.numbers.iter().flat_map(|record| &record.bindings) {
            self.restore_binding(binding)?;
        }
        Ok(())
    }

    /// Its account may be another tenant's meanwhile, and the number itself as well.
    fn check_place(&self, tenant: TenantId, record: &NumberRecord) -> Result<(), WriteError> {
        let account = record.account.map(|id| self.account(id)).transpose()?.flatten();
        if account.is_some_and(|account| account.tenant.is_some_and(|owner| owner != tenant)) {
            return Err(Refusal::AccountNotFound.into());
        }
        let taken = self.number_at(record.account, record.e164)?;
        if taken.is_some_and(|taken| taken.id != record.id) {
            return Err(Refusal::NumberTaken.into());
        }
        Ok(())
    }
}
