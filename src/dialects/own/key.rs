//! Keys. A key itself is shown once, in the answer that makes it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, Wrong, id, integer, member, moment, rfc3339, schema, text},
    domain::{KeyRecord, KeyScope, Refusal, Scope, Scopes, TenantId, UnixMillis},
};

/// The longest time that a key and the one in its place are good together: a week.
const OVERLAP_SECONDS_MAX: u32 = 7 * 24 * 3600;
/// How long they are where nobody says: as long as a careful roll-out takes.
const OVERLAP_SECONDS: u32 = 24 * 3600;

/// A key to make.
#[derive(Clone, Debug)]
pub struct KeyFields {
    /// What it opens.
    pub scope: KeyScope,
    /// Whose it is.
    pub tenant: Option<TenantNamed>,
    /// A name for people.
    pub name: String,
    /// What it may do there; `None` is everything that its maker may.
    pub scopes: Option<Scopes>,
    /// When it ends by itself; `None` is with its maker.
    pub expires_at: Option<UnixMillis>,
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
    let scopes = reader.optional("scopes", scopes);
    let expires_at = reader.optional("expires_at", moment);
    let name = reader.required("name", text(255));
    let Some(name) = name else { return Err(reader.refusal()) };
    reader.finish().map(|()| KeyFields { scope, tenant, name, scopes, expires_at })
}

fn scopes(value: &Value) -> Result<Scopes, Wrong> {
    let words = value.as_array().filter(|words| !words.is_empty());
    let words = words.ok_or("must be an array of scopes, at least one")?;
    let read = |(at, word)| -> Result<Scope, Wrong> {
        member("read, write, calls")(word).map_err(|wrong: Wrong| wrong.within(at))
    };
    words.iter().enumerate().map(read).collect()
}

/// What making a key takes.
#[derive(Debug, ToSchema)]
#[schema(as = own::KeyRequest, example = json!({ "name": "reports", "scopes": ["read"] }))]
pub struct KeyRequest {
    /// What it opens: `tenant` if nothing is said.
    pub scope: Option<schema::KeyScope>,
    /// Whose it is, by name or id; `tenant_id` goes before it.
    #[schema(pattern = r"\S", max_length = 255)]
    pub tenant: Option<String>,
    /// Whose it is, by id: the asker's own tenant, or the only one, if nothing is said.
    pub tenant_id: Option<Uuid>,
    /// A name for people.
    #[schema(pattern = r"\S", max_length = 255)]
    pub name: String,
    /// What it may do; everything that its maker may, if nothing is said.
    #[schema(min_items = 1)]
    pub scopes: Option<Vec<schema::Scope>>,
    /// When it ends by itself; with its maker, if nothing is said.
    pub expires_at: Option<schema::Moment>,
}

/// What putting a new key in the place of one takes.
#[derive(Debug, ToSchema)]
#[schema(as = own::RotateRequest)]
pub struct RotateRequest {
    /// For how long the old one is good yet; a day by default.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<u32>,
}

/// Reads for how many seconds a key that is replaced is good yet.
///
/// # Errors
/// It is too long, or no number.
pub fn overlap(body: Value) -> Result<u32, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let overlap = reader.optional("overlap_seconds", integer(0..=OVERLAP_SECONDS_MAX));
    reader.finish().map(|()| overlap.unwrap_or(OVERLAP_SECONDS))
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Key)]
pub struct KeyBody {
    id: Uuid,
    #[schema(value_type = schema::KeyScope)]
    scope: &'static str,
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<&'static str>,
    tenant_id: Option<Uuid>,
    name: String,
    /// Its first and last characters.
    hint: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    replaces: Option<Uuid>,
    /// The key itself, the one time it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
}

impl From<&KeyRecord> for KeyBody {
    fn from(record: &KeyRecord) -> Self {
        Self {
            id: record.id.0,
            scope: record.scope.as_str(),
            scopes: record.scopes.iter().map(Scope::as_str).collect(),
            tenant_id: record.tenant.map(|tenant| tenant.0),
            name: record.name.clone(),
            hint: record.hint.clone(),
            created_at: rfc3339(record.created_at),
            expires_at: record.expires_at.map(rfc3339),
            last_used_at: record.last_used_at.map(rfc3339),
            revoked_at: record.revoked_at.map(rfc3339),
            replaces: record.replaces.map(|id| id.0),
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
