//! The numbers that touches have shown, each once: a touch names one by its slot, four bytes.
//!
//! Readers have [`Callers`]; only the writer has [`Slots`], which says who has which. A slot is
//! given once and never to another number: numbers that are shown are few, and a copy of the table
//! that is made bit by bit must mean the same at its end as at its beginning.

use std::sync::{
    OnceLock,
    atomic::Ordering::{Acquire, Release},
};

use foldhash::HashMap;

use super::{group::CALLERS_MAX, word::Word};
use crate::domain::E164;

/// Chunks there can be, of which each is twice as large as the one before.
const CHUNKS_MAX: usize = 25;

/// What readers look into.
pub(super) struct Callers<W> {
    chunks: [OnceLock<Box<[W]>>; CHUNKS_MAX],
}

impl<W: Word> Callers<W> {
    pub(super) const fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS_MAX] }
    }

    /// The number in a slot. What a touch says that was meanwhile written over may be in none.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<E164> {
        let (chunk, place) = place::<W>(slot);
        E164::from_u64(self.chunks.get(chunk)?.get()?.get(place)?.load(Acquire))
    }

    fn put(&self, slot: u32, number: E164) -> Option<()> {
        let (chunk, place) = place::<W>(slot);
        let chunk = self.chunks.get(chunk)?.get_or_init(|| W::zeroed(W::CALLERS_FIRST << chunk));
        chunk.get(place)?.store(number.as_u64(), Release);
        Some(())
    }

    /// Words that were asked for, used or not.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().filter_map(OnceLock::get).map(|chunk| chunk.len()).sum()
    }
}

/// The chunk of a slot and the place in it: each chunk has room for twice as many as the one
/// before.
#[inline]
const fn place<W: Word>(slot: u32) -> (usize, usize) {
    let place = slot as usize + W::CALLERS_FIRST;
    // Never zero; said so that it need not be looked at.
    let chunk = ((place / W::CALLERS_FIRST) | 1).ilog2() as usize;
    (chunk, place - (W::CALLERS_FIRST << chunk))
}

/// Which slot every number has.
#[derive(Default)]
pub(super) struct Slots {
    by_number: HashMap<E164, u32>,
}

impl Slots {
    /// The slot of a number, a new one if it has none. None where all are taken.
    pub(super) fn of<W: Word>(&mut self, callers: &Callers<W>, number: E164) -> Option<u32> {
        if let Some(slot) = self.by_number.get(&number) {
            return Some(*slot);
        }
        let slot = u32::try_from(self.by_number.len()).ok().filter(|slot| *slot < CALLERS_MAX)?;
        callers.put(slot, number)?;
        self.by_number.insert(number, slot);
        Some(slot)
    }

    /// Every number, in the order of the slots.
    pub(super) fn numbers<W: Word>(&self, callers: &Callers<W>) -> Vec<E164> {
        (0..CALLERS_MAX).take(self.by_number.len()).map_while(|slot| callers.get(slot)).collect()
    }
}
