//! Where a call in progress shall go on.

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{PrivateHosts, Reader, id, target::target},
    domain::{AgentId, Refusal, Target},
};

/// A target that takes over a call.
#[derive(Debug, ToSchema)]
#[schema(as = own::TransferRequest)]
pub struct TransferRequest {
    /// As on agents, but `busy` and `reject`.
    #[schema(max_length = 4096, example = "tel:+14155550100")]
    pub target: String,
}

/// An agent who takes over a call.
#[derive(Debug, ToSchema)]
#[schema(as = own::MoveRequest)]
pub struct MoveRequest {
    /// A live inbound agent.
    pub agent_id: Uuid,
}

/// Reads where a call is to be transferred.
///
/// # Errors
/// It is no target, or one that only refuses.
pub fn transfer(body: Value, private: PrivateHosts) -> Result<Target, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let read = reader.required("target", |value| {
        let read = target(private)(value)?;
        let refuses = matches!(read, Target::Busy | Target::Reject);
        if refuses {
            Err("cannot refuse a call in progress: hang up instead".into())
        } else {
            Ok(read)
        }
    });
    read.ok_or_else(|| reader.refusal())
}

/// Reads which agent is to take over.
///
/// # Errors
/// It is no id.
pub fn move_to(body: Value) -> Result<AgentId, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let agent = reader.required("agent_id", id);
    agent.ok_or_else(|| reader.refusal())
}
