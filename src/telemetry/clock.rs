//! The only clock. Everything else is given the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::UnixMillis;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is their one home")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A point to measure durations from; it never goes back.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is their one home")]
pub fn instant() -> Instant {
    Instant::now()
}
