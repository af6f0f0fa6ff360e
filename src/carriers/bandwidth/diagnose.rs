//! Says why a request's user and password are not the account's: it tries what consoles, proxies
//! and people are known to do to them, and names the readings that would have matched. Nothing else
//! of the request counts.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderValue, header::AUTHORIZATION};
use percent_encoding::percent_decode;

use super::signature;
use crate::{
    carriers::{
        Refused, Request,
        shared::{
            diagnosis::{Change, Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{Account, Secret},
};

/// A way to read what was shown, and what it comes to.
struct Shown {
    text: Vec<u8>,
    changes: Vec<Change>,
}

/// Says whether a request comes with the account's user and password, and if not, which reading of
/// them would. An account's secret is both, with a colon between.
#[must_use]
pub fn diagnose(request: &RawRequest, url: &str, account: &Account) -> Diagnosis {
    let RawRequest { method, headers, body, .. } = request;
    let reading = |changes| Reading { url: url.to_owned(), changes };
    let cause = match signature::verify(&Request { method, url, headers, body }, account) {
        Ok(()) => return Diagnosis::Valid(reading(Vec::new())),
        Err(cause) => cause,
    };
    let shown = match headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) {
        None | Some(b"") => {
            return Diagnosis::Invalid { cause, would_match: vec![reading(vec![MISSING])] };
        }
        Some(_) if matches!(cause, Refused::Malformed(_)) => Vec::new(),
        Some(shown) => readings(shown),
    };
    let found = |shown: &Shown| {
        let change = account.secrets.iter().find_map(|secret| compared(&shown.text, secret))?;
        Some(shown.changes.iter().copied().chain(change).collect::<Vec<_>>())
    };
    let found: Vec<_> = shown.iter().filter_map(found).collect();
    let fewest = found.iter().map(Vec::len).min();
    let mut would_match: Vec<Reading> = Vec::new();
    for changes in found.into_iter().filter(|changes| Some(changes.len()) == fewest) {
        let reading = reading(changes);
        if !would_match.contains(&reading) {
            would_match.push(reading);
        }
    }
    Diagnosis::Invalid { cause, would_match }
}

const fn change(name: &'static str, remedy: &'static str) -> Change {
    Change { name, remedy }
}

const MISSING: Change = change(
    "with the user and password",
    "No Authorization came: set both at Bandwidth's application, and have every proxy in between \
     pass the header on.",
);

const SCHEME: Change = change(
    "as Basic",
    "The scheme is another: Bandwidth sends Basic alone, so something in between has written the \
     header anew.",
);

/// Every way to read a header, from how it should be to how it should not.
fn readings(shown: &[u8]) -> Vec<Shown> {
    let (parameter, scheme) = match signature::parameter(shown) {
        Some(parameter) => (parameter, None),
        None => (shown.rsplit(|&byte| byte == b' ').next().unwrap_or_default(), Some(SCHEME)),
    };
    let mut read = Vec::new();
    let mut push = |text: Option<Vec<u8>>, how: Option<Change>| {
        let changes = scheme.into_iter().chain(how).collect();
        read.extend(text.map(|text| Shown { text, changes }));
    };
    let plain = STANDARD.decode_to_vec(parameter).ok();
    push(plain.clone(), None);
    push(
        loosely(parameter),
        Some(change(
            "as other base64",
            "It is base64 without its padding, of the alphabet for URLs, or broken by blanks: \
             something in between has written the header anew.",
        )),
    );
    push(
        plain.as_deref().and_then(loosely),
        Some(change("encoded twice", "The header's base64 is itself in base64: encode it once.")),
    );
    push(
        Some(parameter.to_vec()),
        Some(change("not encoded", "User and password stand there as they are: encode in base64.")),
    );
    push(
        plain.as_deref().map(|text| percent_decode(text).collect()),
        Some(change(
            "percent-decoded",
            "At Bandwidth the user and password were entered as they stand in URLs: enter them \
             without percent signs.",
        )),
    );
    push(
        plain
            .as_deref()
            .map(|text| text.iter().map(|&byte| char::from(byte)).collect())
            .map(String::into_bytes),
        Some(change(
            "in UTF-8",
            "A letter that is not ASCII came as ISO 8859-1: use ASCII letters alone.",
        )),
    );
    read
}

/// Base64 of either alphabet, padded or not, whatever blanks are in it.
fn loosely(text: &[u8]) -> Option<Vec<u8>> {
    let letter = |byte: &u8| match byte {
        b'+' => Some(b'-'),
        b'/' => Some(b'_'),
        b'=' => None,
        byte if byte.is_ascii_whitespace() => None,
        byte => Some(*byte),
    };
    let plain: Vec<u8> = text.iter().filter_map(letter).collect();
    URL_SAFE_NO_PAD.decode_to_vec(plain).ok()
}

/// How a text may have been meant by who configured the secret; none where it is another.
fn compared(text: &[u8], secret: &Secret) -> Option<Option<Change>> {
    let text = std::str::from_utf8(text).ok()?;
    let secret = secret.reveal();
    if text == secret {
        return Some(None);
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (own_user, own_password) = secret.split_once(':').unwrap_or((secret, ""));
    let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    let same = |a: &str, b: &str| bare(a) == bare(b);
    Some(Some(if same(user, own_user) && same(password, own_password) {
        change(
            "without blanks or quotes around them",
            "The user or password, here or at Bandwidth, has a line end, a blank or quotes around \
             it: take them off.",
        )
    } else if user.eq_ignore_ascii_case(own_user) && password == own_password {
        change("the user in another case", "The user differs in capitals: write both alike.")
    } else if user == own_user && password.eq_ignore_ascii_case(own_password) {
        change("the password in another case", "The password differs in capitals: copy it.")
    } else if user == own_password && password == own_user {
        change("user and password exchanged", "One is where the other should be: exchange them.")
    } else if user == own_user {
        change(
            "with the configured password",
            "The user is right and the password is another: write the same one here and at \
             Bandwidth's application, and at every URL that has its own.",
        )
    } else if password == own_password {
        change(
            "with the configured user",
            "The password is right and the user is another. A user ends at the first colon: one \
             with a colon in it cannot be told.",
        )
    } else {
        return None;
    }))
}
