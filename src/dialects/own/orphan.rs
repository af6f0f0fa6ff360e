//! Calls of other people's dialers of which nobody can say who made them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    dialects::{rfc3339, schema},
    domain::{OrphanCause, StrayEvent},
};

/// Such a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Orphan)]
pub struct OrphanBody {
    #[schema(value_type = schema::OrphanCause)]
    cause: &'static str,
    account: Option<String>,
    carrier_call_id: String,
    from: Option<String>,
    to: Option<String>,
    agent: Option<String>,
    #[schema(value_type = Option<schema::CallStatus>)]
    status: Option<&'static str>,
    at: String,
}

impl OrphanBody {
    /// What was last told of it, why it makes no touch, and the name of the account.
    #[must_use]
    pub fn new(event: StrayEvent, cause: OrphanCause, account: Option<String>) -> Self {
        Self {
            cause: cause.as_str(),
            account,
            carrier_call_id: event.carrier_call_id,
            from: event.from.map(|number| number.to_string()),
            to: event.to.map(|number| number.to_string()),
            agent: event.agent,
            status: event.status.map(crate::domain::CallStatus::as_str),
            at: rfc3339(event.at),
        }
    }
}
