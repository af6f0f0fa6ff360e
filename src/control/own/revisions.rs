//! The history of a tenant's configuration, and the way back.

use axum::extract::State;
use utoipa::IntoParams;
use uuid::Uuid;

use super::setup::{came, changed};
use crate::{
    control::{
        Api,
        answer::{self, Answer, paging},
        auth::Caller,
        receive::{At, Params},
    },
    dialects::{
        Page, PageFields,
        own::{AppliedBody, RevisionBody, RevisionWholeBody, rollback},
    },
    domain::{Refusal, RevisionId},
    store::{Tx, Until},
};

/// The list's query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct RevisionsQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Those older than this one.
    starting_after: Option<Uuid>,
    /// Those newer than this one, closest to it.
    ending_before: Option<Uuid>,
}

/// Every write that changed the tenant's configuration, newest first.
#[utoipa::path(get, path = "/revisions", tag = "configuration", params(RevisionsQuery),
    responses((status = 200, body = Page<RevisionBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let page = PageFields::read(query.0)?;
    let listed = api.read(move |rows| rows.revisions(caller.tenant, &paging(page))).await?;
    let data: Vec<_> = listed.rows.iter().map(RevisionBody::from).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

/// What one write did, thing by thing.
#[utoipa::path(get, path = "/revisions/{revision}", tag = "configuration",
    responses((status = 200, body = RevisionWholeBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<RevisionId>) -> Answer {
    let (record, changes, names) = api
        .read(move |rows| {
            let record = rows.revision(caller.tenant, id)?.ok_or(Refusal::RevisionNotFound)?;
            let changes = rows.revised(&record)?;
            let names = rows.names(&changes)?;
            Ok((record, changes, names))
        })
        .await?;
    Ok(answer::read(RevisionWholeBody::new(&record, &changes, &names)))
}

/// How a revision is gone back to.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct RollbackQuery {
    /// Rehearse it only.
    plan: Option<bool>,
    /// Undo the revision itself too: the state before it, not after it.
    before: Option<bool>,
}

/// Puts everything back as it was after a revision, by a write like any other: it leaves a revision
/// of its own. What was deleted comes back under its id.
#[utoipa::path(post, path = "/revisions/{revision}/rollback", tag = "configuration",
    params(RollbackQuery),
    responses((status = 200, body = AppliedBody),
        (status = 409, description = "A number that would come back is somebody's meanwhile.")))]
pub(super) async fn roll_back(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<RevisionId>,
    query: Params,
) -> Answer {
    let fields = rollback(query.0)?;
    let until = if fields.before { Until::Before } else { Until::After };
    let tenant = caller.tenant;
    let change = move |tx: &mut Tx<'_>| {
        let changes = tx.roll_back(tenant, id, until)?;
        came(tx, tenant, changes)
    };
    changed(&api, caller.actor(), fields.plan, change).await
}
