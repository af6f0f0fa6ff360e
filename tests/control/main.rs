//! The control API over real HTTP: a router over a temporary store, on loopback, port 0.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

mod accounts;
mod agrees;
mod audit;
mod auth;
mod callbacks;
mod callingbox;
mod contacts;
mod coverage;
mod daemon;
mod desk;
mod document;
mod documents;
mod events;
mod keys;
mod lives;
mod once;
mod own;
mod pointing;
mod retention;
mod setup;
mod sign;
mod strangers;
mod talkover;
mod talkover_calls;
mod talkover_records;
mod talkover_shapes;
mod tenants;
mod touches;
mod webhooks;
