//! What came of the requests: counts, latencies, and how both went over time.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use super::own::Busy;

/// Latencies are counted in microseconds up to this; a longer one counts as this.
const LATENCY_MAX: Duration = Duration::from_secs(300);

/// Failures that are told of word by word; past that they are only counted.
const TOLD_MAX: usize = 5;

/// Points of the course over time: enough for a picture.
const MOMENTS_MAX: u32 = 120;

/// What can become of a request that is not answered as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// No connection could be made.
    Refused,
    /// The connection ended before the answer did.
    Reset,
    /// No whole answer within the time.
    TimedOut,
    /// The answer was no HTTP.
    NotHttp,
    /// Another status than one of success.
    Status(u16),
    /// The carrier would not understand the answer.
    Unreadable,
    /// The answer lacked what it was to have.
    Unexpected,
    /// The run was over before a connection was free.
    NotSent,
}

impl Mishap {
    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Refused => "refused".to_owned(),
            Self::Reset => "reset".to_owned(),
            Self::TimedOut => "timed_out".to_owned(),
            Self::NotHttp => "not_http".to_owned(),
            Self::Status(status) => format!("status_{status}"),
            Self::Unreadable => "unreadable".to_owned(),
            Self::Unexpected => "unexpected".to_owned(),
            Self::NotSent => "not_sent".to_owned(),
        }
    }
}

/// A stretch of the run.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Requests that were meant for it.
    pub due: u64,
    /// Answers that came in it.
    pub answered: u64,
    /// Requests meant for it that failed.
    pub failed: u64,
    /// The latencies of those meant for it, in microseconds.
    pub latency: Histogram<u32>,
}

/// What came of the requests.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests sent while the full rate lasted, and those that should have been.
    pub sent: u64,
    /// Of them, those that were answered as they should be.
    pub answered: u64,
    /// Of them, those that were not.
    pub failed: BTreeMap<Mishap, u64>,
    /// Some of the failures in words.
    pub told: Vec<String>,
    /// From the time a request was meant for to its answer's last byte, in microseconds; a request
    /// that has timed out or was never sent counts with the time it had waited by then.
    pub latency: Histogram<u64>,
    /// From a request's first byte to its answer's last.
    pub service: Histogram<u64>,
    /// From the time a request was meant for, if a connection was free then, to when it was sent.
    pub lateness: Histogram<u64>,
    /// Requests that were due before a connection was free.
    pub queued: u64,
    /// Requests that were due before they were signed.
    pub waited_for_signing: u64,
    /// Connections made, the first ones too.
    pub connections: u64,
    /// How long the full rate lasted.
    pub lasted: Duration,
    /// The run, ramp included, in stretches of [`Tally::step`].
    pub course: Vec<Moment>,
    /// How long a stretch is.
    pub step: Duration,
    /// What the generator's threads did with their time.
    pub threads: Vec<Busy>,
}

impl Tally {
    /// Nothing yet, of a run that is to last so long.
    pub(super) fn new(length: Duration) -> Self {
        let step = (length / MOMENTS_MAX).max(Duration::from_millis(100));
        Self {
            sent: 0,
            answered: 0,
            failed: BTreeMap::new(),
            told: Vec::new(),
            latency: histogram(3),
            service: histogram(3),
            lateness: histogram(3),
            queued: 0,
            waited_for_signing: 0,
            connections: 0,
            lasted: Duration::ZERO,
            course: Vec::new(),
            step,
            threads: Vec::new(),
        }
    }

    /// The stretch that a time lies in.
    pub(super) fn moment(&mut self, at: Duration) -> Option<&mut Moment> {
        let place = at.as_nanos() / self.step.as_nanos().max(1);
        // Answers may come some time after the end, but never as late as this.
        let place = usize::try_from(place).ok().filter(|place| *place < 100_000)?;
        while self.course.len() <= place {
            let latency = histogram(2);
            self.course.push(Moment { due: 0, answered: 0, failed: 0, latency });
        }
        self.course.get_mut(place)
    }

    pub(super) fn fail(&mut self, mishap: Mishap, words: impl FnOnce() -> String) {
        *self.failed.entry(mishap).or_default() += 1;
        if self.told.len() < TOLD_MAX {
            self.tell(words());
        }
    }

    /// The same is told once.
    fn tell(&mut self, words: String) {
        if !self.told.contains(&words) {
            self.told.push(words);
        }
    }

    /// Requests that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Answers a second while the full rate lasted.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.lasted.as_secs_f64();
        if seconds > 0.0 { self.answered as f64 / seconds } else { 0.0 }
    }

    /// Puts another thread's part to it.
    pub(super) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        for (mishap, count) in other.failed {
            *self.failed.entry(mishap).or_default() += count;
        }
        other.told.into_iter().for_each(|words| self.tell(words));
        self.told.truncate(TOLD_MAX);
        join(&mut self.latency, &other.latency);
        join(&mut self.service, &other.service);
        join(&mut self.lateness, &other.lateness);
        self.queued += other.queued;
        self.waited_for_signing += other.waited_for_signing;
        self.connections += other.connections;
        self.lasted = self.lasted.max(other.lasted);
        self.threads.extend(other.threads);
        let step = self.step;
        for (place, theirs) in (0..).zip(other.course) {
            if let Some(moment) = self.moment(step * place) {
                moment.due += theirs.due;
                moment.answered += theirs.answered;
                moment.failed += theirs.failed;
                join(&mut moment.latency, &theirs.latency);
            }
        }
    }
}

/// A duration as the histograms count it.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.min(LATENCY_MAX).as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::expect_used, reason = "the bounds are two constants")]
pub(super) fn histogram<C: hdrhistogram::Counter>(digits: u8) -> Histogram<C> {
    Histogram::new_with_bounds(1, micros(LATENCY_MAX), digits.min(5)).expect("bounds as it takes")
}

pub(super) fn join<C: hdrhistogram::Counter>(to: &mut Histogram<C>, from: &Histogram<C>) {
    let added = to.add(from);
    debug_assert!(added.is_ok(), "both have the same bounds");
}
