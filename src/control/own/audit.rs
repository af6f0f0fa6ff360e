//! Who wrote what when: the tenant's own, for operators everybody's.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Anybody,
        receive::Params,
    },
    dialects::{
        Page,
        own::{AuditBody, AuditQuery, audit_fields},
    },
    store::{AuditFilter, AuditPlace, AuditRecord},
};

/// The audit trail, newest first: the tenant's, or for operators everybody's.
#[utoipa::path(get, path = "/audit", tag = "keys", params(AuditQuery),
    responses((status = 200, body = Page<AuditBody>)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody, query: Params) -> Answer {
    let fields = audit_fields(query.0)?;
    let filter = AuditFilter {
        tenant: who.tenant,
        action: fields.action,
        subject: fields.subject,
        key: fields.key,
        since: fields.since,
    };
    let place = AuditPlace {
        limit: fields.limit,
        starting_after: fields.starting_after,
        ending_before: fields.ending_before,
    };
    let listed = api.read(move |rows| rows.audit_page(&filter, place)).await?;
    let data: Vec<_> = listed.rows.into_iter().map(shown).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

fn shown(line: AuditRecord) -> AuditBody {
    let AuditRecord { id, at, key, key_name, tenant, action, subject } = line;
    AuditBody::new(id, at, (key, key_name), tenant, (action, subject))
}
