//! Switchback's own API: the dry run, numbers, settings, live calls.

use std::sync::Arc;

use serde_json::{Value, json};
use switchback::{
    calls::{Facts, Wanted},
    domain::{
        AccountId, Ani, Attestation, CallEnd, CallId, CallStatus, Direction, E164, InboundCall,
        RouteReason, Target, TenantId, TraceStep,
    },
    telemetry::clock,
};
use uuid::Uuid;

use crate::daemon::Daemon;

const N: &str = "+14155550137";

#[tokio::test]
async fn the_dry_run_says_what_the_contract_says() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let n = tenant.number(N).await;
    let a = tenant.agent("A", "outbound", &[&n]).await;
    let r = tenant.agent("R", "inbound", &[&n]).await;
    let role = json!({ "source_agent_ids": [a] });
    tenant.put(&format!("/switchback/v1/agents/{r}/callback"), role).await.is(200);
    tenant.touch("dial-17", &a, "+14155550199", N).await;

    let answer = tenant.get("/switchback/v1/route?from=+14155550199&to=+14155550137").await.is(200);
    let decision = &answer["decision"];
    assert_eq!((&decision["outcome"], &decision["reason"]), (&json!("route"), &json!("callback")));
    assert_eq!(decision["agent"], json!({ "id": r, "name": "R" }));
    assert_eq!(
        (&decision["target"], &decision["unmatched"]),
        (&json!("builtin:echo"), &json!(false))
    );
    let touch = &decision["touch"];
    assert_eq!((&touch["id"], &touch["source_agent_id"]), (&json!("dial-17"), &json!(a)));
    assert_eq!((&touch["caller_id"], &touch["outcome"]), (&json!(N), &json!("no_answer")));
    assert!(touch["at"].is_string() && touch["call_id"].is_null());
    assert!(answer["decided_in_ns"].is_u64() && answer["seq"].as_u64() > Some(0));
    let trace = answer["trace"].as_array().unwrap();
    assert!(!trace.is_empty());
    for step in trace {
        assert!(
            step["step"].is_string() && step["result"].is_string() && step["detail"].is_string()
        );
    }

    for from in ["", "anonymous", "sip:bob@example.com", "client:bob", "+14155550198"] {
        let decision = &tenant.route(from, N).await["decision"];
        assert_eq!(
            (&decision["reason"], &decision["unmatched"]),
            (&json!("default"), &json!(true))
        );
        assert_eq!(decision["touch"], Value::Null);
    }
    for (from, to) in
        [("whatsapp:+14155550199", N), ("+14155550199", "sip:+14155550137@pbx.example.com")]
    {
        assert_eq!(tenant.lands(from, to).await.0, "callback");
    }
    let unknown = tenant.route("+14155550199", "+14155550100").await;
    assert_eq!(unknown["decision"]["outcome"], "reject");
    assert_eq!(unknown["decision"]["reason"], "unknown_number");
    assert_eq!(unknown["decision"]["agent"], Value::Null);
    for query in [
        "",
        "from=%2B1",
        "to=14155550137",
        "to=%2B14155550137&at=noon",
        "to=%2B14155550137&attestation=D",
    ] {
        let refused = tenant.get(&format!("/switchback/v1/route?{query}")).await.is(422);
        assert_eq!(refused["code"], "validation_error");
        assert!(refused["fields"].is_object());
    }
    let account = "/switchback/v1/route?to=%2B14155550137&account=";
    assert_eq!(
        tenant.get(&format!("{account}first")).await.is(200)["decision"]["reason"],
        "default"
    );
    let other = tenant.get(&format!("{account}second")).await.is(200);
    assert_eq!(other["decision"]["reason"], "unknown_number");
    tenant.get(&format!("{account}third")).await.is(404);
    // The same number at a second account: say which.
    let body = json!({ "e164": N, "account": "second" });
    tenant.post("/switchback/v1/numbers", body).await.is(201);
    let two = tenant.get("/switchback/v1/route?to=%2B14155550137").await.is(409);
    assert_eq!(two["code"], "account_ambiguous");
    assert_eq!(
        tenant.get(&format!("{account}first")).await.is(200)["decision"]["reason"],
        "default"
    );
}

#[tokio::test]
async fn numbers_are_brought_changed_and_taken_away() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let path = "/switchback/v1/numbers";
    let body = json!({ "e164": N, "account": "first", "friendly_name": "Main" });
    let made = tenant.post(path, body.clone()).await.is(201);
    assert_eq!((&made["e164"], &made["friendly_name"]), (&json!(N), &json!("Main")));
    assert_eq!(tenant.post(path, body).await.is(200)["id"], made["id"]);
    // Two accounts are there: none is the obvious one.
    assert_eq!(tenant.post(path, json!({ "e164": N })).await.is(409)["code"], "account_ambiguous");
    tenant.post(path, json!({ "e164": N, "account": "third" })).await.is(404);
    for (body, field) in [
        (json!({}), "e164"),
        (json!({ "e164": "4155550137" }), "e164"),
        (json!({ "e164": N, "account": "first", "passthrough": "fax:1" }), "passthrough"),
    ] {
        let refused = tenant.post(path, body).await.is(422);
        assert!(refused["fields"][field].is_string(), "{refused}");
    }
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let patch =
        json!({ "friendly_name": null, "passthrough": "redirect:https://example.com/voice" });
    let changed = tenant.patch(&one, patch).await.is(200);
    assert_eq!(changed["friendly_name"], Value::Null);
    assert_eq!(changed["passthrough"], "redirect:https://example.com/voice");
    let route = tenant.route("+14155550199", N).await;
    assert_eq!(route["decision"]["reason"], "passthrough");
    assert_eq!(route["decision"]["target"], "redirect:https://example.com/voice");
    tenant.patch(&one, json!({ "passthrough": null })).await.is(200);

    let id = made["id"].as_str().unwrap();
    let first = tenant.agent("First", "inbound", &[id]).await;
    let second = tenant.post("/api/v1/agents", json!({})).await;
    assert_eq!(second.status, 422);
    let second = tenant.agent("Second", "inbound", &[]).await;
    let attach = json!({ "direction": "inbound", "phone_number_ids": [id] });
    tenant.put(&format!("/api/v1/agents/{second}/calling"), attach).await.is(200);
    assert_eq!(tenant.lands("", N).await.1, "Second");
    let named = tenant.patch(&one, json!({ "default_agent_id": first })).await.is(200);
    assert_eq!(named["inbound_agent_id"], json!(first));
    assert_eq!(named["warnings"][0]["code"], "default_moved");
    assert_eq!(tenant.lands("", N).await.1, "First");

    assert_eq!(tenant.delete(&one).await.is(409)["code"], "number_in_use");
    tenant.delete(&format!("/v1/agents/{first}")).await.is(200);
    tenant.delete(&format!("/v1/agents/{second}")).await.is(200);
    tenant.delete(&one).await.is(204);
    tenant.delete(&one).await.is(404);
    tenant.patch(&one, json!({})).await.is(404);
}

#[tokio::test]
async fn settings_steer_decisions() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    tenant.number(N).await;
    let path = "/switchback/v1/settings";
    let before = tenant.get(path).await.is(200);
    for (field, value) in [
        ("window_days", json!(30)),
        ("touch_retention_days", json!(400)),
        ("min_attestation", json!("none")),
        ("below_min", json!("as_withheld")),
        ("context_min_attestation", json!("none")),
        ("fallback_agent_id", Value::Null),
        ("block_list", json!([])),
        ("block_target", Value::Null),
    ] {
        assert_eq!(before[field], value, "{field}");
    }
    assert!(before["last_resort"].as_str().unwrap().starts_with("say:"));
    let fallback = tenant.agent("Fallback", "inbound", &[]).await;
    let patch = json!({
        "fallback_agent_id": fallback, "block_list": ["+14155550190", "+14155550190"],
        "min_attestation": "B", "below_min": "reject", "window_days": 7
    });
    let after = tenant.patch(path, patch).await.is(200);
    assert_eq!(after["block_list"], json!(["+14155550190"]));
    assert_eq!(after["warnings"], json!([]));
    let route = async |attestation: &str, from: &str| {
        let query = format!("to=%2B14155550137&from={from}&attestation={attestation}");
        tenant.get(&format!("/switchback/v1/route?{query}")).await.is(200)["decision"]["reason"]
            .clone()
    };
    assert_eq!(route("A", "+14155550191").await, "fallback");
    assert_eq!(route("C", "+14155550191").await, "attestation");
    assert_eq!(route("A", "+14155550190").await, "blocked");
    for (patch, field) in [
        (json!({ "window_days": 401 }), "window_days"),
        (json!({ "last_resort": "builtin:echo" }), "last_resort"),
        (json!({ "block_target": "agent:018f4a9e-0000-7000-8000-000000000001" }), "block_target"),
        (json!({ "below_min": "shout" }), "below_min"),
        (json!({ "block_list": ["x"] }), "block_list.0"),
        (
            json!({ "fallback_agent_id": "018f4a9e-0000-7000-8000-000000000001" }),
            "fallback_agent_id",
        ),
    ] {
        let refused = tenant.patch(path, patch).await.is(422);
        assert!(refused["fields"][field].is_string(), "{refused}");
    }
    let cleared = json!({ "fallback_agent_id": null, "min_attestation": null, "below_min": null,
                          "block_list": null, "window_days": null });
    tenant.patch(path, cleared).await.is(200);
    assert_eq!(tenant.get(path).await.is(200), before);
}

#[tokio::test]
async fn a_read_waits_for_the_revision_it_asks_for() {
    let settings = switchback::control::Settings {
        apply_wait: std::time::Duration::from_millis(300),
        ..switchback::control::Settings::default()
    };
    let daemon = Daemon::start_with(settings).await;
    let tenant = daemon.tenant("acme").await;
    let body = json!({ "e164": N, "account": "first" });
    let made = tenant.post("/switchback/v1/numbers", body).await;
    let rev = made.header("switchback-rev").to_owned();
    made.is(201);
    tenant.get(&format!("/v1/numbers?min_rev={rev}")).await.is(200);
    let far = tenant.get("/v1/numbers?min_rev=999999.0").await;
    assert_eq!(far.header("retry-after"), "1");
    assert_eq!(far.is(503)["code"], "min_rev_not_reached");
    tenant.get("/v1/numbers?min_rev=soon").await.is(400);
    tenant.get("/switchback/v1/settings?min_rev=soon").await.is(422);
}

fn facts(tenant: TenantId, carrier_call_id: &str) -> Facts {
    let account = AccountId::of_name("first");
    Facts {
        id: CallId::of_carrier_call(account, carrier_call_id),
        tenant,
        account,
        carrier_call_id: carrier_call_id.to_owned(),
        direction: Direction::Inbound,
        call: InboundCall {
            account: Some(account),
            dnis: E164::parse(N),
            ani: E164::parse("+14155550199").map_or(Ani::Withheld, Ani::Number),
            forwarded_from: None,
            attestation: Attestation::A,
        },
        number: None,
        agent: None,
        reason: Some(RouteReason::Default),
        unmatched: false,
        touch: None,
        ladder: Vec::new(),
        last_resort: Target::Busy,
        context_min_attestation: Attestation::None,
        trace: vec![TraceStep { step: "number", result: "found", detail: String::new() }],
        errand: None,
        created_at: clock::now(),
    }
}

#[tokio::test]
async fn live_calls_are_seen_and_ended() {
    let daemon = Daemon::start().await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let org = tenant.agent("A", "inbound", &[]).await;
    let org = tenant.get(&format!("/v1/agents/{org}")).await.is(200)["org_id"].clone();
    let org = TenantId(Uuid::parse_str(org.as_str().unwrap()).unwrap());
    let call = daemon.live.open(facts(org, "CA1"), CallStatus::Ringing, clock::now());
    daemon.live.open(facts(org, "CA2"), CallStatus::Ringing, clock::now());
    let path = format!("/switchback/v1/calls/{}", call.facts.id);
    let read = tenant.get(&path).await.is(200);
    for (field, value) in [
        ("live", json!(true)),
        ("account", json!("first")),
        ("carrier_call_id", json!("CA1")),
        ("direction", json!("inbound")),
        ("status", json!("ringing")),
        ("from", json!("+14155550199")),
        ("to", json!(N)),
        ("reason", json!("default")),
        ("caller_verified", json!(true)),
        ("ended_by", Value::Null),
    ] {
        assert_eq!(read[field], value, "{field}");
    }
    assert_eq!(read["trace"][0]["step"], "number");
    for (query, count) in [
        ("live=true", 2),
        ("live=true&limit=1", 1),
        ("live=true&carrier_call_id=CA2", 1),
        ("live=true&from=+14155550199", 2),
        ("live=true&status=completed", 0),
        ("live=false", 0),
    ] {
        let list = tenant.get(&format!("/switchback/v1/calls?{query}")).await.is(200);
        assert_eq!(list["data"].as_array().map(Vec::len), Some(count), "{query}");
    }
    assert_eq!(other.get("/switchback/v1/calls?live=true").await.is(200)["data"], json!([]));
    other.get(&path).await.is(404);
    other.post(&format!("{path}/hangup"), json!({})).await.is(404);
    tenant.post(&format!("{path}/hangup"), json!({})).await.is(202);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), call.wanted());
    assert_eq!(ended.await.unwrap(), Wanted::HangUp(CallEnd::Api));
    tenant.post("/switchback/v1/calls/none/hangup", json!({})).await.is(404);
    tenant.get("/switchback/v1/calls?status=sleeping").await.is(422);
    drop(Arc::clone(&call));
}

#[tokio::test]
async fn a_busy_agent_is_not_deleted_or_turned() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let n = tenant.number(N).await;
    let id = tenant.agent("Busy", "inbound", &[&n]).await;
    tenant.post(&format!("/api/v1/agents/{id}/unpublish"), json!({})).await.is(200);
    let org = tenant.get(&format!("/v1/agents/{id}")).await.is(200)["org_id"].clone();
    let org = TenantId(Uuid::parse_str(org.as_str().unwrap()).unwrap());
    let agent = switchback::domain::Agent {
        id: id.parse().unwrap(),
        tenant: org,
        name: "Busy".to_owned(),
        direction: Direction::Inbound,
        state: switchback::domain::AgentState::Draft,
        targets: Vec::new(),
        callback: None,
        runtime_parameters: Vec::new(),
        first_audio_timeout_ms: None,
        min_attestation: None,
        context_min_attestation: None,
        runtime_media: None,
    };
    let facts = Facts { agent: Some(Arc::new(agent)), ..facts(org, "CA1") };
    daemon.live.open(facts, CallStatus::InProgress, clock::now());
    let refused = tenant.delete(&format!("/api/v1/agents/{id}")).await.is(409);
    assert_eq!(refused["code"], "AGENT_HAS_ACTIVE_CALLS");
    assert_eq!(refused["message"], "Cannot delete agent while it has active calls.");
    let turn = json!({ "direction": "outbound" });
    tenant.put(&format!("/api/v1/agents/{id}/calling"), turn).await.is(409);
    tenant
        .put(&format!("/api/v1/agents/{id}/calling"), json!({ "direction": "inbound" }))
        .await
        .is(200);
}

#[tokio::test]
async fn the_daemon_says_what_it_is() {
    let settings = switchback::control::Settings {
        public_url: "https://edge.example.com".to_owned(),
        ..switchback::control::Settings::default()
    };
    let daemon = Daemon::start_with(settings).await;
    let tenant = daemon.tenant("acme").await;
    tenant.post("/v1/agents", json!({ "name": "x", "type": "inbound" })).await.is(201);
    for caller in [&tenant, &daemon.operator] {
        let status = caller.get("/switchback/v1/status").await.is(200);
        assert_eq!(status["public_url"], "https://edge.example.com");
        assert_eq!(status["accounts"].as_array().map(Vec::len), Some(2));
        assert_eq!(status["agents_without_target"], 1);
    }
}
