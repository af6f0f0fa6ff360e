//! What is signed in Twilio's manner: a URL, with or without its port, the parameters of a form,
//! and any other body by its hash in the query (Twilio docs, usage/security).

use sha2::{Digest, Sha256};

use crate::carriers::shared::{
    form::Field,
    hmac::{Algorithm, MacText},
};

/// The body's hash as signed in the query: of several the first counts.
#[must_use]
pub fn body_hash(query: &str) -> Option<&str> {
    query.split('&').find_map(|part| part.strip_prefix("bodySHA256="))
}

/// The body's hash as it is written there: lower-case hexadecimal.
#[must_use]
pub fn hash_of(body: &[u8]) -> [u8; 64] {
    let mut text = [0; 64];
    for (digits, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(body)) {
        for (digit, nibble) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    text
}

/// The code of a URL, given in pieces, and of pairs in the order they are signed in.
#[must_use]
pub fn compute<'f>(
    algorithm: Algorithm,
    key: &str,
    url: [&str; 4],
    pairs: impl IntoIterator<Item = Field<'f>>,
) -> MacText {
    let parameters =
        pairs.into_iter().flat_map(|pair| [pair.name().as_bytes(), pair.value().as_bytes()]);
    let pieces = url.iter().map(|piece| piece.as_bytes()).chain(parameters);
    MacText::compute(algorithm, key.as_bytes(), pieces)
}

/// A URL cut around its port. Back ends disagree whether a port belongs into the signed URL, so
/// both variants count: without any, and with its own or else the scheme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedUrl<'a> {
    /// Scheme, user and host.
    before: &'a str,
    /// Its own port with the colon, or the default one.
    port: &'a str,
    /// Path and query.
    after: &'a str,
}

impl<'a> SignedUrl<'a> {
    /// Cuts it.
    #[must_use]
    pub fn new(url: &'a str) -> Self {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Self { before: url, port: "", after: "" };
        };
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, _) = rest.split_at(authority_len);
        // A password may hold a colon, an IPv6 address holds several: look behind both.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let tail = host.rsplit_once(']').map_or(host, |(_, tail)| tail);
        let own_len = tail.rfind(':').map_or(0, |colon| tail.len() - colon);
        let after_at = url.len() - rest.len() + authority_len;
        let (head, after) = url.split_at(after_at);
        let (before, own) = head.split_at(after_at - own_len);
        let default = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        Self { before, port: if own.len() > 1 { own } else { default }, after }
    }

    /// The two readings, in pieces, with something behind.
    #[must_use]
    pub const fn variants(&self, suffix: &'a str) -> [[&'a str; 4]; 2] {
        [[self.before, "", self.after, suffix], [self.before, self.port, self.after, suffix]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, without: &str, with: &str) {
        let variants = SignedUrl::new(url).variants("").map(|pieces| pieces.concat());
        assert_eq!(variants, [without, with], "{url:?}");
    }

    #[test]
    fn ports_are_found_behind_users_and_addresses() {
        check("https://h/p?q=a:1", "https://h/p?q=a:1", "https://h:443/p?q=a:1");
        check("http://h", "http://h", "http://h:80");
        check("wss://h/m", "wss://h/m", "wss://h:80/m");
        check("https://h:8443?x", "https://h?x", "https://h:8443?x");
        check("https://h:/p", "https://h/p", "https://h:443/p");
        check("https://u:p@h/p", "https://u:p@h/p", "https://u:p@h:443/p");
        check("https://u:p@h:1/p@q:2", "https://u:p@h/p@q:2", "https://u:p@h:1/p@q:2");
        check("https://[::1]/p", "https://[::1]/p", "https://[::1]:443/p");
        check("https://[::1]:8/p", "https://[::1]/p", "https://[::1]:8/p");
        check("/p:1", "/p:1", "/p:1");
        check("", "", "");
    }

    #[test]
    fn the_first_body_hash_counts() {
        assert_eq!(body_hash("a=1&bodySHA256=x&bodySHA256=y"), Some("x"));
        assert_eq!(body_hash("xbodySHA256=x"), None);
        assert_eq!(&hash_of(b"")[..8], b"e3b0c442");
    }
}
