//! Rows read together because they are shown together.

use std::collections::BTreeSet;

use super::Api;
use crate::{
    dialects::callingbox::{AgentBody, NumberBody},
    domain::{AccountId, AgentId, AgentRecord, AgentState, NumberRecord, Refusal, TenantId},
    store::{Rows, WriteError},
};

/// An agent with its numbers.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) record: AgentRecord,
    pub(super) numbers: Vec<NumberRecord>,
}

impl Whole {
    pub(super) fn of(rows: &Rows<'_>, record: AgentRecord) -> Result<Self, WriteError> {
        let mut numbers = Vec::with_capacity(record.numbers.len());
        for id in &record.numbers {
            numbers.extend(rows.number(record.agent.tenant, *id)?);
        }
        Ok(Self { record, numbers })
    }

    pub(super) fn all(rows: &Rows<'_>, records: Vec<AgentRecord>) -> Result<Vec<Self>, WriteError> {
        records.into_iter().map(|record| Self::of(rows, record)).collect()
    }
}

/// An agent, archived or not.
pub(super) fn agent(
    rows: &Rows<'_>,
    tenant: TenantId,
    id: AgentId,
) -> Result<AgentRecord, WriteError> {
    rows.agent(tenant, id)?.ok_or_else(|| Refusal::AgentNotFound.into())
}

/// An agent that is not archived.
pub(super) fn current(
    rows: &Rows<'_>,
    tenant: TenantId,
    id: AgentId,
) -> Result<AgentRecord, WriteError> {
    let record = agent(rows, tenant, id)?;
    if record.agent.state == AgentState::Archived {
        return Err(Refusal::AgentNotFound.into());
    }
    Ok(record)
}

impl Api {
    /// Whether the agent has a call in progress.
    pub(super) fn is_busy(&self, id: AgentId) -> bool {
        self.live.is_busy(id)
    }

    /// The tenant's agents with a call in progress.
    pub(super) fn busy_agents(&self, tenant: TenantId) -> BTreeSet<AgentId> {
        let calls = self.live.of_tenant(tenant);
        calls.iter().filter_map(|call| Some(call.facts.agent.as_ref()?.id)).collect()
    }

    /// The name of an account.
    pub(super) fn account_name(&self, id: Option<AccountId>) -> Option<String> {
        let view = self.index.view();
        view.account_by_id(id?).map(|account| account.name.clone())
    }

    /// A number as CallingBox and we show it.
    pub(super) fn number_body(&self, record: &NumberRecord) -> NumberBody {
        NumberBody::new(record, self.account_name(record.account).as_deref())
    }

    /// An agent as CallingBox shows it.
    pub(super) fn agent_body(&self, whole: &Whole) -> AgentBody {
        let numbers = whole.numbers.iter().map(|number| self.number_body(number)).collect();
        AgentBody::new(&whole.record, numbers)
    }
}
