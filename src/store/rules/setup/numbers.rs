//! The steps that make each number what the document says.

use std::collections::BTreeSet;

use super::{Applying, WriteError, names::at};
use crate::{
    domain::{AgentId, NumberId, NumberRecord, NumberRef, NumberSetup, default_agent},
    store::{NewNumber, NumberPatch, rows::routed},
};

impl Applying<'_, '_> {
    pub(super) fn put_numbers(&mut self) -> Result<(), WriteError> {
        let setup = self.setup;
        for (place, number) in setup.numbers.iter().flatten().enumerate() {
            let path = format!("numbers[{place}]");
            match self.put_number(&path, number) {
                Ok(id) if !self.numbers.insert(id) => {
                    self.refuse(path, "Is in the document twice.");
                }
                Ok(_) => {}
                Err(error) => self.note(path, error)?,
            }
        }
        Ok(())
    }

    fn put_number(&mut self, path: &str, said: &NumberSetup) -> Result<NumberId, WriteError> {
        let now = match self.known_or_unaccounted(&said.number)? {
            Some(known) => known,
            None => self.add(&said.number)?,
        };
        let passthrough = match &said.passthrough {
            None => None,
            Some(None) => Some(None),
            Some(Some(target)) => {
                let found = self.target(target);
                found.map_err(|error| at(format!("{path}.passthrough"), error))?.map(Some)
            }
        };
        let account = self.account_to_put(&now, &said.number)?;
        let blank = |name: &Option<String>| {
            name.as_ref().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
        };
        let patch = NumberPatch {
            account,
            friendly_name: said
                .friendly_name
                .as_ref()
                .map(blank)
                .filter(|name| *name != now.friendly_name),
            passthrough: passthrough.filter(|target| *target != now.passthrough),
            default_agent: None,
        };
        if patch.account.is_some() || patch.friendly_name.is_some() || patch.passthrough.is_some() {
            self.tx.update_number(self.tenant, now.id, patch)?;
        }
        Ok(now.id)
    }

    /// The number, or the one without an account that is to be given the account named.
    fn known_or_unaccounted(&self, number: &NumberRef) -> Result<Option<NumberRecord>, WriteError> {
        let known = self.known(number)?;
        if known.is_some() || !matches!(number.account, Some(Some(_))) {
            return Ok(known);
        }
        let held = self.tx.number_by_e164(self.tenant, number.e164)?;
        Ok(held.into_iter().find(|record| record.account.is_none()))
    }

    fn account_to_put(
        &self,
        now: &NumberRecord,
        number: &NumberRef,
    ) -> Result<Option<Option<String>>, WriteError> {
        let wanted = match &number.account {
            None => return Ok(None),
            Some(None) => None,
            Some(Some(name)) => Some(self.tx.usable_account(self.tenant, name)?),
        };
        Ok((wanted != now.account).then(|| number.account.clone().flatten()))
    }

    fn add(&mut self, number: &NumberRef) -> Result<NumberRecord, WriteError> {
        let new = NewNumber {
            e164: number.e164,
            account: number.account.clone().flatten(),
            friendly_name: None,
            passthrough: None,
        };
        Ok(self.tx.add_number(self.tenant, new)?.0)
    }

    /// A number that an agent names is added where the tenant does not have it.
    pub(super) fn known_or_added(&mut self, number: &NumberRef) -> Result<NumberId, WriteError> {
        match self.known(number)? {
            Some(known) => Ok(known.id),
            None => Ok(self.add(number)?.id),
        }
    }

    /// After all agents are attached and have their roles.
    pub(super) fn put_defaults(&mut self) -> Result<(), WriteError> {
        let setup = self.setup;
        for (place, number) in setup.numbers.iter().flatten().enumerate() {
            if let Err(error) = self.put_default(place, number) {
                self.note(format!("numbers[{place}].default_agent"), error)?;
            }
        }
        Ok(())
    }

    fn put_default(&mut self, place: usize, said: &NumberSetup) -> Result<(), WriteError> {
        let Some(named) = &said.default_agent else { return Ok(()) };
        let path = || format!("numbers[{place}].default_agent");
        let found = self.named(named).map_err(|error| at(path(), error))?;
        // Where one of them was refused, that has been said.
        let (Some(agent), Ok(Some(now))) = (found, self.known(&said.number)) else {
            return Ok(());
        };
        if now.default_agent == Some(agent) || self.would_answer(&now, agent)? {
            return Ok(());
        }
        let patch = NumberPatch { default_agent: Some(agent), ..NumberPatch::default() };
        self.tx.update_number(self.tenant, now.id, patch).map_err(|error| at(path(), error))?;
        // All claims of one write have one place in the log: who is named comes first.
        self.tx.yield_claims(now.id, agent)
    }

    /// Whether an agent is the default but for its own state, which a document may change as well:
    /// a new one is live until the end.
    fn would_answer(&self, now: &NumberRecord, agent: AgentId) -> Result<bool, WriteError> {
        let mut live = BTreeSet::from([agent]);
        for binding in &now.bindings {
            if self.tx.known_agent(self.tenant, binding.agent)?.agent.is_live() {
                live.insert(binding.agent);
            }
        }
        Ok(default_agent(&routed(now).owners, |id| live.contains(&id)) == Some(agent))
    }
}
