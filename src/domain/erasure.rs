//! What is left of a person who was erased: how much there was.

use super::{CallId, UnixMillis};

/// Why something about a person is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactRefusal {
    /// Nothing is known of them.
    NotFound,
    /// The person of the call has been erased: nothing more is kept of it.
    Erased,
    /// The number is the tenant's own, not a person's.
    OwnNumber,
}

/// What was erased of a person, in rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Touches.
    pub touches: usize,
    /// Calls that name them no more.
    pub calls: usize,
    /// What was given along with calls to them.
    pub briefs: usize,
    /// Results of calls.
    pub results: usize,
    /// Lines of what was said.
    pub segments: usize,
    /// Answers that were kept for requests that come again.
    pub answers: usize,
    /// Events that subscribers were told or were to be told.
    pub deliveries: usize,
    /// What calls said themselves in the place of an agent, where no other call says it.
    pub words: usize,
    /// Lines of the configuration's history whose block list named them.
    pub revisions: usize,
    /// Whether the block list named them.
    pub blocks: usize,
    /// Calls to them that had not left and are not placed any more.
    pub canceled: Vec<CallId>,
    /// Until when what comes late of them is refused.
    pub tombstone_until: UnixMillis,
}
