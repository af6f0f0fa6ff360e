//! How fast a hosted API is asked: what its answers say of its limits, and how long to wait after
//! a failure. Pure: the time and the dice are given.

use std::time::Duration;

use http::{HeaderMap, header};

use crate::domain::UnixMillis;

/// The longest wait that an answer can ask for within one pull; past that the pull ends, and the
/// next one waits.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where a 429 does not say how long: a tenth of the minute its limit is counted over.
const PAUSE_UNSAID: Duration = Duration::from_secs(6);

/// The longest wait between two pulls of an API that is away.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// What an answer says of the API's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    retry_after: Option<Duration>,
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
}

impl Limits {
    pub(super) fn read(headers: &HeaderMap, now: UnixMillis) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name: &str| text(name)?.parse::<u64>().ok();
        Self {
            retry_after: text(header::RETRY_AFTER.as_str()).and_then(|text| after(text, now)),
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset").map(|at| until(at, now)),
        }
    }

    /// How long to wait before asking again what was refused with 429.
    pub(super) fn after_refusal(self) -> Duration {
        self.retry_after.or(self.reset).unwrap_or(PAUSE_UNSAID)
    }

    /// How long to wait before the next request, so that it is not refused: the last tenth of the
    /// limit is left to the key's other users.
    pub(super) fn before_next(self) -> Duration {
        match (self.limit, self.remaining, self.reset) {
            (Some(limit), Some(remaining), Some(reset))
                if remaining.saturating_mul(10) < limit.max(10) =>
            {
                reset.min(PAUSE_MAX)
            }
            _ => Duration::ZERO,
        }
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn after(text: &str, now: UnixMillis) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    let at = u64::try_from(at).ok()?;
    Some(Duration::from_millis(at.saturating_sub(now.0)))
}

/// A point in seconds since 1970, or so many seconds from now: no page says which it is, and no
/// limit is counted over thirty years.
fn until(reset: u64, now: UnixMillis) -> Duration {
    const POINTS_FROM: u64 = 1_000_000_000;
    let seconds = if reset >= POINTS_FROM { reset.saturating_sub(now.seconds().0) } else { reset };
    Duration::from_secs(seconds)
}

/// How long until the next pull: the interval, doubled with every failure in a row, a tenth more
/// or less by the dice (0 to 1), so that many daemons do not ask at once.
pub(super) fn next_pull(interval: Duration, failures: u32, dice: f64) -> Duration {
    let doubled = interval.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    let capped = doubled.min(BACKOFF_MAX.max(interval));
    capped.mul_f64(0.9 + 0.2 * dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_777_712_400_000);

    fn limits(headers: &[(&'static str, &str)]) -> Limits {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        Limits::read(&headers.collect(), NOW)
    }

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], refused: u64, next: u64) {
        let limits = limits(headers);
        assert_eq!(limits.after_refusal().as_secs(), refused, "{headers:?}");
        assert_eq!(limits.before_next().as_secs(), next, "{headers:?}");
    }

    #[test]
    fn limits_are_kept_before_they_are_met() {
        check(&[], 6, 0);
        check(&[("retry-after", "17")], 17, 0);
        check(&[("retry-after", "Sat, 02 May 2026 09:00:30 GMT")], 30, 0);
        check(&[("retry-after", "soon")], 6, 0);
        let low = [("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "9")];
        check(&low, 6, 0);
        check(&[low[0], low[1], ("x-ratelimit-reset", "1777712420")], 20, 20);
        check(&[low[0], low[1], ("x-ratelimit-reset", "12")], 12, 12);
        check(&[low[0], low[1], ("x-ratelimit-reset", "900")], 900, 60);
        check(&[low[0], ("x-ratelimit-remaining", "10"), ("x-ratelimit-reset", "12")], 12, 0);
    }

    #[test]
    fn failures_make_pulls_rarer() {
        let interval = Duration::from_secs(30);
        let wait = |failures, dice| next_pull(interval, failures, dice).as_secs();
        assert_eq!([wait(0, 0.0), wait(0, 0.5), wait(0, 1.0)], [27, 30, 33]);
        assert_eq!([wait(1, 0.5), wait(3, 0.5), wait(50, 0.5)], [60, 240, 300]);
        assert_eq!(next_pull(Duration::from_secs(3600), 9, 0.5).as_secs(), 3600);
    }
}
