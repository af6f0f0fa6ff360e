//! Talkover's calls and figures, and that no tenant sees another's.

use std::sync::Arc;

use serde_json::{Value, json};
use switchback::{
    calls::Facts,
    dialects::rfc3339,
    domain::{
        AccountId, AgentId, Ani, Attestation, CallId, CallPatch, CallStatus, Direction, E164,
        InboundCall, RouteReason, Target, TenantId, TouchId, UnixMillis,
    },
    store::Actor,
    telemetry::clock,
};
use uuid::Uuid;

use crate::daemon::{Caller, Daemon};

const CONTACT: &str = "+14155550137";
const N: &str = "+12125550142";

/// A tenant with a source agent that has called, and a return desk over it.
struct Desk {
    caller: Caller,
    tenant: TenantId,
    number: String,
    source: String,
    desk: String,
}

async fn desk(daemon: &Daemon, name: &'static str, e164: &str) -> Desk {
    let caller = daemon.tenant(name).await;
    let tenant = daemon.store.read(move |rows| {
        let found = rows.tenants()?.into_iter().find(|record| record.tenant.name == name);
        Ok(found.unwrap().tenant.id)
    });
    let tenant = tenant.await.unwrap();
    let number = caller.number(e164).await;
    let source = caller.agent("Renewals", "outbound", &[&number]).await;
    let desk = caller.agent("Return desk", "inbound", &[&number]).await;
    let role = json!({ "source_agent_ids": [source] });
    caller.post(&format!("/api/v1/agents/{desk}/callback"), role).await.is(200);
    caller.touch("out-1", &source, CONTACT, e164).await;
    Desk { caller, tenant, number, source, desk }
}

/// A call that came in so many minutes ago.
fn came(desk: &Desk, n: u64, status: CallStatus, reason: RouteReason) -> CallPatch {
    let now = clock::now();
    let at = UnixMillis(now.0 - n * 60_000);
    let answered = status == CallStatus::Completed;
    CallPatch {
        account: Some(AccountId::of_name("first")),
        carrier_call_id: Some(format!("CA{n:032}")),
        direction: Some(Direction::Inbound),
        status: Some(status),
        ani: E164::parse(CONTACT),
        dnis: E164::parse(N),
        agent: Some(desk.desk.parse().unwrap()),
        reason: Some(reason),
        unmatched: Some(reason == RouteReason::Default),
        touch: (reason == RouteReason::Callback)
            .then(|| TouchId::of_external(desk.tenant, "out-1")),
        created_at: Some(at),
        answered_at: answered.then_some(at),
        ended_at: status.is_final().then(|| UnixMillis(at.0 + 42_000)),
        ..CallPatch::new(call_id(desk.tenant, n), desk.tenant, at)
    }
}

fn call_id(tenant: TenantId, n: u64) -> CallId {
    CallId(Uuid::new_v5(&tenant.0, &n.to_be_bytes()))
}

async fn write(daemon: &Daemon, patches: Vec<CallPatch>) {
    let write = daemon.store.write(Actor::default(), move |tx| {
        for patch in &patches {
            tx.upsert_call(patch)?;
        }
        Ok(())
    });
    write.await.unwrap();
}

fn day(at: UnixMillis) -> String {
    rfc3339(at).chars().take(10).collect()
}

#[tokio::test]
async fn figures_are_of_real_calls() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let other = desk(&daemon, "other", "+12125550143").await;
    let (done, missed) = (CallStatus::Completed, CallStatus::NoAnswer);
    let (back, stray) = (RouteReason::Callback, RouteReason::Default);
    let ringing = came(&acme, 4, CallStatus::Ringing, back);
    let patches = vec![
        came(&acme, 1, done, back),
        came(&acme, 2, missed, back),
        came(&acme, 3, done, stray),
        ringing.clone(),
        came(&other, 1, done, back),
    ];
    write(&daemon, patches).await;
    let stats = acme.caller.get("/api/v1/callback-agents/stats").await.is(200);
    let now = clock::now();
    let expected = |answered: u64| {
        json!({
            "period": { "start": day(UnixMillis(now.0 - 30 * 24 * 3_600_000)), "end": day(now) },
            "total_callbacks_received": 3, "callbacks_answered": answered,
            "callbacks_unmatched": 1,
            "callbacks_by_source_agent":
                [{ "source_agent_id": acme.source, "name": "Renewals", "count": 3 }]
        })
    };
    assert_eq!(stats, json!({ "success": true, "data": expected(1) }));
    write(&daemon, vec![CallPatch { status: Some(done), answered_at: Some(now), ..ringing }]).await;
    let stats = acme.caller.get("/api/v1/callback-agents/stats").await.is(200);
    assert_eq!(stats["data"], expected(2));
    let path = format!("/api/v1/callback-agents/{}", acme.desk);
    let shown = acme.caller.get(&path).await.is(200);
    let counted = json!({ "total_callbacks_received": 3, "callbacks_answered": 2 });
    assert_eq!(shown["data"]["stats"], counted);
    acme.caller.get(&format!("/api/v1/callback-agents/{}", other.desk)).await.is(404);

    let past = "/api/v1/callback-agents/stats?start_date=2024-01-01&end_date=2024-12-31";
    let past = acme.caller.get(past).await.is(200);
    assert_eq!(past["data"]["total_callbacks_received"], 0);
    assert_eq!(past["data"]["callbacks_by_source_agent"], json!([]));
    for wrong in [
        "start_date=2024-01-02&end_date=2024-01-01",
        "start_date=2023-01-01&end_date=2024-01-02",
        "start_date=01.02.2024",
        "end_date=tomorrow",
    ] {
        let path = format!("/api/v1/callback-agents/stats?{wrong}");
        let refused = acme.caller.get(&path).await.is(422);
        assert_eq!(refused["code"], "VALIDATION_ERROR", "{wrong}");
    }
}

#[tokio::test]
async fn a_role_is_tried_without_being_taken() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let other = desk(&daemon, "other", "+12125550143").await;
    let path = |agent: &str| format!("/api/v1/callback-agents/{agent}/check-constraints");
    let front = acme.caller.agent("Front", "inbound", &[]).await;
    let draft = acme.caller.agent("Surveys", "outbound", &[]).await;
    acme.caller.post(&format!("/api/v1/agents/{draft}/unpublish"), json!({})).await.is(200);
    let ask = |sources: &[&str]| {
        json!({ "is_callback_agent": true, "callback_source_agents": sources,
                "callback_trigger_statuses": ["no_answer", "voicemail", "busy"] })
    };
    let valid = acme.caller.post(&path(&front), ask(&[&acme.source])).await.is(200);
    assert_eq!(valid, json!({ "success": true, "message": "Configuration is valid" }));
    // Nothing was taken.
    acme.caller.get(&format!("/api/v1/callback-agents/{front}")).await.is(404);
    let inbound = "Agent must be inbound to serve as a callback agent";
    let unknown = |id: &str| format!("Source agent {id}: There is no such agent");
    for (agent, sources, errors) in [
        (
            &acme.source,
            vec![&draft],
            vec![inbound.to_owned(), format!("Source agent {draft} is not published")],
        ),
        (&front, vec![&front], vec![format!("Source agent {front} is not outbound")]),
        (&front, vec![&other.source], vec![unknown(&other.source)]),
        (
            &front,
            vec![],
            vec!["callback_source_agents: Must name at least one source agent".to_owned()],
        ),
    ] {
        let sources: Vec<_> = sources.into_iter().map(String::as_str).collect();
        let refused = acme.caller.post(&path(agent), ask(&sources)).await.is(422);
        assert_eq!(refused["errors"], json!(errors));
        assert_eq!(
            (&refused["success"], &refused["message"]),
            (&json!(false), &json!("Configuration has errors"))
        );
    }
    let body = json!({ "is_callback_agent": "perhaps" });
    let refused = acme.caller.post(&path(&front), body).await.is(422);
    assert_eq!(refused["errors"], json!(["is_callback_agent: Must be true or false"]));
    let without = json!({ "is_callback_agent": false });
    acme.caller.post(&path(&front), without).await.is(200);
    acme.caller.post(&path(&other.desk), ask(&[&acme.source])).await.is(404);
}

#[tokio::test]
async fn calls_are_listed_by_page() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let other = desk(&daemon, "other", "+12125550143").await;
    let back = RouteReason::Callback;
    let statuses = [
        CallStatus::Completed,
        CallStatus::NoAnswer,
        CallStatus::Busy,
        CallStatus::Canceled,
        CallStatus::Failed,
        CallStatus::InProgress,
        CallStatus::Ringing,
        CallStatus::Queued,
    ];
    let mut patches: Vec<_> =
        (1..).zip(statuses).map(|(n, status)| came(&acme, n, status, back)).collect();
    patches.push(came(&other, 1, CallStatus::Completed, back));
    write(&daemon, patches).await;
    let list = acme.caller.get("/api/v1/calls?per_page=3&page=2").await.is(200);
    let pagination = json!({ "current_page": 2, "last_page": 3, "per_page": 3, "total": 8,
                             "from": 4, "to": 6 });
    assert_eq!(list["pagination"], pagination);
    let list = acme.caller.get("/api/v1/calls").await.is(200);
    let words: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|call| &call["status"]).collect();
    let expected =
        ["completed", "no-answer", "busy", "failed", "failed", "answered", "ringing", "initiated"];
    assert_eq!(words, expected);
    let first = &list["data"][0];
    for (field, value) in [
        ("id", json!(call_id(acme.tenant, 1).to_string())),
        ("sid", json!(format!("CA{:032}", 1))),
        ("to", json!(N)),
        ("to_formatted", json!("(212) 555-0142")),
        ("from", json!(CONTACT)),
        ("from_formatted", json!("(415) 555-0137")),
        ("is_testing", json!(false)),
        ("direction", json!("inbound")),
        ("duration", json!(42)),
        ("agent", json!({ "id": acme.desk, "name": "Return desk", "label": "Return desk" })),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let today = day(clock::now());
    let tomorrow = day(UnixMillis(clock::now().0 + 24 * 3_600_000));
    for (query, count) in [
        ("status=failed".to_owned(), 2),
        ("status=no-answer".to_owned(), 1),
        ("status=answered&direction=inbound".to_owned(), 1),
        ("direction=outbound".to_owned(), 0),
        (format!("agent_id={}", acme.desk), 8),
        (format!("agent_id={}", other.desk), 0),
        (format!("date_to={today}"), 8),
        (format!("date_from={tomorrow}"), 0),
        (format!("search={}", &CONTACT[1..]), 8),
        ("search=5550142".to_owned(), 8),
        (format!("search=CA{:032}", 3), 1),
        ("page=9".to_owned(), 0),
    ] {
        let list = acme.caller.get(&format!("/api/v1/calls?{query}")).await.is(200);
        assert_eq!(list["data"].as_array().map(Vec::len), Some(count), "{query}");
        if query != "page=9" {
            assert_eq!(list["pagination"]["total"], count, "{query}");
        }
        if count == 0 {
            assert_eq!(list["pagination"]["from"], Value::Null, "{query}");
        }
    }
    for wrong in ["status=no_answer", "date_from=today", "page=0", "agent_id=7"] {
        acme.caller.get(&format!("/api/v1/calls?{wrong}")).await.is(422);
    }
    let path = format!("/api/v1/agents/{}/calls?status=busy", acme.desk);
    let of_agent = acme.caller.get(&path).await.is(200);
    assert_eq!(of_agent["pagination"]["total"], 1);
    assert!(of_agent["data"][0].get("agent").is_none());
    let theirs = acme.caller.get(&format!("/api/v1/agents/{}/calls", other.desk)).await.is(404);
    assert_eq!(theirs["code"], "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn a_voicemail_is_found_by_what_each_dialect_calls_it() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let back = RouteReason::Callback;
    let machine = CallPatch { by_machine: true, ..came(&acme, 2, CallStatus::Completed, back) };
    let talking = CallPatch { by_machine: true, ..came(&acme, 4, CallStatus::InProgress, back) };
    let patches = vec![
        came(&acme, 1, CallStatus::Completed, back),
        machine,
        came(&acme, 3, CallStatus::NoAnswer, back),
        talking,
    ];
    write(&daemon, patches).await;
    for (path, found) in [
        ("/api/v1/calls?status=completed", vec![1, 2]),
        ("/api/v1/calls?status=no-answer", vec![3]),
        ("/api/v1/calls?status=answered", vec![4]),
        ("/v1/calls?status=completed", vec![1]),
        ("/v1/calls?status=no_answer", vec![2, 3]),
        ("/v1/calls?status=no_answer&limit=1", vec![2]),
        ("/v1/calls?status=in_progress", vec![4]),
        // Ours says beside the status who answered.
        ("/switchback/v1/calls?status=completed", vec![1, 2]),
    ] {
        let list = acme.caller.get(path).await.is(200);
        let rows = list["data"].as_array().unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        let expected: Vec<_> =
            found.iter().map(|n| json!(call_id(acme.tenant, *n).to_string())).collect();
        assert_eq!(ids, expected, "{path}");
        let status = path.split_once("status=").unwrap().1.split('&').next().unwrap();
        assert!(rows.iter().all(|row| row["status"] == status), "{path}: {list}");
        let total = list["pagination"].get("total");
        assert!(total.is_none_or(|total| *total == json!(found.len())), "{path}: {list}");
    }
    let after = format!("?status=no_answer&starting_after={}", call_id(acme.tenant, 2));
    let older = acme.caller.get(&format!("/v1/calls{after}")).await.is(200);
    assert_eq!(older["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_call_alone_says_what_it_returns() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let other = desk(&daemon, "other", "+12125550143").await;
    let (back, stray) = (RouteReason::Callback, RouteReason::Default);
    let patches =
        vec![came(&acme, 1, CallStatus::Busy, back), came(&acme, 2, CallStatus::Busy, stray)];
    write(&daemon, patches).await;
    let path = |n: u64| format!("/api/v1/calls/{}", call_id(acme.tenant, n));
    let read = acme.caller.get(&path(1)).await.is(200);
    let callback =
        json!({ "matched": true, "source_agent_id": acme.source, "source_call_id": null });
    assert_eq!(read["data"]["callback"], callback);
    assert_eq!(read["data"]["status"], "busy");
    let read = acme.caller.get(&path(2)).await.is(200);
    let nothing = json!({ "matched": false, "source_agent_id": null, "source_call_id": null });
    assert_eq!(read["data"]["callback"], nothing);
    assert_eq!(other.caller.get(&path(1)).await.is(404)["code"], "CALL_NOT_FOUND");
}

/// What the table of live calls holds of a caller who is on the line.
async fn on_the_line(daemon: &Daemon, desk: &Desk) -> Facts {
    let (tenant, agent): (_, AgentId) = (desk.tenant, desk.desk.parse().unwrap());
    let record = daemon.store.read(move |rows| rows.agent(tenant, agent)).await.unwrap();
    let account = AccountId::of_name("first");
    Facts {
        id: CallId::of_carrier_call(account, "CA7"),
        tenant,
        account,
        carrier_call_id: "CA7".to_owned(),
        direction: Direction::Inbound,
        call: InboundCall {
            account: Some(account),
            dnis: E164::parse(N),
            ani: E164::parse(CONTACT).map_or(Ani::Withheld, Ani::Number),
            forwarded_from: None,
            attestation: Attestation::A,
        },
        number: Some(desk.number.parse().unwrap()),
        agent: Some(Arc::new(record.unwrap().agent)),
        reason: Some(RouteReason::Callback),
        unmatched: false,
        touch: None,
        ladder: Vec::new(),
        last_resort: Target::Busy,
        context_min_attestation: Attestation::None,
        trace: Vec::new(),
        errand: None,
        created_at: clock::now(),
    }
}

#[tokio::test]
async fn a_call_in_progress_is_found_by_the_person_and_ended() {
    let daemon = Daemon::start().await;
    let acme = desk(&daemon, "acme", N).await;
    let other = desk(&daemon, "other", "+12125550143").await;
    let path = |agent: &str, phone: &str| format!("/api/v1/agents/{agent}/active-call/{phone}");
    let person = CONTACT.replace('+', "%2B");
    let nobody = acme.caller.get(&path(&acme.desk, &person)).await.is(404);
    assert_eq!(nobody["message"], "No active call found for this phone number.");
    let facts = on_the_line(&daemon, &acme).await;
    let call = daemon.live.open(facts.clone(), CallStatus::InProgress, clock::now());
    let found = acme.caller.get(&path(&acme.desk, &person)).await.is(200);
    let found = found["data"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    for (field, value) in [
        ("id", json!(call.facts.id.to_string())),
        ("agent_id", json!(acme.desk)),
        ("to", json!(N)),
        ("status", json!("answered")),
    ] {
        assert_eq!(found[0][field], value, "{field}");
    }
    assert!(found[0]["duration_seconds"].is_u64() && found[0]["started_at"].is_string());
    let busy = acme.caller.get(&path(&acme.desk, "%2B14155550199")).await;
    assert_eq!(busy.is(404)["code"], "CALL_NOT_FOUND");
    acme.caller.get(&path(&acme.desk, "12")).await.is(400);
    other.caller.get(&path(&acme.desk, &person)).await.is(404);
    other.caller.get(&path(&other.desk, &person)).await.is(404);

    // Its direction is kept, and it is not deleted, while it is on the line.
    let role = format!("/api/v1/agents/{}/callback", acme.desk);
    acme.caller.delete(&role).await.is(200);
    let calling = format!("/api/v1/agents/{}/calling", acme.desk);
    let kept = acme.caller.put(&calling, json!({ "direction": "outbound" })).await.is(409);
    assert_eq!(kept["code"], "AGENT_HAS_ACTIVE_CALLS");
    acme.caller.post(&format!("/api/v1/agents/{}/unpublish", acme.desk), json!({})).await.is(200);
    let kept = acme.caller.delete(&format!("/api/v1/agents/{}", acme.desk)).await.is(409);
    assert_eq!(kept["message"], "Cannot delete agent while it has active calls.");

    let end = |agent: &str| format!("/api/v1/agents/{agent}/end-call");
    let by_sid = json!({ "call_sid": "CA7" });
    acme.caller.post(&end(&acme.source), by_sid.clone()).await.is(404);
    other.caller.post(&end(&other.desk), by_sid.clone()).await.is(404);
    acme.caller.post(&end(&acme.desk), json!({})).await.is(422);
    let ended = acme.caller.post(&end(&acme.desk), by_sid).await.is(200);
    let data = &ended["data"];
    assert_eq!(
        (&data["status"], &data["ended_reason"]),
        (&json!("completed"), &json!("ended_by_api"))
    );
    assert!(call.state().hang_up.is_some());
    write(&daemon, vec![came(&acme, 1, CallStatus::Completed, RouteReason::Callback)]).await;
    let over = json!({ "call_sid": call_id(acme.tenant, 1).to_string() });
    let over = acme.caller.post(&end(&acme.desk), over).await.is(409);
    assert_eq!(
        (&over["code"], &over["message"]),
        (&json!("CALL_NOT_ACTIVE"), &json!("Call is not active"))
    );
}
