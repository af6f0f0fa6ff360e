//! `[[upstream]]`: hosted control APIs to pull from.

use std::{path::Path, time::Duration};

use super::{ConfigError, Env, net, raw, word};
use crate::{
    domain::{Account, HostedKind, Secret, TenantId},
    sync::upstream::{Mode, UpstreamSettings},
};

/// A hosted control API. Its tenant is a name until the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamConfig {
    /// Its name.
    pub name: String,
    /// Whose API it is.
    pub kind: HostedKind,
    /// The name of whose it is here.
    pub tenant: String,
    /// Where it is, without its version's path.
    pub base_url: String,
    /// The key to it.
    pub key: Secret,
    /// What its webhooks are signed with.
    pub webhook_secret: Option<Secret>,
    /// From one pull to the next.
    pub interval: Duration,
    /// The carrier account of numbers that have none.
    pub carrier_account: Option<String>,
    /// What is done with it.
    pub mode: Mode,
}

impl UpstreamConfig {
    /// The settings to pull it by, with its tenant's id.
    #[must_use]
    pub fn of_tenant(&self, tenant: TenantId) -> UpstreamSettings {
        UpstreamSettings {
            name: self.name.clone(),
            tenant,
            kind: self.kind,
            base_url: self.base_url.clone(),
            key: self.key.clone(),
            webhook_secret: self.webhook_secret.clone(),
            interval: self.interval,
            carrier_account: self.carrier_account.clone(),
            mode: self.mode,
        }
    }
}

/// Where the service has its API, and the path of its version, which people paste along.
const fn place(kind: HostedKind) -> (&'static str, &'static str) {
    match kind {
        HostedKind::Talkover => ("https://app.talkover.ai", "/api/v1"),
        HostedKind::CallingBox => ("https://api.callingbox.io", "/v1"),
    }
}

pub(super) fn check(
    raw: &[raw::RawUpstream],
    data_dir: &Path,
    env: Env<'_>,
) -> Result<Vec<UpstreamConfig>, ConfigError> {
    let mut upstreams: Vec<UpstreamConfig> = Vec::with_capacity(raw.len());
    for (at, raw) in raw.iter().enumerate() {
        let checked = check_one(at, raw, data_dir, env)?;
        if upstreams.iter().any(|known| known.name == checked.name) {
            let key = format!("upstream.{at}.name");
            return Err(ConfigError::value(&key, &checked.name, "is another upstream's name"));
        }
        upstreams.push(checked);
    }
    Ok(upstreams)
}

fn check_one(
    at: usize,
    raw: &raw::RawUpstream,
    data_dir: &Path,
    env: Env<'_>,
) -> Result<UpstreamConfig, ConfigError> {
    let key = |name: &str| format!("upstream.{at}.{name}");
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let kind: HostedKind = word(&key("kind"), &raw.kind, "talkover, callingbox")?;
    let name = given(&raw.name).unwrap_or_else(|| kind.to_string());
    if !Account::is_name(&name) {
        let problem = "is no name for a URL: use 1 to 64 letters, digits, - and _";
        return Err(ConfigError::value(&key("name"), &name, problem));
    }
    if raw.tenant.is_empty() {
        return Err(ConfigError::value(&key("tenant"), "", "names no tenant"));
    }
    let (usual, version) = place(kind);
    let base_url = match given(&raw.base_url) {
        Some(url) => net::base_url(&key("base_url"), &url, &["https", "http"])?,
        None => usual.to_owned(),
    };
    // It is shown to whoever tries to write what is mirrored.
    if base_url.contains('@') {
        let problem = "holds a user; the key has a key of its own".to_owned();
        return Err(ConfigError::Secret { key: key("base_url"), problem });
    }
    let webhook_secret = match raw.webhook_secret == raw::RawSecret::default() {
        true => None,
        false => Some(net::secret(&key("webhook_secret"), &raw.webhook_secret, data_dir, env)?),
    };
    Ok(UpstreamConfig {
        name,
        kind,
        tenant: raw.tenant.clone(),
        base_url: base_url.strip_suffix(version).unwrap_or(&base_url).to_owned(),
        key: net::secret(&key("key"), &raw.key, data_dir, env)?,
        webhook_secret,
        interval: net::span(&key("interval"), &raw.interval)?,
        carrier_account: given(&raw.carrier_account),
        mode: word(&key("mode"), &raw.mode, "mirror, shadow")?,
    })
}
