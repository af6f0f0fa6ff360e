//! Advice about the table's memory. Huge pages, where the system gives them: a look-up at random in
//! a gigabyte of 4 KiB pages misses the TLB as well as the cache. And lines that are wanted soon.

#![expect(unsafe_code, reason = "no safe function gives advice about memory, to system or core")]

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

/// Asks the core to fetch the word's line while it does something else. It is advice: on a core for
/// which we do not know how to give it, the line is fetched when it is read.
#[inline]
pub(super) fn fetch(word: &AtomicU64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads and writes nothing that a program can see, whatever the address; and
    // every x86-64 core has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(word).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _read_later = word;
}
