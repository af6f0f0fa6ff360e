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
//! written anew a tenth larger, in microseconds and beside its readers. There is no moment at
//! which the table doubles.

mod arena;
mod callers;
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

use super::touches::{ContactKey, Remembered, RememberedTouch};
use crate::domain::E164;
use arena::{Arena, Place};
use callers::Callers;
pub(super) use group::LAYOUT;
use group::{Entry, Extent, Way};
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
pub(super) struct Table<W: Word = AtomicU64> {
    segments: Box<[Segment<W>]>,
    arena: Arena<W>,
    callers: Callers<W>,
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

/// A number whose touches are on their way from memory.
pub(in crate::index) struct Fetched<'t, W = AtomicU64> {
    /// Its hash.
    number: u64,
    segment: Option<&'t Segment<W>>,
    /// Where the segment was, and where in it the search begins.
    place: u64,
    home: Option<&'t [W; group::WORDS]>,
}

impl<W> Clone for Fetched<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Fetched<'_, W> {}

/// Where a contact belongs.
#[derive(Clone, Copy)]
struct Hash {
    /// By its number alone, whoever's contact it is.
    number: u64,
    /// By tenant and number.
    contact: u64,
}

impl Hash {
    fn way(self, groups: usize) -> Way {
        Way::new(self.number, self.contact, groups)
    }
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
            callers: Callers::new(),
            hasher: seeds.hasher(),
            seeds,
            contacts: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    fn hash(&self, key: ContactKey) -> Hash {
        self.hash_with(key, self.hash_number(key.1))
    }

    #[inline]
    fn hash_with(&self, (tenant, _): ContactKey, number: u64) -> Hash {
        Hash { number, contact: self.hasher.hash_one(number ^ u64::from(tenant.0)) }
    }

    #[inline]
    fn hash_number(&self, contact: E164) -> u64 {
        self.hasher.hash_one(contact.as_u64())
    }

    /// Which segment numbers with this hash are in.
    #[inline]
    fn index(&self, number: u64) -> usize {
        (((number >> 32) * self.segments.len() as u64) >> 32) as usize
    }

    /// Has what is remembered of that number fetched, by whichever tenant: so that it is there when
    /// the tenant is known.
    #[inline]
    pub(super) fn fetch(&self, contact: E164) -> Fetched<'_, W> {
        let number = self.hash_number(contact);
        let segment = self.segments.get(self.index(number));
        let place = segment.map_or(0, |segment| segment.place.load(Acquire));
        let home = self.home(place, number);
        if let Some(home) = home {
            group::fetch(home);
        }
        Fetched { number, segment, place, home }
    }

    /// The group where a search begins, in the extent at a place.
    #[inline]
    fn home(&self, place: u64, number: u64) -> Option<&[W; group::WORDS]> {
        let extent = self.extent_at(place)?;
        extent.group(group::home(number, extent.groups))
    }

    /// Reads what is remembered of a contact, as of one moment, into what is empty.
    #[inline(always)]
    pub(super) fn read(&self, key: ContactKey, at: Fetched<'_, W>, found: &mut Remembered) {
        let Some(segment) = at.segment else { return };
        let version = segment.version.load(Acquire);
        // Hardly ever has a segment moved since it was fetched, and most that is remembered is at
        // home.
        let is_there = segment.place.load(Acquire) == at.place;
        if is_there && let Some(home) = at.home {
            let header = group::each_in(home, key, |_, entry| self.take(&entry, found));
            if header.is_some_and(|header| header.is_left(group::kind(at.number))) {
                self.read_elsewhere(key, at.number, at.place, found);
            }
        }
        W::fence(Acquire);
        if !is_there || segment.version.load(Relaxed) != version {
            self.read_on(key, at.number, segment, found);
        }
        if found.len() > 1 {
            settle(found);
        }
    }

    /// Reads what is not at home.
    #[inline(never)]
    fn read_elsewhere(&self, key: ContactKey, number: u64, place: u64, found: &mut Remembered) {
        let Some(extent) = self.extent_at(place) else { return };
        let way = self.hash_with(key, number).way(extent.groups);
        extent.each_elsewhere(key, way, |_, entry| self.take(&entry, found));
    }

    /// The same from the beginning, wherever it lies and however often it changes meanwhile.
    #[inline(never)]
    fn read_on(&self, key: ContactKey, number: u64, of: &Segment<W>, found: &mut Remembered) {
        loop {
            let version = of.version.load(Acquire);
            found.clear();
            if let Some(extent) = self.extent(of) {
                let contact = || self.hash_with(key, number).contact;
                extent.each_of(key, number, contact, |_, entry| self.take(&entry, found));
            }
            W::fence(Acquire);
            if of.version.load(Relaxed) == version {
                return;
            }
            hint::spin_loop();
        }
    }

    /// Takes a touch; whether there is room for another. What is written over meanwhile may show
    /// more than a contact remembers; the version says so.
    #[inline]
    fn take(&self, entry: &Entry, found: &mut Remembered) -> bool {
        if let Some(touch) = self.touch(entry) {
            let _taken_while_there_is_room = found.try_push(touch);
        }
        !found.is_full()
    }

    /// As [`Table::read`], of a contact whose number was not looked for before.
    #[cfg(test)]
    fn get(&self, key: ContactKey) -> Remembered {
        let mut found = Remembered::new();
        self.read(key, self.fetch(key.1), &mut found);
        found
    }

    #[inline]
    fn touch(&self, entry: &Entry) -> Option<RememberedTouch> {
        let caller_id = self.callers.get(entry.caller)?;
        Some(RememberedTouch::from_word(entry.id, caller_id, entry.when))
    }

    fn extent(&self, segment: &Segment<W>) -> Option<Extent<'_, W>> {
        self.extent_at(segment.place.load(Acquire))
    }

    #[inline]
    fn extent_at(&self, place: u64) -> Option<Extent<'_, W>> {
        let place = Place::from_word(place)?;
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

    /// Touches that were pushed out, or not let in, because a contact remembers eight; or because
    /// the table's words can name no more tenants, callers or memory.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Bytes the table has asked for, used or not.
    pub(super) fn bytes(&self) -> usize {
        (self.arena.len() + self.callers.len() + 2 * self.segments.len()) * size_of::<u64>()
    }
}

/// Takes out what another touch stands for: where one is put in place of another, both show for a
/// moment.
#[inline(never)]
fn settle(found: &mut Remembered) {
    let mut rest = found.as_slice();
    let mut is_double = false;
    while let [one, others @ ..] = rest {
        is_double |= others.iter().any(|other| one.stands_for(other));
        rest = others;
    }
    if is_double {
        let all = found.clone();
        let stands_for = |newer: &RememberedTouch, older: &RememberedTouch| {
            newer.rank() > older.rank() && newer.stands_for(older)
        };
        found.retain(|older| !all.iter().any(|newer| stands_for(newer, older)));
    }
}
