//! A request as it may have been signed, and whether it was.

use std::rc::Rc;

use http::Method;

use super::as_request;
use crate::{
    carriers::{
        shared::{
            diagnosis::{self, Evidence, Reading, Url},
            form::{Field, Form, Pair, is_form},
            hmac::Algorithm,
            request::RawRequest,
            twiml::signature::{SignedUrl, body_hash, compute, hash_of},
        },
        twilio::signature::{Keys, SIGNATURE},
    },
    domain::Account,
};

pub(super) fn tokens(evidence: &Evidence<'_>) -> Vec<Rc<str>> {
    evidence.account.secrets.iter().map(|secret| secret.reveal().into()).collect()
}

pub(super) fn shared_keys(evidence: &Evidence<'_>) -> Vec<Rc<str>> {
    evidence.account.shared_keys.iter().map(|key| key.secret.reveal().into()).collect()
}

/// What a signature covers of a body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Nothing.
    Unsigned,
    /// Its parameters, in the order they came.
    Form(Rc<[Pair<'static>]>),
    /// Its hash, which is in the query.
    Hash(Rc<[u8]>),
}

impl Body {
    fn of(request: &RawRequest, url: &str, query: &str) -> Self {
        if is_form(&as_request(request, url)) {
            Self::form(&String::from_utf8_lossy(&request.body))
        } else if request.method == Method::GET && body_hash(query).is_none() {
            Self::Unsigned
        } else {
            Self::Hash(request.body.as_slice().into())
        }
    }

    /// The parameters of a form; none of one that has too many.
    pub(super) fn form(text: &str) -> Self {
        let form = Form::parse(text).unwrap_or_default();
        let owned = form.fields().map(|field| {
            Pair::new(field.name().to_owned().into(), field.value().to_owned().into())
        });
        Self::Form(owned.collect())
    }
}

/// A request as it may have been signed.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) url: Url,
    /// What stood behind the URL as given; signed only if so said.
    pub(super) fragment: Rc<str>,
    pub(super) is_fragment_signed: bool,
    pub(super) body: Body,
    /// One of these signed.
    pub(super) keys: Vec<(Algorithm, Rc<str>)>,
    pub(super) signature: String,
    pub(super) is_signature_any_case: bool,
    pub(super) is_hash_any_case: bool,
}

impl diagnosis::Candidate for Candidate {
    fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    fn signed_url(&self) -> String {
        let mut url = self.url.to_string();
        if self.is_fragment_signed {
            url.extend(["#", &self.fragment]);
        }
        url
    }

    fn matches(&self) -> bool {
        self.is_body_signed() && self.is_url_signed()
    }
}

impl Candidate {
    /// What the room looked at; `None` where that says enough: no signature, no URL.
    pub(super) fn new(
        reading: &Reading,
        fragment: &str,
        request: &RawRequest,
        account: &Account,
    ) -> Option<Self> {
        let url = Url::parse(&reading.url)?;
        let signature = request.headers.get(&SIGNATURE).filter(|value| !value.is_empty())?;
        Some(Self {
            fragment: fragment.into(),
            is_fragment_signed: false,
            body: Body::of(request, &reading.url, url.query.as_deref().unwrap_or_default()),
            url,
            keys: keys_of(request, account),
            signature: String::from_utf8_lossy(signature.as_bytes()).into_owned(),
            is_signature_any_case: false,
            is_hash_any_case: false,
        })
    }

    fn is_body_signed(&self) -> bool {
        let Body::Hash(body) = &self.body else { return true };
        let signed = body_hash(self.url.query.as_deref().unwrap_or_default()).unwrap_or_default();
        let hash = hash_of(body);
        if self.is_hash_any_case {
            signed.as_bytes().eq_ignore_ascii_case(&hash)
        } else {
            signed.as_bytes() == hash
        }
    }

    fn is_url_signed(&self) -> bool {
        let mut pairs: Vec<Field<'_>> = match &self.body {
            Body::Form(pairs) => pairs.iter().map(Pair::field).collect(),
            Body::Unsigned | Body::Hash(_) => Vec::new(),
        };
        pairs.sort_unstable();
        pairs.dedup();
        let url = diagnosis::Candidate::signed_url(self);
        SignedUrl::new(&url).variants("").into_iter().any(|url| {
            self.keys.iter().any(|(algorithm, secret)| {
                let mac = compute(*algorithm, secret, url, pairs.iter().copied());
                if self.is_signature_any_case {
                    mac.as_bytes().eq_ignore_ascii_case(self.signature.as_bytes())
                } else {
                    mac.as_bytes() == self.signature.as_bytes()
                }
            })
        })
    }

    pub(super) fn map_form(&mut self, map: impl FnOnce(&mut Vec<Pair<'static>>)) -> bool {
        let Body::Form(pairs) = &self.body else { return false };
        let mut mapped = pairs.to_vec();
        map(&mut mapped);
        let is_changed = mapped[..] != pairs[..];
        self.body = Body::Form(mapped.into());
        is_changed
    }

    pub(super) fn map_values(&mut self, map: impl Fn(&str) -> String) -> bool {
        self.map_form(|pairs| {
            pairs.iter_mut().for_each(|pair| pair.value = map(&pair.value).into())
        })
    }

    pub(super) fn replace_keys(&mut self, algorithm: Algorithm, secrets: Vec<Rc<str>>) -> bool {
        let keys: Vec<_> = secrets.into_iter().map(|secret| (algorithm, secret)).collect();
        let is_changed = keys != self.keys && !keys.is_empty();
        self.keys = keys;
        is_changed
    }
}

/// The keys that the room tried; none where the settings header names one we do not have.
fn keys_of(request: &RawRequest, account: &Account) -> Vec<(Algorithm, Rc<str>)> {
    let Ok(Keys { algorithm, secrets }) = Keys::of(&request.headers, account) else {
        return Vec::new();
    };
    secrets.iter().map(|secret| (algorithm, secret.reveal().into())).collect()
}
