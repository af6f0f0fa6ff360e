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

pub use feed::{CallEvent, Feed, Happened, Next, Progress};
pub use journal::{CallUpdate, Entry, Journal};
pub use live::{ActiveCall, Live};
pub use machine::Event;
pub use one::{Detour, Errand, Facts, LiveCall, MediaState, Resume, Wanted};
pub use strays::{Orphan, Strays};
