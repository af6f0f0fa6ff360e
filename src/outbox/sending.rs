//! One attempt: from the delivery's row to a request as its subscriber expects it, and back.

use std::{sync::Arc, time::Duration};

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{
    Shared,
    client::{Request, Sent},
    policy, sign,
};
use crate::{
    dialects::talkover,
    domain::{
        AgentWebhook, Delivery, DeliveryId, DeliveryStatus, HookAuthorization, HookMethod, Secret,
        UnixMillis, Webhook,
    },
    store::{Actor, Tried, Tx, Way, WriteError},
    telemetry::{
        clock,
        metrics::{self, DeliveryFate},
    },
};

/// How long an attempt whose fate could not be written down keeps its place: it will be made again,
/// and not as fast as the machine can.
const UNWRITTEN_WAIT: Duration = Duration::from_secs(1);

/// Makes one attempt and writes down what came of it. Whether the subscriber took it.
pub(super) async fn attempt(shared: &Arc<Shared>, id: DeliveryId) -> bool {
    let now = clock::now();
    let found = shared.store.read(move |rows| {
        let delivery = rows.any_delivery(id)?.filter(|delivery| is_due(delivery, now));
        delivery.map(|delivery| Ok((rows.way_of(&delivery)?, delivery))).transpose()
    });
    let (way, delivery) = match found.await {
        Ok(Some(found)) => found,
        Ok(None) => return true,
        Err(error) => {
            unwritten(&error).await;
            return false;
        }
    };
    if let Way::None(why) = way {
        metrics::delivery(DeliveryFate::Dropped);
        write(shared, move |tx| tx.give_up_delivery(id, why)).await;
        return true;
    }
    let (request, shown) = request(shared, &way, &delivery);
    let sent = match request {
        Ok(request) => shared.client.send(request).await,
        Err(why) => Sent { error: Some(why.to_owned()), ..Sent::default() },
    };
    let is_delivered = sent.error.is_none();
    let retry_at = if is_delivered { None } else { retry_at(shared, &way, &delivery) };
    metrics::delivery(match (is_delivered, retry_at) {
        (true, _) => DeliveryFate::Delivered,
        (false, Some(_)) => DeliveryFate::Retried,
        (false, None) => DeliveryFate::Exhausted,
    });
    let tried = Tried {
        is_delivered,
        retry_at,
        at: now,
        duration_ms: u64::try_from(sent.took.as_millis()).unwrap_or(u64::MAX),
        http_status: sent.status,
        request: shown,
        response_body: sent.body,
        response_headers: sent.headers,
        error: sent.error,
    };
    write(shared, move |tx| tx.note_attempt(id, tried)).await;
    is_delivered
}

fn is_due(delivery: &Delivery, now: UnixMillis) -> bool {
    delivery.status == DeliveryStatus::Pending && delivery.due_at.is_some_and(|due| due <= now)
}

async fn write<F>(shared: &Shared, f: F)
where
    F: FnOnce(&mut Tx<'_>) -> Result<(), WriteError> + Send + 'static,
{
    if let Err(error) = shared.store.write(Actor::default(), f).await {
        unwritten(&error).await;
    }
}

async fn unwritten(error: &WriteError) {
    tracing::error!(%error, "a delivery could not be followed up; it will be made again");
    tokio::time::sleep(UNWRITTEN_WAIT).await;
}

fn retry_at(shared: &Shared, way: &Way, delivery: &Delivery) -> Option<UnixMillis> {
    let policy = match way {
        Way::Webhook(webhook) => webhook.agent.as_ref(),
        Way::Inline(_) | Way::None(_) => None,
    };
    let settings = &shared.settings;
    let (ladder, retries_max) = policy.map_or((&settings.tenant_ladder, 0), |policy| {
        (&settings.agent_ladder, policy.retries_max)
    });
    let attempts = delivery.attempts.saturating_add(1);
    let wait = policy::wait(ladder, attempts, retries_max, rand::random())?;
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Some(UnixMillis(clock::now().0.saturating_add(wait)))
}

/// The request, and what is sent where that is not the delivery's own body.
fn request(
    shared: &Shared,
    way: &Way,
    delivery: &Delivery,
) -> (Result<Request, &'static str>, Option<String>) {
    let (webhook, policy) = match way {
        Way::Webhook(webhook) => match &webhook.agent {
            Some(policy) => (webhook, policy),
            None => return (Ok(to_tenant(shared, webhook.secret.as_ref(), delivery)), None),
        },
        Way::Inline(secret) => return (Ok(to_tenant(shared, Some(secret), delivery)), None),
        Way::None(why) => return (Err(why), None),
    };
    let template = policy.templates.iter().find(|(event, _)| *event == delivery.event);
    let Some((_, template)) = template else {
        return (Ok(to_agent(webhook, policy, &webhook.url, delivery.body.clone())), None);
    };
    match talkover::filled(template, &delivery.body) {
        Ok(body) => (Ok(to_agent(webhook, policy, &webhook.url, body.clone())), Some(body)),
        Err(why) => (Err(why), None),
    }
}

/// To an endpoint, or to a URL that came along: CallingBox's headers.
fn to_tenant(shared: &Shared, secret: Option<&Secret>, delivery: &Delivery) -> Request {
    let mut headers = HeaderMap::new();
    put(&mut headers, header::CONTENT_TYPE, "application/json");
    if let Some(secret) = secret {
        let signature = sign::callingbox(secret, clock::now().seconds(), &delivery.body);
        put(&mut headers, HeaderName::from_static("callingbox-signature"), &signature);
    }
    let id = delivery.id.to_string();
    put(&mut headers, HeaderName::from_static("callingbox-event-id"), &id);
    put(&mut headers, HeaderName::from_static("callingbox-event-type"), &delivery.event);
    put(&mut headers, HeaderName::from_static("x-callingbox-event"), &delivery.event);
    let call = delivery.call.to_string();
    put(&mut headers, HeaderName::from_static("x-callingbox-call-id"), &call);
    Request {
        method: Method::POST,
        url: delivery.url.clone(),
        headers,
        body: delivery.body.clone(),
        answer_wait: shared.settings.answer_wait,
    }
}

/// To an agent's webhook: Talkover's headers. Where it has a URL or a secret of its own that is
/// newer than the event, those count.
pub(super) fn to_agent(
    webhook: &Webhook,
    policy: &AgentWebhook,
    url: &str,
    body: String,
) -> Request {
    let mut headers = HeaderMap::new();
    put(&mut headers, header::CONTENT_TYPE, "application/json");
    if let Some(secret) = &webhook.secret {
        authorize(&mut headers, policy.authorization, secret);
    }
    for (name, value) in &policy.headers {
        if let Ok(name) = HeaderName::try_from(name) {
            put(&mut headers, name, value.reveal());
        }
    }
    // Last, so that no header of the subscriber's own stands in their place.
    if let Some(secret) = &webhook.secret {
        let now = clock::now().seconds().0.to_string();
        put(&mut headers, HeaderName::from_static("x-talkover-timestamp"), &now);
        let signature = sign::talkover(secret, &body);
        put(&mut headers, HeaderName::from_static("x-talkover-signature"), &signature);
    }
    let method = match policy.method {
        HookMethod::Post => Method::POST,
        HookMethod::Put => Method::PUT,
        HookMethod::Patch => Method::PATCH,
    };
    let answer_wait = Duration::from_secs(u64::from(policy.timeout_seconds));
    Request { method, url: url.to_owned(), headers, body, answer_wait }
}

fn authorize(headers: &mut HeaderMap, scheme: HookAuthorization, secret: &Secret) {
    let secret = secret.reveal();
    match scheme {
        HookAuthorization::None | HookAuthorization::Custom => {}
        HookAuthorization::Bearer => {
            put(headers, header::AUTHORIZATION, &format!("Bearer {secret}"));
        }
        HookAuthorization::Basic => {
            let credentials = STANDARD.encode_to_string(secret);
            put(headers, header::AUTHORIZATION, &format!("Basic {credentials}"));
        }
        HookAuthorization::ApiKey => put(headers, HeaderName::from_static("x-api-key"), secret),
    }
}

/// Sets a header; what cannot be one is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(name == header::AUTHORIZATION);
        headers.insert(name, value);
    }
}
