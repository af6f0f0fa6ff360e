//! Whether a ladder can be saved.

use std::collections::BTreeSet;

use super::{Tx, WriteError};
use crate::domain::{AgentId, Direction, FieldError, Refusal, Target, TenantId};

/// Rungs of a ladder at most: all attempts together have two seconds.
const TARGETS_MAX: usize = 16;
/// How deep `agent:` targets may lead. A ladder that becomes deeper by a later write to an agent
/// below is cut there by every call.
const DEPTH_MAX: usize = 3;

impl Tx<'_> {
    /// Checks a ladder. `of` is the agent it is saved on, which no path may lead back to.
    pub(super) fn check_targets(
        &self,
        tenant: TenantId,
        of: Option<AgentId>,
        targets: &[Target],
    ) -> Result<(), WriteError> {
        if targets.len() > TARGETS_MAX {
            let message = format!("Must be at most {TARGETS_MAX} targets.");
            return Err(Refusal::invalid("targets", message).into());
        }
        let mut wrong = Vec::new();
        for (place, target) in targets.iter().enumerate() {
            if let Some(message) = self.wrong_with(tenant, of, target)? {
                wrong.push(FieldError { field: format!("targets.{place}"), message });
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong).into()) }
    }

    /// Checks a single target, such as a passthrough.
    pub(super) fn check_target(
        &self,
        tenant: TenantId,
        field: &str,
        target: &Target,
    ) -> Result<(), WriteError> {
        match self.wrong_with(tenant, None, target)? {
            Some(message) => Err(Refusal::invalid(field, message).into()),
            None => Ok(()),
        }
    }

    fn wrong_with(
        &self,
        tenant: TenantId,
        of: Option<AgentId>,
        target: &Target,
    ) -> Result<Option<String>, WriteError> {
        let Target::Agent(id) = *target else { return Ok(None) };
        self.wrong_below(tenant, id, 1, &mut BTreeSet::from_iter(of))
    }

    fn wrong_below(
        &self,
        tenant: TenantId,
        id: AgentId,
        depth: usize,
        path: &mut BTreeSet<AgentId>,
    ) -> Result<Option<String>, WriteError> {
        if depth > DEPTH_MAX {
            return Ok(Some(format!("agent: targets may lead at most {DEPTH_MAX} agents deep.")));
        }
        let Some(next) = self.agent(tenant, id)? else {
            // Below the first, an agent that is gone is passed over by every call.
            return Ok((depth == 1).then(|| "There is no such agent.".to_owned()));
        };
        if next.agent.direction != Direction::Inbound {
            return Ok((depth == 1).then(|| format!("Agent {} is not inbound.", next.agent.name)));
        }
        if !path.insert(id) {
            return Ok(Some("agent: targets must not lead in a circle.".to_owned()));
        }
        for target in &next.agent.targets {
            if let Target::Agent(below) = *target
                && let Some(wrong) = self.wrong_below(tenant, below, depth + 1, path)?
            {
                return Ok(Some(wrong));
            }
        }
        path.remove(&id);
        Ok(None)
    }
}
