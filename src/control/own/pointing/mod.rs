//! The numbers of a carrier account: who answers each there, pointing them here, and back.
//!
//! Nothing is changed at a carrier but for numbers that a request names. What is there is written
//! down before it is changed; each change is read back.

mod check;
mod describe;
mod plan;
mod point;
mod survey;
mod unpoint;

use std::time::Duration;

use axum::{extract::State, response::Response};
use serde::Serialize;

use super::accounts::NameOrId;
use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Anybody,
        receive::{At, Body, Params},
    },
    dialects::{
        Reader,
        own::{
            CheckBody, CheckRequest, ListedBody, PointRequest, PointedBody, UnpointRequest,
            check as to_check, point as to_point, unpoint as to_unpoint,
        },
        text,
    },
    domain::Refusal,
};
use survey::Survey;

/// How long a request goes on with one number after another; the rest wait for another request.
/// A number takes a carrier three requests, and a request here may take a minute.
const WORKS_FOR: Duration = Duration::from_secs(35);

/// One page of the numbers of a carrier account, as the carrier lists them, and who answers each.
///
/// By a shared account a tenant's key is told of the tenant's own numbers only.
#[utoipa::path(get, path = "/carrier-accounts/{account}/numbers", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The account's name or id"),
        ("page" = Option<String>, Query, description = "Which page, from the answer before.")),
    responses((status = 200, body = ListedBody),
        (status = 502, description = "The carrier does not list its numbers")))]
pub(super) async fn list(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    query: Params,
) -> Answer {
    let page = page(query.0)?;
    let mut survey = Survey::open(&api, who, id).await?;
    let next_page = survey.list_page(&api, page.as_deref()).await?;
    survey.read_answering_applications(&api).await?;
    let data = survey.visible().map(|held| describe::at_carrier(&survey, held)).collect();
    Ok(answer::read(ListedBody { data, next_page }))
}

fn page(mut reader: Reader) -> Result<Option<String>, Refusal> {
    let page = reader.filter("page", text(1024));
    reader.finish().map(|()| page)
}

/// Points numbers here at their carrier. Who answers them today becomes their passthrough, and
/// whom the carrier falls back to.
///
/// Each number is made the tenant's own first, so that no call is without an answer. It can be
/// repeated: what is pointed stays so.
#[utoipa::path(post, path = "/carrier-accounts/{account}/numbers/point", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The account's name or id")),
    request_body = PointRequest,
    responses((status = 200, body = PointedBody),
        (status = 502, description = "The carrier does not list its numbers")))]
pub(super) async fn point(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    Body(body): Body,
) -> Answer {
    let fields = to_point(body)?;
    if let Some(answer) = api.answered_before(who.actor()).await? {
        return Ok(answer);
    }
    let mut survey = Survey::open(&api, who, id).await?;
    survey.list_all(&api).await?;
    let plan = plan::Plan::of(&api, &mut survey, &fields).await?;
    if fields.is_dry_run {
        return Ok(unchanged(&api, &plan.body(&survey, true)));
    }
    let done = point::carry_out(&api, who, &survey, plan).await?;
    let (account, confirmed, body) = (survey.account.id, done.confirmed, done.body);
    let confirm = move |tx: &mut crate::store::Tx<'_>| tx.confirm_pointing(account, &confirmed);
    api.answer(who.actor(), confirm, move |_, (), _| Reply::ok(&body)).await
}

/// Puts numbers back to what they were at their carrier before they were pointed here, field by
/// field. They stay the tenant's; the passthrough that they were given goes.
///
/// What somebody has changed at the carrier since is not touched, unless forced.
#[utoipa::path(post, path = "/carrier-accounts/{account}/numbers/unpoint",
    tag = "carrier-accounts",
    params(("account" = String, Path, description = "The account's name or id")),
    request_body = UnpointRequest,
    responses((status = 200, body = PointedBody)))]
pub(super) async fn unpoint(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    Body(body): Body,
) -> Answer {
    let fields = to_unpoint(body)?;
    if let Some(answer) = api.answered_before(who.actor()).await? {
        return Ok(answer);
    }
    let survey = Survey::open(&api, who, id).await?;
    let done = unpoint::carry_out(&api, &survey, &fields).await?;
    if fields.is_dry_run {
        return Ok(unchanged(&api, &done.body));
    }
    let (account, ended, body) = (survey.account.id, done.ended, done.body);
    let application = done.application;
    let end = move |tx: &mut crate::store::Tx<'_>| {
        tx.end_pointing(account, &ended, application.as_deref())
    };
    api.answer(who.actor(), end, move |_, (), _| Reply::ok(&body)).await
}

/// Says which numbers were changed at their carrier behind Switchback's back, and how the others
/// stand. It changes nothing.
#[utoipa::path(post, path = "/carrier-accounts/{account}/numbers/check", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The account's name or id")),
    request_body = CheckRequest,
    responses((status = 200, body = CheckBody),
        (status = 502, description = "The carrier does not list its numbers")))]
pub(super) async fn check(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    Body(body): Body,
) -> Answer {
    let fields = to_check(body)?;
    let mut survey = Survey::open(&api, who, id).await?;
    survey.list_all(&api).await?;
    survey.read_answering_applications(&api).await?;
    Ok(unchanged(&api, &check::compare(&survey, &fields)))
}

/// What is answered to a request that could have changed something, and did not.
fn unchanged(api: &Api, body: &impl Serialize) -> Response {
    Reply::ok(body).at(*api.applied.borrow())
}
