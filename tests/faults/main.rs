//! What goes wrong at runtimes and at carriers, with every carrier that is simulated: what the
//! caller hears, after how long, and that no call is left over.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests"
)]

mod carrier;
mod matrix;
mod runtimes;
mod stage;
