//! A call's media over real sockets: the carrier's side played by the test, runtimes of every kind
//! of health on the other.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod ahead;
mod crowd;
mod faults;
mod flow;
mod formats;
mod link;
mod stage;
mod told;
mod upgrade;
