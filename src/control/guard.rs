//! What stands around every route: a request id, a time limit, a net under panics, and the
//! encoding of problems in the dialect's words. It never looks into a body.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    Json, Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use uuid::Uuid;

use super::{Api, gate};
use crate::{
    dialects::{self, Problem},
    telemetry::redact,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whose words are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Talkover,
    CallingBox,
    Own,
}

impl Dialect {
    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Talkover => "talkover",
            Self::CallingBox => "callingbox",
            Self::Own => "own",
        }
    }

    fn error(self, problem: &Problem) -> (u16, serde_json::Value) {
        match self {
            Self::Talkover => dialects::talkover::error(problem),
            Self::CallingBox => dialects::callingbox::error(problem),
            Self::Own => dialects::own::error(problem),
        }
    }
}

/// Puts the guard around routes, unknown paths and methods included.
pub(super) fn around(routes: Router<Api>, dialect: Dialect, api: &Api) -> Router<Api> {
    let wait = api.settings.request_wait;
    let api = api.clone();
    let pass = move |request, next| gate::pass(api.clone(), dialect, request, next);
    let routes = routes
        .fallback(async || Problem::RouteUnknown)
        .method_not_allowed_fallback(async || Problem::MethodUnknown)
        .layer(middleware::from_fn(pass));
    guarded(routes, dialect, wait)
}

fn guarded<S>(routes: Router<S>, dialect: Dialect, wait: Duration) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.layer(middleware::from_fn(move |request, next| guard(dialect, wait, request, next)))
}

async fn guard(dialect: Dialect, wait: Duration, request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let (method, path) = (request.method().clone(), redact::path(request.uri().path()));
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(wait, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(%method, %path, ?id, "a request panicked");
            Problem::Internal.into_response()
        }
        Err(_) => Problem::TimedOut.into_response(),
    };
    let mut response = in_words(dialect, response);
    let status = response.status().as_u16();
    let shown = id.to_str().unwrap_or_default();
    tracing::debug!(%method, %path, status, id = shown, "answered");
    response.headers_mut().entry(REQUEST_ID).or_insert(id);
    response
}

/// The asker's id where it is fit for a header and a log line, else one of ours.
fn request_id(request: &Request) -> HeaderValue {
    const LEN_MAX: usize = 128;
    let theirs = request.headers().get(REQUEST_ID);
    let fit = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        !bytes.is_empty() && bytes.len() <= LEN_MAX && bytes.iter().all(u8::is_ascii_graphic)
    };
    theirs.filter(fit).cloned().unwrap_or_else(|| {
        let ours = HeaderValue::from_str(&Uuid::now_v7().to_string());
        ours.unwrap_or_else(|_| HeaderValue::from_static("none"))
    })
}

fn in_words(dialect: Dialect, mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let (status, body) = dialect.error(&problem);
    let mut told = Json(body).into_response();
    *told.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // What was said beside the problem holds: which methods a path knows (RFC 9110 §15.5.6), how
    // often the key may ask.
    for (name, value) in std::mem::take(response.headers_mut()) {
        if let Some(name) = name.filter(|name| !told.headers().contains_key(name)) {
            told.headers_mut().insert(name, value);
        }
    }
    if status == 401 {
        told.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after(&problem, status) {
        told.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    told
}

/// After how many seconds it is worth asking again, where time alone helps.
fn retry_after(problem: &Problem, status: u16) -> Option<u64> {
    match (problem, status) {
        (Problem::TooOften(seconds), _) => Some(*seconds),
        (_, 429 | 503) => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, routing::get};
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(dialect: Dialect) -> String {
        let routes = Router::new()
            .route("/panics", get(async || -> &str { panic!("a test") }))
            .route("/sleeps", get(std::future::pending::<()>));
        let routes = guarded(routes, dialect, Duration::from_millis(50));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        base
    }

    #[tokio::test]
    async fn panics_and_delays_are_answered_in_the_dialects_words() {
        drop(rustls::crypto::ring::default_provider().install_default());
        for (dialect, panicked, slept) in [
            (Dialect::Talkover, "SERVER_ERROR", "TIMED_OUT"),
            (Dialect::CallingBox, "server_error", "timed_out"),
            (Dialect::Own, "server_error", "timed_out"),
        ] {
            let base = serve(dialect).await;
            for (path, status, code) in [("panics", 500, panicked), ("sleeps", 504, slept)] {
                let got = reqwest::get(format!("{base}/{path}")).await.unwrap();
                assert_eq!(got.status().as_u16(), status);
                assert!(got.headers().contains_key(REQUEST_ID));
                let body: Value = got.json().await.unwrap();
                assert_eq!(body["code"], code, "{dialect:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_fit_request_id_is_kept() {
        for (given, is_kept) in [("abc-123", true), ("two words", false)] {
            let request = Request::builder().header(REQUEST_ID, given);
            let id = request_id(&request.body(axum::body::Body::empty()).unwrap());
            assert_eq!(id == given, is_kept, "{given}");
        }
        let told = in_words(Dialect::Own, Problem::KeyMissing.into_response());
        assert_eq!(told.status(), 401);
        assert!(to_bytes(told.into_body(), 1000).await.unwrap().starts_with(b"{"));
    }
}
