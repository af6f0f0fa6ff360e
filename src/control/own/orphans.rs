//! Calls of other people's dialers that make no touch: the tenant's own, and for operators all.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Anybody,
    },
    dialects::{All, own::OrphanBody},
};

/// Calls of other dialers of which nobody can say who made them.
#[utoipa::path(get, path = "/touches/orphans", tag = "touches",
    responses((status = 200, body = All<OrphanBody>)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody) -> Answer {
    let orphans = api.strays.orphans().into_iter();
    // One whose owner is not known may be anybody's.
    let theirs = orphans.filter(|orphan| who.tenant.is_none() || orphan.tenant == who.tenant);
    let data = theirs.map(|orphan| {
        let account = api.account_name(Some(orphan.event.account));
        OrphanBody::new(orphan.event, orphan.cause, account)
    });
    Ok(answer::read(All { data: data.collect() }))
}
