//! CallingBox's dialect over HTTP: `/v1`.

mod agents;
mod calls;
mod numbers;
mod webhooks;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(agents::list, agents::create))
        .routes(routes!(agents::read, agents::update, agents::archive))
        .routes(routes!(agents::attach))
        .routes(routes!(agents::detach))
        .routes(routes!(agents::prefer))
        .routes(routes!(numbers::list, numbers::add))
        .routes(routes!(numbers::search))
        .routes(routes!(numbers::purchase))
        .routes(routes!(numbers::set_inbound))
        .routes(routes!(numbers::release))
        .routes(routes!(calls::list, calls::place))
        .routes(routes!(calls::read))
        .routes(routes!(calls::cancel))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::read, webhooks::update, webhooks::remove))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::delivery))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(calls::transcript))
}
