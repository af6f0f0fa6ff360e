//! Who sends a request, by HTTP basic authentication (RFC 7617): Bandwidth signs nothing, and shows
//! the user and password that its application, a request to its API or a document gave it.
//!
//! It says who sent a request, never when, and vouches for nothing in it.

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

use crate::{
    carriers::{BODY_LEN_MAX, Refused, Request, shared::credentials},
    domain::{Account, Secret},
};

/// Proves that a request comes with the account's user and password.
pub(super) fn verify(request: &Request<'_>, account: &Account) -> Result<(), Refused> {
    let shown = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.filter(|text| !text.is_empty()).ok_or(Refused::Unsigned)?;
    let text = parameter(shown).ok_or(Refused::UnknownKey)?;
    let decoded = STANDARD.decode_to_vec(text).map_err(|_| Refused::WrongSignature)?;
    let (user, password) = split(&decoded).ok_or(Refused::WrongSignature)?;
    let is_shown = account.secrets.iter().any(|secret| {
        let (own_user, own_password) = own(secret);
        // Both, so that how long it takes says nothing of which was wrong.
        (user.ct_eq(own_user.as_bytes()) & password.ct_eq(own_password.as_bytes())).into()
    });
    if !is_shown {
        return Err(Refused::WrongSignature);
    }
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    Ok(())
}

/// The headers that Bandwidth would show.
pub(super) fn headers(account: &Account) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(secret) = account.secrets.first() else { return headers };
    let (user, password) = own(secret);
    if let Ok(value) = HeaderValue::from_str(credentials::basic(user, password).reveal()) {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// The user and password of a secret: users have no colon.
pub(super) fn own(secret: &Secret) -> (&str, &str) {
    secret.reveal().split_once(':').unwrap_or_default()
}

/// What stands behind the scheme, if that is ours; its case does not count (RFC 9110 §11.1).
pub(super) fn parameter(shown: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = shown.split_at_checked(shown.iter().position(|&byte| byte == b' ')?)?;
    scheme.eq_ignore_ascii_case(b"Basic").then(|| rest.trim_ascii())
}

/// The user ends at the first colon: a password may hold more.
fn split(decoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (user, password) = decoded.split_at(decoded.iter().position(|&byte| byte == b':')?);
    Some((user, password.get(1..)?))
}
