//! Carrier accounts. Their secrets come in and never go out.

use std::num::NonZeroU32;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Given, Reader, Wrong, id, integer, member, schema, text},
    domain::{
        Account, AccountKey, AccountOrigin, ByteOrder, CarrierId, KeyShape, KeyValue, Refusal,
        Secret, SharedKey, TenantId,
    },
};

/// Secrets an account may have: two while they rotate, and some for who forgets the old ones.
const SECRETS_MAX: usize = 8;

/// The longest secret: a private key of 4096 bits, as PEM, has 3.2 KiB.
const SECRET_LEN_MAX: usize = 4096;

/// An account to make.
#[derive(Debug, ToSchema)]
#[schema(as = own::AccountRequest)]
pub struct AccountRequest {
    /// Its name, which is part of its URLs.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub name: String,
    /// Its carrier.
    pub kind: schema::Carrier,
    /// Its id at the carrier (bandwidth, plivo, signalwire, twilio).
    #[schema(pattern = r"\S", max_length = 64, nullable = false)]
    pub account_id: Option<String>,
    /// The carrier's id for the application that numbers are put to (plivo: those that are bought;
    /// bandwidth: which places calls; vonage).
    #[schema(pattern = r"\S", max_length = 64)]
    pub application_id: Option<String>,
    /// The space that it is in: the first part of its host's name (signalwire).
    #[schema(pattern = r"\S", max_length = 64, nullable = false)]
    pub space: Option<String>,
    /// What webhooks are signed with (signalwire).
    #[schema(pattern = r"\S", max_length = 512, nullable = false)]
    pub signing_key: Option<String>,
    /// What the carrier signs with; any of them is taken (plivo, twilio). What its API is asked
    /// with (signalwire).
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub secrets: Option<Vec<SecretText>>,
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
    /// The key to its API (telnyx, telnyx_texml); its name at the carrier (vonage).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub api_key: Option<String>,
    /// The secret to its API that goes with the key (vonage).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub api_secret: Option<String>,
    /// The application's private key, as PEM (vonage).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub private_key: Option<String>,
    /// What webhooks' tokens are signed with; any of them is taken (vonage).
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub signature_secrets: Option<Vec<SecretText>>,
    /// What its carrier signs with; any of them is taken (telnyx, telnyx_texml).
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub public_keys: Option<Vec<SecretText>>,
    /// The carrier's id for the connection that its numbers are put to (telnyx, telnyx_texml).
    #[schema(pattern = r"\S", max_length = 64)]
    pub connection_id: Option<String>,
    /// The user that webhooks come with: what the carrier's application is given (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64, nullable = false)]
    pub webhook_user: Option<String>,
    /// The password that webhooks come with (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub webhook_password: Option<String>,
    /// Who is given tokens for its API; given together with the secret (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64)]
    pub client_id: Option<String>,
    /// The secret of who is given tokens for its API (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub client_secret: Option<String>,
    /// A user of its API, where no tokens are asked for; given together with the password
    /// (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64)]
    pub user: Option<String>,
    /// The password of that user (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub password: Option<String>,
    /// Calls placed a second at most.
    #[schema(minimum = 1, maximum = 1000)]
    pub calls_per_second: Option<u32>,
    /// Which byte of linear audio comes first at the carrier.
    #[schema(value_type = Option<schema::ByteOrder>)]
    pub byte_order: Option<String>,
    /// Whose it is; for operators. Without it tenants share the account.
    pub tenant_id: Option<Uuid>,
}

/// What is to change of an account.
#[derive(Debug, ToSchema)]
#[schema(as = own::AccountPatchRequest)]
pub struct AccountPatchRequest {
    /// The space that it is in (signalwire).
    #[schema(pattern = r"\S", max_length = 64, nullable = false)]
    pub space: Option<String>,
    /// What webhooks are signed with from now on (signalwire).
    #[schema(pattern = r"\S", max_length = 512, nullable = false)]
    pub signing_key: Option<String>,
    /// The carrier's id for the application that numbers are put to; null is none.
    #[schema(pattern = r"\S", max_length = 64)]
    pub application_id: Option<String>,
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
    /// The key to its API (telnyx, telnyx_texml); its name at the carrier (vonage).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub api_key: Option<String>,
    /// The secret to its API that goes with the key (vonage).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub api_secret: Option<String>,
    /// The application's private key, as PEM (vonage).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub private_key: Option<String>,
    /// What webhooks' tokens are signed with; any of them is taken (vonage).
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub signature_secrets: Option<Vec<SecretText>>,
    /// What its carrier signs with; any of them is taken (telnyx, telnyx_texml).
    #[schema(min_items = 1, max_items = 8, nullable = false)]
    pub public_keys: Option<Vec<SecretText>>,
    /// The carrier's id for the connection that its numbers are put to (telnyx, telnyx_texml).
    #[schema(pattern = r"\S", max_length = 64)]
    pub connection_id: Option<String>,
    /// The user that webhooks come with: what the carrier's application is given (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64, nullable = false)]
    pub webhook_user: Option<String>,
    /// The password that webhooks come with (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096, nullable = false)]
    pub webhook_password: Option<String>,
    /// Who is given tokens for its API; given together with the secret (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64)]
    pub client_id: Option<String>,
    /// The secret of who is given tokens for its API (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub client_secret: Option<String>,
    /// A user of its API, where no tokens are asked for; given together with the password
    /// (bandwidth).
    #[schema(pattern = r"^[^:]*[^:\s][^:]*$", max_length = 64)]
    pub user: Option<String>,
    /// The password of that user (bandwidth).
    #[schema(pattern = r"\S", max_length = 4096)]
    pub password: Option<String>,
    /// Calls placed a second at most.
    #[schema(minimum = 1, maximum = 1000, nullable = false)]
    pub calls_per_second: Option<u32>,
    /// Which byte of linear audio comes first at the carrier.
    #[schema(value_type = Option<schema::ByteOrder>, nullable = false)]
    pub byte_order: Option<String>,
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
    let carrier = reader.required("kind", kind);
    let (Some(name), Some(carrier)) = (name, carrier) else { return Err(reader.refusal()) };
    let mut account = Account::named(name, carrier, AccountOrigin::Api);
    let fields = patch_fields(&mut reader, carrier, owner.is_none());
    fields.apply(&mut account);
    for key in carrier.account_keys() {
        if key.is_required && !account.has(key) && !fields.is_about(key) {
            reader.blame(key.name, "is required");
        }
    }
    account.tenant = match owner {
        Some(owner) => Some(owner),
        None => reader.optional("tenant_id", id),
    };
    reader.finish().map(|()| account)
}

/// What changes of an account; what is not given stays as it is.
#[derive(Clone, Debug)]
pub struct AccountPatchFields {
    keys: Vec<(&'static AccountKey, Option<KeyValue>)>,
    wrong: Vec<&'static str>,
    api_url: Given<String>,
    calls_per_second: Option<NonZeroU32>,
    byte_order: Option<ByteOrder>,
}

impl AccountPatchFields {
    /// Changes the account.
    pub fn apply(&self, account: &mut Account) {
        for (key, value) in &self.keys {
            account.put(key, value.clone());
        }
        let api = &mut account.api;
        api.url = self.api_url.clone().unwrap_or_else(|| api.url.take());
        api.calls_per_second = self.calls_per_second.unwrap_or(api.calls_per_second);
        api.byte_order = self.byte_order.unwrap_or(api.byte_order);
    }

    /// Something was said of the key, right or wrong.
    fn is_about(&self, key: &AccountKey) -> bool {
        self.wrong.contains(&key.name)
    }
}

/// Reads a change of an account of that carrier.
///
/// # Errors
/// A field is not understood.
pub fn account_patch(
    body: Value,
    carrier: CarrierId,
    is_operator: bool,
) -> Result<AccountPatchFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let fields = patch_fields(&mut reader, carrier, is_operator);
    reader.finish().map(|()| fields)
}

fn patch_fields(reader: &mut Reader, carrier: CarrierId, is_operator: bool) -> AccountPatchFields {
    for name in CarrierId::all_account_key_names() {
        if carrier.account_key(name).is_none() && reader.has(name) {
            let names = carrier.account_key_names();
            reader.blame(name, format!("is no key of {carrier}, which has {names}"));
        }
    }
    let (mut keys, mut wrong) = (Vec::new(), Vec::new());
    for key in carrier.account_keys() {
        let is_there = reader.has(key.name);
        let value = match key.shape {
            KeyShape::Text => given(reader, key, |value| text(64)(value).map(KeyValue::Text)),
            KeyShape::User => given(reader, key, |value| user(value).map(KeyValue::Text)),
            KeyShape::Secret => given(reader, key, |value| {
                text(SECRET_LEN_MAX)(value).map(|text| KeyValue::Secret(Secret::new(text)))
            }),
            KeyShape::Secrets => given(reader, key, |value| secrets(value).map(KeyValue::Secrets)),
            KeyShape::SharedKeys => {
                given(reader, key, |value| shared_keys(value).map(KeyValue::SharedKeys))
            }
        };
        match value {
            Some(value) => keys.push((key, value)),
            None if is_there => wrong.push(key.name),
            None => {}
        }
    }
    let mut alone = Vec::new();
    for (key, value) in &keys {
        let Some(partner) = key.partner else { continue };
        let found = keys.iter().find(|(key, _)| key.name == partner).map(|(_, value)| value);
        if value.is_some() && !found.is_some_and(Option::is_some) {
            alone.push((key.name, partner));
        }
    }
    for (name, partner) in alone {
        reader.blame(name, format!("and {partner} must be given together"));
    }
    AccountPatchFields {
        keys,
        wrong,
        api_url: api_url(reader, is_operator),
        calls_per_second: reader.present("calls_per_second", calls_per_second),
        byte_order: reader.present("byte_order", member("little or big")),
    }
}

/// A key that may be taken away by null, unless the account is of no use without it.
fn given(
    reader: &mut Reader,
    key: &AccountKey,
    read: impl FnOnce(&Value) -> Result<KeyValue, Wrong>,
) -> Given<KeyValue> {
    if key.is_required || key.shape == KeyShape::SharedKeys {
        reader.present(key.name, read).map(Some)
    } else {
        reader.given(key.name, read)
    }
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

fn calls_per_second(value: &Value) -> Result<NonZeroU32, Wrong> {
    let found = integer(1..=1000)(value)?;
    NonZeroU32::new(found).ok_or_else(|| "must be at least 1".into())
}

fn kind(value: &Value) -> Result<CarrierId, Wrong> {
    let found = value.as_str().and_then(|text| text.parse().ok());
    found.ok_or_else(|| {
        let kinds: Vec<_> = CarrierId::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("must be one of {}", kinds.join(", ")).into()
    })
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

/// The user of a user and password.
fn user(value: &Value) -> Result<String, Wrong> {
    let user = text(64)(value)?;
    if user.contains(':') { Err("must not hold a colon".into()) } else { Ok(user) }
}

fn secrets(value: &Value) -> Result<Vec<Secret>, Wrong> {
    let values = value.as_array().filter(|list| (1..=SECRETS_MAX).contains(&list.len()));
    let values = values.ok_or("must be an array of 1 to 8 secrets")?;
    let read = |(at, value)| {
        text(SECRET_LEN_MAX)(value).map(Secret::new).map_err(|wrong| wrong.within(at))
    };
    values.iter().enumerate().map(read).collect()
}

fn shared_keys(value: &Value) -> Result<Vec<SharedKey>, Wrong> {
    let values = value.as_array().filter(|list| list.len() <= SECRETS_MAX);
    let values = values.ok_or("must be an array of at most 8 objects with id and secret")?;
    let read = |(at, value): (usize, &Value)| {
        let field = |name: &str| {
            let value = value.get(name).unwrap_or(&Value::Null);
            text(SECRET_LEN_MAX)(value).map_err(|wrong| wrong.within(name).within(at))
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
    /// The carrier's id for the application that numbers are put to, or the space that the account
    /// is in; null is none.
    application_id: Option<String>,
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
    /// Which byte of linear audio comes first at the carrier.
    #[schema(value_type = schema::ByteOrder)]
    byte_order: &'static str,
}

impl From<&Account> for AccountBody {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.clone(),
            kind: account.carrier.as_str(),
            account_id: account.account_id.clone(),
            application_id: Some(account.application_id.clone()).filter(|id| !id.is_empty()),
            tenant_id: account.tenant.map(|tenant| tenant.0),
            origin: account.origin.as_str(),
            secrets: account.secrets.len(),
            shared_keys: account.shared_keys.iter().map(|key| key.id.clone()).collect(),
            api_url: account.api.url.clone(),
            api_key_sid: account
                .api
                .key
                .as_ref()
                .map(|key| key.id.clone())
                .filter(|id| !id.is_empty()),
            calls_per_second: account.api.calls_per_second.get(),
            byte_order: account.api.byte_order.as_str(),
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
        assert!(account_patch(body.clone(), CarrierId::Twilio, false).is_err());
        let patch = account_patch(body, CarrierId::Twilio, true).unwrap();
        assert_eq!(patch.api_url, Some(Some("http://127.0.0.1:4010".to_owned())));
        for url in ["127.0.0.1", "ftp://x", "https://", "https://a/?b", "https://u@h"] {
            assert!(
                account_patch(json!({ "api_url": url }), CarrierId::Twilio, true).is_err(),
                "{url}"
            );
        }
        let key = json!({ "api_key_sid": "SK1", "api_key_secret": "s3cret" });
        let mut account = Account::named("main".to_owned(), CarrierId::Twilio, AccountOrigin::Api);
        account_patch(key, CarrierId::Twilio, false).unwrap().apply(&mut account);
        assert_eq!(account.api.key.as_ref().unwrap().id, "SK1");
        let alone = json!({ "api_key_sid": "SK1" });
        assert!(account_patch(alone, CarrierId::Twilio, false).is_err());
        let cleared = json!({ "api_key_sid": null, "api_url": null, "calls_per_second": 5 });
        let patch = account_patch(cleared, CarrierId::Twilio, true).unwrap();
        patch.apply(&mut account);
        assert_eq!((account.api.key, account.api.url), (None, None));
        assert_eq!(account.api.calls_per_second.get(), 5);
        assert!(account_patch(json!({ "calls_per_second": 0 }), CarrierId::Twilio, false).is_err());
    }
}
