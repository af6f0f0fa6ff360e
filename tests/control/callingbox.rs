//! CallingBox's dialect, in the words of its pages.

use serde_json::{Value, json};

use crate::daemon::Daemon;

#[tokio::test]
async fn an_agent_from_first_to_last() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let n = tenant.number("+14155550137").await;
    let body = json!({
        "name": "Night desk", "type": "inbound", "instructions": "Take a message.",
        "voice": "alder", "language": "en-US", "returns": { "caller_name": "string" },
        "tools": [{ "type": "builtin", "name": "end_call" }], "number_ids": [n],
        "runtime_url": "wss://bot.example.com/ws", "runtime_parameters": { "mood": "calm" },
        "first_audio_timeout_ms": 4000, "min_attestation": "B",
        "context_min_attestation": "A", "runtime_media": "l16_16000", "unheard_of": true
    });
    let made = tenant.post("/v1/agents", body).await;
    assert!(!made.header("switchback-rev").is_empty());
    let made = made.is(201);
    let id = made["id"].as_str().unwrap().to_owned();
    for (field, value) in [
        ("name", json!("Night desk")),
        ("type", json!("inbound")),
        ("persona", Value::Null),
        ("instructions", json!("Take a message.")),
        ("voice", json!("alder")),
        ("language", json!("en-US")),
        ("returns", json!({ "caller_name": "string" })),
        ("tools", json!([{ "type": "builtin", "name": "end_call" }])),
        ("webhook_url", Value::Null),
        ("voicemail_action", json!("hangup")),
        ("primary_number_id", json!(n)),
        ("archived_at", Value::Null),
        ("targets", json!(["wss://bot.example.com/ws"])),
        ("runtime_url", json!("wss://bot.example.com/ws")),
        ("runtime_parameters", json!({ "mood": "calm" })),
        ("first_audio_timeout_ms", json!(4000)),
        ("min_attestation", json!("B")),
        ("context_min_attestation", json!("A")),
        ("runtime_media", json!("l16_16000")),
        ("window_days", Value::Null),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["org_id"].is_string() && made["user_id"].is_string());
    let number = &made["numbers"][0];
    for (field, value) in [
        ("id", json!(n)),
        ("e164", json!("+14155550137")),
        ("friendly_name", Value::Null),
        ("country_code", json!("US")),
        ("number_type", json!("local")),
        ("status", json!("active")),
        ("inbound_agent_id", json!(id)),
        ("outbound_agent_ids", json!([])),
        ("account", json!("first")),
        ("passthrough", Value::Null),
    ] {
        assert_eq!(number[field], value, "{field}");
    }
    let path = format!("/v1/agents/{id}");
    let mut read = tenant.get(&path).await.is(200);
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("warnings");
    assert_eq!(read, shown);

    let patch = json!({ "type": "inbound", "name": "Day desk", "voice": null, "returns": null,
                        "first_audio_timeout_ms": null, "min_attestation": null,
                        "runtime_media": null });
    read = tenant.patch(&path, patch).await.is(200);
    assert_eq!((&read["name"], &read["voice"]), (&json!("Day desk"), &Value::Null));
    assert_eq!((&read["returns"], &read["language"]), (&Value::Null, &json!("en-US")));
    assert_eq!(read["first_audio_timeout_ms"], Value::Null);
    assert_eq!(read["min_attestation"], Value::Null);
    assert_eq!(read["runtime_media"], Value::Null);
    assert_eq!(read["context_min_attestation"], "A");

    let archived = tenant.delete(&path).await.is(200);
    assert!(archived["archived_at"].is_string());
    assert_eq!(archived["numbers"], json!([]));
    let again = tenant.delete(&path).await.is(200);
    assert_eq!(archived["archived_at"], again["archived_at"]);
    tenant.get(&path).await.is(200);
    let late = tenant.patch(&path, json!({ "name": "x" })).await.is(400);
    assert_eq!(late["error"], "agent is archived");
    let late = tenant.post(&format!("{path}/numbers"), json!({ "number_id": n })).await.is(400);
    assert_eq!(late["error"], "agent is archived");
    tenant.get(&format!("/api/v1/agents/{id}")).await.is(404);

    assert_eq!(tenant.get("/v1/agents").await.is(200), json!({ "data": [] }));
    let all = tenant.get("/v1/agents?include_archived=true").await.is(200);
    assert_eq!(all["data"][0]["id"], json!(id));
}

#[tokio::test]
async fn what_an_agent_must_be() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let (n, m) = (tenant.number("+14155550137").await, tenant.number("+14155550138").await);
    let nobody = "018f4a9e-0000-7000-8000-00000000dead";
    for (body, field) in [
        (json!({ "type": "inbound" }), "name"),
        (json!({ "name": "x" }), "type"),
        (json!({ "name": "x", "type": "sideways" }), "type"),
        (json!({ "name": " ", "type": "inbound" }), "name"),
        (json!({ "name": "x", "type": "inbound", "number_ids": [n, nobody] }), "number_ids.1"),
        (json!({ "name": "x", "type": "inbound", "number_ids": "n" }), "number_ids"),
        (
            json!({ "name": "x", "type": "inbound", "number_ids": [n], "primary_number_id": m }),
            "primary_number_id",
        ),
        (json!({ "name": "x", "type": "inbound", "primary_number_id": n }), "primary_number_id"),
        (json!({ "name": "x", "type": "inbound", "voicemail_action": "sing" }), "voicemail_action"),
        (json!({ "name": "x", "type": "inbound", "tools": {} }), "tools"),
        (json!({ "name": "x", "type": "inbound", "targets": ["builtin:x"] }), "targets.0"),
        (json!({ "name": "x", "type": "inbound", "runtime_url": "https://x.y" }), "runtime_url"),
        (
            json!({ "name": "x", "type": "inbound", "targets": ["redirect:https://10.0.0.1/"] }),
            "targets.0",
        ),
        (
            json!({ "name": "x", "type": "inbound", "runtime_parameters": { "a": 1 } }),
            "runtime_parameters.a",
        ),
        (json!({ "name": "x", "type": "inbound", "window_days": 3 }), "window_days"),
    ] {
        let refused = tenant.post("/v1/agents", body).await.is(400);
        assert_eq!(refused["code"], "validation_error");
        let error = refused["error"].as_str().unwrap();
        let is_missing = error == format!("{field} is required");
        assert!(is_missing || error.starts_with(&format!("{field}: ")), "{error}");
    }
    assert_eq!(tenant.get("/v1/agents").await.is(200), json!({ "data": [] }));
    let agent = tenant.agent("A", "outbound", &[]).await;
    let fixed = tenant.patch(&format!("/v1/agents/{agent}"), json!({ "type": "inbound" }));
    assert_eq!(fixed.await.is(400)["code"], "type_fixed");
    for path in ["/v1/agents/x".to_owned(), format!("/v1/agents/{nobody}")] {
        assert_eq!(tenant.get(&path).await.is(404)["code"], "agent_not_found");
        tenant.patch(&path, json!({})).await.is(404);
        tenant.delete(&path).await.is(404);
    }
}

#[tokio::test]
async fn numbers_come_and_go() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let (n, m) = (tenant.number("+14155550137").await, tenant.number("+14155550138").await);
    let a = tenant.agent("A", "outbound", &[]).await;
    let path = format!("/v1/agents/{a}");
    let numbers = format!("{path}/numbers");
    let attached = tenant.post(&numbers, json!({ "number_id": n })).await.is(200);
    assert_eq!(attached["primary_number_id"], json!(n));
    tenant.post(&numbers, json!({ "number_id": n })).await.is(200);
    let attached = tenant.post(&numbers, json!({ "number_id": m })).await.is(200);
    assert_eq!(attached["numbers"].as_array().map(Vec::len), Some(2));
    let primary = format!("{path}/primary-number");
    let preferred = tenant.put(&primary, json!({ "primary_number_id": m })).await.is(200);
    assert_eq!(preferred["primary_number_id"], json!(m));
    let detached = tenant.delete(&format!("{numbers}/{m}")).await.is(200);
    assert_eq!(detached["primary_number_id"], json!(n));
    tenant.delete(&format!("{numbers}/{m}")).await.is(404);
    tenant.put(&primary, json!({ "number_id": m })).await.is(400);
    tenant.put(&primary, json!({})).await.is(400);
    tenant.patch(&path, json!({ "primary_number_id": m })).await.is(400);
    tenant.patch(&path, json!({ "primary_number_id": null })).await.is(400);
    tenant.patch(&path, json!({ "primary_number_id": n })).await.is(200);
    tenant.post(&numbers, json!({})).await.is(400);
    let nobody = json!({ "number_id": "018f4a9e-0000-7000-8000-00000000dead" });
    tenant.post(&numbers, nobody).await.is(404);
    let listed = tenant.get("/v1/numbers").await.is(200);
    assert_eq!(listed["data"][1]["outbound_agent_ids"], json!([a]));
}

#[tokio::test]
async fn one_inbound_agent_answers_on_a_number() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let n = tenant.number("+14155550137").await;
    let first = tenant.agent("First", "inbound", &[&n]).await;
    let body = json!({ "name": "Second", "type": "inbound", "number_ids": [n] });
    let refused = tenant.post("/v1/agents", body).await.is(409);
    assert_eq!(refused["code"], "number_claimed");
    let second = tenant.agent("Second", "inbound", &[]).await;
    let attach = json!({ "number_id": n });
    let numbers = format!("/v1/agents/{second}/numbers");
    tenant.post(&numbers, attach.clone()).await.is(409);
    // The callback role does not compete for it.
    let a = tenant.agent("A", "outbound", &[&n]).await;
    let role = json!({ "source_agent_ids": [a] });
    tenant.put(&format!("/switchback/v1/agents/{second}/callback"), role).await.is(200);
    let attached = tenant.post(&numbers, attach).await.is(200);
    assert_eq!(attached["numbers"][0]["inbound_agent_id"], json!(first));
    assert_eq!(attached["numbers"][0]["outbound_agent_ids"], json!([a]));
}

#[tokio::test]
async fn a_call_without_an_agent_needs_a_default_target() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    tenant.number("+14155550100").await;
    let call = json!({ "to": "+14155550137", "prompt": "Ask whether they got our letter." });
    // What a request lacks is 400 in this dialect.
    let refused = tenant.post("/v1/calls", call).await.is(400);
    assert_eq!(refused["code"], "no_target");
    let remedy = refused["error"].as_str().unwrap();
    assert!(remedy.contains("set it, or name an agent that has targets"), "{remedy}");
    assert_eq!(tenant.get("/v1/calls").await.is(200)["data"], json!([]));
}

#[tokio::test]
async fn lists_go_by_key() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(0, tenant.number(&format!("+1415555010{n}")).await);
    }
    for (query, expected, has_more) in [
        (String::new(), &ids[..], false),
        ("?limit=2".to_owned(), &ids[..2], true),
        (format!("?limit=2&starting_after={}", ids[1]), &ids[2..4], true),
        (format!("?limit=2&starting_after={}", ids[3]), &ids[4..], false),
        // Closest to the cursor, newest first.
        (format!("?limit=2&ending_before={}", ids[4]), &ids[2..4], true),
        (format!("?limit=2&ending_before={}", ids[1]), &ids[..1], false),
    ] {
        let page = tenant.get(&format!("/v1/numbers{query}")).await.is(200);
        let found: Vec<_> =
            page["data"].as_array().unwrap().iter().map(|n| n["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(page["has_more"], has_more, "{query}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "starting_after=x"] {
        tenant.get(&format!("/v1/numbers?{query}")).await.is(400);
    }
    let mut agents = Vec::new();
    for (name, kind) in [("A", "inbound"), ("B", "outbound"), ("C", "inbound")] {
        agents.insert(0, tenant.agent(name, kind, &[]).await);
    }
    let all = tenant.get("/v1/agents?type=inbound").await.is(200);
    let found: Vec<_> = all["data"].as_array().unwrap().iter().map(|a| &a["id"]).collect();
    assert_eq!(found, [&json!(agents[0]), &json!(agents[2])]);
    tenant.get("/v1/agents?type=sideways").await.is(400);
}

#[tokio::test]
async fn nobody_is_called_with_nothing_to_say() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    tenant.number("+14155550137").await;
    let to = "+14155550199";
    for (body, says) in [
        (json!({ "to": to }), "agent_id is required"),
        (json!({ "to": to, "prompt": null }), "agent_id is required"),
        (json!({ "to": to, "prompt": " " }), "prompt: must not be empty"),
    ] {
        let refused = tenant.post("/v1/calls", body).await.is(400);
        assert_eq!(refused, json!({ "error": says, "code": "validation_error" }));
    }
    let calls = tenant.get("/v1/calls").await.is(200);
    assert_eq!(calls, json!({ "data": [], "has_more": false }));
}

#[tokio::test]
async fn what_is_not_understood_is_named_as_its_page_names_it() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let number = tenant.number("+14155550137").await;
    let agent = tenant.agent("Desk", "inbound", &[&number]).await;
    let primary = format!("/v1/agents/{agent}/primary-number");
    let refused = tenant.put(&primary, json!({})).await.is(400);
    assert_eq!(refused["error"], "number_id is required");
    let other = tenant.number("+14155550138").await;
    let inbound = format!("/v1/numbers/{other}/inbound");
    let body = json!({ "enabled": true, "prompt": "Hi.", "webhook_url": "ftp://example.com" });
    let refused = tenant.put(&inbound, body).await.is(400);
    assert_eq!(refused["error"], "webhook_url: must be an https:// URL");
}
