//! SignalWire's request signatures, by the project's signing key. Two schemes are in use: A, the
//! hexadecimal HMAC-SHA1 of URL and raw body; B, Twilio's, in base64 (SignalWire docs,
//! compatibility-api/guides/webhooks/webhook-security; signalwire-python `webhook_validator`).
//!
//! Neither says when, so a repetition cannot be told. SignalWire signs no media socket's upgrade:
//! it shows a token instead, which we wrote into the document.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value};

use crate::{
    carriers::{
        BODY_LEN_MAX, Refused, Request,
        shared::{
            form::{Field, Fields, Form, is_form},
            hmac::{Algorithm, MacText},
            twiml::signature::{SignedUrl, body_hash, compute, hash_of},
        },
    },
    domain::{Account, Secret},
};

/// Carries the signature.
pub(super) static SIGNATURE: HeaderName = HeaderName::from_static("x-signalwire-signature");

/// Carried it when the API was called LaML; looked at where the other is not there.
static OLDER: HeaderName = HeaderName::from_static("x-twilio-signature");

/// What the socket's token is a code of, before its URL: no webhook is signed so.
const SOCKET: &str = "switchback media socket ";

/// Proves that a request is from the account's SignalWire, and returns its parameters: those of
/// the body, a form or an object, else of the query.
pub(super) fn verify<'a>(request: &Request<'a>, account: &Account) -> Result<Form<'a>, Refused> {
    let signature = header(request.headers)?;
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    let fields = if is_form(request) { Some(fields(request)?) } else { None };
    if !is_signed_raw(request, account, signature) {
        is_signed_like_twilio(request, account, signature, fields.as_ref())?;
    }
    match fields {
        Some(fields) => Ok(fields),
        None if is_json(request) => object(request.body),
        None => form(request.query()),
    }
}

/// The headers SignalWire would send with the request; for a socket's upgrade, its token.
pub(super) fn sign(request: &Request<'_>, account: &Account) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if request.url.starts_with("ws") {
        let token = socket_token(request.url, account).map(|token| format!("Bearer {token}"));
        let value = token.and_then(|token| HeaderValue::from_str(&token).ok());
        headers.extend(value.map(|value| (AUTHORIZATION, value)));
        return headers;
    }
    let Some(key) = account.secrets.first() else { return headers };
    let signature = match fields(request) {
        Ok(fields) if is_form(request) => {
            let url = [request.url, "", "", ""];
            let mac = compute(Algorithm::Sha1, key.reveal(), url, in_order(&fields));
            mac.as_bytes().to_vec()
        }
        _ => raw_code(request, key).hex().into_bytes(),
    };
    let value = HeaderValue::from_bytes(&signature).ok();
    headers.extend(value.map(|value| (SIGNATURE.clone(), value)));
    headers
}

/// What a media socket under that URL is to show.
pub(super) fn socket_token(url: &str, account: &Account) -> Option<String> {
    let mac = socket_code(url, account.secrets.first()?);
    String::from_utf8(mac.as_bytes().to_vec()).ok()
}

/// Proves that an upgrade shows the token of its URL, made with one of the account's keys.
pub(super) fn verify_upgrade(request: &Request<'_>, account: &Account) -> Result<(), Refused> {
    let shown = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.strip_prefix(b"Bearer ")).ok_or(Refused::Unsigned)?;
    let is_ours = account.secrets.iter().any(|key| socket_code(request.url, key).is(shown));
    if is_ours { Ok(()) } else { Err(Refused::WrongSignature) }
}

fn socket_code(url: &str, key: &Secret) -> MacText {
    let pieces = [SOCKET.as_bytes(), url.as_bytes()];
    MacText::compute(Algorithm::Sha256, key.reveal().as_bytes(), pieces.into_iter())
}

/// Scheme A: lower-case digits, and no other spelling.
fn is_signed_raw(request: &Request<'_>, account: &Account, signature: &[u8]) -> bool {
    account.secrets.iter().any(|key| raw_code(request, key).is_hex(signature))
}

fn raw_code(request: &Request<'_>, key: &Secret) -> MacText {
    let pieces = [request.url.as_bytes(), request.body];
    MacText::compute(Algorithm::Sha1, key.reveal().as_bytes(), pieces.into_iter())
}

/// Scheme B. What the platform does with a repeated name is not written down: SignalWire's
/// libraries keep every value in its order, Twilio's sort them and drop repetitions. A body that
/// is no form is proven by its hash in the query, or not at all.
fn is_signed_like_twilio(
    request: &Request<'_>,
    account: &Account,
    signature: &[u8],
    fields: Option<&Form<'_>>,
) -> Result<(), Refused> {
    let url = SignedUrl::new(request.url);
    let is_signed = |pairs: &[Field<'_>]| {
        url.variants("").into_iter().any(|url| {
            account.secrets.iter().any(|key| {
                let pairs = pairs.iter().copied();
                compute(Algorithm::Sha1, key.reveal(), url, pairs).is(signature)
            })
        })
    };
    if let Some(fields) = fields {
        let is_either = is_signed(&in_order(fields))
            || is_signed(&fields.sorted().iter().collect::<Fields<'_>>());
        return if is_either { Ok(()) } else { Err(Refused::WrongSignature) };
    }
    if !is_signed(&[]) {
        return Err(Refused::WrongSignature);
    }
    let hash = body_hash(request.query());
    let is_proven = match hash {
        Some(hash) => hash.as_bytes() == hash_of(request.body),
        None => request.body.is_empty(),
    };
    if is_proven { Ok(()) } else { Err(Refused::BodyMismatch) }
}

/// By name; the values of one name as they came.
fn in_order<'f>(form: &'f Form<'_>) -> Fields<'f> {
    let mut pairs: Fields<'f> = form.fields().collect();
    pairs.sort_by(|one, other| one.name().cmp(other.name()));
    pairs
}

fn header(headers: &HeaderMap) -> Result<&[u8], Refused> {
    let mut values = [&SIGNATURE, &OLDER].into_iter().filter_map(|name| headers.get(name));
    let signature = values.next().map(HeaderValue::as_bytes);
    signature.filter(|text| !text.is_empty()).ok_or(Refused::Unsigned)
}

fn is_json(request: &Request<'_>) -> bool {
    let media_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    request.method != Method::GET && essence.trim().eq_ignore_ascii_case("application/json")
}

fn fields<'a>(request: &Request<'a>) -> Result<Form<'a>, Refused> {
    form(std::str::from_utf8(request.body).map_err(|_| Refused::Malformed("form is not text"))?)
}

fn form(text: &str) -> Result<Form<'_>, Refused> {
    Form::parse(text).map_err(|_| TOO_MANY)
}

const TOO_MANY: Refused = Refused::Malformed("too many parameters");

/// The parameters of an object, as a form would have them: those that are no object or list.
fn object<'a>(body: &[u8]) -> Result<Form<'a>, Refused> {
    let object: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Refused::Malformed("body is no JSON object"))?;
    let pairs = object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(_) | Value::Bool(_) => Some((name, value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    });
    Form::of(pairs).map_err(|_| TOO_MANY)
}
