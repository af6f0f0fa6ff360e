//! Step 3: whether somebody here called this person, and who takes their call for it.

use std::cmp::Reverse;
use std::sync::Arc;

use super::case::Case;
use super::recorder::{Named, Recorder, Span, When};
use crate::domain::{
    Agent, Attestation, Callback, Decision, E164, RouteReason, Target, TouchId, UnixSeconds,
};
use crate::index::{AgentSlot, Remembered, RememberedTouch};

/// An imported touch may be this far ahead of our clock, not further.
const AHEAD_SECONDS_MAX: u64 = 300;

const DAY_SECONDS: u64 = 86_400;

/// What the best touch is best by: it showed the number that is called; then it is the newest.
type Rank = (bool, (UnixSeconds, TouchId));

/// Who takes a call, and where.
type Taker<'v> = (&'v Arc<Agent>, &'v [Target]);

/// Why a touch does not count for a callback agent.
enum PassedOver {
    NotSource,
    Ahead,
    Outside { window_seconds: u64 },
    Outcome,
}

/// A callback agent with all that judging a touch looks at.
#[derive(Clone, Copy)]
struct Role<'v> {
    agent: &'v Arc<Agent>,
    callback: &'v Callback,
    sources: &'v [AgentSlot],
    targets: &'v [Target],
}

impl<'v> Role<'v> {
    fn at(case: &Case<'v, '_>, slot: AgentSlot) -> Option<Self> {
        let agent = case.view.agent_at(slot)?;
        Some(Self {
            agent,
            callback: agent.callback.as_ref()?,
            sources: case.view.sources_at(slot),
            targets: case.view.targets(agent),
        })
    }
}

/// The callback agent of the best touch, if any counts. What is known without the touches is looked
/// up first: they are the last to come from memory.
pub(super) fn decide<'v, R: Recorder>(
    case: &Case<'v, '_>,
    caller: E164,
    recorder: &mut R,
) -> Option<Decision<'v>> {
    let is_own_number = case.view.is_own_number(case.entry.tenant, caller);
    let first = case.entry.callback_agents.first().and_then(|slot| Role::at(case, *slot));
    let mut remembered = Remembered::new();
    case.view.recall(case.entry.tenant, case.sought?, &mut remembered);
    if remembered.is_empty() {
        recorder.step("callback", "no_touch", || format!("nobody here has called {caller}"));
        return None;
    }
    if is_own_number {
        recorder.step("callback", "own_number", || format!("{caller} is ours: agents calling"));
        return None;
    }
    record_absent(case, recorder);
    if R::LISTENS {
        remembered.sort_unstable_by_key(|touch| Reverse(touch.rank()));
    }
    let mut best: Option<(Rank, &RememberedTouch, Taker<'v>)> = None;
    for (place, slot) in case.entry.callback_agents.iter().enumerate() {
        let role = if place == 0 { first } else { Role::at(case, *slot) };
        let Some(role) = role else { continue };
        let Role { agent, targets, .. } = role;
        if !is_believed(case, agent, recorder)
            || case.some_targets("callback", agent, targets, recorder).is_none()
        {
            continue;
        }
        for touch in &remembered {
            let judged = judge(case, &role, touch);
            record_judged(case, agent, touch, judged.as_ref().err(), recorder);
            let rank = (is_on_number(case, touch), touch.rank());
            // Among equals the first: it has held the role longest, or has the lower id.
            if judged.is_ok() && best.is_none_or(|(best, ..)| rank > best) {
                best = Some((rank, touch, (agent, targets)));
            }
        }
    }
    let Some(((on_number, _), touch, (agent, targets))) = best else {
        recorder.step("callback", "no_match", || {
            "no touch counts for a callback agent of this number".to_owned()
        });
        return None;
    };
    recorder.step("callback", "chosen", || {
        let which =
            if on_number { "the newest that showed the dialled number" } else { "the newest" };
        format!("{} takes it: {} is {which}", Named(agent), told(case, touch))
    });
    let touch = case.view.touch(case.tenant.id, caller, touch);
    Some(Decision { agent: Some(agent), touch, ..case.route(RouteReason::Callback, targets) })
}

/// Whether the call is vouched for as far as this agent asks; one it does not believe reaches it
/// as any stranger's would.
fn is_believed(case: &Case<'_, '_>, agent: &Agent, recorder: &mut impl Recorder) -> bool {
    let shown = case.call.attestation;
    let least = agent.min_attestation.unwrap_or(Attestation::None);
    if shown < least {
        recorder.step("callback", "below_min", || {
            format!("{shown} is below {least}, which {} asks for: passed over", Named(agent))
        });
    }
    shown >= least
}

/// Whether the touch showed the number that is called now, or that forwarded the call here.
fn is_on_number(case: &Case<'_, '_>, touch: &RememberedTouch) -> bool {
    let shown = Some(touch.caller_id);
    shown == case.call.dnis || shown == case.call.forwarded_from
}

fn judge(case: &Case<'_, '_>, role: &Role<'_>, touch: &RememberedTouch) -> Result<(), PassedOver> {
    if role.sources.binary_search(&touch.agent()).is_err() {
        return Err(PassedOver::NotSource);
    }
    let (UnixSeconds(at), UnixSeconds(now)) = (touch.at(), case.now.seconds());
    if at > now.saturating_add(AHEAD_SECONDS_MAX) {
        return Err(PassedOver::Ahead);
    }
    let window_seconds = window_seconds(case, role.callback);
    if now.saturating_sub(at) > window_seconds {
        return Err(PassedOver::Outside { window_seconds });
    }
    if !role.callback.trigger_outcomes.accepts(touch.outcome().aged(touch.at(), case.now)) {
        return Err(PassedOver::Outcome);
    }
    Ok(())
}

/// The agent's window or the tenant's, and never what should have been forgotten by now.
fn window_seconds(case: &Case<'_, '_>, callback: &Callback) -> u64 {
    let settings = &case.tenant.settings;
    let kept = settings.touch_retention_days;
    let days = match callback.window_days.unwrap_or(settings.window_days) {
        0 => kept,
        days => days.min(kept),
    };
    u64::from(days) * DAY_SECONDS
}

/// Tells of owners that have the role but are not in business.
fn record_absent<R: Recorder>(case: &Case<'_, '_>, recorder: &mut R) {
    if !R::LISTENS {
        return;
    }
    let owners = &case.entry.number.owners;
    for agent in owners.iter().filter_map(|owner| case.view.agent(owner.agent)) {
        if agent.callback.is_some() && !agent.is_live() {
            recorder.step("callback", "not_live", || {
                format!("{} has the role but is {}: passed over", Named(agent), agent.state)
            });
        }
    }
    if case.entry.callback_agents.is_empty() {
        recorder
            .step("callback", "no_agent", || "no live callback agent owns this number".to_owned());
    }
}

fn record_judged(
    case: &Case<'_, '_>,
    agent: &Agent,
    touch: &RememberedTouch,
    passed_over: Option<&PassedOver>,
    recorder: &mut impl Recorder,
) {
    let result = if passed_over.is_some() { "passed_over" } else { "accepted" };
    recorder.step("callback", result, || {
        let what = told(case, touch);
        let agent = Named(agent);
        match passed_over {
            None => format!("{agent} accepts {what}"),
            Some(PassedOver::NotSource) => format!("{what} is by no source agent of {agent}"),
            Some(PassedOver::Ahead) => format!("{what} is in the future"),
            Some(PassedOver::Outside { window_seconds }) => {
                format!("{what} is outside the window of {agent}, {}", Span(*window_seconds))
            }
            Some(PassedOver::Outcome) => {
                let outcome = touch.outcome().aged(touch.at(), case.now);
                format!("{what}: {agent} does not take calls back after {outcome}")
            }
        }
    });
}

/// A touch in words.
fn told(case: &Case<'_, '_>, touch: &RememberedTouch) -> String {
    let source = case.view.agent_at(touch.agent());
    let source = source.map_or("an agent that is gone".to_owned(), |a| Named(a).to_string());
    format!(
        "touch {} [by {source}, {}, {}, caller ID {}]",
        touch.id,
        When { at: touch.at(), now: case.now },
        touch.outcome(),
        touch.caller_id,
    )
}
