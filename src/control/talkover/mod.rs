//! Talkover's dialect over HTTP: `/api/v1`.

mod agents;
mod callbacks;
mod calls;
mod numbers;

use axum::{
    Json,
    routing::{get, post, put},
};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/agents", get(agents::list).post(agents::create))
        .route("/agents/{agent}", get(agents::read).delete(agents::delete))
        .route("/agents/{agent}/calling", put(agents::calling))
        .route("/agents/{agent}/call", post(calls::place))
        .route("/agents/{agent}/publish", post(agents::publish))
        .route("/agents/{agent}/unpublish", post(agents::unpublish))
        .route(
            "/agents/{agent}/callback",
            post(callbacks::set).put(callbacks::update).delete(callbacks::remove),
        )
        .route("/callback-agents", get(callbacks::list))
        .route("/callback-agents/source-agents", get(callbacks::sources))
        .route("/callback-agents/{agent}", get(callbacks::read))
        .route("/phone-numbers", get(numbers::list))
}
