//! A hosted service's webhook: is it theirs, and which call does it tell of? Pure.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde_json::Value;
use sha2::Sha256;

use crate::{
    dialects::{callingbox, talkover},
    domain::{HostedCall, HostedKind, Secret, TenantId, UnixMillis},
};

/// How far the clock in a signature may be from ours (CallingBox's guide to webhook security).
const AGE_SECONDS_MAX: u64 = 300;

/// Whether the service signed the body. CallingBox signs time and body, possibly with several
/// secrets while one rotates; Talkover the body alone.
pub(super) fn is_signed(
    kind: HostedKind,
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMillis,
) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match kind {
        HostedKind::Talkover => text("x-talkover-signature")
            .and_then(|text| text.strip_prefix("sha256="))
            .is_some_and(|hex| is_mac(secret, &[body], hex)),
        HostedKind::CallingBox => {
            let Some(header) = text("callingbox-signature") else { return false };
            let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
            let Some((_, time)) = parts().find(|(name, _)| *name == "t") else { return false };
            let is_fresh =
                time.parse().is_ok_and(|at: u64| at.abs_diff(now.seconds().0) <= AGE_SECONDS_MAX);
            let mut signatures = parts().filter(|(name, _)| *name == "v1");
            let pieces = [time.as_bytes(), b".", body];
            is_fresh && signatures.any(|(_, hex)| is_mac(secret, &pieces, hex))
        }
    }
}

/// Whether a text is the code of the pieces in hexadecimal; it does not say by its timing where
/// they differ.
fn is_mac(secret: &Secret, pieces: &[&[u8]], hex: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
        return false;
    };
    pieces.iter().for_each(|piece| mac.update(piece));
    bytes(hex).is_some_and(|code| mac.verify_slice(&code).is_ok())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pairs = hex.as_bytes().chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    });
    pairs.collect()
}

/// The call that an event tells of, where it tells of one whole.
pub(super) fn call_of(
    kind: HostedKind,
    body: &Value,
    tenant: TenantId,
    now: UnixMillis,
) -> Option<HostedCall> {
    match kind {
        HostedKind::Talkover => talkover::hosted_event(body, tenant, now),
        HostedKind::CallingBox => callingbox::hosted_event(body, tenant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_778_000_100_000);
    // printf '1778000000.{}' | openssl dgst -sha256 -hmac whsec_00
    const BOX: &str = "d72bc7ca0c77490c9c8ef530557bfbf3b39935efca1ad17c039854065fe6caf3";
    // printf '{}' | openssl dgst -sha256 -hmac whsec_00
    const TALK: &str = "12b2db764a4d6f66ceedaf96022781b913d9a76e8f518c01f30ba53a34c6e0d1";

    #[track_caller]
    fn check(kind: HostedKind, header: &str, body: &str, expected: bool) {
        check_at(NOW, kind, header, body, expected);
    }

    #[track_caller]
    fn check_at(now: UnixMillis, kind: HostedKind, header: &str, body: &str, expected: bool) {
        let name = match kind {
            HostedKind::Talkover => "x-talkover-signature",
            HostedKind::CallingBox => "callingbox-signature",
        };
        let headers =
            [(http::HeaderName::from_static(name), header.parse().unwrap())].into_iter().collect();
        let secret = Secret::new("whsec_00".to_owned());
        let signed = is_signed(kind, &secret, &headers, body.as_bytes(), now);
        assert_eq!(signed, expected, "{header}");
    }

    #[test]
    fn only_the_service_can_sign() {
        let kind = HostedKind::CallingBox;
        check(kind, &format!("t=1778000000,v1={BOX}"), "{}", true);
        check(kind, &format!("t=1778000000,v1=00ff,v1={BOX}"), "{}", true);
        check(kind, &format!("t=1778000000, v1={BOX}"), "{}", true);
        check(kind, &format!("t=1778000000,v1={BOX}"), "{} ", false);
        check(kind, &format!("t=1778000001,v1={BOX}"), "{}", false);
        check(kind, &format!("v1={BOX}"), "{}", false);
        check(kind, "t=1778000000,v1=é", "{}", false);
        check(kind, "t=1778000000", "{}", false);
        let late = |seconds: u64| UnixMillis((1_778_000_000 + seconds) * 1000);
        check_at(late(300), kind, &format!("t=1778000000,v1={BOX}"), "{}", true);
        check_at(late(301), kind, &format!("t=1778000000,v1={BOX}"), "{}", false);
        let kind = HostedKind::Talkover;
        check(kind, &format!("sha256={TALK}"), "{}", true);
        check(kind, TALK, "{}", false);
        check(kind, &format!("sha256={TALK}0"), "{}", false);
        check(kind, &format!("sha256={BOX}"), "{}", false);
    }
}
