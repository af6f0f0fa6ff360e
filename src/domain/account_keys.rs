//! What each kind of carrier account is set up with: the keys' names as people write them, in the
//! configuration file and in the API, and what each of them is to the account.

use super::{Account, ApiKey, CarrierId, Secret, SharedKey};

/// One key of a kind of account.
#[derive(Debug)]
pub struct AccountKey {
    /// Its name.
    pub name: &'static str,
    /// What it looks like.
    pub shape: KeyShape,
    /// An account without it is of no use.
    pub is_required: bool,
    /// The key that it is given together with, or not at all.
    pub partner: Option<&'static str>,
    holds: Holds,
}

/// What the value of a key looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// A text that anybody may see.
    Text,
    /// The user of a user and password: a text without a colon (RFC 7617 §2).
    User,
    /// A secret.
    Secret,
    /// One or more secrets.
    Secrets,
    /// Secrets with ids.
    SharedKeys,
}

/// The value of a key.
#[derive(Clone, Debug)]
pub enum KeyValue {
    /// A text that anybody may see.
    Text(String),
    /// A secret.
    Secret(Secret),
    /// One or more secrets.
    Secrets(Vec<Secret>),
    /// Secrets with ids.
    SharedKeys(Vec<SharedKey>),
}

/// What a key is to an account.
#[derive(Clone, Copy, Debug)]
enum Holds {
    AccountId,
    ApplicationId,
    Secrets,
    SharedKeys,
    ApiKeyId,
    ApiKeySecret,
    ClientId,
    ClientSecret,
    /// Of the first secret, what stands before its colon.
    WebhookUser,
    /// And what stands behind.
    WebhookPassword,
    PrivateKey,
}

impl AccountKey {
    const fn new(name: &'static str, shape: KeyShape, holds: Holds) -> Self {
        Self { name, shape, is_required: false, partner: None, holds }
    }

    const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    const fn with(self, partner: &'static str) -> Self {
        Self { partner: Some(partner), ..self }
    }
}

const BANDWIDTH: &[AccountKey] = &[
    AccountKey::new("account_id", KeyShape::Text, Holds::AccountId).required(),
    AccountKey::new("application_id", KeyShape::Text, Holds::ApplicationId),
    AccountKey::new("webhook_user", KeyShape::User, Holds::WebhookUser).required(),
    AccountKey::new("webhook_password", KeyShape::Secret, Holds::WebhookPassword).required(),
    AccountKey::new("client_id", KeyShape::User, Holds::ClientId).with("client_secret"),
    AccountKey::new("client_secret", KeyShape::Secret, Holds::ClientSecret).with("client_id"),
    AccountKey::new("user", KeyShape::User, Holds::ApiKeyId).with("password"),
    AccountKey::new("password", KeyShape::Secret, Holds::ApiKeySecret).with("user"),
];

const PLIVO: &[AccountKey] = &[
    AccountKey::new("account_id", KeyShape::Text, Holds::AccountId).required(),
    AccountKey::new("application_id", KeyShape::Text, Holds::ApplicationId),
    AccountKey::new("secrets", KeyShape::Secrets, Holds::Secrets).required(),
];

const SIGNALWIRE: &[AccountKey] = &[
    AccountKey::new("space", KeyShape::Text, Holds::ApplicationId).required(),
    AccountKey::new("account_id", KeyShape::Text, Holds::AccountId).required(),
    AccountKey::new("secrets", KeyShape::Secrets, Holds::ApiKeySecret).required(),
    AccountKey::new("signing_key", KeyShape::Secret, Holds::Secrets).required(),
];

const TELNYX: &[AccountKey] = &[
    AccountKey::new("api_key", KeyShape::Secret, Holds::ApiKeySecret).required(),
    AccountKey::new("public_keys", KeyShape::Secrets, Holds::Secrets).required(),
    AccountKey::new("connection_id", KeyShape::Text, Holds::ApplicationId),
];

const TELNYX_TEXML: &[AccountKey] = &[
    AccountKey::new("api_key", KeyShape::Secret, Holds::ApiKeySecret).required(),
    AccountKey::new("public_keys", KeyShape::Secrets, Holds::Secrets).required(),
    AccountKey::new("connection_id", KeyShape::Text, Holds::ApplicationId),
    AccountKey::new("account_id", KeyShape::Text, Holds::AccountId),
];

const TWILIO: &[AccountKey] = &[
    AccountKey::new("account_id", KeyShape::Text, Holds::AccountId).required(),
    AccountKey::new("secrets", KeyShape::Secrets, Holds::Secrets).required(),
    AccountKey::new("shared_keys", KeyShape::SharedKeys, Holds::SharedKeys),
    AccountKey::new("api_key_sid", KeyShape::Text, Holds::ApiKeyId).with("api_key_secret"),
    AccountKey::new("api_key_secret", KeyShape::Secret, Holds::ApiKeySecret).with("api_key_sid"),
];

/// The API key is the account's name, and everybody may see it; other carriers' are secrets.
const VONAGE: &[AccountKey] = &[
    AccountKey::new("api_key", KeyShape::Secret, Holds::AccountId).required(),
    AccountKey::new("api_secret", KeyShape::Secret, Holds::ApiKeySecret),
    AccountKey::new("application_id", KeyShape::Text, Holds::ApplicationId).required(),
    AccountKey::new("private_key", KeyShape::Secret, Holds::PrivateKey).required(),
    AccountKey::new("signature_secrets", KeyShape::Secrets, Holds::Secrets).required(),
];

impl CarrierId {
    /// The keys of its accounts.
    #[must_use]
    pub const fn account_keys(self) -> &'static [AccountKey] {
        match self {
            Self::Bandwidth => BANDWIDTH,
            Self::Plivo => PLIVO,
            Self::SignalWire => SIGNALWIRE,
            Self::Telnyx => TELNYX,
            Self::TelnyxTexml => TELNYX_TEXML,
            Self::Twilio => TWILIO,
            Self::Vonage => VONAGE,
        }
    }

    /// The key of that name.
    #[must_use]
    pub fn account_key(self, name: &str) -> Option<&'static AccountKey> {
        self.account_keys().iter().find(|key| key.name == name)
    }

    /// The names of its accounts' keys, for people.
    #[must_use]
    pub fn account_key_names(self) -> String {
        let names: Vec<_> = self.account_keys().iter().map(|key| key.name).collect();
        names.join(", ")
    }

    /// Every name that a key of some kind of account has, each once.
    pub fn all_account_key_names() -> impl Iterator<Item = &'static str> {
        let keys = Self::ALL.iter().enumerate().flat_map(|(at, kind)| {
            let before = Self::ALL.get(..at).unwrap_or_default();
            let is_new =
                |key: &&AccountKey| before.iter().all(|kind| kind.account_key(key.name).is_none());
            kind.account_keys().iter().filter(is_new)
        });
        keys.map(|key| key.name)
    }
}

impl Account {
    /// Sets a key of its kind, or takes it away. A value of another shape changes nothing.
    pub fn put(&mut self, key: &AccountKey, value: Option<KeyValue>) {
        let (mut text, mut secret, mut secrets, mut shared) = (None, None, None, None);
        match value {
            Some(KeyValue::Text(value)) => text = Some(value),
            Some(KeyValue::Secret(value)) => secret = Some(value),
            Some(KeyValue::Secrets(value)) => secrets = Some(value),
            Some(KeyValue::SharedKeys(value)) => shared = Some(value),
            None => {}
        }
        match key.holds {
            Holds::AccountId => {
                let shown = secret.map(|secret| secret.reveal().to_owned());
                self.account_id = text.or(shown).unwrap_or_default();
            }
            Holds::ApplicationId => self.application_id = text.unwrap_or_default(),
            Holds::Secrets => {
                let one = secret.map(|secret| vec![secret]);
                self.secrets = secrets.or(one).unwrap_or_default();
            }
            Holds::SharedKeys => self.shared_keys = shared.unwrap_or_default(),
            Holds::WebhookUser => self.put_webhook(text.as_deref(), None),
            Holds::WebhookPassword => self.put_webhook(None, secret.as_ref()),
            Holds::ClientId => put_id(&mut self.api.client, text),
            Holds::ClientSecret => put_secret(&mut self.api.client, secret),
            Holds::ApiKeyId => put_id(&mut self.api.key, text),
            Holds::ApiKeySecret => {
                let first = secrets.and_then(|secrets| secrets.into_iter().next());
                put_secret(&mut self.api.key, secret.or(first));
            }
            Holds::PrivateKey => self.api.private_key = secret,
        }
    }

    /// Sets one part of the user and password that its webhooks carry, and keeps the other.
    fn put_webhook(&mut self, user: Option<&str>, password: Option<&Secret>) {
        let (old_user, old_password) = self.webhook_user_and_password();
        let user = user.unwrap_or(old_user);
        let password = password.map_or(old_password, Secret::reveal);
        self.secrets = vec![Secret::new(format!("{user}:{password}"))];
    }

    fn webhook_user_and_password(&self) -> (&str, &str) {
        let first = self.secrets.first().map(Secret::reveal);
        first.and_then(|text| text.split_once(':')).unwrap_or_default()
    }

    /// Whether a key of its kind is set.
    #[must_use]
    pub fn has(&self, key: &AccountKey) -> bool {
        match key.holds {
            Holds::AccountId => !self.account_id.is_empty(),
            Holds::ApplicationId => !self.application_id.is_empty(),
            Holds::Secrets => !self.secrets.is_empty(),
            Holds::SharedKeys => !self.shared_keys.is_empty(),
            Holds::WebhookUser => !self.webhook_user_and_password().0.is_empty(),
            Holds::WebhookPassword => !self.webhook_user_and_password().1.is_empty(),
            Holds::ClientId => has_id(self.api.client.as_ref()),
            Holds::ClientSecret => has_secret(self.api.client.as_ref()),
            Holds::ApiKeyId => has_id(self.api.key.as_ref()),
            Holds::ApiKeySecret => has_secret(self.api.key.as_ref()),
            Holds::PrivateKey => self.api.private_key.is_some(),
        }
    }
}

fn has_id(key: Option<&ApiKey>) -> bool {
    key.is_some_and(|key| !key.id.is_empty())
}

fn has_secret(key: Option<&ApiKey>) -> bool {
    key.is_some_and(|key| !key.secret.reveal().is_empty())
}

fn put_id(key: &mut Option<ApiKey>, id: Option<String>) {
    match (key.as_mut(), id) {
        (Some(key), Some(id)) => key.id = id,
        (None, Some(id)) => *key = Some(ApiKey { id, secret: Secret::new(String::new()) }),
        (_, None) => *key = None,
    }
}

fn put_secret(key: &mut Option<ApiKey>, secret: Option<Secret>) {
    match (key.as_mut(), secret) {
        (Some(key), Some(secret)) => key.secret = secret,
        (None, Some(secret)) => *key = Some(ApiKey { id: String::new(), secret }),
        (_, None) => *key = None,
    }
}
