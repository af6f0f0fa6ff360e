//! Calls while they live: what state each is in, where it goes next, who is to be told.
//!
//! [`machine`] is a call's life, pure; [`live`] the one table of live calls; [`journal`] the way of
//! their rows to the store; [`feed`] what then happened, for onlookers. It never answers a carrier
//! or opens a socket.

mod by_agent;
pub mod feed;
pub mod journal;
pub mod live;
pub mod machine;
pub mod seal;
pub mod strays;

pub use feed::{CallEvent, Feed, Happened, Next, Progress};
pub use journal::{CallUpdate, Journal};
pub use live::{ActiveCall, Facts, Live, LiveCall, MediaState, Resume};
pub use machine::Event;
pub use strays::{Orphan, Strays};
