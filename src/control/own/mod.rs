//! Switchback's own API over HTTP: `/switchback/v1`.

mod accounts;
mod callbacks;
pub(super) mod calls;
mod coverage;
mod events;
mod import;
mod numbers;
mod orphans;
mod results;
mod route;
mod settings;
mod status;
mod tenants;
mod touches;
mod transcripts;
mod upstreams;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(route::explain))
        .routes(routes!(touches::merge))
        .routes(routes!(orphans::list))
        .routes(routes!(touches::contact))
        .routes(routes!(numbers::add))
        .routes(routes!(numbers::update, numbers::remove))
        .routes(routes!(callbacks::read, callbacks::set, callbacks::remove))
        .routes(routes!(settings::read, settings::update))
        .routes(routes!(status::read))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::shadow))
        .routes(routes!(calls::list))
        .routes(routes!(calls::read))
        .routes(routes!(calls::hang_up))
        .routes(routes!(events::stream))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::read, accounts::update, accounts::remove))
        .routes(routes!(accounts::sign))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::keys, tenants::create_key))
        .routes(routes!(tenants::revoke_key))
        .routes(routes!(coverage::list))
        .routes(routes!(import::calls))
        .routes(routes!(results::set))
        .routes(routes!(transcripts::add, transcripts::read))
}
