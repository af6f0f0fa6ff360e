//! Twilio's request signature: base64 of an HMAC over the URL and, for a form, its sorted
//! parameters (Twilio docs, usage/security; twilio-python 9.13 `RequestValidator`).
//!
//! It says who sent a request, never when: Twilio signs no time, so it cannot tell a repetition.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::{
    carriers::{
        BODY_LEN_MAX, Refused, Request,
        shared::{
            form::{Form, Pair, is_form},
            hmac::{Algorithm, MacText},
        },
    },
    domain::{Account, Secret},
};

/// Carries the signature.
pub(super) static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Names the key and the algorithm, where a customer's shared key signs.
pub(super) static SETTINGS: HeaderName =
    HeaderName::from_static("x-twilio-webhooks-signature-settings");

/// Proves that a request is from the account's Twilio, and returns its parameters: those of the
/// form, else of the query. For anything but a form or a GET the body is proven by its hash in the
/// query.
pub(super) fn verify<'a>(request: &Request<'a>, account: &Account) -> Result<Form<'a>, Refused> {
    let signature = header(request.headers)?;
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    let keys = Keys::of(request.headers, account)?;
    let url = SignedUrl::new(request.url);
    if is_form(request) {
        let form = form(std::str::from_utf8(request.body).map_err(|_| NOT_TEXT)?)?;
        keys.verify(signature, url.variants(""), &form.sorted())?;
        return Ok(form);
    }
    keys.verify(signature, url.variants(""), &[])?;
    let signed_hash = body_hash(request.query());
    // A GET's body is never read, so it need not be signed.
    if (signed_hash.is_some() || request.method != Method::GET)
        && signed_hash != std::str::from_utf8(&hash_of(request.body)).ok()
    {
        return Err(Refused::BodyMismatch);
    }
    form(request.query())
}

/// The headers Twilio would send with the request.
pub(super) fn sign(request: &Request<'_>, account: &Account) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let form = match std::str::from_utf8(request.body) {
        Ok(body) if is_form(request) => form(body).unwrap_or_default(),
        _ => Form::default(),
    };
    if let Some(secret) = account.secrets.first() {
        let url = [request.url, "", "", ""];
        let mac = compute(Algorithm::Sha1, secret.reveal(), url, &form.sorted());
        if let Ok(value) = HeaderValue::from_bytes(mac.as_bytes()) {
            headers.insert(SIGNATURE.clone(), value);
        }
    }
    headers
}

const NOT_TEXT: Refused = Refused::Malformed("form is not text");

fn form(text: &str) -> Result<Form<'_>, Refused> {
    Form::parse(text).map_err(|_| Refused::Malformed("too many parameters"))
}

/// The signature header: an empty one is none.
pub(super) fn header(headers: &HeaderMap) -> Result<&[u8], Refused> {
    let signature = headers.get(&SIGNATURE).map(HeaderValue::as_bytes);
    signature.filter(|text| !text.is_empty()).ok_or(Refused::Unsigned)
}

/// The body's hash as signed in the query: of several the first counts.
pub(super) fn body_hash(query: &str) -> Option<&str> {
    query.split('&').find_map(|part| part.strip_prefix("bodySHA256="))
}

/// The body's hash as Twilio writes it: lower-case hexadecimal.
pub(super) fn hash_of(body: &[u8]) -> [u8; 64] {
    let mut text = [0; 64];
    for (digits, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(body)) {
        for (digit, nibble) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    text
}

/// The keys one of which must have signed.
pub(super) struct Keys<'k> {
    pub(super) algorithm: Algorithm,
    pub(super) secrets: SmallVec<[&'k Secret; 2]>,
}

impl<'k> Keys<'k> {
    /// Reads the settings header. Without an algorithm in it, an auth token signs with SHA-1; an
    /// algorithm we do not know is refused, never replaced by a weaker one.
    pub(super) fn of(headers: &HeaderMap, account: &'k Account) -> Result<Self, Refused> {
        let settings = headers.get(&SETTINGS).map_or(Ok(""), HeaderValue::to_str);
        let settings = Settings::parse(settings.map_err(|_| Refused::UnknownKey)?);
        let Some(name) = settings.algorithm else {
            return Ok(Self {
                algorithm: Algorithm::Sha1,
                secrets: account.secrets.iter().collect(),
            });
        };
        let algorithm = algorithm(name).ok_or(Refused::UnknownKey)?;
        let secrets: SmallVec<_> = match settings.key {
            Some(id) => account
                .shared_keys
                .iter()
                .filter(|key| key.id == id)
                .map(|key| &key.secret)
                .collect(),
            None => account.secrets.iter().collect(),
        };
        if secrets.is_empty() {
            return Err(Refused::UnknownKey);
        }
        Ok(Self { algorithm, secrets })
    }

    /// Whether one of them signed one of the URLs, given in pieces, with these sorted pairs.
    pub(super) fn verify(
        &self,
        signature: &[u8],
        urls: [[&str; 4]; 2],
        pairs: &[&Pair<'_>],
    ) -> Result<(), Refused> {
        let is_signed = urls.into_iter().any(|url| {
            self.secrets
                .iter()
                .any(|key| compute(self.algorithm, key.reveal(), url, pairs).is(signature))
        });
        if is_signed { Ok(()) } else { Err(Refused::WrongSignature) }
    }
}

/// What the settings header says: `key=...,algorithm=...`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings<'h> {
    pub(super) key: Option<&'h str>,
    pub(super) algorithm: Option<&'h str>,
}

impl<'h> Settings<'h> {
    pub(super) fn parse(text: &'h str) -> Self {
        let mut settings = Self::default();
        for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "key" => settings.key = settings.key.or(Some(value.trim())),
                "algorithm" => settings.algorithm = settings.algorithm.or(Some(value.trim())),
                _ => {}
            }
        }
        settings
    }
}

/// An algorithm by Twilio's name for it.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        name if name.eq_ignore_ascii_case("HMAC_SHA1") => Some(Algorithm::Sha1),
        name if name.eq_ignore_ascii_case("HMAC_SHA256") => Some(Algorithm::Sha256),
        _ => None,
    }
}

/// The code of a URL, given in pieces, and of pairs as sorted by [`Form::sorted`].
pub(super) fn compute(
    algorithm: Algorithm,
    key: &str,
    url: [&str; 4],
    pairs: &[&Pair<'_>],
) -> MacText {
    let parameters = pairs.iter().flat_map(|pair| [pair.name().as_bytes(), pair.value.as_bytes()]);
    MacText::compute(
        algorithm,
        key.as_bytes(),
        url.iter().map(|piece| piece.as_bytes()).chain(parameters),
    )
}

/// A URL cut around its port. Twilio's back ends disagree whether a port belongs into the signed
/// URL, so both variants count: without any, and with its own or else the scheme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedUrl<'a> {
    /// Scheme, user and host.
    before: &'a str,
    /// Its own port with the colon, or the default one.
    port: &'a str,
    /// Path and query.
    after: &'a str,
}

impl<'a> SignedUrl<'a> {
    pub(super) fn new(url: &'a str) -> Self {
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
    pub(super) const fn variants(&self, suffix: &'a str) -> [[&'a str; 4]; 2] {
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
    fn settings_are_read_in_any_order() {
        let both = Settings { key: Some("k1"), algorithm: Some("HMAC_SHA256") };
        assert_eq!(Settings::parse("key=k1,algorithm=HMAC_SHA256"), both);
        assert_eq!(Settings::parse(" algorithm=HMAC_SHA256 , key=k1,x=y,algorithm=none"), both);
        assert_eq!(Settings::parse("nonsense"), Settings::default());
        assert_eq!(algorithm("hmac_sha1"), Some(Algorithm::Sha1));
        assert_eq!(algorithm("HMAC_MD5"), None);
    }

    #[test]
    fn the_first_body_hash_counts() {
        assert_eq!(body_hash("a=1&bodySHA256=x&bodySHA256=y"), Some("x"));
        assert_eq!(body_hash("xbodySHA256=x"), None);
        assert_eq!(&hash_of(b"")[..8], b"e3b0c442");
    }
}
