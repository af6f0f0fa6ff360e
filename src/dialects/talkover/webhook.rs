//! Talkover's webhooks of an agent, and their logs.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

use super::EVENTS;
use crate::{
    dialects::{
        Given, PrivateHosts, Reader, Wrong, boolean, integer, member, rfc3339, text,
        time::rfc3339_micros, web_url,
    },
    domain::{
        AgentId, AgentWebhook, Attempt, AttemptId, HookAuthorization, HookMethod, Refusal, Secret,
        UnixMillis, Webhook,
    },
};

const URL_LEN_MAX: usize = 500;
const SECRET_LEN_MAX: usize = 255;
const TIMEOUT_SECONDS: u32 = 30;
const RETRIES: u32 = 3;
/// Headers that one webhook adds at most; servers take few more from anybody.
const HEADERS_MAX: usize = 20;
const HEADER_LEN_MAX: usize = 1024;
/// Bytes of a template.
const TEMPLATE_LEN_MAX: usize = 16 * 1024;
/// Rows of a page of a log where the client does not say, and at most.
const PER_PAGE: u32 = 25;
const PER_PAGE_MAX: u32 = 100;

/// An event's name.
enum EventName {}

impl PartialSchema for EventName {
    fn schema() -> RefOr<Schema> {
        let names = EVENTS.iter().map(|(name, _)| *name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for EventName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("talkover.EventName")
    }
}

/// What is asked of a webhook. An absent field stays as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookFields {
    /// What people call it.
    pub name: Option<String>,
    /// Where events go.
    pub url: Option<String>,
    /// Which events.
    pub events: Option<Vec<String>>,
    /// What it is signed with; null takes it away.
    pub secret: Given<Secret>,
    /// Whether it is switched on.
    pub is_enabled: Option<bool>,
    timeout_seconds: Option<u32>,
    retries_max: Option<u32>,
    method: Option<HookMethod>,
    authorization: Option<HookAuthorization>,
    headers: Option<Vec<(String, Secret)>>,
    templates: Option<Vec<(String, String)>>,
}

impl WebhookFields {
    /// How a new webhook of this agent is delivered.
    #[must_use]
    pub fn policy(&self, agent: AgentId) -> AgentWebhook {
        self.policy_over(AgentWebhook {
            agent,
            timeout_seconds: TIMEOUT_SECONDS,
            retries_max: RETRIES,
            method: HookMethod::Post,
            authorization: HookAuthorization::None,
            headers: Vec::new(),
            templates: Vec::new(),
        })
    }

    /// How one that was delivered so is delivered now.
    #[must_use]
    pub fn policy_over(&self, known: AgentWebhook) -> AgentWebhook {
        AgentWebhook {
            agent: known.agent,
            timeout_seconds: self.timeout_seconds.unwrap_or(known.timeout_seconds),
            retries_max: self.retries_max.unwrap_or(known.retries_max),
            method: self.method.unwrap_or(known.method),
            authorization: self.authorization.unwrap_or(known.authorization),
            headers: self.headers.clone().unwrap_or(known.headers),
            templates: self.templates.clone().unwrap_or(known.templates),
        }
    }
}

/// A header that a webhook adds, for the document.
#[derive(ToSchema)]
#[schema(as = talkover::WebhookHeader)]
pub struct HeaderRequest {
    /// Its name.
    #[schema(max_length = 255, pattern = "^[A-Za-z0-9-]+$", example = "X-Shop")]
    pub key: String,
    /// Its value.
    #[schema(max_length = 1024, pattern = "^[ -~]*$")]
    pub value: String,
}

/// Create Webhook's body, for the document.
#[derive(ToSchema)]
#[schema(as = talkover::WebhookRequest)]
pub struct WebhookRequest {
    /// What people call it.
    #[schema(max_length = 255, pattern = r"\S")]
    pub name: String,
    /// Where events go.
    #[schema(max_length = 500, pattern = "^https?://", example = "https://example.com/calls")]
    pub webhook_url: String,
    /// Which events, of those that the list of webhooks names.
    #[schema(min_items = 1, value_type = Vec<EventName>)]
    pub events: Vec<String>,
    /// What deliveries are signed with. It is never shown.
    #[schema(max_length = 255, pattern = r"\S")]
    pub webhook_secret: Option<String>,
    /// How many seconds an answer may take; 30 where it is not said.
    #[schema(minimum = 5, maximum = 120)]
    pub timeout: Option<u32>,
    /// How often a delivery that failed is tried again; 3 where it is not said.
    #[schema(minimum = 0, maximum = 10)]
    pub max_retries: Option<u32>,
    /// Whether it is told; true where it is not said.
    pub enabled: Option<bool>,
    /// The request's method: POST, PUT or PATCH.
    #[schema(pattern = "^(POST|PUT|PATCH)$")]
    pub http_method: Option<String>,
    /// How the secret is shown besides being signed with: as `Authorization: Bearer`, as
    /// `Authorization: Basic` (then it is `user:password`), as `X-API-Key`, or not at all.
    #[schema(pattern = "^(none|bearer|basic|api_key|custom)$")]
    pub authorization_scheme: Option<String>,
    /// Headers to add.
    #[schema(max_items = 20)]
    pub custom_headers: Option<Vec<HeaderRequest>>,
    /// Bodies in place of the usual one, by event, with `{{call.id}}` for what the usual one has.
    pub payload_templates: Option<BTreeMap<String, String>>,
}

/// Update Webhook's body, for the document. What is absent stays as it is.
#[derive(ToSchema)]
#[schema(as = talkover::WebhookPatch)]
pub struct WebhookPatchRequest {
    /// What people call it.
    #[schema(max_length = 255, pattern = r"\S", nullable = false)]
    pub name: Option<String>,
    /// Where events go.
    #[schema(
        max_length = 500,
        nullable = false,
        pattern = "^https?://",
        example = "https://example.com/calls"
    )]
    pub webhook_url: Option<String>,
    /// Which events.
    #[schema(min_items = 1, nullable = false, value_type = Option<Vec<EventName>>)]
    pub events: Option<Vec<String>>,
    /// What deliveries are signed with; null takes it away.
    #[schema(max_length = 255, pattern = r"\S")]
    pub webhook_secret: Option<String>,
    /// How many seconds an answer may take.
    #[schema(minimum = 5, maximum = 120)]
    pub timeout: Option<u32>,
    /// How often a delivery that failed is tried again.
    #[schema(minimum = 0, maximum = 10)]
    pub max_retries: Option<u32>,
    /// Whether it is told.
    pub enabled: Option<bool>,
    /// The request's method.
    #[schema(pattern = "^(POST|PUT|PATCH)$")]
    pub http_method: Option<String>,
    /// How the secret is shown besides being signed with.
    #[schema(pattern = "^(none|bearer|basic|api_key|custom)$")]
    pub authorization_scheme: Option<String>,
    /// Headers to add; all of them.
    #[schema(max_items = 20)]
    pub custom_headers: Option<Vec<HeaderRequest>>,
    /// Bodies in place of the usual one; all of them.
    pub payload_templates: Option<BTreeMap<String, String>>,
}

/// Reads Create Webhook's body.
///
/// # Errors
/// A required field is missing, or a field is not what its page asks for.
pub fn webhook(body: Value, private: PrivateHosts) -> Result<WebhookFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let name = reader.required("name", text(255));
    let url = reader.required("webhook_url", web_url(URL_LEN_MAX, private.redirect));
    let events = reader.required("events", events);
    let rest = read_rest(&mut reader);
    reader.finish().map(|()| WebhookFields { name, url, events, ..rest })
}

/// Reads Update Webhook's body.
///
/// # Errors
/// A field is not what its page asks for.
pub fn webhook_patch(body: Value, private: PrivateHosts) -> Result<WebhookFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let name = reader.present("name", text(255));
    let url = reader.present("webhook_url", web_url(URL_LEN_MAX, private.redirect));
    let events = reader.present("events", events);
    let rest = read_rest(&mut reader);
    reader.finish().map(|()| WebhookFields { name, url, events, ..rest })
}

fn read_rest(reader: &mut Reader) -> WebhookFields {
    let secret = |value: &Value| text(SECRET_LEN_MAX)(value).map(Secret::new);
    WebhookFields {
        secret: reader.given("webhook_secret", secret),
        is_enabled: reader.optional("enabled", boolean),
        timeout_seconds: reader.optional("timeout", integer(5..=120)),
        retries_max: reader.optional("max_retries", integer(0..=10)),
        method: reader.optional("http_method", member("POST, PUT, PATCH")),
        authorization: reader
            .optional("authorization_scheme", member("none, bearer, basic, api_key, custom")),
        headers: reader.optional("custom_headers", headers),
        templates: reader.optional("payload_templates", templates),
        ..WebhookFields::default()
    }
}

fn is_event(name: &str) -> bool {
    EVENTS.iter().any(|(known, _)| *known == name)
}

fn events(value: &Value) -> Result<Vec<String>, Wrong> {
    let names = value.as_array().filter(|names| !names.is_empty());
    let names = names.ok_or("must be an array of at least one event")?;
    let mut found: Vec<String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let name = name.as_str().filter(|name| is_event(name));
        let name = name.ok_or_else(|| Wrong::from("must be one of the events").within(at))?;
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

fn headers(value: &Value) -> Result<Vec<(String, Secret)>, Wrong> {
    let given = value.as_array().filter(|headers| headers.len() <= HEADERS_MAX);
    let given = given.ok_or_else(|| format!("must be an array of at most {HEADERS_MAX}"))?;
    let one = |(at, header): (usize, &Value)| {
        let word = |name: &str| header.get(name).and_then(Value::as_str);
        let wrong = || Wrong::from("must have a key and a value that a header may have").within(at);
        let key = word("key").filter(|key| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=255).contains(&key.len()) && key.bytes().all(is_plain)
        });
        let text = word("value").filter(|text| {
            text.len() <= HEADER_LEN_MAX && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        });
        let (key, text) = key.zip(text).ok_or_else(wrong)?;
        Ok((key.to_owned(), Secret::new(text.to_owned())))
    };
    given.iter().enumerate().map(one).collect()
}

fn templates(value: &Value) -> Result<Vec<(String, String)>, Wrong> {
    let given = value.as_object().ok_or("must be an object of texts by event")?;
    let one = |(event, template): (&String, &Value)| {
        if !is_event(event) {
            return Err(Wrong::from("must be of one of the events").within(event));
        }
        // A template may be given as the document that it is.
        let template = template.as_str().map_or_else(|| template.to_string(), str::to_owned);
        if template.is_empty() || template.len() > TEMPLATE_LEN_MAX {
            let wrong = format!("must have 1 to {TEMPLATE_LEN_MAX} bytes");
            return Err(Wrong::from(wrong).within(event));
        }
        Ok((event.clone(), template))
    };
    given.iter().map(one).collect()
}

/// A header that a webhook adds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::WebhookHeaderShown)]
struct HeaderBody {
    key: String,
    value: String,
}

/// A webhook. Its secret is not shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Webhook)]
pub struct WebhookBody {
    id: Uuid,
    agent_id: Option<Uuid>,
    name: Option<String>,
    webhook_url: String,
    events: Vec<String>,
    events_count: usize,
    timeout: u32,
    max_retries: u32,
    enabled: bool,
    status: &'static str,
    http_method: &'static str,
    authorization_scheme: &'static str,
    custom_headers: Vec<HeaderBody>,
    payload_templates: BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
}

impl From<&Webhook> for WebhookBody {
    fn from(webhook: &Webhook) -> Self {
        let policy = webhook.agent.as_ref();
        let enabled = webhook.disabled_at.is_none();
        let headers = policy.map(|policy| policy.headers.as_slice()).unwrap_or_default();
        let templates = policy.map(|policy| policy.templates.as_slice()).unwrap_or_default();
        let header = |(key, value): &(String, Secret)| HeaderBody {
            key: key.clone(),
            value: value.reveal().to_owned(),
        };
        Self {
            id: webhook.id.0,
            agent_id: policy.map(|policy| policy.agent.0),
            name: webhook.name.clone(),
            webhook_url: webhook.url.clone(),
            events: webhook.events.clone(),
            events_count: webhook.events.len(),
            timeout: policy.map_or(TIMEOUT_SECONDS, |policy| policy.timeout_seconds),
            max_retries: policy.map_or(RETRIES, |policy| policy.retries_max),
            enabled,
            status: if enabled { "active" } else { "disabled" },
            http_method: policy.map_or(HookMethod::Post, |policy| policy.method).as_str(),
            authorization_scheme: policy
                .map_or(HookAuthorization::None, |policy| policy.authorization)
                .as_str(),
            custom_headers: headers.iter().map(header).collect(),
            payload_templates: templates.iter().cloned().collect(),
            created_at: rfc3339_micros(webhook.created_at),
            updated_at: rfc3339_micros(webhook.updated_at),
        }
    }
}

/// An agent's webhooks, and what they can be told of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Webhooks)]
pub struct WebhooksBody {
    webhooks: Vec<WebhookBody>,
    /// Names of events and what they tell of.
    available_events: BTreeMap<&'static str, &'static str>,
}

impl From<&[Webhook]> for WebhooksBody {
    fn from(webhooks: &[Webhook]) -> Self {
        Self {
            webhooks: webhooks.iter().map(WebhookBody::from).collect(),
            available_events: EVENTS.iter().copied().collect(),
        }
    }
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::WebhookTest)]
pub struct TestBody {
    success: bool,
    message: String,
    data: TestedBody,
}

/// What a webhook answered to a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::WebhookTested)]
struct TestedBody {
    /// Null where no answer came.
    status_code: Option<u16>,
    /// In milliseconds.
    response_time: u64,
}

impl TestBody {
    /// The answer that came, or why none did.
    #[must_use]
    pub fn new(status_code: Option<u16>, response_time: u64, error: Option<String>) -> Self {
        let success = error.is_none();
        let message = match error {
            None => "Webhook test successful".to_owned(),
            Some(why) => format!("Webhook test failed: {why}"),
        };
        Self { success, message, data: TestedBody { status_code, response_time } }
    }
}

/// Which page of a log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many rows.
    #[param(minimum = 1, maximum = 100, default = 25)]
    pub per_page: Option<u32>,
}

/// Reads a log's query: the page and its rows.
///
/// # Errors
/// A parameter is not understood.
pub fn log_page(mut query: Reader) -> Result<(u32, u32), Refusal> {
    let page = query.filter("page", integer(1..=u32::MAX)).unwrap_or(1);
    let per_page = query.filter("per_page", integer(1..=PER_PAGE_MAX)).unwrap_or(PER_PAGE);
    query.finish().map(|()| (page, per_page))
}

/// One attempt to deliver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::WebhookLog)]
pub struct LogBody {
    id: Uuid,
    webhook_id: Uuid,
    event: String,
    attempt: u32,
    status: &'static str,
    http_status: Option<u16>,
    /// What was sent: the document, or where it is none, the text.
    #[schema(value_type = Object)]
    request_payload: Value,
    response_body: Option<String>,
    #[schema(value_type = Option<Object>)]
    response_headers: Option<Map<String, Value>>,
    duration_ms: Option<u64>,
    error: Option<String>,
    delivered_at: Option<String>,
    created_at: String,
}

impl From<&Attempt> for LogBody {
    fn from(attempt: &Attempt) -> Self {
        let headers = attempt.response_headers.as_deref();
        let sent = serde_json::from_str::<Value>(&attempt.request).ok().filter(Value::is_object);
        Self {
            id: attempt.id.0,
            webhook_id: attempt.webhook.0,
            event: attempt.event.clone(),
            attempt: attempt.number,
            status: attempt.status.as_str(),
            http_status: attempt.http_status,
            request_payload: sent.unwrap_or_else(|| serde_json::json!({ "text": attempt.request })),
            response_body: attempt.response_body.clone(),
            response_headers: headers.and_then(|text| serde_json::from_str(text).ok()),
            duration_ms: attempt.duration_ms,
            error: attempt.error.clone(),
            delivered_at: attempt.delivered_at.map(rfc3339),
            created_at: rfc3339(attempt.created_at),
        }
    }
}

/// An attempt that is to be made again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::WebhookRetry)]
pub struct RetryBody {
    log_id: Uuid,
    original_log_id: Uuid,
    queued_at: String,
}

impl RetryBody {
    /// The line that will tell of it, in place of which one.
    #[must_use]
    pub fn new(log: AttemptId, original: AttemptId, at: UnixMillis) -> Self {
        Self { log_id: log.0, original_log_id: original.0, queued_at: rfc3339(at) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_refused(change: &Value, field: &str) {
        let mut body = json!({
            "name": "Hook",
            "webhook_url": "https://example.com/hook",
            "events": ["event_action"],
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        match webhook(body, PrivateHosts::default()) {
            Err(Refusal::Invalid(errors)) => assert_eq!(errors[0].field, field, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_a_webhook_is_said_by_field() {
        check_refused(&json!({ "name": "" }), "name");
        check_refused(&json!({ "webhook_url": "https://10.0.0.1/" }), "webhook_url");
        check_refused(&json!({ "events": [] }), "events");
        check_refused(&json!({ "events": ["event_action", "x"] }), "events.1");
        check_refused(&json!({ "timeout": 4 }), "timeout");
        check_refused(&json!({ "max_retries": 11 }), "max_retries");
        check_refused(&json!({ "http_method": "GET" }), "http_method");
        check_refused(&json!({ "authorization_scheme": "digest" }), "authorization_scheme");
        let header = json!({ "custom_headers": [{ "key": "X Y", "value": "" }] });
        check_refused(&header, "custom_headers.0");
        check_refused(&json!({ "payload_templates": { "x": "y" } }), "payload_templates.x");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let policy = WebhookFields::default().policy(AgentId(Uuid::nil()));
        assert_eq!((policy.timeout_seconds, policy.retries_max), (30, 3));
        let change = json!({ "timeout": 5, "custom_headers": [{ "key": "X-A", "value": "b" }] });
        let fields = webhook_patch(change, PrivateHosts::default()).unwrap();
        let changed = fields.policy_over(policy);
        assert_eq!((changed.timeout_seconds, changed.retries_max), (5, 3));
        assert_eq!((changed.headers.len(), fields.secret), (1, None));
    }
}
