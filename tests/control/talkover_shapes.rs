//! What strict clients of Talkover's API look at: times, nulls, numbers, the shapes of errors.

use serde_json::{Value, json};

use crate::{daemon::Daemon, talkover::agent};

#[tokio::test]
async fn an_error_says_where_the_wrong_number_is_and_what_it_says() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let source = tenant.agent("Renewals", "outbound", &[]).await;
    let call = format!("/api/v1/agents/{source}/call");
    for (to, value) in [(json!("555-0137"), "555-0137"), (json!(14_155_550_137_u64), "14155550137")]
    {
        let refused = tenant.post(&call, json!({ "to": to })).await.is(400);
        let details = json!({ "field": "to", "value": value });
        assert_eq!(refused["code"], "INVALID_PHONE_NUMBER");
        assert_eq!(refused["error"]["details"], details);
    }
    let missing = tenant.post(&call, json!({})).await.is(400);
    assert_eq!(missing["error"]["details"], json!({ "field": "to" }));
    let active = tenant.get(&format!("/api/v1/agents/{source}/active-call/0137")).await.is(400);
    assert_eq!(active["error"]["details"], json!({ "field": "phone", "value": "0137" }));
    let key = format!("Bearer {}", tenant.key);
    let unreadable =
        tenant.send(reqwest::Method::POST, &call, Some("{oops".to_owned()), Some(&key)).await;
    let message = unreadable.is(422)["message"].clone();
    assert!(message.as_str().unwrap().starts_with("The body cannot be read: "), "{message}");
}

#[tokio::test]
async fn an_integer_may_be_written_with_a_point() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let mut body = agent("Return desk", "inbound");
    body["idle_time_seconds"] = json!(12.0);
    let made = tenant.post("/api/v1/agents", body.clone()).await.is(201);
    assert_eq!(made["data"]["idle_time_seconds"], json!(12.0));
    for wrong in [json!(12.5), json!("12"), json!(1e300), json!(-1.0)] {
        body["idle_time_seconds"] = wrong;
        let refused = tenant.post("/api/v1/agents", body.clone()).await.is(422);
        assert!(refused["errors"]["idle_time_seconds"].is_array(), "{refused}");
    }
    let number = tenant.number("+14155550100").await;
    let source = tenant.agent("Renewals", "outbound", &[&number]).await;
    let call = format!("/api/v1/agents/{source}/call");
    let soon = json!({ "to": "+14155550137", "delay_seconds": 600.0 });
    tenant.post(&call, soon).await.is(200);
    tenant.post(&call, json!({ "to": "+14155550137", "delay_seconds": 0.5 })).await.is(422);
}

#[tokio::test]
async fn a_call_that_waits_for_its_time_is_found_before_another_is_placed() {
    let daemon = Daemon::start().await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let number = tenant.number("+14155550100").await;
    let source = tenant.agent("Renewals", "outbound", &[&number]).await;
    let later = json!({ "to": "+14155550137", "delay_seconds": 600 });
    let placed = tenant.post(&format!("/api/v1/agents/{source}/call"), later).await.is(200);
    let active = format!("/api/v1/agents/{source}/active-call/%2B14155550137");
    let found = tenant.get(&active).await.is(200);
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
    for field in ["id", "agent_id", "to", "status"] {
        assert_eq!(found["data"][0][field], placed["data"][field], "{field}");
    }
    other.get(&active).await.is(404);
    tenant.get(&active.replace("0137", "0138")).await.is(404);
    let end = json!({ "call_sid": placed["data"]["id"] });
    tenant.post(&format!("/api/v1/agents/{source}/end-call"), end).await.is(200);
    tenant.get(&active).await.is(404);
}

/// Digits after the point of the seconds.
fn fraction(time: &Value) -> usize {
    let time = time.as_str().unwrap();
    time.split_once('.').map_or(0, |(_, rest)| rest.trim_end_matches('Z').len())
}

#[tokio::test]
async fn times_have_as_many_digits_each_time() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let made = tenant.post("/api/v1/agents", agent("Desk", "inbound")).await.is(201);
    for field in ["created_at", "updated_at"] {
        assert_eq!(fraction(&made["data"][field]), 3);
    }
    let path = format!("/api/v1/agents/{}/webhooks", made["data"]["id"].as_str().unwrap());
    let hook = json!({ "name": "Ends", "webhook_url": "https://example.com/calls",
                       "events": ["event_phone_call_ended"] });
    let hook = tenant.post(&path, hook).await.is(201);
    for field in ["created_at", "updated_at"] {
        assert_eq!(fraction(&hook["data"][field]), 6);
    }
}

#[tokio::test]
async fn what_is_not_known_is_null_and_what_is_ours_is_there_when_it_says_something() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let number = tenant.number("+14155550100").await;
    let listed = tenant.get("/api/v1/phone-numbers").await.is(200);
    for field in ["environment", "agents", "managed_by", "current_price"] {
        assert_eq!(listed["data"][0].get(field), Some(&Value::Null), "{field}");
    }
    // A NUL is looked for, and is not the end of what is looked for.
    let nothing = tenant.get("/api/v1/agents?search=%00").await.is(200);
    assert_eq!(nothing["data"], json!([]));
    let source = tenant.agent("Renewals", "outbound", &[]).await;
    let desk = tenant.agent("Desk", "inbound", &[&number]).await;
    let shown = tenant.get(&format!("/api/v1/agents/{desk}")).await.is(200);
    assert_eq!(shown["data"].get("managed_by"), Some(&Value::Null));
    let role = format!("/api/v1/agents/{desk}/callback");
    tenant.post(&role, json!({ "source_agent_ids": [source] })).await.is(200);
    let read = format!("/api/v1/callback-agents/{desk}");
    assert!(tenant.get(&read).await.is(200)["data"].get("callback_config").is_none());
    let busy = json!({ "source_agent_ids": [source], "callback_trigger_statuses": ["busy"] });
    tenant.put(&role, busy).await.is(200);
    let config = &tenant.get(&read).await.is(200)["data"]["callback_config"];
    assert_eq!(config["callback_trigger_statuses"], json!(["busy"]));
}
