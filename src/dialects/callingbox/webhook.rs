//! CallingBox's webhook endpoints and what was delivered to them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

use super::{agent::URL_LEN_MAX, event_names};
use crate::{
    dialects::{
        Given, PageFields, PrivateHosts, Reader, Wrong, id, member, rfc3339, text, web_url,
    },
    domain::{
        CallId, CallStep, Delivery, DeliveryStatus, Refusal, Webhook, WebhookId, WebhookTrouble,
    },
};

/// Rows of a page of deliveries at most.
const DELIVERIES_MAX: u32 = 200;
/// Every event there is, now and later.
const ALL_EVENTS: &str = "*";

/// An event's name; `*` is all of them.
enum EventName {}

impl PartialSchema for EventName {
    fn schema() -> RefOr<Schema> {
        let mut names = vec![ALL_EVENTS];
        for name in CallStep::ALL.iter().flat_map(|step| event_names(*step, false)) {
            if !names.contains(name) {
                names.push(name);
            }
        }
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for EventName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("callingbox.EventName")
    }
}

/// What is asked of an endpoint. An absent field stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFields {
    /// Where events go.
    pub url: Option<String>,
    /// What people call it.
    pub description: Given<String>,
    /// Which events.
    pub events: Option<Vec<String>>,
    /// Whether it is switched on.
    pub is_enabled: Option<bool>,
}

/// Create an Endpoint's body.
#[derive(ToSchema)]
#[schema(as = callingbox::WebhookEndpointRequest)]
pub struct EndpointRequest {
    /// Where events go: an `https://` URL of the public internet.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://example.com/calls")]
    pub url: String,
    /// What people call it.
    #[schema(max_length = 255, pattern = r"\S")]
    pub description: Option<String>,
    /// Which events; `*`, all of them, where none is said.
    #[schema(min_items = 1, value_type = Option<Vec<EventName>>)]
    pub enabled_events: Option<Vec<String>>,
}

/// Update an Endpoint's body. What is absent stays as it is.
#[derive(ToSchema)]
#[schema(as = callingbox::WebhookEndpointPatch)]
pub struct EndpointPatch {
    /// Where events go.
    #[schema(
        max_length = 2048,
        nullable = false,
        pattern = "^https?://",
        example = "https://example.com/calls"
    )]
    pub url: Option<String>,
    /// What people call it; null clears.
    #[schema(max_length = 255, pattern = r"\S")]
    pub description: Option<String>,
    /// Which events.
    #[schema(min_items = 1, nullable = false, value_type = Option<Vec<EventName>>)]
    pub enabled_events: Option<Vec<String>>,
    /// `enabled` or `disabled`.
    #[schema(nullable = false)]
    pub status: Option<EndpointStatus>,
}

/// Whether an endpoint is told.
#[derive(ToSchema)]
#[schema(as = callingbox::WebhookEndpointStatus, rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

/// Reads Create an Endpoint's body.
///
/// # Errors
/// The URL is missing, or a field is not what its page asks for.
pub fn endpoint(body: Value, private: PrivateHosts) -> Result<EndpointFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let fields = EndpointFields {
        url: reader.required("url", web_url(URL_LEN_MAX, private.redirect)),
        description: reader.optional("description", text(255)).map(Some),
        events: reader.optional("enabled_events", events),
        is_enabled: Some(true),
    };
    reader.finish()?;
    let events = fields.events.unwrap_or_else(|| vec![ALL_EVENTS.to_owned()]);
    Ok(EndpointFields { events: Some(events), ..fields })
}

/// Reads an update's body.
///
/// # Errors
/// A field is not what its page asks for.
pub fn endpoint_patch(body: Value, private: PrivateHosts) -> Result<EndpointFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let fields = EndpointFields {
        url: reader.present("url", web_url(URL_LEN_MAX, private.redirect)),
        description: reader.given("description", text(255)),
        events: reader.present("enabled_events", events),
        is_enabled: reader.present("status", |value| match value.as_str() {
            Some("enabled") => Ok(true),
            Some("disabled") => Ok(false),
            Some(_) | None => Err("must be enabled or disabled".into()),
        }),
    };
    reader.finish().map(|()| fields)
}

fn events(value: &Value) -> Result<Vec<String>, Wrong> {
    let names = value.as_array().filter(|names| !names.is_empty());
    let names = names.ok_or("must be an array of at least one event")?;
    let known = |name: &str| {
        name == ALL_EVENTS || CallStep::ALL.iter().any(|s| event_names(*s, false).contains(&name))
    };
    let mut found: Vec<String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let name = name.as_str().filter(|name| known(name));
        let name = name.ok_or_else(|| Wrong::from("must be * or one of the events").within(at))?;
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::WebhookEndpoint)]
pub struct EndpointBody {
    id: Uuid,
    org_id: Uuid,
    url: String,
    description: Option<String>,
    enabled_events: Vec<String>,
    status: &'static str,
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    consecutive_failures: u32,
    created_at: String,
    updated_at: String,
    /// Shown when it is made and when it is rotated, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signing_secret: Option<String>,
}

impl EndpointBody {
    /// An endpoint, without its secret.
    #[must_use]
    pub fn new(webhook: &Webhook) -> Self {
        let is_disabled = webhook.disabled_at.is_some();
        Self {
            id: webhook.id.0,
            org_id: webhook.tenant.0,
            url: webhook.url.clone(),
            description: webhook.name.clone(),
            enabled_events: webhook.events.clone(),
            status: if is_disabled { "disabled" } else { "enabled" },
            disabled_reason: webhook.trouble.map(WebhookTrouble::as_str),
            disabled_at: webhook.disabled_at.map(rfc3339),
            consecutive_failures: webhook.failures,
            created_at: rfc3339(webhook.created_at),
            updated_at: rfc3339(webhook.updated_at),
            signing_secret: None,
        }
    }

    /// An endpoint with its secret.
    #[must_use]
    pub fn with_secret(webhook: &Webhook) -> Self {
        let secret = webhook.secret.as_ref().map(|secret| secret.reveal().to_owned());
        Self { signing_secret: secret, ..Self::new(webhook) }
    }
}

/// An endpoint is no more. The vendor's client reads a body here too.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::WebhookEndpointRemoved)]
pub struct EndpointRemoved {
    id: Uuid,
    deleted: bool,
}

impl EndpointRemoved {
    /// Of that id.
    #[must_use]
    pub const fn new(id: WebhookId) -> Self {
        Self { id: id.0, deleted: true }
    }
}

/// Which deliveries are asked for.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryFilterFields {
    /// To this endpoint.
    pub endpoint: Option<WebhookId>,
    /// Of this call.
    pub call: Option<CallId>,
    /// Where they stand.
    pub status: Option<DeliveryStatus>,
    /// Which part of the list.
    pub page: PageFields,
}

/// Reads List Webhook Deliveries' query.
///
/// # Errors
/// A parameter is not understood.
pub fn deliveries(mut query: Reader) -> Result<DeliveryFilterFields, Refusal> {
    let fields = DeliveryFilterFields {
        endpoint: query.filter("endpoint_id", id),
        call: query.filter("call_id", id),
        status: query.filter("status", member("pending, delivered, exhausted")),
        page: PageFields::take_up_to(&mut query, DELIVERIES_MAX),
    };
    query.finish().map(|()| fields)
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::WebhookDelivery)]
pub struct DeliveryBody {
    /// The event's id as well, the same in every attempt.
    id: Uuid,
    org_id: Uuid,
    /// Null where it went to a URL that the agent or the call brought along.
    endpoint_id: Option<Uuid>,
    call_id: Uuid,
    event_type: String,
    url: String,
    status: &'static str,
    attempt_count: u32,
    manual_retry_count: u32,
    next_attempt_at: Option<String>,
    last_error: Option<String>,
    last_response_status: Option<u16>,
    delivered_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&Delivery> for DeliveryBody {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.0,
            org_id: delivery.tenant.0,
            endpoint_id: delivery.webhook.map(|webhook| webhook.0),
            call_id: delivery.call.0,
            event_type: delivery.event.clone(),
            url: delivery.url.clone(),
            status: delivery.status.as_str(),
            attempt_count: delivery.attempts,
            manual_retry_count: delivery.manual_retries,
            next_attempt_at: delivery.due_at.map(rfc3339),
            last_error: delivery.last_error.clone(),
            last_response_status: delivery.last_status,
            delivered_at: delivery.delivered_at.map(rfc3339),
            created_at: rfc3339(delivery.created_at),
            updated_at: rfc3339(delivery.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_refused(body: &Value, field: &str) {
        match endpoint(body.clone(), PrivateHosts::default()) {
            Err(Refusal::Invalid(errors)) => assert_eq!(errors[0].field, field, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn an_endpoint_is_read_or_refused() {
        let url = "https://example.com/hook";
        check_refused(&json!({}), "url");
        check_refused(&json!({ "url": "http://example.com" }), "url");
        check_refused(&json!({ "url": "https://127.0.0.1/" }), "url");
        check_refused(&json!({ "url": url, "enabled_events": [] }), "enabled_events");
        let unknown = json!({ "url": url, "enabled_events": ["call.queued", "call.paused"] });
        check_refused(&unknown, "enabled_events.1");
        let read = endpoint(json!({ "url": url }), PrivateHosts::default()).unwrap();
        assert_eq!(read.events.unwrap(), ["*"]);
        let patch = json!({ "description": null, "status": "disabled" });
        let read = endpoint_patch(patch, PrivateHosts::default()).unwrap();
        assert_eq!((read.description, read.is_enabled, read.url), (Some(None), Some(false), None));
    }
}
