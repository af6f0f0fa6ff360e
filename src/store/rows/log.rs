//! The log and its heads. An entry is only ever added at the head, in the transaction of the rows
//! it speaks of.

use bytes::Bytes;
use rusqlite::params;
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::UnixMillis,
    replica::log::{Cursor, Entry, Stream},
    store::{Heads, Tx, WriteError},
};

impl Rows<'_> {
    /// Where both streams stand.
    ///
    /// # Errors
    /// The store's.
    pub fn heads(&self) -> Result<Heads, WriteError> {
        let control = self.head(Stream::Control)?.seq;
        Ok(Heads { control, touches: self.head(Stream::Touches)?.seq })
    }

    /// Where a stream stands.
    ///
    /// # Errors
    /// The store's.
    pub fn head(&self, stream: Stream) -> Result<Cursor, WriteError> {
        let sql = "SELECT epoch, seq, chain FROM heads WHERE stream = ?1 AND shard = 0";
        Ok(self.prepared(sql)?.query_row([stream.as_u8()], |row| {
            let epoch = Uuid::from_bytes(row.get(0)?);
            Ok(Cursor { epoch, seq: row.get(1)?, chain: row.get(2)? })
        })?)
    }

    /// The entries kept that follow `seq`, in order, up to a limit.
    ///
    /// # Errors
    /// The store's.
    pub fn entries(&self, stream: Stream, seq: u64, limit: u32) -> Result<Vec<Entry>, WriteError> {
        self.all(
            "SELECT seq, chain, body FROM log
             WHERE stream = ?1 AND shard = 0 AND seq > ?2 ORDER BY seq LIMIT ?3",
            params![stream.as_u8(), seq, limit],
            |row| {
                let body = Bytes::from(row.get::<_, Vec<u8>>(2)?);
                Ok(Entry { seq: row.get(0)?, chain: row.get(1)?, body })
            },
        )
    }
}

impl Tx<'_> {
    pub(in crate::store) fn append(
        &mut self,
        stream: Stream,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let now = self.now();
        self.run(
            "INSERT INTO log (stream, shard, seq, chain, body, at) VALUES (?1, 0, ?2, ?3, ?4, ?5)",
            params![stream.as_u8(), entry.seq, entry.chain, &entry.body[..], now],
        )?;
        self.run(
            "UPDATE heads SET seq = ?2, chain = ?3 WHERE stream = ?1 AND shard = 0",
            params![stream.as_u8(), entry.seq, entry.chain],
        )?;
        Ok(())
    }

    /// Forgets old entries: those before the first that is in the last `kept_min` or not older than
    /// `before`. What is kept has no gap, whatever the clock did.
    pub(in crate::store) fn trim(
        &mut self,
        stream: Stream,
        kept_min: u64,
        before: UnixMillis,
    ) -> Result<usize, WriteError> {
        let kept_from = self.head(stream)?.seq.saturating_sub(kept_min);
        self.run(
            "DELETE FROM log WHERE stream = ?1 AND shard = 0 AND seq < (
                SELECT min(seq) FROM log
                WHERE stream = ?1 AND shard = 0 AND (seq > ?2 OR at >= ?3))",
            params![stream.as_u8(), kept_from, before],
        )
    }
}
