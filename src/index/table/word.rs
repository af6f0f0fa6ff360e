//! The words that the table is made of: an atomic of the standard library, or loom's in a test.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A shared word.
pub(in crate::index) trait Word: Send + Sync + Sized + 'static {
    /// Lines of a huge page, 2 MiB: memory is asked for in such steps.
    const PAGE_LINES: usize = 1 << 15;
    /// Callers of the first chunk of them: a page.
    const CALLERS_FIRST: usize = 1 << 9;

    /// As [`AtomicU64::new`].
    fn new(value: u64) -> Self;
    /// So many, all zero. Untouched memory costs nothing where the system gives it lazily.
    fn zeroed(count: usize) -> Box<[Self]>;
    /// As [`AtomicU64::load`].
    fn load(&self, order: Ordering) -> u64;
    /// As [`AtomicU64::store`].
    fn store(&self, value: u64, order: Ordering);
    /// Has the word's line fetched, without waiting for it.
    fn fetch(&self);
    /// As [`std::sync::atomic::fence`].
    fn fence(order: Ordering);
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn zeroed(count: usize) -> Box<[Self]> {
        let words = bytemuck::zeroed_slice_box(count);
        super::pages::ask_for_huge(&words);
        words
    }

    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        Self::load(self, order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        Self::store(self, value, order);
    }

    #[inline]
    fn fetch(&self) {
        super::pages::fetch(self);
    }

    #[inline]
    fn fence(order: Ordering) {
        fence(order);
    }
}
