//! Tenants.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, rfc3339, text},
    domain::{Refusal, TenantRecord},
};

/// A tenant to make.
#[derive(Debug, ToSchema)]
#[schema(as = own::TenantRequest, example = json!({ "name": "a-team" }))]
pub struct TenantRequest {
    /// Its name; no two have the same.
    #[schema(pattern = r"\S", max_length = 255)]
    pub name: String,
}

/// Reads the name of a tenant to make.
///
/// # Errors
/// There is none.
pub fn tenant_name(body: Value) -> Result<String, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let name = reader.required("name", text(255));
    name.ok_or_else(|| reader.refusal())
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Tenant)]
pub struct TenantBody {
    id: Uuid,
    name: String,
    created_at: String,
}

impl From<&TenantRecord> for TenantBody {
    fn from(record: &TenantRecord) -> Self {
        Self {
            id: record.tenant.id.0,
            name: record.tenant.name.clone(),
            created_at: rfc3339(record.created_at),
        }
    }
}
