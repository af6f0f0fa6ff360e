//! Carrier accounts at the edge: one that tenants share, and secrets that change while calls come.

use reqwest::Method;
use serde_json::json;

use crate::daemon::{ACCOUNT_SID, Daemon, OPERATOR, PUBLIC_URL, inbound_form, sign};

const CALLER: &str = "+14155550199";

/// Another tenant with a number at the shared account and an agent that says so; its key.
async fn second_tenant(daemon: &Daemon, number: &str) -> String {
    let operator = |path, body| daemon.api_as(OPERATOR, Method::POST, path, Some(body));
    let (_, tenant) = operator("/switchback/v1/tenants", json!({ "name": "second" })).await;
    let key = json!({ "name": "test", "tenant_id": tenant["id"] });
    let (_, key) = operator("/switchback/v1/keys", key).await;
    let key = key["key"].as_str().unwrap().to_owned();
    let theirs = |path, body| daemon.api_as(&key, Method::POST, path, Some(body));
    let (status, number) = theirs("/switchback/v1/numbers", json!({ "e164": number })).await;
    assert_eq!(status, 201, "{number}");
    let agent = json!({ "name": "Theirs", "type": "inbound", "targets": ["say:second"],
                        "number_ids": [number["id"]] });
    assert_eq!(theirs("/v1/agents", agent).await.0, 201);
    key
}

#[tokio::test]
async fn a_shared_account_routes_by_number_to_the_right_tenant() {
    let daemon = Daemon::start().await;
    let number = daemon.number("+12125550142").await;
    daemon.inbound_agent("Ours", &["say:first"], &number).await;
    let key = second_tenant(&daemon, "+12125550143").await;
    for (n, to, said) in [(1, "+12125550142", "first"), (2, "+12125550143", "second")] {
        let answer = daemon.inbound(&format!("CA{n:032x}"), CALLER, to).await;
        assert!(answer.body.contains(&format!("<Say>{said}</Say>")), "{}", answer.body);
    }
    // Each sees its own call, and only that.
    for (key, sid) in [(crate::daemon::KEY, 1), (&key, 2)] {
        let mut calls = json!(null);
        for _ in 0..200 {
            let (_, list) = daemon.api_as(key, Method::GET, "/switchback/v1/calls", None).await;
            calls = list["data"].clone();
            if calls.as_array().is_some_and(|calls| !calls.is_empty()) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
        assert_eq!(calls[0]["carrier_call_id"], format!("CA{sid:032x}"));
    }
}

#[tokio::test]
async fn a_secret_is_rotated_while_calls_come() {
    let daemon = Daemon::start().await;
    let path = "/switchback/v1/carrier-accounts";
    let body = json!({ "name": "turning", "kind": "twilio", "account_id": ACCOUNT_SID,
                       "secrets": ["old"] });
    assert_eq!(daemon.api_as(OPERATOR, Method::POST, path, Some(body)).await.0, 201);
    let target = "/carriers/turning/voice";
    for (step, secrets, verify) in [
        (1, json!(["old"]), [("old", 200), ("new", 403)]),
        (2, json!(["new", "old"]), [("old", 200), ("new", 200)]),
        (3, json!(["new"]), [("old", 403), ("new", 200)]),
    ] {
        let change = json!({ "secrets": secrets });
        let one = format!("{path}/turning");
        let (status, changed) = daemon.api_as(OPERATOR, Method::PATCH, &one, Some(change)).await;
        assert_eq!(status, 200, "{changed}");
        for (n, (secret, status)) in verify.into_iter().enumerate() {
            let sid = format!("CA{step:016x}{n:016x}");
            let form = inbound_form(&sid, CALLER, "+12125550142");
            let signature = sign(secret, &format!("{PUBLIC_URL}{target}"), &form);
            let answer = daemon.webhook_signed(target, &form, Some(&signature)).await;
            assert_eq!(answer.status, status, "step {step}, {secret}");
        }
    }
}
