//! Touches by contact: ten million and more, always changing, read without waiting.
//!
//! The table is a fixed number of segments. A segment is one extent of groups ([`group`]) in the
//! [`arena`], and a version. There is one writer ([`Keeper`]); readers take no lock and write
//! nothing:
//!
//! - A reader notes the version, looks, and looks at the version again. Only where the writer has
//!   meanwhile begun another change of this segment does it look once more, so somebody always
//!   gets on; a writer that is held up in the middle holds up nobody.
//! - A change becomes visible by one store: of a header, which shows and hides slots of a group; of
//!   a touch's time and outcome, which are one word; or of the segment's place, once the segment
//!   has been written anew elsewhere with everything else that changes.
//! - Before anything is written over that a reader may still look at (a slot or an extent that was
//!   freed), the version moves on and a fence follows: who read a part of the new text finds the
//!   version changed.
//!
//! Growth goes round: when the whole is fuller than [`keeper`] wants it, the next segment is
//! written anew an eighth larger, in microseconds and beside its readers. There is no moment at
//! which the table doubles.

mod arena;
mod group;
mod image;
mod keeper;
mod pages;
mod seeds;
#[cfg(test)]
mod tests;
mod word;

use std::{
    hash::BuildHasher,
    hint,
    sync::atomic::{
        AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed},
    },
};

use foldhash::quality::SeedableRandomState;
use smallvec::SmallVec;

use super::touches::{ContactKey, Remembered, RememberedTouch};
use crate::domain::REMEMBERED_MAX;
use arena::{Arena, Place};
use group::Extent;
pub(super) use group::LAYOUT;
pub use image::Part;
pub(super) use image::Restoring;
pub(super) use keeper::Keeper;
pub(super) use seeds::Seeds;
use word::Word;

/// Segments of a table: at ten million contacts each holds two and a half thousand, and is written
/// anew in tens of microseconds.
const SEGMENTS: usize = 4096;

/// What readers share. Its hasher is keyed with what nobody can guess, afresh or as the image says
/// that it was read from: tenants import whatever numbers they like, and chosen ones must not meet
/// in one place.
pub(super) struct Table<W = AtomicU64> {
    segments: Box<[Segment<W>]>,
    arena: Arena<W>,
    hasher: SeedableRandomState,
    seeds: Seeds,
    contacts: AtomicUsize,
    evicted: AtomicU64,
}

/// A part of the table, changed and seen by itself.
struct Segment<W> {
    version: W,
    place: W,
}

/// Where a contact belongs.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    /// Which of so many segments.
    fn segment(self, segments: usize) -> usize {
        scaled(self.0 >> 32, segments)
    }

    /// Which of so many groups.
    fn home(self, groups: usize) -> usize {
        scaled(self.0 & u64::from(u32::MAX), groups)
    }
}

const fn scaled(part: u64, end: usize) -> usize {
    ((part * end as u64) >> 32) as usize
}

impl Default for Table {
    fn default() -> Self {
        Self::new(SEGMENTS, Seeds::random())
    }
}

impl<W: Word> Table<W> {
    fn new(segments: usize, seeds: Seeds) -> Self {
        let segment = |_| Segment { version: W::new(0), place: W::new(0) };
        Self {
            segments: (0..segments).map(segment).collect(),
            arena: Arena::new(),
            hasher: seeds.hasher(),
            seeds,
            contacts: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    fn hash(&self, key: ContactKey) -> Hash {
        Hash(self.hasher.hash_one(key))
    }

    /// What is remembered of a contact, as of one moment.
    #[inline]
    pub(super) fn get(&self, key: ContactKey) -> Remembered {
        let hash = self.hash(key);
        let Some(segment) = self.segments.get(hash.segment(self.segments.len())) else {
            return Remembered::new();
        };
        loop {
            let version = segment.version.load(Acquire);
            let mut found = Remembered::new();
            if let Some(extent) = self.extent(segment) {
                extent.each_of(key, hash.home(extent.groups), |_, touch| {
                    found.push(touch);
                    // What is written over meanwhile may show more; the version says so.
                    found.len() < REMEMBERED_MAX
                });
            }
            W::fence(Acquire);
            if segment.version.load(Relaxed) == version {
                return settled(found);
            }
            hint::spin_loop();
        }
    }

    fn extent(&self, segment: &Segment<W>) -> Option<Extent<'_, W>> {
        let place = Place::from_word(segment.place.load(Acquire))?;
        Some(Extent::new(self.arena.words(place)?, place.groups))
    }

    /// What its hasher is keyed with.
    pub(super) const fn seeds(&self) -> Seeds {
        self.seeds
    }

    /// Its segments.
    pub(super) const fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Contacts that are remembered.
    pub(super) fn contacts(&self) -> usize {
        self.contacts.load(Relaxed)
    }

    /// Touches that were pushed out, or not let in, because a contact remembers eight.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Bytes the table has asked for, used or not.
    pub(super) fn bytes(&self) -> usize {
        (self.arena.len() + 2 * self.segments.len()) * size_of::<u64>()
    }
}

/// Without what another touch stands for: where one is put in place of another, both show for a
/// moment.
fn settled(mut found: Remembered) -> Remembered {
    if found.len() > 1 {
        let all: SmallVec<[RememberedTouch; REMEMBERED_MAX]> = found.clone();
        let stands_for = |newer: &RememberedTouch, older: &RememberedTouch| {
            newer.stands_for(older) && newer.rank() > older.rank()
        };
        found.retain(|touch| !all.iter().any(|other| stands_for(other, touch)));
    }
    found
}
