//! Agents that nobody named.

use rusqlite::params;

use super::Rows;
use crate::{
    domain::{AgentId, AgentState, InboundConfig, NumberId, TenantId},
    store::{Tx, WriteError},
};

impl Rows<'_> {
    /// How a number says itself that it is answered.
    pub(super) fn inbound_config(
        &self,
        number: NumberId,
    ) -> Result<Option<InboundConfig>, WriteError> {
        self.one(
            "SELECT agents.id, state, profile FROM implicit_agents
             JOIN agents ON agents.id = implicit_agents.agent WHERE number = ?1",
            [number],
            |row| {
                let state: AgentState = row.get(1)?;
                let is_enabled = state == AgentState::Live;
                Ok(InboundConfig { agent: row.get(0)?, is_enabled, profile: row.get(2)? })
            },
        )
    }

    /// Who makes the tenant's calls that name no agent.
    pub(in crate::store) fn implicit_caller(
        &self,
        tenant: TenantId,
    ) -> Result<Option<AgentId>, WriteError> {
        self.one(
            "SELECT agent FROM implicit_agents WHERE tenant = ?1 AND number IS NULL",
            [tenant],
            |row| row.get(0),
        )
    }

    /// Whether nobody named the agent.
    ///
    /// # Errors
    /// The store's.
    pub fn is_implicit(&self, agent: AgentId) -> Result<bool, WriteError> {
        let found = self.one("SELECT 1 FROM implicit_agents WHERE agent = ?1", [agent], |_| Ok(()));
        Ok(found?.is_some())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_implicit(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
        number: Option<NumberId>,
    ) -> Result<(), WriteError> {
        self.run(
            "INSERT INTO implicit_agents (agent, tenant, number) VALUES (?1, ?2, ?3)",
            params![agent, tenant, number],
        )?;
        Ok(())
    }
}
