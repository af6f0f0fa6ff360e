//! Small stand-ins for ids. A slot is given once and never to another, so that a touch may name an
//! agent before it is known and after it is gone.

use std::hash::Hash;

use foldhash::HashMap;

/// An agent's place in this process's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentSlot(pub(super) u32);

/// A tenant's place in this process's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantSlot(pub(super) u32);

/// Slots by id, with what is held at each.
#[derive(Clone)]
pub(super) struct Slots<Id, T> {
    by_id: HashMap<Id, u32>,
    /// Apart from what is held: whoever wants one of them has no line fetched for the other.
    ids: Vec<Id>,
    places: Vec<T>,
}

impl<Id, T> Default for Slots<Id, T> {
    fn default() -> Self {
        Self { by_id: HashMap::default(), ids: Vec::new(), places: Vec::new() }
    }
}

impl<Id: Copy + Eq + Hash, T: Default> Slots<Id, T> {
    /// The slot of `id`, a new one if it has none.
    pub(super) fn intern(&mut self, id: Id) -> u32 {
        let Self { by_id, ids, places } = self;
        *by_id.entry(id).or_insert_with(|| {
            ids.push(id);
            places.push(T::default());
            // Memory ends long before four billion ids of forty bytes do.
            u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn slot(&self, id: Id) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    #[inline]
    pub(super) fn id(&self, slot: u32) -> Option<Id> {
        self.ids.get(slot as usize).copied()
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize)
    }

    /// The place of `id`, a new one if it has none.
    pub(super) fn place(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.intern(id);
        self.get_mut(slot)
    }

    /// Every id, in the order of their slots.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        self.ids.iter().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter()
    }

    /// Empties every place; the slots stay given.
    pub(super) fn clear_places(&mut self) {
        self.places.iter_mut().for_each(|held| *held = T::default());
    }
}
