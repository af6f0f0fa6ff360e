//! Signatures as the dialects' subscribers check them: HMAC-SHA256 over the bytes that are sent.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{Secret, UnixSeconds};

/// `t=...,v1=...` over `<t>.<body>` (CallingBox). The key is the secret's text, as it was shown.
pub(super) fn callingbox(secret: &Secret, at: UnixSeconds, body: &str) -> String {
    let signature = hex_mac(secret, &[at.0.to_string().as_bytes(), b".", body.as_bytes()]);
    format!("t={},v1={signature}", at.0)
}

/// `sha256=...` over the body (Talkover).
pub(super) fn talkover(secret: &Secret, body: &str) -> String {
    format!("sha256={}", hex_mac(secret, &[body.as_bytes()]))
}

fn hex_mac(secret: &Secret, pieces: &[&[u8]]) -> String {
    // An HMAC takes a key of any length (RFC 2104 §2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
        return String::new();
    };
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // RFC 4231, test case 2.
        let secret = Secret::new("Jefe".to_owned());
        let signed = talkover(&secret, "what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signed, format!("sha256={expected}"));
        let signed = callingbox(&secret, UnixSeconds(7), "x");
        assert_eq!(signed, format!("t=7,v1={}", hex_mac(&secret, &[b"7.x"])));
    }
}
