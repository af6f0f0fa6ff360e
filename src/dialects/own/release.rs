//! Requests to give numbers back, for who decides on them.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    dialects::{PageFields, Reader, member, rfc3339, schema},
    domain::{Refusal, ReleaseRecord, ReleaseStatus},
};

/// Which requests are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReleaseQuery {
    /// Standing here only: `pending`, `approved`, `rejected` or `cancelled`.
    #[param(pattern = "^(pending|approved|rejected|cancelled)$")]
    pub status: Option<String>,
}

/// Reads a list's query: where its requests stand, and which page of them.
///
/// # Errors
/// A parameter is not understood.
pub fn release_filter(mut query: Reader) -> Result<(Option<ReleaseStatus>, PageFields), Refusal> {
    let status = query.filter("status", member("pending, approved, rejected, cancelled"));
    let page = PageFields::take(&mut query);
    query.finish().map(|()| (status, page))
}

/// What is decided on a request.
#[derive(Debug, ToSchema)]
#[schema(as = own::ReleaseDecision)]
pub struct ReleaseDecision {
    /// `approved`: the number is removed. `rejected`: it stays.
    #[schema(pattern = "^(approved|rejected)$")]
    pub status: String,
}

/// Reads a decision: whether the number goes.
///
/// # Errors
/// There is none.
pub fn release_decision(body: Value) -> Result<bool, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let goes = reader.required("status", |value| match value.as_str() {
        Some("approved") => Ok(true),
        Some("rejected") => Ok(false),
        Some(_) | None => Err("must be one of approved, rejected".into()),
    });
    goes.ok_or_else(|| reader.refusal())
}

/// A request to give a number back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Release)]
pub struct ReleaseBody {
    id: Uuid,
    /// Who asks.
    tenant_id: Uuid,
    /// The number; once it is removed, nothing has this id.
    number_id: Uuid,
    #[schema(value_type = schema::Phone)]
    e164: String,
    /// Why, in the tenant's words.
    reason: String,
    /// `pending` until somebody decides; `approved` when the number has been removed, by whomever;
    /// `rejected`; `cancelled` by who asked.
    status: &'static str,
    created_at: String,
    /// When it ceased to be pending.
    resolved_at: Option<String>,
}

impl From<&ReleaseRecord> for ReleaseBody {
    fn from(record: &ReleaseRecord) -> Self {
        Self {
            id: record.id.0,
            tenant_id: record.tenant.0,
            number_id: record.number.0,
            e164: record.e164.to_string(),
            reason: record.reason.clone(),
            status: record.status.as_str(),
            created_at: rfc3339(record.created_at),
            resolved_at: record.resolved_at.map(rfc3339),
        }
    }
}
