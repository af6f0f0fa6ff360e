//! Says why a request's signature does not verify: it tries what clocks, editors and frameworks are
//! known to change, and names the readings that would have matched. The URL is not signed.

use base64_simd::STANDARD;
use http::HeaderValue;
use serde_json::Value;

use super::signature::{self, TIMESTAMP};
use crate::{
    carriers::{
        Refused, Request,
        shared::{
            diagnosis::{Change, Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{Account, Secret, UnixMillis},
};

/// Says whether a request verifies at that time, and if not, which reading would.
#[must_use]
pub fn diagnose(request: &RawRequest, url: &str, account: &Account, now: UnixMillis) -> Diagnosis {
    let verify = |body: &[u8], account: &Account, now| {
        let RawRequest { method, headers, .. } = request;
        signature::verify(&Request { method, url, headers, body }, account, now)
    };
    let reading = |changes| Reading { url: url.to_owned(), changes };
    let cause = match verify(&request.body, account, now) {
        Ok(()) => return Diagnosis::Valid(reading(Vec::new())),
        Err(cause) => cause,
    };
    let mut would_match = Vec::new();
    let signed_at = request.headers.get(&TIMESTAMP).map(HeaderValue::as_bytes);
    let signed_at = signed_at.and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
    let then = signed_at.map_or(now, |seconds| UnixMillis(seconds.saturating_mul(1000)));
    let late = (cause == Refused::Stale).then_some(CLOCK);
    for (account, key) in keys(account) {
        for (body, change) in bodies(&request.body) {
            if verify(&body, &account, then).is_ok() {
                would_match.push(reading(late.into_iter().chain(key).chain(change).collect()));
            }
        }
    }
    Diagnosis::Invalid { cause, would_match }
}

const CLOCK: Change = Change {
    name: "another time",
    remedy: "signed more than 300 seconds from now: set this machine's clock, or use --now for an \
             old request",
};

/// The account's keys, as given and as they may have been meant.
fn keys(account: &Account) -> Vec<(Account, Option<Change>)> {
    let trimmed = |secret: &Secret| Secret::new(secret.reveal().trim().to_owned());
    let padded = |secret: &Secret| {
        let text = secret.reveal().trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
        Secret::new(format!("{text}="))
    };
    let hex = |secret: &Secret| {
        let text = secret.reveal().trim();
        let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<_>> = (0..text.len()).step_by(2).map(byte).collect();
        Secret::new(STANDARD.encode_to_string(bytes.unwrap_or_default()))
    };
    let with = |read: &dyn Fn(&Secret) -> Secret| {
        let secrets = account.secrets.iter().map(read).collect();
        Account { secrets, ..account.clone() }
    };
    let change = |name| Change { name, remedy: "copy the public key as the portal shows it" };
    vec![
        (account.clone(), None),
        (with(&trimmed), Some(change("the key without blanks"))),
        (with(&padded), Some(change("the key in the standard alphabet"))),
        (with(&hex), Some(change("the key in hexadecimal"))),
    ]
}

/// The body as it came, and as it may have been before somebody wrote it down or read it.
fn bodies(body: &[u8]) -> Vec<(Vec<u8>, Option<Change>)> {
    let text = String::from_utf8_lossy(body);
    let change = |name, remedy| Some(Change { name, remedy });
    let mut found = vec![(body.to_vec(), None)];
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.len() != text.len() {
        let remedy = "the file ends with a line break that was not sent";
        found.push((trimmed.into(), change("without the last line break", remedy)));
    }
    let raw = "verify the raw bytes of the body, before any framework parses it";
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let compact = json.to_string();
        if compact.as_bytes() != body {
            found.push((compact.into_bytes(), change("the JSON written anew", raw)));
        }
    }
    if text.contains("\r\n") {
        let bytes = text.replace("\r\n", "\n").into_bytes();
        found.push((bytes, change("line feeds alone", raw)));
    }
    found
}
