//! Steps 4 to 6: who answers a call that is no return call, and what is left when nobody does.

use std::slice;
use std::sync::Arc;

use super::case::Case;
use super::recorder::{Named, Recorder};
use crate::domain::{Agent, Decision, RouteReason};

/// The number's passthrough, its default agent, the tenant's fallback, or nobody.
#[inline(never)]
pub(super) fn decide<'v>(case: &Case<'v, '_>, recorder: &mut impl Recorder) -> Decision<'v> {
    if case.entry.passes_on
        && let Some(target) = &case.entry.number.passthrough
    {
        recorder.step("passthrough", "chosen", || format!("the number passes on to {target}"));
        return case.route(RouteReason::Passthrough, slice::from_ref(target));
    }
    let default = case.entry.default_agent.and_then(|slot| case.view.agent_at(slot));
    let default = default.map(|entry| &entry.agent);
    if default.is_none() {
        recorder
            .step("default", "no_agent", || "no live inbound agent owns this number".to_owned());
    }
    if let Some(decision) = routed(case, RouteReason::Default, default, recorder) {
        return decision;
    }
    let fallback = case.tenant.tenant.settings.fallback_agent;
    let live = fallback.and_then(|id| case.live_agent(id));
    match (fallback, live) {
        (None, _) => recorder.step("fallback", "none", || "no fallback agent is set".to_owned()),
        (Some(id), None) => recorder.step("fallback", "not_live", || {
            format!("{id} is not a live inbound agent: passed over")
        }),
        (Some(_), Some(_)) => {}
    }
    if let Some(decision) = routed(case, RouteReason::Fallback, live, recorder) {
        return decision;
    }
    // A number with a live owner has a default, and whoever got here live lacked only a target.
    if default.or(live).is_some() {
        let last_resort = &case.tenant.tenant.settings.last_resort;
        recorder.step("last_resort", "no_target", || {
            format!("only a missing target stood in the way: {last_resort}")
        });
        return case.route(RouteReason::NoTarget, slice::from_ref(last_resort));
    }
    recorder.step("last_resort", "no_inbound_agent", || "nobody is there to answer".to_owned());
    case.reject(RouteReason::NoInboundAgent)
}

/// The route to a live agent, if there is one and it has a target.
fn routed<'v>(
    case: &Case<'v, '_>,
    reason: RouteReason,
    agent: Option<&'v Arc<Agent>>,
    recorder: &mut impl Recorder,
) -> Option<Decision<'v>> {
    let agent = agent?;
    let targets = case.targets(reason.as_str(), agent, recorder)?;
    let unmatched = reason == RouteReason::Default && agent.callback.is_some();
    recorder.step(reason.as_str(), "chosen", || {
        let but = if unmatched {
            ", who has the callback role, though this is no return call"
        } else {
            ""
        };
        format!("{}{but}", Named(agent))
    });
    Some(Decision { agent: Some(agent), unmatched, ..case.route(reason, targets) })
}
