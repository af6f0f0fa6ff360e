//! The generator's own state: how busy its threads were, and whether that spoils its figures.

use std::{fs, time::Duration};

use super::{Pace, Sound, Tally};

/// Past this share of a thread's time, what the thread measures is itself.
const BUSY_MAX: f64 = 0.9;

/// Past this share, others had the processor that a thread needed.
const WAITING_MAX: f64 = 0.1;

/// A request so late is seen in any latency.
const LATE_MAX: Duration = Duration::from_millis(1);

/// A frame so late is not the cadence of a line.
const FRAME_LATE_MAX: Duration = Duration::from_millis(5);

/// One in so many requests may come late, or wait for its signature, without being remarked upon.
const STRAYS: f64 = 0.01;

/// What one thread of the generator did with its time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Busy {
    /// How long it was watched.
    pub watched: Duration,
    /// How long it ran.
    pub ran: Duration,
    /// How long it could have run, had there been a processor.
    pub waited: Duration,
}

impl Busy {
    /// The share of its time that it ran.
    #[must_use]
    pub fn share(&self) -> f64 {
        of(self.ran, self.watched)
    }

    /// The share of its time that it waited for a processor.
    #[must_use]
    pub fn waited_share(&self) -> f64 {
        of(self.waited, self.watched)
    }

    /// The share of its time that it had something to do, whether it ran or waited to.
    #[must_use]
    pub fn wanted_share(&self) -> f64 {
        of(self.ran + self.waited, self.watched)
    }
}

fn of(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// How long this thread has run, and how long it has waited for a processor; nothing where the
/// kernel does not tell.
pub(super) fn spent() -> (Duration, Duration) {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut times = told.split_whitespace().map(|nanos| nanos.parse().unwrap_or(0));
    let mut next = || Duration::from_nanos(times.next().unwrap_or(0));
    (next(), next())
}

/// Why the figures may be the generator's rather than the server's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suspicion {
    /// A thread had no time left; the share that it ran or waited to run.
    Busy(f64),
    /// Requests were sent later than meant though a connection was free: how late the latest
    /// hundredth was.
    Late(Duration),
    /// Threads waited for a processor that others had; the share of the time.
    Crowded(f64),
    /// Requests were not yet signed when they were due: their share.
    Unsigned(f64),
}

impl Suspicion {
    /// All that there is to say of these figures.
    #[must_use]
    pub fn of(tally: &Tally, pace: Pace) -> Vec<Self> {
        let mut found = Self::of_threads(&tally.threads);
        let late = Duration::from_micros(tally.lateness.value_at_quantile(1.0 - STRAYS));
        if matches!(pace, Pace::Open(_)) && late > LATE_MAX {
            found.push(Self::Late(late));
        }
        // What waited may be of the ramp, or never have been sent.
        let due: u64 = tally.course.iter().map(|moment| moment.due).sum();
        let unsigned = tally.waited_for_signing as f64 / due.max(1) as f64;
        if unsigned > STRAYS {
            found.push(Self::Unsigned(unsigned));
        }
        found
    }

    /// The same of calls that were talked over.
    #[must_use]
    pub fn of_sound(sound: &Sound) -> Vec<Self> {
        let mut found = Self::of_threads(&sound.threads);
        let late = Duration::from_micros(sound.lateness.value_at_quantile(1.0 - STRAYS));
        // A latency is counted from when a frame was sent; only its time is the line's.
        if late > FRAME_LATE_MAX {
            found.push(Self::Late(late));
        }
        found
    }

    fn of_threads(threads: &[Busy]) -> Vec<Self> {
        let mut found = Vec::new();
        let most = |share: fn(&Busy) -> f64| threads.iter().map(share).fold(0.0, f64::max);
        let busy = most(Busy::wanted_share);
        if busy > BUSY_MAX {
            found.push(Self::Busy(busy));
        }
        let waited = most(Busy::waited_share);
        if waited > WAITING_MAX {
            found.push(Self::Crowded(waited));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread of which a second's parts are known, in milliseconds.
    fn of_a_second(ran: u64, waited: u64) -> Busy {
        let [watched, ran, waited] = [1000, ran, waited].map(Duration::from_millis);
        Busy { watched, ran, waited }
    }

    #[test]
    fn who_runs_or_waits_to_run_all_the_time_has_none_left() {
        let found =
            |ran, waited| Suspicion::of_threads(&[Busy::default(), of_a_second(ran, waited)]);
        assert_eq!(found(890, 92), [Suspicion::Busy(0.982)]);
        assert_eq!(found(950, 0), [Suspicion::Busy(0.95)]);
        assert_eq!(found(300, 200), [Suspicion::Crowded(0.2)]);
        assert_eq!(found(800, 90), []);
    }
}
