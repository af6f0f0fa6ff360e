//! Step 3: whether somebody here called this person, and who takes their call for it.

use std::cmp::Reverse;

use super::case::{Ahead, Case, record_no_target};
use super::recorder::{Named, Recorder, Span, When};
use crate::domain::{Agent, Decision, E164, RouteReason, UnixSeconds};
use crate::index::{AgentEntry, AgentSlot, Remembered, RememberedTouch, Seen};

/// An imported touch may be this far ahead of our clock, not further.
const AHEAD_SECONDS_MAX: u64 = 300;

const DAY_SECONDS: u64 = 86_400;

/// The best touch so far, and who takes the call for it.
#[derive(Clone, Copy)]
struct Best<'v, 'r> {
    touch: &'r RememberedTouch,
    /// It showed the number that is called.
    on_number: bool,
    agent: &'v AgentEntry,
}

impl Best<'_, '_> {
    /// Whether it is better to have shown the number that is called; then, to be the newest.
    #[inline]
    fn is_behind(&self, touch: &RememberedTouch, on_number: bool) -> bool {
        (on_number, touch.rank()) > (self.on_number, self.touch.rank())
    }
}

/// Who may take a call, if it has a target.
#[derive(Clone, Copy)]
struct Taker<'v> {
    entry: &'v AgentEntry,
    has_target: bool,
}

impl<'v> Taker<'v> {
    #[inline]
    fn at(view: Seen<'v>, slot: AgentSlot) -> Option<Self> {
        let entry = view.agent_at(slot)?;
        Some(Self { entry, has_target: !view.targets(&entry.agent).is_empty() })
    }
}

/// Why a touch does not count for a callback agent.
enum PassedOver {
    NotSource,
    Ahead,
    Outside { window_seconds: u64 },
    Outcome,
}

/// The callback agent of the best touch, if any counts. What is known without the touches is looked
/// up first: they are the last to come from memory.
#[inline]
pub(super) fn decide<'v, R: Recorder>(
    case: &Case<'v, '_>,
    ahead: Ahead<'v>,
    caller: E164,
    recorder: &mut R,
) -> Option<Decision<'v>> {
    let slots = case.entry.callback_agents.as_slice();
    if slots.is_empty() && !R::LISTENS {
        return None;
    }
    let first = slots.first().and_then(|slot| Taker::at(case.view, *slot));
    let mut remembered = Remembered::new();
    case.view.recall(case.entry.tenant, ahead.sought?, &mut remembered);
    if remembered.is_empty() {
        recorder.step("callback", "no_touch", || format!("nobody here has called {caller}"));
        return None;
    }
    let tenant = case.entry.tenant;
    if ahead.owners.is_some_and(|owners| owners.iter().any(|(owner, _)| *owner == tenant)) {
        recorder.step("callback", "own_number", || format!("{caller} is ours: agents calling"));
        return None;
    }
    record_absent(case, recorder);
    if R::LISTENS {
        remembered.sort_unstable_by_key(|touch| Reverse(touch.rank()));
    }
    let remembered = remembered.as_slice();
    let mut best: Option<Best<'v, '_>> = None;
    for (place, slot) in slots.iter().enumerate() {
        let taker = if place == 0 { first } else { Taker::at(case.view, *slot) };
        let Some(Taker { entry: agent, has_target }) = taker else { continue };
        if !is_believed(case, agent, recorder) {
            continue;
        }
        if !has_target {
            record_no_target("callback", &agent.agent, recorder);
            continue;
        }
        let window = Window::of(case, agent);
        for touch in remembered {
            let judged = judge(case, agent, &window, touch);
            record_judged(case, &agent.agent, touch, judged.as_ref().err(), recorder);
            if judged.is_err() {
                continue;
            }
            let on_number = is_on_number(case, touch);
            // Among equals the first: it has held the role longest, or has the lower id.
            if best.is_none_or(|best| best.is_behind(touch, on_number)) {
                best = Some(Best { touch, on_number, agent });
            }
        }
    }
    let Some(Best { touch, on_number, agent }) = best else {
        recorder.step("callback", "no_match", || {
            "no touch counts for a callback agent of this number".to_owned()
        });
        return None;
    };
    recorder.step("callback", "chosen", || {
        let which =
            if on_number { "the newest that showed the dialled number" } else { "the newest" };
        format!("{} takes it: {} is {which}", Named(&agent.agent), told(case, touch))
    });
    let touch = case.view.touch(case.tenant.tenant.id, caller, touch);
    let targets = case.view.targets(&agent.agent);
    let decision = case.route(RouteReason::Callback, targets);
    Some(Decision { agent: Some(&agent.agent), touch, ..decision })
}

/// Whether the call is vouched for as far as this agent asks; one it does not believe reaches it
/// as any stranger's would.
fn is_believed(case: &Case<'_, '_>, agent: &AgentEntry, recorder: &mut impl Recorder) -> bool {
    let (shown, least) = (case.call.attestation, agent.min_attestation);
    if shown < least {
        recorder.step("callback", "below_min", || {
            let agent = Named(&agent.agent);
            format!("{shown} is below {least}, which {agent} asks for: passed over")
        });
    }
    shown >= least
}

/// Whether the touch showed the number that is called now, or that forwarded the call here.
fn is_on_number(case: &Case<'_, '_>, touch: &RememberedTouch) -> bool {
    let shown = Some(touch.caller_id);
    shown == case.call.dnis || shown == case.call.forwarded_from
}

#[inline]
fn judge(
    case: &Case<'_, '_>,
    agent: &AgentEntry,
    window: &Window,
    touch: &RememberedTouch,
) -> Result<(), PassedOver> {
    if !is_among(&agent.sources, touch.agent()) {
        return Err(PassedOver::NotSource);
    }
    if touch.at() > window.last {
        return Err(PassedOver::Ahead);
    }
    if touch.at() < window.first {
        return Err(PassedOver::Outside { window_seconds: window.seconds });
    }
    if !agent.trigger_outcomes.accepts(touch.outcome().aged(touch.at(), case.now)) {
        return Err(PassedOver::Outcome);
    }
    Ok(())
}

/// Whether a slot is among these, which are sorted; most roles have one or two.
#[inline]
fn is_among(sources: &[AgentSlot], slot: AgentSlot) -> bool {
    match sources {
        [] => false,
        [one] => *one == slot,
        [one, other] => *one == slot || *other == slot,
        many => many.binary_search(&slot).is_ok(),
    }
}

/// When touches count.
struct Window {
    first: UnixSeconds,
    last: UnixSeconds,
    /// How far back, as it was asked for.
    seconds: u64,
}

impl Window {
    /// The agent's window or the tenant's, and never what should have been forgotten by now.
    #[inline]
    fn of(case: &Case<'_, '_>, agent: &AgentEntry) -> Self {
        let settings = &case.tenant.tenant.settings;
        let kept = settings.touch_retention_days;
        let days = match agent.window_days.unwrap_or(settings.window_days) {
            0 => kept,
            days => days.min(kept),
        };
        let (seconds, UnixSeconds(now)) = (u64::from(days) * DAY_SECONDS, case.now.seconds());
        Self {
            first: UnixSeconds(now.saturating_sub(seconds)),
            last: UnixSeconds(now.saturating_add(AHEAD_SECONDS_MAX)),
            seconds,
        }
    }
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
    let source = source.map_or("an agent that is gone".to_owned(), |a| Named(&a.agent).to_string());
    format!(
        "touch {} [by {source}, {}, {}, caller ID {}]",
        touch.id,
        When { at: touch.at(), now: case.now },
        touch.outcome(),
        touch.caller_id,
    )
}
