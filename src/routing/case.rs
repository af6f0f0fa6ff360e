//! One call with everything the steps look at. It decides nothing.

use std::sync::Arc;

use super::recorder::{Named, Recorder};
use crate::domain::{
    Agent, AgentId, Decision, Direction, InboundCall, RouteReason, Target, UnixMillis, Verdict,
};
use crate::index::{NumberEntry, Owners, Seen, Sought, TenantEntry};

/// A call to a number that is ours.
#[derive(Clone, Copy)]
pub(super) struct Case<'v, 'c> {
    pub(super) view: Seen<'v>,
    pub(super) call: &'c InboundCall,
    pub(super) now: UnixMillis,
    pub(super) entry: &'v NumberEntry,
    pub(super) tenant: &'v TenantEntry,
}

/// What a return call needs beside the case, looked up before it is known to be one: so the ways to
/// memory overlap.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'v> {
    /// The caller, whose touches are on their way from memory.
    pub(super) sought: Option<Sought<'v>>,
    /// The tenants that have the caller's number.
    pub(super) owners: Option<&'v Owners>,
}

impl<'v, 'c> Case<'v, 'c> {
    /// Step 1: whose number it is.
    #[inline]
    pub(super) fn find(
        view: Seen<'v>,
        call: &'c InboundCall,
        now: UnixMillis,
        recorder: &mut impl Recorder,
    ) -> Option<(Self, Ahead<'v>)> {
        // The longest way to memory is the contact's: it begins before the tenant is known, and
        // what is looked up meanwhile costs nothing.
        let caller = call.ani.number();
        let sought = caller.map(|caller| view.seek(caller));
        let Some(dnis) = call.dnis else {
            recorder.step("number", "unknown", || "what was dialled is no number".to_owned());
            return None;
        };
        let owners = caller.and_then(|caller| view.owners(caller));
        let found = view
            .number_entry(call.account, dnis)
            .and_then(|entry| Some((entry, view.tenant_at(entry.tenant)?)));
        let Some((entry, tenant)) = found else {
            recorder.step("number", "unknown", || format!("{dnis} is not known here"));
            return None;
        };
        recorder
            .step("number", "found", || format!("{dnis} belongs to \"{}\"", tenant.tenant.name));
        Some((Self { view, call, now, entry, tenant }, Ahead { sought, owners }))
    }

    /// An agent of the tenant that is in business.
    pub(super) fn live_agent(&self, id: AgentId) -> Option<&'v Arc<Agent>> {
        self.view.agent(id).filter(|agent| {
            agent.is_live()
                && agent.direction == Direction::Inbound
                && agent.tenant == self.tenant.tenant.id
        })
    }

    /// What an agent routes to; `None`, and a step of the trace, where it has no target.
    pub(super) fn targets(
        &self,
        step: &'static str,
        agent: &'v Arc<Agent>,
        recorder: &mut impl Recorder,
    ) -> Option<&'v [Target]> {
        let targets = self.view.targets(agent);
        if targets.is_empty() {
            record_no_target(step, agent, recorder);
            return None;
        }
        Some(targets)
    }

    /// A call that is routed, by no agent yet.
    #[inline]
    pub(super) fn route(&self, reason: RouteReason, targets: &'v [Target]) -> Decision<'v> {
        Decision {
            verdict: Verdict::Route,
            reason,
            number: Some(&self.entry.number),
            tenant: Some(&self.tenant.tenant),
            agent: None,
            targets,
            unmatched: false,
            touch: None,
        }
    }

    /// A call that is refused.
    #[inline]
    pub(super) fn reject(&self, reason: RouteReason) -> Decision<'v> {
        Decision { verdict: Verdict::Reject, ..self.route(reason, &[]) }
    }
}

/// Tells of an agent that cannot take a call for want of a target.
pub(super) fn record_no_target(step: &'static str, agent: &Agent, recorder: &mut impl Recorder) {
    recorder.step(step, "no_target", || {
        format!("{} is live but has no target: passed over", Named(agent))
    });
}
