//! API keys: made, hashed, recognised. A key is shown once and kept as its SHA-256.

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::{domain::KeyScope, store::KeySecret};

/// A new key: the text to show once, and what to store of it.
#[must_use]
pub fn mint(scope: KeyScope) -> (String, KeySecret) {
    let prefix = match scope {
        KeyScope::Tenant => "sk_live_",
        KeyScope::Operator => "op_",
    };
    let secret: [u8; 32] = rand::random();
    let key = format!("{prefix}{}", URL_SAFE_NO_PAD.encode_to_string(secret));
    let stored = KeySecret::of(&key);
    (key, stored)
}

/// What a key is looked up by.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_is_found_by_its_hash() {
        let (key, stored) = mint(KeyScope::Tenant);
        assert!(key.starts_with("sk_live_") && key.len() == "sk_live_".len() + 43);
        assert_eq!(stored.hash, hash(&key));
        assert!(stored.hint.len() < 20 && key.ends_with(&stored.hint[stored.hint.len() - 4..]));
        assert_ne!(mint(KeyScope::Operator).0, mint(KeyScope::Operator).0);
    }
}
