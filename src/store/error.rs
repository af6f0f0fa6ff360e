//! What can go wrong, sorted by who must act: the asker (a refusal) or the operator (the store).

use std::{io, path::PathBuf, sync::Arc};

use crate::domain::{RecordRefusal, Refusal};

/// The store itself is in trouble. Texts are fragments fit for "failed to ...: ".
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes to this database.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// The database was written by a newer program.
    #[error(
        "the database has version {found}, this program knows versions up to {known}; \
         use a newer program"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// The highest version known here.
        known: i64,
    },
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
    /// A closure given to the store panicked; nothing of it was kept.
    #[error("a write or read panicked; nothing of it was kept")]
    Panicked,
    /// SQLite says so.
    #[error("sqlite: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// The data folder cannot be used.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, Arc<io::Error>),
    /// A log entry that was written here cannot be read back.
    #[error("the log is damaged: {0}")]
    Log(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

/// Why a write or read did not happen.
#[derive(Clone, Debug)]
pub enum WriteError {
    /// The asker's fault.
    Refused(Refusal),
    /// Ours.
    Store(StoreError),
}

impl From<RecordRefusal> for WriteError {
    fn from(refusal: RecordRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal:?}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {}
