//! Huge pages for the table's memory, where the system gives them: a look-up at random in a
//! gigabyte of 4 KiB pages misses the TLB as well as the cache.

#![expect(unsafe_code, reason = "no safe function gives advice about memory that a box owns")]

use std::sync::atomic::AtomicU64;

/// Asks for huge pages under these words (Linux `madvise(2)`, `MADV_HUGEPAGE`). It is advice:
/// where it is not taken, everything works as before.
pub(super) fn ask_for_huge(words: &[AtomicU64]) {
    const HUGE: usize = 2 << 20;
    const PAGE: usize = 4096;
    let range = words.as_ptr_range();
    let start = range.start.addr().next_multiple_of(PAGE);
    let len = (range.end.addr() & !(PAGE - 1)).saturating_sub(start);
    if len < HUGE {
        return;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the range is whole pages inside memory that `words` borrows, and the advice changes
    // neither its content nor its protection.
    unsafe {
        let first = words.as_ptr().with_addr(start).cast_mut().cast();
        let _taken_or_not = libc::madvise(first, len, libc::MADV_HUGEPAGE);
    }
}
