//! What is remembered of a contact: the newest touch of each (agent, caller ID), and of those the
//! eight newest.
//!
//! It never merges two accounts of one call (the store does) and never forgets by age (a decision
//! ignores what is too old).

use arrayvec::ArrayVec;

use super::slot::{AgentSlot, TenantSlot};
use crate::domain::{E164, Outcome, REMEMBERED_MAX, TouchId, UnixSeconds};

/// Bits of the slot in [`RememberedTouch::agent_outcome`]: half a billion agents.
const SLOT_BITS: u32 = 29;

/// Whose touches. Sixteen bytes.
pub(super) type ContactKey = (TenantSlot, E164);

/// What is remembered of one contact, in no order.
pub type Remembered = ArrayVec<RememberedTouch, REMEMBERED_MAX>;

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
        // Written out: it is what is there already, and nothing is looked up in a table.
        match self.agent_outcome >> SLOT_BITS {
            1 => Outcome::Failed,
            2 => Outcome::Canceled,
            3 => Outcome::Busy,
            4 => Outcome::NoAnswer,
            5 => Outcome::Answered,
            6 => Outcome::Voicemail,
            _ => Outcome::Pending,
        }
    }

    /// What touches are ordered by everywhere: newer is greater.
    #[must_use]
    pub const fn rank(&self) -> (UnixSeconds, TouchId) {
        (self.at(), self.id)
    }

    /// Both cannot be remembered: they are one call, or one pair's.
    pub(super) fn stands_for(&self, other: &Self) -> bool {
        self.id == other.id || self.pair() == other.pair()
    }

    /// All but its id and the number shown, in one word.
    pub(super) const fn word(&self) -> u64 {
        (self.at as u64) << 32 | self.agent_outcome as u64
    }

    /// The reverse of [`RememberedTouch::word`].
    #[expect(clippy::cast_possible_truncation, reason = "the word's halves")]
    pub(super) const fn from_word(id: TouchId, caller_id: E164, word: u64) -> Self {
        Self { id, caller_id, at: (word >> 32) as u32, agent_outcome: word as u32 }
    }

    fn pair(&self) -> (AgentSlot, E164) {
        (self.agent(), self.caller_id)
    }
}

/// Remembers the newest of each (agent, caller ID), and of those the eight newest. `false` where
/// one of nine had to go.
pub(super) fn remember(kept: &mut Remembered, touch: RememberedTouch) -> bool {
    kept.retain(|known| known.id != touch.id);
    if let Some(known) = kept.iter_mut().find(|known| known.pair() == touch.pair()) {
        if known.rank() < touch.rank() {
            *known = touch;
        }
        return true;
    }
    if kept.try_push(touch).is_ok() {
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

    #[test]
    fn every_outcome_is_kept() {
        for outcome in Outcome::ALL {
            let agent = AgentSlot((1 << SLOT_BITS) - 1);
            let id = TouchId(Uuid::from_u128(1));
            let kept = RememberedTouch::new(id, agent, number(1), UnixSeconds(9), *outcome);
            assert_eq!((kept.outcome(), kept.agent()), (*outcome, agent));
        }
    }

    #[track_caller]
    fn check(history: &[RememberedTouch], remembered: &[u128], evicted: usize) {
        let mut kept = Remembered::new();
        let pushed_out = history.iter().filter(|touch| !remember(&mut kept, **touch)).count();
        let mut ids: Vec<_> = kept.iter().map(|touch| touch.id.0.as_u128()).collect();
        ids.sort_unstable();
        assert_eq!(ids, remembered);
        assert_eq!(pushed_out, evicted);
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
