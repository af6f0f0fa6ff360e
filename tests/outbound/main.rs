//! Calls that go out, as carriers and API clients meet them: a daemon of its own, a carrier whose
//! answers are chosen, and kill -9.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests"
)]

mod campaigns;
mod carrier;
mod daemon;
mod hooks;
mod kills;
mod placing;
mod progress;
mod steering;
mod strangers;
