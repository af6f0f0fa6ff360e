//! The simulated carrier and runtimes: by themselves, held to the carrier's fixtures, and against
//! the daemon.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

mod call;
mod customer;
mod daemon;
mod demo;
mod import;
mod import_setup;
mod kills;
mod load;
mod numbers;
mod outbound;
mod peers;
mod rest;
mod runtimes;
mod steering;
