//! Plivo's request signature: base64 of an HMAC-SHA256 over the URL, its query and the form, each
//! put in an order (plivo-python 4.63 `signature_v3`, plivo-node 4.79 `v3Security`). Where Plivo's
//! prose differs from its libraries (a dot behind the URL in every case), the libraries are right.
//!
//! It says who sent a request, never when: Plivo signs a nonce but no time.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use smallvec::SmallVec;

use crate::{
    carriers::{
        BODY_LEN_MAX, Refused, Request,
        shared::{
            form::{Fields, Form, is_form},
            hmac::{Algorithm, MacText},
        },
    },
    domain::{Account, UnixMillis},
};

/// The headers of a version of the signature.
pub(super) struct Version {
    /// By the account or sub-account that owns the call.
    pub(super) own: HeaderName,
    /// By the main account, always.
    pub(super) main: HeaderName,
    /// What both are salted with.
    pub(super) nonce: HeaderName,
}

/// Everything is signed.
pub(super) static V3: Version = Version {
    own: HeaderName::from_static("x-plivo-signature-v3"),
    main: HeaderName::from_static("x-plivo-signature-ma-v3"),
    nonce: HeaderName::from_static("x-plivo-signature-v3-nonce"),
};

/// The URL alone is signed, without its query. Deprecated; it counts only where V3 is not sent.
static V2: Version = Version {
    own: HeaderName::from_static("x-plivo-signature-v2"),
    main: HeaderName::from_static("x-plivo-signature-ma-v2"),
    nonce: HeaderName::from_static("x-plivo-signature-v2-nonce"),
};

const ALGORITHM: Algorithm = Algorithm::Sha256;

/// Proves that a request is from the account's Plivo, and returns its parameters: those of the
/// form, and of the query for a GET.
pub(super) fn verify<'a>(request: &Request<'a>, account: &Account) -> Result<Form<'a>, Refused> {
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    let query = form(raw_query(request.url))?;
    let fields = fields(request)?;
    let headers = request.headers;
    if let Some(signed) = Signed::by(&V3, headers) {
        signed.verify(account, &text_v3(request.url, &query, &fields, signed.nonce))?;
    } else if let Some(signed) = Signed::by(&V2, headers) {
        signed.verify(account, &format!("{}{}", base(request.url), signed.nonce))?;
    } else {
        return Err(Refused::Unsigned);
    }
    Ok(if *request.method == Method::GET { query } else { fields })
}

/// The headers Plivo would send with the request. Its nonce is random; the time is as good here.
pub(super) fn sign(request: &Request<'_>, account: &Account, now: UnixMillis) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(secret) = account.secrets.first() else { return headers };
    let nonce = format!("{:020}", now.0);
    let query = form(raw_query(request.url)).unwrap_or_default();
    let text = text_v3(request.url, &query, &fields(request).unwrap_or_default(), &nonce);
    let mac = compute(secret.reveal(), &text);
    let value = (HeaderValue::from_bytes(mac.as_bytes()), HeaderValue::from_str(&nonce));
    if let (Ok(signature), Ok(nonce)) = value {
        headers.insert(V3.own.clone(), signature.clone());
        headers.insert(V3.main.clone(), signature);
        headers.insert(V3.nonce.clone(), nonce);
    }
    headers
}

/// What a request carries of a version.
struct Signed<'h> {
    nonce: &'h str,
    /// One match is enough: several tokens may be alive, and a sub-account has its own.
    signatures: SmallVec<[&'h str; 4]>,
}

impl<'h> Signed<'h> {
    /// None where there is no signature or no nonce: either is no proof alone.
    fn by(version: &Version, headers: &'h HeaderMap) -> Option<Self> {
        let values =
            headers.get_all(&version.own).into_iter().chain(headers.get_all(&version.main));
        let lists = values.filter_map(|value| value.to_str().ok());
        let items = lists.flat_map(|list| list.split(',')).map(str::trim);
        let signatures: SmallVec<_> = items.filter(|item| !item.is_empty()).collect();
        let nonce = headers.get(&version.nonce)?.to_str().ok()?;
        (!signatures.is_empty() && !nonce.is_empty()).then_some(Self { nonce, signatures })
    }

    fn verify(&self, account: &Account, text: &str) -> Result<(), Refused> {
        let is_signed = account.secrets.iter().any(|secret| {
            let mac = compute(secret.reveal(), text);
            self.signatures.iter().any(|signature| mac.is(signature.as_bytes()))
        });
        if is_signed { Ok(()) } else { Err(Refused::WrongSignature) }
    }
}

fn compute(secret: &str, text: &str) -> MacText {
    MacText::compute(ALGORITHM, secret.as_bytes(), std::iter::once(text.as_bytes()))
}

/// `base?Q.P.nonce`, without what there is none of: pairs of the query as `k=v` between `&`s,
/// fields as `kv` without anything between; the `?` stands before whichever comes first.
fn text_v3(url: &str, query: &Form<'_>, fields: &Form<'_>, nonce: &str) -> String {
    let (query, fields) = (sorted(query), sorted(fields));
    let mut text = String::with_capacity(1024);
    text.push_str(base(url));
    if !query.is_empty() || !fields.is_empty() {
        text.push('?');
    }
    for (at, pair) in query.iter().enumerate() {
        text.extend([if at > 0 { "&" } else { "" }, pair.name(), "=", pair.value()]);
    }
    if !query.is_empty() && !fields.is_empty() {
        text.push('.');
    }
    for pair in &fields {
        text.extend([pair.name(), pair.value()]);
    }
    text.extend([".", nonce]);
    text
}

/// By name, then value; a repeated pair stays as often as it came.
fn sorted<'f>(form: &'f Form<'_>) -> Fields<'f> {
    let mut pairs: Fields<'f> = form.fields().collect();
    pairs.sort_unstable();
    pairs
}

/// Scheme, host, port as written, path. Nothing of it is made lower-case or otherwise normal.
fn base(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn raw_query(url: &str) -> &str {
    let url = url.split('#').next().unwrap_or_default();
    url.split_once('?').map_or("", |(_, query)| query)
}

/// The fields of a form; none of anything else, which is then nowhere read.
fn fields<'a>(request: &Request<'a>) -> Result<Form<'a>, Refused> {
    if !is_form(request) {
        return Ok(Form::default());
    }
    form(std::str::from_utf8(request.body).map_err(|_| Refused::Malformed("form is not text"))?)
}

fn form(text: &str) -> Result<Form<'_>, Refused> {
    Form::parse(text).map_err(|_| Refused::Malformed("too many parameters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, fields: &str, expected: &str) {
        let query = form(raw_query(url)).unwrap();
        let fields = form(fields).unwrap();
        assert_eq!(text_v3(url, &query, &fields, "77"), expected);
    }

    #[test]
    fn every_row_of_the_table_has_its_text() {
        check("https://h/a", "", "https://h/a.77");
        check("https://h/a?b=2&a=1", "", "https://h/a?a=1&b=2.77");
        check("https://h/a", "To=2&From=1", "https://h/a?From1To2.77");
        check("https://h/a?b=2&a=1", "To=2&From=1", "https://h/a?a=1&b=2.From1To2.77");
        check("https://h:8/a/?x=%2B+y#rc=2", "e=", "https://h:8/a/?x=+ y.e.77");
        check("https://h?b&a=2&a=1&a=1", "k=2&k=1&K=0", "https://h?a=1&a=1&a=2&b=.K0k1k2.77");
    }
}
