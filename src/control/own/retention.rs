//! What is kept how long, and what forgetting last took.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Anybody,
    },
    dialects::own::RetentionBody,
    domain::Refusal,
};

/// What is kept how long, and what the last daily run has deleted.
#[utoipa::path(get, path = "/retention", tag = "installation",
    responses((status = 200, body = RetentionBody)))]
pub(super) async fn read(State(api): State<Api>, who: Anybody) -> Answer {
    let mut retention = api.store.retention();
    if let Some(tenant) = who.tenant {
        let record = api.read(move |rows| rows.tenant(tenant)).await?;
        retention = retention.of(&record.ok_or(Refusal::TenantNotFound)?.tenant.settings);
    }
    let last = api.store.last_purge();
    let body = RetentionBody::new(who.tenant, retention, last.borrow().as_ref());
    Ok(answer::read(body))
}
