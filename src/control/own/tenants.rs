//! Tenants: the operator's.

use axum::extract::State;
use uuid::Uuid;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Operator,
        receive::{At, Body, Params},
    },
    dialects::{
        Page, PageFields,
        own::{TenantBody, TenantRequest, tenant_name},
    },
    domain::{Refusal, TenantId, TenantTie},
    store::Tx,
};

/// Tenants, newest first.
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(PageFields),
    responses((status = 200, body = Page<TenantBody>)))]
pub(super) async fn list(State(api): State<Api>, _: Operator, query: Params) -> Answer {
    let page = PageFields::read(query.0)?;
    let mut found = api.read(|rows| rows.tenants()).await?;
    found.reverse();
    Ok(answer::read(part::<_, TenantBody>(&found, page, |record| record.tenant.id.0)))
}

/// Makes a tenant.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = TenantRequest,
    responses((status = 201, body = TenantBody), (status = 409, description = "The name is taken.")))]
pub(super) async fn create(State(api): State<Api>, operator: Operator, body: Body) -> Answer {
    let name = tenant_name(body.0)?;
    let create = move |tx: &mut Tx<'_>| tx.create_tenant(&name);
    let reply = |_: &Api, record, _| Reply::created(&TenantBody::from(&record));
    api.answer(operator.actor(), create, reply).await
}

/// A tenant.
#[utoipa::path(get, path = "/tenants/{tenant}", tag = "tenants",
    responses((status = 200, body = TenantBody)))]
pub(super) async fn read(State(api): State<Api>, _: Operator, At(id): At<TenantId>) -> Answer {
    let found = api.read(move |rows| rows.tenant(id)).await?;
    Ok(answer::read(TenantBody::from(&found.ok_or(Refusal::TenantNotFound)?)))
}

/// Gives a tenant another name.
#[utoipa::path(patch, path = "/tenants/{tenant}", tag = "tenants", request_body = TenantRequest,
    responses((status = 200, body = TenantBody),
        (status = 409, description = "The name is taken, or the configuration file names the tenant.")))]
pub(super) async fn update(
    State(api): State<Api>,
    operator: Operator,
    At(id): At<TenantId>,
    body: Body,
) -> Answer {
    let name = tenant_name(body.0)?;
    let rename = move |tx: &mut Tx<'_>| tx.rename_tenant(id, &name);
    let reply = |_: &Api, record, _| Reply::ok(&TenantBody::from(&record));
    api.answer(operator.actor(), rename, reply).await
}

/// Removes a tenant with all that it has: keys, agents, numbers, accounts, webhooks, touches, calls
/// and what was said in them. There is no way back. Only the trail of who did what stays, until it
/// is as old as calls may be. Calls, deliveries and touches go a part at a time; who is cut off in
/// between, or told that the tenant has a call in progress by then, asks again.
#[utoipa::path(delete, path = "/tenants/{tenant}", tag = "tenants",
    responses((status = 204, description = "It is gone."),
        (status = 409, description = "It has calls in progress, or the configuration file keeps an \
            account or an upstream of it.")))]
pub(super) async fn remove(
    State(api): State<Api>,
    operator: Operator,
    At(id): At<TenantId>,
) -> Answer {
    if api.upstreams.all().iter().any(|upstream| upstream.settings().tenant == id) {
        return Err(Refusal::TenantStays(TenantTie::File).into());
    }
    // Whoever asks again is answered as before: then there is nothing to empty.
    if let Some(answer) = api.answered_before(operator.actor()).await? {
        return Ok(answer);
    }
    let mut is_more = true;
    while is_more {
        // Of a call that has just begun there may be no row yet.
        if !api.live.of_tenant(id).is_empty() {
            return Err(Refusal::TenantStays(TenantTie::ActiveCalls).into());
        }
        let part = api.store.write(operator.actor(), move |tx| tx.empty_tenant(id));
        is_more = part.await.map_err(crate::control::problem)?.value;
    }
    let remove = move |tx: &mut Tx<'_>| tx.remove_tenant(id);
    let answer = api.answer(operator.actor(), remove, |_, (), _| Reply::none()).await;
    // Also where the answer is that it takes long: the rows may be gone.
    api.keys.forget();
    answer
}

/// A page of a short list that is in memory, in its own order; what comes first counts as newer.
pub(super) fn part<T, B>(all: &[T], page: PageFields, id: impl Fn(&T) -> Uuid) -> Page<B>
where
    B: for<'a> From<&'a T>,
{
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let place = |cursor: Uuid| all.iter().position(|one| id(one) == cursor);
    let (rows, has_more) = match (page.starting_after, page.ending_before) {
        (_, Some(cursor)) => {
            let newer = all.get(..place(cursor).unwrap_or(0)).unwrap_or_default();
            let start = newer.len().saturating_sub(limit);
            (newer.get(start..).unwrap_or_default(), start > 0)
        }
        (after, None) => {
            let start = after.map_or(0, |cursor| place(cursor).map_or(all.len(), |at| at + 1));
            let older = all.get(start..).unwrap_or_default();
            (older.get(..limit).unwrap_or(older), older.len() > limit)
        }
    };
    Page { data: rows.iter().map(B::from).collect(), has_more }
}
