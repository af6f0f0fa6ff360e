//! Short texts that only we can have written: media tokens and the tokens of calls.
//!
//! base64url of key id, body and HMAC-SHA256 cut to 128 bits; the purpose is signed too, so that
//! one kind never passes for another. It hides nothing, and knows neither expiry nor single use.

use std::cell::RefCell;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::{CallId, MediaKey, UnixMillis};

const MAC_LEN: usize = 16;

/// The longest body.
const BODY_LEN_MAX: usize = 64;

/// How long a call's own token is good for: longer than any call.
const CALL_TOKEN_SECONDS: u64 = 25 * 3600;

/// What a sealed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Opening a media socket.
    Media = 1,
    /// Acting on one call.
    Call = 2,
    /// Opening a media socket that is no call's.
    Probe = 3,
}

/// Why a text is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Not our form.
    Malformed,
    /// Sealed with a key that is not valid any more.
    UnknownKey,
    /// Not sealed by us, or not for this purpose.
    Forged,
    /// Once good, not any more.
    Expired,
}

/// Appends the sealed body to `out`. Bodies are at most 64 bytes; what is longer is not sealed, and
/// opens as malformed.
pub fn seal(purpose: Purpose, key: &MediaKey, body: &[u8], out: &mut String) {
    let mut bytes = [0_u8; 1 + BODY_LEN_MAX + MAC_LEN];
    let (head, rest) = bytes.split_at_mut(1);
    head.copy_from_slice(&[key.id]);
    let Some((inside, rest)) = rest.split_at_mut_checked(body.len()) else { return };
    let Some((tag, _)) = rest.split_at_mut_checked(MAC_LEN) else { return };
    inside.copy_from_slice(body);
    tag.copy_from_slice(&mac(purpose, key, body));
    let len = 1 + body.len() + MAC_LEN;
    base64_simd::URL_SAFE_NO_PAD.encode_append(bytes.get(..len).unwrap_or_default(), out);
}

/// The body of a sealed text.
///
/// # Errors
/// It is not one of ours.
pub fn open<const N: usize>(
    purpose: Purpose,
    keys: &[MediaKey],
    text: &str,
) -> Result<[u8; N], Broken> {
    let mut buffer = [0_u8; 1 + BODY_LEN_MAX + MAC_LEN];
    let len = base64_simd::URL_SAFE_NO_PAD
        .decoded_length(text.as_bytes())
        .map_err(|_| Broken::Malformed)?;
    if len != 1 + N + MAC_LEN || len > buffer.len() {
        return Err(Broken::Malformed);
    }
    let bytes = base64_simd::URL_SAFE_NO_PAD
        .decode(text.as_bytes(), base64_simd::Out::from_slice(&mut buffer))
        .map_err(|_| Broken::Malformed)?;
    let (&id, rest) = bytes.split_first().ok_or(Broken::Malformed)?;
    let (body, tag) = rest.split_first_chunk::<N>().ok_or(Broken::Malformed)?;
    let key = keys.iter().find(|key| key.id == id).ok_or(Broken::UnknownKey)?;
    let is_ours: bool = mac(purpose, key, body).ct_eq(tag).into();
    if is_ours { Ok(*body) } else { Err(Broken::Forged) }
}

fn mac(purpose: Purpose, key: &MediaKey, body: &[u8]) -> [u8; MAC_LEN] {
    let mut tag = [0_u8; MAC_LEN];
    if let Some(mut mac) = keyed(&key.secret) {
        mac.update(&[purpose as u8, key.id]);
        mac.update(body);
        let whole = mac.finalize().into_bytes();
        tag.copy_from_slice(whole.split_at(MAC_LEN).0);
    }
    tag
}

thread_local! {
    /// The last key, and what is hashed before every text: two of a ticket's five blocks. Keys
    /// change with the months, and there is one that signs.
    static KEYED: RefCell<Option<([u8; 32], Hmac<Sha256>)>> = const { RefCell::new(None) };
}

fn keyed(secret: &[u8; 32]) -> Option<Hmac<Sha256>> {
    KEYED.with_borrow_mut(|last| match last {
        Some((key, mac)) if key == secret => Some(mac.clone()),
        _ => {
            let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
            *last = Some((*secret, mac.clone()));
            Some(mac)
        }
    })
}

/// Writes the token that a call's runtime is given, to act on its call.
#[must_use]
pub fn call_token(key: &MediaKey, call: CallId, now: UnixMillis) -> String {
    let mut body = [0_u8; 24];
    let (id, expiry) = body.split_at_mut(16);
    id.copy_from_slice(call.0.as_bytes());
    expiry.copy_from_slice(&(now.seconds().0 + CALL_TOKEN_SECONDS).to_be_bytes());
    let mut out = String::with_capacity(56);
    seal(Purpose::Call, key, &body, &mut out);
    out
}

/// The call that a token lets its holder act on.
///
/// # Errors
/// It is not one of ours, or too old.
pub fn call_of_token(keys: &[MediaKey], token: &str, now: UnixMillis) -> Result<CallId, Broken> {
    let body: [u8; 24] = open(Purpose::Call, keys, token)?;
    let (id, expiry) = body.split_first_chunk::<16>().ok_or(Broken::Malformed)?;
    let expiry = expiry.first_chunk::<8>().ok_or(Broken::Malformed)?;
    if u64::from_be_bytes(*expiry) < now.seconds().0 {
        return Err(Broken::Expired);
    }
    Ok(CallId(uuid::Uuid::from_bytes(*id)))
}

/// How long a ticket of a socket that is only looked at may wait to be used.
const PROBE_SECONDS: u64 = 60;

/// Writes the ticket of a media socket that is no call's.
#[must_use]
pub fn probe_ticket(key: &MediaKey, now: UnixMillis) -> String {
    let mut out = String::with_capacity(40);
    seal(Purpose::Probe, key, &(now.seconds().0 + PROBE_SECONDS).to_be_bytes(), &mut out);
    out
}

/// Whether it is such a ticket, and not too old.
#[must_use]
pub fn is_probe_ticket(keys: &[MediaKey], ticket: &str, now: UnixMillis) -> bool {
    let expiry: Result<[u8; 8], Broken> = open(Purpose::Probe, keys, ticket);
    expiry.is_ok_and(|expiry| now.seconds().0 <= u64::from_be_bytes(expiry))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_call_token_opens_its_call_for_a_day() {
        let old = MediaKey { id: 1, secret: [1; 32] };
        let new = MediaKey { id: 2, secret: [2; 32] };
        let call = CallId(Uuid::from_u128(7));
        let token = call_token(&old, call, UnixMillis(1000));
        let keys = [new.clone(), old];
        assert_eq!(call_of_token(&keys, &token, UnixMillis(1000)), Ok(call));
        assert_eq!(call_of_token(&keys, &token, UnixMillis(26 * 3_600_000)), Err(Broken::Expired));
        assert_eq!(call_of_token(&[new], &token, UnixMillis(1000)), Err(Broken::UnknownKey));
        let other = MediaKey { id: 1, secret: [3; 32] };
        assert_eq!(call_of_token(&[other], &token, UnixMillis(1000)), Err(Broken::Forged));
        assert_eq!(open::<24>(Purpose::Media, &keys, &token), Err(Broken::Forged));
    }

    #[test]
    fn a_probe_s_ticket_opens_no_call_and_lasts_a_minute() {
        let keys = [MediaKey { id: 1, secret: [1; 32] }];
        let ticket = probe_ticket(&keys[0], UnixMillis(1000));
        assert!(is_probe_ticket(&keys, &ticket, UnixMillis(60_000)));
        assert!(!is_probe_ticket(&keys, &ticket, UnixMillis(63_000)));
        assert!(!is_probe_ticket(&[], &ticket, UnixMillis(1000)));
        let token = call_token(&keys[0], CallId(Uuid::from_u128(7)), UnixMillis(1000));
        assert!(!is_probe_ticket(&keys, &token, UnixMillis(1000)));
        assert!(call_of_token(&keys, &ticket, UnixMillis(1000)).is_err());
    }

    #[test]
    fn no_change_goes_unnoticed() {
        let keys = [MediaKey { id: 1, secret: [1; 32] }];
        let token = call_token(&keys[0], CallId(Uuid::from_u128(7)), UnixMillis(1000));
        for at in 0..token.len() {
            for with in ["A", "B", "-", "=", "/", ""] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, with);
                let opened = call_of_token(&keys, &changed, UnixMillis(1000));
                assert!(changed == token || opened.is_err(), "{changed}");
            }
        }
    }
}
