//! Memory that is lent: a call has a buffer while there is something in it, and all calls of a
//! thread use the same few in turn. So a quiet call keeps none, and what a frame goes through is in
//! the processor's cache already.

use std::cell::RefCell;

/// Buffers that a thread keeps: a call has one for each side's reading and writing and a few for
/// what waits, and one call is carried at a time.
const KEPT_MAX: usize = 16;

/// The longest buffer that is kept: a frame of any codec fits several times.
const KEPT_LEN_MAX: usize = 4 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with nothing in it.
#[must_use]
pub fn take() -> Vec<u8> {
    KEPT.try_with(|kept| kept.try_borrow_mut().ok()?.pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back.
pub fn give_back(mut buffer: Vec<u8>) {
    if !(1..=KEPT_LEN_MAX).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    // Where the thread is about to end, it goes with it.
    let _ = KEPT.try_with(|kept| {
        if let Ok(mut kept) = kept.try_borrow_mut()
            && kept.len() < KEPT_MAX
        {
            kept.push(buffer);
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
        (0..2 * KEPT_MAX).for_each(|_| give_back(Vec::with_capacity(10)));
        let kept = (0..2 * KEPT_MAX).filter(|_| take().capacity() > 0).count();
        assert_eq!(kept, KEPT_MAX);
    }
}
