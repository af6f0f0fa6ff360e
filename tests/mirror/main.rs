//! The mirror: a second Switchback plays the hosted API, in each dialect, with a faulty proxy and
//! a simulated carrier's API in between.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod daemon;
mod events;
mod faults;
mod mirrored;
mod proxy;
mod setup;
mod shadow;
