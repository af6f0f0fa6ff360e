//! The callback role from outside: who is set, who is asked, where calls land.

use serde_json::{Value, json};

use crate::daemon::{Caller, Daemon};

const CONTACT: &str = "+14155550137";
const STRANGER: &str = "+14155550199";
const N: &str = "+12125550142";
const M: &str = "+12125550143";

fn was(reason: &str, agent: &str) -> (String, String) {
    (reason.to_owned(), agent.to_owned())
}

/// Outbound A, front desk F on N and M, return desk R on N.
struct Desk {
    a: String,
    f: String,
    r: String,
    n: String,
}

async fn desk(tenant: &Caller) -> Desk {
    let (n, m) = (tenant.number(N).await, tenant.number(M).await);
    let a = tenant.agent("Renewals", "outbound", &[&n]).await;
    let f = tenant.agent("Front desk", "inbound", &[&n, &m]).await;
    let r = tenant.agent("Return desk", "inbound", &[]).await;
    let role = json!({ "source_agent_ids": [a] });
    tenant.post(&format!("/api/v1/agents/{r}/callback"), role).await.is(200);
    let attach = json!({ "number_id": n });
    tenant.post(&format!("/v1/agents/{r}/numbers"), attach).await.is(200);
    Desk { a, f, r, n }
}

#[tokio::test]
async fn the_worked_example_of_the_two_dialects() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, f, r, .. } = desk(&tenant).await;
    tenant.touch("call-1", &a, CONTACT, N).await;
    assert_eq!(tenant.lands(CONTACT, N).await, was("callback", "Return desk"));
    assert_eq!(tenant.lands(STRANGER, N).await, was("default", "Front desk"));
    assert_eq!(tenant.lands(CONTACT, M).await, was("default", "Front desk"));

    let publish = |word: &str| format!("/api/v1/agents/{r}/{word}");
    tenant.post(&publish("unpublish"), json!({})).await.is(200);
    for from in [CONTACT, STRANGER] {
        assert_eq!(tenant.lands(from, N).await, was("default", "Front desk"));
    }
    tenant.post(&publish("publish"), json!({})).await.is(200);
    assert_eq!(tenant.lands(CONTACT, N).await, was("callback", "Return desk"));

    let archived = tenant.delete(&format!("/v1/agents/{f}")).await.is(200);
    assert!(archived["archived_at"].is_string() && archived["numbers"] == json!([]));
    assert_eq!(tenant.lands(STRANGER, N).await, was("default", "Return desk"));
    assert_eq!(tenant.route(STRANGER, N).await["decision"]["unmatched"], true);
    assert_eq!(tenant.lands(CONTACT, M).await, was("no_inbound_agent", ""));
}

#[tokio::test]
async fn without_the_role_everybody_reaches_the_front_desk() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, r, .. } = desk(&tenant).await;
    tenant.touch("call-1", &a, CONTACT, N).await;
    assert_eq!(tenant.lands(CONTACT, N).await, was("callback", "Return desk"));
    assert_eq!(tenant.lands(STRANGER, N).await, was("default", "Front desk"));
    let removed = tenant.delete(&format!("/api/v1/agents/{r}/callback")).await;
    assert!(!removed.header("switchback-rev").is_empty());
    let removed = removed.is(200);
    assert_eq!(removed["success"], true);
    assert_eq!(removed["message"], "Callback role removed");
    for from in [CONTACT, STRANGER, ""] {
        assert_eq!(tenant.lands(from, N).await, was("default", "Front desk"));
    }
    tenant.delete(&format!("/api/v1/agents/{r}/callback")).await.is(404);
}

#[tokio::test]
async fn an_agent_may_ask_for_a_caller_who_is_vouched_for() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, r, n, .. } = desk(&tenant).await;
    tenant.touch("call-1", &a, CONTACT, N).await;
    let asks = json!({ "direction": "inbound", "min_attestation": "B" });
    tenant.put(&format!("/api/v1/agents/{r}/calling"), asks).await.is(200);
    let read = tenant.get(&format!("/api/v1/agents/{r}")).await.is(200);
    assert_eq!(read["data"]["min_attestation"], "B");
    let query = format!("/switchback/v1/route?from=%2B{}&to=%2B{}", &CONTACT[1..], &N[1..]);
    for (attestation, expected) in [
        ("A", was("callback", "Return desk")),
        ("B", was("callback", "Return desk")),
        ("C", was("default", "Front desk")),
        ("none", was("default", "Front desk")),
    ] {
        let route = tenant.get(&format!("{query}&attestation={attestation}")).await.is(200);
        let decision = &route["decision"];
        assert_eq!(decision["reason"], expected.0, "{attestation}");
        assert_eq!(decision["agent"]["name"], expected.1);
        let trace = route["trace"].as_array().unwrap();
        let is_told = trace.iter().any(|step| step["result"] == "below_min");
        assert_eq!(is_told, decision["reason"] == "default");
    }
    // It does not believe who calls, and answers as anybody's default all the same.
    let claims = json!({ "default_agent_id": r });
    tenant.patch(&format!("/switchback/v1/numbers/{n}"), claims).await.is(200);
    assert_eq!(tenant.lands(CONTACT, N).await, was("default", "Return desk"));
    let wrong = tenant.patch(&format!("/v1/agents/{r}"), json!({ "min_attestation": "D" })).await;
    wrong.is(400);
}

#[tokio::test]
async fn talkovers_callback_endpoints_answer_in_its_shapes() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, f, r, .. } = desk(&tenant).await;
    let b = tenant.agent("Surveys", "outbound", &[]).await;
    let path = format!("/api/v1/agents/{r}/callback");

    let set = tenant.post(&path, json!({ "source_agent_ids": [b, a, b] })).await.is(200);
    let data = &set["data"];
    assert_eq!((&set["success"], set.get("message")), (&json!(true), None));
    assert_eq!((&data["id"], &data["name"]), (&json!(r), &json!("Return desk")));
    assert_eq!(data["direction"], "inbound");
    assert_eq!(data["callback_config"], json!({ "source_agent_ids": [b, a] }));

    let put = tenant.put(&path, json!({ "source_agent_ids": [a] })).await.is(200);
    assert_eq!(put["data"]["callback_config"]["source_agent_ids"], json!([a]));
    assert!(put["data"].get("name").is_none());

    let read = tenant.get(&format!("/api/v1/callback-agents/{r}")).await.is(200);
    let data = &read["data"];
    assert_eq!(
        data["agent"],
        json!({ "id": r, "name": "Return desk", "direction": "inbound",
                "current_status": "published" })
    );
    assert_eq!(data["source_agents"], json!([{ "id": a, "name": "Renewals" }]));
    let none = json!({ "total_callbacks_received": 0, "callbacks_answered": 0 });
    assert_eq!(data["stats"], none);

    let list = tenant.get("/api/v1/callback-agents").await.is(200);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    for field in ["id", "name", "label", "direction", "current_status", "callback_config"] {
        assert!(!list["data"][0][field].is_null(), "{field}");
    }
    let sources = tenant.get("/api/v1/callback-agents/source-agents").await.is(200);
    let names: Vec<_> = sources["data"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["Renewals", "Surveys"]);

    let plain = tenant.get(&format!("/api/v1/callback-agents/{f}")).await.is(404);
    assert_eq!(plain["message"], "Agent is not configured as a callback agent");
    let put =
        tenant.put(&format!("/api/v1/agents/{f}/callback"), json!({ "source_agent_ids": [a] }));
    assert_eq!(put.await.is(404)["message"], "Agent is not configured as a callback agent");
}

#[tokio::test]
async fn what_the_role_refuses() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, f, r, .. } = desk(&tenant).await;
    let path = format!("/api/v1/agents/{r}/callback");
    let nobody = "018f4a9e-0000-7000-8000-00000000dead";
    let before = tenant.get(&format!("/switchback/v1/agents/{r}/callback")).await.is(200);
    for (body, code, field) in [
        (json!({}), "VALIDATION_ERROR", "source_agent_ids"),
        (json!({ "source_agent_ids": [] }), "VALIDATION_ERROR", "source_agent_ids"),
        (json!({ "source_agent_ids": "a" }), "VALIDATION_ERROR", "source_agent_ids"),
        (json!({ "source_agent_ids": [a, "x"] }), "VALIDATION_ERROR", "source_agent_ids.1"),
        (json!({ "source_agent_ids": [a, a, nobody] }), "VALIDATION_ERROR", "source_agent_ids.2"),
        (
            json!({ "source_agent_ids": [f] }),
            "INVALID_SOURCE_AGENT_DIRECTION",
            "source_agent_ids.0",
        ),
        (json!({ "source_agent_ids": [a], "window_days": -1 }), "VALIDATION_ERROR", "window_days"),
        (json!({ "source_agent_ids": [a], "window_days": 401 }), "VALIDATION_ERROR", "window_days"),
        (
            json!({ "source_agent_ids": [a], "callback_trigger_statuses": ["asleep"] }),
            "VALIDATION_ERROR",
            "callback_trigger_statuses.0",
        ),
        (
            json!({ "source_agent_ids": [a], "trigger_outcomes": [] }),
            "VALIDATION_ERROR",
            "trigger_outcomes",
        ),
    ] {
        for body in [tenant.post(&path, body.clone()).await, tenant.put(&path, body).await] {
            let body = body.is(422);
            assert_eq!(body["code"], code, "{body}");
            assert!(body["errors"][field].is_array(), "{body}");
            assert_eq!(body["error"]["details"]["field"], field);
        }
    }
    let wrong =
        tenant.post(&format!("/api/v1/agents/{a}/callback"), json!({ "source_agent_ids": [a] }));
    let wrong = wrong.await.is(422);
    assert_eq!(wrong["code"], "INVALID_AGENT_DIRECTION");
    assert_eq!(wrong["message"], "Agent must have direction=inbound to serve as a callback");
    let gone = tenant
        .post(&format!("/api/v1/agents/{nobody}/callback"), json!({ "source_agent_ids": [a] }));
    assert_eq!(gone.await.is(404)["code"], "AGENT_NOT_FOUND");
    let after = tenant.get(&format!("/switchback/v1/agents/{r}/callback")).await.is(200);
    assert_eq!(before, after, "nothing was applied");
}

#[tokio::test]
async fn our_own_fields_are_taken_and_shown() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, r, .. } = desk(&tenant).await;
    let path = format!("/api/v1/agents/{r}/callback");
    let own = format!("/switchback/v1/agents/{r}/callback");
    let body = json!({
        "source_agent_ids": [a], "window_days": 7,
        "callback_trigger_statuses": ["no-answer", "completed", "voicemail"],
        "runtime_url": "wss://bot.example.com/ws"
    });
    let set = tenant.post(&path, body).await.is(200);
    let config = &set["data"]["callback_config"];
    assert_eq!(config["window_days"], 7);
    let words = json!(["no_answer", "answered", "voicemail"]);
    assert_eq!(config["callback_trigger_statuses"], words);
    assert_eq!(set["data"]["targets"], json!(["wss://bot.example.com/ws"]));
    let role = json!({
        "source_agent_ids": [a], "window_days": 7, "trigger_outcomes": words
    });
    assert_eq!(tenant.get(&own).await.is(200), role);
    let agent = tenant.get(&format!("/v1/agents/{r}")).await.is(200);
    assert_eq!(agent["window_days"], 7);
    assert_eq!(agent["runtime_url"], "wss://bot.example.com/ws");

    // Talkover's PUT is about sources: what it does not know stays.
    tenant.put(&path, json!({ "source_agent_ids": [a] })).await.is(200);
    assert_eq!(tenant.get(&own).await.is(200), role);
    // Ours is the whole role.
    let put = tenant.put(&own, json!({ "source_agent_ids": [a] })).await.is(200);
    assert_eq!((&put["window_days"], &put["trigger_outcomes"]), (&Value::Null, &Value::Null));
    assert_eq!(put["warnings"], json!([]));
    let patched = tenant.patch(&format!("/v1/agents/{r}"), json!({ "window_days": 3 }));
    assert_eq!(patched.await.is(200)["window_days"], 3);
    let free = tenant.agent("Free", "inbound", &[]).await;
    tenant.patch(&format!("/v1/agents/{free}"), json!({ "window_days": 3 })).await.is(400);
    tenant.get(&format!("/switchback/v1/agents/{free}/callback")).await.is(404);
    tenant.delete(&own).await.is(204);
    tenant.get(&own).await.is(404);
}

#[tokio::test]
async fn outcomes_and_windows_filter_return_calls() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, r, .. } = desk(&tenant).await;
    tenant.touch("call-1", &a, CONTACT, N).await;
    let own = format!("/switchback/v1/agents/{r}/callback");
    let busy = json!({ "source_agent_ids": [a], "trigger_outcomes": ["busy"] });
    tenant.put(&own, busy).await.is(200);
    assert_eq!(tenant.lands(CONTACT, N).await, was("default", "Front desk"));
    let missed = json!({ "source_agent_ids": [a], "trigger_outcomes": ["no-answer"] });
    tenant.put(&own, missed).await.is(200);
    assert_eq!(tenant.lands(CONTACT, N).await, was("callback", "Return desk"));
    let later = tenant
        .get("/switchback/v1/route?from=+14155550137&to=+12125550142&at=2199-01-01T00:00:00Z");
    assert_eq!(later.await.is(200)["decision"]["reason"], "default");
}

#[tokio::test]
async fn writes_that_steer_calls_answer_with_warnings() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { a, f, r, n } = desk(&tenant).await;
    // R does not own M, which A now shows as well.
    let m = tenant.get("/v1/numbers").await.is(200)["data"][0]["id"].clone();
    tenant.post(&format!("/v1/agents/{a}/numbers"), json!({ "number_id": m })).await.is(200);
    let set =
        tenant.put(&format!("/api/v1/agents/{r}/callback"), json!({ "source_agent_ids": [a] }));
    let set = set.await.is(200);
    let codes = |body: &Value| -> Vec<String> {
        let list = body["warnings"].as_array().unwrap();
        list.iter().map(|w| w["code"].as_str().unwrap().to_owned()).collect()
    };
    assert!(codes(&set).contains(&"caller_id_not_owned".to_owned()), "{set}");
    let warnings = set["warnings"].as_array().unwrap();
    let unowned = warnings.iter().find(|warning| warning["code"] == "caller_id_not_owned");
    assert_eq!(unowned.unwrap()["number"], M);
    // A second front desk through Talkover takes the default over.
    let other = tenant.agent("Other desk", "inbound", &[]).await;
    let calling = json!({ "direction": "inbound", "phone_number_ids": [n] });
    let moved = tenant.put(&format!("/api/v1/agents/{other}/calling"), calling).await.is(200);
    let warning =
        moved["warnings"].as_array().unwrap().iter().find(|w| w["code"] == "default_moved");
    let warning = warning.unwrap_or_else(|| panic!("{moved}"));
    assert_eq!((&warning["from"], &warning["to"]), (&json!(f), &json!(other)));
    let bare = tenant.patch(&format!("/v1/agents/{other}"), json!({ "targets": [] })).await.is(200);
    assert!(codes(&bare).contains(&"no_target".to_owned()), "{bare}");
}

#[tokio::test]
async fn statistics_count_the_call_rows() {
    use switchback::domain::{
        AgentId, CallId, CallPatch, CallStatus, Direction, RouteReason, UnixMillis,
    };
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let Desk { r, .. } = desk(&tenant).await;
    let agent: AgentId = r.parse().unwrap();
    let now = switchback::telemetry::clock::now();
    let ago = move |days: u64| UnixMillis(now.0 - days * 24 * 3600 * 1000);
    let write = daemon.store.write(switchback::store::Actor::default(), move |tx| {
        let tenant = tx.tenants()?[0].tenant.id;
        for (n, reason, at, answered) in [
            (1, RouteReason::Callback, ago(0), true),
            (2, RouteReason::Callback, ago(29), false),
            (3, RouteReason::Callback, ago(31), true),
            (4, RouteReason::Default, ago(0), true),
        ] {
            tx.upsert_call(&CallPatch {
                carrier_call_id: Some(format!("CA{n}")),
                direction: Some(Direction::Inbound),
                status: Some(CallStatus::Completed),
                agent: Some(agent),
                reason: Some(reason),
                created_at: Some(at),
                answered_at: answered.then_some(at),
                ended_at: Some(at),
                ..CallPatch::new(CallId(uuid::Uuid::from_u128(n)), tenant, at)
            })?;
        }
        Ok(())
    });
    write.await.unwrap();
    let read = tenant.get(&format!("/api/v1/callback-agents/{r}")).await.is(200);
    let counted = json!({ "total_callbacks_received": 2, "callbacks_answered": 1 });
    assert_eq!(read["data"]["stats"], counted);
    let calls = tenant.get(&format!("/switchback/v1/calls?agent_id={r}&limit=2")).await.is(200);
    assert_eq!((calls["data"].as_array().unwrap().len(), &calls["has_more"]), (2, &json!(true)));
    let one = tenant.get("/switchback/v1/calls?carrier_call_id=CA2").await.is(200);
    let id = one["data"][0]["id"].as_str().unwrap();
    assert_eq!(tenant.get(&format!("/switchback/v1/calls/{id}")).await.is(200)["live"], false);
    let over = tenant.post(&format!("/switchback/v1/calls/{id}/hangup"), json!({})).await.is(409);
    assert_eq!(over["code"], "call_not_active");
}
