//! The words that the table is made of: an atomic of the standard library, or loom's in a test.

use std::{
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use super::pages::{self, Pages};

/// A shared word.
pub(in crate::index) trait Word: Send + Sync + Sized + 'static {
    /// Lines of a huge page, 2 MiB: memory is asked for in such steps.
    const PAGE_LINES: usize = 1 << 15;
    /// Callers of the first chunk of them: a page.
    const CALLERS_FIRST: usize = 1 << 9;

    /// The table's memory: words that stay where they are.
    type Pages: Deref<Target = [Self]> + Send + Sync;

    /// As [`AtomicU64::new`].
    fn new(value: u64) -> Self;
    /// At least so many, all zero, in whole pages that begin at a line; `None` where there is no
    /// memory. What is not touched costs nothing.
    fn pages(count: usize) -> Option<Self::Pages>;
    /// So many, all zero.
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
    type Pages = Pages;

    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn zeroed(count: usize) -> Box<[Self]> {
        bytemuck::zeroed_slice_box(count)
    }

    fn pages(count: usize) -> Option<Pages> {
        Pages::new(count)
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
        pages::fetch(self);
    }

    #[inline]
    fn fence(order: Ordering) {
        fence(order);
    }
}
