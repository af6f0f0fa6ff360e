//! What an on-call engineer looks at: metrics, events, the commands, the log. The daemon is the
//! real program in a process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

mod canary;
mod commands;
mod daemon;
mod doctor;
mod events;
mod handed;
mod keys;
mod metrics;
mod setup;
mod stage;
