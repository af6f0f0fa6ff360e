//! Tenants and keys. A key itself is shown once, in the answer that makes it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, id, member, rfc3339, schema, text},
    domain::{KeyRecord, KeyScope, Refusal, TenantId, TenantRecord},
};

/// A tenant to make.
#[derive(Debug, ToSchema)]
#[schema(as = own::TenantRequest)]
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

/// A key to make.
#[derive(Debug, ToSchema)]
#[schema(as = own::KeyRequest)]
pub struct KeyRequest {
    /// A name for people.
    #[schema(pattern = r"\S", max_length = 255)]
    pub name: String,
    /// What it opens: `tenant` if nothing is said.
    pub scope: Option<schema::KeyScope>,
    /// Whose it is, by id. Where there is one tenant only, it need not be said.
    pub tenant_id: Option<Uuid>,
    /// Whose it is, by name or id; `tenant_id` goes before it.
    #[schema(pattern = r"\S", max_length = 255)]
    pub tenant: Option<String>,
}

/// A key to make.
#[derive(Clone, Debug)]
pub struct KeyFields {
    /// What it opens.
    pub scope: KeyScope,
    /// Whose it is.
    pub tenant: Option<TenantNamed>,
    /// A name for people.
    pub name: String,
}

/// How a tenant is named.
#[derive(Clone, Debug)]
pub enum TenantNamed {
    /// By its id.
    Id(TenantId),
    /// By its name.
    Name(String),
}

/// Reads a key to make.
///
/// # Errors
/// An operator's key names a tenant, or a field is not understood.
pub fn key(body: Value) -> Result<KeyFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let scope = reader.optional("scope", member("tenant, operator")).unwrap_or(KeyScope::Tenant);
    let by_id = reader.optional("tenant_id", id).map(TenantNamed::Id);
    let by_either = reader.optional("tenant", |value| {
        let text = text(255)(value)?;
        Ok(text.parse().map_or_else(|_| TenantNamed::Name(text.clone()), TenantNamed::Id))
    });
    let tenant = by_id.or(by_either);
    if scope == KeyScope::Operator && tenant.is_some() {
        reader.blame("tenant", "an operator's key belongs to no tenant");
    }
    let name = reader.required("name", text(255));
    let Some(name) = name else { return Err(reader.refusal()) };
    reader.finish().map(|()| KeyFields { scope, tenant, name })
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Key)]
pub struct KeyBody {
    id: Uuid,
    #[schema(value_type = schema::KeyScope)]
    scope: &'static str,
    tenant_id: Option<Uuid>,
    name: String,
    /// Its first and last characters.
    hint: String,
    created_at: String,
    revoked_at: Option<String>,
    /// The key itself, in the answer that makes it and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<&KeyRecord> for KeyBody {
    fn from(record: &KeyRecord) -> Self {
        Self {
            id: record.id.0,
            scope: record.scope.as_str(),
            tenant_id: record.tenant.map(|tenant| tenant.0),
            name: record.name.clone(),
            hint: record.hint.clone(),
            created_at: rfc3339(record.created_at),
            revoked_at: record.revoked_at.map(rfc3339),
            key: None,
        }
    }
}

impl KeyBody {
    /// The same with the key itself, the one time it is shown.
    #[must_use]
    pub fn showing(self, key: String) -> Self {
        Self { key: Some(key), ..self }
    }
}
