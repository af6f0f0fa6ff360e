//! What a daemon says of itself, for `doctor`.

use serde::Serialize;
use utoipa::ToSchema;

/// A daemon.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Status)]
pub struct StatusBody {
    /// Its version.
    pub version: &'static str,
    /// Its clock, in seconds since 1970.
    pub now: u64,
    /// Where carriers are told to send webhooks.
    pub public_url: String,
    /// Where carriers are told to open media sockets.
    pub media_url: String,
    /// The names of the accounts that the asker can use.
    pub accounts: Vec<String>,
    /// Live inbound agents that are passed over because they have no target.
    pub agents_without_target: usize,
    /// The last entry of the control log that is in the index.
    pub seq: u64,
}
