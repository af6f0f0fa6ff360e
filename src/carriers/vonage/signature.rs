//! Vonage's proof of a webhook: a JSON Web Token (RFC 7519) in `Authorization`, with the hash of
//! what was sent in it (nexmo-developer, messages/concepts/signed-webhooks).
//!
//! The algorithm is ours to fix, never the token's to choose: HMAC-SHA256, keyed by the signature
//! secret's own letters. Which of the account's secrets it is, the token does not say; its
//! `api_key` says whose they are, and a URL of ours is one account's.

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, HeaderName},
};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    carriers::{
        BODY_LEN_MAX, Refused, Request,
        shared::{
            form::Form,
            hmac::{Algorithm, MacText},
        },
    },
    domain::{Account, Secret, UnixMillis},
};

/// Where the proof is.
pub(super) const HEADER: HeaderName = AUTHORIZATION;

/// How far a token's time may be from ours, either way; Vonage's own libraries leave it open.
const AGE_SECONDS_MAX: u64 = 300;

/// Who signs.
const ISSUER: &str = "Vonage";

/// The header of a token that we make, as Vonage's are.
const JOSE_HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a proof of a media socket is made for; it is no webhook's.
const MEDIA_PURPOSE: &str = "switchback media ";

/// What a token's first part says of it.
#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
}

/// What it says, in Vonage's order.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<Number>,
    #[serde(default)]
    pub(super) jti: String,
    #[serde(default)]
    pub(super) iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_hash: Option<String>,
    #[serde(default)]
    pub(super) api_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<Number>,
}

/// Proves that a request is from the account's Vonage, from about now, and about what it says.
pub(super) fn verify(
    request: &Request<'_>,
    account: &Account,
    now: UnixMillis,
) -> Result<(), Refused> {
    if request.body.len() > BODY_LEN_MAX {
        return Err(Refused::Malformed("body is too long"));
    }
    let claims = claims(token(request.headers).ok_or(Refused::Unsigned)?, account)?;
    if claims.iss != ISSUER {
        return Err(Refused::UnknownKey);
    }
    let application = claims.application_id.as_deref();
    if claims.api_key != account.account_id
        || application.is_some_and(|id| id != account.application_id)
    {
        return Err(Refused::AccountMismatch);
    }
    if !is_timely(&claims, now) {
        return Err(Refused::Stale);
    }
    let hash = claims.payload_hash.as_deref().ok_or(Refused::BodyMismatch)?;
    if is_hash_of(hash, request)? { Ok(()) } else { Err(Refused::BodyMismatch) }
}

/// The headers Vonage would send with the request. Its `jti` is random; here the same request at
/// the same time has the same.
pub(super) fn sign(request: &Request<'_>, account: &Account, now: UnixMillis) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(secret) = account.secrets.first() else { return headers };
    let text = if is_socket(request.url) {
        media_proof(secret, request.url)
    } else {
        let Ok(payload) = payload(request) else { return headers };
        let hash = hex(&Sha256::digest(&payload));
        let jti = Uuid::new_v5(&account.id.0, format!("{} {hash}", now.0).as_bytes());
        let application = Some(&account.application_id).filter(|id| !id.is_empty());
        let claims = Claims {
            iat: Some(now.seconds().0.into()),
            jti: jti.to_string(),
            iss: ISSUER.to_owned(),
            payload_hash: Some(hash),
            api_key: account.account_id.clone(),
            application_id: application.cloned(),
            exp: None,
            nbf: None,
        };
        format!("Bearer {}", issue(&claims, secret))
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(HEADER, value);
    }
    headers
}

/// The `Authorization` that our document gives to a media socket: that whoever opens it was told
/// to, besides knowing its URL.
pub(super) fn media_proof(secret: &Secret, url: &str) -> String {
    let pieces = [MEDIA_PURPOSE.as_bytes(), url.as_bytes()];
    let mac = MacText::compute(Algorithm::Sha256, secret.reveal().as_bytes(), pieces.into_iter());
    format!("Bearer {}", mac.base64url())
}

/// Proves that whoever opens a media socket was told to.
pub(super) fn verify_upgrade(request: &Request<'_>, account: &Account) -> Result<(), Refused> {
    let found = token(request.headers).ok_or(Refused::Unsigned)?;
    let pieces = || [MEDIA_PURPOSE.as_bytes(), request.url.as_bytes()].into_iter();
    let is_ours = account.secrets.iter().any(|secret| {
        let key = secret.reveal().as_bytes();
        MacText::compute(Algorithm::Sha256, key, pieces()).is_base64url(found.as_bytes())
    });
    if is_ours { Ok(()) } else { Err(Refused::WrongSignature) }
}

/// Whom a token names, and when it says it was made; unproven, for who looks for a fault.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) api_key: String,
    pub(super) application_id: String,
    pub(super) issued_at: Option<UnixMillis>,
}

/// Whom the request's token names.
pub(super) fn named(headers: &HeaderMap) -> Named {
    let claims = token(headers).and_then(|token| part::<Claims>(token.split('.').nth(1)?));
    let Some(claims) = claims else { return Named::default() };
    Named {
        issued_at: seconds(claims.iat.as_ref()).map(|at| UnixMillis(at.saturating_mul(1000))),
        api_key: claims.api_key,
        application_id: claims.application_id.unwrap_or_default(),
    }
}

/// The bearer's token; none where there is no such header, or one of another scheme.
fn token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (scheme, rest) = text.split_at_checked("Bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case("Bearer") && !rest.starts_with(|c| c != ' ');
    is_bearer.then(|| rest.trim())
}

/// What a token says, once one of the account's secrets has proven it.
fn claims(token: &str, account: &Account) -> Result<Claims, Refused> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::WrongSignature)?;
    let (head, body) = signed.split_once('.').ok_or(Refused::WrongSignature)?;
    let head: JoseHeader = part(head).ok_or(Refused::WrongSignature)?;
    if head.alg != "HS256" {
        return Err(Refused::UnknownKey);
    }
    let is_signed = account
        .secrets
        .iter()
        .any(|secret| compute(secret, signed).is_base64url(signature.as_bytes()));
    if !is_signed {
        return Err(Refused::WrongSignature);
    }
    part(body).ok_or(Refused::Malformed("the token's claims are none"))
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(text).ok()?).ok()
}

pub(super) fn compute(secret: &Secret, signed: &str) -> MacText {
    let pieces = std::iter::once(signed.as_bytes());
    MacText::compute(Algorithm::Sha256, secret.reveal().as_bytes(), pieces)
}

/// A token.
pub(super) fn issue(claims: &Claims, secret: &Secret) -> String {
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let mut token = URL_SAFE_NO_PAD.encode_to_string(JOSE_HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(claims, &mut token);
    let mac = compute(secret, &token);
    token.push('.');
    token.push_str(&mac.base64url());
    token
}

/// Issued about now, not over, and begun.
fn is_timely(claims: &Claims, now: UnixMillis) -> bool {
    let now = now.seconds().0;
    let (exp, nbf) = (&claims.exp, &claims.nbf);
    seconds(claims.iat.as_ref()).is_some_and(|at| now.abs_diff(at) <= AGE_SECONDS_MAX)
        && (exp.is_none() || seconds(exp.as_ref()).is_some_and(|at| now < at))
        && (nbf.is_none() || seconds(nbf.as_ref()).is_some_and(|at| at <= now))
}

/// A time in whole seconds; a token's may have parts of them (RFC 7519 §2).
fn seconds(at: Option<&Number>) -> Option<u64> {
    let text = at?.to_string();
    text.split('.').next()?.parse().ok()
}

/// Whether it is the hash of what came. A body is hashed as it is; Vonage's pages say to hash it as
/// JSON without blanks, which is the same for what Vonage sends, and is tried second.
fn is_hash_of(hash: &str, request: &Request<'_>) -> Result<bool, Refused> {
    let payload = payload(request)?;
    if hash == hex(&Sha256::digest(&payload)) {
        return Ok(true);
    }
    if *request.method == Method::GET {
        return Ok(false);
    }
    Ok(compact(&payload).is_some_and(|compact| hash == hex(&Sha256::digest(compact))))
}

/// What is hashed: the body, or for a GET the query as a JSON object, in the order it came.
fn payload<'a>(request: &Request<'a>) -> Result<Cow<'a, [u8]>, Refused> {
    if *request.method != Method::GET {
        return Ok(request.body.into());
    }
    let form = Form::parse(request.query()).map_err(|_| Refused::Malformed("a long query"))?;
    let mut object = Vec::with_capacity(256);
    object.push(b'{');
    for (at, pair) in form.fields().enumerate() {
        if at > 0 {
            object.push(b',');
        }
        push_text(&mut object, pair.name());
        object.push(b':');
        push_text(&mut object, pair.value());
    }
    object.push(b'}');
    Ok(object.into())
}

/// JSON without blanks between its words, its texts written the shortest way, all in their order.
/// It need not be JSON: what it makes of anything else is the hash of nothing.
pub(super) fn compact(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => rest = after,
            b'"' => {
                let len = text_len(after)?;
                let (text, after) = rest.split_at_checked(len)?;
                let text: String = serde_json::from_slice(text).ok()?;
                push_text(&mut out, &text);
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    Some(out)
}

/// The length of a JSON text with both its quotes, from what stands behind the first.
fn text_len(after: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    let end = after.iter().position(|&byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some(end + 2)
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    // Into memory, which takes everything.
    let _infallible = serde_json::to_writer(out, text);
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn is_socket(url: &str) -> bool {
    url.starts_with("ws://") || url.starts_with("wss://")
}
