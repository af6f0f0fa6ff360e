//! Every carrier that is simulated: what is to happen while all is well, and what goes wrong at
//! runtimes and at carriers. What the caller hears, after how long, and that no call is left over.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests"
)]

mod carrier;
mod matrix;
mod runtimes;
mod scenes;
mod stage;
