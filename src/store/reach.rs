//! How far back the log of touches goes, and how far somebody needs it to: what the store and the
//! keeper of snapshots tell each other. Neither waits for the other.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

/// Shared between the log's keeper and the keeper of snapshots.
#[derive(Debug)]
pub struct Reach {
    floor: AtomicU64,
    needed: AtomicU64,
}

impl Default for Reach {
    fn default() -> Self {
        Self { floor: AtomicU64::new(0), needed: AtomicU64::new(u64::MAX) }
    }
}

impl Reach {
    /// The first place that the log can be followed from. What was made before it may name who has
    /// been erased since, and is of no use any more.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor.load(Acquire)
    }

    pub(super) fn set_floor(&self, seq: u64) {
        self.floor.store(seq, Release);
    }

    /// Asks for the entries after this to be kept.
    pub fn need(&self, seq: u64) {
        self.needed.store(seq, Release);
    }

    /// Asks for none.
    pub fn need_nothing(&self) {
        self.need(u64::MAX);
    }

    pub(super) fn needed(&self) -> u64 {
        self.needed.load(Acquire)
    }
}
