//! All touches as words that can be kept and taken back, with what their slots stand for.
//!
//! The words come part by part, each as of one moment, but not all of the same: whoever takes an
//! image back must apply once more every entry since the copying began. That comes to what is known
//! where the image was made, since what an entry puts in is put in once, however often it is
//! applied, and what it takes away is said whole. It never reads or writes a file.

use super::{
    Index, Writer,
    directory::Names,
    table::{self, Keeper, LAYOUT, Part, Seeds, Table},
};
use crate::domain::{E164, Target};

/// What an image says beside its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// How touches lie in the words.
    pub layout: u32,
    /// What says in which part a contact is, and where.
    pub seeds: [u64; 2],
    /// What the slots in the words stand for.
    pub names: Names,
    /// The same of the numbers that touches have shown.
    pub callers: Vec<E164>,
    /// The parts, in order.
    pub parts: Vec<Part>,
}

impl Image {
    /// How touches lie in the words that are copied and taken back here.
    pub const LAYOUT: u32 = LAYOUT;

    pub(super) fn of(table: &Table, keeper: &Keeper, names: Names, parts: Vec<Part>) -> Self {
        let Seeds(seeds) = table.seeds();
        Self { layout: LAYOUT, seeds, names, callers: keeper.numbers(table), parts }
    }
}

/// An index that is being taken back. Several may put words into it at once.
pub struct Restoring {
    table: table::Restoring,
    names: Names,
}

/// An index that was taken back: it has no directory yet, only slots and touches.
pub struct Restored {
    table: Table,
    keeper: Keeper,
    names: Names,
}

impl Restoring {
    /// Makes room; `None` where the words would mean nothing here.
    #[must_use]
    pub fn begin(image: Image) -> Option<Self> {
        let Image { layout, seeds, names, callers, parts } = image;
        if layout != LAYOUT {
            return None;
        }
        Some(Self { table: table::Restoring::begin(Seeds(seeds), parts, &callers)?, names })
    }

    /// Words of a part.
    #[must_use]
    pub fn words(&self, part: usize) -> usize {
        self.table.words(part)
    }

    /// Puts words of a part where they belong, from its `first` on, each as eight bytes with the
    /// lowest first.
    pub fn put(&self, part: usize, first: usize, bytes: &[u8]) {
        self.table.put(part, first, bytes);
    }

    /// Ends it, once all words are in their places.
    #[must_use]
    pub fn finish(self) -> Restored {
        let (table, keeper) = self.table.finish();
        Restored { table, keeper, names: self.names }
    }
}

impl Restored {
    /// The index and the one who may change it.
    #[must_use]
    pub fn open(self, default_target: Option<Target>) -> (Index, Writer) {
        let (index, mut writer) = Index::around(self.table, self.keeper, default_target);
        writer.name(self.names);
        (index, writer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{AgentId, E164, Outcome, REMEMBERED_MAX, TenantId, Touch, TouchId, UnixSeconds},
        index::Delta,
    };

    const CONTACTS: u64 = 30;

    /// What the store knows, and what it says of each change.
    #[derive(Default)]
    struct Store {
        touches: BTreeMap<(u128, u64), BTreeMap<u128, Touch>>,
    }

    /// What happens to a contact, or to a tenant.
    #[derive(Clone, Debug)]
    enum Event {
        /// A call was placed, or more became known of it.
        Called {
            id: u128,
            at: u64,
            outcome: Outcome,
        },
        Erased,
        Aged(u64),
        TenantGone,
    }

    /// Of the pair that its id says: a call's agent and number stay.
    fn touch((tenant, contact): (u128, u64), id: u128, at: u64, outcome: Outcome) -> Touch {
        let number = |n| E164::from_u64(14_155_550_000 + n).unwrap();
        Touch {
            id: TouchId(Uuid::from_u128(id << 8 | u128::from(contact))),
            tenant: TenantId(Uuid::from_u128(tenant)),
            contact: number(contact),
            agent: AgentId(Uuid::from_u128(id % 4)),
            caller_id: number(100 + u64::try_from(id % 5).unwrap()),
            at: UnixSeconds(at),
            outcome,
        }
    }

    impl Store {
        fn whole(&self, key: (u128, u64)) -> Delta {
            let mut touches: Vec<_> =
                self.touches.get(&key).into_iter().flat_map(BTreeMap::values).copied().collect();
            touches.sort_unstable_by_key(|touch| std::cmp::Reverse(touch.rank()));
            let mut pairs = Vec::new();
            touches.retain(|touch| {
                let pair = (touch.agent, touch.caller_id);
                let is_new = !pairs.contains(&pair);
                pairs.push(pair);
                is_new
            });
            touches.truncate(REMEMBERED_MAX);
            let of = touch(key, 0, 0, Outcome::Busy);
            Delta::Contact { tenant: of.tenant, contact: of.contact, touches }
        }

        /// One entry, as `store::tx` writes it.
        fn entry(&mut self, key: (u128, u64), event: &Event) -> Delta {
            let known = self.touches.entry(key).or_default();
            match event {
                Event::Called { id, at, outcome } => {
                    let told = touch(key, *id, *at, *outcome);
                    let Some(kept) = known.get_mut(id) else {
                        known.insert(*id, told);
                        return Delta::Touches(vec![told]);
                    };
                    let moved_back = told.at < kept.at;
                    kept.at = kept.at.min(told.at);
                    kept.outcome = kept.outcome.max(told.outcome);
                    let kept = *kept;
                    if moved_back { self.whole(key) } else { Delta::Touches(vec![kept]) }
                }
                Event::Erased => {
                    known.clear();
                    self.whole(key)
                }
                Event::Aged(before) => {
                    known.retain(|_, touch| touch.at.0 >= *before);
                    self.whole(key)
                }
                Event::TenantGone => {
                    self.touches.retain(|(tenant, _), _| *tenant != key.0);
                    Delta::TenantRemoved(TenantId(Uuid::from_u128(key.0)))
                }
            }
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let called = (0..40_u128, 0..100_u64, 0..Outcome::ALL.len());
        prop_oneof![
            60 => called.prop_map(|(id, at, outcome)| Event::Called {
                id,
                at,
                outcome: Outcome::ALL[outcome],
            }),
            2 => Just(Event::Erased),
            2 => (0..100_u64).prop_map(Event::Aged),
            1 => Just(Event::TenantGone),
        ]
    }

    fn known(index: &Index) -> Vec<Vec<Touch>> {
        let view = index.view();
        let keys = (0..3).flat_map(|tenant| (0..CONTACTS).map(move |contact| (tenant, contact)));
        let touches = keys.map(|key| {
            let of = touch(key, 0, 0, Outcome::Busy);
            view.contact(of.tenant, of.contact).to_vec()
        });
        touches.collect()
    }

    proptest! {
        /// Parts are copied between the entries, some at a time. What they were copied after is
        /// applied to them once more, and what came after that.
        #[test]
        fn an_image_and_the_entries_since_its_beginning_are_what_is_known(
            events in proptest::collection::vec(((0..3_u128, 0..CONTACTS), any_event()), 1..400),
            began in 0..400_usize,
            pace in 1..300_usize,
        ) {
            let mut store = Store::default();
            let entries: Vec<_> = events.iter().map(|(key, event)| store.entry(*key, event)).collect();
            let began = began.min(entries.len());
            let (index, mut writer) = Index::new(None);
            for entry in &entries[..began] {
                writer.apply(std::slice::from_ref(entry));
            }
            let (mut parts, mut all) = (Vec::new(), Vec::new());
            let mut since = entries[began..].iter();
            while parts.len() < writer.parts() {
                for part in parts.len()..writer.parts().min(parts.len() + pace) {
                    let mut words = Vec::new();
                    parts.push(writer.copy_part(part, &mut words));
                    all.push(words);
                }
                if let Some(entry) = since.next() {
                    writer.apply(std::slice::from_ref(entry));
                }
            }
            let image = writer.image_of(parts);
            // They are applied here too, whether or not the copying saw them.
            since.for_each(|entry| writer.apply(std::slice::from_ref(entry)));

            let other = Image { layout: 0, ..image.clone() };
            prop_assert!(Restoring::begin(other).is_none(), "of another layout");
            let restoring = Restoring::begin(image).unwrap();
            for (part, words) in all.iter().enumerate() {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                restoring.put(part, 0, &bytes);
            }
            let (back, mut writer) = restoring.finish().open(None);
            for entry in &entries[began..] {
                writer.apply(std::slice::from_ref(entry));
            }
            prop_assert_eq!(known(&back), known(&index));
            prop_assert_eq!(back.view().counts(), index.view().counts());
        }
    }
}
