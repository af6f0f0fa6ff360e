//! The table as words to be kept, and back: a part a segment, each as it was at one moment.
//!
//! A part is its segment's groups written anew with what they show and nothing else, each touch in
//! its place: what was hidden or moved away leaves nothing in it. It says nothing of where the
//! segment lay, so that whoever takes it back puts the segments side by side.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{
    Keeper, Seeds, Table,
    arena::{Place, Spare},
    callers::Slots,
    group::{Extent, SLOTS},
    word::Word,
};
use crate::domain::E164;

/// What is told of a part beside its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its groups; none: it has no words.
    pub groups: u32,
    /// Touches in it.
    pub touches: u32,
    /// Contacts in it.
    pub contacts: u32,
}

impl Keeper {
    /// Copies a segment as it is now. It belongs to the one who changes the table: between two
    /// changes a segment is whole.
    pub(in crate::index) fn copy<W: Word>(
        &self,
        table: &Table<W>,
        index: usize,
        into: &mut Vec<u64>,
    ) -> Part {
        let Some(extent) = table.segments.get(index).and_then(|part| table.extent(part)) else {
            return Part::default();
        };
        let place = table.segments.get(index).map_or(0, |segment| segment.place.load(Relaxed));
        let words = Place::from_word(place).and_then(|place| table.arena.words(place));
        let scratch = W::zeroed(words.map_or(0, <[W]>::len));
        let copy = Extent::new(&scratch, extent.groups);
        let mut contacts = Vec::new();
        for at in extent.taken() {
            let Some(entry) = extent.entry(at) else { continue };
            copy.write(at, &entry);
            contacts.push((entry.key.0.0, entry.key.1.as_u64()));
        }
        (0..extent.groups).for_each(|group| copy.show(group, extent.header(group)));
        into.extend(scratch.iter().map(|word| word.load(Relaxed)));
        let touches = contacts.len();
        contacts.sort_unstable();
        contacts.dedup();
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Part {
            groups: small(extent.groups),
            touches: small(touches),
            contacts: small(contacts.len()),
        }
    }
}

impl Keeper {
    /// The numbers that touches name by slots, in the order of those.
    pub(in crate::index) fn numbers<W: Word>(&self, table: &Table<W>) -> Vec<E164> {
        self.callers.numbers(&table.callers)
    }
}

/// A table that is being read back. Nobody looks into it yet, so several may fill it at once.
pub(in crate::index) struct Restoring<W: Word = std::sync::atomic::AtomicU64> {
    table: Table<W>,
    spare: Spare,
    callers: Slots,
    places: Vec<Option<Place>>,
    parts: Vec<Part>,
}

impl<W: Word> Restoring<W> {
    /// Finds room for these parts; `None` where there can be no such table.
    pub(in crate::index) fn begin(
        seeds: Seeds,
        parts: Vec<Part>,
        numbers: &[E164],
    ) -> Option<Self> {
        let table: Table<W> = Table::new(parts.len(), seeds);
        let mut spare = Spare::default();
        let mut places = Vec::with_capacity(parts.len());
        for part in &parts {
            places.push(match part.groups {
                0 => None,
                groups => Some(spare.take(&table.arena, groups as usize)?),
            });
        }
        let mut callers = Slots::default();
        for (slot, number) in numbers.iter().enumerate() {
            let is_next = callers.of(&table.callers, *number)? as usize == slot;
            is_next.then_some(())?;
        }
        Some(Self { table, spare, callers, places, parts })
    }

    /// Words of a part.
    pub(in crate::index) fn words(&self, part: usize) -> usize {
        self.room(part).map_or(0, <[W]>::len)
    }

    fn room(&self, part: usize) -> Option<&[W]> {
        self.table.arena.words((*self.places.get(part)?)?)
    }

    /// Puts words of a part where they belong, from its `first` on, each as eight bytes with the
    /// lowest first.
    pub(in crate::index) fn put(&self, part: usize, first: usize, bytes: &[u8]) {
        let room = self.room(part).and_then(|words| words.get(first..)).unwrap_or_default();
        for (word, bytes) in room.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
    }

    /// The table, once every word is in its place.
    pub(in crate::index) fn finish(self) -> (Table<W>, Keeper) {
        let Self { table, spare, callers, places, parts } = self;
        for (segment, place) in table.segments.iter().zip(&places) {
            segment.place.store(place.map_or(0, Place::word), Release);
        }
        let sum = |of: fn(&Part) -> u32| parts.iter().map(|part| of(part) as usize).sum::<usize>();
        table.contacts.store(sum(|part| part.contacts), Relaxed);
        let words = places.iter().map(|place| place.map(Place::word)).zip(0..);
        let places = words.filter_map(|(word, index)| Some((word?, index))).collect();
        let slots = SLOTS * sum(|part| part.groups);
        let touches = sum(|part| part.touches);
        (table, Keeper::of(spare, callers, slots, touches, places))
    }
}
