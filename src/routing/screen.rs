//! Step 2: who is let in, and whether the number they show is believed.

use std::slice;

use super::case::Case;
use super::recorder::{Named, Recorder};
use crate::domain::{Ani, BelowMin, Decision, E164, RouteReason};

/// What becomes of a caller.
pub(super) enum Screened<'v> {
    /// The rule ends here.
    Decided(Decision<'v>),
    /// Their number is not vouched for as far as the tenant asks.
    BelowMin,
    /// They are let in; with the number they may be known by, if any.
    Caller(Option<E164>),
}

/// The block list, then the least attestation.
#[inline]
pub(super) fn screen<'v>(case: &Case<'v, '_>, recorder: &mut impl Recorder) -> Screened<'v> {
    let caller = case.call.ani.number();
    let settings = &case.tenant.tenant.settings;
    let is_blocked =
        |ani: &E164| case.tenant.has_blocked && settings.block_list.binary_search(ani).is_ok();
    if let Some(ani) = caller.filter(is_blocked) {
        let target = settings.block_target.as_ref();
        recorder.step("block_list", "blocked", || match target {
            Some(target) => format!("{ani} is on the block list, which goes to {target}"),
            None => format!("{ani} is on the block list"),
        });
        return Screened::Decided(match target {
            Some(target) => case.route(RouteReason::Blocked, slice::from_ref(target)),
            None => case.reject(RouteReason::Blocked),
        });
    }
    if case.call.attestation < case.tenant.min_attestation {
        return Screened::BelowMin;
    }
    record_caller(case, recorder);
    Screened::Caller(caller)
}

/// Who takes the call of somebody whose number is not vouched for as far as the tenant asks;
/// `None`: whoever would take it if they had withheld it.
#[inline(never)]
pub(super) fn below_min<'v>(
    case: &Case<'v, '_>,
    recorder: &mut impl Recorder,
) -> Option<Decision<'v>> {
    let (shown, least) = (case.call.attestation, case.tenant.min_attestation);
    match case.tenant.tenant.settings.below_min {
        BelowMin::AsWithheld => {}
        BelowMin::Reject => {
            recorder.step("attestation", "rejected", || format!("{shown} is below {least}"));
            return Some(case.reject(RouteReason::Attestation));
        }
        BelowMin::Agent(id) => {
            let agent = case.live_agent(id);
            if agent.is_none() {
                recorder.step("attestation", "not_live", || {
                    format!("{id}, who is to take calls below {least}, is not live: passed over")
                });
            }
            let routable = agent
                .and_then(|agent| Some((agent, case.targets("attestation", agent, recorder)?)));
            if let Some((agent, targets)) = routable {
                recorder.step("attestation", "agent", || {
                    format!("{shown} is below {least}, which goes to {}", Named(agent))
                });
                let decision = case.route(RouteReason::Attestation, targets);
                return Some(Decision { agent: Some(agent), ..decision });
            }
        }
    }
    recorder.step("attestation", "as_withheld", || {
        format!("{shown} is below {least}: the caller counts as withheld")
    });
    None
}

#[inline]
fn record_caller(case: &Case<'_, '_>, recorder: &mut impl Recorder) {
    match case.call.ani {
        Ani::Number(ani) => recorder.step("caller", "usable", || ani.to_string()),
        Ani::Withheld => recorder.step("caller", "withheld", || "no contact".to_owned()),
        Ani::Unusable => recorder.step("caller", "unusable", || "not a number".to_owned()),
    }
}
