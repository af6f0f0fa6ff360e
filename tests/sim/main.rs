//! The pure layers under random configurations, histories, edits, calls and faults, held against
//! models that share no code with them. A failure prints its seed and the smallest history.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "tests"
)]

mod decision;
mod follower;
mod model;
mod whole;
mod wire;
mod world;
