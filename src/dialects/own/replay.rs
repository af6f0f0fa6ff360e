//! Recorded calls, decided again as they would be after a change.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, Wrong, agent::AgentNamed, boolean, id, integer, rfc3339},
    domain::{CallRecord, Decision, E164, Refusal, RouteReason, UnixMillis},
};

/// Calls of one answer at most: each is decided twice.
const CALLS_MAX: u32 = 1000;
/// The longest that calls are kept, in seconds.
const SINCE_SECONDS_MAX: u64 = 3650 * 24 * 3600;
/// How far back is looked where nobody says.
const SINCE_SECONDS: u64 = 24 * 3600;

/// What is not known any more of a recorded call.
const APPROXIMATE: &[&str] = &[
    "Of a call's attestation it is kept only whether the caller was verified: A or none is assumed.",
    "A number that forwarded the call is not kept: none is assumed.",
    "What is remembered of a caller is what is remembered now: a touch that has since been pushed \
     out, erased or ended otherwise counts as it is now.",
];

/// Which calls are to be decided again.
#[derive(Clone, Copy, Debug)]
pub struct ReplayFields {
    /// Those of the last so many milliseconds.
    pub since_ms: u64,
    /// How many at most.
    pub limit: u32,
    /// Those older than this one.
    pub starting_after: Option<Uuid>,
    /// Whether the document also takes away what it does not name.
    pub prune: bool,
}

/// Reads which calls are to be decided again.
///
/// # Errors
/// A parameter is not understood.
pub fn replay(mut query: Reader) -> Result<ReplayFields, Refusal> {
    let since = query.filter("since", |value| span(value.as_str().unwrap_or_default()));
    let fields = ReplayFields {
        since_ms: since.unwrap_or(SINCE_SECONDS) * 1000,
        limit: query.filter("limit", integer(1..=CALLS_MAX)).unwrap_or(CALLS_MAX),
        starting_after: query.filter("starting_after", id),
        prune: query.filter("prune", boolean).unwrap_or(false),
    };
    query.finish().map(|()| fields)
}

/// `90m`, `24h` or `7d`, in seconds.
fn span(text: &str) -> Result<u64, Wrong> {
    let wrong = || Wrong::from("must be a span of time such as 90m, 24h or 7d, at most 3650d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    let count: u64 = text.strip_suffix(unit).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    let span = count.checked_mul(seconds).filter(|span| (1..=SINCE_SECONDS_MAX).contains(span));
    span.ok_or_else(wrong)
}

/// The calls that would go elsewhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Replay)]
pub struct ReplayBody {
    /// How many calls were decided again.
    pub calls: usize,
    /// Those of them that would go elsewhere, newest first.
    pub changed: Vec<ReplayedBody>,
    /// Whether there are older calls in the period.
    pub has_more: bool,
    /// What to start after for those; null where there are none.
    pub next: Option<Uuid>,
    /// What the answer cannot know.
    approximate: &'static [&'static str],
}

impl ReplayBody {
    /// An answer.
    #[must_use]
    pub fn new(calls: usize, changed: Vec<ReplayedBody>, next: Option<Uuid>) -> Self {
        Self { calls, changed, has_more: next.is_some(), next, approximate: APPROXIMATE }
    }
}

/// A call that would go elsewhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Replayed)]
pub struct ReplayedBody {
    call_id: Uuid,
    at: String,
    from: Option<String>,
    to: Option<String>,
    before: LandsBody,
    after: LandsBody,
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = own::Lands)]
struct LandsBody {
    /// `route` or `reject`.
    outcome: &'static str,
    reason: &'static str,
    agent: Option<AgentNamed>,
    target: Option<String>,
}

impl LandsBody {
    fn new(decision: &Decision<'_>) -> Self {
        let last_resort = || {
            let tenant = decision.tenant.filter(|_| decision.reason == RouteReason::NoTarget);
            tenant.map(|tenant| tenant.settings.last_resort.to_string())
        };
        Self {
            outcome: decision.verdict.as_str(),
            reason: decision.reason.as_str(),
            agent: decision.agent.map(|agent| AgentNamed::new(agent.id, &agent.name)),
            target: decision.targets.first().map(ToString::to_string).or_else(last_resort),
        }
    }
}

impl ReplayedBody {
    /// A call that goes elsewhere; `None` where it goes where it went.
    #[must_use]
    pub fn new(
        call: &CallRecord,
        at: UnixMillis,
        before: &Decision<'_>,
        after: &Decision<'_>,
    ) -> Option<Self> {
        let (before, after) = (LandsBody::new(before), LandsBody::new(after));
        (before != after).then(|| Self {
            call_id: call.id.0,
            at: rfc3339(at),
            from: call.ani.as_ref().map(E164::to_string),
            to: call.dnis.as_ref().map(E164::to_string),
            before,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_count_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(span(text).unwrap(), seconds);
        }
        for text in ["", "h", "24", "-1h", "0h", "1w", "99999999d", "24 h", "１h"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
