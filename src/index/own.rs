//! The numbers that tenants have, by the number alone: whether a caller is one of them is asked at
//! every return call, and the answer is nearly always no.
//!
//! So a bit that many numbers share says no first. A bit stays where its number goes, until there
//! is no room: then the bits are made anew. Who has chosen numbers so that they share a caller's
//! bit has that caller looked up, as all of them would be without bits.

use foldhash::HashMap;
use smallvec::SmallVec;

use super::slot::TenantSlot;
use crate::domain::E164;

/// The tenants that have a number, and at how many accounts each.
pub type Owners = SmallVec<[(TenantSlot, u32); 1]>;

/// For each number so many bits at least: one stranger in sixteen at most is looked up for nothing.
const BITS_A_NUMBER: usize = 16;
/// Fewest words, as a power of two: half a page.
const WORDS_LOG_MIN: u32 = 8;

/// See above.
#[derive(Clone)]
pub(super) struct OwnNumbers {
    owners: HashMap<E164, Owners>,
    bits: Box<[u64]>,
    /// Numbers that have set a bit.
    set: usize,
}

impl Default for OwnNumbers {
    fn default() -> Self {
        Self { owners: HashMap::default(), bits: Box::new([0; 1 << WORDS_LOG_MIN]), set: 0 }
    }
}

impl OwnNumbers {
    /// The tenants that have it, at whatever account.
    #[inline]
    pub(super) fn owners(&self, e164: E164) -> Option<&Owners> {
        let (word, bit) = place(e164, self.bits.len());
        if self.bits.get(word)? & bit == 0 {
            return None;
        }
        self.looked_up(e164)
    }

    #[inline(never)]
    fn looked_up(&self, e164: E164) -> Option<&Owners> {
        self.owners.get(&e164)
    }

    /// A tenant has it, at one more account.
    pub(super) fn add(&mut self, e164: E164, tenant: TenantSlot) {
        let owners = self.owners.entry(e164).or_default();
        match owners.iter_mut().find(|(owner, _)| *owner == tenant) {
            Some((_, accounts)) => *accounts += 1,
            None => owners.push((tenant, 1)),
        }
        if (self.set + 1) * BITS_A_NUMBER > self.bits.len() * 64 {
            self.make_anew();
        } else {
            self.set_bit(e164);
        }
    }

    /// A tenant has it at one account less.
    pub(super) fn remove(&mut self, e164: E164, tenant: TenantSlot) {
        let Some(owners) = self.owners.get_mut(&e164) else { return };
        owners.iter_mut().filter(|(owner, _)| *owner == tenant).for_each(|(_, n)| *n -= 1);
        owners.retain(|(_, accounts)| *accounts > 0);
        if owners.is_empty() {
            self.owners.remove(&e164);
        }
    }

    /// With room for twice as many as there are.
    fn make_anew(&mut self) {
        let words = (self.owners.len() * 2 * BITS_A_NUMBER / 64).next_power_of_two();
        self.bits = vec![0; words.max(1 << WORDS_LOG_MIN)].into();
        self.set = 0;
        let numbers: Vec<_> = self.owners.keys().copied().collect();
        numbers.into_iter().for_each(|e164| self.set_bit(e164));
    }

    fn set_bit(&mut self, e164: E164) {
        let (word, bit) = place(e164, self.bits.len());
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
            self.set += 1;
        }
    }
}

/// The word and the bit of a number, in so many words: a power of two.
#[inline]
fn place(e164: E164, words: usize) -> (usize, u64) {
    // Numbers of one exchange lie side by side; a multiplication by the golden ratio scatters them.
    let hash = e164.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> 32) as usize & (words - 1), 1 << (hash >> 58))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u64) -> E164 {
        E164::from_u64(14_155_550_100 + n).unwrap()
    }

    #[test]
    fn what_is_had_is_found_however_many_come_and_go() {
        let (mut own, tenant) = (OwnNumbers::default(), TenantSlot(3));
        for n in 0..20_000 {
            own.add(number(n), tenant);
            if n >= 5000 {
                own.remove(number(n - 5000), tenant);
            }
        }
        let had = |n: &u64| own.owners(number(*n)).is_some();
        assert_eq!(
            (0..40_000).filter(had).collect::<Vec<_>>(),
            (15_000..20_000).collect::<Vec<_>>()
        );
        // Room for the five thousand there are at a time, not for all that ever were.
        assert!(own.bits.len() * 64 <= 4 * 5000 * BITS_A_NUMBER, "{}", own.bits.len());
    }

    #[test]
    fn a_number_at_two_accounts_is_had_until_both_are_gone() {
        let (mut own, ours, theirs) = (OwnNumbers::default(), TenantSlot(1), TenantSlot(2));
        own.add(number(1), ours);
        own.add(number(1), theirs);
        own.add(number(1), ours);
        own.remove(number(1), ours);
        assert_eq!(own.owners(number(1)).unwrap().as_slice(), [(ours, 1), (theirs, 1)]);
        own.remove(number(1), ours);
        own.remove(number(1), theirs);
        assert!(own.owners(number(1)).is_none());
    }

    #[test]
    fn bits_tell_most_strangers_from_numbers_of_one_exchange() {
        let mut own = OwnNumbers::default();
        (0..10_000).for_each(|n| own.add(number(n), TenantSlot(0)));
        let is_set = |n: &u64| {
            let (word, bit) = place(number(*n), own.bits.len());
            own.bits[word] & bit != 0
        };
        assert_eq!((0..10_000).filter(is_set).count(), 10_000);
        let strangers = (10_000..110_000).filter(is_set).count();
        assert!(strangers < 100_000 / 12, "{strangers}");
    }
}
