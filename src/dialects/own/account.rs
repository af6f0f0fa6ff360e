//! Carrier accounts. Their secrets come in and never go out.

use std::num::NonZeroU32;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Given, Reader, Wrong, id, integer, member, schema, text},
    domain::{
        Account, AccountApi, AccountId, AccountOrigin, ApiKey, Refusal, Secret, SharedKey, TenantId,
    },
};

/// Secrets an account may have: two while they rotate, and some for who forgets the old ones.
const SECRETS_MAX: usize = 8;

/// An account to make.
#[derive(Debug, ToSchema)]
#[schema(as = own::AccountRequest)]
pub struct AccountRequest {
    /// Its name, which is part of its URLs.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub name: String,
    /// Its carrier.
    pub kind: schema::Carrier,
    /// Its id at the carrier.
    #[schema(pattern = r"\S", max_length = 64)]
    pub account_id: String,
    /// What the carrier signs with; any of them is taken.
    #[schema(min_items = 1, max_items = 8)]
    pub secrets: Vec<SecretText>,
    /// Keys shared with who sends media on the carrier's behalf.
    #[schema(max_items = 8)]
    pub shared_keys: Option<Vec<SharedKeyRequest>>,
    /// Where its API is, if not at the carrier's own address; for operators.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://api.example.com")]
    pub api_url: Option<String>,
    /// The id of the key for its API; given together with the secret.
    #[schema(pattern = r"\S", max_length = 64)]
    pub api_key_sid: Option<String>,
    /// The secret of the key for its API.
    #[schema(pattern = r"\S", max_length = 512)]
    pub api_key_secret: Option<String>,
    /// Calls placed a second at most.
    #[schema(minimum = 1, maximum = 1000)]
    pub calls_per_second: Option<u32>,
    /// Whose it is; for operators. Without it tenants share the account.
    pub tenant_id: Option<Uuid>,
}

/// What is to change of an account.
#[derive(Debug, ToSchema)]
#[schema(as = own::AccountPatchRequest)]
pub struct AccountPatchRequest {
    /// All its secrets from now on.
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub secrets: Option<Vec<SecretText>>,
    /// All its shared keys from now on.
    #[schema(max_items = 8, nullable = false)]
    pub shared_keys: Option<Vec<SharedKeyRequest>>,
    /// Where its API is; null is the carrier's own address. For operators.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://api.example.com")]
    pub api_url: Option<String>,
    /// The id of the key for its API; null, alone, is the first secret.
    #[schema(pattern = r"\S", max_length = 64)]
    pub api_key_sid: Option<String>,
    /// The secret of the key for its API.
    #[schema(pattern = r"\S", max_length = 512)]
    pub api_key_secret: Option<String>,
    /// Calls placed a second at most.
    #[schema(minimum = 1, maximum = 1000, nullable = false)]
    pub calls_per_second: Option<u32>,
}

/// A secret.
#[derive(Debug, ToSchema)]
#[schema(pattern = r"\S", max_length = 512)]
pub struct SecretText(pub String);

/// A shared key.
#[derive(Debug, ToSchema)]
#[schema(as = own::SharedKey)]
pub struct SharedKeyRequest {
    /// Its id.
    #[schema(pattern = r"\S", max_length = 512)]
    pub id: String,
    /// Its secret.
    #[schema(pattern = r"\S", max_length = 512)]
    pub secret: String,
}

/// Reads an account to make. An operator's request may name its tenant, or none: then tenants
/// share it.
///
/// # Errors
/// A field is missing or not understood.
pub fn account(body: Value, owner: Option<TenantId>) -> Result<Account, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let name = reader.required("name", name);
    let carrier = reader.required("kind", member("twilio"));
    let account_id = reader.required("account_id", text(64));
    let secrets = reader.required("secrets", secrets);
    let shared_keys = reader.optional("shared_keys", shared_keys).unwrap_or_default();
    let api = api(&mut reader, AccountApi::default(), owner.is_none());
    let tenant = match owner {
        Some(owner) => Some(owner),
        None => reader.optional("tenant_id", id),
    };
    let (Some(name), Some(carrier), Some(account_id), Some(secrets)) =
        (name, carrier, account_id, secrets)
    else {
        return Err(reader.refusal());
    };
    reader.finish()?;
    let id = AccountId::of_name(&name);
    let origin = AccountOrigin::Api;
    let application_id = String::new();
    Ok(Account {
        id,
        name,
        carrier,
        tenant,
        account_id,
        application_id,
        secrets,
        shared_keys,
        api,
        origin,
    })
}

/// What changes of an account; `None` stays as it is.
#[derive(Clone, Debug)]
pub struct AccountPatchFields {
    /// All its secrets.
    pub secrets: Option<Vec<Secret>>,
    /// All its shared keys.
    pub shared_keys: Option<Vec<SharedKey>>,
    /// Its API's place; `Some(None)` is the carrier's.
    pub api_url: Given<String>,
    /// Its API's key; `Some(None)` is its first secret.
    pub api_key: Given<ApiKey>,
    /// Calls placed a second at most.
    pub calls_per_second: Option<NonZeroU32>,
}

/// Reads a change of an account.
///
/// # Errors
/// A field is not understood.
pub fn account_patch(body: Value, is_operator: bool) -> Result<AccountPatchFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let fields = AccountPatchFields {
        secrets: reader.present("secrets", secrets),
        shared_keys: reader.present("shared_keys", shared_keys),
        api_url: api_url(&mut reader, is_operator),
        api_key: api_key(&mut reader),
        calls_per_second: reader.present("calls_per_second", calls_per_second),
    };
    reader.finish().map(|()| fields)
}

/// Where the account's API is. It is asked with the account's secrets from inside our network, so
/// only who runs the installation may say.
fn api_url(reader: &mut Reader, is_operator: bool) -> Given<String> {
    if !is_operator && reader.has("api_url") {
        reader.blame("api_url", "is for an operator's key or the configuration file to set");
    }
    reader.given("api_url", |value| {
        let url = text(2048)(value)?;
        let url = url.trim_end_matches('/');
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_base = |rest: &str| {
            !rest.starts_with('/') && !rest.contains(['?', '#', '@', ' ']) && !rest.is_empty()
        };
        match rest {
            Some(rest) if is_base(rest) => Ok(url.to_owned()),
            Some(_) | None => Err("must be an http:// or https:// URL without a query".into()),
        }
    })
}

fn api_key(reader: &mut Reader) -> Given<ApiKey> {
    let id = reader.given("api_key_sid", text(64));
    let secret = reader.given("api_key_secret", text(512));
    match (id, secret) {
        (None, None) => None,
        (Some(None), None | Some(None)) => Some(None),
        (Some(Some(id)), Some(Some(secret))) => {
            Some(Some(ApiKey { id, secret: Secret::new(secret) }))
        }
        _ => {
            reader.blame("api_key_sid", "and api_key_secret must be given together");
            None
        }
    }
}

fn calls_per_second(value: &Value) -> Result<NonZeroU32, Wrong> {
    let found = integer(1..=1000)(value)?;
    NonZeroU32::new(found).ok_or_else(|| "must be at least 1".into())
}

fn api(reader: &mut Reader, default: AccountApi, is_operator: bool) -> AccountApi {
    AccountApi {
        url: api_url(reader, is_operator).flatten().or(default.url),
        key: api_key(reader).flatten().or(default.key),
        calls_per_second: reader
            .present("calls_per_second", calls_per_second)
            .unwrap_or(default.calls_per_second),
        ..default
    }
}

/// A name that can be part of a URL.
fn name(value: &Value) -> Result<String, Wrong> {
    let name = text(64)(value)?;
    if Account::is_name(&name) {
        Ok(name)
    } else {
        Err("must be letters, digits, - and _: it is part of the URL".into())
    }
}

fn secrets(value: &Value) -> Result<Vec<Secret>, Wrong> {
    let values = value.as_array().filter(|list| (1..=SECRETS_MAX).contains(&list.len()));
    let values = values.ok_or("must be an array of 1 to 8 secrets")?;
    let read = |(at, value)| text(512)(value).map(Secret::new).map_err(|wrong| wrong.within(at));
    values.iter().enumerate().map(read).collect()
}

fn shared_keys(value: &Value) -> Result<Vec<SharedKey>, Wrong> {
    let values = value.as_array().filter(|list| list.len() <= SECRETS_MAX);
    let values = values.ok_or("must be an array of at most 8 objects with id and secret")?;
    let read = |(at, value): (usize, &Value)| {
        let field = |name: &str| {
            let value = value.get(name).unwrap_or(&Value::Null);
            text(512)(value).map_err(|wrong| wrong.within(name).within(at))
        };
        Ok(SharedKey { id: field("id")?, secret: Secret::new(field("secret")?) })
    };
    values.iter().enumerate().map(read).collect()
}

/// An account, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Account)]
pub struct AccountBody {
    id: Uuid,
    name: String,
    #[schema(value_type = schema::Carrier)]
    kind: &'static str,
    /// Its id at the carrier.
    account_id: String,
    /// Whose it is; null where tenants share it.
    tenant_id: Option<Uuid>,
    #[schema(value_type = schema::AccountOrigin)]
    origin: &'static str,
    /// How many secrets it has.
    secrets: usize,
    /// The ids of its shared keys.
    shared_keys: Vec<String>,
    /// Where its API is; null is the carrier's own address.
    api_url: Option<String>,
    /// The id of the key for its API; null is the first secret.
    api_key_sid: Option<String>,
    /// Calls placed a second at most.
    calls_per_second: u32,
}

impl From<&Account> for AccountBody {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.clone(),
            kind: account.carrier.as_str(),
            account_id: account.account_id.clone(),
            tenant_id: account.tenant.map(|tenant| tenant.0),
            origin: account.origin.as_str(),
            secrets: account.secrets.len(),
            shared_keys: account.shared_keys.iter().map(|key| key.id.clone()).collect(),
            api_url: account.api.url.clone(),
            api_key_sid: account.api.key.as_ref().map(|key| key.id.clone()),
            calls_per_second: account.api.calls_per_second.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_refused(change: &Value, field: &str) {
        let mut body = json!({ "name": "main", "kind": "twilio", "account_id": "AC1",
            "secrets": ["s3cret"] });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        match account(body, None) {
            Err(Refusal::Invalid(errors)) => assert_eq!(errors[0].field, field, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_an_account_is_said_by_field() {
        check_refused(&json!({ "name": "a b" }), "name");
        check_refused(&json!({ "kind": "pigeon" }), "kind");
        check_refused(&json!({ "account_id": null }), "account_id");
        check_refused(&json!({ "secrets": [] }), "secrets");
        check_refused(&json!({ "secrets": ["a", 1] }), "secrets.1");
        check_refused(&json!({ "shared_keys": [{ "id": "k" }] }), "shared_keys.0.secret");
    }

    #[test]
    fn an_account_is_shown_without_its_secrets() {
        let body = json!({ "name": "main", "kind": "twilio", "account_id": "AC1",
            "secrets": ["s3cret"], "shared_keys": [{ "id": "k", "secret": "t0ken" }] });
        let account = account(body, None).unwrap();
        let shown = serde_json::to_string(&AccountBody::from(&account)).unwrap();
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn only_an_operator_says_where_an_api_is() {
        let body = json!({ "api_url": "http://127.0.0.1:4010/" });
        assert!(account_patch(body.clone(), false).is_err());
        let patch = account_patch(body, true).unwrap();
        assert_eq!(patch.api_url, Some(Some("http://127.0.0.1:4010".to_owned())));
        for url in ["127.0.0.1", "ftp://x", "https://", "https://a/?b", "https://u@h"] {
            assert!(account_patch(json!({ "api_url": url }), true).is_err(), "{url}");
        }
        let key = json!({ "api_key_sid": "SK1", "api_key_secret": "s3cret" });
        assert_eq!(account_patch(key, false).unwrap().api_key.unwrap().unwrap().id, "SK1");
        assert!(account_patch(json!({ "api_key_sid": "SK1" }), false).is_err());
        let cleared = json!({ "api_key_sid": null, "api_url": null, "calls_per_second": 5 });
        let patch = account_patch(cleared, true).unwrap();
        assert_eq!((patch.api_key, patch.api_url), (Some(None), Some(None)));
        assert_eq!(patch.calls_per_second.unwrap().get(), 5);
        assert!(account_patch(json!({ "calls_per_second": 0 }), false).is_err());
    }
}
