//! One call with everything the steps look at. It decides nothing.

use std::sync::Arc;

use super::recorder::{Named, Recorder};
use crate::domain::{
    Agent, AgentId, Decision, Direction, InboundCall, RouteReason, Target, Tenant, UnixMillis,
    Verdict,
};
use crate::index::{NumberEntry, Sought, View};

/// A call to a number that is ours.
pub(super) struct Case<'v, 'c> {
    pub(super) view: &'v View<'v>,
    pub(super) call: &'c InboundCall,
    pub(super) now: UnixMillis,
    pub(super) entry: &'v NumberEntry,
    pub(super) tenant: &'v Arc<Tenant>,
    /// The number's default agent and what it routes to.
    pub(super) default: Option<(&'v Arc<Agent>, &'v [Target])>,
    /// The caller, whose touches are on their way from memory.
    pub(super) sought: Option<Sought>,
}

impl<'v, 'c> Case<'v, 'c> {
    /// Step 1: whose number it is.
    pub(super) fn find(
        view: &'v View<'v>,
        call: &'c InboundCall,
        now: UnixMillis,
        recorder: &mut impl Recorder,
    ) -> Option<Self> {
        // The longest way to memory is the contact's: it begins before the tenant is known, and
        // what is looked up meanwhile costs nothing.
        let sought = call.ani.number().map(|caller| view.seek(caller));
        let Some(dnis) = call.dnis else {
            recorder.step("number", "unknown", || "what was dialled is no number".to_owned());
            return None;
        };
        let found = view
            .number_entry(call.account, dnis)
            .and_then(|entry| Some((entry, view.tenant_at(entry.tenant)?)));
        let Some((entry, tenant)) = found else {
            recorder.step("number", "unknown", || format!("{dnis} is not known here"));
            return None;
        };
        recorder.step("number", "found", || format!("{dnis} belongs to \"{}\"", tenant.name));
        let default = entry.default_agent.and_then(|slot| view.agent_at(slot));
        let default = default.map(|agent| (agent, view.targets(agent)));
        Some(Self { view, call, now, entry, tenant, default, sought })
    }

    /// An agent of the tenant that is in business.
    pub(super) fn live_agent(&self, id: AgentId) -> Option<&'v Arc<Agent>> {
        self.view.agent(id).filter(|agent| {
            agent.is_live()
                && agent.direction == Direction::Inbound
                && agent.tenant == self.tenant.id
        })
    }

    /// What an agent routes to; `None`, and a step of the trace, where it has no target.
    pub(super) fn targets(
        &self,
        step: &'static str,
        agent: &'v Arc<Agent>,
        recorder: &mut impl Recorder,
    ) -> Option<&'v [Target]> {
        self.some_targets(step, agent, self.view.targets(agent), recorder)
    }

    /// The same of an agent whose targets are at hand.
    pub(super) fn some_targets(
        &self,
        step: &'static str,
        agent: &'v Arc<Agent>,
        targets: &'v [Target],
        recorder: &mut impl Recorder,
    ) -> Option<&'v [Target]> {
        if targets.is_empty() {
            recorder.step(step, "no_target", || {
                format!("{} is live but has no target: passed over", Named(agent))
            });
            return None;
        }
        Some(targets)
    }

    /// A call that is routed, by no agent yet.
    pub(super) fn route(&self, reason: RouteReason, targets: &'v [Target]) -> Decision<'v> {
        Decision {
            verdict: Verdict::Route,
            reason,
            number: Some(&self.entry.number),
            tenant: Some(self.tenant),
            agent: None,
            targets,
            unmatched: false,
            touch: None,
        }
    }

    /// A call that is refused.
    pub(super) fn reject(&self, reason: RouteReason) -> Decision<'v> {
        Decision { verdict: Verdict::Reject, ..self.route(reason, &[]) }
    }
}
