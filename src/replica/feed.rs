//! What a follower is sent and what it sends back. Values only: who carries them, a channel or a
//! websocket, brings the encoding.

use uuid::Uuid;

use super::log::{Cursor, Entry, Stream};
use crate::domain::UnixMillis;
use crate::index::Delta;

/// From the log's keeper to a follower.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A part of everything there is as of `cursor`. All parts name the same cursor.
    Snapshot {
        /// Which stream's.
        stream: Stream,
        /// The place the whole stands for.
        cursor: Cursor,
        /// Its place among the parts, from 0; none is missing.
        part: u32,
        /// Puts, no removals.
        deltas: Vec<Delta>,
        /// No part follows.
        last: bool,
    },
    /// Entries in order.
    Batch {
        /// Which stream's.
        stream: Stream,
        /// Of which log.
        epoch: Uuid,
        /// What was committed, none missing.
        entries: Vec<Entry>,
    },
    /// Where the log stands, sent when nothing else is: it shows that a batch was lost.
    Beat {
        /// Which stream's.
        stream: Stream,
        /// Its head.
        head: Cursor,
        /// When.
        at: UnixMillis,
    },
    /// The cursor that was named is not of this log, or too old: a snapshot follows.
    Resync {
        /// Which stream's.
        stream: Stream,
    },
}

/// From a follower to the log's keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Send what follows the cursor; without one, or where it is not known, a snapshot first.
    From {
        /// Of which stream.
        stream: Stream,
        /// The last place seen.
        cursor: Option<Cursor>,
    },
    /// Everything up to here is applied.
    Ack {
        /// Of which stream.
        stream: Stream,
        /// The last entry applied.
        seq: u64,
    },
    /// What was sent is not taken; what is known stays.
    Nack {
        /// Of which stream.
        stream: Stream,
        /// Why.
        cause: NackCause,
    },
}

/// Why a follower does not take what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NackCause {
    /// It is of another log than the one followed, and nobody said that logs change.
    OtherEpoch,
    /// The snapshot holds suspiciously less than what is known.
    Smaller,
    /// A rightly chained body that cannot be read: the sender is newer than we are.
    Unreadable,
}
