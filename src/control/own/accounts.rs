//! Carrier accounts: a tenant's own, or for operators every one.

use std::{convert::Infallible, str::FromStr};

use axum::extract::State;
use http::{HeaderMap, HeaderValue, Method, header};

use super::tenants::part;
use crate::{
    carriers::{self, Request},
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::{Anybody, Operator},
        receive::{At, Body, Named, Params},
    },
    dialects::{
        Page, PageFields,
        own::{
            AccountBody, AccountPatchRequest, AccountRequest, SignFields, SignRequest, SignedBody,
            account, account_patch, sign as to_sign,
        },
    },
    domain::{Account, AccountId, Refusal},
    store::Tx,
    telemetry::clock,
};

/// An account by its name or its id.
pub(super) struct NameOrId(pub(super) AccountId);

impl FromStr for NameOrId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse().unwrap_or_else(|_| AccountId::of_name(text))))
    }
}

impl Named for NameOrId {
    const PARAMETER: &'static str = "account";
    const GONE: Refusal = Refusal::AccountNotFound;
}

/// Carrier accounts by name: the tenant's own, or for operators all.
#[utoipa::path(get, path = "/carrier-accounts", tag = "carrier-accounts", params(PageFields),
    responses((status = 200, body = Page<AccountBody>)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody, query: Params) -> Answer {
    let page = PageFields::read(query.0)?;
    let found = api.read(move |rows| rows.accounts_of(who.tenant)).await?;
    Ok(answer::read(part::<_, AccountBody>(&found, page, |account| account.id.0)))
}

/// A carrier account, by its name or its id.
#[utoipa::path(get, path = "/carrier-accounts/{account}", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The carrier account's name or id.")),
    responses((status = 200, body = AccountBody)))]
pub(super) async fn read(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
) -> Answer {
    let found = api.read(move |rows| rows.account_of(who.tenant, id)).await?;
    let account = found.ok_or(Refusal::AccountNotFound)?;
    Ok(answer::read(AccountBody::from(&account)))
}

/// Adds a carrier account; an operator may leave it to all tenants.
#[utoipa::path(post, path = "/carrier-accounts", tag = "carrier-accounts",
    request_body = AccountRequest,
    responses((status = 201, body = AccountBody),
        (status = 404, description = "There is no such tenant."),
        (status = 409, description = "The name is taken.")))]
pub(super) async fn create(State(api): State<Api>, who: Anybody, body: Body) -> Answer {
    let account = account(body.0, who.tenant)?;
    if !carriers::room(account.carrier).is_account_id(&account.account_id) {
        let message = format!("Is no account of {}.", account.carrier);
        return Err(Refusal::invalid("account_id", message).into());
    }
    let add = move |tx: &mut Tx<'_>| tx.add_account(account);
    let reply = |_: &Api, account, _| Reply::created(&AccountBody::from(&account));
    api.answer(who.actor(), add, reply).await
}

/// Changes a carrier account. What is not given stays.
#[utoipa::path(patch, path = "/carrier-accounts/{account}", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The carrier account's name or id.")),
    request_body = AccountPatchRequest,
    responses((status = 200, body = AccountBody),
        (status = 409, description = "The configuration file keeps the account.")))]
pub(super) async fn update(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    body: Body,
) -> Answer {
    let found = api.read(move |rows| rows.account_of(who.tenant, id)).await?;
    // Its carrier never changes.
    let carrier = found.ok_or(Refusal::AccountNotFound)?.carrier;
    let patch = account_patch(body.0, carrier, who.tenant.is_none())?;
    let update =
        move |tx: &mut Tx<'_>| tx.update_account(who.tenant, id, |account| patch.apply(account));
    let reply = |_: &Api, account, _| Reply::ok(&AccountBody::from(&account));
    api.answer(who.actor(), update, reply).await
}

/// Removes a carrier account that no number needs.
#[utoipa::path(delete, path = "/carrier-accounts/{account}", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The carrier account's name or id.")),
    responses((status = 200, body = AccountBody),
        (status = 409, description = "Numbers need it, or the configuration file keeps it.")))]
pub(super) async fn remove(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_account(who.tenant, id);
    let reply = |_: &Api, account, _| Reply::ok(&AccountBody::from(&account));
    api.answer(who.actor(), remove, reply).await
}

/// Signs a request of a test call as the carrier would.
///
/// Who makes one then needs no secret. Only a request to this account's own URLs here: no way to
/// speak in the account's name elsewhere.
#[utoipa::path(post, path = "/carrier-accounts/{account}/sign", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The carrier account's name or id.")),
    request_body = SignRequest, responses((status = 200, body = SignedBody)))]
pub(super) async fn sign(
    State(api): State<Api>,
    operator: Operator,
    At(NameOrId(id)): At<NameOrId>,
    body: Body,
) -> Answer {
    if !api.settings.allow_sign {
        return Err(Refusal::SigningOff.into());
    }
    let asked = to_sign(body.0)?;
    let public_url = api.settings.public_url.clone();
    let media = format!("{}/media/", api.settings.media_url);
    let url = asked.url.clone();
    let allow = move |tx: &mut Tx<'_>| {
        let account = tx.sign_as(id)?;
        let own = format!("{public_url}/carriers/{}/", account.name);
        if url.starts_with(&own) || url.starts_with(&media) {
            return Ok(account);
        }
        let message = format!("Must begin with {own} or {media}.");
        Err(Refusal::invalid("url", message).into())
    };
    let reply = move |_: &Api, account: Account, _| Reply::ok(&signed(&asked, &account));
    api.answer(operator.actor(), allow, reply).await
}

/// The headers by which the carrier would prove this request.
fn signed(asked: &SignFields, account: &Account) -> SignedBody {
    let (mut headers, mut method) = (HeaderMap::new(), Method::GET);
    if asked.has_form {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        method = Method::POST;
    }
    let body = asked.body.as_bytes();
    let request = Request { method: &method, url: &asked.url, headers: &headers, body };
    let signed = carriers::room(account.carrier).sign(&request, account, clock::now());
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = signed.iter().map(|(name, value)| (name.to_string(), text(value)));
    SignedBody { headers: headers.collect() }
}
