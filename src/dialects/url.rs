//! URLs that are asked on a tenant's word. They are read here as the client that asks them reads
//! them, so that no odd spelling of an address is one thing on saving and another on sending.

use serde_json::Value;
use url::{Host, Url};

use super::reader::{Wrong, text};
use crate::domain::is_public;

/// Reads the URL of a webhook, of at most `max` characters. Where private addresses are allowed,
/// plain HTTP is as well: both are for trying things out.
pub fn web_url(max: usize, allow_private: bool) -> impl Fn(&Value) -> Result<String, Wrong> {
    move |value| {
        let url = text(max)(value)?;
        match is_allowed(&url, allow_private) {
            Ok(()) => Ok(url),
            Err(why) => Err(why.into()),
        }
    }
}

/// Whether such a URL may be asked, as far as its text tells.
///
/// # Errors
/// Why not.
pub fn is_allowed(url: &str, allow_private: bool) -> Result<(), &'static str> {
    let parsed = Url::parse(url).map_err(|_| "must be an https:// URL")?;
    match parsed.scheme() {
        "https" => {}
        "http" if allow_private => {}
        _ => return Err("must be an https:// URL"),
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("must not have a user or password in it");
    }
    let is_private = match parsed.host() {
        None => return Err("must have a host"),
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
    };
    if is_private && !allow_private { Err("must not name a private address") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, in_public: bool, in_private: bool) {
        assert_eq!(is_allowed(url, false).is_ok(), in_public, "{url}");
        assert_eq!(is_allowed(url, true).is_ok(), in_private, "{url}");
    }

    #[test]
    fn only_the_public_internet_is_asked() {
        check("https://example.com/hook?x=1", true, true);
        check("https://203.0.114.7:8443/", true, true);
        check("http://example.com/", false, true);
        for private in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://%31%32%37.0.0.1/",
            "https://LOCALHOST./",
            "https://x.localhost/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fe80::1]/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest",
            "https:\\\\10.0.0.1/",
        ] {
            check(private, false, true);
        }
        for never in ["", "example.com", "ftp://example.com/", "https://", "https://a:b@x.com/"] {
            check(never, false, false);
        }
    }
}
