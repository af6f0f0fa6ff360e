//! What may be written: every business rule, one file a noun, as methods of `Tx`.
//!
//! A rule refuses with `domain::Refusal`, and then nothing of the write is kept. It writes no SQL
//! and never looks at the index: what it needs to know, it reads in its own transaction.

mod accounts;
mod agents;
mod bindings;
mod callback;
mod calls;
mod deliveries;
mod details;
mod dials;
mod erasure;
mod implicit;
mod keep;
mod keys;
mod mirror;
mod numbers;
mod pointing;
mod recorded;
mod rollback;
mod settings;
mod setup;
mod strays;
mod targets;
mod tenants;
mod touches;
mod webhooks;

pub use keys::KeySecret;

use super::{Tx, WriteError};
use crate::domain::{AgentId, AgentRecord, AgentState, NumberId, NumberRecord, Refusal, TenantId};

/// The longest name of anything (Talkover's limit).
const NAME_LEN_MAX: usize = 255;

/// A name as it is kept: not blank, not too long.
fn named(field: &str, name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Refusal::invalid(field, "Must not be empty."));
    }
    if name.chars().count() > NAME_LEN_MAX {
        return Err(Refusal::invalid(field, format!("Must be at most {NAME_LEN_MAX} characters.")));
    }
    Ok(name.to_owned())
}

impl Tx<'_> {
    fn known_agent(&self, tenant: TenantId, id: AgentId) -> Result<AgentRecord, WriteError> {
        Ok(self.agent(tenant, id)?.ok_or(Refusal::AgentNotFound)?)
    }

    /// An agent that can still be written to.
    fn open_agent(&self, tenant: TenantId, id: AgentId) -> Result<AgentRecord, WriteError> {
        let record = self.known_agent(tenant, id)?;
        if record.agent.state == AgentState::Archived {
            return Err(Refusal::AgentArchived.into());
        }
        Ok(record)
    }

    fn known_number(&self, tenant: TenantId, id: NumberId) -> Result<NumberRecord, WriteError> {
        Ok(self.number(tenant, id)?.ok_or(Refusal::NumberNotFound)?)
    }
}
