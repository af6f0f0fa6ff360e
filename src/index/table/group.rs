//! How touches lie in memory: in groups of seven.
//!
//! A group's first line holds a header and seven keys; beside the lines of keys lie the touches
//! themselves, half a line each. So a caller whom nobody called costs one line of memory to look
//! up, and one who was called once costs two. A touch whose group is full goes to the next that has
//! room, and every group it passed counts it.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use uuid::Uuid;

use super::{arena::LINE, word::Word};
use crate::{
    domain::{E164, TouchId},
    index::{
        slot::TenantSlot,
        touches::{ContactKey, RememberedTouch},
    },
};

/// The number of this way of laying touches out; whatever else an image is of is refused.
pub(in crate::index) const LAYOUT: u32 = 1;

/// Touches of a group.
pub(super) const SLOTS: usize = 7;
/// Words of a touch beside its key.
const PAYLOAD: usize = 4;
/// Bits of a number; what is above them holds half a tenant's slot.
const NUMBER_BITS: u32 = 50;
const TENANT_BITS: u32 = 14;

/// A header: which slots are taken, and how many touches passed this group for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) u64);

impl Header {
    const PASSED: u64 = 1 << 8;

    pub(super) const fn taken(self) -> u64 {
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

    /// Whether a touch whose place is here, or before, may lie further on.
    pub(super) const fn is_passed(self) -> bool {
        self.0 >= Self::PASSED
    }

    pub(super) const fn passed_once_more(self) -> Self {
        Self(self.0 + Self::PASSED)
    }

    pub(super) const fn passed_once_less(self) -> Self {
        Self(self.0.saturating_sub(Self::PASSED))
    }
}

/// Where a touch lies in an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) group: usize,
    pub(super) slot: usize,
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

    fn line(&self, group: usize) -> Option<&'t [W; LINE]> {
        self.words.get(group * LINE..)?.first_chunk()
    }

    fn payload(&self, at: Position) -> Option<&'t [W; PAYLOAD]> {
        let place = self.groups * LINE + (at.group * SLOTS + at.slot) * PAYLOAD;
        self.words.get(place..)?.first_chunk()
    }

    pub(super) fn header(&self, group: usize) -> Header {
        Header(self.line(group).map_or(0, |[header, ..]| header.load(Acquire)))
    }

    /// Which slots of a group hold that key, and its header.
    #[inline]
    fn matching(&self, group: usize, key: u64) -> Option<(u64, Header)> {
        let [header, keys @ ..] = self.line(group)?;
        let header = Header(header.load(Acquire));
        let mut found = 0;
        for (slot, word) in keys.iter().enumerate() {
            found |= u64::from(word.load(Relaxed) == key) << slot;
        }
        Some((found & header.taken(), header))
    }

    /// Every touch of a contact, with its place, as far as `take` wants them.
    #[inline]
    pub(super) fn each_of(
        &self,
        key: ContactKey,
        home: usize,
        mut take: impl FnMut(Position, RememberedTouch) -> bool,
    ) {
        let (low, high) = key_words(key);
        let mut group = home;
        for _ in 0..self.groups {
            let Some((mut found, header)) = self.matching(group, low) else { return };
            while found != 0 {
                let at = Position { group, slot: found.trailing_zeros() as usize };
                found &= found - 1;
                if let Some((tenant, touch)) = self.touch(at)
                    && tenant == high
                    && !take(at, touch)
                {
                    return;
                }
            }
            if !header.is_passed() {
                return;
            }
            group = self.after(group);
        }
    }

    pub(super) const fn after(&self, group: usize) -> usize {
        if group + 1 < self.groups { group + 1 } else { 0 }
    }

    /// The touch at a place, and the upper half of its tenant.
    fn touch(&self, at: Position) -> Option<(u64, RememberedTouch)> {
        let [upper, lower, when, shown] = self.payload(at)?;
        let id = Uuid::from_u64_pair(upper.load(Relaxed), lower.load(Relaxed));
        let (when, shown) = (when.load(Relaxed), shown.load(Relaxed));
        let caller_id = E164::from_u64(shown & ((1 << NUMBER_BITS) - 1))?;
        let touch = RememberedTouch::from_word(TouchId(id), caller_id, when);
        Some((shown >> NUMBER_BITS, touch))
    }

    /// The contact and the touch at a place.
    pub(super) fn entry(&self, at: Position) -> Option<(ContactKey, RememberedTouch)> {
        let (high, touch) = self.touch(at)?;
        let [_, keys @ ..] = self.line(at.group)?;
        let low = keys.get(at.slot)?.load(Relaxed);
        let contact = E164::from_u64(low & ((1 << NUMBER_BITS) - 1))?;
        let tenant = u32::try_from(low >> NUMBER_BITS | high << TENANT_BITS).ok()?;
        Some(((TenantSlot(tenant), contact), touch))
    }

    /// Every place that is taken.
    pub(super) fn taken(self) -> impl Iterator<Item = Position> + use<'t, W> {
        (0..self.groups).flat_map(move |group| {
            let taken = self.header(group).taken();
            let slots = (0..SLOTS).filter(move |slot| taken & (1 << slot) != 0);
            slots.map(move |slot| Position { group, slot })
        })
    }

    /// Writes a touch where no reader looks: the slot is free, or the extent not yet shown.
    pub(super) fn write(&self, at: Position, key: ContactKey, touch: &RememberedTouch) {
        let (low, high) = key_words(key);
        if let (Some([_, keys @ ..]), Some([upper, lower, when, shown])) =
            (self.line(at.group), self.payload(at))
        {
            let (first, second) = touch.id.0.as_u64_pair();
            if let Some(word) = keys.get(at.slot) {
                word.store(low, Relaxed);
            }
            upper.store(first, Relaxed);
            lower.store(second, Relaxed);
            when.store(touch.word(), Relaxed);
            shown.store(touch.caller_id.as_u64() | high << NUMBER_BITS, Relaxed);
        }
    }

    /// Changes when a touch was and how it ended: one word, seen as it was or as it is.
    pub(super) fn write_when(&self, at: Position, touch: &RememberedTouch) {
        if let Some([_, _, when, _]) = self.payload(at) {
            when.store(touch.word(), Relaxed);
        }
    }

    /// Shows a group as the header says.
    pub(super) fn show(&self, group: usize, header: Header) {
        if let Some([word, ..]) = self.line(group) {
            word.store(header.0, Release);
        }
    }
}

/// A contact in the two places that hold it: its number with half of the tenant's slot, and the
/// other half. Tenants' slots end at 2^28.
const fn key_words((tenant, contact): ContactKey) -> (u64, u64) {
    let tenant = tenant.0 as u64;
    let low = tenant & ((1 << TENANT_BITS) - 1);
    (contact.as_u64() | low << NUMBER_BITS, (tenant >> TENANT_BITS) & ((1 << TENANT_BITS) - 1))
}
