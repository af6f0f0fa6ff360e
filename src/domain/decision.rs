//! What routing answers.

use std::sync::Arc;

use super::{Agent, Number, Target, Tenant, Touch, spelled};

spelled! {
    /// Whether a call is routed.
    pub enum Verdict {
        /// It goes to the decision's targets.
        Route = "route",
        /// It is refused.
        Reject = "reject",
    }
}

spelled! {
    /// Why a call goes where it goes.
    pub enum RouteReason {
        /// A return call: it goes to the callback agent.
        Callback = "callback",
        /// No return call: it goes to whoever answered before.
        Passthrough = "passthrough",
        /// No return call: it goes to the number's default agent.
        Default = "default",
        /// Nobody on the number: it goes to the tenant's fallback agent.
        Fallback = "fallback",
        /// The caller's attestation is below the tenant's minimum.
        Attestation = "attestation",
        /// The caller is on the block list.
        Blocked = "blocked",
        /// Only a missing target stood in the way: the last resort answers.
        NoTarget = "no_target",
        /// Nobody here owns the number.
        UnknownNumber = "unknown_number",
        /// Nobody is there to answer.
        NoInboundAgent = "no_inbound_agent",
    }
}

/// Where a call goes and why. It borrows from the view it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision<'v> {
    /// Route or reject.
    pub verdict: Verdict,
    /// Why.
    pub reason: RouteReason,
    /// The dialled number; `None` where it is unknown.
    pub number: Option<&'v Number>,
    /// Its owner; `None` where the number is unknown.
    pub tenant: Option<&'v Tenant>,
    /// Who answers, where an agent does.
    pub agent: Option<&'v Arc<Agent>>,
    /// What is tried, in order, before the tenant's last resort.
    pub targets: &'v [Target],
    /// The agent holds the callback role but was not reached by a return call.
    pub unmatched: bool,
    /// The outbound call that is being returned.
    pub touch: Option<Touch>,
}

/// One rung of a call's ladder: a target, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Whose.
    pub agent: Option<Arc<Agent>>,
    /// The target; never an agent.
    pub target: Target,
}
