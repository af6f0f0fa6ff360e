//! Which calls an agent has, and with whom. It knows ids only: how a call stands is asked of the
//! table that has it.

use std::collections::BTreeSet;

use dashmap::{DashMap, Entry};
use uuid::Uuid;

use super::Facts;
use crate::domain::{AgentId, CallId, Direction, E164};

/// The calls of every agent that has any, by the person at the other end.
#[derive(Debug, Default)]
pub(super) struct ByAgent(DashMap<AgentId, BTreeSet<(Option<E164>, CallId)>>);

impl ByAgent {
    /// Enters a call; one that is there stays as it is.
    pub(super) fn enter(&self, facts: &Facts) {
        if let Some((agent, call)) = parties(facts) {
            self.0.entry(agent).or_default().insert(call);
        }
    }

    /// Takes a call out.
    pub(super) fn leave(&self, facts: &Facts) {
        let Some((agent, call)) = parties(facts) else { return };
        if let Entry::Occupied(mut calls) = self.0.entry(agent) {
            calls.get_mut().remove(&call);
            if calls.get().is_empty() {
                calls.remove();
            }
        }
    }

    /// Whether the agent has any.
    pub(super) fn has(&self, agent: AgentId) -> bool {
        self.0.contains_key(&agent)
    }

    /// The agent's calls with a person.
    pub(super) fn between(&self, agent: AgentId, contact: E164) -> Vec<CallId> {
        let Some(calls) = self.0.get(&agent) else { return Vec::new() };
        let (first, last) = (CallId(Uuid::nil()), CallId(Uuid::max()));
        let with = calls.range((Some(contact), first)..=(Some(contact), last));
        with.map(|(_, id)| *id).collect()
    }
}

/// Whose call it is, and with whom.
fn parties(facts: &Facts) -> Option<(AgentId, (Option<E164>, CallId))> {
    let contact = match facts.direction {
        Direction::Inbound => facts.call.ani.number(),
        Direction::Outbound => facts.call.dnis,
    };
    facts.agent.as_ref().map(|agent| (agent.id, (contact, facts.id)))
}
