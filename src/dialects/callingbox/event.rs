//! What CallingBox calls the steps of a call, and how it tells of them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::CallBody;
use crate::domain::{CallStep, UnixMillis};

/// The generation of events that this is.
const API_VERSION: &str = "2026-04";

/// The names of a step's events. That a call has started, or that a machine answered, is seen in
/// the events before and after; who has reached a machine has reached nobody.
#[must_use]
pub const fn event_names(step: CallStep, by_machine: bool) -> &'static [&'static str] {
    match step {
        CallStep::Completed if by_machine => &["call.no_answer"],
        CallStep::Queued => &["call.queued"],
        CallStep::Started | CallStep::Voicemail => &[],
        CallStep::Ringing => &["call.ringing"],
        CallStep::Answered => &["call.answered"],
        CallStep::Completed => &["call.completed"],
        CallStep::NoAnswer => &["call.no_answer"],
        CallStep::Busy => &["call.busy"],
        CallStep::Canceled => &["call.canceled"],
        CallStep::Failed => &["call.failed"],
    }
}

/// An event's body.
#[must_use]
pub fn event(id: Uuid, name: &str, at: UnixMillis, call: &CallBody) -> Value {
    json!({
        "id": id,
        "type": name,
        "created": at.seconds().0,
        "api_version": API_VERSION,
        "data": { "call": call },
    })
}
