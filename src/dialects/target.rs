//! Reads and writes targets as the APIs do. It resolves no name: only literal addresses are judged.

use std::net::IpAddr;

use serde_json::Value;

use super::reader::Wrong;
use crate::domain::{Target, is_public};

/// Rungs of one ladder. More would not be heard within the two seconds all of them have.
const TARGETS_MAX: usize = 16;

/// Which targets may name a private address outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateHosts {
    /// Runtimes: everybody's first one is on loopback.
    pub runtime: bool,
    /// `redirect:` URLs and webhooks: what is asked on a tenant's word.
    pub redirect: bool,
}

impl Default for PrivateHosts {
    fn default() -> Self {
        Self { runtime: true, redirect: false }
    }
}

/// One target.
pub(super) fn target(private: PrivateHosts) -> impl Fn(&Value) -> Result<Target, Wrong> {
    move |value| {
        let text = value.as_str().ok_or("must be a string")?;
        let target: Target = text.parse().map_err(|why| Wrong::from(format!("target {why}")))?;
        let (url, allowed) = match &target {
            Target::Runtime(url) => (url.as_str(), private.runtime),
            Target::Redirect(url) => (url.as_str(), private.redirect),
            Target::Builtin(_)
            | Target::Agent(_)
            | Target::Tel(_)
            | Target::Sip(_)
            | Target::Say(_)
            | Target::Busy
            | Target::Reject => return Ok(target),
        };
        if !allowed && is_private(url) {
            return Err("target names a private address".into());
        }
        Ok(target)
    }
}

/// A ladder.
pub(super) fn targets(private: PrivateHosts) -> impl Fn(&Value) -> Result<Vec<Target>, Wrong> {
    move |value| {
        let values = value.as_array().ok_or("must be an array of targets")?;
        if values.len() > TARGETS_MAX {
            return Err(format!("must have at most {TARGETS_MAX} targets").into());
        }
        let one = target(private);
        let read = |(at, value)| one(value).map_err(|wrong| wrong.within(at));
        values.iter().enumerate().map(read).collect()
    }
}

/// Whether the URL's host is written as an address, or a name, of this machine or a private net.
fn is_private(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        let strict = target(PrivateHosts { runtime: false, redirect: false });
        assert_eq!(strict(&json!(text)).is_ok(), accepted, "{text:?}");
        assert!(target(PrivateHosts { runtime: true, redirect: true })(&json!(text)).is_ok());
    }

    #[test]
    fn literal_private_addresses_are_told_from_public_ones() {
        check("wss://bot.example.com/ws", true);
        check("wss://203.0.114.7:8443/ws", true);
        check("ws://127.0.0.1:8765", false);
        check("ws://LOCALHOST:8765", false);
        check("ws://10.1.2.3", false);
        check("ws://100.64.0.1", false);
        check("ws://172.31.0.1/x", false);
        check("ws://user@192.168.0.1/x", false);
        check("ws://169.254.169.254/latest", false);
        check("ws://[::1]:80/", false);
        check("ws://[fd00::1]/", false);
        check("ws://[::ffff:10.0.0.1]/", false);
        check("redirect:https://0.0.0.0/voice", false);
        check("redirect:https://example.com/voice", true);
        check("tel:+14155550100", true);
        check("say:hello", true);
    }
}
