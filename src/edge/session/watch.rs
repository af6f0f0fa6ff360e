//! When a session has to look at its call: where there is news of it, not with every frame.

use std::task::{Context, Waker};

/// What was last seen of a call's news, and who is woken by more.
#[derive(Default)]
pub(super) struct Watch {
    seen: Option<(u32, Waker)>,
}

impl Watch {
    /// Whether there is news since, or somebody else is to be woken.
    pub(super) fn has_news(&mut self, news: u32, cx: &Context<'_>) -> bool {
        let is_seen = |(seen, waker): &(u32, Waker)| *seen == news && waker.will_wake(cx.waker());
        if self.seen.as_ref().is_some_and(is_seen) {
            return false;
        }
        self.seen = Some((news, cx.waker().clone()));
        true
    }
}
