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
    domain::{Refusal, TenantId},
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

/// A page of a short list that is in memory, newest first.
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
