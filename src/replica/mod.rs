//! Follows the log: frames in, deltas to apply and requests out, the same code in one process and
//! across machines.
//!
//! It never opens a socket, a file or a database, and never asks the clock; `store` feeds it in
//! process, `sync` across machines.

pub mod feed;
pub mod follower;
pub mod log;
pub mod snapshot;
pub mod wire;

pub use crate::index::Delta;
