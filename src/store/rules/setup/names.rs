//! Finds what a document names.

use std::collections::btree_map::Entry;

use super::{Applying, WriteError, part};
use crate::domain::{
    AgentId, AgentRef, AgentSetup, AgentState, NumberRecord, NumberRef, Refusal, Target, TargetRef,
};

impl<'t> Applying<'t, '_> {
    /// Finds the document's agents, and makes those that are new: bare, so that all can be named.
    pub(super) fn find_agents(&mut self) -> Result<(), WriteError> {
        let agents = self.setup.agents.as_deref().unwrap_or_default();
        for (place, agent) in agents.iter().enumerate() {
            let Some(name) = &agent.name else { continue };
            match self.names.entry(name.trim()) {
                Entry::Vacant(free) => {
                    free.insert(Some(place));
                }
                Entry::Occupied(mut taken) => {
                    taken.insert(None);
                    if agent.id.is_none() {
                        let message = "Is the name of another agent here too: give their ids.";
                        self.refuse(format!("agents[{place}].name"), message);
                    }
                }
            }
        }
        for (place, agent) in agents.iter().enumerate() {
            let found = match self.find_agent(place, agent) {
                Ok(id) => Some(id),
                Err(error) => {
                    self.note(format!("agents[{place}]"), error)?;
                    None
                }
            };
            let other = self.agents.iter().position(|known| found.is_some() && *known == found);
            if let Some(other) = other {
                self.refuse(format!("agents[{place}]"), &format!("Is agents[{other}] again."));
            }
            self.agents.push(found);
        }
        Ok(())
    }

    fn find_agent(&mut self, place: usize, agent: &AgentSetup) -> Result<AgentId, WriteError> {
        if let Some(id) = agent.id {
            // Whom nobody named, no document names.
            let known = match self.tx.is_implicit(id)? {
                true => None,
                false => self.tx.agent(self.tenant, id)?,
            };
            let missing = || part(format!("agents[{place}].id"), Refusal::AgentNotFound);
            return Ok(known.ok_or_else(missing)?.agent.id);
        }
        let Some(name) = &agent.name else {
            let path = format!("agents[{place}].name");
            return Err(part(path, Refusal::invalid("name", "Is required.")));
        };
        let name = name.trim();
        let mut known: Vec<AgentId> = self
            .tx
            .agents_named(self.tenant, name)?
            .into_iter()
            .map(|record| record.agent.id)
            .collect();
        if known.is_empty() && agent.state == Some(AgentState::Archived) {
            known = self.tx.archived_named(self.tenant, name)?;
        }
        match known.as_slice() {
            [] => self.make_agent(place, agent),
            [only] => Ok(*only),
            [_, _, ..] => {
                let message = "Several agents have this name: give the id.";
                Err(part(format!("agents[{place}]"), Refusal::invalid("name", message)))
            }
        }
    }

    /// The agent that is meant; `None` where it is one of the document's that was refused.
    pub(super) fn named(&self, named: &AgentRef) -> Result<Option<AgentId>, WriteError> {
        let (id, name) = match named {
            AgentRef::Id(id, _) if self.tx.agent(self.tenant, *id)?.is_some() => {
                return Ok(Some(*id));
            }
            AgentRef::Id(id, name) => (Some(*id), name),
            AgentRef::Name(name) => (None, name),
        };
        let several = || format!("Several agents are named {name}: give the id.");
        let message = match self.names.get(name.trim()) {
            Some(Some(place)) => return Ok(self.agents.get(*place).copied().flatten()),
            Some(None) => several(),
            None => match (self.tx.agents_named(self.tenant, name.trim())?.as_slice(), id) {
                ([only], _) => return Ok(Some(only.agent.id)),
                // Whether it may be named is asked by the rule, where anything changes: a ladder
                // may still name an agent that is gone.
                ([], Some(id)) => return Ok(Some(id)),
                ([], None) => format!("There is no agent named {name}."),
                ([_, _, ..], _) => several(),
            },
        };
        Err(Refusal::invalid("", message).into())
    }

    /// A ladder with everybody looked up; `None` where one was refused.
    pub(super) fn ladder(
        &self,
        path: &str,
        targets: &[TargetRef],
    ) -> Result<Option<Vec<Target>>, WriteError> {
        let mut ladder = Vec::with_capacity(targets.len());
        for (place, target) in targets.iter().enumerate() {
            let found = self.target(target);
            match found.map_err(|error| at(format!("{path}.targets[{place}]"), error))? {
                Some(target) => ladder.push(target),
                None => return Ok(None),
            }
        }
        Ok(Some(ladder))
    }

    pub(super) fn target(&self, target: &TargetRef) -> Result<Option<Target>, WriteError> {
        match target {
            TargetRef::Plain(target) => Ok(Some(target.clone())),
            TargetRef::Agent(agent) => Ok(self.named(agent)?.map(Target::Agent)),
        }
    }

    /// The number that is meant, if the tenant has it.
    pub(super) fn known(&self, number: &NumberRef) -> Result<Option<NumberRecord>, WriteError> {
        let mut held = self.tx.number_by_e164(self.tenant, number.e164)?;
        let account = match &number.account {
            None if held.len() > 1 => return Err(Refusal::AccountAmbiguous.into()),
            None => return Ok(held.pop()),
            Some(None) => None,
            Some(Some(name)) => Some(self.tx.usable_account(self.tenant, name)?),
        };
        Ok(held.into_iter().find(|record| record.account == account))
    }

    pub(super) fn refuse(&mut self, path: String, message: &str) {
        self.refused.push((path, Refusal::invalid("", message)));
    }
}

/// A refusal of one part at its path.
pub(super) fn at(path: String, error: WriteError) -> WriteError {
    match error {
        WriteError::Refused(Refusal::Parts(_)) | WriteError::Store(_) => error,
        WriteError::Refused(refusal) => part(path, refusal),
    }
}
