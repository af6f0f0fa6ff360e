//! Snapshot files of the touches: what a start reads instead of the store, where there are so many
//! contacts that it takes long.
//!
//! Beside the database lie at most two whole ones, the newest and the one before it, and one that
//! is being written. They are of use as long as the store's log goes on from them: an erasure cuts
//! the log, and whoever is erased is in them, so that from then on they are void, are deleted at
//! once, and a new one is begun. Whatever is wrong with a file, the one before it is taken, or the
//! store; nothing is ever answered from a file that was not verified whole.
//!
//! They hold nothing that the store has not: a backup need not have them.

mod read;
mod write;

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) use read::{Found, Start};
pub(super) use write::{Keeping, Turn, turn};

/// Where the files are and when they are written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database that they are beside.
    pub database: PathBuf,
    /// With fewer contacts there is no file: the store gives them in a tenth of a second.
    pub contacts_min: usize,
    /// So many bytes of log entries since the newest file make it old: about a second's work for
    /// the next start, two hundred thousand touches.
    pub bytes_due: u64,
    /// After so long any entry makes it old. What is forgotten by age has left both files after
    /// twice that.
    pub age_due: Duration,
    /// Between two beginnings at least: whoever erases many persons has one file written, not many.
    pub pause: Duration,
}

impl Settings {
    /// The defaults, for the files beside a database.
    #[must_use]
    pub fn beside(database: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            contacts_min: 10_000,
            bytes_due: 64 << 20,
            age_due: Duration::from_secs(6 * 3600),
            pause: Duration::from_secs(600),
        }
    }

    fn path(&self, which: Which) -> PathBuf {
        let mut name: OsString = self.database.file_name().unwrap_or_default().to_owned();
        name.push(which.suffix());
        self.database.with_file_name(name)
    }

    /// Deletes a file; that it is not there is as good.
    fn remove(&self, which: Which) {
        let path = self.path(which);
        if let Err(error) = remove(&path) {
            tracing::error!(%error, path = %path.display(), "a snapshot could not be deleted");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Newest,
    Before,
    /// Being written.
    New,
}

impl Which {
    /// Those that are whole, the better one first.
    const WHOLE: [Self; 2] = [Self::Newest, Self::Before];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Newest => ".touches",
            Self::Before => ".touches-before",
            Self::New => ".touches-new",
        }
    }
}

/// Where the whole files begin in the log, as far as they are of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    newest: Option<u64>,
    before: Option<u64>,
}

impl Kept {
    const fn place(&mut self, which: Which) -> Option<&mut Option<u64>> {
        match which {
            Which::Newest => Some(&mut self.newest),
            Which::Before => Some(&mut self.before),
            Which::New => None,
        }
    }

    /// The first entry's place before which nothing is needed.
    fn needed(self) -> Option<u64> {
        self.newest.into_iter().chain(self.before).min()
    }
}
