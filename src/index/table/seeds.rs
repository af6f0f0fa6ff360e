//! What a table's hasher is keyed with, so that an image of the table can say it.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use foldhash::{SharedSeed, quality::SeedableRandomState};

/// Two random words: of the table, and of all tables of the process that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::index) struct Seeds(pub(in crate::index) [u64; 2]);

/// The hasher borrows half of its key for ever. There are as many as processes made the images that
/// this one has read, and one more.
static SHARED: Mutex<BTreeMap<u64, &'static SharedSeed>> = Mutex::new(BTreeMap::new());

impl Seeds {
    /// New ones.
    pub(super) fn random() -> Self {
        static OURS: LazyLock<u64> = LazyLock::new(rand::random);
        Self([rand::random(), *OURS])
    }

    pub(super) fn hasher(self) -> SeedableRandomState {
        let Self([own, shared]) = self;
        let mut known = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let seed =
            known.entry(shared).or_insert_with(|| Box::leak(SharedSeed::from_u64(shared).into()));
        SeedableRandomState::with_seed(own, seed)
    }
}
