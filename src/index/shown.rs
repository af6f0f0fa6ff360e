//! The directory as a reader holds it, and what a thread keeps of it between two looks.
//!
//! To take it out of the shared place costs two locked instructions, about as long as a third of a
//! decision. A thread that decides one call after the other would do so for the same directory over
//! and over: it may keep it ([`keep`]). Whether it is still the one that is shown is then one load.
//!
//! What is kept is not the writer's to write into again, who would have to copy it: so it is kept
//! only once the directory has been left alone for a while, and let go ([`let_go`]) by a thread
//! that is about to wait. To begin to keep one asks for a few bytes of memory, once in at least
//! [`LOOKS`] looks; nothing else here does.

use std::{
    cell::Cell,
    mem,
    rc::Rc,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed},
        },
    },
};

use arc_swap::Guard;

use super::{Shared, directory::Directory};

/// A thread keeps a directory that it has looked at so often: while one is changed ten thousand
/// times a second nobody keeps it.
const LOOKS: u32 = 64;

thread_local! {
    static KEPT: Kept = const {
        Kept {
            keeps: Cell::new(false),
            turn: Cell::new(0),
            looks: Cell::new(0),
            directory: Cell::new(None),
        }
    };
}

/// What a thread has looked at last.
struct Kept {
    /// Whether it keeps anything.
    keeps: Cell<bool>,
    turn: Cell<u64>,
    looks: Cell<u32>,
    directory: Cell<Option<Rc<Whole>>>,
}

/// A directory as one thread's views share it: how many they are is no matter between cores.
pub(super) struct Whole(Arc<Directory>);

/// A directory that is held.
pub(super) enum Shown {
    Guarded(Guard<Arc<Directory>>),
    Kept(Rc<Whole>),
}

/// Has this thread keep the directory between two looks. Before it waits it must [`let_go`].
pub fn keep() {
    KEPT.with(|kept| kept.keeps.set(true));
}

/// Lets go of the directory that this thread keeps, if it does.
pub fn let_go() {
    KEPT.with(|kept| {
        kept.directory.set(None);
        kept.looks.set(0);
    });
}

/// A number that was never given before: of a directory that is shown from now on, in any index.
pub(super) fn next_turn() -> u64 {
    static TURN: AtomicU64 = AtomicU64::new(1);
    TURN.fetch_add(1, Relaxed)
}

impl Shown {
    #[inline(always)]
    pub(super) fn of(shared: &Shared) -> Self {
        // The turn first: what is kept for it may be newer, never older.
        let turn = shared.turn.load(Acquire);
        KEPT.with(|kept| kept.of(turn)).map_or_else(|| Self::look(shared, turn), Self::Kept)
    }

    #[inline(never)]
    fn look(shared: &Shared, turn: u64) -> Self {
        if !KEPT.with(|kept| kept.is_worth_keeping(turn)) {
            return Self::Guarded(shared.directory.load());
        }
        let directory = Rc::new(Whole(shared.directory.load_full()));
        KEPT.with(|kept| kept.directory.set(Some(Rc::clone(&directory))));
        Self::Kept(directory)
    }

    #[inline]
    pub(super) fn get(&self) -> &Directory {
        match self {
            Self::Guarded(directory) => directory,
            Self::Kept(whole) => &whole.0,
        }
    }
}

impl Kept {
    /// What is kept, where that is what is shown.
    #[inline(always)]
    fn of(&self, turn: u64) -> Option<Rc<Whole>> {
        if self.turn.get() != turn {
            return None;
        }
        let kept = self.directory.take();
        let directory = kept.clone();
        // Nothing is there to be dropped.
        mem::forget(self.directory.replace(kept));
        directory
    }

    /// Counts a look at what is not kept.
    fn is_worth_keeping(&self, turn: u64) -> bool {
        if self.turn.replace(turn) != turn {
            self.directory.set(None);
            self.looks.set(0);
        }
        self.looks.set(self.looks.get().saturating_add(1));
        self.keeps.get() && self.looks.get() > LOOKS
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{Tenant, TenantId, TenantSettings},
        index::{Delta, Index, Writer},
    };

    fn name(writer: &mut Writer, name: &str) {
        let settings = TenantSettings::default();
        let tenant = Tenant { id: TenantId(Uuid::nil()), name: name.to_owned(), settings };
        writer.apply(&[Delta::Tenant(tenant)]);
    }

    fn named(index: &Index) -> String {
        let view = index.view();
        view.tenant(TenantId(Uuid::nil())).map_or(String::new(), |tenant| tenant.name.clone())
    }

    fn keeps() -> bool {
        KEPT.with(|kept| {
            let directory = kept.directory.take();
            kept.directory.set(directory.clone());
            directory.is_some()
        })
    }

    #[test]
    fn what_a_thread_keeps_is_what_is_shown() {
        keep();
        let (index, mut writer) = Index::new(None);
        let (other, mut others) = Index::new(None);
        name(&mut others, "other");
        for change in 0..5 {
            let now = change.to_string();
            name(&mut writer, &now);
            // A view keeps its moment, whatever its thread looks at meanwhile.
            let before = index.view();
            for _ in 0..2 * LOOKS {
                assert_eq!(named(&index), now);
            }
            assert!(keeps());
            assert_eq!(named(&other), "other");
            assert!(!keeps());
            name(&mut writer, "next");
            assert_eq!(named(&index), "next");
            assert_eq!(before.tenant(TenantId(Uuid::nil())).unwrap().name, now);
        }
        let_go();
    }

    #[test]
    fn a_directory_that_is_let_go_is_written_into_again() {
        keep();
        let (index, mut writer) = Index::new(None);
        name(&mut writer, "first");
        name(&mut writer, "second");
        let shown = |index: &Index| std::ptr::from_ref(index.view().directory.get()).addr();
        let look = || (0..2 * LOOKS).for_each(|_| _ = shown(&index));
        look();
        let second = shown(&index);
        let_go();
        name(&mut writer, "third");
        name(&mut writer, "fourth");
        assert_eq!(shown(&index), second);
        // One that is not let go is left to its reader, and freed by the writer.
        look();
        name(&mut writer, "fifth");
        name(&mut writer, "sixth");
        assert_eq!(writer.left.len(), 1);
        assert_ne!(shown(&index), second);
        name(&mut writer, "seventh");
        assert_eq!(writer.left.len(), 0);
    }

    #[test]
    fn a_thread_keeps_nothing_unless_it_says_so() {
        let (index, mut writer) = Index::new(None);
        name(&mut writer, "first");
        (0..2 * LOOKS).for_each(|_| _ = named(&index));
        assert!(!keeps());
    }
}
