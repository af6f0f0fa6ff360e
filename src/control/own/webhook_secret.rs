//! What deliveries to URLs are signed with that agents and calls bring along.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
    },
    dialects::own::WebhookSecretBody,
    store::Tx,
};

/// The secret that deliveries to `webhook_url`s of agents and calls are signed with. It is made
/// when it is first asked for.
#[utoipa::path(get, path = "/webhook-secret", tag = "webhooks",
    responses((status = 200, body = WebhookSecretBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller) -> Answer {
    let need = move |tx: &mut Tx<'_>| tx.need_webhook_secret(caller.tenant);
    api.answer(caller.actor(), need, |_, kept, _| Reply::ok(&WebhookSecretBody::from(kept))).await
}

/// Puts a new secret in its place, at once.
#[utoipa::path(post, path = "/webhook-secret", tag = "webhooks",
    responses((status = 200, body = WebhookSecretBody)))]
pub(super) async fn rotate(State(api): State<Api>, caller: Caller) -> Answer {
    let rotate = move |tx: &mut Tx<'_>| tx.rotate_webhook_secret(caller.tenant);
    api.answer(caller.actor(), rotate, |_, kept, _| Reply::ok(&WebhookSecretBody::from(kept))).await
}
