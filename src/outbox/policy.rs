//! When a delivery that failed is tried again. Pure: an attempt's number and a random in, a wait
//! out.

use std::time::Duration;

/// The waits between attempts, before they are spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ladder {
    /// One wait after the other; then it is given up.
    Steps(Vec<Duration>),
    /// Each wait four times the one before, up to a longest one; as many as the subscriber wants.
    Growing {
        /// The first wait.
        first: Duration,
        /// The longest.
        max: Duration,
    },
}

impl Ladder {
    /// CallingBox's eight attempts over two days.
    #[must_use]
    pub fn callingbox() -> Self {
        let minutes = [1, 5, 30, 2 * 60, 5 * 60, 10 * 60, 24 * 60];
        Self::Steps(minutes.map(|minutes| Duration::from_secs(minutes * 60)).to_vec())
    }

    /// Talkover's waits of seconds.
    #[must_use]
    pub const fn talkover() -> Self {
        Self::Growing { first: Duration::from_secs(1), max: Duration::from_secs(5 * 60) }
    }
}

/// How far waits are spread each way, so that what failed together does not come back together.
const SPREAD: f64 = 0.2;

/// How long to wait after so many attempts, if there is to be another: `retries_max` bounds ladders
/// that have no end. `random` is from 0 to 1.
#[must_use]
pub fn wait(ladder: &Ladder, attempts: u32, retries_max: u32, random: f64) -> Option<Duration> {
    let done = attempts.saturating_sub(1);
    let wait = match ladder {
        Ladder::Steps(steps) => *steps.get(usize::try_from(done).ok()?)?,
        Ladder::Growing { .. } if done >= retries_max => return None,
        Ladder::Growing { first, max } => {
            first.checked_mul(4_u32.saturating_pow(done)).map_or(*max, |wait| wait.min(*max))
        }
    };
    Some(wait.mul_f64(1.0 + SPREAD * (2.0 * random.clamp(0.0, 1.0) - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_ladders_are_climbed_to_their_ends() {
        let waits = |ladder: &Ladder, retries: u32| -> Vec<u64> {
            (1..).map_while(|n| wait(ladder, n, retries, 0.5)).map(|w| w.as_secs()).collect()
        };
        let minutes = [60, 300, 1800, 7200, 18_000, 36_000, 86_400];
        assert_eq!(waits(&Ladder::callingbox(), 0), minutes);
        assert_eq!(waits(&Ladder::talkover(), 0), [] as [u64; 0]);
        assert_eq!(waits(&Ladder::talkover(), 3), [1, 4, 16]);
        assert_eq!(waits(&Ladder::talkover(), 7), [1, 4, 16, 64, 256, 300, 300]);
        assert_eq!(wait(&Ladder::talkover(), u32::MAX, 10, 0.5), None);
    }

    #[test]
    fn waits_are_spread_by_a_fifth_each_way() {
        let at = |random| wait(&Ladder::callingbox(), 1, 0, random).unwrap().as_secs_f64();
        assert!((at(0.0) - 48.0).abs() < 1e-6 && (at(1.0) - 72.0).abs() < 1e-6);
    }
}
