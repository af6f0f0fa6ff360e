//! The table's memory, and advice about it. Huge pages, where the system gives them: a look-up at
//! random in a gigabyte of 4 KiB pages misses the TLB as well as the cache. And lines that are
//! wanted soon.

#![expect(unsafe_code, reason = "no safe function maps memory where it is wanted or gives advice")]

use std::{ops::Deref, ptr::NonNull, slice, sync::atomic::AtomicU64};

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Words in whole huge pages of their own, all zero at first: what is not touched costs nothing.
///
/// They are mapped, not allocated, since no allocator puts them at a huge page's beginning without
/// writing them full or asking for one more: of a table in allocated chunks, nearly half had to lie
/// in small pages.
pub(in crate::index) struct Pages {
    first: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: it owns its memory, which is atomic words.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// At least so many words; `None` where the system gives no memory.
    pub(super) fn new(words: usize) -> Option<Self> {
        let bytes = words.checked_mul(size_of::<u64>())?.checked_next_multiple_of(HUGE)?;
        let asked = bytes.checked_add(HUGE)?;
        let (read_write, private) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever the system likes, overlaps nothing.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), asked, read_write, private, -1, 0) };
        if mapped == libc::MAP_FAILED {
            return None;
        }
        let before = mapped.addr().next_multiple_of(HUGE) - mapped.addr();
        // SAFETY: both ends and what is between them lie in the mapping, which nobody has seen.
        let first = unsafe {
            let first = mapped.byte_add(before);
            if before > 0 {
                libc::munmap(mapped, before);
            }
            if before < HUGE {
                libc::munmap(first.byte_add(bytes), HUGE - before);
            }
            // Advice: where it is not taken, everything works as before.
            #[cfg(target_os = "linux")]
            libc::madvise(first, bytes, libc::MADV_HUGEPAGE);
            first
        };
        Some(Self { first: NonNull::new(first.cast())?, words: bytes / size_of::<u64>() })
    }
}

impl Deref for Pages {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: so many words are mapped from there on until this is dropped; the system makes
        // them zero, which is a word like any other.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.words) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: this is the whole of the mapping, and nobody borrows it any more.
        unsafe { libc::munmap(self.first.as_ptr().cast(), self.words * size_of::<u64>()) };
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
