//! Tenants and keys: the operator's. A tenant's key may see which keys its tenant has.

use axum::extract::State;
use uuid::Uuid;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::{Anybody, Operator},
        keys,
        receive::{At, Body, Params},
    },
    dialects::{
        Page, PageFields,
        own::{KeyBody, KeyRequest, TenantBody, TenantNamed, TenantRequest, key, tenant_name},
    },
    domain::{KeyId, KeyScope, Refusal, TenantId},
    store::{Rows, Tx, WriteError},
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

/// Keys, newest first: the tenant's, or for operators all.
#[utoipa::path(get, path = "/keys", tag = "keys", operation_id = "list", params(PageFields),
    responses((status = 200, body = Page<KeyBody>)))]
pub(super) async fn keys(State(api): State<Api>, who: Anybody, query: Params) -> Answer {
    let page = PageFields::read(query.0)?;
    let found = api.read(move |rows| rows.keys(who.tenant)).await?;
    Ok(answer::read(part::<_, KeyBody>(&found, page, |record| record.id.0)))
}

/// Makes a key, and shows it this once.
#[utoipa::path(post, path = "/keys", tag = "keys", operation_id = "create",
    request_body = KeyRequest,
    responses((status = 201, body = KeyBody), (status = 404, description = "There is no such tenant.")))]
pub(super) async fn create_key(State(api): State<Api>, operator: Operator, body: Body) -> Answer {
    let fields = key(body.0)?;
    let (text, secret) = keys::mint(fields.scope);
    let create = move |tx: &mut Tx<'_>| {
        let tenant = match fields.scope {
            KeyScope::Tenant => Some(tenant(tx, fields.tenant)?),
            KeyScope::Operator => None,
        };
        tx.create_key(fields.scope, tenant, &fields.name, &secret)
    };
    let reply = |_: &Api, record, _| {
        let shown_once = KeyBody::from(&record).showing(text);
        Reply::created(&shown_once).then(&KeyBody::from(&record))
    };
    api.answer(operator.actor(), create, reply).await
}

/// Revokes a key: it opens nothing any more.
#[utoipa::path(delete, path = "/keys/{key}", tag = "keys", operation_id = "revoke",
    responses((status = 200, body = KeyBody)))]
pub(super) async fn revoke_key(
    State(api): State<Api>,
    operator: Operator,
    At(id): At<KeyId>,
) -> Answer {
    let revoke = move |tx: &mut Tx<'_>| tx.revoke_key(None, id);
    let reply = |_: &Api, record, _| Reply::ok(&KeyBody::from(&record));
    let answer = api.answer(operator.actor(), revoke, reply).await;
    // Also where the answer is that it takes long: the row may be written.
    api.keys.forget();
    answer
}

/// The tenant that is named, else the only one.
fn tenant(rows: &Rows<'_>, named: Option<TenantNamed>) -> Result<TenantId, WriteError> {
    let found = match named {
        Some(TenantNamed::Id(id)) => rows.tenant(id)?,
        Some(TenantNamed::Name(name)) => rows.tenant_by_name(&name)?,
        None => match rows.tenants()?.as_slice() {
            [only] => Some(only.clone()),
            _ => {
                let message = "Is required: there is more than one tenant.";
                return Err(Refusal::invalid("tenant", message).into());
            }
        },
    };
    found.map(|found| found.tenant.id).ok_or_else(|| Refusal::TenantNotFound.into())
}

/// A page of a short list that is in memory, newest first.
fn part<T, B>(all: &[T], page: PageFields, id: impl Fn(&T) -> Uuid) -> Page<B>
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
