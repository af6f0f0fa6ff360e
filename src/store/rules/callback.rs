//! The callback role: who takes it, over whom, and when it is lost.

use std::collections::BTreeSet;

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentId, AgentRecord, AgentState, Callback, Direction, FieldError, OutcomeSet, Refusal,
        TenantId,
    },
    store::{CallbackChange, Role, Rows},
};

/// Sources of one role at most; membership is looked up per touch, so it costs no call anything.
const SOURCES_MAX: usize = 1000;

impl Rows<'_> {
    /// Everything that stands against an agent's callback role over these sources. Nothing is
    /// written.
    ///
    /// # Errors
    /// Unknown or archived agent.
    pub fn callback_objections(
        &self,
        tenant: TenantId,
        id: AgentId,
        sources: &[AgentId],
    ) -> Result<Vec<Refusal>, WriteError> {
        let record = self.agent(tenant, id)?.ok_or(Refusal::AgentNotFound)?;
        if record.agent.state == AgentState::Archived {
            return Err(Refusal::AgentArchived.into());
        }
        let held = record.agent.callback.as_ref();
        let known = held.map_or(&[][..], |held| &held.sources);
        let mut objections = Vec::new();
        if record.agent.direction != Direction::Inbound {
            objections.push(Refusal::NotInbound);
        }
        objections.append(&mut self.objections(tenant, sources, known)?);
        Ok(objections)
    }

    /// What stands against these sources. Those that are listed already stay whatever has become of
    /// them: teams archive a finished campaign, and people ring back next week.
    fn objections(
        &self,
        tenant: TenantId,
        asked: &[AgentId],
        known: &[AgentId],
    ) -> Result<Vec<Refusal>, WriteError> {
        if asked.is_empty() {
            let message = "Must name at least one source agent.";
            return Ok(vec![Refusal::invalid("source_agent_ids", message)]);
        }
        if asked.len() > SOURCES_MAX {
            let message = format!("Must be at most {SOURCES_MAX} agents.");
            return Ok(vec![Refusal::invalid("source_agent_ids", message)]);
        }
        let (mut wrong, mut objections) = (Vec::new(), Vec::new());
        for (place, id) in asked.iter().enumerate().filter(|(_, id)| !known.contains(id)) {
            let message = match self.agent(tenant, *id)?.map(|record| record.agent) {
                None => "There is no such agent.".to_owned(),
                Some(agent) if agent.direction != Direction::Outbound => {
                    objections.push(Refusal::SourceNotOutbound(place));
                    continue;
                }
                Some(agent) if !agent.is_live() => {
                    format!("Agent {} is not published.", agent.name)
                }
                Some(_) => continue,
            };
            wrong.push(FieldError { field: format!("source_agent_ids.{place}"), message });
        }
        if !wrong.is_empty() {
            objections.insert(0, Refusal::Invalid(wrong));
        }
        Ok(objections)
    }
}

impl Tx<'_> {
    /// Gives an agent the callback role, or replaces what it is over. How long it has been held
    /// does not change by a replacement; taking it gives every claim of the agent up.
    ///
    /// # Errors
    /// Unknown or archived agent; not inbound; without the role where only replacing is asked; a
    /// list that is empty; a source new to the list that is unknown, no outbound agent or not
    /// published; a window longer than touches are kept.
    pub fn set_callback(
        &mut self,
        tenant: TenantId,
        id: AgentId,
        change: CallbackChange,
        role: Role,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, id)?;
        let held = record.agent.callback;
        if held.is_none() && role == Role::ReplaceOnly {
            return Err(Refusal::NotCallbackAgent.into());
        }
        if record.agent.direction != Direction::Inbound {
            return Err(Refusal::NotInbound.into());
        }
        let known = held.as_ref().map_or(&[][..], |held| &held.sources);
        if known != change.sources {
            self.refuse_mirrored_callback(id)?;
        }
        if let Some(objection) = self.objections(tenant, &change.sources, known)?.into_iter().next()
        {
            return Err(objection.into());
        }
        let held_window = held.as_ref().and_then(|held| held.window_days);
        let window_days = change.window_days.unwrap_or(held_window);
        self.check_window(tenant, window_days)?;
        let held_outcomes = held.as_ref().map_or(OutcomeSet::ALL, |held| held.trigger_outcomes);
        let taken = Callback {
            sources: without_repeats(change.sources),
            window_days,
            trigger_outcomes: change.trigger_outcomes.unwrap_or(held_outcomes),
            since: held.as_ref().map_or(self.next_seq(), |held| held.since),
        };
        if taken.trigger_outcomes.iter().next().is_none() {
            let message = "Must name at least one outcome.";
            return Err(Refusal::invalid("trigger_outcomes", message).into());
        }
        self.put_callback(id, &taken)?;
        if held.is_none() {
            self.clear_claims(id)?;
        }
        self.insert_audit(Some(tenant), "callback.set", Some(id.0))?;
        self.known_agent(tenant, id)
    }

    /// Takes the callback role away. Numbers stay attached, without claims.
    ///
    /// # Errors
    /// Unknown or archived agent; it does not hold the role.
    pub fn remove_callback(
        &mut self,
        tenant: TenantId,
        id: AgentId,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, id)?;
        if record.agent.callback.is_none() {
            return Err(Refusal::NotCallbackAgent.into());
        }
        self.refuse_mirrored_callback(id)?;
        self.delete_callback(id)?;
        self.insert_audit(Some(tenant), "callback.remove", Some(id.0))?;
        self.known_agent(tenant, id)
    }

    /// Takes a source off every list; a role whose list becomes empty is dropped.
    pub(super) fn leave_lists(
        &mut self,
        tenant: TenantId,
        source: AgentId,
    ) -> Result<(), WriteError> {
        for id in self.callbacks_over(source)? {
            let Some(mut role) = self.known_agent(tenant, id)?.agent.callback else { continue };
            role.sources.retain(|&listed| listed != source);
            if role.sources.is_empty() {
                self.delete_callback(id)?;
                self.insert_audit(Some(tenant), "callback.dropped", Some(id.0))?;
            } else {
                self.put_callback(id, &role)?;
                self.insert_audit(Some(tenant), "callback.source_left", Some(id.0))?;
            }
        }
        Ok(())
    }

    fn check_window(&self, tenant: TenantId, days: Option<u32>) -> Result<(), WriteError> {
        let kept = self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let kept = kept.tenant.settings.touch_retention_days;
        if days.is_some_and(|days| days > kept) {
            let message = format!("Must be at most {kept}, the days that touches are kept.");
            return Err(Refusal::invalid("window_days", message).into());
        }
        Ok(())
    }
}

fn without_repeats(sources: Vec<AgentId>) -> Vec<AgentId> {
    let mut seen = BTreeSet::new();
    sources.into_iter().filter(|&id| seen.insert(id)).collect()
}
