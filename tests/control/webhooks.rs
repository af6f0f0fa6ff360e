//! Webhooks of both dialects, as their subscribers see them: real servers that answer well, badly,
//! slowly or not at all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;
use switchback::{
    control,
    dialects::PrivateHosts,
    domain::{AgentId, CallId, CallPatch, CallStatus, Direction, TenantId},
    store::{Actor, WriteError},
    telemetry::clock,
};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::daemon::{Caller, Daemon};

/// What a subscriber was sent.
#[derive(Clone, Debug)]
struct Told {
    method: Method,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A subscriber that answers each request in turn as it is told to, and then well.
#[derive(Clone)]
struct Subscriber {
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
    answers: Arc<Mutex<Vec<Do>>>,
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Status(u16),
    Redirect,
    Hang,
    Huge,
}

impl Subscriber {
    async fn start(answers: &[Do]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let subscriber = Self { url, told: Arc::default(), answers };
        let routes = Router::new().fallback(answer).with_state(subscriber.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        subscriber
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    fn until(&self, count: usize) -> impl Future<Output = Vec<Told>> + use<> {
        let this = self.clone();
        async move {
            for _ in 0..500 {
                if this.told().len() >= count {
                    return this.told();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("{} of {count} came: {:?}", this.told().len(), this.told());
        }
    }
}

async fn answer(
    State(subscriber): State<Subscriber>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    subscriber.told.lock().unwrap().push(Told { method, headers, body, text });
    let what = {
        let mut answers = subscriber.answers.lock().unwrap();
        if answers.is_empty() { Do::Status(200) } else { answers.remove(0) }
    };
    let response = Response::builder();
    match what {
        Do::Status(status) => response.status(status).body(Body::from("seen")),
        Do::Redirect => response.status(302).header("location", "/elsewhere").body(Body::empty()),
        Do::Hang => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            response.body(Body::empty())
        }
        Do::Huge => response.body(Body::from(vec![b'x'; 8 * 1024 * 1024])),
    }
    .unwrap()
}

fn hex_mac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks CallingBox's signature as its page says.
#[track_caller]
fn signed(told: &Told, secret: &str) -> bool {
    let (at, signature) = told.header("callingbox-signature").split_once(",v1=").unwrap();
    let at = at.strip_prefix("t=").unwrap();
    let drift = clock::now().seconds().0.abs_diff(at.parse().unwrap());
    assert!(drift < 300, "{drift}");
    signature == hex_mac(secret, &format!("{at}.{}", told.text))
}

async fn open() -> Daemon {
    let private = PrivateHosts { runtime: true, redirect: true };
    Daemon::start_with(control::Settings { private, ..control::Settings::default() }).await
}

struct Desk {
    tenant: TenantId,
    agent: AgentId,
    id: String,
}

impl Desk {
    async fn of(caller: &Caller, body: Value) -> Self {
        let agent = caller.post("/v1/agents", body).await.is(201);
        let id = agent["id"].as_str().unwrap().to_owned();
        let tenant = TenantId(agent["org_id"].as_str().unwrap().parse().unwrap());
        Self { tenant, agent: AgentId(id.parse().unwrap()), id }
    }

    /// Tells of a call to it that stands so.
    async fn call(&self, daemon: &Daemon, call: u128, status: CallStatus) -> CallId {
        let now = clock::now();
        let id = CallId(Uuid::from_u128(call));
        let patch = CallPatch {
            direction: Some(Direction::Inbound),
            status: Some(status),
            agent: Some(self.agent),
            ..CallPatch::new(id, self.tenant, now)
        };
        let write = move |tx: &mut switchback::store::Tx<'_>| -> Result<(), WriteError> {
            tx.upsert_call(&patch)?;
            Ok(())
        };
        daemon.store.write(Actor::default(), write).await.unwrap();
        id
    }
}

#[tokio::test]
async fn an_endpoint_is_told_signed_and_shown() {
    let daemon = open().await;
    let (caller, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let subscriber = Subscriber::start(&[]).await;
    let body =
        json!({ "url": subscriber.url, "description": "All", "enabled_events": ["call.ringing"] });
    let made = caller.post("/v1/webhook_endpoints", body).await.is(201);
    let (id, secret) = (made["id"].as_str().unwrap(), made["signing_secret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_"));
    let path = format!("/v1/webhook_endpoints/{id}");
    let read = caller.get(&path).await.is(200);
    assert_eq!((&read["status"], &read["signing_secret"]), (&json!("enabled"), &Value::Null));
    let listed = caller.get("/v1/webhook_endpoints").await.is(200);
    assert_eq!(listed["data"], json!([read]));
    for path in [path.clone(), format!("{path}/rotate_secret")] {
        let method = if path.ends_with("secret") { Method::POST } else { Method::GET };
        other.ask(method, &path, None).await.is(404);
    }
    let desk = Desk::of(&caller, json!({ "name": "D", "type": "inbound" })).await;
    let call = desk.call(&daemon, 1, CallStatus::Ringing).await;
    let told = subscriber.until(1).await;
    assert!(signed(&told[0], secret));
    assert_eq!(told[0].header("callingbox-event-type"), "call.ringing");
    assert_eq!(told[0].header("x-callingbox-event"), "call.ringing");
    assert_eq!(told[0].header("x-callingbox-call-id"), call.to_string());
    assert_eq!(told[0].header("callingbox-event-id"), told[0].body["id"]);
    let rotated = caller.post(&format!("{path}/rotate_secret"), json!({})).await.is(200);
    let rotated = rotated["signing_secret"].as_str().unwrap().to_owned();
    let delivery = format!("/v1/webhook_deliveries/{}", told[0].body["id"].as_str().unwrap());
    let again = caller.post(&format!("{delivery}/redeliver"), json!({})).await.is(200);
    assert_eq!((&again["status"], &again["manual_retry_count"]), (&json!("pending"), &json!(1)));
    let told = subscriber.until(2).await;
    assert!(signed(&told[1], &rotated) && !signed(&told[1], secret));
    assert_eq!(told[1].text, told[0].text, "the same event");
    other.get(&delivery).await.is(404);
    let removed = caller.delete(&path).await.is(200);
    assert_eq!(removed["deleted"], true);
    caller.get(&path).await.is(404);
    let gone = caller.post(&format!("{delivery}/redeliver"), json!({})).await;
    assert_eq!(gone.is(409)["code"], "webhook_disabled");
}

#[tokio::test]
async fn what_does_not_arrive_is_tried_again_and_given_up() {
    for (answers, tries, error) in [
        (&[Do::Status(500), Do::Redirect][..], 3, None),
        (&[Do::Huge], 1, None),
        (&[Do::Hang; 3], 3, Some("no answer in time")),
        (&[Do::Redirect; 3], 3, Some("HTTP 302: redirects are not followed")),
        (&[Do::Status(410); 3], 3, Some("HTTP 410")),
    ] {
        let daemon = open().await;
        let caller = daemon.tenant("acme").await;
        let subscriber = Subscriber::start(answers).await;
        let body = json!({ "name": "D", "type": "inbound", "webhook_url": subscriber.url });
        let desk = Desk::of(&caller, body).await;
        let call = desk.call(&daemon, 1, CallStatus::Ringing).await;
        let expected = if error.is_some() { "exhausted" } else { "delivered" };
        let path = format!("/v1/webhook_deliveries?call_id={call}&status={expected}");
        let row = loop {
            let found = caller.get(&path).await.is(200);
            if let Some(row) = found["data"].as_array().unwrap().first() {
                break row.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(subscriber.told().len(), tries, "{answers:?}");
        assert_eq!((&row["attempt_count"], &row["last_error"]), (&json!(tries), &json!(error)));
        assert_eq!(row["endpoint_id"], Value::Null);
        let ids: Vec<_> = subscriber.told().iter().map(|told| told.body["id"].clone()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
        let secret = caller.get("/switchback/v1/webhook-secret").await.is(200);
        assert!(signed(&subscriber.told()[0], secret["secret"].as_str().unwrap()));
        let shown = caller.get(&format!("/v1/calls/{call}")).await.is(200);
        let status = if error.is_some() { "failed" } else { "delivered" };
        assert_eq!(
            (&shown["webhook_status"], &shown["webhook_error"]),
            (&json!(status), &json!(error))
        );
        assert_eq!(shown["webhook_url"], json!(subscriber.url));
    }
}

#[tokio::test]
async fn a_slow_subscriber_keeps_nobody_waiting() {
    let daemon = open().await;
    let caller = daemon.tenant("acme").await;
    let (slow, fast) = (Subscriber::start(&[Do::Hang; 99]).await, Subscriber::start(&[]).await);
    for subscriber in [&slow, &fast] {
        let body = json!({ "url": subscriber.url, "enabled_events": ["call.ringing"] });
        caller.post("/v1/webhook_endpoints", body).await.is(201);
    }
    let desk = Desk::of(&caller, json!({ "name": "D", "type": "inbound" })).await;
    for call in 1..=30 {
        desk.call(&daemon, call, CallStatus::Ringing).await;
    }
    fast.until(30).await;
    assert!(slow.told().len() < 30);
}

#[tokio::test]
async fn private_addresses_are_refused_on_saving_and_on_sending() {
    let daemon = Daemon::start().await;
    let caller = daemon.tenant("acme").await;
    for url in ["http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/"]
    {
        let refused = caller.post("/v1/webhook_endpoints", json!({ "url": url })).await.is(400);
        assert_eq!(refused["code"], "validation_error", "{url}");
        let body = json!({ "name": "D", "type": "inbound", "webhook_url": url });
        caller.post("/v1/agents", body).await.is(400);
    }
    // A name that is public in its letters alone.
    let body =
        json!({ "url": "https://localhost.localdomain/", "enabled_events": ["call.ringing"] });
    caller.post("/v1/webhook_endpoints", body).await.is(201);
    let desk = Desk::of(&caller, json!({ "name": "D", "type": "inbound" })).await;
    let call = desk.call(&daemon, 1, CallStatus::Ringing).await;
    let path = format!("/v1/webhook_deliveries?call_id={call}&status=exhausted");
    let row = loop {
        let found = caller.get(&path).await.is(200);
        if let Some(row) = found["data"].as_array().unwrap().first() {
            break row.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(row["last_error"].as_str().unwrap().starts_with("the host's name has"), "{row}");
}

#[tokio::test]
async fn an_agents_webhook_is_made_told_logged_and_retried() {
    let daemon = open().await;
    let (caller, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let desk = Desk::of(&caller, json!({ "name": "Desk", "type": "inbound" })).await;
    let base = format!("/api/v1/agents/{}/webhooks", desk.id);
    let subscriber = Subscriber::start(&[Do::Status(500), Do::Status(503)]).await;
    let body = json!({
        "name": "Hook",
        "webhook_url": subscriber.url,
        "events": ["event_phone_call_started", "event_recording"],
        "webhook_secret": "s3cret",
        "max_retries": 1,
        "http_method": "PUT",
        "authorization_scheme": "bearer",
        "custom_headers": [{ "key": "X-Shop", "value": "7" }],
        "payload_templates": { "event_phone_call_started": "{\"id\":\"{{call.id}}\"}" },
    });
    let made = caller.post(&base, body).await.is(201);
    assert_eq!(
        (&made["data"]["events_count"], &made["data"]["status"]),
        (&json!(2), &json!("active"))
    );
    assert!(!made.to_string().contains("s3cret"));
    let path = format!("{base}/{}", made["data"]["id"].as_str().unwrap());
    let listed = caller.get(&base).await.is(200);
    assert_eq!(listed["data"]["available_events"].as_object().unwrap().len(), 22);
    other.get(&path).await.is(404);
    let call = desk.call(&daemon, 1, CallStatus::Ringing).await;
    let told = subscriber.until(2).await;
    assert_eq!(told[0].method, Method::PUT);
    assert_eq!(told[0].text, format!(r#"{{"id":"{call}"}}"#));
    assert_eq!(
        told[0].header("x-talkover-signature"),
        format!("sha256={}", hex_mac("s3cret", &told[0].text))
    );
    assert_eq!((told[0].header("authorization"), told[0].header("x-shop")), ("Bearer s3cret", "7"));
    assert!(told[0].headers.contains_key("x-talkover-timestamp"));
    let logs = loop {
        let logs = caller.get(&format!("{path}/logs")).await.is(200);
        if logs["pagination"]["total"] == 2 {
            break logs;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let [last, first] = &logs["data"].as_array().unwrap()[..] else { panic!("{logs}") };
    assert_eq!((&last["status"], &first["status"]), (&json!("failed"), &json!("retrying")));
    assert_eq!((&last["http_status"], &last["response_body"]), (&json!(503), &json!("seen")));
    assert_eq!(last["request_payload"], json!({ "id": call.to_string() }));
    let retry = |log: &Value| format!("{path}/logs/{}/retry", log["id"].as_str().unwrap());
    let refused = caller.post(&retry(first), json!({})).await.is(422);
    assert_eq!(refused["code"], "LOG_NOT_RETRIABLE");
    let queued = caller.post(&retry(last), json!({})).await.is(200);
    assert_eq!(queued["data"]["original_log_id"], last["id"]);
    subscriber.until(3).await;
    let off = caller.ask(Method::PATCH, &format!("{path}/toggle"), None).await.is(200);
    assert_eq!(
        (&off["message"], &off["data"]["enabled"]),
        (&json!("Webhook disabled"), &json!(false))
    );
    let on = caller.put(&path, json!({ "enabled": true, "timeout": 5 })).await.is(200);
    assert_eq!((&on["data"]["timeout"], &on["data"]["max_retries"]), (&json!(5), &json!(1)));
    let tested = caller.post(&format!("{path}/test"), json!({})).await.is(200);
    assert_eq!((&tested["success"], &tested["data"]["status_code"]), (&json!(true), &json!(200)));
    let told = subscriber.until(4).await;
    assert_eq!(
        (&told[3].body["event"], &told[3].body["test"]),
        (&json!("webhook.test"), &json!(true))
    );
    assert_eq!(told[3].body["agent_name"], "Desk");
    caller.delete(&path).await.is(200);
    assert_eq!(caller.get(&path).await.is(404)["message"], "Webhook not found.");
}
