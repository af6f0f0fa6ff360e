//! CallingBox's dialect over HTTP: `/v1`.

mod agents;
mod calls;
mod numbers;

use axum::routing::{delete, get, post, put};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .route("/agents", get(agents::list).post(agents::create))
        .route("/agents/{agent}", get(agents::read).patch(agents::update).delete(agents::archive))
        .route("/agents/{agent}/numbers", post(agents::attach))
        .route("/agents/{agent}/numbers/{number}", delete(agents::detach))
        .route("/agents/{agent}/primary-number", put(agents::prefer))
        .route("/numbers", get(numbers::list))
        .route("/calls", get(calls::list).post(calls::place))
        .route("/calls/{call}", get(calls::read))
        .routes(routes!(calls::transcript))
}
