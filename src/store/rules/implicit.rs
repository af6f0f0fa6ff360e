//! Agents that nobody named: they stand behind calls and numbers that say themselves what an agent
//! would.

use super::{Tx, WriteError};
use crate::{
    domain::{AgentId, AgentState, Direction, NumberId, NumberRecord, Refusal, TenantId},
    store::{AgentPatch, InboundChange, NewAgent, Sharing},
};

/// The name of who makes calls that name no agent.
const CALLER: &str = "Calls without an agent";

impl Tx<'_> {
    /// Sets how a number says itself that it is answered, whole.
    ///
    /// # Errors
    /// Unknown number; an agent that somebody named answers on it; wrong fields.
    pub fn set_inbound(
        &mut self,
        tenant: TenantId,
        number: NumberId,
        change: InboundChange,
    ) -> Result<NumberRecord, WriteError> {
        let record = self.known_number(tenant, number)?;
        self.refuse_mirrored_defaults(number)?;
        let state = if change.is_enabled { AgentState::Live } else { AgentState::Draft };
        if let Some(config) = record.inbound {
            let patch = AgentPatch {
                profile: Some(change.profile),
                targets: change.targets,
                ..AgentPatch::default()
            };
            let mut agent = self.update_agent(tenant, config.agent, patch)?;
            if change.is_enabled && !config.is_enabled {
                self.refuse_claimed(number, config.agent)?;
            }
            agent.agent.state = state;
            self.put_agent(&agent)?;
        } else {
            let new = NewAgent {
                state,
                profile: change.profile,
                targets: change.targets.unwrap_or_default(),
                numbers: vec![number],
                ..NewAgent::named(Direction::Inbound, format!("Number {}", record.e164))
            };
            let sharing = if change.is_enabled { Sharing::Exclusive } else { Sharing::Allowed };
            let agent = self.create_agent(tenant, new, sharing)?;
            self.insert_implicit(tenant, agent.agent.id, Some(number))?;
        }
        self.known_number(tenant, number)
    }

    /// Removes what a number said itself of how it is answered.
    pub(super) fn forget_inbound(&mut self, record: &NumberRecord) -> Result<(), WriteError> {
        let Some(config) = &record.inbound else { return Ok(()) };
        let agent = self.known_agent(record.tenant, config.agent)?;
        self.detach_all(&agent)?;
        self.delete_agent_row(config.agent)
    }

    /// Who makes the tenant's calls that name no agent; made when first needed.
    ///
    /// # Errors
    /// Unknown tenant; there is no target but agents' own.
    pub fn caller_without_name(&mut self, tenant: TenantId) -> Result<AgentId, WriteError> {
        if !self.settings().has_default_target {
            return Err(Refusal::NoDefaultTarget.into());
        }
        if let Some(known) = self.implicit_caller(tenant)? {
            return Ok(known);
        }
        let new =
            NewAgent { state: AgentState::Live, ..NewAgent::named(Direction::Outbound, CALLER) };
        let agent = self.create_agent(tenant, new, Sharing::Allowed)?.agent.id;
        self.insert_implicit(tenant, agent, None)?;
        Ok(agent)
    }
}
