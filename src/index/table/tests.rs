//! The table against a plain map, under threads, and under every order of its stores (loom).

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use foldhash::HashMap;
use loom::sync::{Arc, atomic};
use proptest::prelude::*;
use uuid::Uuid;

use super::{group::SLOTS, *};
use crate::{
    domain::{E164, Outcome, REMEMBERED_MAX, TouchId, UnixSeconds},
    index::{
        slot::{AgentSlot, TenantSlot},
        touches::remember,
    },
};

/// Loom wants every run to be alike.
fn hasher() -> Seeds {
    Seeds([1, 2])
}

fn number(n: u64) -> E164 {
    E164::from_u64(14_155_550_000 + n).unwrap()
}

fn key(contact: u64) -> ContactKey {
    // Both halves of a tenant's slot count.
    (TenantSlot(u32::try_from(contact % 2).unwrap() << 20 | 7), number(contact))
}

fn touch(id: u64, agent: u32, caller: u64, at: u64) -> RememberedTouch {
    let id = TouchId(Uuid::from_u64_pair(id, !id));
    RememberedTouch::new(id, AgentSlot(agent), number(caller), UnixSeconds(at), Outcome::NoAnswer)
}

fn sorted(touches: &Remembered) -> Vec<RememberedTouch> {
    let mut touches = touches.to_vec();
    touches.sort_unstable_by_key(RememberedTouch::rank);
    touches
}

#[derive(Clone, Debug)]
enum Change {
    Put(u64, RememberedTouch),
    Replace(u64, Vec<RememberedTouch>),
    RetainOdd,
    ReplaceAll(BTreeMap<u64, Vec<RememberedTouch>>),
}

fn any_touch() -> impl Strategy<Value = RememberedTouch> {
    (0..40_u64, 0..4_u32, 0..4_u64, 0..50_u64).prop_map(|(id, a, c, at)| touch(id, a, c, at))
}

fn any_change() -> impl Strategy<Value = Change> {
    let some = || proptest::collection::vec(any_touch(), 0..10);
    let contacts = proptest::collection::btree_map(0..60_u64, some(), 0..40);
    prop_oneof![
        40 => (0..60_u64, any_touch()).prop_map(|(contact, touch)| Change::Put(contact, touch)),
        10 => (0..60_u64, some()).prop_map(|(contact, touches)| Change::Replace(contact, touches)),
        1 => Just(Change::RetainOdd),
        1 => contacts.prop_map(Change::ReplaceAll),
    ]
}

#[derive(Default)]
struct Model(BTreeMap<u64, Remembered>);

impl Model {
    fn change(&mut self, change: &Change) {
        let all = |touches: &[RememberedTouch]| {
            let mut kept = Remembered::new();
            touches.iter().for_each(|touch| _ = remember(&mut kept, *touch));
            kept
        };
        match change {
            Change::Put(contact, touch) => {
                remember(self.0.entry(*contact).or_default(), *touch);
            }
            Change::Replace(contact, touches) => _ = self.0.insert(*contact, all(touches)),
            Change::RetainOdd => self.0.retain(|contact, _| contact % 2 == 1),
            Change::ReplaceAll(contacts) => {
                self.0 = contacts.iter().map(|(contact, some)| (*contact, all(some))).collect();
            }
        }
        self.0.retain(|_, touches| !touches.is_empty());
    }
}

fn change<W: Word>(table: &Table<W>, keeper: &mut Keeper, change: &Change) {
    match change {
        Change::Put(contact, touch) => keeper.put(table, key(*contact), *touch),
        Change::Replace(contact, touches) => {
            keeper.replace(table, key(*contact), touches.iter().copied());
        }
        Change::RetainOdd => keeper.retain(table, |(_, e164)| e164.as_u64() % 2 == 1),
        Change::ReplaceAll(contacts) => {
            let some = contacts.iter().filter(|(_, some)| !some.is_empty());
            let contacts: HashMap<_, _> =
                some.map(|(contact, some)| (key(*contact), some.clone())).collect();
            keeper.replace_all(table, contacts);
        }
    }
}

proptest! {
    #[test]
    fn it_holds_what_a_plain_map_holds(
        segments in 1..4_usize,
        changes in proptest::collection::vec(any_change(), 0..150),
    ) {
        let table: Table = Table::new(segments, hasher());
        let (mut keeper, mut model) = (Keeper::default(), Model::default());
        for one in &changes {
            change(&table, &mut keeper, one);
            model.change(one);
        }
        for contact in 0..60 {
            let expected = model.0.get(&contact).cloned().unwrap_or_default();
            prop_assert_eq!(sorted(&table.get(key(contact))), sorted(&expected), "{}", contact);
        }
        prop_assert_eq!(table.contacts(), model.0.len());
    }
}

/// What a table's image gives back.
fn taken_back(table: &Table, keeper: &Keeper) -> (Table, Keeper) {
    let (mut parts, mut all) = (Vec::new(), Vec::new());
    for index in 0..table.segments() {
        let mut words = Vec::new();
        parts.push(keeper.copy(table, index, &mut words));
        all.push(words);
    }
    let restoring = Restoring::begin(table.seeds(), parts, &keeper.numbers(table)).unwrap();
    for (index, words) in all.iter().enumerate() {
        assert_eq!(restoring.words(index), words.len());
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        // In two pieces, as a file is read.
        let (head, tail) = bytes.split_at(words.len() / 2 * 8);
        restoring.put(index, words.len() / 2, tail);
        restoring.put(index, 0, head);
    }
    restoring.finish()
}

proptest! {
    #[test]
    fn an_image_holds_what_the_table_held_and_changes_as_it_would(
        segments in 1..4_usize,
        before in proptest::collection::vec(any_change(), 0..150),
        after in proptest::collection::vec(any_change(), 0..150),
    ) {
        let table: Table = Table::new(segments, Seeds::random());
        let (mut keeper, mut model) = (Keeper::default(), Model::default());
        for one in &before {
            change(&table, &mut keeper, one);
            model.change(one);
        }
        let (table, mut keeper) = taken_back(&table, &keeper);
        for one in [None].into_iter().chain(after.iter().map(Some)) {
            if let Some(one) = one {
                change(&table, &mut keeper, one);
                model.change(one);
            }
            for contact in 0..60 {
                let expected = model.0.get(&contact).cloned().unwrap_or_default();
                prop_assert_eq!(sorted(&table.get(key(contact))), sorted(&expected), "{}", contact);
            }
            prop_assert_eq!(table.contacts(), model.0.len());
        }
        let again = taken_back(&table, &keeper).1;
        prop_assert_eq!((again.slots, again.touches), (keeper.slots, keeper.touches));
    }
}

#[test]
fn a_table_that_was_taken_back_grows_evenly_and_stays_full() {
    let table: Table = Table::new(64, hasher());
    let mut keeper = Keeper::default();
    for contact in 0..100_000 {
        keeper.put(&table, key(contact), touch(contact, 1, 1, 1));
    }
    let (table, mut keeper) = taken_back(&table, &keeper);
    assert_eq!((table.contacts(), keeper.touches), (100_000, 100_000));
    for contact in 100_000..200_000 {
        keeper.put(&table, key(contact), touch(contact, 1, 1, 1));
    }
    for contact in 0..200_000 {
        assert_eq!(table.get(key(contact))[..], [touch(contact, 1, 1, 1)]);
    }
    assert!(keeper.slots < 240_000, "{} places for 200 000 touches", keeper.slots);
    assert!(table.bytes() < 14 << 20, "{} bytes", table.bytes());
}

#[test]
fn an_image_holds_nothing_of_who_is_gone() {
    let table: Table = Table::new(2, hasher());
    let mut keeper = Keeper::default();
    for contact in 0..2_000 {
        keeper.put(&table, key(contact), touch(contact, 1, 1, 1));
    }
    let gone = |contact: u64| contact.is_multiple_of(3);
    for contact in (0..2_000).filter(|contact| gone(*contact)) {
        keeper.replace(&table, key(contact), []);
    }
    let mut words = Vec::new();
    (0..2).for_each(|index| _ = keeper.copy(&table, index, &mut words));
    let is_in = |contact: u64| {
        let (number, (_, id)) =
            (number(contact).as_u64(), touch(contact, 1, 1, 1).id.0.as_u64_pair());
        words.iter().any(|word| word & ((1 << 50) - 1) == number || *word == id)
    };
    // The first few stand for numbers that are shown, counts and nothing.
    for contact in 10..2_000 {
        assert_eq!(is_in(contact), !gone(contact), "{contact}");
    }
}

#[test]
fn it_grows_evenly_and_stays_full() {
    let table: Table = Table::new(64, hasher());
    let mut keeper = Keeper::default();
    let contacts = 200_000;
    for contact in 0..contacts {
        keeper.put(&table, key(contact), touch(contact, 1, 1, 1));
    }
    assert_eq!(table.contacts(), 200_000);
    for contact in 0..contacts {
        assert_eq!(table.get(key(contact))[..], [touch(contact, 1, 1, 1)]);
        assert!(table.get(key(contacts + contact)).is_empty());
    }
    let extents = table.segments.iter().filter_map(|segment| table.extent(segment));
    let slots = SLOTS * extents.map(|extent| extent.groups).sum::<usize>();
    assert!(slots < 240_000, "{slots} places for 200 000 touches");
    // What segments left that have grown is used again.
    assert!(table.bytes() < 13 << 20, "{} bytes", table.bytes());
}

/// However many tenants know one person, who is in one segment: it grows, and is searched as well
/// as any other.
#[test]
fn one_person_of_many_tenants_makes_no_cluster() {
    let table: Table = Table::new(64, hasher());
    let mut keeper = Keeper::default();
    let of = |tenant: u32| (TenantSlot(tenant), number(0));
    for other in 1..100_000 {
        keeper.put(&table, key(other), touch(other, 1, 1, 1));
    }
    for tenant in 0..5000 {
        for n in 0..REMEMBERED_MAX as u64 {
            keeper.put(&table, of(tenant), touch(u64::from(tenant) << 8 | n, 1, n, n));
        }
    }
    let segment = table.segments.get(table.index(table.hash_number(number(0)))).unwrap();
    let extent = table.extent(segment).unwrap();
    let mut passed = 0;
    for tenant in 0..5000 {
        let key = of(tenant);
        assert_eq!(table.get(key).len(), REMEMBERED_MAX);
        let hash = table.hash(key);
        let way = hash.way(extent.groups);
        extent.each_of(
            key,
            hash.number,
            || hash.contact,
            |at, _| {
                passed += extent.passed(way, at.group);
                true
            },
        );
    }
    let a_touch = passed / (5000 * REMEMBERED_MAX);
    assert!(a_touch < 12, "each touch lies {a_touch} groups from its home");
    assert!(extent.taken().count() * 100 > extent.groups * SLOTS * 60, "nor is it too large");
}

/// A contact's touches are all of one time; the time goes on by every kind of change there is.
#[test]
fn readers_see_every_contact_whole() {
    const CONTACTS: u64 = 40;
    const ROUNDS: u64 = 3000;
    let all = |round: u64| (0..3).map(move |n| touch(round * 3 + n, 0, n, round));
    let table: Table = Table::new(2, hasher());
    let mut keeper = Keeper::default();
    for contact in 0..CONTACTS {
        keeper.replace(&table, key(contact), all(1));
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..2 {
            let (table, is_over) = (&table, &is_over);
            scope.spawn(move || {
                let mut looks = 0_u64;
                while !is_over.load(Ordering::Relaxed) || looks < 100_000 {
                    looks += 1;
                    let found = table.get(key((looks * 7 + reader) % CONTACTS));
                    assert_eq!(found.len(), 3, "{found:?}");
                    assert!(found.iter().all(|touch| touch.at() == found[0].at()), "{found:?}");
                }
            });
        }
        for round in 2..ROUNDS {
            for contact in 0..CONTACTS {
                keeper.replace(&table, key(contact), all(round));
            }
            // Others come and go, so that memory is used again.
            keeper.put(&table, key(CONTACTS + round % 500), touch(round, 1, round, round));
            if round % 100 == 0 {
                keeper.retain(&table, |(_, e164)| e164.as_u64() < number(CONTACTS).as_u64());
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

impl Word for atomic::AtomicU64 {
    const PAGE_LINES: usize = 24;
    const CALLERS_FIRST: usize = 2;
    type Pages = Box<[Self]>;

    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn pages(count: usize) -> Option<Box<[Self]>> {
        Some(Self::zeroed(count))
    }

    fn zeroed(count: usize) -> Box<[Self]> {
        (0..count).map(|_| Self::new(0)).collect()
    }

    fn load(&self, order: Ordering) -> u64 {
        Self::load(self, order)
    }

    fn store(&self, value: u64, order: Ordering) {
        Self::store(self, value, order);
    }

    fn fetch(&self) {}

    fn fence(order: Ordering) {
        atomic::fence(order);
    }
}

/// Every order, within few preemptions, in which a reader may see these changes: what is read was
/// there at one moment.
fn in_every_order(before: Vec<Change>, changes: Vec<Change>) {
    let mut states = vec![Model::default()];
    let mut model = Model::default();
    before.iter().for_each(|one| model.change(one));
    states[0] = Model(model.0.clone());
    for one in &changes {
        model.change(one);
        states.push(Model(model.0.clone()));
    }
    let seen: Vec<_> =
        states.iter().map(|state| sorted(&state.0.get(&0).cloned().unwrap_or_default())).collect();
    let mut builder = loom::model::Builder::new();
    // More by LOOM_MAX_PREEMPTIONS.
    builder.preemption_bound = builder.preemption_bound.or(Some(1));
    builder.check(move || {
        let table: Arc<Table<atomic::AtomicU64>> = Arc::new(Table::new(1, hasher()));
        let mut keeper = Keeper::default();
        before.iter().for_each(|one| change(&table, &mut keeper, one));
        let reader = {
            let table = Arc::clone(&table);
            loom::thread::spawn(move || sorted(&table.get(key(0))))
        };
        changes.iter().for_each(|one| change(&table, &mut keeper, one));
        let found = reader.join().unwrap();
        assert!(seen.contains(&found), "{found:?}");
    });
}

#[test]
fn a_touch_is_seen_as_it_was_or_as_it_is() {
    let put = |touch| Change::Put(0, touch);
    // A first touch, its outcome, one in place of it, and a second pair's.
    in_every_order(
        vec![],
        vec![put(touch(1, 1, 1, 1)), put(touch(1, 1, 1, 2)), put(touch(2, 1, 1, 3))],
    );
    in_every_order(
        vec![put(touch(1, 1, 1, 1)), put(touch(2, 2, 1, 1))],
        vec![put(touch(3, 1, 1, 4)), put(touch(4, 1, 1, 5))],
    );
}

#[test]
fn a_contact_is_replaced_and_forgotten_whole() {
    let all = |at| (1..4).map(|n| touch(n + 10 * at, 1, n, at)).collect();
    in_every_order(
        vec![Change::Replace(0, all(1))],
        vec![Change::Replace(0, all(2)), Change::Replace(0, vec![])],
    );
}

#[test]
fn memory_is_used_again_under_a_readers_eyes() {
    // The segment moves as it grows; others' touches take the places of this contact's.
    let seven = (0..7).map(|n| Change::Put(n, touch(n, 1, 1, 1))).collect();
    in_every_order(
        seven,
        vec![Change::Put(8, touch(8, 1, 1, 1)), Change::Put(0, touch(9, 2, 1, 1))],
    );
    let before = vec![Change::Put(0, touch(1, 1, 1, 1))];
    in_every_order(
        before,
        vec![
            Change::Replace(0, vec![]),
            Change::Put(2, touch(7, 3, 3, 3)),
            Change::Put(0, touch(8, 2, 2, 2)),
        ],
    );
}

#[test]
fn every_caller_has_a_slot_of_its_own() {
    let (table, mut slots): (Table, _) = (Table::new(1, hasher()), callers::Slots::default());
    for n in 0..5000 {
        assert_eq!(slots.of(&table.callers, number(u64::from(n))), Some(n));
    }
    for n in 0..5000 {
        assert_eq!(slots.of(&table.callers, number(u64::from(n))), Some(n));
        assert_eq!(table.callers.get(n), Some(number(u64::from(n))));
    }
    let numbers = slots.numbers(&table.callers);
    assert_eq!(numbers, (0..5000).map(number).collect::<Vec<_>>());
}
