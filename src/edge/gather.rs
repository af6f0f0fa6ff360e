//! A thread that carries many calls is not woken for each of their frames: what comes within half a
//! millisecond is gathered, and read, carried and written in one turn.
//!
//! Frames that come fifty microseconds apart, each by itself, cost a sleep and a wait each, and on
//! a link a message each, which is more than all that is done with them. Gathered, they share it.
//! A thread that has few frames, or none, or no time left, never waits for more.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use crate::telemetry::clock;

/// How long what comes may wait for more: a fortieth of a frame. A thread looks so often at most,
/// so that what it takes to do a turn's work is no delay besides.
const GATHERED_MAX: Duration = Duration::from_micros(500);

/// So many frames within that time are worth it: eighty calls' to and fro.
const FRAMES_MIN: u32 = 4;

/// What a thread has carried since it looked last.
#[derive(Clone, Copy, Debug)]
struct Turn {
    began: Instant,
    frames: u32,
}

thread_local! {
    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// A frame of audio was read on this thread.
pub(super) fn frame() {
    TURN.with(|turn| turn.set(turn.get().map(|turn| Turn { frames: turn.frames + 1, ..turn })));
}

/// This thread has done all there was to do: lets more come before it looks, where it carries many
/// frames.
pub(super) fn rest() {
    let now = clock::instant();
    let turn = TURN.get();
    let left = turn.and_then(|turn| turn.left(now));
    if let Some(left) = left {
        thread::sleep(left);
        TURN.set(Some(Turn { began: clock::instant(), frames: 0 }));
    } else if turn.is_none_or(|turn| turn.is_over(now)) {
        TURN.set(Some(Turn { began: now, frames: 0 }));
    }
}

impl Turn {
    fn is_over(self, now: Instant) -> bool {
        now >= self.began + GATHERED_MAX
    }

    /// How long more may come; none where it is not waited for.
    fn left(self, now: Instant) -> Option<Duration> {
        let left = (self.began + GATHERED_MAX).saturating_duration_since(now);
        (self.frames >= FRAMES_MIN && !left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_waited_for_where_many_frames_come_and_time_is_left() {
        let began = clock::instant();
        let left = |frames, us| Turn { began, frames }.left(began + Duration::from_micros(us));
        assert_eq!(left(FRAMES_MIN, 100), Some(Duration::from_micros(400)));
        assert_eq!(left(FRAMES_MIN - 1, 100), None, "few frames are not delayed");
        assert_eq!(left(1000, 500), None, "nor are those of a thread that has much to do");
    }

    #[test]
    fn a_turn_that_carried_little_is_forgotten_when_it_is_over() {
        rest();
        (1..FRAMES_MIN).for_each(|_| frame());
        thread::sleep(GATHERED_MAX);
        rest();
        assert_eq!(TURN.get().map(|turn| turn.frames), Some(0));
        let began = clock::instant();
        (0..FRAMES_MIN).for_each(|_| frame());
        rest();
        assert!(began.elapsed() >= GATHERED_MAX / 2 && TURN.get().is_some());
    }
}
