//! The processes that answer carriers, and how far each has come.

use serde::Serialize;
use utoipa::ToSchema;

/// A process that routes calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Edge)]
pub struct EdgeBody {
    /// Its name; `local` is the process that answers this.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it routes by, as the text of a `Switchback-Rev` header.
    pub rev: String,
    /// The last entry of the control log that it routes by.
    pub seq: u64,
    /// Entries of the control log that it has yet to apply.
    pub lag: u64,
    /// The last entry of the log of touches that it routes by.
    pub touches_seq: u64,
    /// Entries of the log of touches that it has yet to apply.
    pub touches_lag: u64,
}
