//! Points in time. They are given, never asked for: the clock lives in telemetry.

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// Whole seconds since 1970-01-01T00:00:00Z: what touches are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

/// A day in UTC, as the number of days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixDay(pub u64);

impl UnixMillis {
    /// The whole seconds in it.
    #[must_use]
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }

    /// The day it is in.
    #[must_use]
    pub const fn day(self) -> UnixDay {
        UnixDay(self.0 / UnixDay::MILLIS)
    }
}

impl UnixDay {
    const MILLIS: u64 = 24 * 3600 * 1000;

    /// Its first millisecond.
    #[must_use]
    pub const fn start(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(Self::MILLIS))
    }

    /// The day after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl UnixSeconds {
    /// The start of that second.
    #[must_use]
    pub const fn millis(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(1000))
    }
}
