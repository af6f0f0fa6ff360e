//! The pure layers under random configurations, histories, edits, calls and faults, held against
//! models that share no code with them. A failure prints its seed and the smallest history.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod decision;
mod follower;
mod model;
mod whole;
mod wire;
mod world;

use proptest::prelude::ProptestConfig;

/// So many histories; `SWITCHBACK_HISTORIES` says another number.
fn histories(usual: u32) -> ProptestConfig {
    let told = std::env::var("SWITCHBACK_HISTORIES").ok();
    ProptestConfig::with_cases(told.map_or(usual, |text| text.parse().unwrap()))
}
