//! What listens to a decision being made: nothing when it is live, a list when it is explained.
//! It never changes what is decided.

use std::fmt;

use crate::domain::{Agent, TraceStep, UnixMillis, UnixSeconds};

/// Told of each step as it is taken.
pub(super) trait Recorder {
    /// Whether anybody listens; what is looked up only to be told is not looked up otherwise.
    const LISTENS: bool;

    /// A step of the rule, what came of it, and of whom or what.
    fn step(&mut self, step: &'static str, result: &'static str, detail: impl FnOnce() -> String);
}

/// Nobody listens, and no detail is written.
pub(super) struct Silent;

impl Recorder for Silent {
    const LISTENS: bool = false;

    #[inline]
    fn step(&mut self, _: &'static str, _: &'static str, _: impl FnOnce() -> String) {}
}

impl Recorder for Vec<TraceStep> {
    const LISTENS: bool = true;

    fn step(&mut self, step: &'static str, result: &'static str, detail: impl FnOnce() -> String) {
        self.push(TraceStep { step, result, detail: detail() });
    }
}

/// An agent as a trace names it.
pub(super) struct Named<'a>(pub(super) &'a Agent);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" ({})", self.0.name, self.0.id)
    }
}

/// A length of time in its two largest units: `2 d 3 h`.
pub(super) struct Span(pub(super) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(s) = *self;
        let (large, small) = match s {
            0..60 => return write!(f, "{s} s"),
            60..3600 => ((s / 60, "min"), (s % 60, "s")),
            3600..86_400 => ((s / 3600, "h"), (s % 3600 / 60, "min")),
            _ => ((s / 86_400, "d"), (s % 86_400 / 3600, "h")),
        };
        write!(f, "{} {}", large.0, large.1)?;
        if small.0 > 0 { write!(f, " {} {}", small.0, small.1) } else { Ok(()) }
    }
}

/// When something was, seen from now: `2 d 3 h ago`.
pub(super) struct When {
    pub(super) at: UnixSeconds,
    pub(super) now: UnixMillis,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, now) = (self.at.0, self.now.seconds().0);
        if at > now {
            write!(f, "{} ahead", Span(at - now))
        } else {
            write!(f, "{} ago", Span(now - at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at: u64, now: u64, text: &str) {
        assert_eq!(When { at: UnixSeconds(at), now: UnixMillis(now * 1000) }.to_string(), text);
    }

    #[test]
    fn ages_are_told_in_words() {
        check(100, 100, "0 s ago");
        check(100, 159, "59 s ago");
        check(0, 3599, "59 min 59 s ago");
        check(0, 7200, "2 h ago");
        check(0, 183_700, "2 d 3 h ago");
        check(700, 100, "10 min ahead");
    }
}
