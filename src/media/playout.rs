//! Until when what was sent is being heard.

use std::time::Duration;

/// A clock of what plays: it runs while there is something, and stands still otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Playout {
    until: Duration,
}

impl Playout {
    /// This much more plays, after what plays already.
    pub(super) fn add(&mut self, length: Duration, now: Duration) {
        self.until = self.until.max(now) + length;
    }

    /// What has not been played yet will not be.
    pub(super) fn forget(&mut self, now: Duration) {
        self.until = self.until.min(now);
    }

    /// When the last of it has been played, at the earliest.
    pub(super) const fn until(self) -> Duration {
        self.until
    }
}
