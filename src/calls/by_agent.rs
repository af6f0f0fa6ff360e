//! Which calls an agent has, and with whom. It knows ids only: how a call stands is asked of the
//! table that has it.

use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::{Facts, table};
use crate::domain::{AgentId, CallId, Direction, E164};

/// An agent's calls with one person: one, but for a moment of two.
type Between = SmallVec<[CallId; 1]>;

/// The calls of every agent that has any, by the person at the other end.
#[derive(Debug)]
pub(super) struct ByAgent {
    between: DashMap<(AgentId, Option<E164>), Between, RandomState>,
    /// How many each agent has; an agent of thousands is found busy by one look.
    counts: DashMap<AgentId, usize, RandomState>,
}

impl Default for ByAgent {
    fn default() -> Self {
        Self { between: table(), counts: DashMap::default() }
    }
}

impl ByAgent {
    /// Enters a call; one that is there stays as it is.
    pub(super) fn enter(&self, facts: &Facts) {
        let Some((agent, contact, call)) = parties(facts) else { return };
        let mut calls = self.between.entry((agent, contact)).or_default();
        if !calls.contains(&call) {
            calls.push(call);
            drop(calls);
            *self.counts.entry(agent).or_default() += 1;
        }
    }

    /// Takes a call out.
    pub(super) fn leave(&self, facts: &Facts) {
        let Some((agent, contact, call)) = parties(facts) else { return };
        let Entry::Occupied(mut calls) = self.between.entry((agent, contact)) else { return };
        let Some(at) = calls.get().iter().position(|known| *known == call) else { return };
        calls.get_mut().swap_remove(at);
        if calls.get().is_empty() {
            calls.remove();
        } else {
            drop(calls);
        }
        if let Entry::Occupied(mut count) = self.counts.entry(agent) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Whether the agent has any.
    pub(super) fn has(&self, agent: AgentId) -> bool {
        self.counts.contains_key(&agent)
    }

    /// The agent's calls with a person.
    pub(super) fn between(&self, agent: AgentId, contact: E164) -> Vec<CallId> {
        self.between.get(&(agent, Some(contact))).map(|calls| calls.to_vec()).unwrap_or_default()
    }
}

/// Whose call it is, and with whom.
fn parties(facts: &Facts) -> Option<(AgentId, Option<E164>, CallId)> {
    let contact = match facts.direction {
        Direction::Inbound => facts.call.ani.number(),
        Direction::Outbound => facts.call.dnis,
    };
    facts.agent.as_ref().map(|agent| (agent.id, contact, facts.id))
}
