//! The audio of a call as values: what a frame says, how two legs are joined, when a leg is given
//! up. Pure: frames and the time in, frames and wake-ups out. It never opens a socket or asks the
//! clock, and passing on neither decodes audio nor inserts any.
//!
//! Times are measured from one point of the call, whichever its owner likes, as a [`Duration`].
//!
//! [`Duration`]: std::time::Duration

pub mod bridge;
pub mod framing;
pub mod interpreter;
pub mod liveness;
pub mod messages;
mod playout;
pub mod transcode;
