//! The store from outside: its rules, its log, and what survives whom.
//!
//! `kills` proves that no acknowledged write is lost and none is half applied when the *process*
//! dies at any moment (SIGKILL). It does not prove survival of a power cut: the kernel lives on and
//! still holds what was written. For that the store relies on SQLite's `synchronous = FULL`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::print_stdout,
    reason = "tests"
)]

mod counts;
mod details;
mod erasure;
mod group;
mod history;
mod hooks;
mod kills;
mod lists;
mod mirror;
mod numbers;
mod removal;
mod replay;
mod retention;
mod rules;
mod snapshots;
mod speed;
mod support;
mod tenants;
mod warnings;
