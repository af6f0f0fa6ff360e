//! The audio of a call as values: what a frame says, how two legs are joined, when a leg is given
//! up. Pure: frames and the time in, frames and wake-ups out. It never opens a socket or asks the
//! clock.
//!
//! The middle is a [`bridge`] that speaks Twilio's messages and decodes nothing. A carrier that
//! speaks otherwise has a [`carrier_leg`] before it, a runtime that wants another format an
//! [`interpreter`] behind it; a carrier and a runtime that agree have neither.
//!
//! Times are measured from one point of the call, whichever its owner likes, as a [`Duration`].
//!
//! [`Duration`]: std::time::Duration

pub mod bridge;
pub mod carrier_leg;
pub mod comfort;
pub mod framing;
pub mod interpreter;
pub mod lent;
pub mod liveness;
pub mod messages;
mod playout;
pub mod texts;
pub mod transcode;
pub mod websocket;
