//! Messages that wait, in memory that is lent: one that comes and goes allocates nothing.

use std::collections::VecDeque;

use super::lent;

/// Places that are kept in an empty queue: after a crowd, the memory is given back.
const PLACES_KEPT_MAX: usize = 64;

/// A queue of texts, each with a word on what it is.
#[derive(Debug)]
pub struct Texts<W> {
    queue: VecDeque<(String, W)>,
    /// The one that was taken last.
    taken: String,
}

impl<W> Default for Texts<W> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), taken: String::new() }
    }
}

impl<W: Copy> Texts<W> {
    /// Queues what `write` writes.
    pub fn push(&mut self, what: W, write: impl FnOnce(&mut String)) {
        let mut text = lent::take_text();
        write(&mut text);
        self.queue.push_back((text, what));
    }

    /// The same, before all others.
    pub fn push_front(&mut self, what: W, write: impl FnOnce(&mut String)) {
        let mut text = lent::take_text();
        write(&mut text);
        self.queue.push_front((text, what));
    }

    /// Takes the first; its text is lent until the next is taken.
    pub fn pop(&mut self) -> Option<(&str, W)> {
        lent::give_back_text(std::mem::take(&mut self.taken));
        let (text, what) = self.queue.pop_front()?;
        self.taken = text;
        if self.queue.is_empty() && self.queue.capacity() > PLACES_KEPT_MAX {
            self.queue.shrink_to(PLACES_KEPT_MAX);
        }
        Some((&self.taken, what))
    }

    /// The text that was taken last.
    #[must_use]
    pub fn taken(&self) -> &str {
        &self.taken
    }

    /// What waits, first to last.
    pub fn iter(&self) -> impl Iterator<Item = (&str, W)> {
        self.queue.iter().map(|(text, what)| (text.as_str(), *what))
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Forgets those that `is_wanted` does not want.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(&str, W) -> bool) {
        self.queue.retain(|(text, what)| is_wanted(text, *what));
    }

    /// Forgets the first of a kind; whether there was one.
    pub fn remove_first(&mut self, is_one: impl Fn(W) -> bool) -> bool {
        let place = self.queue.iter().position(|(_, what)| is_one(*what));
        let removed = place.and_then(|place| self.queue.remove(place));
        let is_removed = removed.is_some();
        removed.into_iter().for_each(|(text, _)| lent::give_back_text(text));
        is_removed
    }

    /// Writes anew those for which there is something else to say.
    pub fn rewrite(&mut self, anew: impl Fn(&str) -> Option<String>) {
        for (text, _) in &mut self.queue {
            if let Some(other) = anew(text) {
                *text = other;
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_keeps_its_order_and_its_memory() {
        let mut texts = Texts::default();
        let mut places = Vec::new();
        for n in 0..20 {
            texts.push(n, |out| {
                out.reserve(64);
                out.push_str(&format!("message {n}"));
            });
            let (text, what) = texts.pop().unwrap();
            assert_eq!((text, what), (format!("message {n}").as_str(), n));
            places.push(text.as_ptr().addr());
        }
        places.sort_unstable();
        places.dedup();
        assert!(places.len() <= 2, "{places:?}");
        assert_eq!(texts.pop(), None);
    }

    #[test]
    fn a_crowd_leaves_no_memory_behind() {
        let mut texts = Texts::default();
        for n in 0..1000 {
            texts.push(n, |out| out.push_str(&"x".repeat(4000)));
        }
        texts.push_front(1000, |out| out.push('y'));
        assert!(texts.remove_first(|what| what == 0) && !texts.remove_first(|what| what == 0));
        texts.retain(|text, what| text == "y" || what < 990);
        texts.rewrite(|text| (text == "y").then(|| "z".to_owned()));
        assert_eq!(texts.pop(), Some(("z", 1000)));
        assert_eq!(texts.len(), 989);
        while texts.pop().is_some() {}
        assert!(texts.queue.capacity() <= 2 * PLACES_KEPT_MAX, "{}", texts.queue.capacity());
        assert_eq!(texts.taken.capacity(), 0);
    }
}
