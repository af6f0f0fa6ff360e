//! The ways a URL is known to be misread, whatever the carrier. Sources: what proxies and web
//! frameworks do to a request, and the notes of carriers' own validators.

use std::fmt;

use base64_simd::STANDARD;
use http::header::{AUTHORIZATION, HOST};

use super::{Axis, Candidate, Rule};
use crate::carriers::shared::request::RawRequest;

/// Segments taken from the front of a path.
const SEGMENTS_MAX: usize = 8;

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Without the colon.
    pub scheme: String,
    /// User and password with the `@` behind them, or nothing.
    pub user: String,
    /// With its port, where it has one.
    pub host: String,
    /// From its slash on.
    pub path: String,
    /// Without the question mark.
    pub query: Option<String>,
}

impl Url {
    /// Takes a URL without fragment apart.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (path, query) =
            rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        Some(Self {
            scheme: scheme.to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
        })
    }

    /// Changes the query by what it is now; `false` where it stays.
    pub fn map_query(&mut self, map: impl FnOnce(&str) -> String) -> bool {
        let query = self.query.as_deref().map(map);
        self.replace_query(query)
    }

    fn replace_query(&mut self, query: Option<String>) -> bool {
        let is_changed = self.query != query;
        self.query = query;
        is_changed
    }

    fn replace_port(&mut self, port: &str) -> bool {
        let tail = self.host.rfind(']').unwrap_or_default();
        let end = self.host.rfind(':').filter(|at| *at > tail).unwrap_or(self.host.len());
        let host = format!("{}{port}", self.host.get(..end).unwrap_or_default());
        replace(&mut self.host, &host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, user, host, path, query } = self;
        write!(f, "{scheme}://{user}{host}{path}")?;
        query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// Changes a text; `false` where it was that already.
pub fn replace(part: &mut String, with: &str) -> bool {
    let is_changed = part != with;
    with.clone_into(part);
    is_changed
}

/// Every rule about a URL, by axis.
pub(super) fn rules<C: Candidate>() -> Vec<Rule<C>> {
    let mut rules = scheme_and_user();
    rules.extend(host_and_port());
    rules.extend(path());
    rules.extend([
        Rule::new(
            Axis::Query,
            "no query",
            "The carrier was given the URL without a query: give it, or check it by, the same URL.",
            |c: &mut C, _, _| c.url_mut().replace_query(None),
        ),
        Rule::new(
            Axis::Query,
            "the request line's query",
            "The carrier was given the query of the request line: check it by that URL.",
            |c: &mut C, e, _| {
                let query = e.request.query().map(str::to_owned);
                query.is_some() && c.url_mut().replace_query(query)
            },
        ),
    ]);
    rules
}

fn scheme_and_user<C: Candidate>() -> Vec<Rule<C>> {
    vec![
        Rule::new(
            Axis::Scheme,
            "https instead of the URL's scheme",
            "TLS ends in front of us: set public_url to the https:// URL the carrier was given.",
            |c: &mut C, _, _| replace(&mut c.url_mut().scheme, "https"),
        ),
        Rule::new(
            Axis::Scheme,
            "http instead of the URL's scheme",
            "The carrier was given an http:// URL: set public_url to it, or give the https:// one.",
            |c: &mut C, _, _| replace(&mut c.url_mut().scheme, "http"),
        ),
        Rule::new(
            Axis::Scheme,
            "wss instead of the URL's scheme",
            "A media socket's upgrade is signed as wss://: set media_url to that URL.",
            |c: &mut C, _, _| replace(&mut c.url_mut().scheme, "wss"),
        ),
        Rule::new(
            Axis::Scheme,
            "ws instead of the URL's scheme",
            "The carrier was given a ws:// URL: give it, and set media_url to, the wss:// one.",
            |c: &mut C, _, _| replace(&mut c.url_mut().scheme, "ws"),
        ),
        Rule::new(
            Axis::User,
            "user and password of the Authorization header",
            "The carrier was given a URL with user:password@, which is signed: public_url needs it.",
            |c: &mut C, e, _| match credentials(e.request) {
                Some(user) => replace(&mut c.url_mut().user, &format!("{user}@")),
                None => false,
            },
        ),
        Rule::new(
            Axis::User,
            "without user and password",
            "The carrier was given the URL without user:password@: take it out of public_url.",
            |c: &mut C, _, _| replace(&mut c.url_mut().user, ""),
        ),
    ]
}

fn host_and_port<C: Candidate>() -> Vec<Rule<C>> {
    vec![
        Rule::new(
            Axis::Host,
            "the Host header's host",
            "The carrier was given the host that the Host header names: set public_url to it.",
            |c: &mut C, e, _| {
                header(e.request, HOST.as_str())
                    .is_some_and(|host| replace(&mut c.url_mut().host, host))
            },
        ),
        Rule::new(
            Axis::Host,
            "the X-Forwarded-Host header's host",
            "A proxy replaced the host: set public_url to the one that the carrier was given.",
            |c: &mut C, e, _| {
                header(e.request, "x-forwarded-host")
                    .is_some_and(|host| replace(&mut c.url_mut().host, host))
            },
        ),
        Rule::new(
            Axis::Port,
            "port 443",
            "The carrier was given the URL with port 443: set public_url to it.",
            |c: &mut C, _, _| c.url_mut().replace_port(":443"),
        ),
        Rule::new(
            Axis::Port,
            "port 80",
            "The carrier was given the URL with port 80: set public_url to it.",
            |c: &mut C, _, _| c.url_mut().replace_port(":80"),
        ),
        Rule::new(
            Axis::Port,
            "port 8443",
            "The carrier was given the URL with port 8443: set public_url to it.",
            |c: &mut C, _, _| c.url_mut().replace_port(":8443"),
        ),
        Rule::new(
            Axis::Port,
            "no port",
            "The carrier was given the URL without a port: take it out of public_url.",
            |c: &mut C, _, _| c.url_mut().replace_port(""),
        ),
    ]
}

fn path<C: Candidate>() -> Vec<Rule<C>> {
    vec![
        Rule::new(
            Axis::Path,
            "a slash behind the path",
            "The carrier was given the URL with a slash at its end: give it the URL without one.",
            |c: &mut C, _, _| {
                let path = &mut c.url_mut().path;
                let slashed = format!("{path}/");
                !path.ends_with('/') && replace(path, &slashed)
            },
        ),
        Rule::new(
            Axis::Path,
            "no slash behind the path",
            "Something added a slash to the path: keep the path as it came.",
            |c: &mut C, _, _| {
                let path = &mut c.url_mut().path;
                let bare = path.trim_end_matches('/').to_owned();
                replace(path, &bare)
            },
        ),
        Rule::new(
            Axis::Path,
            "the request line's path",
            "The carrier was given the path of the request line: check it by that URL.",
            |c: &mut C, e, _| replace(&mut c.url_mut().path, e.request.path()),
        ),
        Rule::new(
            Axis::Path,
            "the X-Forwarded-Prefix header in front of the path",
            "A proxy strips a prefix from the path: have it pass the path on unchanged.",
            |c: &mut C, e, _| match header(e.request, "x-forwarded-prefix") {
                Some(prefix) => {
                    let path = &mut c.url_mut().path;
                    let whole = format!("{}{path}", prefix.trim_end_matches('/'));
                    replace(path, &whole)
                }
                None => false,
            },
        ),
        Rule::new(
            Axis::Path,
            "leading segments taken from the path",
            "The carrier was given a shorter path, and a proxy adds the prefix: give it the whole.",
            |c: &mut C, _, attempt| {
                let path = &mut c.url_mut().path;
                let from = path.match_indices('/').nth(attempt + 1).map(|(at, _)| at);
                match from.and_then(|at| path.get(at..)).map(str::to_owned) {
                    Some(rest) => replace(path, &rest),
                    None => false,
                }
            },
        )
        .times(SEGMENTS_MAX),
    ]
}

/// A header's first element.
fn header<'e>(request: &'e RawRequest, name: &str) -> Option<&'e str> {
    let text = request.headers.get(name)?.to_str().ok()?;
    text.split(',').next().map(str::trim).filter(|text| !text.is_empty())
}

/// User and password of basic authentication, as they stand in a URL.
fn credentials(request: &RawRequest) -> Option<String> {
    let text = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let bytes = STANDARD.decode_to_vec(text.strip_prefix("Basic ")?).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_put_together_as_it_was() {
        for url in ["https://u:p@h:1/p/q?x=1&y", "http://h", "wss://[::1]:8/m?", "https://h?x"] {
            assert_eq!(Url::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(Url::parse("/voice"), None);
    }

    #[test]
    fn ports_are_found_behind_addresses() {
        for (url, with, without) in [
            ("https://h/p", "https://h:443/p", "https://h/p"),
            ("https://h:8/p", "https://h:443/p", "https://h/p"),
            ("https://[::1]:8/p", "https://[::1]:443/p", "https://[::1]/p"),
            ("https://[::1]/p", "https://[::1]:443/p", "https://[::1]/p"),
        ] {
            let mut parts = Url::parse(url).unwrap();
            parts.replace_port(":443");
            assert_eq!(parts.to_string(), with);
            parts.replace_port("");
            assert_eq!(parts.to_string(), without);
        }
    }
}
