//! What a write did that its writer may not have meant, read off the rows at its end.

use std::collections::BTreeSet;

use super::{Tx, WriteError};
use crate::domain::{Agent, AgentId, AgentState, Direction, E164, Target, Warning, WarningCode};

/// Caller IDs looked at per source agent: the latest it has shown.
const CALLERS_MAX: u32 = 64;
/// Warnings of one kind that a write answers with; whoever sees so many needs no more.
const CALLER_WARNINGS_MAX: usize = 16;

impl Tx<'_> {
    /// Everything a write warns of, besides what its rule has said already.
    pub(super) fn collect_warnings(&mut self) -> Result<(), WriteError> {
        self.warn_of_moved_defaults()?;
        let touched: Vec<AgentId> = self.before.agents.keys().copied().collect();
        let mut callbacks = BTreeSet::new();
        for id in touched {
            let Some(agent) = self.routed_agent(id)? else { continue };
            self.warn_of_targets(&agent)?;
            callbacks.extend(agent.callback.is_some().then_some(id));
            callbacks.extend(self.callbacks_over(id)?);
        }
        for id in callbacks {
            self.warn_of_unowned_callers(id)?;
        }
        Ok(())
    }

    fn warn_of_moved_defaults(&mut self) -> Result<(), WriteError> {
        let mut moved = Vec::new();
        for (&id, before) in &self.before.numbers {
            let Some(from) = before.as_ref().and_then(|before| before.default_agent) else {
                continue;
            };
            let Some(after) = self.any_number(id)? else { continue };
            if after.default_agent != Some(from) {
                moved.push((after.e164, from, after.default_agent));
            }
        }
        for (number, from, to) in moved {
            let message = match to {
                Some(to) => format!("The default agent of {number} moves from {from} to {to}."),
                None => format!("{number} loses its default agent {from}."),
            };
            let (number, from) = (Some(number), Some(from));
            self.warn(Warning { code: WarningCode::DefaultMoved, message, number, from, to });
        }
        Ok(())
    }

    fn warn_of_targets(&mut self, agent: &Agent) -> Result<(), WriteError> {
        if agent.direction != Direction::Inbound {
            return Ok(());
        }
        if agent.is_live() && agent.targets.is_empty() && !self.settings().has_default_target {
            let message =
                format!("Agent {} is live but has no target: calls pass it over.", agent.name);
            self.warn(of_agent(WarningCode::NoTarget, message));
        }
        let has_builtin = agent.targets.iter().any(|t| matches!(t, Target::Builtin(_)));
        if has_builtin && self.is_at_carrier(agent.id)? {
            let message = format!(
                "Agent {} answers on a carrier's number with a builtin target, which is for \
                 demos and tests.",
                agent.name
            );
            self.warn(of_agent(WarningCode::BuiltinTarget, message));
        }
        Ok(())
    }

    /// People ring back the number they saw: where the callback agent does not own it, they reach
    /// somebody else.
    fn warn_of_unowned_callers(&mut self, id: AgentId) -> Result<(), WriteError> {
        let Some(agent) = self.routed_agent(id)? else { return Ok(()) };
        let Some(role) = agent.callback.filter(|_| agent.state != AgentState::Archived) else {
            return Ok(());
        };
        let owned = self.e164s_of(id)?;
        let mut shown: BTreeSet<E164> = BTreeSet::new();
        for &source in &role.sources {
            shown.extend(self.e164s_of(source)?);
            shown.extend(self.callers(agent.tenant, source, CALLERS_MAX)?);
        }
        let unowned = shown.into_iter().filter(|number| !owned.contains(number));
        for number in unowned.take(CALLER_WARNINGS_MAX) {
            let message = format!(
                "Callback agent {} does not own {number}, which its source agents show: return \
                 calls to it go elsewhere.",
                agent.name
            );
            let code = WarningCode::CallerIdNotOwned;
            self.warn(Warning { code, message, number: Some(number), from: None, to: None });
        }
        Ok(())
    }
}

fn of_agent(code: WarningCode, message: String) -> Warning {
    Warning { code, message, number: None, from: None, to: None }
}
