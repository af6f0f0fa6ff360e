//! When each request is to be sent. Pure.

use std::time::Duration;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second, evenly, whatever the answers do.
    Open(f64),
    /// On each connection the next when the last is answered: this finds a server's throughput,
    /// and says little of its latency.
    Closed,
}

/// How requests arrive, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How.
    pub pace: Pace,
    /// From nothing to the full rate; what is sent meanwhile is not part of the figures.
    pub ramp: Duration,
    /// How long the full rate lasts.
    pub steady: Duration,
    /// The most requests; fewer where the time is over first.
    pub requests_max: Option<u64>,
}

impl Plan {
    /// From the first request to the end.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.ramp + self.steady
    }

    /// The time of a request, counted from the beginning; none where requests have no times.
    #[must_use]
    pub fn at(&self, index: u64) -> Option<Duration> {
        let Pace::Open(rate) = self.pace else { return None };
        let (index, ramp) = (index as f64, self.ramp.as_secs_f64());
        // The rate rises in a straight line, so that the count is a parabola.
        let in_ramp = rate * ramp / 2.0;
        let seconds = if index < in_ramp {
            (2.0 * index * ramp / rate).sqrt()
        } else {
            ramp + (index - in_ramp) / rate
        };
        Some(Duration::from_secs_f64(seconds))
    }

    /// How many requests there are to be; none where only time ends them.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        let Pace::Open(rate) = self.pace else { return self.requests_max };
        let count = rate * (self.ramp.as_secs_f64() / 2.0 + self.steady.as_secs_f64());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, cut down to whole requests"
        )]
        let count = count as u64;
        Some(self.requests_max.map_or(count, |most| most.min(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_then_stays() {
        let (ramp, steady) = (Duration::from_secs(2), Duration::from_secs(3));
        let plan = Plan { pace: Pace::Open(100.0), ramp, steady, requests_max: None };
        assert_eq!(plan.count(), Some(400));
        assert_eq!(plan.at(0), Some(Duration::ZERO));
        assert_eq!(plan.at(25), Some(Duration::from_secs(1)), "a quarter in half of the ramp");
        assert_eq!(plan.at(100), Some(ramp));
        assert_eq!(plan.at(101), Some(ramp + Duration::from_millis(10)));
        assert_eq!(Plan { requests_max: Some(7), ..plan }.count(), Some(7));
        let closed = Plan { pace: Pace::Closed, ..plan };
        assert_eq!((closed.count(), closed.at(5)), (None, None));
    }
}
