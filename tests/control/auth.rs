//! Keys: whose they are, how their absence is told, how they end.

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{domain::KeyScope, store::Actor};

use crate::daemon::Daemon;

const PLACES: [&str; 3] = ["/api/v1/agents", "/v1/agents", "/switchback/v1/settings"];

#[tokio::test]
async fn a_missing_or_wrong_key_is_told_in_each_dialect() {
    let daemon = Daemon::start().await;
    let anybody = daemon.with_key("");
    for (header, word) in [
        (None, 0),
        (Some("Basic abc"), 0),
        (Some("Bearer "), 0),
        (Some("Bearer sk_live_wrong"), 1),
        (Some("bearer talq_wrong"), 1),
    ] {
        for path in PLACES {
            let got = anybody.send(Method::GET, path, None, header).await;
            assert_eq!(got.header("www-authenticate"), "Bearer");
            let body = got.is(401);
            match path {
                "/api/v1/agents" => {
                    let message = ["Missing Bearer Token", "Unauthenticated."][word];
                    assert_eq!(body["message"], message);
                    assert_eq!(body["code"], "INVALID_TOKEN");
                    assert_eq!(body["success"], false);
                }
                _ => {
                    assert!(body["error"].is_string());
                    assert_eq!(body["code"], ["key_missing", "key_unknown"][word]);
                }
            }
        }
    }
    let health = anybody.send(Method::GET, "/api/v1/health", None, None).await.is(200);
    assert_eq!(health, json!({ "status": "ok" }));
}

#[tokio::test]
async fn any_tenant_key_works_in_every_dialect_and_an_operators_in_none() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    assert!(tenant.key.starts_with("sk_live_"));
    for path in PLACES {
        tenant.get(path).await.is(200);
        let body = daemon.operator.get(path).await.is(403);
        let code = if path.starts_with("/api") { "UNAUTHORIZED" } else { "forbidden" };
        assert_eq!(body["code"], code);
    }
    tenant.post("/switchback/v1/tenants", json!({ "name": "x" })).await.is(403);
    tenant.get("/switchback/v1/tenants").await.is(403);
}

#[tokio::test]
async fn a_key_may_be_fixed_by_hand() {
    let daemon = Daemon::start().await;
    daemon.tenant("acme").await;
    for key in ["talq_0123456789abcdef0123", "sk_0123456789abcdef0123"] {
        let kept = Daemon::kept(key);
        let make = daemon.store.write(Actor::default(), move |tx| {
            let tenant = tx.tenants()?[0].tenant.id;
            tx.create_key(KeyScope::Tenant, Some(tenant), "fixed", &kept)
        });
        make.await.unwrap();
        for path in PLACES {
            daemon.with_key(key).get(path).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_at_once() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    tenant.get("/v1/agents").await.is(200);
    let keys = tenant.get("/switchback/v1/keys").await.is(200);
    assert_eq!(keys["data"].as_array().map(Vec::len), Some(1));
    let key = &keys["data"][0];
    assert_eq!((&key["scope"], &key["revoked_at"]), (&json!("tenant"), &Value::Null));
    assert!(key.get("key").is_none() && !keys.to_string().contains(&tenant.key));
    let path = format!("/switchback/v1/keys/{}", key["id"].as_str().unwrap());
    let stranger = daemon.tenant("other").await;
    stranger.delete(&path).await.is(404);
    let revoked = daemon.operator.delete(&path).await.is(200);
    assert!(revoked["revoked_at"].is_string());
    tenant.get("/v1/agents").await.is(401);
    daemon.operator.delete("/switchback/v1/keys/none").await.is(404);
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_are_told_in_each_dialect() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    for (root, known) in [
        ("/api/v1", "/api/v1/agents"),
        ("/v1", "/v1/agents"),
        ("/switchback/v1", "/switchback/v1/numbers"),
    ] {
        let gone = tenant.get(&format!("{root}/nowhere")).await.is(404);
        let wrong = tenant.ask(Method::PUT, known, None).await;
        assert!(wrong.header("allow").contains("POST"), "{:?}", wrong.headers);
        let wrong = wrong.is(405);
        let big = "x".repeat(1024 * 1024 + 1);
        let bearer = format!("Bearer {}", tenant.key);
        let big = tenant.send(Method::POST, known, Some(big), Some(&bearer)).await.is(413);
        let broken = tenant.send(Method::POST, known, Some("{".into()), Some(&bearer)).await;
        let status = if root == "/api/v1" { 422 } else { 400 };
        let broken = broken.is(status);
        let listed = tenant.post(known, json!([])).await;
        let listed = listed.is(if root == "/v1" { 400 } else { 422 });
        for body in [gone, wrong, big, broken, listed] {
            assert!(body["code"].is_string(), "{body}");
            assert_eq!(body.get("success").is_some(), root == "/api/v1", "{body}");
            assert_eq!(body["error"].is_string(), root != "/api/v1", "{body}");
        }
    }
    tenant.get("/nowhere").await.is(404);
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let first = tenant.get("/v1/agents").await;
    let second = tenant.get("/v1/nowhere").await;
    assert!(!first.header("x-request-id").is_empty());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}
