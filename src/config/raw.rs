//! The configuration as written: every key with its default, nothing interpreted.
//!
//! The defaults here are the ones `config/switchback.toml` shows; a test holds the two equal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// `[edge]`
    pub edge: RawEdge,
    /// `[control]`
    pub control: RawControl,
    /// `[admin]`
    pub admin: RawAdmin,
    /// `[store]`
    pub store: RawStore,
    /// `[runtime]`
    pub runtime: RawRuntime,
    /// `[outbox]`
    pub outbox: RawOutbox,
    /// `[retention]`
    pub retention: RawRetention,
    /// `[telemetry]`
    pub telemetry: RawTelemetry,
    /// `[[carrier_accounts]]`
    pub carrier_accounts: Vec<RawAccount>,
    /// `[[upstream]]`
    pub upstream: Vec<RawUpstream>,
}

/// `[edge]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawEdge {
    /// Where carriers are listened for.
    pub listen: String,
    /// The URL carriers reach it by.
    pub public_url: String,
    /// The URL carriers open media sockets at; empty: `public_url` as ws or wss.
    pub media_url: String,
    /// How long a stop waits for calls.
    pub drain_seconds: u64,
    /// Proxies whose `X-Forwarded-*` headers count, as addresses or networks.
    pub trusted_proxies: Vec<String>,
    /// Connections that one address may have at once.
    pub connections_per_address: u32,
    /// Threads that speak with carriers; 0: one a core.
    pub workers: u16,
    /// `[edge.tls]`
    pub tls: RawTls,
}

/// `[edge.tls]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawTls {
    /// The certificate with its chain, PEM; empty: no TLS.
    pub cert: String,
    /// Its key, PEM.
    pub key: String,
}

impl Default for RawEdge {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: "http://127.0.0.1:8080".to_owned(),
            media_url: String::new(),
            drain_seconds: 300,
            trusted_proxies: Vec::new(),
            connections_per_address: 2000,
            workers: 0,
            tls: RawTls::default(),
        }
    }
}

/// `[control]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawControl {
    /// Where the control API listens.
    pub listen: String,
    /// The URL that it is reached by from outside; empty: nobody is told one.
    pub public_url: String,
    /// Whether operators may have requests signed though `listen` is not on loopback.
    pub allow_sign: bool,
    /// Requests a minute that a key may make.
    pub requests_per_minute: u32,
}

impl Default for RawControl {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8081".to_owned(),
            public_url: String::new(),
            allow_sign: false,
            requests_per_minute: 60_000,
        }
    }
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAdmin {
    /// Where metrics and health are.
    pub listen: String,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned() }
    }
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawStore {
    /// `sqlite:` and a path.
    pub url: String,
}

impl Default for RawStore {
    fn default() -> Self {
        Self { url: "sqlite:switchback.db".to_owned() }
    }
}

/// `[runtime]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRuntime {
    /// Whether runtimes may be on loopback and private addresses.
    pub allow_private: bool,
    /// Certificates of private authorities, PEM.
    pub ca_file: String,
    /// For agents without targets.
    pub default_target: String,
    /// Whether runtimes are opened before their calls' media.
    pub prewarm: bool,
    /// What callers hear while their next runtime is dialled.
    pub comfort_tone: String,
}

impl Default for RawRuntime {
    fn default() -> Self {
        Self {
            allow_private: true,
            ca_file: String::new(),
            default_target: String::new(),
            prewarm: true,
            comfort_tone: "soft".to_owned(),
        }
    }
}

/// `[outbox]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawOutbox {
    /// Whether webhooks and `redirect:` targets may be on loopback and private addresses.
    pub allow_private: bool,
}

/// `[retention]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRetention {
    /// How long touches are kept.
    pub touches: String,
    /// How long call rows are kept.
    pub calls: String,
    /// How long what was said in calls is kept.
    pub transcripts: String,
}

impl Default for RawRetention {
    fn default() -> Self {
        Self { touches: "400d".to_owned(), calls: "400d".to_owned(), transcripts: "90d".to_owned() }
    }
}

/// `[telemetry]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawTelemetry {
    /// `text` or `json`.
    pub log_format: String,
    /// What is logged.
    pub log_filter: String,
}

impl Default for RawTelemetry {
    fn default() -> Self {
        Self { log_format: "text".to_owned(), log_filter: "info".to_owned() }
    }
}

/// One of `[[carrier_accounts]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAccount {
    /// Part of the URL given to the carrier.
    pub name: String,
    /// Which carrier.
    pub kind: String,
    /// The one tenant it serves; empty: shared.
    pub tenant: String,
    /// The carrier's name for it.
    pub account_id: String,
    /// The carrier's id for the application that its numbers are put to.
    pub application_id: String,
    /// The space that the account is in.
    pub space: String,
    /// The first signs or sends, all verify.
    pub secrets: Vec<RawSecret>,
    /// What webhooks are signed with, where that is not one of the secrets.
    pub signing_key: RawSecret,
    /// Keys for SHA-256 signatures.
    pub shared_keys: Vec<RawSharedKey>,
    /// Where the carrier's API is; empty: where the carrier has it.
    pub api_url: String,
    /// The carrier's id for a key to its API; empty: the first secret is the key.
    pub api_key_sid: String,
    /// That key.
    pub api_key_secret: RawSecret,
    /// The key to its API.
    pub api_key: RawSecret,
    /// The secret to its API that goes with the key.
    pub api_secret: RawSecret,
    /// The key that tokens for its API are signed with, as PEM.
    pub private_key: RawSecret,
    /// What webhooks' tokens are signed with: all verify.
    pub signature_secrets: Vec<RawSecret>,
    /// What the carrier signs with, as the portal shows it: all verify.
    pub public_keys: Vec<RawSecret>,
    /// The carrier's id for the connection that its numbers are put to.
    pub connection_id: String,
    /// The user that webhooks come with.
    pub webhook_user: String,
    /// And the password.
    pub webhook_password: RawSecret,
    /// Who is given tokens for the API.
    pub client_id: String,
    /// And for what.
    pub client_secret: RawSecret,
    /// A user of the API, where no tokens are asked for.
    pub user: String,
    /// And the password.
    pub password: RawSecret,
    /// Calls placed a second at most.
    pub calls_per_second: u32,
    /// Which byte of linear audio comes first at the carrier.
    pub byte_order: String,
}

/// A key of an account, as written. Without a value it is empty.
#[derive(Clone, Copy, Debug)]
pub enum RawKey<'r> {
    /// A text.
    Text(&'r str),
    /// A secret.
    Secret(&'r RawSecret),
    /// Secrets.
    Secrets(&'r [RawSecret]),
    /// Secrets with ids.
    SharedKeys(&'r [RawSharedKey]),
}

impl RawAccount {
    /// The key of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> RawKey<'_> {
        match name {
            "account_id" => RawKey::Text(&self.account_id),
            "application_id" => RawKey::Text(&self.application_id),
            "space" => RawKey::Text(&self.space),
            "secrets" => RawKey::Secrets(&self.secrets),
            "signing_key" => RawKey::Secret(&self.signing_key),
            "shared_keys" => RawKey::SharedKeys(&self.shared_keys),
            "api_key_sid" => RawKey::Text(&self.api_key_sid),
            "api_key_secret" => RawKey::Secret(&self.api_key_secret),
            "api_key" => RawKey::Secret(&self.api_key),
            "api_secret" => RawKey::Secret(&self.api_secret),
            "private_key" => RawKey::Secret(&self.private_key),
            "signature_secrets" => RawKey::Secrets(&self.signature_secrets),
            "public_keys" => RawKey::Secrets(&self.public_keys),
            "connection_id" => RawKey::Text(&self.connection_id),
            "webhook_user" => RawKey::Text(&self.webhook_user),
            "webhook_password" => RawKey::Secret(&self.webhook_password),
            "client_id" => RawKey::Text(&self.client_id),
            "client_secret" => RawKey::Secret(&self.client_secret),
            "user" => RawKey::Text(&self.user),
            "password" => RawKey::Secret(&self.password),
            _ => RawKey::Text(""),
        }
    }
}

impl Default for RawAccount {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: String::new(),
            tenant: String::new(),
            account_id: String::new(),
            application_id: String::new(),
            space: String::new(),
            secrets: Vec::new(),
            signing_key: RawSecret::default(),
            shared_keys: Vec::new(),
            api_url: String::new(),
            api_key_sid: String::new(),
            api_key_secret: RawSecret::default(),
            api_key: RawSecret::default(),
            api_secret: RawSecret::default(),
            private_key: RawSecret::default(),
            signature_secrets: Vec::new(),
            public_keys: Vec::new(),
            connection_id: String::new(),
            webhook_user: String::new(),
            webhook_password: RawSecret::default(),
            client_id: String::new(),
            client_secret: RawSecret::default(),
            user: String::new(),
            password: RawSecret::default(),
            calls_per_second: 1,
            byte_order: "little".to_owned(),
        }
    }
}

/// One of an account's `shared_keys`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawSharedKey {
    /// The carrier's id for it.
    pub id: String,
    /// The key.
    pub secret: RawSecret,
}

/// One of `[[upstream]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawUpstream {
    /// Whose API it is.
    pub kind: String,
    /// What it is called here; empty: its kind.
    pub name: String,
    /// Whose it is here.
    pub tenant: String,
    /// Where it is; empty: where the service has it.
    pub base_url: String,
    /// The key to it.
    pub key: RawSecret,
    /// What its webhooks are signed with; empty: none is taken.
    pub webhook_secret: RawSecret,
    /// From one pull to the next.
    pub interval: String,
    /// The carrier account of numbers that have none.
    pub carrier_account: String,
    /// `mirror` or `shadow`.
    pub mode: String,
}

impl Default for RawUpstream {
    fn default() -> Self {
        Self {
            kind: String::new(),
            name: String::new(),
            tenant: "default".to_owned(),
            base_url: String::new(),
            key: RawSecret::default(),
            webhook_secret: RawSecret::default(),
            interval: "30s".to_owned(),
            carrier_account: String::new(),
            mode: "mirror".to_owned(),
        }
    }
}

/// A secret: as it is, in a file, or in an environment variable.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RawSecret {
    /// As it is.
    Text(String),
    /// In a file; white space around it is dropped.
    File {
        /// Its path.
        file: String,
    },
    /// In an environment variable.
    Env {
        /// Its name.
        env: String,
    },
}

impl Default for RawSecret {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("<secret>"),
            Self::File { file } => write!(f, "file {file}"),
            Self::Env { env } => write!(f, "env {env}"),
        }
    }
}
