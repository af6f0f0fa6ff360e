//! The database file: who may open it, and how. SQLite makes its `-wal` and `-shm` beside it with
//! the file's own mode.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// Secrets lie in it: its owner's eyes only.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
/// Readers never wait in WAL mode but for a checkpoint's end or recovery after a crash.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The rules prepare some ninety statements.
const STATEMENTS_CACHED: usize = 128;

/// The writer's page cache in KiB. Touches come in no order of contact: with the default of 2 MiB
/// nearly every one of them would read its pages from the disk again. No larger: a split borrows
/// the number of the page at 1 GiB, past whatever a small file has, and a commit after such a one
/// looks through the whole cache.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pages in the write-ahead log before they are folded into the database: 64 MiB. Folding rewrites
/// pages all over the file, so it should meet many changes of each.
const WAL_PAGES: i64 = 16 * 1024;

/// Makes the folder and the file where they are missing, and takes the lock that only one process
/// can hold. The lock is free again when the file is dropped, however the process ends.
pub(super) fn claim(path: &Path) -> Result<File, StoreError> {
    let told = |path: &Path, error: io::Error| StoreError::Io(path.to_owned(), Arc::new(error));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(|error| told(folder, error))?;
    }
    let lock_path = lock_path(path);
    let lock = private(&lock_path).map_err(|error| told(&lock_path, error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(told(&lock_path, error)),
    }
    private(path).map_err(|error| told(path, error))?;
    Ok(lock)
}

/// The lock is a file of its own: SQLite drops its locks on the database when any other descriptor
/// of the same process on that file is closed.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

fn private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != FILE_MODE {
        fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    }
    Ok(file)
}

/// The one connection that writes.
pub(super) fn writable(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&conn)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit that was answered survives a power cut, not only the process's death.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Each write's savepoint keeps the pages it changes; not in a file that is made for it.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // What is deleted is overwritten: whoever has been erased is not in the file any more.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn readable(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    prepare(&conn)?;
    Ok(conn)
}

fn prepare(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}
