//! Rows and columns: every SQL statement of the store. It keeps no rule beyond the tables' own.
//!
//! Reads are on [`Rows`] and tenant-scoped: another tenant's id is simply not found. Writes are on
//! `Tx` and each notes what it is about to touch, so that the log entry cannot miss it.

mod accounts;
mod agents;
mod attempts;
mod audit;
mod bindings;
mod call_pages;
mod calls;
mod campaigns;
mod codec;
mod counts;
mod coverage;
mod deliveries;
mod details;
mod dials;
mod erasure;
mod implicit;
mod kept;
mod keys;
mod log;
mod numbers;
mod page;
mod pointing;
mod recorded;
mod revisions;
mod tenants;
mod things;
mod touches;
mod upstreams;
mod webhooks;

pub(super) use numbers::routed;
pub use revisions::Configured;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use super::WriteError;

/// Reads within one transaction: all of them see the same state.
pub struct Rows<'c> {
    conn: &'c Connection,
}

impl<'c> Rows<'c> {
    pub(super) fn new(conn: &'c Connection) -> Self {
        Self { conn }
    }

    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.conn.prepare_cached(sql)
    }

    fn one<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, WriteError> {
        Ok(self.prepared(sql)?.query_row(params, read).optional()?)
    }

    fn all<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, WriteError> {
        Ok(self.prepared(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?)
    }

    fn run<P: Params>(&self, sql: &str, params: P) -> Result<usize, WriteError> {
        Ok(self.prepared(sql)?.execute(params)?)
    }
}
