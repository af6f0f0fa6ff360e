//! The daemon as its users meet it: real sockets, signed webhooks, the public APIs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests"
)]

mod accounts;
mod answers;
mod bandwidth;
mod daemon;
mod elsewhere;
mod media;
mod targets;
mod telnyx;
mod tls;
mod vonage;
