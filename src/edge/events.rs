//! What hosted services tell by webhook, handed on: who takes it proves it and waits for memory
//! only. The edge knows nothing of what it means.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};

use super::{Edge, plain, webhook};
use crate::telemetry::metrics::{self, EventOutcome};

/// Takes an event: the name it came to, the headers and the body.
pub type TakeEvent = Arc<dyn Fn(&str, &HeaderMap, &[u8]) -> EventOutcome + Send + Sync>;

/// Bytes of an event: a whole call with instructions, context and result.
const BODY_LEN_MAX: usize = 1024 * 1024;

/// Answers `/upstreams/{name}/events`.
pub(super) async fn handle(
    edge: Arc<Edge>,
    request: Request<Incoming>,
    name: String,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "POST");
    }
    let body = match webhook::read(body, BODY_LEN_MAX).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome = (edge.take_event)(&name, &parts.headers, &body);
    metrics::upstream_event(outcome);
    match outcome {
        EventOutcome::Accepted => plain(StatusCode::OK, "taken"),
        EventOutcome::Unknown => plain(StatusCode::NOT_FOUND, "no such upstream"),
        EventOutcome::Unsigned => plain(StatusCode::UNAUTHORIZED, "not signed by the service"),
        EventOutcome::Malformed => plain(StatusCode::BAD_REQUEST, "the body is no JSON"),
        EventOutcome::QueueFull => plain(StatusCode::SERVICE_UNAVAILABLE, "too much at once"),
    }
}
