//! Touches: (tenant, contact) to the newest eight; huge and always changing.
//!
//! A shard's lock is held for one contact's entry at a time, by readers to copy at most eight
//! entries out. It never merges two accounts of one call (the store does) and never forgets by age
//! (a decision ignores what is too old).

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::slot::{AgentSlot, TenantSlot};
use crate::domain::{E164, Outcome, REMEMBERED_MAX, TouchId, UnixSeconds};

/// Shards of the table. A shard's growth is a pause for who reads that shard: at ten million
/// contacts each holds ten thousand, and doubles past 7168 and 14 336 of them in 40 and 86 us (the
/// median on a busy shared core; `cargo bench --bench apply`). At a hundred million it would be
/// most of a millisecond.
const SHARDS: usize = 1024;

/// Touches kept beside the key; more go to the heap. Most people are called once, and a place in
/// the table is 56 bytes so, 88 with two.
const INLINE: usize = 1;

/// Bits of the slot in [`RememberedTouch::agent_outcome`]: half a billion agents.
const SLOT_BITS: u32 = 29;

/// Whose touches. Sixteen bytes.
pub(super) type ContactKey = (TenantSlot, E164);

/// What is remembered of one contact, in no order.
pub type Remembered = SmallVec<[RememberedTouch; REMEMBERED_MAX]>;

/// A touch in 32 bytes; tenant and contact are its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedTouch {
    /// Its identity.
    pub id: TouchId,
    /// The number that was shown.
    pub caller_id: E164,
    /// Seconds since 1970, until 2106; what is later reads as then, and is ignored as such.
    at: u32,
    /// The slot below, the outcome above.
    agent_outcome: u32,
}

impl RememberedTouch {
    pub(super) fn new(
        id: TouchId,
        agent: AgentSlot,
        caller_id: E164,
        at: UnixSeconds,
        outcome: Outcome,
    ) -> Self {
        Self {
            id,
            caller_id,
            at: u32::try_from(at.0).unwrap_or(u32::MAX),
            agent_outcome: (agent.0 & ((1 << SLOT_BITS) - 1)) | ((outcome as u32) << SLOT_BITS),
        }
    }

    /// The source agent.
    #[must_use]
    pub const fn agent(&self) -> AgentSlot {
        AgentSlot(self.agent_outcome & ((1 << SLOT_BITS) - 1))
    }

    /// When the call was placed.
    #[must_use]
    pub const fn at(&self) -> UnixSeconds {
        UnixSeconds(self.at as u64)
    }

    /// How it ended, as far as is known.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let place = (self.agent_outcome >> SLOT_BITS) as usize;
        Outcome::ALL.get(place).copied().unwrap_or(Outcome::Pending)
    }

    /// What touches are ordered by everywhere: newer is greater.
    #[must_use]
    pub const fn rank(&self) -> (UnixSeconds, TouchId) {
        (self.at(), self.id)
    }

    fn pair(&self) -> (AgentSlot, E164) {
        (self.agent(), self.caller_id)
    }
}

type Kept = SmallVec<[RememberedTouch; INLINE]>;

/// The table. Its hasher is keyed afresh in every process, as the directory's are: tenants import
/// whatever numbers they like, and chosen ones must not meet in one place of one shard.
pub(super) struct Touches {
    contacts: DashMap<ContactKey, Kept, RandomState>,
    evicted: AtomicU64,
}

impl Default for Touches {
    fn default() -> Self {
        Self {
            contacts: DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS),
            evicted: AtomicU64::new(0),
        }
    }
}

impl Touches {
    pub(super) fn get(&self, key: ContactKey) -> Remembered {
        self.contacts
            .get(&key)
            .map_or_else(Remembered::new, |kept| Remembered::from_slice(kept.as_slice()))
    }

    pub(super) fn contacts(&self) -> usize {
        self.contacts.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Adds a touch, or puts it in place of what it was.
    pub(super) fn put(&self, key: ContactKey, touch: RememberedTouch) {
        if !remember(&mut self.contacts.entry(key).or_default(), touch) {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts these in place of everything remembered of the contact.
    pub(super) fn replace(
        &self,
        key: ContactKey,
        touches: impl IntoIterator<Item = RememberedTouch>,
    ) {
        let mut kept = Kept::new();
        for touch in touches {
            if !remember(&mut kept, touch) {
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        if kept.is_empty() {
            self.contacts.remove(&key);
        } else {
            self.contacts.insert(key, kept);
        }
    }

    /// Forgets every contact for which `keep` says no.
    pub(super) fn retain(&self, keep: impl Fn(&ContactKey) -> bool) {
        self.contacts.retain(|key, _| keep(key));
    }
}

/// Remembers the newest of each (agent, caller ID), and of those the eight newest. `false` where
/// one of nine had to go.
fn remember(kept: &mut Kept, touch: RememberedTouch) -> bool {
    kept.retain(|known| known.id != touch.id);
    if let Some(known) = kept.iter_mut().find(|known| known.pair() == touch.pair()) {
        if known.rank() < touch.rank() {
            *known = touch;
        }
        return true;
    }
    if kept.len() < REMEMBERED_MAX {
        kept.push(touch);
        return true;
    }
    if let Some(oldest) = kept.iter_mut().min_by_key(|known| known.rank())
        && oldest.rank() < touch.rank()
    {
        *oldest = touch;
    }
    false
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn number(n: u64) -> E164 {
        E164::from_u64(14_155_550_100 + n).unwrap()
    }

    fn touch(id: u128, agent: u32, caller: u64, at: u64) -> RememberedTouch {
        RememberedTouch::new(
            TouchId(Uuid::from_u128(id)),
            AgentSlot(agent),
            number(caller),
            UnixSeconds(at),
            Outcome::Voicemail,
        )
    }

    #[track_caller]
    fn check(history: &[RememberedTouch], remembered: &[u128], evicted: u64) {
        let touches = Touches::default();
        let contact = (TenantSlot(0), number(0));
        for &one in history {
            touches.put(contact, one);
        }
        let mut ids: Vec<_> = touches.get(contact).iter().map(|t| t.id.0.as_u128()).collect();
        ids.sort_unstable();
        assert_eq!(ids, remembered);
        assert_eq!(touches.evicted(), evicted);
    }

    #[test]
    fn a_contact_remembers_the_newest_of_each_pair() {
        check(&[touch(1, 1, 1, 10), touch(2, 1, 1, 20)], &[2], 0);
        check(&[touch(2, 1, 1, 20), touch(1, 1, 1, 10)], &[2], 0);
        check(&[touch(1, 1, 1, 10), touch(2, 1, 2, 10), touch(3, 2, 1, 10)], &[1, 2, 3], 0);
        // Equal times: the higher id is newer.
        check(&[touch(2, 1, 1, 10), touch(1, 1, 1, 10)], &[2], 0);
    }

    #[test]
    fn a_contact_remembers_the_eight_newest_pairs() {
        let nine: Vec<_> = (1..=9).map(|n| touch(u128::from(n), 1, n, n)).collect();
        check(&nine, &[2, 3, 4, 5, 6, 7, 8, 9], 1);
        let reversed: Vec<_> = nine.iter().rev().copied().collect();
        check(&reversed, &[2, 3, 4, 5, 6, 7, 8, 9], 1);
    }

    #[test]
    fn the_same_id_is_put_in_place_of_what_it_was() {
        check(&[touch(1, 1, 1, 20), touch(1, 1, 1, 10)], &[1], 0);
        let packed = touch(1, 7, 3, 99);
        assert_eq!((packed.agent(), packed.caller_id), (AgentSlot(7), number(3)));
        assert_eq!((packed.at(), packed.outcome()), (UnixSeconds(99), Outcome::Voicemail));
        assert_eq!(size_of::<RememberedTouch>(), 32);
    }
}
