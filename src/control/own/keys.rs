//! Keys: an operator's of everybody, a tenant's of its tenant, none that go further than itself.

use axum::extract::State;

use super::tenants::part;
use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Anybody,
        keys,
        receive::{At, Body, Params},
    },
    dialects::{
        Page, PageFields,
        own::{KeyBody, KeyRequest, RotateRequest, TenantNamed, key, overlap},
    },
    domain::{KeyId, KeyRecord, KeyScope, Refusal, TenantId},
    store::{NewKey, Rows, Tx, WriteError},
};

/// Keys, newest first: the tenant's, or for operators all.
#[utoipa::path(get, path = "/keys", tag = "keys", params(PageFields),
    responses((status = 200, body = Page<KeyBody>)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody, query: Params) -> Answer {
    let page = PageFields::read(query.0)?;
    let found = api.read(move |rows| rows.keys(who.tenant)).await?;
    Ok(answer::read(part::<_, KeyBody>(&found, page, |record| record.id.0)))
}

/// Makes a key that goes no further than the one that makes it, and shows it this once.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = KeyRequest,
    responses((status = 201, body = KeyBody), (status = 404, description = "There is no such tenant.")))]
pub(super) async fn create(State(api): State<Api>, who: Anybody, body: Body) -> Answer {
    let fields = key(body.0)?;
    let (text, secret) = keys::mint(fields.scope);
    let create = move |tx: &mut Tx<'_>| {
        let tenant = match (fields.scope, who.tenant) {
            (KeyScope::Operator, None) => None,
            (KeyScope::Operator, Some(_)) => return Err(Refusal::KeyWider.into()),
            (KeyScope::Tenant, own) => Some(tenant(tx, own, fields.tenant)?),
        };
        let new = NewKey {
            scope: fields.scope,
            tenant,
            name: fields.name,
            scopes: fields.scopes.unwrap_or(who.reach.scopes),
            expires_at: fields.expires_at.or(who.reach.expires_at),
        };
        tx.add_key(&who.reach, &new, &secret)
    };
    api.answer(who.actor(), create, |_, record, _| shown_once(&record, text)).await
}

/// Makes a key in the place of one, which is good for a while yet, and shows it this once.
#[utoipa::path(post, path = "/keys/{key}/rotate", tag = "keys", request_body = RotateRequest,
    responses((status = 201, body = KeyBody), (status = 409, description = "The key is over.")))]
pub(super) async fn rotate(
    State(api): State<Api>,
    who: Anybody,
    At(id): At<KeyId>,
    body: Body,
) -> Answer {
    let overlap_ms = u64::from(overlap(body.0)?) * 1000;
    let scope = api.read(move |rows| rows.key(id)).await?.map_or(KeyScope::Tenant, |key| key.scope);
    let (text, secret) = keys::mint(scope);
    let rotate = move |tx: &mut Tx<'_>| tx.rotate_key(&who.reach, id, overlap_ms, &secret);
    let answer = api.answer(who.actor(), rotate, |_, record, _| shown_once(&record, text)).await;
    api.keys.forget();
    answer
}

/// Revokes a key: it opens nothing any more.
#[utoipa::path(delete, path = "/keys/{key}", tag = "keys",
    responses((status = 200, body = KeyBody)))]
pub(super) async fn revoke(State(api): State<Api>, who: Anybody, At(id): At<KeyId>) -> Answer {
    let revoke = move |tx: &mut Tx<'_>| tx.revoke_key(&who.reach, id);
    let reply = |_: &Api, record, _| Reply::ok(&KeyBody::from(&record));
    let answer = api.answer(who.actor(), revoke, reply).await;
    // Also where the answer is that it takes long: the row may be written.
    api.keys.forget();
    answer
}

fn shown_once(record: &KeyRecord, text: String) -> Reply {
    Reply::created(&KeyBody::from(record).showing(text)).then(&KeyBody::from(record))
}

/// The tenant that is named, else the asker's, else the only one.
fn tenant(
    rows: &Rows<'_>,
    own: Option<TenantId>,
    named: Option<TenantNamed>,
) -> Result<TenantId, WriteError> {
    let found = match (named, own) {
        (Some(TenantNamed::Id(id)), _) => rows.tenant(id)?,
        (Some(TenantNamed::Name(name)), _) => rows.tenant_by_name(&name)?,
        (None, Some(own)) => rows.tenant(own)?,
        (None, None) => match rows.tenants()?.as_slice() {
            [only] => Some(only.clone()),
            _ => {
                let message = "Is required: there is more than one tenant.";
                return Err(Refusal::invalid("tenant", message).into());
            }
        },
    };
    let found = found.map(|found| found.tenant.id);
    // Another tenant is as unknown as none.
    let found = found.filter(|id| own.is_none_or(|own| own == *id));
    found.ok_or_else(|| Refusal::TenantNotFound.into())
}
