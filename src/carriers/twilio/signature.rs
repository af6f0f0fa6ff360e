//! Twilio's request signature: base64 of an HMAC over the URL and, for a form, its sorted
//! parameters (Twilio docs, usage/security; twilio-python 9.13 `RequestValidator`).
//!
//! It says who sent a request, never when: Twilio signs no time, so it cannot tell a repetition.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use smallvec::SmallVec;

use crate::{
    carriers::{
        BODY_LEN_MAX, Refused, Request,
        shared::{
            form::{Field, Form, is_form},
            hmac::Algorithm,
            twiml::signature::{SignedUrl, body_hash, compute, hash_of},
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
        keys.verify(signature, url.variants(""), &form.sorted().iter())?;
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
        let mac = compute(Algorithm::Sha1, secret.reveal(), url, form.sorted().iter());
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
    pub(super) fn verify<'f>(
        &self,
        signature: &[u8],
        urls: [[&str; 4]; 2],
        pairs: &(impl IntoIterator<Item = Field<'f>> + Clone),
    ) -> Result<(), Refused> {
        let is_signed = urls.into_iter().any(|url| {
            self.secrets
                .iter()
                .any(|key| compute(self.algorithm, key.reveal(), url, pairs.clone()).is(signature))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_in_any_order() {
        let both = Settings { key: Some("k1"), algorithm: Some("HMAC_SHA256") };
        assert_eq!(Settings::parse("key=k1,algorithm=HMAC_SHA256"), both);
        assert_eq!(Settings::parse(" algorithm=HMAC_SHA256 , key=k1,x=y,algorithm=none"), both);
        assert_eq!(Settings::parse("nonsense"), Settings::default());
        assert_eq!(algorithm("hmac_sha1"), Some(Algorithm::Sha1));
        assert_eq!(algorithm("HMAC_MD5"), None);
    }
}
