//! Memory that is lent: a call has a buffer while there is something in it, and all calls of a
//! thread use the same few in turn. So a quiet call keeps none, and what a frame goes through is in
//! the processor's cache already.

use std::cell::RefCell;
use std::thread::LocalKey;

/// The memory that a thread keeps of each kind. While all goes well a few buffers are out at once;
/// where a far end is behind, its calls' frames wait in one each: these are a fifth of a second of
/// two thousand calls.
const KEPT_MAX: usize = 8 * 1024 * 1024;

/// The longest buffer that is kept: a frame of any codec fits several times.
const KEPT_LEN_MAX: usize = 4 * 1024;

/// Buffers that are not lent for now, up to so much memory, none of them longer than is said.
#[derive(Debug)]
pub struct Pool {
    buffers: Vec<Vec<u8>>,
    /// Their memory together.
    len: usize,
    len_max: usize,
    buffer_len_max: usize,
}

impl Pool {
    /// Nothing is in it yet.
    #[must_use]
    pub const fn new(len_max: usize, buffer_len_max: usize) -> Self {
        Self { buffers: Vec::new(), len: 0, len_max, buffer_len_max }
    }

    /// One of them as it was given back, or a new one.
    #[inline]
    pub fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.len -= buffer.capacity();
        buffer
    }

    /// Takes one in, if there is room for it.
    #[inline]
    pub fn give_back(&mut self, buffer: Vec<u8>) {
        let len = buffer.capacity();
        if (1..=self.buffer_len_max).contains(&len) && self.len + len <= self.len_max {
            self.len += len;
            self.buffers.push(buffer);
        }
    }
}

type Kept = RefCell<Pool>;

thread_local! {
    static KEPT: Kept = const { RefCell::new(Pool::new(KEPT_MAX, KEPT_LEN_MAX)) };
    static ROOMS: Kept = const { RefCell::new(Pool::new(KEPT_MAX, KEPT_LEN_MAX)) };
}

/// A buffer with nothing in it.
#[must_use]
pub fn take() -> Vec<u8> {
    take_of(&KEPT)
}

/// Gives a buffer back.
pub fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    give_back_to(&KEPT, buffer);
}

/// A buffer to read into, as long as it was when it was given back: whoever takes it takes what is
/// in it for nothing, and needs not write zeros over that.
#[must_use]
pub fn take_room() -> Vec<u8> {
    take_of(&ROOMS)
}

/// Gives one back.
pub fn give_back_room(buffer: Vec<u8>) {
    give_back_to(&ROOMS, buffer);
}

fn take_of(kept: &'static LocalKey<Kept>) -> Vec<u8> {
    kept.try_with(|kept| Some(kept.try_borrow_mut().ok()?.take()))
        .ok()
        .flatten()
        .unwrap_or_default()
}

fn give_back_to(kept: &'static LocalKey<Kept>, buffer: Vec<u8>) {
    // Where the thread is about to end, it goes with it.
    let _ = kept.try_with(|kept| {
        if let Ok(mut kept) = kept.try_borrow_mut() {
            kept.give_back(buffer);
        }
    });
}

/// A text with nothing in it.
#[must_use]
pub fn take_text() -> String {
    String::from_utf8(take()).unwrap_or_default()
}

/// Gives a text's memory back.
pub fn give_back_text(text: String) {
    give_back(text.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_lent_again_and_no_more_than_may_be_is_kept() {
        let mut buffer = Vec::with_capacity(1000);
        buffer.push(1);
        let place = buffer.as_ptr().addr();
        give_back(buffer);
        let again = take();
        assert_eq!((again.len(), again.as_ptr().addr()), (0, place));
        give_back(Vec::with_capacity(KEPT_LEN_MAX + 1));
        assert_eq!(take().capacity(), 0);
        let most = KEPT_MAX / KEPT_LEN_MAX;
        (0..2 * most).for_each(|_| give_back(Vec::with_capacity(KEPT_LEN_MAX)));
        let kept = (0..2 * most).filter(|_| take().capacity() > 0).count();
        assert_eq!(kept, most);
        give_back_room(vec![7; 100]);
        assert_eq!((take().len(), take_room().len(), take_room().len()), (0, 100, 0));
    }
}
