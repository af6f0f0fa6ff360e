//! CallingBox's webhook endpoints and deliveries.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply, paging},
        auth::Caller,
        receive::{At, Body, Params},
    },
    dialects::{
        All, Page,
        callingbox::{
            self as dialect, DeliveryBody, EndpointBody, EndpointPatch, EndpointRemoved,
            EndpointRequest,
        },
    },
    domain::{Delivery, DeliveryId, Refusal, TenantId, Webhook, WebhookId},
    store::{DeliveryFilter, NewWebhook, Rows, Tx, WebhookPatch, WriteError},
};

/// The tenant's endpoints, newest first.
#[utoipa::path(get, path = "/webhook_endpoints", tag = "webhooks",
    responses((status = 200, body = All<EndpointBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    let found = api.read(move |rows| rows.webhooks(caller.tenant, None)).await?;
    Ok(answer::read(All { data: found.iter().map(EndpointBody::new).collect() }))
}

/// Makes an endpoint. Its signing secret is shown now, and when it is rotated.
#[utoipa::path(post, path = "/webhook_endpoints", tag = "webhooks",
    request_body = EndpointRequest,
    responses((status = 201, body = EndpointBody),
        (status = 409, description = "There are as many as there may be.")))]
pub(super) async fn create(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = dialect::endpoint(body, api.settings.private)?;
    let new = NewWebhook {
        url: fields.url.unwrap_or_default(),
        name: fields.description.flatten(),
        events: fields.events.unwrap_or_default(),
        secret: None,
        agent: None,
        is_enabled: true,
    };
    let create = move |tx: &mut Tx<'_>| tx.create_webhook(caller.tenant, new);
    let reply = |_: &Api, made: Webhook, _| Reply::created(&EndpointBody::with_secret(&made));
    api.answer(caller.actor(), create, reply).await
}

/// An endpoint.
#[utoipa::path(get, path = "/webhook_endpoints/{webhook}", tag = "webhooks",
    responses((status = 200, body = EndpointBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<WebhookId>) -> Answer {
    let found = api.read(move |rows| endpoint(rows, caller.tenant, id)).await?;
    Ok(answer::read(EndpointBody::new(&found)))
}

/// Changes an endpoint. Switching it on forgets its failures.
#[utoipa::path(patch, path = "/webhook_endpoints/{webhook}", tag = "webhooks",
    request_body = EndpointPatch,
    responses((status = 200, body = EndpointBody)))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<WebhookId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::endpoint_patch(body, api.settings.private)?;
    let patch = WebhookPatch {
        url: fields.url,
        name: fields.description,
        events: fields.events,
        is_enabled: fields.is_enabled,
        ..WebhookPatch::default()
    };
    let update = move |tx: &mut Tx<'_>| {
        endpoint(tx, caller.tenant, id)?;
        tx.update_webhook(caller.tenant, id, patch)
    };
    let reply = |_: &Api, webhook: Webhook, _| Reply::ok(&EndpointBody::new(&webhook));
    api.answer(caller.actor(), update, reply).await
}

/// Deletes an endpoint; what waits for it is given up.
#[utoipa::path(delete, path = "/webhook_endpoints/{webhook}", tag = "webhooks",
    responses((status = 200, body = EndpointRemoved)))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<WebhookId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| {
        endpoint(tx, caller.tenant, id)?;
        tx.delete_webhook(caller.tenant, id)
    };
    let reply = move |_: &Api, (), _| Reply::ok(&EndpointRemoved::new(id));
    api.answer(caller.actor(), remove, reply).await
}

/// Puts a new signing secret in the old one's place, at once.
#[utoipa::path(post, path = "/webhook_endpoints/{webhook}/rotate_secret", tag = "webhooks",
    responses((status = 200, body = EndpointBody)))]
pub(super) async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<WebhookId>,
) -> Answer {
    let rotate = move |tx: &mut Tx<'_>| {
        endpoint(tx, caller.tenant, id)?;
        tx.rotate_webhook(caller.tenant, id)
    };
    let reply = |_: &Api, webhook: Webhook, _| Reply::ok(&EndpointBody::with_secret(&webhook));
    api.answer(caller.actor(), rotate, reply).await
}

/// What was delivered to endpoints and `webhook_url`s, newest first.
#[utoipa::path(get, path = "/webhook_deliveries", tag = "webhooks",
    params(
        ("endpoint_id" = Option<uuid::Uuid>, Query, description = "To this endpoint only."),
        ("call_id" = Option<uuid::Uuid>, Query, description = "Of this call only."),
        ("status" = Option<String>, Query, description = "pending, delivered or exhausted."),
        ("limit" = Option<u32>, Query, description = "Rows of the page.",
            minimum = 1, maximum = 200),
        ("starting_after" = Option<uuid::Uuid>, Query, description = "Older than this one."),
        ("ending_before" = Option<uuid::Uuid>, Query, description = "Newer than this one.")),
    responses((status = 200, body = Page<DeliveryBody>)))]
pub(super) async fn deliveries(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = dialect::deliveries(query.0)?;
    let filter =
        DeliveryFilter { webhook: fields.endpoint, call: fields.call, status: fields.status };
    let page = paging(fields.page);
    let listed = api.read(move |rows| rows.deliveries(caller.tenant, &filter, &page)).await?;
    let data: Vec<_> = listed.rows.iter().map(DeliveryBody::from).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

/// One delivery.
#[utoipa::path(get, path = "/webhook_deliveries/{delivery}", tag = "webhooks",
    responses((status = 200, body = DeliveryBody)))]
pub(super) async fn delivery(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<DeliveryId>,
) -> Answer {
    let found = api.read(move |rows| known(rows, caller.tenant, id)).await?;
    Ok(answer::read(DeliveryBody::from(&found)))
}

/// Delivers once more, under the same event id.
#[utoipa::path(post, path = "/webhook_deliveries/{delivery}/redeliver", tag = "webhooks",
    responses((status = 200, body = DeliveryBody),
        (status = 409, description = "The endpoint is disabled or deleted.")))]
pub(super) async fn redeliver(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<DeliveryId>,
) -> Answer {
    let redeliver = move |tx: &mut Tx<'_>| {
        known(tx, caller.tenant, id)?;
        tx.redeliver(caller.tenant, id)
    };
    let reply = |_: &Api, delivery, _| Reply::ok(&DeliveryBody::from(&delivery));
    api.answer(caller.actor(), redeliver, reply).await
}

/// A delivery to an endpoint or a URL that came along.
fn known(rows: &Rows<'_>, tenant: TenantId, id: DeliveryId) -> Result<Delivery, WriteError> {
    let found = rows.delivery(tenant, id)?.filter(|delivery| !delivery.is_agents);
    Ok(found.ok_or(Refusal::DeliveryNotFound)?)
}

/// A tenant's endpoint; an agent's webhook is none.
fn endpoint(rows: &Rows<'_>, tenant: TenantId, id: WebhookId) -> Result<Webhook, WriteError> {
    let found = rows.webhook(tenant, id)?.filter(|webhook| webhook.agent.is_none());
    Ok(found.ok_or(Refusal::WebhookNotFound)?)
}
