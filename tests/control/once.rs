//! Requests that come again under the same idempotency key.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    daemon::{Caller, Daemon, Got},
    talkover,
};

const KEY: &str = "idempotency-key";

async fn once(caller: &Caller, key: &str, method: Method, path: &str, body: &Value) -> Got {
    caller.ask_with(method, path, Some(body.clone()), (KEY, key)).await
}

#[tokio::test]
async fn the_same_request_is_done_once_and_answered_the_same() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let number = tenant.number("+14155550137").await;
    let agent = tenant.agent("A", "outbound", &[]).await;
    let desk = tenant.agent("R", "inbound", &[]).await;
    let role = format!("/api/v1/agents/{desk}/callback");
    let own = format!("/switchback/v1/agents/{desk}/callback");
    let one = format!("/switchback/v1/numbers/{number}");
    let source = json!({ "source_agent_ids": [agent] });
    let touch = json!([{
        "id": "t", "source_agent_id": agent, "contact": "+14155550199",
        "caller_id": "+14155550137", "at": "2026-01-01T00:00:00Z", "outcome": "busy"
    }]);
    let account = json!({ "name": "third", "kind": "twilio", "secrets": ["a secret"],
                          "account_id": "AC00000000000000000000000000000000" });
    let outbound = talkover::agent("B", "outbound");
    let attached = json!({ "number_id": number });
    for (at, (method, path, body)) in [
        (Method::POST, "/v1/agents", json!({ "name": "B", "type": "outbound" })),
        (Method::POST, "/api/v1/agents", outbound),
        (Method::POST, &format!("/v1/agents/{agent}/numbers"), attached),
        (
            Method::POST,
            "/switchback/v1/numbers",
            json!({ "e164": "+14155550100", "account": "first" }),
        ),
        (Method::PATCH, &one, json!({ "friendly_name": "Main" })),
        (Method::POST, &role, source.clone()),
        (Method::PUT, &role, source.clone()),
        (Method::DELETE, &role, json!({})),
        (Method::PUT, &own, source),
        (Method::DELETE, &own, json!({})),
        (Method::PATCH, "/switchback/v1/settings", json!({ "window_days": 3 })),
        (Method::POST, "/switchback/v1/touches", touch),
        (Method::POST, "/switchback/v1/carrier-accounts", account),
        (Method::DELETE, &format!("/v1/agents/{agent}"), json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{at}");
        let first = once(&tenant, &key, method.clone(), path, &body).await;
        assert!(first.status.is_success(), "{method} {path}: {}", first.body);
        assert_eq!(first.header("idempotent-replayed"), "");
        let again = once(&tenant, &key, method.clone(), path, &body).await;
        assert_eq!(again.header("idempotent-replayed"), "true", "{method} {path}");
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{method} {path}");
        for header in ["content-type", "switchback-rev"] {
            assert_eq!(again.header(header), first.header(header), "{method} {path}");
        }
    }
    let made = tenant.get("/v1/agents").await.is(200);
    let named_b = made["data"].as_array().unwrap().iter().filter(|a| a["name"] == "B").count();
    assert_eq!(named_b, 2, "one by each dialect");
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused_in_each_dialect() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let body = |name: &str| {
        let mut body = talkover::agent(name, "outbound");
        body["type"] = json!("outbound");
        body
    };
    let first = once(&tenant, "k", Method::POST, "/v1/agents", &body("A")).await.is(201);
    for (path, code) in [
        ("/v1/agents", "idempotency_key_reused"),
        ("/api/v1/agents", "IDEMPOTENCY_KEY_REUSED"),
        ("/switchback/v1/numbers", "idempotency_key_reused"),
    ] {
        let mut body = body("B");
        body["e164"] = json!("+14155550100");
        body["account"] = json!("first");
        assert_eq!(once(&tenant, "k", Method::POST, path, &body).await.is(409)["code"], code);
    }
    // Another tenant's keys, and the operators', are others.
    let other = daemon.tenant("other").await;
    let theirs = once(&other, "k", Method::POST, "/v1/agents", &body("A")).await;
    assert_eq!(theirs.header("idempotent-replayed"), "");
    assert_ne!(theirs.is(201)["id"], first["id"]);
    let tenants = "/switchback/v1/tenants";
    once(&daemon.operator, "k", Method::POST, tenants, &json!({ "name": "new" })).await.is(201);
}

#[tokio::test]
async fn what_was_refused_may_be_asked_again() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let path = "/switchback/v1/numbers";
    let wrong = json!({ "e164": "+14155550100" });
    once(&tenant, "k", Method::POST, path, &wrong).await.is(409);
    let right = json!({ "e164": "+14155550100", "account": "first" });
    once(&tenant, "k", Method::POST, path, &right).await.is(201);
    let long = "k".repeat(256);
    for (path, status) in [("/v1/agents", 400), ("/api/v1/agents", 422), (path, 422)] {
        let refused = once(&tenant, &long, Method::POST, path, &right).await.is(status);
        assert!(refused.to_string().contains("Idempotency-Key"), "{refused}");
    }
    // Reads have no use for it, and who has no key is not listened to.
    tenant.ask_with(Method::GET, "/v1/agents", None, (KEY, &long)).await.is(200);
    let nobody = daemon.with_key("sk_live_wrong");
    once(&nobody, "k", Method::POST, path, &right).await.is(401);
}

#[tokio::test]
async fn at_the_same_time_it_is_done_once_too() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let body = json!({ "name": "A", "type": "outbound" });
    let all = (0..16).map(|_| once(&tenant, "k", Method::POST, "/v1/agents", &body));
    let all = futures_util::future::join_all(all).await;
    let replayed = all.iter().filter(|got| got.header("idempotent-replayed") == "true").count();
    assert_eq!(replayed, 15);
    assert!(all.iter().all(|got| got.status == 201 && got.body["id"] == all[0].body["id"]));
}

#[tokio::test]
async fn a_key_is_shown_once_also_to_who_asks_again() {
    let daemon = Daemon::start().await;
    daemon.tenant("acme").await;
    let (path, body) = ("/switchback/v1/keys", json!({ "name": "k", "tenant": "acme" }));
    let first = once(&daemon.operator, "k", Method::POST, path, &body).await.is(201);
    let again = once(&daemon.operator, "k", Method::POST, path, &body).await.is(201);
    assert!(first["key"].is_string());
    assert_eq!((&again["id"], again.get("key")), (&first["id"], None));
}
