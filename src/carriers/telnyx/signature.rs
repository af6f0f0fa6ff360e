//! Telnyx's request signature: Ed25519 over the timestamp, a bar and the raw body (Telnyx docs,
//! receiving-webhooks; telnyx-node 7.24 `webhooks.ts`). It covers neither URL nor method.

use base64_simd::{Out, STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    carriers::{BODY_LEN_MAX, Refused, Request},
    domain::{Account, Secret, UnixMillis},
};

/// Carries the signature.
pub(super) static SIGNATURE: HeaderName = HeaderName::from_static("telnyx-signature-ed25519");

/// Carries the time it was made at, as unix seconds.
pub(super) static TIMESTAMP: HeaderName = HeaderName::from_static("telnyx-timestamp");

/// How far a timestamp may be from now, either way: what the official libraries take.
pub(super) const TOLERANCE_SECONDS: u64 = 300;

/// Proves that a request is from the account's Telnyx.
pub(super) fn verify(
    request: &Request<'_>,
    account: &Account,
    now: UnixMillis,
) -> Result<(), Refused> {
    let header = |name: &HeaderName| {
        let value = request.headers.get(name).map(HeaderValue::as_bytes);
        value.filter(|text| !text.is_empty()).ok_or(Refused::Unsigned)
    };
    let (signature, timestamp) = (header(&SIGNATURE)?, header(&TIMESTAMP)?);
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    // Digits only: other readers take signs, underscores and what follows the number, which would
    // move the border between time and body.
    let signed_at = seconds(timestamp).ok_or(Refused::WrongSignature)?;
    if now.seconds().0.abs_diff(signed_at) > TOLERANCE_SECONDS {
        return Err(Refused::Stale);
    }
    let mut keys = account.secrets.iter().filter_map(public_key).peekable();
    if keys.peek().is_none() {
        return Err(Refused::UnknownKey);
    }
    let signature = signature_of(signature).ok_or(Refused::WrongSignature)?;
    let signed = signed(timestamp, request.body);
    let is_signed = keys.any(|key| key.verify_strict(&signed, &signature).is_ok());
    if is_signed { Ok(()) } else { Err(Refused::WrongSignature) }
}

/// The headers Telnyx would send with the request. Only who plays Telnyx has a private key: the
/// seed, in base64.
pub(super) fn sign(request: &Request<'_>, account: &Account, now: UnixMillis) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let seed =
        account.api.private_key.as_ref().and_then(|key| bytes::<32>(key.reveal().as_bytes()));
    let Some(seed) = seed else { return headers };
    let timestamp = now.seconds().0.to_string();
    let key = SigningKey::from_bytes(&seed);
    let signature = key.sign(&signed(timestamp.as_bytes(), request.body));
    let signature = STANDARD.encode_to_string(signature.to_bytes());
    for (name, text) in [(&SIGNATURE, signature), (&TIMESTAMP, timestamp)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name.clone(), value);
        }
    }
    headers
}

/// What is signed.
fn signed(timestamp: &[u8], body: &[u8]) -> Vec<u8> {
    [timestamp, b"|", body].concat()
}

fn seconds(text: &[u8]) -> Option<u64> {
    let is_digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_digits)?.parse().ok()
}

/// A public key of the account, strictly read: one that cannot be is none.
pub(super) fn public_key(secret: &Secret) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&bytes(secret.reveal().as_bytes())?).ok()
}

fn signature_of(text: &[u8]) -> Option<Signature> {
    bytes(text).map(|bytes| Signature::from_bytes(&bytes))
}

/// So many bytes in padded base64 of the standard alphabet, and nothing else.
fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    let mut room = [0; 66];
    let decoded = STANDARD.decode(text, Out::from_slice(&mut room)).ok()?;
    <[u8; N]>::try_from(&*decoded).ok()
}
