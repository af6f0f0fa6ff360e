//! What every decision is made from, in memory, built only by applying deltas.
//!
//! Readers take a [`View`] and never wait for a writer; one [`Writer`] applies the log. It never
//! asks the clock, never does I/O, and knows nothing of where deltas come from.

mod delta;
mod directory;
mod image;
mod own;
mod shown;
mod slot;
mod table;
mod touches;
mod view;
mod writer;

use std::sync::{Arc, atomic::AtomicU64};

use arc_swap::ArcSwap;

pub use delta::Delta;
pub use directory::{AgentEntry, Names, NumberEntry, TenantEntry};
pub use image::{Image, Restored, Restoring};
pub use own::Owners;
pub use shown::{keep, let_go};
pub use slot::{AgentSlot, TenantSlot};
pub use table::Part;
pub use touches::{Remembered, RememberedTouch};
pub use view::{Counts, Seen, Sought, View};
pub use writer::Writer;

use crate::domain::Target;
use directory::Directory;
use table::{Keeper, Table};

/// The index, as readers share it. Cloning it is cheap and gives the same index.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

struct Shared {
    directory: ArcSwap<Directory>,
    /// Which directory that is, or was a moment ago.
    turn: AtomicU64,
    touches: Table,
    /// What an agent without targets has, if anything.
    default_target: Option<Target>,
}

impl Index {
    /// An empty index and the one who may change it. `default_target` stands in for the targets of
    /// agents that have none.
    #[must_use]
    pub fn new(default_target: Option<Target>) -> (Self, Writer) {
        Self::around(Table::default(), Keeper::default(), default_target)
    }

    fn around(touches: Table, keeper: Keeper, default_target: Option<Target>) -> (Self, Writer) {
        let (directory, turn) = (ArcSwap::default(), AtomicU64::new(shown::next_turn()));
        let shared = Arc::new(Shared { directory, turn, touches, default_target });
        (Self { shared: Arc::clone(&shared) }, Writer::new(shared, keeper))
    }

    /// An empty index that would answer as this one does where both know the same.
    #[must_use]
    pub fn beside(&self) -> (Self, Writer) {
        Self::new(self.shared.default_target.clone())
    }

    /// What is known now. Hold it for one decision or one answer, not longer: it keeps the
    /// directory of that moment alive.
    #[must_use]
    #[inline]
    pub fn view(&self) -> View<'_> {
        View::new(&self.shared)
    }

    /// Contacts that are remembered.
    #[must_use]
    pub fn contacts(&self) -> usize {
        self.shared.touches.contacts()
    }

    /// Bytes that were asked for to remember contacts, used or not.
    #[must_use]
    pub fn contact_bytes(&self) -> usize {
        self.shared.touches.bytes()
    }

    /// Touches that were pushed out, or not let in, because a contact remembers eight.
    #[must_use]
    pub fn touches_evicted(&self) -> u64 {
        self.shared.touches.evicted()
    }
}
