//! The audit trail: who wrote what when, and who read what was said on a call.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    dialects::{Reader, Wrong, id, integer, moment, rfc3339, schema, text},
    domain::{KeyId, Refusal, TenantId, UnixMillis},
};

/// Lines of a page where the client does not say, and at most.
const LIMIT: u32 = 20;
const LIMIT_MAX: u32 = 100;
/// The longest word for something that is done.
const ACTION_LEN_MAX: usize = 64;

/// Which lines are asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// What was done, such as `agent.create`.
    #[param(max_length = 64)]
    pub action: Option<String>,
    /// To whom or what, by id.
    pub subject: Option<Uuid>,
    /// With which key, by its id.
    pub key: Option<Uuid>,
    /// From then on.
    pub since: Option<schema::Moment>,
    /// How many lines.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// Those older than this one.
    pub starting_after: Option<u64>,
    /// Those newer than this one, closest to it.
    pub ending_before: Option<u64>,
}

/// Which lines are meant.
#[derive(Clone, Debug)]
pub struct AuditFields {
    /// What was done.
    pub action: Option<String>,
    /// To whom or what.
    pub subject: Option<Uuid>,
    /// With which key.
    pub key: Option<KeyId>,
    /// From then on.
    pub since: Option<UnixMillis>,
    /// How many.
    pub limit: u32,
    /// Those older than this one.
    pub starting_after: Option<u64>,
    /// Those newer than this one.
    pub ending_before: Option<u64>,
}

/// Reads which lines are meant.
///
/// # Errors
/// A field is not understood.
pub fn audit_fields(mut query: Reader) -> Result<AuditFields, Refusal> {
    let fields = AuditFields {
        action: query.filter("action", text(ACTION_LEN_MAX)),
        subject: query.filter("subject", id),
        key: query.filter("key", id),
        since: query.filter("since", moment),
        limit: query.filter("limit", integer(1..=LIMIT_MAX)).unwrap_or(LIMIT),
        starting_after: query.filter("starting_after", place),
        ending_before: query.filter("ending_before", place),
    };
    if fields.starting_after.is_some() && fields.ending_before.is_some() {
        query.blame("ending_before", "cannot be combined with starting_after");
    }
    query.finish().map(|()| fields)
}

fn place(value: &serde_json::Value) -> Result<u64, Wrong> {
    let found = value.as_str().and_then(|text| text.parse::<u64>().ok());
    let found = found.filter(|place| i64::try_from(*place).is_ok());
    found.ok_or_else(|| "must be the id of a line".into())
}

/// A line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Audit)]
pub struct AuditBody {
    /// Its place in the trail.
    pub id: u64,
    /// When.
    pub at: String,
    /// With which key; without one it was the daemon itself, or a call's runtime.
    pub key_id: Option<Uuid>,
    /// What that key is called, where it is the asker's to know.
    pub key_name: Option<String>,
    /// For which tenant.
    pub tenant_id: Option<Uuid>,
    /// What was done.
    pub action: String,
    /// To whom or what.
    pub subject: Option<Uuid>,
}

impl AuditBody {
    /// A line as it is shown.
    #[must_use]
    pub fn new(
        id: u64,
        at: UnixMillis,
        key: (Option<KeyId>, Option<String>),
        tenant: Option<TenantId>,
        what: (String, Option<Uuid>),
    ) -> Self {
        let ((key, key_name), (action, subject)) = (key, what);
        let (key_id, tenant_id) = (key.map(|key| key.0), tenant.map(|tenant| tenant.0));
        Self { id, at: rfc3339(at), key_id, key_name, tenant_id, action, subject }
    }
}
