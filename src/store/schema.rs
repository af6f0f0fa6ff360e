//! The tables, and the steps from each version to the next. A step, once released, never changes.

use rusqlite::Connection;
use uuid::Uuid;

use super::StoreError;
use crate::replica::log::{Cursor, Stream};

/// Step `n` leads from version `n` to `n + 1`.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
    include_str!("schema/12.sql"),
    include_str!("schema/13.sql"),
    include_str!("schema/14.sql"),
    include_str!("schema/15.sql"),
    include_str!("schema/16.sql"),
    include_str!("schema/17.sql"),
    include_str!("schema/18.sql"),
    include_str!("schema/19.sql"),
    include_str!("schema/20.sql"),
    include_str!("schema/21.sql"),
];

/// Brings the database to the newest version, each step in a transaction of its own.
pub(super) fn migrate(conn: &Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (version, step) in (1_i64..).zip(MIGRATIONS).skip(done) {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step}\n; PRAGMA user_version = {version};"
        ))?;
        if version == 1 {
            begin_history(conn)?;
        }
        conn.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// Of which history this database is.
pub(super) fn epoch(conn: &Connection) -> Result<Uuid, StoreError> {
    let sql = "SELECT epoch FROM heads WHERE stream = ?1 AND shard = 0";
    let epoch = conn.query_row(sql, [Stream::Control.as_u8()], |row| row.get(0))?;
    Ok(Uuid::from_bytes(epoch))
}

/// A new database is a new history: its epoch tells its cursors from those of any other.
fn begin_history(conn: &Connection) -> Result<(), StoreError> {
    let epoch = Uuid::from_bytes(rand::random());
    for stream in Stream::ALL {
        conn.execute(
            "INSERT INTO heads (stream, shard, epoch, seq, chain) VALUES (?1, 0, ?2, 0, ?3)",
            (stream.as_u8(), epoch.as_bytes(), Cursor::origin(epoch).chain),
        )?;
    }
    Ok(())
}
