//! The ways a request's signature is known to be misread, one rule each: what is changed, and what
//! to do if the signature matches then. Sources: the notes of twilio-python's and twilio-node's
//! validators, and what proxies and web frameworks do to a request.

use std::collections::HashSet;

use base64_simd::STANDARD;
use http::header::{AUTHORIZATION, HOST};

use super::{
    Change,
    candidate::{Body, Candidate, Evidence, replace},
};
use crate::carriers::shared::{
    form::{Pair, decoded},
    hmac::Algorithm,
    request::RawRequest,
};

/// What a rule changes. At most one rule of each is applied, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    Scheme,
    User,
    Host,
    Port,
    Path,
    Query,
    Fragment,
    Body,
    Key,
    Text,
}

/// One way to misread.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) axis: Axis,
    pub(super) change: Change,
    /// How often it can be applied differently.
    pub(super) attempts: usize,
    /// Changes the candidate; `false` where it changes nothing.
    pub(super) apply: fn(&mut Candidate, &Evidence<'_>, usize) -> bool,
}

/// Parameters of a query are tried in every order up to so many: 24 orders of four.
const REORDERED_MAX: usize = 4;

/// Segments taken from the front of a path.
const SEGMENTS_MAX: usize = 8;

const fn rule(
    axis: Axis,
    name: &'static str,
    remedy: &'static str,
    apply: fn(&mut Candidate, &Evidence<'_>, usize) -> bool,
) -> Rule {
    Rule { axis, change: Change { name, remedy }, attempts: 1, apply }
}

const fn times(attempts: usize, rule: Rule) -> Rule {
    Rule { attempts, ..rule }
}

/// Every rule, by axis.
pub(super) const RULES: &[Rule] = &[
    rule(
        Axis::Scheme,
        "https instead of the URL's scheme",
        "TLS ends in front of us: set public_url to the https:// URL that Twilio was given.",
        |c, _, _| replace(&mut c.scheme, "https"),
    ),
    rule(
        Axis::Scheme,
        "http instead of the URL's scheme",
        "Twilio was given an http:// URL: set public_url to it, or give Twilio the https:// one.",
        |c, _, _| replace(&mut c.scheme, "http"),
    ),
    rule(
        Axis::Scheme,
        "wss instead of the URL's scheme",
        "A media socket's upgrade is signed as wss://: set media_url to that URL.",
        |c, _, _| replace(&mut c.scheme, "wss"),
    ),
    rule(
        Axis::Scheme,
        "ws instead of the URL's scheme",
        "Twilio was given a ws:// URL: give it, and set media_url to, the wss:// one.",
        |c, _, _| replace(&mut c.scheme, "ws"),
    ),
    rule(
        Axis::User,
        "user and password of the Authorization header",
        "Twilio was given a URL with user:password@: it is signed, so public_url needs it too.",
        |c, e, _| match credentials(e.request) {
            Some(user) => replace(&mut c.user, &format!("{user}@")),
            None => false,
        },
    ),
    rule(
        Axis::User,
        "without user and password",
        "Twilio was given the URL without user:password@: take it out of public_url.",
        |c, _, _| replace(&mut c.user, ""),
    ),
    rule(
        Axis::Host,
        "the Host header's host",
        "Twilio was given the host that the Host header names: set public_url to it.",
        |c, e, _| header(e.request, HOST.as_str()).is_some_and(|host| replace(&mut c.host, host)),
    ),
    rule(
        Axis::Host,
        "the X-Forwarded-Host header's host",
        "A proxy replaced the host: set public_url to the one that Twilio was given.",
        |c, e, _| {
            header(e.request, "x-forwarded-host").is_some_and(|host| replace(&mut c.host, host))
        },
    ),
    rule(
        Axis::Port,
        "port 443",
        "Twilio was given the URL with port 443: set public_url to it.",
        |c, _, _| c.replace_port(":443"),
    ),
    rule(
        Axis::Port,
        "port 80",
        "Twilio was given the URL with port 80: set public_url to it.",
        |c, _, _| c.replace_port(":80"),
    ),
    rule(
        Axis::Port,
        "port 8443",
        "Twilio was given the URL with port 8443: set public_url to it.",
        |c, _, _| c.replace_port(":8443"),
    ),
    rule(
        Axis::Path,
        "a slash behind the path",
        "Twilio was given the URL with a slash at its end: give it the URL without one.",
        |c, _, _| {
            let slashed = format!("{}/", c.path);
            !c.path.ends_with('/') && replace(&mut c.path, &slashed)
        },
    ),
    rule(
        Axis::Path,
        "no slash behind the path",
        "Something added a slash to the path: keep the path as it came.",
        |c, _, _| {
            let bare = c.path.trim_end_matches('/').to_owned();
            replace(&mut c.path, &bare)
        },
    ),
    rule(
        Axis::Path,
        "the request line's path",
        "Twilio was given the path of the request line: check it by that URL.",
        |c, e, _| {
            let path = e.request.path();
            replace(&mut c.path, path)
        },
    ),
    rule(
        Axis::Path,
        "the X-Forwarded-Prefix header in front of the path",
        "A proxy strips a prefix from the path: have it pass the path on unchanged.",
        |c, e, _| match header(e.request, "x-forwarded-prefix") {
            Some(prefix) => {
                let path = format!("{}{}", prefix.trim_end_matches('/'), c.path);
                replace(&mut c.path, &path)
            }
            None => false,
        },
    ),
    times(
        SEGMENTS_MAX,
        rule(
            Axis::Path,
            "leading segments taken from the path",
            "Twilio was given a shorter path, and a proxy adds the prefix: give Twilio the whole.",
            |c, _, attempt| {
                let path = c.path.match_indices('/').nth(attempt + 1).map(|(at, _)| at);
                match path.and_then(|at| c.path.get(at..)).map(str::to_owned) {
                    Some(path) => replace(&mut c.path, &path),
                    None => false,
                }
            },
        ),
    ),
    rule(
        Axis::Query,
        "no query",
        "Twilio was given the URL without a query: give it, or check it by, the same URL.",
        |c, _, _| c.replace_query(None),
    ),
    rule(
        Axis::Query,
        "the request line's query",
        "Twilio was given the query of the request line: check it by that URL.",
        |c, e, _| {
            let query = e.request.query().map(str::to_owned);
            query.is_some() && c.replace_query(query)
        },
    ),
    rule(
        Axis::Query,
        "the query percent-decoded",
        "Twilio signs the query as it is sent: keep it raw instead of decoding it.",
        |c, _, _| c.map_query(|query| decoded(query).into_owned()),
    ),
    rule(
        Axis::Query,
        "%20 for a plus in the query",
        "Something re-encoded the query: keep it raw.",
        |c, _, _| c.map_query(|query| query.replace('+', "%20")),
    ),
    rule(
        Axis::Query,
        "%2B for a plus in the query",
        "Something decoded the query: keep it raw.",
        |c, _, _| c.map_query(|query| query.replace('+', "%2B")),
    ),
    times(
        24,
        rule(
            Axis::Query,
            "the query in another order",
            "Something sorted the query's parameters: keep it raw.",
            |c, _, attempt| c.map_query(|query| reordered(query, attempt)),
        ),
    ),
    rule(
        Axis::Fragment,
        "the fragment signed",
        "Twilio never signs a fragment; whoever signed this left it in: drop it from # on.",
        |c, _, _| {
            c.is_fragment_signed = !c.fragment.is_empty();
            c.is_fragment_signed
        },
    ),
    rule(
        Axis::Body,
        "the body not signed",
        "The URL is rightly signed but the body is not: pass on the raw bytes that came.",
        |c, _, _| {
            let was_signed = !matches!(c.body, Body::Unsigned);
            c.body = Body::Unsigned;
            was_signed
        },
    ),
    rule(
        Axis::Body,
        "without the body's last line end",
        "The file ends in a line end that is not part of the body: cut it off.",
        |c, e, _| {
            let body = &e.request.body;
            let cut = body.trim_ascii_end();
            let is_cut = cut.len() != body.len();
            match &mut c.body {
                Body::Form(_) => c.body = Body::form(&String::from_utf8_lossy(cut)),
                Body::Hash(hashed) => *hashed = cut.into(),
                Body::Unsigned => return false,
            }
            is_cut
        },
    ),
    rule(
        Axis::Body,
        "blank parameters dropped",
        "The signer dropped parameters without a value; Twilio never does.",
        |c, _, _| c.map_form(|pairs| pairs.retain(|pair| !pair.value.is_empty())),
    ),
    rule(
        Axis::Body,
        "only the last of repeated parameters",
        "The signer kept one value of each name; Twilio signs every one.",
        |c, _, _| c.map_form(keep_last),
    ),
    rule(
        Axis::Body,
        "values without the blanks around them",
        "The signer trimmed the values; Twilio never does.",
        |c, _, _| c.map_values(|value| value.trim().to_owned()),
    ),
    rule(
        Axis::Body,
        "values decoded twice",
        "The body was decoded once before it was written down or signed: use the raw body.",
        |c, _, _| c.map_values(|value| decoded(value).into_owned()),
    ),
    rule(
        Axis::Body,
        "values not decoded",
        "The signer did not decode the form; Twilio signs decoded values.",
        |c, e, _| match c.body {
            Body::Form(_) => {
                let raw = String::from_utf8_lossy(&e.request.body);
                c.body = Body::Form(raw.split('&').map(raw_pair).collect());
                true
            }
            Body::Unsigned | Body::Hash(_) => false,
        },
    ),
    rule(
        Axis::Body,
        "the query's parameters appended",
        "The signer appended the query's parameters; Twilio does so for a form's only.",
        |c, _, _| match c.query.as_deref().map(Body::form) {
            Some(form) if !matches!(c.body, Body::Form(_)) => {
                c.body = form;
                true
            }
            _ => false,
        },
    ),
    rule(
        Axis::Body,
        "the body as a form",
        "The Content-Type of a form was lost: pass it on as application/x-www-form-urlencoded.",
        |c, e, _| {
            let is_form = matches!(c.body, Body::Form(_));
            c.body = Body::form(&String::from_utf8_lossy(&e.request.body));
            !is_form && !e.request.body.is_empty()
        },
    ),
    rule(
        Axis::Body,
        "the JSON without blanks",
        "The body was parsed and written again: pass on the raw bytes.",
        |c, e, _| match &mut c.body {
            Body::Hash(body) => {
                *body = compacted(&e.request.body).into();
                **body != *e.request.body
            }
            Body::Form(_) | Body::Unsigned => false,
        },
    ),
    rule(
        Axis::Key,
        "an auth token with SHA-1",
        "The settings header was added or changed, or the shared key is not in use yet.",
        |c, e, _| c.replace_keys(Algorithm::Sha1, e.tokens()),
    ),
    rule(
        Axis::Key,
        "an auth token with SHA-256",
        "Signed with the auth token in place of the shared key, or without the settings header.",
        |c, e, _| c.replace_keys(Algorithm::Sha256, e.tokens()),
    ),
    rule(
        Axis::Key,
        "a shared key with SHA-1",
        "A shared key signed with SHA-1: the settings header is missing or says otherwise.",
        |c, e, _| c.replace_keys(Algorithm::Sha1, e.shared_keys()),
    ),
    rule(
        Axis::Key,
        "a shared key with SHA-256",
        "A shared key signed: pass the settings header on, and configure the key under its id.",
        |c, e, _| c.replace_keys(Algorithm::Sha256, e.shared_keys()),
    ),
    rule(
        Axis::Key,
        "the secret without blanks or quotes around it",
        "The configured secret has a line end, a blank or quotes around it: take them off.",
        |c, _, _| {
            let mut is_changed = false;
            for (_, secret) in &mut c.keys {
                let bare = secret.trim().trim_matches(['"', '\'']);
                is_changed |= bare.len() != secret.len();
                *secret = bare.into();
            }
            is_changed
        },
    ),
    rule(
        Axis::Text,
        "the signature without blanks around it",
        "Something added blanks to the signature header.",
        |c, _, _| {
            let bare = c.signature.trim().to_owned();
            replace(&mut c.signature, &bare)
        },
    ),
    rule(
        Axis::Text,
        "the signature with its padding",
        "Something cut the = from the end of the signature header.",
        |c, _, _| {
            let padding = (4 - c.signature.len() % 4) % 4;
            c.signature.push_str(&"=".repeat(padding));
            padding > 0
        },
    ),
    rule(
        Axis::Text,
        "the signature in hexadecimal",
        "The signer wrote the signature in hexadecimal; Twilio writes base64.",
        |c, _, _| match from_hex(&c.signature) {
            Some(bytes) => {
                c.signature = STANDARD.encode_to_string(bytes);
                true
            }
            None => false,
        },
    ),
    rule(
        Axis::Text,
        "the signature in other letter case",
        "Something changed the case of the signature's letters.",
        |c, _, _| {
            c.is_signature_any_case = true;
            true
        },
    ),
    rule(
        Axis::Text,
        "bodySHA256 in other letter case",
        "Twilio writes bodySHA256 in lower case: keep the query raw.",
        |c, _, _| {
            c.is_hash_any_case = matches!(c.body, Body::Hash(_));
            c.is_hash_any_case
        },
    ),
];

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

/// The parts of a query in their `nth` order; as they are where they are too many.
fn reordered(query: &str, nth: usize) -> String {
    let mut parts: Vec<_> = query.split('&').collect();
    let mut rest = nth;
    let mut ordered = Vec::new();
    while !parts.is_empty() && parts.len() + ordered.len() <= REORDERED_MAX {
        let count = parts.len();
        ordered.push(parts.remove(rest % count));
        rest /= count;
    }
    ordered.extend(parts);
    ordered.join("&")
}

fn keep_last(pairs: &mut Vec<Pair<'static>>) {
    let mut names = HashSet::new();
    pairs.reverse();
    pairs.retain(|pair| names.insert(pair.name().to_owned()));
}

fn raw_pair(part: &str) -> Pair<'static> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    Pair::new(name.to_owned().into(), value.to_owned().into())
}

/// JSON without blanks between its tokens.
fn compacted(json: &[u8]) -> Vec<u8> {
    let (mut is_text, mut is_escaped) = (false, false);
    let mut out = json.to_vec();
    out.retain(|&byte| {
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = is_text && byte == b'\\' && !is_escaped;
        is_text ^= is_quote;
        is_text || !byte.is_ascii_whitespace()
    });
    out
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let is_mac = matches!(text.len(), 40 | 64);
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes = digits.filter(|_| is_mac)?;
    bytes
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).ok())
        .collect()
}
