//! A media socket to be looked at: does the way that carriers open one by lead here, and hold?

use axum::extract::State;

use crate::{
    calls::seal,
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Operator,
    },
    dialects::{Problem, own::ProbeSocketBody},
    telemetry::clock,
};

/// Makes the URL of a media socket that says back what it hears, for `doctor`. It opens for a
/// minute, and no call comes of it.
#[utoipa::path(post, path = "/probe-socket", tag = "installation",
    responses((status = 200, body = ProbeSocketBody)))]
pub(super) async fn socket(State(api): State<Api>, _operator: Operator) -> Answer {
    let view = api.index.view();
    // The newest signs.
    let key = view.media_keys().first().ok_or(Problem::Internal)?;
    let ticket = seal::probe_ticket(key, clock::now());
    let url = format!("{}/media/{ticket}", api.settings.media_url);
    Ok(Reply::ok(&ProbeSocketBody { url }).at(*api.applied.borrow()))
}
