//! The one who changes the table.

use std::{
    iter,
    sync::atomic::Ordering::{Relaxed, Release},
};

use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{
    Hash, Segment, Table,
    arena::{Place, Spare},
    group::{Extent, Header, Position, SLOTS},
    word::Word,
};
use crate::{
    domain::REMEMBERED_MAX,
    index::touches::{ContactKey, Remembered, RememberedTouch, remember},
};

/// How full the whole may be, in hundredths, before the next segment grows: fuller, and look-ups
/// pass from group to group (a stranger's sees 2.1 of them, at 85 it would be 4.1);
/// emptier, and memory lies idle.
const FULL: usize = 78;

/// How far a touch may lie from its home; further, and its segment grows out of turn. That has to
/// be rare: memory that is given back in turn can be used again, slab by slab.
const PASSED_MAX: usize = 64;

/// Changes a table. There is one for each table.
#[derive(Default)]
pub(in crate::index) struct Keeper {
    pub(super) spare: Spare,
    /// Places for touches, taken or not.
    pub(super) slots: usize,
    pub(super) touches: usize,
    /// The segment whose turn it is to grow.
    pub(super) next: usize,
}

/// Touches of a contact, and where they lie.
type Held = SmallVec<[(Position, RememberedTouch); REMEMBERED_MAX]>;

impl Keeper {
    /// Adds a touch, or puts it in place of what it was.
    pub(in crate::index) fn put<W: Word>(
        &mut self,
        table: &Table<W>,
        key: ContactKey,
        touch: RememberedTouch,
    ) {
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
        let after = remembered(table, touches);
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
        table.contacts.store(contacts.len(), Relaxed);
        for (key, touches) in contacts {
            if let Some(part) = parts.get_mut(table.hash(key).segment(table.segments.len())) {
                part.extend(remembered(table, touches).into_iter().map(|touch| (key, touch)));
            }
        }
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
            let gone: HashSet<_> = entries().map(|(key, _)| key).filter(|key| !keep(key)).collect();
            if gone.is_empty() {
                continue;
            }
            table.contacts.fetch_sub(gone.len(), Relaxed);
            let kept = || entries().filter(|(key, _)| !gone.contains(key));
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
        match (held.is_empty(), after.is_empty()) {
            (true, false) => _ = table.contacts.fetch_add(1, Relaxed),
            (false, true) => _ = table.contacts.fetch_sub(1, Relaxed),
            (true, true) | (false, false) => {}
        }
        let index = hash.segment(table.segments.len());
        let Some(segment) = table.segments.get(index) else { return };
        let is_done = match (table.extent(segment), &gone[..], &fresh[..]) {
            (_, [], []) => true,
            (None, _, _) => false,
            (Some(extent), [(at, was)], [now]) if is_same_but_when(was, now) => {
                begin(segment);
                extent.write_when(*at, now);
                true
            }
            (Some(extent), [], [now]) => self.insert(segment, extent, hash, key, now),
            (Some(extent), [(at, _)], [now]) => {
                swap(segment, extent, *at, key, now)
                    // For a moment both show: whoever reads takes the newer one.
                    || held.len() < REMEMBERED_MAX
                        && self.insert(segment, extent, hash, key, now)
                        && self.hide(segment, extent, hash, &gone)
            }
            (Some(extent), gone, []) => self.hide(segment, extent, hash, gone),
            (Some(_), _, _) => false,
        };
        if !is_done {
            self.change_whole(table, index, key, &gone, &fresh);
        }
        if self.touches * 100 > self.slots * FULL {
            self.grow(table);
        }
    }

    /// Shows one more touch of a contact; `false` where there is no room near its home.
    fn insert<W: Word>(
        &mut self,
        segment: &Segment<W>,
        extent: Extent<'_, W>,
        hash: Hash,
        key: ContactKey,
        touch: &RememberedTouch,
    ) -> bool {
        let home = hash.home(extent.groups);
        let reach = PASSED_MAX.min(extent.groups);
        let Some((passed, group, slot)) = room(extent, home, reach) else { return false };
        begin(segment);
        extent.write(Position { group, slot }, key, touch);
        pass(extent, home, passed, Header::passed_once_more);
        extent.show(group, extent.header(group).with(slot));
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
        let home = hash.home(extent.groups);
        let passed = (group + extent.groups - home) % extent.groups;
        for _ in gone {
            pass(extent, home, passed, Header::passed_once_less);
        }
        self.touches -= gone.len();
        true
    }

    /// Writes the contact's segment anew, with what changes.
    fn change_whole<W: Word>(
        &mut self,
        table: &Table<W>,
        index: usize,
        key: ContactKey,
        gone: &Held,
        fresh: &Remembered,
    ) {
        let Some(segment) = table.segments.get(index) else { return };
        let extent = table.extent(segment);
        let stays = |at: &Position| !gone.iter().any(|(gone, _)| gone == at);
        let old = extent
            .into_iter()
            .flat_map(|extent| extent.taken().filter(stays).filter_map(move |at| extent.entry(at)));
        let groups = extent.map_or(0, |extent| extent.groups);
        let count = extent.map_or(0, |extent| extent.taken().count()) + fresh.len();
        let entries = old.chain(fresh.iter().map(|touch| (key, *touch)));
        // A change of one touch comes here for want of room.
        let groups = if fresh.len() == 1 { larger(groups) } else { groups };
        let groups = groups.max(groups_for(count));
        self.rewrite(table, index, groups, entries);
    }

    /// Makes the next segment larger.
    fn grow<W: Word>(&mut self, table: &Table<W>) {
        for _ in 0..table.segments.len() {
            let index = self.next;
            self.next = (index + 1) % table.segments.len();
            let Some(extent) = table.segments.get(index).and_then(|part| table.extent(part)) else {
                continue;
            };
            let entries = extent.taken().filter_map(|at| extent.entry(at));
            return self.rewrite(table, index, larger(extent.groups), entries);
        }
    }

    /// Writes a segment elsewhere, with these touches and no others, and shows it.
    fn rewrite<W: Word>(
        &mut self,
        table: &Table<W>,
        index: usize,
        groups: usize,
        entries: impl Iterator<Item = (ContactKey, RememberedTouch)>,
    ) {
        let Some(segment) = table.segments.get(index) else { return };
        let old = Place::from_word(segment.place.load(Relaxed));
        let before = table.extent(segment).map_or(0, |extent| extent.taken().count());
        let groups = sized(groups);
        let place = if groups == 0 { None } else { self.spare.take(&table.arena, groups) };
        let mut after = 0;
        if let Some(place) = place
            && let Some(words) = table.arena.words(place)
        {
            let extent = Extent::new(words, groups);
            // Readers of whoever had this memory before find their version changed.
            W::fence(Release);
            (0..groups).for_each(|group| extent.show(group, Header(0)));
            for (key, touch) in entries {
                let home = table.hash(key).home(groups);
                if let Some((passed, group, slot)) = room(extent, home, groups) {
                    extent.write(Position { group, slot }, key, &touch);
                    pass(extent, home, passed, Header::passed_once_more);
                    extent.show(group, extent.header(group).with(slot));
                    after += 1;
                }
            }
        } else if groups > 0 {
            // No word can name more memory: what would be new is not let in.
            table.evicted.fetch_add(1, Relaxed);
            return;
        }
        segment.place.store(place.map_or(0, Place::word), Release);
        segment.version.store(segment.version.load(Relaxed) + 1, Release);
        self.slots += SLOTS * groups;
        self.touches += after;
        if let Some(old) = old {
            self.slots -= SLOTS * old.groups;
            self.touches -= before;
            self.spare.give::<W>(old);
        }
    }
}

/// What is remembered of these, and what is not is counted.
fn remembered<W: Word>(
    table: &Table<W>,
    touches: impl IntoIterator<Item = RememberedTouch>,
) -> Remembered {
    let mut after = Remembered::new();
    for touch in touches {
        count_evicted(table, remember(&mut after, touch));
    }
    after
}

fn count_evicted<W: Word>(table: &Table<W>, is_all_kept: bool) {
    table.evicted.fetch_add(u64::from(!is_all_kept), Relaxed);
}

fn held<W: Word>(table: &Table<W>, key: ContactKey, hash: Hash) -> Held {
    let mut held = Held::new();
    let segment = table.segments.get(hash.segment(table.segments.len()));
    if let Some(extent) = segment.and_then(|segment| table.extent(segment)) {
        extent.each_of(key, hash.home(extent.groups), |at, touch| {
            held.push((at, touch));
            true
        });
    }
    held
}

/// Tells readers that something is about to be written over.
fn begin<W: Word>(segment: &Segment<W>) {
    segment.version.store(segment.version.load(Relaxed) + 1, Release);
    W::fence(Release);
}

/// Shows a touch in place of another.
fn swap<W: Word>(
    segment: &Segment<W>,
    extent: Extent<'_, W>,
    at: Position,
    key: ContactKey,
    touch: &RememberedTouch,
) -> bool {
    let header = extent.header(at.group);
    let Some(slot) = header.free() else { return false };
    begin(segment);
    extent.write(Position { slot, ..at }, key, touch);
    extent.show(at.group, header.with(slot).without(at.slot));
    true
}

/// The first free slot within reach of home, and how many groups lie before it.
fn room<W: Word>(
    extent: Extent<'_, W>,
    home: usize,
    reach: usize,
) -> Option<(usize, usize, usize)> {
    let mut group = home;
    for passed in 0..reach {
        if let Some(slot) = extent.header(group).free() {
            return Some((passed, group, slot));
        }
        group = extent.after(group);
    }
    None
}

/// Changes what the first groups from home know of touches that passed them.
fn pass<W: Word>(
    extent: Extent<'_, W>,
    home: usize,
    passed: usize,
    change: impl Fn(Header) -> Header,
) {
    let mut group = home;
    for _ in 0..passed {
        extent.show(group, change(extent.header(group)));
        group = extent.after(group);
    }
}

/// Whether one word says what differs.
fn is_same_but_when(was: &RememberedTouch, now: &RememberedTouch) -> bool {
    was.id == now.id && was.caller_id == now.caller_id
}

/// Groups for so many touches.
const fn groups_for(touches: usize) -> usize {
    (touches * 100).div_ceil(SLOTS * FULL)
}

/// The next size that segments have: they have few, so that memory can be used again.
fn sized(groups: usize) -> usize {
    let mut sized = 0;
    while sized < groups {
        sized = larger(sized);
    }
    sized
}

/// An eighth more groups, and one at least.
const fn larger(groups: usize) -> usize {
    groups + groups / 8 + 1
}
