//! Switchback's own API over HTTP: `/switchback/v1`.

mod accounts;
mod callbacks;
pub(super) mod calls;
mod coverage;
mod events;
mod numbers;
mod orphans;
mod results;
mod route;
mod settings;
mod status;
mod tenants;
mod touches;
mod transcripts;

use axum::routing::{delete, get, patch, post};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .route("/route", get(route::explain))
        .route("/touches", post(touches::merge))
        .route("/touches/orphans", get(orphans::list))
        .route("/contacts/{contact}", get(touches::contact))
        .route("/numbers", post(numbers::add))
        .route("/numbers/{number}", patch(numbers::update).delete(numbers::remove))
        .route(
            "/agents/{agent}/callback",
            get(callbacks::read).put(callbacks::set).delete(callbacks::remove),
        )
        .route("/settings", get(settings::read).patch(settings::update))
        .routes(routes!(status::read))
        .routes(routes!(coverage::list))
        .route("/calls", get(calls::list))
        .route("/calls/{call}", get(calls::read))
        .route("/calls/{call}/hangup", post(calls::hang_up))
        .routes(routes!(results::set))
        .routes(routes!(transcripts::add, transcripts::read))
        .route("/events", get(events::stream))
        .route("/carrier-accounts", get(accounts::list).post(accounts::create))
        .route(
            "/carrier-accounts/{account}",
            get(accounts::read).patch(accounts::update).delete(accounts::remove),
        )
        .route("/carrier-accounts/{account}/sign", post(accounts::sign))
        .route("/tenants", get(tenants::list).post(tenants::create))
        .route("/keys", get(tenants::keys).post(tenants::create_key))
        .route("/keys/{key}", delete(tenants::revoke_key))
}
