//! What a request passes before its handler: its key is looked up, once, and asked whether it has
//! not asked too often; where the request may come again, it is told apart from others.

use std::cell::Cell;

use axum::{
    body::Body,
    extract::{Query, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sha2::{Digest, Sha256};

use super::{
    Api,
    answer::{Answer, REV},
    auth::{Known, bearer},
    guard::Dialect,
    receive::{BODY_LEN_MAX, BULK_LEN_MAX, limited},
};
use crate::{
    dialects::Problem,
    domain::{KeyId, Refusal},
    store::Once,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On how many of the processes that route calls a write is seen.
const VISIBLE: HeaderName = HeaderName::from_static("switchback-visible");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Who looks whether we are well is never told to look less often (Talkover's rule).
const HEALTH: &str = "/health";
/// The longest idempotency key (Stripe's limit).
const KEY_LEN_MAX: usize = 255;

/// The request at hand, where it may come again.
struct Asked {
    once: Once,
    was_answered: Cell<bool>,
}

tokio::task_local! {
    static ASKED: Asked;
}

/// What the request at hand is known by, where it may come again.
pub(super) fn once() -> Option<Once> {
    ASKED.try_with(|asked| asked.once.clone()).ok()
}

/// The request at hand had been answered before.
pub(super) fn was_answered() {
    // Whoever asks has seen `once` give something.
    let _ = ASKED.try_with(|asked| asked.was_answered.set(true));
}

/// Lets a request through.
pub(super) async fn pass(api: Api, dialect: Dialect, mut request: Request, next: Next) -> Response {
    let known = match bearer(request.headers()) {
        Some(key) => Known(api.keys.find(&api, key).await),
        None => Known(Err(Problem::KeyMissing)),
    };
    let key = known.0.as_ref().map(|presented| presented.id).ok();
    request.extensions_mut().insert(known);
    let limits = api.limits.as_ref().filter(|_| request.uri().path() != HEALTH);
    let Some((left, taken)) = limits.zip(key).map(|(limits, key)| limits.take(key)) else {
        return once_only(dialect, key, request, next).await;
    };
    let mut response = match taken {
        Ok(()) => once_only(dialect, key, request, next).await,
        Err(seconds) => Problem::TooOften(seconds).into_response(),
    };
    left.tell(response.headers_mut());
    response
}

/// Answers a request; a write apart from the others where it may come again.
async fn once_only(dialect: Dialect, key: Option<KeyId>, request: Request, next: Next) -> Response {
    if !is_write(request.method()) {
        return next.run(request).await;
    }
    let waits_for_all = match waits_for_all(request.uri()) {
        Ok(waits) => waits,
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    // A stranger, or a call's own token, has no need for much.
    let len_max = key.map_or(BODY_LEN_MAX, |_| BULK_LEN_MAX);
    let mut response = match named(request.headers()) {
        None => next.run(request).await,
        Some(name) => apart(dialect, name, len_max, request, next).await.into_response(),
    };
    // A write that says where the log then stood has waited for this process: the only one.
    if waits_for_all && response.status().is_success() && response.headers().contains_key(REV) {
        response.headers_mut().insert(VISIBLE, HeaderValue::from_static("1/1"));
    }
    response
}

/// Answers a request that may come again.
async fn apart(
    dialect: Dialect,
    name: Result<String, Refusal>,
    len_max: usize,
    request: Request,
    next: Next,
) -> Answer {
    let key = name?;
    let (parts, body) = request.into_parts();
    let body = limited(body, len_max).await?;
    let asked = hash(dialect, &parts.method, &parts.uri, &body);
    let request = Request::from_parts(parts, Body::from(body));
    let asked = Asked { once: Once { key, asked }, was_answered: Cell::new(false) };
    let answer = async {
        let mut response = next.run(request).await;
        if ASKED.with(|asked| asked.was_answered.get()) {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    };
    Ok(ASKED.scope(asked, answer).await)
}

/// Whether a write is to be answered when every process routes by it.
fn waits_for_all(uri: &Uri) -> Result<bool, Refusal> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).unwrap_or_default();
    match query.iter().find(|(name, _)| name == "wait") {
        None => Ok(false),
        Some((_, all)) if all == "all" => Ok(true),
        Some(_) => Err(Refusal::invalid("wait", "Must be all.")),
    }
}

fn is_write(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// The idempotency key, if there is one.
fn named(headers: &HeaderMap) -> Option<Result<String, Refusal>> {
    let name = headers.get(IDEMPOTENCY_KEY)?.as_bytes();
    let is_fit = (1..=KEY_LEN_MAX).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    Some(if is_fit {
        Ok(String::from_utf8_lossy(name).into_owned())
    } else {
        let message = format!("Must be 1 to {KEY_LEN_MAX} visible ASCII characters.");
        Err(Refusal::invalid("Idempotency-Key", message))
    })
}

/// What is asked, in 32 bytes. Each part says its length, so that none can pass for another.
fn hash(dialect: Dialect, method: &Method, uri: &Uri, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    // The path is the one inside the dialect.
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    for part in [dialect.as_str(), method.as_str(), target] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(body);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_is_another_request() {
        let of = |dialect, method: &Method, target: &'static str, body: &[u8]| {
            hash(dialect, method, &Uri::from_static(target), body)
        };
        let (post, put) = (Method::POST, Method::PUT);
        let first = of(Dialect::Own, &post, "/numbers", b"{}");
        assert_eq!(first, of(Dialect::Own, &post, "/numbers", b"{}"));
        for other in [
            of(Dialect::Talkover, &post, "/numbers", b"{}"),
            of(Dialect::Own, &put, "/numbers", b"{}"),
            of(Dialect::Own, &post, "/numbers?a=b", b"{}"),
            of(Dialect::Own, &post, "/number", b"s{}"),
            of(Dialect::Own, &post, "/numbers", b"{ }"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_key_is_short_and_visible() {
        let long = "k".repeat(KEY_LEN_MAX);
        let longer = "k".repeat(KEY_LEN_MAX + 1);
        for (key, is_fit) in
            [("a", true), (long.as_str(), true), ("", false), ("a b", false), (&longer, false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(key).unwrap());
            assert_eq!(named(&headers).unwrap().is_ok(), is_fit, "{key:?}");
        }
        assert!(named(&HeaderMap::new()).is_none());
    }
}
