//! A document, made true as one write: what it names is made or changed to be as it says.
//!
//! It is worked through step by step rather than agent by agent, so that agents may name each other
//! in any order and pass through no state that a rule refuses. Nothing that is as it should be is
//! written. What is refused is noted with its path in the document and the rest goes on, so that
//! everything that is wrong is told at once; then nothing of the write is kept.

mod agents;
mod names;
mod numbers;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use super::{Tx, WriteError};
use crate::{
    domain::{AgentId, AgentRecord, AgentState, NumberId, Refusal, Revised, Setup, TenantId},
    store::ApplyHow,
};

/// A document on its way.
struct Applying<'t, 'c> {
    tx: &'t mut Tx<'c>,
    tenant: TenantId,
    setup: &'t Setup,
    how: &'t ApplyHow,
    /// The document's agents by the names it gives them; `None` where it gives one twice.
    names: BTreeMap<&'t str, Option<usize>>,
    /// Who each of the document's agents is; `None` where that was refused.
    agents: Vec<Option<AgentId>>,
    /// The numbers that the document names.
    numbers: BTreeSet<NumberId>,
    refused: Vec<(String, Refusal)>,
}

impl Tx<'_> {
    /// Makes a document true: what has changed by it.
    ///
    /// # Errors
    /// The configuration has changed since the expected revision; or every part of the document
    /// that is refused, by its path.
    pub fn apply_setup(
        &mut self,
        tenant: TenantId,
        setup: &Setup,
        how: &ApplyHow,
    ) -> Result<Vec<Revised>, WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        if how.expected.is_some() && self.newest_revision(tenant)? != how.expected {
            return Err(Refusal::VersionOther.into());
        }
        let mut applying = Applying {
            tx: self,
            tenant,
            setup,
            how,
            names: BTreeMap::new(),
            agents: Vec::new(),
            numbers: BTreeSet::new(),
            refused: Vec::new(),
        };
        applying.run()?;
        if !applying.refused.is_empty() {
            return Err(Refusal::Parts(applying.refused).into());
        }
        let changes = self.changes_of(tenant)?;
        if !changes.is_empty() {
            self.summary = Some("apply".to_owned());
            self.insert_audit(Some(tenant), "setup.apply", Some(tenant.0))?;
        }
        Ok(changes)
    }
}

impl Applying<'_, '_> {
    fn run(&mut self) -> Result<(), WriteError> {
        self.find_agents()?;
        self.put_numbers()?;
        self.keep_longer()?;
        self.each_agent(Self::leave_role)?;
        self.each_agent(Self::turn)?;
        // Two agents may change places on each other's ladders, which one at a time is a circle.
        self.each_agent(Self::step_off_agents)?;
        self.each_agent(Self::put_fields)?;
        self.each_agent(Self::go_live)?;
        self.each_agent(Self::put_numbers_of)?;
        self.each_agent(Self::put_role)?;
        self.put_defaults()?;
        self.put_settings()?;
        self.each_agent(Self::retire)?;
        if self.how.prune && self.refused.is_empty() {
            self.prune()?;
        }
        Ok(())
    }

    /// Does a step of every agent that has not been refused.
    fn each_agent(
        &mut self,
        step: fn(&mut Self, usize, AgentId) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        for place in 0..self.agents.len() {
            let Some(Some(id)) = self.agents.get(place).copied() else { continue };
            if self.is_retired(place, id)? {
                continue;
            }
            if let Err(error) = step(self, place, id) {
                self.note(format!("agents[{place}]"), error)?;
                // What follows of it would be refused for the same reason again.
                if let Some(agent) = self.agents.get_mut(place) {
                    *agent = None;
                }
            }
        }
        Ok(())
    }

    /// Whether an agent is archived as it should be: nothing of it can be written any more.
    fn is_retired(&self, place: usize, id: AgentId) -> Result<bool, WriteError> {
        let said = self.setup.agents.as_deref().and_then(|agents| agents.get(place));
        let retires = said.is_some_and(|said| said.state == Some(AgentState::Archived));
        let is_archived = |record: AgentRecord| record.agent.state == AgentState::Archived;
        Ok(retires && self.tx.agent(self.tenant, id)?.is_some_and(is_archived))
    }

    /// Notes a refusal at a path; the store's own trouble ends everything.
    fn note(&mut self, path: String, error: WriteError) -> Result<(), WriteError> {
        match error {
            WriteError::Refused(Refusal::Parts(parts)) => self.refused.extend(parts),
            WriteError::Refused(refusal) => self.refused.push((path, refusal)),
            WriteError::Store(_) => return Err(error),
        }
        Ok(())
    }

    /// Takes away what the document does not name, of the kinds it lists.
    fn prune(&mut self) -> Result<(), WriteError> {
        if self.setup.agents.is_some() {
            let named: BTreeSet<AgentId> = self.agents.iter().copied().flatten().collect();
            for record in self.tx.current_agents(self.tenant)? {
                let id = record.agent.id;
                // What is mirrored is named by its owner.
                if !named.contains(&id) && self.tx.upstream_of_agent(id)?.is_none() {
                    self.tx.archive_agent(self.tenant, id)?;
                }
            }
        }
        if self.setup.numbers.is_some() {
            for record in self.tx.all_numbers(self.tenant)? {
                // One that is still somebody's stays, named or not.
                let is_free = record.bindings.is_empty() && !self.numbers.contains(&record.id);
                if is_free && self.tx.upstream_of_number(record.id)?.is_none() {
                    self.tx.remove_number(self.tenant, record.id)?;
                }
            }
        }
        Ok(())
    }
}

/// A refusal of one part, by its path.
fn part(path: String, refusal: Refusal) -> WriteError {
    Refusal::Parts(vec![(path, refusal)]).into()
}
