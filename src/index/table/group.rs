//! How touches lie in memory: in groups of seven, 256 bytes each.
//!
//! ```text
//! word 0       header below, the first slot's caller above
//! words 1..8   keys: the number, and the lower half of the tenant's slot
//! words 8..29  by slot: the id in two words, then when, by whom and how it ended
//! words 29..32 the other slots' callers, two a word
//! ```
//!
//! All that a group says of a contact lies in four lines beside each other, which are fetched at
//! once. A touch lies in its home, the group that the contact's number says; where that is full, in
//! the first group with room on a way through all others, whose step number and tenant say. So the
//! fetch can begin before the tenant is known, and a person whom thousands of tenants know still
//! spreads over the segment. A home counts what has its home there and lies elsewhere, by four
//! kinds, so that most strangers look no further; the groups on a way count what passed them.
//!
//! What the packing implies: tenants' slots end at [`TENANTS_MAX`], those of callers that are
//! remembered at [`CALLERS_MAX`]; a touch beyond is not let in, and counted.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use uuid::Uuid;

use super::{arena::LINE, word::Word};
use crate::{
    domain::{E164, TouchId},
    index::{slot::TenantSlot, touches::ContactKey},
};

/// The number of this way of laying touches out; whatever else an image is of is refused.
pub(in crate::index) const LAYOUT: u32 = 2;

/// Touches of a group.
pub(super) const SLOTS: usize = 7;
/// Lines of a group.
pub(super) const LINES: usize = 4;
/// Words of a group.
pub(super) const WORDS: usize = LINES * LINE;
/// The first word of the first slot's touch, and how many each has.
const TOUCHES: usize = 8;
const TOUCH: usize = 3;
/// The first word of the callers of the slots after the first.
const CALLERS: usize = 29;
/// Groups behind the home one whose heads are on their way from memory while one is looked at: a
/// wait for all of them, not for each.
const AHEAD: usize = 4;

/// Bits of a number; what is above them holds a part of a tenant's slot.
const NUMBER_BITS: u32 = 50;
const TENANT_BITS: u32 = 14;
/// Bits of a caller's slot; what is above them holds the rest of a tenant's.
const CALLER_BITS: u32 = 24;

/// Tenants whose contacts can be remembered.
pub(super) const TENANTS_MAX: u32 = 1 << (TENANT_BITS + 32 - CALLER_BITS);
/// Different numbers that touches can have shown.
pub(super) const CALLERS_MAX: u32 = 1 << CALLER_BITS;

/// A header: which slots are taken, and how many touches passed this group for another.
///
/// Counts that are full stay so until the segment is written anew: then a look-up may look further
/// for nothing, but it misses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) u32);

impl Header {
    /// Where the four counts of those who have their home here begin, and how wide they are.
    const HOME: u32 = 8;
    const KIND_BITS: u32 = 4;
    /// Where the count of those who passed on their way begins; it is eight bits wide.
    const WAY: u32 = 24;

    pub(super) const fn taken(self) -> u32 {
        self.0 & ((1 << SLOTS) - 1)
    }

    /// A slot that is free.
    pub(super) const fn free(self) -> Option<usize> {
        let slot = (!self.taken()).trailing_zeros() as usize;
        if slot < SLOTS { Some(slot) } else { None }
    }

    pub(super) const fn with(self, slot: usize) -> Self {
        Self(self.0 | 1 << slot)
    }

    pub(super) const fn without(self, slot: usize) -> Self {
        Self(self.0 & !(1 << slot))
    }

    /// Whether a touch of this kind that has its home here may lie elsewhere.
    pub(super) const fn is_left(self, kind: u32) -> bool {
        self.count(Self::HOME + kind * Self::KIND_BITS, Self::KIND_BITS) > 0
    }

    /// Whether a touch on its way may lie further on.
    pub(super) const fn is_passed(self) -> bool {
        self.count(Self::WAY, 8) > 0
    }

    pub(super) const fn left(self, kind: u32, change: Change) -> Self {
        self.counted(Self::HOME + kind * Self::KIND_BITS, Self::KIND_BITS, change)
    }

    pub(super) const fn passed(self, change: Change) -> Self {
        self.counted(Self::WAY, 8, change)
    }

    const fn count(self, first: u32, bits: u32) -> u32 {
        self.0 >> first & ((1 << bits) - 1)
    }

    const fn counted(self, first: u32, bits: u32, change: Change) -> Self {
        let count = self.count(first, bits);
        if count == (1 << bits) - 1 {
            return self;
        }
        match change {
            Change::More => Self(self.0 + (1 << first)),
            Change::Less if count > 0 => Self(self.0 - (1 << first)),
            Change::Less => self,
        }
    }
}

/// Whether something came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    More,
    Less,
}

/// Where a contact's touches may lie, in an extent of so many groups: a prime, so that whatever the
/// step, a way comes to each group once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    groups: usize,
    home: usize,
    step: usize,
    kind: u32,
}

impl Way {
    /// By a hash of the number, and one of number and tenant.
    pub(super) const fn new(number: u64, contact: u64, groups: usize) -> Self {
        let kind = kind(number);
        let step = 1 + scaled(contact, groups.saturating_sub(1));
        Self { groups, home: home(number, groups), step, kind }
    }

    /// The group that is looked at after so many others.
    #[inline]
    const fn group(self, after: usize) -> usize {
        let place = self.home + after * self.step;
        match after {
            0 => place,
            1 if place < self.groups => place,
            1 => place - self.groups,
            _ => place % self.groups,
        }
    }

    /// The group behind that one; behind the last the home one again.
    #[inline]
    const fn next(self, group: usize) -> usize {
        let next = group + self.step;
        if next < self.groups { next } else { next.saturating_sub(self.groups) }
    }
}

/// Which of a home's four counts is of those with this hash of the number.
pub(super) const fn kind(number: u64) -> u32 {
    (number & 3) as u32
}

/// The first group that is looked at, by a hash of the number.
pub(super) const fn home(number: u64, groups: usize) -> usize {
    scaled(number, groups)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn scaled(hash: u64, end: usize) -> usize {
    ((hash as u32 as u64 * end as u64) >> 32) as usize
}

/// Where a touch lies in an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) group: usize,
    pub(super) slot: usize,
}

/// A touch as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: ContactKey,
    pub(super) id: TouchId,
    /// When, by whom, and how it ended.
    pub(super) when: u64,
    /// The slot of the number that was shown.
    pub(super) caller: u32,
}

/// An extent of groups.
pub(super) struct Extent<'t, W> {
    words: &'t [W],
    pub(super) groups: usize,
}

impl<W> Clone for Extent<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Extent<'_, W> {}

impl<'t, W: Word> Extent<'t, W> {
    pub(super) const fn new(words: &'t [W], groups: usize) -> Self {
        Self { words, groups }
    }

    #[inline]
    pub(super) fn group(&self, group: usize) -> Option<&'t [W; WORDS]> {
        let (groups, _) = self.words.as_chunks();
        groups.get(group)
    }

    /// Has the line fetched that says whose touches are in a group, and whether others passed it.
    #[inline]
    fn fetch_head(&self, group: usize) {
        if let Some([first, ..]) = self.group(group) {
            W::fetch(first);
        }
    }

    pub(super) fn header(&self, group: usize) -> Header {
        header(self.group(group).map_or(0, |[first, ..]| first.load(Acquire)))
    }

    /// Every touch of a contact, with its place, as far as `take` wants them; by the hash of its
    /// number, and by that of number and tenant where that is asked for.
    #[inline]
    pub(super) fn each_of(
        &self,
        key: ContactKey,
        number: u64,
        contact: impl FnOnce() -> u64,
        mut take: impl FnMut(Position, Entry) -> bool,
    ) {
        let home = home(number, self.groups);
        let Some(words) = self.group(home) else { return };
        match each_in(words, key, |slot, entry| take(Position { group: home, slot }, entry)) {
            Some(header) if header.is_left(kind(number)) => {
                self.each_elsewhere(key, Way::new(number, contact(), self.groups), take);
            }
            Some(_) | None => {}
        }
    }

    /// Every touch of a contact that is not in its home.
    pub(super) fn each_elsewhere(
        &self,
        key: ContactKey,
        way: Way,
        mut take: impl FnMut(Position, Entry) -> bool,
    ) {
        let (mut group, mut ahead) = (way.home, way.home);
        let fetch_next = |ahead: &mut usize| {
            *ahead = way.next(*ahead);
            self.fetch_head(*ahead);
        };
        // Most that is not at home lies in the group behind it.
        if let Some(words) = self.group(way.next(way.home)) {
            fetch(words);
        }
        (0..AHEAD).for_each(|_| fetch_next(&mut ahead));
        for _ in 1..self.groups {
            fetch_next(&mut ahead);
            group = way.next(group);
            let Some(words) = self.group(group) else { return };
            match each_in(words, key, |slot, entry| take(Position { group, slot }, entry)) {
                Some(header) if header.is_passed() => {}
                Some(_) | None => return,
            }
        }
    }

    /// The touch at a place.
    pub(super) fn entry(&self, at: Position) -> Option<Entry> {
        let words = self.group(at.group)?;
        let low = words.get(1 + at.slot)?.load(Relaxed);
        let contact = E164::from_u64(low & ((1 << NUMBER_BITS) - 1))?;
        let (high, entry) = touch(words, at.slot, (TenantSlot(0), contact))?;
        let tenant = u32::try_from(low >> NUMBER_BITS).ok()? | high << TENANT_BITS;
        Some(Entry { key: (TenantSlot(tenant), contact), ..entry })
    }

    /// Every place that is taken.
    pub(super) fn taken(self) -> impl Iterator<Item = Position> + use<'t, W> {
        (0..self.groups).flat_map(move |group| {
            let taken = self.header(group).taken();
            let slots = (0..SLOTS).filter(move |slot| taken & (1 << slot) != 0);
            slots.map(move |slot| Position { group, slot })
        })
    }

    /// The first free place within reach, and how many groups lie before it.
    pub(super) fn room(&self, way: Way, reach: usize) -> Option<(usize, Position)> {
        (0..reach.min(self.groups)).find_map(|passed| {
            let group = way.group(passed);
            Some((passed, Position { group, slot: self.header(group).free()? }))
        })
    }

    /// How many groups of a way lie before that one.
    pub(super) fn passed(&self, way: Way, group: usize) -> usize {
        (0..self.groups).find(|after| way.group(*after) == group).unwrap_or_default()
    }

    /// Counts in those that a touch passed that it came, or that it is gone.
    pub(super) fn count(&self, way: Way, passed: usize, change: Change) {
        for after in 0..passed {
            let group = way.group(after);
            let header = self.header(group);
            let counted =
                if after == 0 { header.left(way.kind, change) } else { header.passed(change) };
            self.show(group, counted);
        }
    }

    /// Writes a touch where no reader looks: the slot is free, or the extent not yet shown.
    pub(super) fn write(&self, at: Position, entry: &Entry) {
        let Some(words) = self.group(at.group) else { return };
        let (low, high) = key_words(entry.key);
        let (upper, lower) = entry.id.0.as_u64_pair();
        let first = TOUCHES + at.slot * TOUCH;
        for (place, value) in
            [(1 + at.slot, low), (first, upper), (first + 1, lower), (first + 2, entry.when)]
        {
            if let Some(word) = words.get(place) {
                word.store(value, Relaxed);
            }
        }
        let (place, shift) = caller_place(at.slot);
        if let Some(word) = words.get(place) {
            // Only the writer changes words, so the other half is as it was.
            let other = word.load(Relaxed) & !(u64::from(u32::MAX) << shift);
            let caller = entry.caller | high << CALLER_BITS;
            word.store(other | u64::from(caller) << shift, Relaxed);
        }
    }

    /// Changes when a touch was and how it ended: one word, seen as it was or as it is.
    pub(super) fn write_when(&self, at: Position, when: u64) {
        let word = self.group(at.group).and_then(|words| words.get(TOUCHES + at.slot * TOUCH + 2));
        if let Some(word) = word {
            word.store(when, Relaxed);
        }
    }

    /// Shows a group as the header says.
    pub(super) fn show(&self, group: usize, header: Header) {
        if let Some([first, ..]) = self.group(group) {
            let other = first.load(Relaxed) & !u64::from(u32::MAX);
            first.store(other | u64::from(header.0), Release);
        }
    }
}

/// Has a group's lines fetched.
#[inline]
pub(super) fn fetch<W: Word>(group: &[W; WORDS]) {
    let (lines, _) = group.as_chunks::<LINE>();
    lines.iter().for_each(|[first, ..]| W::fetch(first));
}

/// Every touch of a contact in one group, with its slot, and how the group is headed; none once
/// `take` wants no more.
#[inline(always)]
pub(super) fn each_in<W: Word>(
    words: &[W; WORDS],
    key: ContactKey,
    mut take: impl FnMut(usize, Entry) -> bool,
) -> Option<Header> {
    let (low, high) = key_words(key);
    let [first, keys @ ..] = words;
    let header = header(first.load(Acquire));
    let mut found = 0_u32;
    for (slot, word) in keys.iter().take(SLOTS).enumerate() {
        found |= u32::from(word.load(Relaxed) == low) << slot;
    }
    found &= header.taken();
    while found != 0 {
        let slot = found.trailing_zeros() as usize;
        found &= found - 1;
        if let Some((tenant, touch)) = touch(words, slot, key)
            && tenant == high
            && !take(slot, touch)
        {
            return None;
        }
    }
    Some(header)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn header(word: u64) -> Header {
    Header(word as u32)
}

/// The touch in a slot of a contact, and the upper part of its tenant's slot.
#[inline]
fn touch<W: Word>(words: &[W; WORDS], slot: usize, key: ContactKey) -> Option<(u32, Entry)> {
    // No slot is beyond the seventh; said so that it need not be checked.
    let first = TOUCHES + slot % 8 * TOUCH;
    let [upper, lower, when] = words.get(first..)?.first_chunk()?;
    let id = TouchId(Uuid::from_u64_pair(upper.load(Relaxed), lower.load(Relaxed)));
    let (place, shift) = caller_place(slot);
    let Header(caller) = header(words.get(place)?.load(Relaxed) >> shift);
    let when = when.load(Relaxed);
    Some((caller >> CALLER_BITS, Entry { key, id, when, caller: caller & (CALLERS_MAX - 1) }))
}

/// The word that holds a slot's caller, and where in it.
const fn caller_place(slot: usize) -> (usize, u32) {
    let half = if slot == 0 { 1 } else { 2 * CALLERS - 1 + slot };
    (half / 2 % WORDS, if half % 2 == 0 { 0 } else { 32 })
}

/// A contact in the two places that hold it: its number with the lower part of the tenant's slot,
/// and the upper part.
const fn key_words((tenant, contact): ContactKey) -> (u64, u32) {
    let low = tenant.0 as u64 & ((1 << TENANT_BITS) - 1);
    (contact.as_u64() | low << NUMBER_BITS, tenant.0 >> TENANT_BITS)
}
