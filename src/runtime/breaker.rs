//! Spares callers the wait for a runtime that was just found dead. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Failures in a row after which a runtime is not tried for a while.
pub const FAILURES_MAX: u32 = 5;

/// How long it is not tried; then one call in as long tries it, until it answers.
pub const OPEN_FOR: Duration = Duration::from_secs(5);

/// What is known of the runtime at one origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    failures: u32,
    retry_at: Option<Instant>,
}

impl Breaker {
    /// Whether the runtime is not tried for now.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Whether this call may try it. While open, one call in [`OPEN_FOR`] may.
    pub fn allows(&mut self, now: Instant) -> bool {
        if !self.is_open() {
            return true;
        }
        let is_due = self.retry_at.is_none_or(|at| at <= now);
        if is_due {
            self.retry_at = Some(now + OPEN_FOR);
        }
        is_due
    }

    /// How a try ended.
    pub fn record(&mut self, is_reached: bool, now: Instant) {
        if is_reached {
            *self = Self::default();
        } else {
            self.failures = self.failures.saturating_add(1);
            self.retry_at = Some(now + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::clock;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_success_closes_it() {
        let start = clock::instant();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.record(false, at(0));
        }
        breaker.record(true, at(0));
        for _ in 0..5 {
            assert!(breaker.allows(at(0)));
            breaker.record(false, at(0));
        }
        assert!(!breaker.allows(at(4)));
        assert!(breaker.allows(at(5)), "one may look");
        assert!(!breaker.allows(at(6)), "and one only");
        assert!(breaker.allows(at(10)), "a look without an answer does not close it for ever");
        breaker.record(true, at(10));
        assert!(breaker.allows(at(10)) && breaker.allows(at(10)));
    }
}
