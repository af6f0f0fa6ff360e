//! What keys may do, for how long, how often, and who makes them.

use std::{num::NonZeroU32, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{control, dialects::rfc3339, domain::UnixMillis, telemetry::clock};

use crate::daemon::{Caller, Daemon};

const PATH: &str = "/switchback/v1/keys";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn at(seconds_from_now: i64) -> String {
    let now = i64::try_from(clock::now().0).unwrap();
    rfc3339(UnixMillis(u64::try_from(now + seconds_from_now * 1000).unwrap()))
}

/// Makes a key of the maker's tenant and presents it.
async fn made(daemon: &Daemon, maker: &Caller, more: &Value) -> Caller {
    let mut body = json!({ "name": "made" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let key = maker.post(PATH, body).await.is(201);
    daemon.with_key(text(&key["key"]))
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named_in_each_dialect() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let agent = tenant.agent("A", "outbound", &[]).await;
    let place = format!("/api/v1/agents/{agent}/call");
    let nobody = "018f4a9e-0000-7000-8000-00000000dead";
    let hang_up = format!("/switchback/v1/calls/{nobody}/hangup");
    let role = format!("/api/v1/agents/{agent}/callback");
    let asks = [
        ("read", Method::GET, "/v1/agents"),
        ("read", Method::GET, "/api/v1/agents"),
        ("read", Method::GET, "/v1/calls"),
        ("read", Method::GET, PATH),
        ("write", Method::POST, "/v1/agents"),
        ("write", Method::DELETE, &role),
        ("write", Method::PATCH, "/switchback/v1/settings"),
        ("write", Method::POST, "/switchback/v1/touches"),
        ("write", Method::POST, PATH),
        ("calls", Method::POST, "/v1/calls"),
        ("calls", Method::POST, &place),
        ("calls", Method::POST, &hang_up),
    ];
    for has in ["read", "write", "calls"] {
        let key = made(&daemon, &tenant, &json!({ "scopes": [has] })).await;
        for (takes, method, path) in &asks {
            let got = key.ask(method.clone(), path, None).await;
            if *takes == has {
                assert_ne!(got.status, 403, "{has}: {method} {path}");
                continue;
            }
            let body = got.is(403);
            let message = if path.starts_with("/api") { &body["message"] } else { &body["error"] };
            let sentence = format!("this key lacks the scope {takes}");
            assert!(text(message).to_lowercase().contains(&sentence), "{body}");
        }
    }
    for wrong in [json!([]), json!(["all"]), json!("read")] {
        let body = json!({ "name": "x", "scopes": wrong });
        tenant.post(PATH, body).await.is(422);
    }
}

#[tokio::test]
async fn a_key_makes_and_ends_none_that_goes_further() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let other = daemon.tenant("other").await;
    let whole = tenant.get(PATH).await.is(200)["data"][0].clone();
    let theirs = other.get(PATH).await.is(200)["data"][0].clone();
    let writer = made(&daemon, &tenant, &json!({ "scopes": ["read", "write"] })).await;
    let brief = made(&daemon, &tenant, &json!({ "expires_at": at(60) })).await;
    for (maker, more, status) in [
        (&writer, json!({}), 201),
        (&writer, json!({ "scopes": ["write"] }), 201),
        (&writer, json!({ "scopes": ["calls"] }), 403),
        (&brief, json!({}), 201),
        (&brief, json!({ "expires_at": at(30) }), 201),
        (&brief, json!({ "expires_at": at(120) }), 403),
        (&tenant, json!({ "expires_at": at(-1) }), 422),
        (&tenant, json!({ "scope": "operator" }), 403),
        (&tenant, json!({ "tenant": "acme" }), 201),
        (&tenant, json!({ "tenant": "other" }), 404),
        (&tenant, json!({ "tenant": "nobody" }), 404),
        (&daemon.operator, json!({ "tenant": "other", "scopes": ["read"] }), 201),
    ] {
        let mut body = more.clone();
        body["name"] = json!("k");
        let key = maker.post(PATH, body).await.is(status);
        if status == 201 && more == json!({}) {
            let maker_writes = json!(["read", "write"]);
            let same = key["scopes"] == maker_writes || key["expires_at"].is_string();
            assert!(same, "{key}");
        }
    }
    for (key, status) in [(&whole, 403), (&theirs, 404)] {
        let path = format!("{PATH}/{}", text(&key["id"]));
        writer.delete(&path).await.is(status);
        writer.post(&format!("{path}/rotate"), json!({})).await.is(status);
    }
    // One that ends may end its like, but not give more time.
    let path = format!("{PATH}/{}", text(&whole["id"]));
    assert_eq!(brief.post(&format!("{path}/rotate"), json!({})).await.is(403)["code"], "key_wider");
    brief.delete(&path).await.is(200);
    tenant.get("/v1/agents").await.is(401);
}

#[tokio::test]
async fn a_key_that_is_rotated_is_good_for_a_while_yet() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let reader = made(&daemon, &tenant, &json!({ "name": "reader", "scopes": ["read"] })).await;
    let id = |keys: &Value, name: &str| {
        let mut rows = keys["data"].as_array().unwrap().iter();
        text(&rows.find(|key| key["name"] == name).unwrap()["id"]).to_owned()
    };
    let reader_id = id(&tenant.get(PATH).await.is(200), "reader");
    let path = format!("{PATH}/{reader_id}/rotate");
    for wrong in [json!({ "overlap_seconds": -1 }), json!({ "overlap_seconds": 604_801 })] {
        tenant.post(&path, wrong).await.is(422);
    }
    let second = tenant.post(&path, json!({ "overlap_seconds": 1 })).await.is(201);
    assert_eq!((&second["name"], &second["scopes"]), (&json!("reader"), &json!(["read"])));
    assert_eq!((&second["replaces"], &second["expires_at"]), (&json!(reader_id), &Value::Null));
    let after = daemon.with_key(text(&second["key"]));
    for key in [&reader, &after] {
        key.get("/v1/agents").await.is(200);
        key.post("/v1/agents", json!({})).await.is(403);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    reader.get("/v1/agents").await.is(401);
    assert_eq!(tenant.post(&path, json!({})).await.is(409)["code"], "key_over");
    // Without overlap the old one is over at once, also where it was lately seen.
    let path = format!("{PATH}/{}/rotate", text(&second["id"]));
    tenant.post(&path, json!({ "overlap_seconds": 0 })).await.is(201);
    after.get("/v1/agents").await.is(401);
}

#[tokio::test]
async fn keys_tell_when_they_were_used() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let unused = tenant.post(PATH, json!({ "name": "unused" })).await.is(201);
    for _ in 0..200 {
        let keys = tenant.get(PATH).await.is(200);
        assert_eq!(keys["data"][0]["id"], unused["id"]);
        assert_eq!(keys["data"][0]["last_used_at"], Value::Null);
        if keys["data"][1]["last_used_at"].is_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its use was not noted");
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let requests_per_minute = NonZeroU32::new(12);
    let settings = control::Settings { requests_per_minute, ..control::Settings::default() };
    let daemon = Daemon::start_with(settings).await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let first = tenant.get("/api/v1/agents").await;
    assert_eq!(first.header("x-ratelimit-limit"), "12");
    assert_eq!(first.header("x-ratelimit-remaining"), "11");
    let reset: u64 = first.header("x-ratelimit-reset").parse().unwrap();
    let now = clock::now().seconds().0;
    assert!((now..now + 10).contains(&reset), "{reset} {now}");
    // What is refused or not there counts, too, and says so.
    let gone = tenant.get("/api/v1/nowhere").await;
    assert_eq!(gone.header("x-ratelimit-remaining"), "10");
    for _ in 0..10 {
        tenant.get("/v1/agents").await.is(200);
    }
    for (path, code) in [
        ("/api/v1/agents", "RATE_LIMIT_EXCEEDED"),
        ("/v1/agents", "rate_limit_exceeded"),
        ("/switchback/v1/settings", "rate_limit_exceeded"),
    ] {
        let got = tenant.get(path).await;
        assert!((1..=5).contains(&got.header("retry-after").parse().unwrap()));
        assert_eq!(got.header("x-ratelimit-remaining"), "0");
        let body = got.is(429);
        assert_eq!(body["code"], code);
        if path == "/v1/agents" {
            assert_eq!(body["error"], "rate limit exceeded");
        }
    }
    tenant.get("/api/v1/health").await.is(200);
    other.get("/v1/agents").await.is(200);
}
