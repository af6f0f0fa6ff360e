//! The configuration, read twice: as written ([`raw`]), then as meant ([`Config`]).
//!
//! The environment is read here and nowhere else, through a closure, so that no test needs one.

mod account;
mod error;
mod net;
mod parse;
pub mod raw;
mod upstream;

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::ConfigError;
pub use upstream::UpstreamConfig;

use crate::{
    domain::{Account, Retention, Secret, Target, TenantId},
    edge::Network,
    media::comfort::ComfortTone,
    telemetry::log::LogFormat,
};

/// How the environment is read: a variable's value, if it is set.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is its one home")]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where everything that is kept lies.
    pub data_dir: PathBuf,
    /// The carriers' side.
    pub edge: EdgeConfig,
    /// Where the control API listens.
    pub control_listen: SocketAddr,
    /// The URL that it is reached by from outside, without a trailing slash.
    pub control_url: Option<String>,
    /// Whether operators may have requests signed though the control API is not on loopback.
    pub allow_sign: bool,
    /// Requests a minute that a key may make; `None` is as many as it likes.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Where metrics and health are.
    pub admin_listen: SocketAddr,
    /// The database.
    pub store_path: PathBuf,
    /// The runtimes' side.
    pub runtime: RuntimeConfig,
    /// Whether what is asked on a tenant's word, webhooks and `redirect:` URLs, may be on loopback
    /// and private addresses.
    pub outbox_private: bool,
    /// How long what is kept; touches as long unless a tenant says otherwise.
    pub retention: Retention,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_filter: String,
    /// The accounts the file keeps.
    pub accounts: Vec<AccountConfig>,
    /// Hosted control APIs to pull from.
    pub upstreams: Vec<UpstreamConfig>,
    /// `SWITCHBACK_BOOTSTRAP_KEY`: the first start's tenant key.
    pub bootstrap_key: Option<Secret>,
    /// `SWITCHBACK_OPERATOR_KEY`: the first start's operator key.
    pub operator_key: Option<Secret>,
}

/// The carriers' side.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeConfig {
    /// Where carriers are listened for.
    pub listen: SocketAddr,
    /// The URL carriers reach it by, without a trailing slash.
    pub public_url: String,
    /// The URL carriers open media sockets at, without a trailing slash.
    pub media_url: String,
    /// How long a stop waits for calls.
    pub drain: Duration,
    /// Proxies whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<Network>,
    /// Connections that one address may have at once.
    pub connections_per_address: u32,
    /// Threads that speak with carriers; `None`: one a core.
    pub workers: Option<NonZeroUsize>,
    /// The certificate, where carriers come by TLS.
    pub tls: Option<TlsFiles>,
}

/// Where a certificate lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with its chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

impl EdgeConfig {
    /// Port 0 in a URL of ours is the port that was given to us, as it is in `listen`.
    pub fn listens_at(&mut self, port: u16) {
        for url in [&mut self.public_url, &mut self.media_url] {
            if let Some(host) = url.strip_suffix(":0") {
                *url = format!("{host}:{port}");
            }
        }
    }
}

/// The runtimes' side.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeConfig {
    /// Whether runtimes may be on loopback and private addresses.
    pub allow_private: bool,
    /// Certificates of private authorities.
    pub ca_file: Option<PathBuf>,
    /// For agents without targets.
    pub default_target: Option<Target>,
    /// Whether runtimes are opened before their calls' media.
    pub prewarm: bool,
    /// What callers hear while their next runtime is dialled.
    pub comfort_tone: ComfortTone,
}

/// An account the file keeps. Its tenant is a name until the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    /// The account, with no tenant yet.
    pub account: Account,
    /// The name of the one tenant it serves.
    pub tenant: Option<String>,
}

impl AccountConfig {
    /// The account, with its tenant's id.
    #[must_use]
    pub fn of_tenant(&self, tenant: Option<TenantId>) -> Account {
        Account { tenant, ..self.account.clone() }
    }
}

impl Config {
    /// Reads the file, if there is one, then the environment over it, and checks the whole.
    ///
    /// # Errors
    /// The first thing that is wrong, by key.
    pub fn load(file: Option<&Path>, data_dir: &Path, env: Env<'_>) -> Result<Self, ConfigError> {
        let raw = match file {
            Some(path) => parse::file(path, env)?,
            None => parse::text("", "the environment", env)?,
        };
        Self::check(&raw, data_dir, env)
    }

    /// Checks what was read.
    ///
    /// # Errors
    /// The first thing that is wrong, by key.
    pub fn check(raw: &raw::Raw, data_dir: &Path, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut accounts = Vec::with_capacity(raw.carrier_accounts.len());
        for (place, account) in raw.carrier_accounts.iter().enumerate() {
            let checked = account::check(place, account, data_dir, env)?;
            if accounts.iter().any(|a: &AccountConfig| a.account.name == checked.account.name) {
                let key = format!("carrier_accounts.{place}.name");
                return Err(ConfigError::value(&key, &account.name, "is another account's name"));
            }
            accounts.push(checked);
        }
        Ok(Self {
            data_dir: data_dir.to_owned(),
            edge: check_edge(&raw.edge, data_dir)?,
            control_listen: address("control.listen", &raw.control.listen)?,
            control_url: match raw.control.public_url.as_str() {
                "" => None,
                url => Some(net::base_url("control.public_url", url, &["https", "http"])?),
            },
            allow_sign: raw.control.allow_sign,
            requests_per_minute: NonZeroU32::new(raw.control.requests_per_minute),
            admin_listen: address("admin.listen", &raw.admin.listen)?,
            store_path: store_path(&raw.store.url, data_dir)?,
            runtime: check_runtime(&raw.runtime, data_dir)?,
            outbox_private: raw.outbox.allow_private,
            retention: Retention {
                touches: net::days("retention.touches", &raw.retention.touches)?,
                calls: net::days("retention.calls", &raw.retention.calls)?,
                transcripts: net::days("retention.transcripts", &raw.retention.transcripts)?,
            },
            log_format: word("telemetry.log_format", &raw.telemetry.log_format, "text, json")?,
            log_filter: raw.telemetry.log_filter.clone(),
            accounts,
            upstreams: upstream::check(&raw.upstream, data_dir, env)?,
            bootstrap_key: given_key("SWITCHBACK_BOOTSTRAP_KEY", env)?,
            operator_key: given_key("SWITCHBACK_OPERATOR_KEY", env)?,
        })
    }
}

fn check_edge(raw: &raw::RawEdge, data_dir: &Path) -> Result<EdgeConfig, ConfigError> {
    let public_url = net::base_url("edge.public_url", &raw.public_url, &["https", "http"])?;
    let media_url = if raw.media_url.is_empty() {
        // http -> ws and https -> wss: the same letters after the first four.
        format!("ws{}", public_url.trim_start_matches("http"))
    } else {
        net::base_url("edge.media_url", &raw.media_url, &["wss", "ws"])?
    };
    let trusted_proxies = raw
        .trusted_proxies
        .iter()
        .map(|text| {
            text.parse().map_err(|_| {
                let problem = "is no address or network such as 10.0.0.0/8";
                ConfigError::value("edge.trusted_proxies", text, problem)
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(EdgeConfig {
        listen: address("edge.listen", &raw.listen)?,
        public_url,
        media_url,
        drain: Duration::from_secs(raw.drain_seconds),
        trusted_proxies,
        connections_per_address: match raw.connections_per_address {
            0 => {
                let problem = "lets nobody in; the least is 1";
                return Err(ConfigError::value("edge.connections_per_address", "0", problem));
            }
            count => count,
        },
        workers: NonZeroUsize::new(raw.workers.into()),
        tls: check_tls(&raw.tls, data_dir)?,
    })
}

fn check_tls(raw: &raw::RawTls, data_dir: &Path) -> Result<Option<TlsFiles>, ConfigError> {
    let (lacks, has) = match (raw.cert.is_empty(), raw.key.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {
            let (cert, key) = (data_dir.join(&raw.cert), data_dir.join(&raw.key));
            return Ok(Some(TlsFiles { cert, key }));
        }
        (true, false) => ("edge.tls.cert", "edge.tls.key"),
        (false, true) => ("edge.tls.key", "edge.tls.cert"),
    };
    Err(ConfigError::value(lacks, "", format!("is missing beside {has}: TLS takes both")))
}

fn check_runtime(raw: &raw::RawRuntime, data_dir: &Path) -> Result<RuntimeConfig, ConfigError> {
    let key = "runtime.default_target";
    let default_target = match raw.default_target.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(Target::Agent(_)) => {
                let problem = "names an agent; an installation-wide target cannot";
                return Err(ConfigError::value(key, text, problem));
            }
            Ok(target) => Some(target),
            Err(error) => return Err(ConfigError::value(key, text, format!("{error}"))),
        },
    };
    let ca_file = (!raw.ca_file.is_empty()).then(|| data_dir.join(&raw.ca_file));
    if let Some(path) = ca_file.as_ref().filter(|path| !path.is_file()) {
        let shown = path.display().to_string();
        return Err(ConfigError::value("runtime.ca_file", &shown, "is not a file"));
    }
    let raw::RawRuntime { allow_private, prewarm, .. } = *raw;
    let comfort_tone = word("runtime.comfort_tone", &raw.comfort_tone, "soft, ringback, off")?;
    Ok(RuntimeConfig { allow_private, ca_file, default_target, prewarm, comfort_tone })
}

fn address(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse()
        .map_err(|_| ConfigError::value(key, text, "is no address and port such as 127.0.0.1:8080"))
}

fn word<T: std::str::FromStr>(key: &str, text: &str, known: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|_| ConfigError::value(key, text, format!("is none of: {known}")))
}

fn store_path(url: &str, data_dir: &Path) -> Result<PathBuf, ConfigError> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(data_dir.join(path)),
        _ => Err(ConfigError::value("store.url", url, "is not sqlite: and a path")),
    }
}

/// The fewest characters of a key that somebody chose; fewer can be tried out.
const GIVEN_KEY_LEN_MIN: usize = 8;

fn given_key(name: &str, env: Env<'_>) -> Result<Option<Secret>, ConfigError> {
    let Some(key) = env(name).filter(|key| !key.is_empty()) else { return Ok(None) };
    if key.len() < GIVEN_KEY_LEN_MIN || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let problem = format!("needs at least {GIVEN_KEY_LEN_MIN} printable characters");
        return Err(ConfigError::Secret { key: name.to_owned(), problem });
    }
    Ok(Some(Secret::new(key)))
}

#[cfg(test)]
mod tests;
