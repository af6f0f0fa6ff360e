//! Talkover's dialect over HTTP: `/api/v1`.

mod agents;
mod areas;
mod call_lists;
mod callbacks;
mod calls;
mod campaigns;
mod numbers;
mod releases;
mod stats;
mod trunks;
mod webhooks;

use axum::Json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;
use crate::dialects::talkover::HealthBody;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(agents::list, agents::create))
        .routes(routes!(agents::read, agents::delete))
        .routes(routes!(agents::calling))
        .routes(routes!(calls::place))
        .routes(routes!(agents::publish))
        .routes(routes!(agents::unpublish))
        .routes(routes!(callbacks::set, callbacks::update, callbacks::remove))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::sources))
        .routes(routes!(callbacks::read))
        .routes(routes!(areas::knowledge))
        .routes(routes!(areas::voice))
        .routes(routes!(areas::advanced))
        .routes(routes!(releases::list))
        .routes(routes!(releases::request))
        .routes(routes!(releases::cancel))
        .routes(routes!(trunks::list, trunks::create))
        .routes(routes!(trunks::read, trunks::update, trunks::remove))
        .routes(routes!(trunks::verify))
        .routes(routes!(trunks::health))
        .routes(routes!(trunks::dids, trunks::add_did))
        .routes(routes!(trunks::remove_did))
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(campaigns::read, campaigns::update, campaigns::remove))
        .routes(routes!(campaigns::status))
        .routes(routes!(campaigns::call))
        .routes(routes!(stats::read))
        .routes(routes!(stats::check))
        .routes(routes!(call_lists::list))
        .routes(routes!(call_lists::read))
        .routes(routes!(call_lists::of_agent))
        .routes(routes!(call_lists::active))
        .routes(routes!(call_lists::end))
        .routes(routes!(numbers::list))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::read, webhooks::update, webhooks::remove))
        .routes(routes!(webhooks::toggle))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::logs))
        .routes(routes!(webhooks::retry))
}

/// Whether the API answers. It needs no key.
#[utoipa::path(get, path = "/health", tag = "installation", security(()),
    responses((status = 200, body = HealthBody)))]
async fn health() -> Json<HealthBody> {
    Json(HealthBody::default())
}
