//! CallingBox's number object, which is also our own. It has no price: nothing is sold here.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::InboundShown;
use crate::{
    dialects::{NumberShown, WarningBody, schema},
    domain::{NumberRecord, Target},
};

/// A number. `account`, `passthrough` and `managed_by` are ours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::Number)]
pub struct NumberBody {
    id: Uuid,
    #[schema(value_type = schema::Phone)]
    e164: String,
    friendly_name: Option<String>,
    country_code: Option<&'static str>,
    number_type: &'static str,
    status: &'static str,
    monthly_cost_cents: u32,
    purchased_at: String,
    /// The inbound agent that answers its calls.
    inbound_agent_id: Option<Uuid>,
    outbound_agent_ids: Vec<Uuid>,
    /// The name of the carrier account that delivers its calls.
    account: Option<String>,
    /// What becomes of a call that is no return call.
    #[schema(value_type = Option<schema::Target>)]
    passthrough: Option<String>,
    /// The name of the upstream that it is mirrored from; it is given up there, not here.
    managed_by: Option<String>,
    /// What the number says itself of how it is answered.
    #[serde(flatten)]
    #[schema(inline)]
    inbound: InboundShown,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<WarningBody>>,
}

impl NumberBody {
    /// A number and the name of the account that delivers its calls.
    #[must_use]
    pub fn new(record: &NumberRecord, account: Option<&str>) -> Self {
        let shown = NumberShown::from(record);
        let implicit = record.inbound.as_ref().map(|config| config.agent);
        let named = record.default_agent.filter(|agent| Some(*agent) != implicit);
        Self {
            id: record.id.0,
            e164: record.e164.to_string(),
            friendly_name: record.friendly_name.clone(),
            country_code: shown.country,
            number_type: if shown.is_toll_free { "toll_free" } else { "local" },
            status: "active",
            monthly_cost_cents: 0,
            purchased_at: shown.created_at,
            inbound_agent_id: named.map(|agent| agent.0),
            outbound_agent_ids: shown.outbound,
            account: account.map(str::to_owned),
            passthrough: record.passthrough.as_ref().map(Target::to_string),
            managed_by: record.upstream.clone(),
            inbound: InboundShown::new(record.inbound.as_ref()),
            warnings: None,
        }
    }

    /// The same with what the write warns of.
    #[must_use]
    pub fn warns(self, warnings: Vec<WarningBody>) -> Self {
        Self { warnings: Some(warnings), ..self }
    }
}
