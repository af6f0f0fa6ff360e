//! Decides where a call goes. Pure: same view, call and time, same decision.
//!
//! It never counts, logs or waits; the edge does, from the decision it gets back. Each step of the
//! rule has its file: `screen` who is let in, `return_call` who called this person,
//! `standing` who answers everybody else. The explained form is the same code with a recorder
//! that listens.

mod case;
mod ladder;
mod recorder;
mod return_call;
mod screen;
mod standing;

pub use ladder::ladder;

use crate::domain::{Decision, InboundCall, RouteReason, TraceStep, UnixMillis, Verdict};
use crate::index::{Seen, View};
use case::Case;
use recorder::{Recorder, Silent};
use screen::Screened;

/// Where a call goes. It allocates nothing.
#[must_use]
pub fn decide<'v>(view: &'v View<'_>, call: &InboundCall, now: UnixMillis) -> Decision<'v> {
    run(view.seen(), call, now, &mut Silent)
}

/// Where a call goes, and how that was found.
#[must_use]
pub fn explain<'v>(
    view: &'v View<'_>,
    call: &InboundCall,
    now: UnixMillis,
) -> (Decision<'v>, Vec<TraceStep>) {
    let mut trace = Vec::new();
    let decision = run(view.seen(), call, now, &mut trace);
    (decision, trace)
}

fn run<'v, R: Recorder>(
    view: Seen<'v>,
    call: &InboundCall,
    now: UnixMillis,
    recorder: &mut R,
) -> Decision<'v> {
    let Some((case, ahead)) = Case::find(view, call, now, recorder) else {
        return Decision {
            verdict: Verdict::Reject,
            reason: RouteReason::UnknownNumber,
            number: None,
            tenant: None,
            agent: None,
            targets: &[],
            unmatched: false,
            touch: None,
        };
    };
    let caller = match screen::screen(&case, recorder) {
        Screened::Decided(decision) => return decision,
        Screened::BelowMin => match screen::below_min(&Case { ..case }, recorder) {
            Some(decision) => return decision,
            None => None,
        },
        Screened::Caller(caller) => caller,
    };
    // Before the number's owner: a caller who rings back wants the voice they missed.
    if let Some(caller) = caller
        && let Some(decision) = return_call::decide(&case, ahead, caller, recorder)
    {
        return decision;
    }
    // A copy, here and above: what is lent to a function of its own lies in memory from the
    // beginning, and most calls do not come here.
    standing::decide(&Case { ..case }, recorder)
}
