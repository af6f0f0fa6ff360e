//! Answers already given: a carrier that repeats a request gets the same bytes, also when both come
//! at once.
//!
//! Nearly every request is a call's first, so this is made for keeping, not for finding: answers
//! grow old in the order they were given in, and each new one drops those before it that have. A
//! general cache (moka's `get_with`) spent a fifth of a webhook's whole time here.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::answering::Answered;
use crate::domain::UnixMillis;

/// How long an answer is given again: less than the life of the media token in it.
const LIFE_MS: u64 = 45_000;

/// Answers kept at once: a thousand calls a second for their life, about 60 MiB. Past it the
/// oldest goes; a request repeated later than that is decided again, of a call that is known.
const KEPT_MAX: usize = 45_000;

/// So that two requests hardly ever meet: one that is being answered is waited for, some
/// microseconds, by those that fall to the same part.
const PARTS: usize = 64;

/// All of them.
pub(super) struct Answers {
    parts: Box<[Mutex<Part>]>,
    part_max: usize,
}

#[derive(Default)]
struct Part {
    kept: HashMap<Uuid, (UnixMillis, Answered), RandomState>,
    /// When each was given, oldest first.
    order: VecDeque<(UnixMillis, Uuid)>,
}

impl Answers {
    /// None yet.
    pub(super) fn new() -> Self {
        Self::up_to(KEPT_MAX, PARTS)
    }

    fn up_to(kept_max: usize, parts: usize) -> Self {
        let part_max = kept_max.div_ceil(parts);
        Self { parts: std::iter::repeat_with(Mutex::default).take(parts).collect(), part_max }
    }

    /// What was answered under this key, or is now: `make` is called by the first who asks.
    pub(super) fn given_or(
        &self,
        key: Uuid,
        now: UnixMillis,
        make: impl FnOnce() -> Answered,
    ) -> Answered {
        let (bits, _) = key.as_u64_pair();
        let place = usize::try_from(bits).unwrap_or_default() % self.parts.len().max(1);
        let Some(part) = self.parts.get(place) else { return make() };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.forget(now, self.part_max);
        if let Some((_, answered)) = part.kept.get(&key) {
            return answered.clone();
        }
        let answered = make();
        part.kept.insert(key, (now, answered.clone()));
        part.order.push_back((now, key));
        answered
    }
}

impl Part {
    /// Drops what is too old, and the oldest where one more would be too many.
    fn forget(&mut self, now: UnixMillis, kept_max: usize) {
        while let Some(&(given, key)) = self.order.front() {
            let is_old = given.0.saturating_add(LIFE_MS) <= now.0;
            if !is_old && self.kept.len() < kept_max {
                return;
            }
            self.order.pop_front();
            self.kept.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// What is answered under the key, which is made of `made` where it is made now.
    fn ask(answers: &Answers, key: u64, at: u64, made: &'static str) -> Vec<u8> {
        let make = || Answered::Document("text/xml", Bytes::from_static(made.as_bytes()));
        match answers.given_or(Uuid::from_u64_pair(key, 0), UnixMillis(at), make) {
            Answered::Document(_, body) => body.to_vec(),
            Answered::Ordered => Vec::new(),
        }
    }

    #[test]
    fn the_first_answer_is_given_again_until_it_is_old() {
        let answers = Answers::new();
        assert_eq!(ask(&answers, 1, 1000, "a"), b"a");
        assert_eq!(ask(&answers, 1, 1000 + LIFE_MS - 1, "b"), b"a");
        assert_eq!(ask(&answers, 2, 1000, "c"), b"c");
        assert_eq!(ask(&answers, 1, 1000 + LIFE_MS, "d"), b"d");
        assert_eq!(ask(&answers, 1, 1000 + LIFE_MS + 1, "e"), b"d");
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let answers = Answers::up_to(3, 1);
        for (key, made) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            assert_eq!(ask(&answers, key, key, made), made.as_bytes());
        }
        let part = answers.parts[0].lock().unwrap();
        assert_eq!((part.kept.len(), part.order.len()), (3, 3));
        drop(part);
        assert_eq!(ask(&answers, 4, 9, "again"), b"d");
        assert_eq!(ask(&answers, 1, 9, "again"), b"again");
    }

    #[test]
    fn two_at_once_get_one_answer() {
        let answers = Answers::new();
        std::thread::scope(|scope| {
            let ask = || {
                let thread = format!("{:?}", std::thread::current().id());
                let make = || Answered::Document("text/xml", thread.into());
                match answers.given_or(Uuid::from_u128(7), UnixMillis(1), make) {
                    Answered::Document(_, body) => body,
                    Answered::Ordered => Bytes::new(),
                }
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:?}");
        });
    }
}
