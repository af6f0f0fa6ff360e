//! The one who changes the table.

use std::{
    collections::BTreeMap,
    iter,
    sync::{
        LazyLock,
        atomic::Ordering::{Relaxed, Release},
    },
};

use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{
    Hash, Segment, Table,
    arena::{GROUPS_END, Place, Spare},
    callers::Slots,
    group::{Change, Entry, Extent, Header, Position, SLOTS, TENANTS_MAX},
    word::Word,
};
use crate::{
    domain::REMEMBERED_MAX,
    index::touches::{ContactKey, Remembered, RememberedTouch, remember},
};

/// How full the whole may be, in hundredths, before the next segment grows: fuller, and look-ups
/// pass from group to group; emptier, and memory lies idle.
const FULL: usize = 85;

/// How many groups may be looked at for a touch; further, and its segment grows out of turn. That
/// has to be rare: memory that is given back in turn can be used again, slab by slab.
const REACH: usize = 32;

/// Changes a table. There is one for each table.
#[derive(Default)]
pub(in crate::index) struct Keeper {
    spare: Spare,
    pub(super) callers: Slots,
    /// Places for touches, taken or not.
    pub(super) slots: usize,
    pub(super) touches: usize,
    /// Which segment lies where, by the places' words, and so in the order of memory.
    places: BTreeMap<u64, usize>,
    /// Segments grow in that order, so that what they leave lies side by side: from here on, those
    /// that have at most so many groups.
    next: u64,
    turn: usize,
}

/// Touches of a contact, and where they lie.
type Held = SmallVec<[(Position, RememberedTouch); REMEMBERED_MAX]>;

impl Keeper {
    /// Of a table that is as full as that.
    pub(super) fn of(
        spare: Spare,
        callers: Slots,
        slots: usize,
        touches: usize,
        places: BTreeMap<u64, usize>,
    ) -> Self {
        Self { spare, callers, slots, touches, places, ..Self::default() }
    }

    /// Adds a touch, or puts it in place of what it was.
    pub(in crate::index) fn put<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touch: RememberedTouch,
    ) {
        if !self.is_named(table, key, &touch) {
            return;
        }
        let hash = table.hash(key);
        let held = held(table, key, hash);
        let mut after: Remembered = held.iter().map(|(_, touch)| *touch).collect();
        count_evicted(table, remember(&mut after, touch));
        self.change(table, key, hash, &held, &after);
    }

    /// Puts these in place of everything remembered of the contact.
    pub(in crate::index) fn replace<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touches: impl IntoIterator<Item = RememberedTouch>,
    ) {
        let hash = table.hash(key);
        let after = self.remembered(table, key, touches);
        self.change(table, key, hash, &held(table, key, hash), &after);
    }

    /// Puts these in place of everything, segment by segment.
    pub(in crate::index) fn replace_all<W: Word>(
        &mut self,
        table: &Table<W>,
        contacts: HashMap<ContactKey, Vec<RememberedTouch>>,
    ) {
        let mut parts: Vec<Vec<_>> =
            iter::repeat_with(Vec::new).take(table.segments.len()).collect();
        let mut count = 0;
        for (key, touches) in contacts {
            let kept = self.remembered(table, key, touches);
            count += usize::from(!kept.is_empty());
            if let Some(part) = parts.get_mut(table.index(table.hash_number(key.1))) {
                part.extend(kept.iter().filter_map(|touch| self.entry(table, key, touch)));
            }
        }
        table.contacts.store(count, Relaxed);
        for (index, part) in parts.into_iter().enumerate() {
            self.rewrite(table, index, groups_for(part.len()), part.into_iter());
        }
    }

    /// Forgets every contact for which `keep` says no.
    pub(in crate::index) fn retain<W: Word>(
        &mut self,
        table: &Table<W>,
        keep: impl Fn(&ContactKey) -> bool,
    ) {
        for (index, segment) in table.segments.iter().enumerate() {
            let Some(extent) = table.extent(segment) else { continue };
            let entries = || extent.taken().filter_map(|at| extent.entry(at));
            let gone: HashSet<_> =
                entries().map(|entry| entry.key).filter(|key| !keep(key)).collect();
            if gone.is_empty() {
                continue;
            }
            table.contacts.fetch_sub(gone.len(), Relaxed);
            let kept = || entries().filter(|entry| !gone.contains(&entry.key));
            self.rewrite(table, index, groups_for(kept().count()), kept());
        }
    }

    /// Makes a contact's touches what they are to be, by one store if that can be.
    fn change<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        hash: Hash,
        held: &Held,
        after: &Remembered,
    ) {
        let gone: Held = held.iter().filter(|(_, was)| !after.contains(was)).copied().collect();
        let is_held = |touch: &RememberedTouch| held.iter().any(|(_, was)| was == touch);
        let fresh: Remembered = after.iter().filter(|touch| !is_held(touch)).copied().collect();
        let fresh: SmallVec<[Entry; REMEMBERED_MAX]> =
            fresh.iter().filter_map(|touch| self.entry(table, key, touch)).collect();
        match (held.is_empty(), after.is_empty()) {
            (true, false) => _ = table.contacts.fetch_add(1, Relaxed),
            (false, true) => _ = table.contacts.fetch_sub(1, Relaxed),
            (true, true) | (false, false) => {}
        }
        let index = table.index(hash.number);
        let Some(segment) = table.segments.get(index) else { return };
        let is_done = match (table.extent(segment), &gone[..], &fresh[..]) {
            (_, [], []) => true,
            (None, _, _) => false,
            (Some(extent), [(at, _)], [now]) if is_same_but_when(extent.entry(*at), now) => {
                begin(segment);
                extent.write_when(*at, now.when);
                true
            }
            (Some(extent), [], [now]) => self.insert(segment, extent, hash, now),
            (Some(extent), [(at, _)], [now]) => {
                swap(segment, extent, *at, now)
                    // For a moment both show: whoever reads takes the newer one.
                    || held.len() < REMEMBERED_MAX
                        && self.insert(segment, extent, hash, now)
                        && self.hide(segment, extent, hash, &gone)
            }
            (Some(extent), gone, []) => self.hide(segment, extent, hash, gone),
            (Some(_), _, _) => false,
        };
        if !is_done {
            self.change_whole(table, index, &gone, &fresh);
        }
        if self.touches * 100 > self.slots * FULL {
            self.grow(table);
        }
    }

    /// Shows one more touch of a contact; `false` where there is no room within reach.
    fn insert<W: Word>(
        &mut self,
        segment: &Segment<W>,
        extent: Extent<'_, W>,
        hash: Hash,
        entry: &Entry,
    ) -> bool {
        let way = hash.way(extent.groups);
        let Some((passed, at)) = extent.room(way, REACH) else { return false };
        begin(segment);
        extent.write(at, entry);
        extent.count(way, passed, Change::More);
        extent.show(at.group, extent.header(at.group).with(at.slot));
        self.touches += 1;
        true
    }

    /// Hides touches of a contact that lie in one group; `false` where they do not.
    fn hide<W: Word>(
        &mut self,
        segment: &Segment<W>,
        extent: Extent<'_, W>,
        hash: Hash,
        gone: &[(Position, RememberedTouch)],
    ) -> bool {
        let Some((Position { group, .. }, _)) = gone.first().copied() else { return true };
        if gone.iter().any(|(at, _)| at.group != group) {
            return false;
        }
        begin(segment);
        let header =
            gone.iter().fold(extent.header(group), |header, (at, _)| header.without(at.slot));
        extent.show(group, header);
        let way = hash.way(extent.groups);
        let passed = extent.passed(way, group);
        for _ in gone {
            extent.count(way, passed, Change::Less);
        }
        self.touches -= gone.len();
        true
    }

    /// Writes the contact's segment anew, with what changes.
    fn change_whole<W: Word>(
        &mut self,
        table: &Table<W>,
        index: usize,
        gone: &Held,
        fresh: &[Entry],
    ) {
        let Some(segment) = table.segments.get(index) else { return };
        let extent = table.extent(segment);
        let stays = |at: &Position| !gone.iter().any(|(gone, _)| gone == at);
        let old = extent
            .into_iter()
            .flat_map(|extent| extent.taken().filter(stays).filter_map(move |at| extent.entry(at)));
        let groups = extent.map_or(0, |extent| extent.groups);
        let count = extent.map_or(0, |extent| extent.taken().count()) + fresh.len();
        // A change of one touch comes here for want of room.
        let groups = if fresh.len() == 1 { larger(groups) } else { groups };
        let groups = groups.max(groups_for(count));
        self.rewrite(table, index, groups, old.chain(fresh.iter().copied()));
    }

    /// Makes the next segment larger.
    fn grow<W: Word>(&mut self, table: &Table<W>) {
        while let Some((&word, &index)) = self.places.range(self.next..).next() {
            self.next = word + 1;
            if groups_at(word) > self.turn {
                continue;
            }
            let Some(extent) = table.segments.get(index).and_then(|part| table.extent(part)) else {
                continue;
            };
            let entries = extent.taken().filter_map(|at| extent.entry(at));
            return self.rewrite(table, index, larger(extent.groups), entries);
        }
        self.next = 0;
        self.turn = self.places.keys().map(|word| groups_at(*word)).min().unwrap_or_default();
    }

    /// Writes a segment elsewhere, with these touches and no others, and shows it.
    fn rewrite<W: Word>(
        &mut self,
        table: &Table<W>,
        index: usize,
        wanted: usize,
        entries: impl Iterator<Item = Entry>,
    ) {
        let Some(segment) = table.segments.get(index) else { return };
        let old = Place::from_word(segment.place.load(Relaxed));
        let before = table.extent(segment).map_or(0, |extent| extent.taken().count());
        let sized = if wanted == 0 { None } else { sized(wanted) };
        let place = sized.and_then(|groups| self.spare.take(&table.arena, groups));
        let groups = place.map_or(0, |place| place.groups);
        let mut after = 0;
        if let Some(place) = place
            && let Some(words) = table.arena.words(place)
        {
            let extent = Extent::new(words, groups);
            // Readers of whoever had this memory before find their version changed.
            W::fence(Release);
            (0..groups).for_each(|group| extent.show(group, Header(0)));
            for entry in entries {
                let way = table.hash(entry.key).way(groups);
                if let Some((passed, at)) = extent.room(way, groups) {
                    extent.write(at, &entry);
                    extent.count(way, passed, Change::More);
                    extent.show(at.group, extent.header(at.group).with(at.slot));
                    after += 1;
                }
            }
        } else if wanted > 0 {
            // No word can name more memory: what would be new is not let in.
            table.evicted.fetch_add(1, Relaxed);
            return;
        }
        let word = place.map_or(0, Place::word);
        segment.place.store(word, Release);
        segment.version.store(segment.version.load(Relaxed) + 1, Release);
        self.slots += SLOTS * groups;
        self.touches += after;
        if place.is_some() {
            self.places.insert(word, index);
        }
        if let Some(old) = old {
            self.places.remove(&old.word());
            self.slots -= SLOTS * old.groups;
            self.touches -= before;
            self.spare.give(old);
        }
    }

    /// What is remembered of these, and what is not is counted.
    fn remembered<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touches: impl IntoIterator<Item = RememberedTouch>,
    ) -> Remembered {
        let mut after = Remembered::new();
        for touch in touches {
            if self.is_named(table, key, &touch) {
                count_evicted(table, remember(&mut after, touch));
            }
        }
        after
    }

    /// Whether the table's words can name whose touch it is and what it showed. Where they cannot,
    /// that is counted.
    fn is_named<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touch: &RememberedTouch,
    ) -> bool {
        let is_named = self.entry(table, key, touch).is_some();
        count_evicted(table, is_named);
        is_named
    }

    /// A touch as it lies in memory.
    fn entry<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touch: &RememberedTouch,
    ) -> Option<Entry> {
        let caller = self.callers.of(&table.callers, touch.caller_id)?;
        let entry = Entry { key, id: touch.id, when: touch.word(), caller };
        (key.0.0 < TENANTS_MAX).then_some(entry)
    }
}

fn count_evicted<W: Word>(table: &Table<W>, is_all_kept: bool) {
    table.evicted.fetch_add(u64::from(!is_all_kept), Relaxed);
}

fn held<W: Word>(table: &Table<W>, key: ContactKey, hash: Hash) -> Held {
    let mut held = Held::new();
    let segment = table.segments.get(table.index(hash.number));
    if let Some(extent) = segment.and_then(|segment| table.extent(segment)) {
        extent.each_of(
            key,
            hash.number,
            || hash.contact,
            |at, entry| {
                held.extend(table.touch(&entry).map(|touch| (at, touch)));
                true
            },
        );
    }
    held
}

/// Tells readers that something is about to be written over.
fn begin<W: Word>(segment: &Segment<W>) {
    segment.version.store(segment.version.load(Relaxed) + 1, Release);
    W::fence(Release);
}

/// Shows a touch in place of another, where both have room in one group.
fn swap<W: Word>(segment: &Segment<W>, extent: Extent<'_, W>, at: Position, entry: &Entry) -> bool {
    let header = extent.header(at.group);
    let Some(slot) = header.free() else { return false };
    begin(segment);
    extent.write(Position { slot, ..at }, entry);
    extent.show(at.group, header.with(slot).without(at.slot));
    true
}

/// Whether one word says what differs.
fn is_same_but_when(was: Option<Entry>, now: &Entry) -> bool {
    was.is_some_and(|was| (was.id, was.caller) == (now.id, now.caller))
}

fn groups_at(word: u64) -> usize {
    Place::from_word(word).map_or(0, |place| place.groups)
}

/// Groups for so many touches.
const fn groups_for(touches: usize) -> usize {
    (touches * 100).div_ceil(SLOTS * FULL)
}

/// The sizes that segments have: few, so that memory can be used again; primes, as ways want them;
/// each a tenth more than the one before.
static SIZES: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let is_prime = |n: &usize| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    let larger = |groups: &usize| (groups + groups / 10 + 1..).find(is_prime);
    iter::successors(Some(1), larger).take_while(|groups| *groups < GROUPS_END).collect()
});

/// The least size that has so many groups.
fn sized(groups: usize) -> Option<usize> {
    SIZES.get(SIZES.partition_point(|size| *size < groups)).copied()
}

/// The next size.
fn larger(groups: usize) -> usize {
    sized(groups + 1).unwrap_or(groups)
}
