//! The ways a request's signature is known to be misread, one rule each: what is changed, and what
//! to do if the signature matches then. Sources: the notes of twilio-python's and twilio-node's
//! validators, and what proxies and web frameworks do to a request.

use std::collections::HashSet;

use base64_simd::STANDARD;

use super::candidate::{Body, Candidate, shared_keys, tokens};
use crate::carriers::shared::{
    diagnosis::{Axis, Rule, replace},
    form::{Pair, decoded},
    hmac::Algorithm,
};

/// Parameters of a query are tried in every order up to so many: 24 orders of four.
const REORDERED_MAX: usize = 4;

/// Every rule that is Twilio's own, by axis.
pub(super) const RULES: &[Rule<Candidate>] = &[
    Rule::new(
        Axis::Query,
        "the query percent-decoded",
        "Twilio signs the query as it is sent: keep it raw instead of decoding it.",
        |c, _, _| c.url.map_query(|query| decoded(query).into_owned()),
    ),
    Rule::new(
        Axis::Query,
        "%20 for a plus in the query",
        "Something re-encoded the query: keep it raw.",
        |c, _, _| c.url.map_query(|query| query.replace('+', "%20")),
    ),
    Rule::new(
        Axis::Query,
        "%2B for a plus in the query",
        "Something decoded the query: keep it raw.",
        |c, _, _| c.url.map_query(|query| query.replace('+', "%2B")),
    ),
    Rule::new(
        Axis::Query,
        "the query in another order",
        "Something sorted the query's parameters: keep it raw.",
        |c: &mut Candidate, _, attempt| c.url.map_query(|query| reordered(query, attempt)),
    )
    .times(24),
    Rule::new(
        Axis::Fragment,
        "the fragment signed",
        "Twilio never signs a fragment; whoever signed this left it in: drop it from # on.",
        |c, _, _| {
            c.is_fragment_signed = !c.fragment.is_empty();
            c.is_fragment_signed
        },
    ),
    Rule::new(
        Axis::Body,
        "the body not signed",
        "The URL is rightly signed but the body is not: pass on the raw bytes that came.",
        |c, _, _| {
            let was_signed = !matches!(c.body, Body::Unsigned);
            c.body = Body::Unsigned;
            was_signed
        },
    ),
    Rule::new(
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
    Rule::new(
        Axis::Body,
        "blank parameters dropped",
        "The signer dropped parameters without a value; Twilio never does.",
        |c, _, _| c.map_form(|pairs| pairs.retain(|pair| !pair.value.is_empty())),
    ),
    Rule::new(
        Axis::Body,
        "only the last of repeated parameters",
        "The signer kept one value of each name; Twilio signs every one.",
        |c, _, _| c.map_form(keep_last),
    ),
    Rule::new(
        Axis::Body,
        "values without the blanks around them",
        "The signer trimmed the values; Twilio never does.",
        |c, _, _| c.map_values(|value| value.trim().to_owned()),
    ),
    Rule::new(
        Axis::Body,
        "values decoded twice",
        "The body was decoded once before it was written down or signed: use the raw body.",
        |c, _, _| c.map_values(|value| decoded(value).into_owned()),
    ),
    Rule::new(
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
    Rule::new(
        Axis::Body,
        "the query's parameters appended",
        "The signer appended the query's parameters; Twilio does so for a form's only.",
        |c, _, _| match c.url.query.as_deref().map(Body::form) {
            Some(form) if !matches!(c.body, Body::Form(_)) => {
                c.body = form;
                true
            }
            _ => false,
        },
    ),
    Rule::new(
        Axis::Body,
        "the body as a form",
        "The Content-Type of a form was lost: pass it on as application/x-www-form-urlencoded.",
        |c, e, _| {
            let is_form = matches!(c.body, Body::Form(_));
            c.body = Body::form(&String::from_utf8_lossy(&e.request.body));
            !is_form && !e.request.body.is_empty()
        },
    ),
    Rule::new(
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
    Rule::new(
        Axis::Key,
        "an auth token with SHA-1",
        "The settings header was added or changed, or the shared key is not in use yet.",
        |c, e, _| c.replace_keys(Algorithm::Sha1, tokens(e)),
    ),
    Rule::new(
        Axis::Key,
        "an auth token with SHA-256",
        "Signed with the auth token in place of the shared key, or without the settings header.",
        |c, e, _| c.replace_keys(Algorithm::Sha256, tokens(e)),
    ),
    Rule::new(
        Axis::Key,
        "a shared key with SHA-1",
        "A shared key signed with SHA-1: the settings header is missing or says otherwise.",
        |c, e, _| c.replace_keys(Algorithm::Sha1, shared_keys(e)),
    ),
    Rule::new(
        Axis::Key,
        "a shared key with SHA-256",
        "A shared key signed: pass the settings header on, and configure the key under its id.",
        |c, e, _| c.replace_keys(Algorithm::Sha256, shared_keys(e)),
    ),
    Rule::new(
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
    Rule::new(
        Axis::Text,
        "the signature without blanks around it",
        "Something added blanks to the signature header.",
        |c, _, _| {
            let bare = c.signature.trim().to_owned();
            replace(&mut c.signature, &bare)
        },
    ),
    Rule::new(
        Axis::Text,
        "the signature with its padding",
        "Something cut the = from the end of the signature header.",
        |c, _, _| {
            let padding = (4 - c.signature.len() % 4) % 4;
            c.signature.push_str(&"=".repeat(padding));
            padding > 0
        },
    ),
    Rule::new(
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
    Rule::new(
        Axis::Text,
        "the signature in other letter case",
        "Something changed the case of the signature's letters.",
        |c, _, _| {
            c.is_signature_any_case = true;
            true
        },
    ),
    Rule::new(
        Axis::Text,
        "bodySHA256 in other letter case",
        "Twilio writes bodySHA256 in lower case: keep the query raw.",
        |c, _, _| {
            c.is_hash_any_case = matches!(c.body, Body::Hash(_));
            c.is_hash_any_case
        },
    ),
];

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
