//! The log's shape: streams, entries, and the chain that makes one history tell itself from
//! another. It never says what a body means; that is `replica::wire`.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Tenants, accounts, agents, numbers, keys.
    Control = 0,
    /// Touches.
    Touches = 1,
}

impl Stream {
    /// Every stream, in order.
    pub const ALL: [Self; 2] = [Self::Control, Self::Touches];

    /// Its number, as rows and the wire have it.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The log's life: a store that was made anew or restored has another.
    pub epoch: Uuid,
    /// The last entry seen; 0 before the first.
    pub seq: u64,
    /// Its chain: two histories that agree here agree on everything before.
    pub chain: [u8; 32],
}

/// Why an entry does not follow a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It was seen before.
    Seen,
    /// Entries are missing in between.
    Gap,
    /// It continues another history, or was changed on its way.
    Chain,
}

impl Cursor {
    /// The place before the first entry of a log.
    #[must_use]
    pub fn origin(epoch: Uuid) -> Self {
        Self { epoch, seq: 0, chain: Sha256::digest(epoch.as_bytes()).into() }
    }

    /// The place after `entry`.
    ///
    /// # Errors
    /// The entry does not follow.
    pub fn after(&self, entry: &Entry) -> Result<Self, Break> {
        if entry.seq > self.seq + 1 {
            return Err(Break::Gap);
        }
        let is_new = entry.seq > self.seq;
        // Of what was seen, only the last is still known by its chain.
        let is_ours = match (is_new, entry.seq == self.seq) {
            (true, _) => entry.chain == chained(&self.chain, &entry.body),
            (false, is_last) => !is_last || entry.chain == self.chain,
        };
        if !is_ours {
            return Err(Break::Chain);
        }
        if !is_new {
            return Err(Break::Seen);
        }
        Ok(Self { epoch: self.epoch, seq: entry.seq, chain: entry.chain })
    }
}

/// One entry: what one write changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place; the first is 1, and none is missing.
    pub seq: u64,
    /// SHA-256 of the previous chain and the body.
    pub chain: [u8; 32],
    /// Deltas as `replica::wire` writes them.
    pub body: Bytes,
}

impl Entry {
    /// The entry that follows `prev`.
    #[must_use]
    pub fn next(prev: &Cursor, body: Bytes) -> Self {
        Self { seq: prev.seq + 1, chain: chained(&prev.chain, &body), body }
    }

    /// The place after it.
    #[must_use]
    pub const fn cursor(&self, epoch: Uuid) -> Cursor {
        Cursor { epoch, seq: self.seq, chain: self.chain }
    }
}

fn chained(prev: &[u8; 32], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(prev).chain_update(body).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_only_its_own_history() {
        let start = Cursor::origin(Uuid::from_u128(1));
        let first = Entry::next(&start, Bytes::from_static(b"a"));
        let after = start.after(&first).unwrap();
        assert_eq!(after, first.cursor(start.epoch));
        let second = Entry::next(&after, Bytes::from_static(b"b"));

        assert_eq!(start.after(&second), Err(Break::Gap));
        assert_eq!(after.after(&first), Err(Break::Seen));
        assert_eq!(Cursor::origin(Uuid::from_u128(2)).after(&first), Err(Break::Chain));
        let changed = Entry { body: Bytes::from_static(b"c"), ..second };
        assert_eq!(after.after(&changed), Err(Break::Chain));
    }
}
