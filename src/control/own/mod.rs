//! Switchback's own API over HTTP: `/switchback/v1`.

mod accounts;
mod audit;
mod briefing;
mod callbacks;
pub(super) mod calls;
mod coverage;
mod edges;
mod events;
mod import;
mod keys;
pub(super) mod numbers;
mod orphans;
mod pointing;
mod probe;
mod releases;
mod replay;
mod results;
mod retention;
mod revisions;
mod route;
mod settings;
mod setup;
mod status;
mod steering;
mod tenants;
mod touches;
mod transcripts;
mod upstreams;
mod webhook_secret;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(route::explain))
        .routes(routes!(touches::merge))
        .routes(routes!(orphans::list))
        .routes(routes!(touches::contact, touches::erase))
        .routes(routes!(numbers::add))
        .routes(routes!(numbers::update, numbers::remove))
        .routes(routes!(releases::list))
        .routes(routes!(releases::decide))
        .routes(routes!(callbacks::read, callbacks::set, callbacks::remove))
        .routes(routes!(settings::read, settings::update))
        .routes(routes!(status::read))
        .routes(routes!(retention::read))
        .routes(routes!(webhook_secret::read, webhook_secret::rotate))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::shadow))
        .routes(routes!(calls::list))
        .routes(routes!(calls::read))
        .routes(routes!(steering::hang_up))
        .routes(routes!(steering::transfer_call))
        .routes(routes!(steering::move_call))
        .routes(routes!(events::stream))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::read, accounts::update, accounts::remove))
        .routes(routes!(accounts::sign))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(tenants::read, tenants::update, tenants::remove))
        .routes(routes!(audit::list))
        .routes(routes!(edges::list))
        .routes(routes!(coverage::list))
        .routes(routes!(briefing::read))
        .routes(routes!(import::calls))
        .routes(routes!(probe::socket))
        .routes(routes!(pointing::list))
        .routes(routes!(pointing::point))
        .routes(routes!(pointing::unpoint))
        .routes(routes!(pointing::check))
        .routes(routes!(results::set))
        .routes(routes!(transcripts::add, transcripts::read))
        .routes(routes!(setup::apply))
        .routes(routes!(setup::export))
        .routes(routes!(replay::replay))
        .routes(routes!(revisions::list))
        .routes(routes!(revisions::read))
        .routes(routes!(revisions::roll_back))
}
