//! Calls while they live: what state each is in, where it goes next, who is to be told.
//!
//! [`machine`] is a call's life, pure; [`one`] what it has besides, [`live`] the
//! one table of live calls; [`journal`] the way of
//! their rows to the store; [`feed`] what then happened, for onlookers. It never answers a carrier
//! or opens a socket.

mod by_agent;
pub mod feed;
pub mod journal;
pub mod live;
pub mod machine;
pub mod one;
pub mod seal;
pub mod strays;

use std::hash::Hash;

use dashmap::DashMap;
use foldhash::fast::RandomState;

pub use feed::{CallEvent, Feed, Happened, Next, Progress};
pub use journal::{CallUpdate, Entry, Journal};
pub use live::{ActiveCall, Live};
pub use machine::Event;
pub use one::{Detour, Errand, Facts, LiveCall, MediaState, Resume, Wanted};
pub use strays::{Orphan, Strays};

/// Parts of a table of calls, each with its own lock. Every few seconds all calls are looked at, a
/// part at a time, and who begins a call in that part waits for it: with a hundred thousand calls
/// that are a hundred. With as few parts as there are cores it was a pause of 50 ms and more.
const PARTS: usize = 1024;

/// A table with an entry for each call.
fn table<K: Eq + Hash, V>() -> DashMap<K, V, RandomState> {
    DashMap::with_capacity_and_hasher_and_shard_amount(0, RandomState::default(), PARTS)
}
