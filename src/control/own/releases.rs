//! Requests to give numbers back: a tenant makes them through Talkover's dialect, an operator
//! decides. Nothing is released at a carrier: whoever decides ends the number's rent there.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply, paging},
        auth::{Anybody, Operator},
        receive::{At, Body, Params},
    },
    dialects::{
        Page, PageFields,
        own::{ReleaseBody, ReleaseDecision, ReleaseQuery, release_decision, release_filter},
    },
    domain::ReleaseId,
    store::Tx,
};

/// Requests to give numbers back, newest first: the tenant's, or for operators everybody's.
#[utoipa::path(get, path = "/release-requests", tag = "numbers",
    params(ReleaseQuery, PageFields), responses((status = 200, body = Page<ReleaseBody>)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody, query: Params) -> Answer {
    let (status, page) = release_filter(query.0)?;
    let page = paging(page);
    let listed = api.read(move |rows| rows.releases(who.tenant, status, &page)).await?;
    let data: Vec<_> = listed.rows.iter().map(ReleaseBody::from).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

/// Decides on a request to give a number back: the operator's.
///
/// Approved, the number is removed here, as if its tenant had removed it. The carrier is not told.
#[utoipa::path(patch, path = "/release-requests/{release}", tag = "numbers",
    request_body = ReleaseDecision,
    responses((status = 200, body = ReleaseBody),
        (status = 409, description = "It is decided, or taken back; or agents have the number.")))]
pub(super) async fn decide(
    State(api): State<Api>,
    operator: Operator,
    At(id): At<ReleaseId>,
    Body(body): Body,
) -> Answer {
    let goes = release_decision(body)?;
    let decide = move |tx: &mut Tx<'_>| tx.decide_release(id, goes);
    let reply = |_: &Api, record, _| Reply::ok(&ReleaseBody::from(&record));
    api.answer(operator.actor(), decide, reply).await
}
