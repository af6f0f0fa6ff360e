//! Says why a webhook's token does not verify: it tries what clocks, portals, editors and
//! frameworks are known to change, and names the readings that would have matched.

use base64_simd::STANDARD;

use super::signature;
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

/// Says whether a request verifies at that time, and if not, which reading would. Of a URL only a
/// GET's query is signed. An account without ids is whichever the token names.
#[must_use]
pub fn diagnose(request: &RawRequest, url: &str, account: &Account, now: UnixMillis) -> Diagnosis {
    let named = signature::named(&request.headers);
    let mut account = account.clone();
    if account.account_id.is_empty() {
        account = of(account, &named);
    }
    let url = url.split('#').next().unwrap_or_default();
    let base = url.split('?').next().unwrap_or_default();
    let sent = request.query().map_or_else(|| url.to_owned(), |query| format!("{base}?{query}"));
    let verify = |url: &str, body: &[u8], account: &Account, now| {
        let RawRequest { method, headers, .. } = request;
        signature::verify(&Request { method, url, headers, body }, account, now)
    };
    let cause = match verify(&sent, &request.body, &account, now) {
        Ok(()) => return Diagnosis::Valid(Reading { url: sent, changes: Vec::new() }),
        Err(cause) => cause,
    };
    let issued_at = named.issued_at.unwrap_or(now);
    let times = [(now, None), (issued_at, Some(CLOCK))];
    let owners = [(account.clone(), None), (of(account, &named), Some(FOREIGN))];
    let urls = [(sent.clone(), None), (url.to_owned(), Some(QUERY))];
    let bodies = bodies(&request.body);
    let mut would_match: Vec<Reading> = Vec::new();
    for (owner, foreign) in &owners {
        for (account, key) in keys(owner) {
            for (at, late) in &times {
                let mut add = |url: &str, changes: &[Option<Change>]| {
                    let changes = [*foreign, key, *late].into_iter().chain(changes.iter().copied());
                    would_match.push(Reading {
                        url: url.to_owned(),
                        changes: changes.flatten().collect(),
                    });
                };
                for (url, query) in &urls {
                    for (body, text) in &bodies {
                        if verify(url, body, &account, *at).is_ok() {
                            add(url, &[*query, *text]);
                        }
                    }
                }
                // The token is one of this account's and time's, and what came is not what it says.
                if verify(&sent, &request.body, &account, *at) == Err(Refused::BodyMismatch) {
                    add(&sent, &[Some(PAYLOAD)]);
                }
            }
        }
    }
    let fewest = would_match.iter().map(|reading| reading.changes.len()).min().unwrap_or_default();
    would_match.retain(|reading| reading.changes.len() == fewest);
    would_match.dedup();
    Diagnosis::Invalid { cause, would_match }
}

const CLOCK: Change = Change {
    name: "another time",
    remedy: "signed more than 300 seconds from now, or past its end: set this machine's clock, or \
             use --now for an old request",
};

const FOREIGN: Change = Change {
    name: "another account",
    remedy: "the token names another api_key or application_id than the account's: give each \
             application an account of its own here",
};

const QUERY: Change = Change {
    name: "the URL's own query",
    remedy: "a GET's query is signed as it was sent: something on the way changed it",
};

const PAYLOAD: Change = Change {
    name: "another body",
    remedy: "the token is right, but for another body or query: something on the way changed it, \
             or a framework has parsed and written it anew; verify the raw bytes",
};

/// The account, as the token names it.
fn of(account: Account, named: &signature::Named) -> Account {
    let (account_id, application_id) = (named.api_key.clone(), named.application_id.clone());
    Account { account_id, application_id, ..account }
}

/// The account's secrets, as given and as they may have been meant.
fn keys(account: &Account) -> Vec<(Account, Option<Change>)> {
    let with = |read: &dyn Fn(&str) -> Option<String>| {
        let secrets = account.secrets.iter().filter_map(|secret| read(secret.reveal()));
        Account { secrets: secrets.map(Secret::new).collect(), ..account.clone() }
    };
    let change = |name, remedy| Some(Change { name, remedy });
    let copy = "copy the signature secret as the dashboard shows it: its letters are the key";
    vec![
        (account.clone(), None),
        (
            with(&|text| Some(text.trim()).filter(|trimmed| *trimmed != text).map(str::to_owned)),
            change("the secret without blanks", copy),
        ),
        (
            with(&|text| String::from_utf8(STANDARD.decode_to_vec(text).ok()?).ok()),
            change("the secret out of base64", copy),
        ),
        (with(&|text| Some(STANDARD.encode_to_string(text))), change("the secret in base64", copy)),
    ]
}

/// The body as it came, and as it may have been before somebody wrote it down.
fn bodies(body: &[u8]) -> Vec<(Vec<u8>, Option<Change>)> {
    let text = String::from_utf8_lossy(body);
    let change = |name, remedy| Some(Change { name, remedy });
    let mut found = vec![(body.to_vec(), None)];
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.len() != text.len() {
        let remedy = "the file ends with a line break that was not sent";
        found.push((trimmed.into(), change("without the last line break", remedy)));
    }
    if text.contains("\r\n") {
        let remedy = "verify the raw bytes of the body, before any framework parses it";
        let bytes = text.replace("\r\n", "\n").into_bytes();
        found.push((bytes, change("line feeds alone", remedy)));
    }
    found
}
