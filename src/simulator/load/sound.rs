//! What came of calls that were talked over: how long a frame was on its way there and back, how
//! evenly frames came, how many never did; and the mark by which a frame is known again. Pure.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use super::{
    own::Busy,
    tally::{histogram, join},
};
use crate::simulator::audio::FRAME_LEN;

/// Failures that are told of word by word.
const TOLD_MAX: usize = 5;

/// What came of the calls.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Calls that were begun.
    pub begun: u64,
    /// Those whose media socket opened.
    pub connected: u64,
    /// Those that came to no good end, by what was wrong.
    pub failed: BTreeMap<&'static str, u64>,
    /// Some of them in words.
    pub told: Vec<String>,
    /// Frames that were said.
    pub said: u64,
    /// Those that came back.
    pub heard: u64,
    /// Frames that came and were no echo.
    pub others: u64,
    /// From when a frame was sent to its echo, in microseconds.
    pub latency: Histogram<u64>,
    /// By how much the time between two echoes was not 20 ms.
    pub jitter: Histogram<u64>,
    /// How much later than its time a frame was sent.
    pub lateness: Histogram<u64>,
    /// From the webhook to the first echo.
    pub first: Histogram<u64>,
    /// From the webhook to its answer.
    pub answer: Histogram<u64>,
    /// How long each second's frames took, and how many calls were up.
    pub course: Vec<Second>,
    /// What the generator's threads did with their time.
    pub threads: Vec<Busy>,
}

/// A second of the run.
#[derive(Clone, Debug)]
pub struct Second {
    /// Frames that were said in it.
    pub said: u64,
    /// Echoes that came in it.
    pub heard: u64,
    /// How long they took, in microseconds.
    pub latency: Histogram<u32>,
}

impl Sound {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            begun: 0,
            connected: 0,
            failed: BTreeMap::new(),
            told: Vec::new(),
            said: 0,
            heard: 0,
            others: 0,
            latency: histogram(3),
            jitter: histogram(3),
            lateness: histogram(3),
            first: histogram(3),
            answer: histogram(3),
            course: Vec::new(),
            threads: Vec::new(),
        }
    }

    /// Frames that never came back.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.said.saturating_sub(self.heard)
    }

    /// Calls that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    pub(super) fn second(&mut self, at: Duration) -> Option<&mut Second> {
        // A day of them.
        let place = usize::try_from(at.as_secs()).ok().filter(|place| *place < 100_000)?;
        while self.course.len() <= place {
            self.course.push(Second { said: 0, heard: 0, latency: histogram(2) });
        }
        self.course.get_mut(place)
    }

    pub(super) fn fail(&mut self, what: &'static str, words: String) {
        *self.failed.entry(what).or_default() += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(words);
        }
    }

    /// Puts another thread's part to it.
    pub(super) fn add(&mut self, other: Self) {
        self.begun += other.begun;
        self.connected += other.connected;
        for (what, count) in other.failed {
            *self.failed.entry(what).or_default() += count;
        }
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
        self.said += other.said;
        self.heard += other.heard;
        self.others += other.others;
        join(&mut self.latency, &other.latency);
        join(&mut self.jitter, &other.jitter);
        join(&mut self.lateness, &other.lateness);
        join(&mut self.first, &other.first);
        join(&mut self.answer, &other.answer);
        for (place, theirs) in (0..).zip(other.course) {
            if let Some(second) = self.second(Duration::from_secs(place)) {
                second.said += theirs.said;
                second.heard += theirs.heard;
                join(&mut second.latency, &theirs.latency);
            }
        }
        self.threads.extend(other.threads);
    }
}

/// How a marked frame begins; loud, as no comfort tone is.
const MARK: [u8; 3] = [0x15, 0x2a, 0x07];

/// Bits of the number in a byte: codes under 64 are no silence, and linear formats bring them back.
const BITS: u32 = 6;

/// The `n`th frame of a call, as mu-law.
pub(super) fn frame(n: u32) -> [u8; FRAME_LEN] {
    let mut frame = [0x1f; FRAME_LEN];
    let digits = (0..5).map(|place| (n >> (place * BITS)).to_le_bytes()[0] & 0x3f);
    frame.iter_mut().zip(MARK.into_iter().chain(digits)).for_each(|(to, from)| *to = from);
    frame
}

/// Which frame it is, if it is one.
pub(super) fn number(frame: &[u8]) -> Option<u32> {
    let digits = frame.strip_prefix(&MARK)?.get(..5)?;
    let number = |sum: u32, digit: &u8| (sum << BITS) | u32::from(digit & 0x3f);
    Some(digits.iter().rev().fold(0, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ByteOrder, MediaFormat},
        simulator::audio::{carried, is_silent, of_carried},
    };

    #[test]
    fn a_frame_is_known_again() {
        for n in [0, 1, 63, 64, 4095, 123_456_789, 0x3fff_ffff] {
            let sent = frame(n);
            assert_eq!(number(&sent), Some(n));
            let linear = carried(&sent, MediaFormat::l16(8000), ByteOrder::Little);
            let back = of_carried(&linear, MediaFormat::l16(8000), ByteOrder::Little);
            assert_eq!(number(&back), Some(n), "also where the line is linear");
            assert!(!is_silent(&sent));
        }
        assert_eq!(number(&[0xff; FRAME_LEN]), None);
        assert_eq!(number(&MARK), None);
    }
}
