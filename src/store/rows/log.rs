//! The log and its heads. An entry is only ever added at the head, in the transaction of the rows
//! it speaks of.

use bytes::Bytes;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::UnixMillis,
    replica::{
        log::{Cursor, Entry, Stream},
        snapshot::Span,
    },
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

    /// The first place that a stream can be followed from.
    ///
    /// # Errors
    /// The store's.
    pub fn floor(&self, stream: Stream) -> Result<u64, WriteError> {
        let sql = "SELECT min(seq) FROM log WHERE stream = ?1 AND shard = 0";
        let first: Option<u64> = self.one(sql, [stream.as_u8()], |row| row.get(0))?.flatten();
        Ok(match first {
            Some(first) => first.saturating_sub(1),
            None => self.head(stream)?.seq,
        })
    }

    /// Whether a snapshot is of this very log, which still has what follows it.
    pub(in crate::store) fn goes_on(
        &self,
        stream: Stream,
        Span { since, until }: &Span,
    ) -> Result<bool, WriteError> {
        Ok(self.has(stream, since)? && self.has(stream, until)?)
    }

    /// Whether a place is the head, or the first entry after it is chained to it.
    fn has(&self, stream: Stream, cursor: &Cursor) -> Result<bool, WriteError> {
        let head = self.head(stream)?;
        if cursor.epoch != head.epoch || cursor.seq >= head.seq {
            return Ok(*cursor == head);
        }
        Ok(self.entries(stream, cursor.seq, 1)?.iter().any(|next| cursor.after(next).is_ok()))
    }

    /// Hands over every entry after `seq`, in order.
    pub(in crate::store) fn each_entry<E: From<WriteError>>(
        &self,
        stream: Stream,
        seq: u64,
        mut hand_over: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT seq, chain, body FROM log
                   WHERE stream = ?1 AND shard = 0 AND seq > ?2 ORDER BY seq";
        let sqlite = |error: rusqlite::Error| E::from(error.into());
        let mut statement = self.prepared(sql).map_err(sqlite)?;
        for entry in statement.query_map(params![stream.as_u8(), seq], read).map_err(sqlite)? {
            hand_over(entry.map_err(sqlite)?)?;
        }
        Ok(())
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
            read,
        )
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let body = Bytes::from(row.get::<_, Vec<u8>>(2)?);
    Ok(Entry { seq: row.get(0)?, chain: row.get(1)?, body })
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

    /// Forgets some old entries: those before the first that is in the last `kept_min` or not older
    /// than `before`, so many at most. What is kept has no gap, whatever the clock did.
    pub(in crate::store) fn trim(
        &mut self,
        stream: Stream,
        kept_min: u64,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        let kept_from = self.head(stream)?.seq.saturating_sub(kept_min);
        let sql = "SELECT min(seq) FROM log WHERE stream = ?1 AND shard = 0";
        let first: Option<u64> = self.one(sql, [stream.as_u8()], |row| row.get(0))?.flatten();
        let Some(end) = first.map(|first| first.saturating_add(limit.into())) else { return Ok(0) };
        // Only the part that may go is looked through, however much there is behind it.
        self.run(
            "DELETE FROM log WHERE stream = ?1 AND shard = 0 AND seq < coalesce(
                (SELECT min(seq) FROM log
                 WHERE stream = ?1 AND shard = 0 AND seq < ?4 AND (seq > ?2 OR at >= ?3)), ?4)",
            params![stream.as_u8(), kept_from, before, end],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::UnixMillis,
        store::{Actor, Settings, Store},
    };

    #[tokio::test]
    async fn entries_go_in_parts_and_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _feed) = Store::open(&Settings::at(folder.path().join("test.db"))).unwrap();
        for n in 0..10 {
            let name = format!("tenant {n}");
            store.write(Actor::default(), move |tx| tx.create_tenant(&name)).await.unwrap();
        }
        let trim = |kept_min: u64, before: u64, limit: u32| {
            let store = store.clone();
            async move {
                let write = store.write(Actor::default(), move |tx| {
                    let gone = tx.trim(Stream::Control, kept_min, UnixMillis(before), limit)?;
                    let left = tx.entries(Stream::Control, 0, 100)?;
                    let left: Vec<_> = left.iter().map(|entry| entry.seq).collect();
                    Ok((gone, left))
                });
                write.await.unwrap().value
            }
        };
        let all = trim(0, 0, 100).await.1;
        let head = *all.last().unwrap();
        assert!(all.len() >= 10, "{all:?}");
        assert_eq!(trim(3, 0, 100).await.0, 0, "none is so old");
        assert_eq!(trim(3, u64::MAX >> 1, 4).await, (4, all[4..].to_vec()));
        assert_eq!(trim(3, u64::MAX >> 1, 0).await.0, 0);
        let (gone, left) = trim(3, u64::MAX >> 1, 100).await;
        assert_eq!((gone, left), (all.len() - 7, (head - 2..=head).collect()));
        assert_eq!(trim(3, u64::MAX >> 1, 100).await.0, 0);
    }
}
