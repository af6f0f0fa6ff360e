//! Who is attached to which number, and the claims.

use rusqlite::params;

use super::Rows;
use crate::{
    domain::{AgentId, AgentState, BindingRecord, E164, NumberId},
    store::{Tx, WriteError},
};

impl Rows<'_> {
    /// A number's bindings, oldest first, each with its agent's state.
    pub(in crate::store) fn bindings(
        &self,
        number: NumberId,
    ) -> Result<Vec<(BindingRecord, AgentState)>, WriteError> {
        self.all(
            "SELECT agent, number, direction, attached, claim, bindings.id, state
             FROM bindings JOIN agents ON agents.id = agent
             WHERE number = ?1 ORDER BY bindings.id",
            [number],
            |row| {
                let binding = BindingRecord {
                    agent: row.get(0)?,
                    number: row.get(1)?,
                    direction: row.get(2)?,
                    attached: row.get(3)?,
                    claim: row.get(4)?,
                    place: row.get(5)?,
                };
                Ok((binding, row.get(6)?))
            },
        )
    }

    /// The numbers an agent is attached to, oldest attachment first.
    pub(in crate::store) fn numbers_of(&self, agent: AgentId) -> Result<Vec<NumberId>, WriteError> {
        self.all("SELECT number FROM bindings WHERE agent = ?1 ORDER BY id", [agent], |row| {
            row.get(0)
        })
    }

    /// The values of the numbers an agent is attached to.
    pub(in crate::store) fn e164s_of(&self, agent: AgentId) -> Result<Vec<E164>, WriteError> {
        self.all(
            "SELECT e164 FROM bindings JOIN numbers ON numbers.id = number
             WHERE agent = ?1 ORDER BY bindings.id",
            [agent],
            |row| row.get(0),
        )
    }

    /// Whether the agent answers on, or shows, a number that a carrier account delivers.
    pub(in crate::store) fn is_at_carrier(&self, agent: AgentId) -> Result<bool, WriteError> {
        let found = self.one(
            "SELECT 1 FROM bindings JOIN numbers ON numbers.id = number
             WHERE agent = ?1 AND account IS NOT NULL LIMIT 1",
            [agent],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_binding(
        &mut self,
        number: NumberId,
        agent: AgentId,
        claims: bool,
    ) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        self.touch_number(number)?;
        let seq = self.next_seq();
        self.run(
            "INSERT INTO bindings (number, agent, attached, claim) VALUES (?1, ?2, ?3, ?4)",
            params![number, agent, seq, claims.then_some(seq)],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_binding(
        &mut self,
        number: NumberId,
        agent: AgentId,
    ) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        self.touch_number(number)?;
        self.run("DELETE FROM bindings WHERE number = ?1 AND agent = ?2", params![number, agent])?;
        Ok(())
    }

    /// A binding as it once was, in its old place.
    pub(in crate::store) fn restore_binding(
        &mut self,
        binding: &BindingRecord,
    ) -> Result<(), WriteError> {
        self.touch_agent(binding.agent)?;
        self.touch_number(binding.number)?;
        self.run(
            "INSERT INTO bindings (id, number, agent, attached, claim)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![binding.place, binding.number, binding.agent, binding.attached, binding.claim],
        )?;
        Ok(())
    }

    /// Takes everybody off a number.
    pub(in crate::store) fn delete_bindings(&mut self, number: NumberId) -> Result<(), WriteError> {
        self.touch_number(number)?;
        self.run("DELETE FROM bindings WHERE number = ?1", [number])?;
        Ok(())
    }

    /// Puts every other claim on the number that this write made one place back.
    pub(in crate::store) fn yield_claims(
        &mut self,
        number: NumberId,
        to: AgentId,
    ) -> Result<(), WriteError> {
        self.touch_number(number)?;
        let seq = self.next_seq();
        self.run(
            "UPDATE bindings SET claim = claim - 1
             WHERE number = ?1 AND agent <> ?2 AND claim = ?3",
            params![number, to, seq],
        )?;
        Ok(())
    }

    /// A claim by name.
    pub(in crate::store) fn put_claim(
        &mut self,
        number: NumberId,
        agent: AgentId,
    ) -> Result<(), WriteError> {
        self.touch_number(number)?;
        let seq = self.next_seq();
        self.run(
            "UPDATE bindings SET claim = ?3 WHERE number = ?1 AND agent = ?2",
            params![number, agent, seq],
        )?;
        Ok(())
    }

    /// Gives up every claim of an agent, for good.
    pub(in crate::store) fn clear_claims(&mut self, agent: AgentId) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        self.run("UPDATE bindings SET claim = NULL WHERE agent = ?1", [agent])?;
        Ok(())
    }
}
