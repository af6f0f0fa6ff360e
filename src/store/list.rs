//! How lists are asked for: which rows are meant, and which part of them.

use uuid::Uuid;

use crate::domain::{
    AgentId, AgentState, CallStatus, Direction, E164, KeyId, TenantId, UnixDay, UnixMillis,
};

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// Newest first by (created_at, id), after or before a row.
    Keyset {
        /// Most rows.
        limit: u32,
        /// Rows older than this one.
        starting_after: Option<Uuid>,
        /// Rows newer than this one: those closest to it, still newest first.
        ending_before: Option<Uuid>,
    },
    /// The same order, by page; pages count from 1.
    Page {
        /// Which page.
        page: u32,
        /// Rows a page.
        per_page: u32,
    },
}

impl Paging {
    /// The newest rows, up to a limit.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self::Keyset { limit, starting_after: None, ending_before: None }
    }
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows there are in all; counted for [`Paging::Page`] only, else 0.
    pub total: u64,
    /// Whether rows follow in the direction asked for.
    pub has_more: bool,
}

/// Which agents. `None` is any.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// Which way their calls go.
    pub direction: Option<Direction>,
    /// Their state.
    pub state: Option<AgentState>,
    /// Archived ones too.
    pub archived: bool,
    /// Part of name or label, in any case of ASCII letters.
    pub search: Option<String>,
}

/// Which calls. `None` is any.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Where they stand.
    pub status: Option<CallStatus>,
    /// Where they stand for people: see [`CallRecord::standing`](crate::domain::CallRecord).
    pub standing: Option<CallStatus>,
    /// Which way they go.
    pub direction: Option<Direction>,
    /// Who was decided on.
    pub agent: Option<AgentId>,
    /// Who called.
    pub ani: Option<E164>,
    /// Which number was dialled.
    pub dnis: Option<E164>,
    /// Not before this.
    pub from_date: Option<UnixMillis>,
    /// Not after this.
    pub to_date: Option<UnixMillis>,
    /// Part of a number, of the carrier's id or of the call's id.
    pub search: Option<String>,
    /// The carrier's id.
    pub carrier_call_id: Option<String>,
    /// Over, or not as far as the row says.
    pub is_over: Option<bool>,
}

/// Which calls a list by page shows. Its days are whole, so that counts can answer for rows.
#[derive(Clone, Debug, Default)]
pub struct CallPageFilter {
    /// Where they stand; none is anywhere.
    pub statuses: Vec<CallStatus>,
    /// Which way they go.
    pub direction: Option<Direction>,
    /// Who was decided on.
    pub agent: Option<AgentId>,
    /// Not before this day.
    pub from: Option<UnixDay>,
    /// Not after this day.
    pub to: Option<UnixDay>,
    /// A number, the carrier's id or the call's id, or part of one of the first two.
    pub search: Option<String>,
}

/// Which lines of the audit trail are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// A tenant's; `None` is everybody's.
    pub tenant: Option<TenantId>,
    /// What was done.
    pub action: Option<String>,
    /// To whom or what.
    pub subject: Option<Uuid>,
    /// With which key.
    pub key: Option<KeyId>,
    /// From then on.
    pub since: Option<UnixMillis>,
}

/// Which part of the audit trail, by its lines' places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditPlace {
    /// How many lines.
    pub limit: u32,
    /// Those older than this one.
    pub starting_after: Option<u64>,
    /// Those newer than this one, closest to it.
    pub ending_before: Option<u64>,
}
