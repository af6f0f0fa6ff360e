//! A call's life through the API: its agent as it was, its result, its transcript, and whose word
//! on them counts.

use std::sync::Arc;

use serde_json::{Value, json};
use switchback::{
    calls::{Facts, LiveCall, Wanted, seal},
    domain::{
        AccountId, Agent, AgentId, AgentState, Ani, Attestation, CallEnd, CallId, CallStatus,
        Direction, E164, InboundCall, RouteReason, Target, TenantId, UnixMillis,
    },
    store::Actor,
    telemetry::clock,
};

use crate::daemon::{Caller, Daemon};

const RETURNS: &str = r#"{"paid":"boolean","name":"string","amount":"number"}"#;

/// A tenant whose inbound agent has a call, and that call's runtime.
struct Scene {
    daemon: Daemon,
    tenant: Caller,
    agent: String,
    runtime: Caller,
    id: String,
    call: Arc<LiveCall>,
}

impl Scene {
    async fn new() -> Self {
        let daemon = Daemon::start().await;
        // The API's own writes wait until this one is applied as well.
        daemon.store.write(Actor::default(), |tx| tx.ensure_media_keys()).await.unwrap();
        let tenant = daemon.tenant("acme").await;
        let number = tenant.number("+14155550100").await;
        let body = json!({
            "name": "Desk", "type": "inbound", "number_ids": [number],
            "persona": "Calm.", "instructions": "Take a message.", "language": "en-US",
            "returns": serde_json::from_str::<Value>(RETURNS).unwrap(),
            "targets": ["builtin:echo"],
        });
        let agent = tenant.post("/v1/agents", body).await.is(201);
        let owner: TenantId = agent["org_id"].as_str().unwrap().parse().unwrap();
        let agent = agent["id"].as_str().unwrap().to_owned();
        let call = daemon.live.open(
            facts(owner, agent.parse().unwrap(), "CA1"),
            CallStatus::InProgress,
            clock::now(),
        );
        let runtime = daemon.with_key(&token(&daemon, call.facts.id).await);
        let id = call.facts.id.to_string();
        Self { daemon, tenant, agent, runtime, id, call }
    }

    fn path(&self, rest: &str) -> String {
        format!("/switchback/v1/calls/{}/{rest}", self.id)
    }
}

/// The call's own token.
async fn token(daemon: &Daemon, call: CallId) -> String {
    let keys = daemon.store.read(|rows| rows.media_keys()).await.unwrap();
    seal::call_token(&keys[0], call, clock::now())
}

fn facts(tenant: TenantId, agent: AgentId, carrier_call_id: &str) -> Facts {
    let account = AccountId::of_name("first");
    Facts {
        id: CallId::of_carrier_call(account, carrier_call_id),
        tenant,
        account,
        carrier_call_id: carrier_call_id.to_owned(),
        direction: Direction::Inbound,
        call: InboundCall {
            account: Some(account),
            dnis: E164::parse("+14155550100"),
            ani: Ani::Number(E164::parse("+14155550137").unwrap()),
            forwarded_from: None,
            attestation: Attestation::A,
        },
        number: None,
        agent: Some(Arc::new(Agent {
            id: agent,
            tenant,
            name: "Desk".to_owned(),
            direction: Direction::Inbound,
            state: AgentState::Live,
            targets: Vec::new(),
            callback: None,
            runtime_parameters: Vec::new(),
            first_audio_timeout_ms: None,
            min_attestation: None,
            context_min_attestation: None,
            runtime_media: None,
        })),
        reason: Some(RouteReason::Default),
        unmatched: false,
        touch: None,
        ladder: Vec::new(),
        last_resort: Target::Reject,
        context_min_attestation: Attestation::None,
        trace: Vec::new(),
        errand: None,
        created_at: UnixMillis(clock::now().0),
    }
}

#[tokio::test]
async fn a_result_is_what_the_agent_returned_when_the_call_began() {
    let scene = Scene::new().await;
    // The row that the journal has not brought yet is made by the first word of it.
    let result = json!({ "result": { "paid": true, "amount": 12.5 } });
    let whole = json!({ "paid": true, "amount": 12.5, "name": null });
    let told = scene.runtime.put(&scene.path("result"), result.clone()).await.is(200);
    assert_eq!(told["result_status"], "completed");
    assert_eq!(told["result"], whole);
    // The agent changes; the call does not.
    let agent = format!("/v1/agents/{}", scene.agent);
    let change = json!({ "name": "Other", "persona": "Loud.", "returns": { "x": "string" } });
    scene.tenant.patch(&agent, change).await.is(200);
    let call = scene.tenant.get(&format!("/v1/calls/{}", scene.id)).await.is(200);
    assert_eq!(
        (&call["persona"], &call["instructions"]),
        (&json!("Calm."), &json!("Take a message."))
    );
    assert_eq!(call["language"], "en-US");
    assert_eq!(call["returns"], serde_json::from_str::<Value>(RETURNS).unwrap());
    assert_eq!((&call["result"], &call["result_status"]), (&whole, &json!("completed")));
    assert!(scene.runtime.put(&scene.path("result"), json!({ "result": { "x": "y" } })).await.is(422)
        ["error"].as_str().unwrap().contains("result.x"));
    // The same again, another, and none at all.
    let before = call["updated_at"].clone();
    scene.tenant.put(&scene.path("result"), result).await.is(200);
    let call = scene.tenant.get(&format!("/v1/calls/{}", scene.id)).await.is(200);
    assert_eq!(call["updated_at"], before, "the same changes nothing");
    let failed = json!({ "error": "the line was bad" });
    let told = scene.runtime.put(&scene.path("result"), failed).await.is(200);
    assert_eq!((&told["result_status"], &told["result"]), (&json!("failed"), &Value::Null));
    assert_eq!(told["result_error"], "the line was bad");
    for (wrong, field) in [
        (json!({ "result": { "paid": "yes" } }), "result.paid"),
        (json!({ "result": { "nobody": 1 } }), "result.nobody"),
        (json!({}), "result"),
    ] {
        let told = scene.runtime.put(&scene.path("result"), wrong).await.is(422);
        assert!(told["fields"][field].is_string(), "{told}");
    }
}

#[tokio::test]
async fn a_token_is_for_its_call_alone() {
    let scene = Scene::new().await;
    let other = CallId::of_carrier_call(AccountId::of_name("first"), "CA2");
    let other = format!("/switchback/v1/calls/{other}");
    let result = || json!({ "result": {} });
    scene.runtime.put(&format!("{other}/result"), result()).await.is(404);
    scene.runtime.get(&format!("{other}/transcript")).await.is(404);
    for path in ["/switchback/v1/calls", "/v1/calls", "/api/v1/agents", "/switchback/v1/settings"] {
        scene.runtime.get(path).await.is(401);
    }
    scene.runtime.get(&format!("/v1/calls/{}/transcript", scene.id)).await.is(401);
    scene.runtime.get(&format!("/switchback/v1/calls/{}", scene.id)).await.is(401);
    // A stranger, somebody else's token, a day later, nobody.
    let stranger = scene.daemon.tenant("other").await;
    stranger.put(&scene.path("result"), result()).await.is(404);
    stranger.get(&scene.path("transcript")).await.is(404);
    scene.daemon.operator.put(&scene.path("result"), result()).await.is(403);
    let forged = scene.daemon.with_key(&scene.runtime.key.replace(char::is_lowercase, "x"));
    forged.put(&scene.path("result"), result()).await.is(401);
    let keys = scene.daemon.store.read(|rows| rows.media_keys()).await.unwrap();
    let old = UnixMillis(clock::now().0 - 26 * 3_600_000);
    let old = seal::call_token(&keys[0], scene.call.facts.id, old);
    scene.daemon.with_key(&old).put(&scene.path("result"), result()).await.is(401);
    let nobody =
        scene.runtime.send(reqwest::Method::PUT, "/switchback/v1/calls/x/result", None, None);
    nobody.await.is(401);
    scene.runtime.put("/switchback/v1/calls/x/result", result()).await.is(404);
    scene.runtime.put(&scene.path("result"), result()).await.is(200);
}

fn said(sequence_no: u32, text: &str) -> Value {
    json!({ "sequence_no": sequence_no, "role": "agent", "text": text, "source": "stt",
        "started_at": "2026-05-02T09:00:00Z", "ended_at": "2026-05-02T09:00:01.500Z" })
}

#[tokio::test]
async fn what_is_said_is_kept_in_order_and_who_reads_it_is_noted() {
    let scene = Scene::new().await;
    let path = scene.path("transcript");
    let theirs = format!("/v1/calls/{}/transcript", scene.id);
    let empty = scene.tenant.get(&theirs).await.is(200);
    assert_eq!(empty, json!({ "call_id": scene.id, "segments": [] }));
    let told = scene.runtime.post(&path, json!([said(2, "Yes."), said(1, "Hi.")])).await.is(200);
    assert_eq!(told, json!({ "accepted": 2, "duplicates": 0 }));
    // One again, one corrected, one new, a line each.
    let lines = format!("{}\n{}\n{}\n", said(1, "Hi."), said(2, "Yes!"), said(7, "Bye."));
    let key = format!("Bearer {}", scene.runtime.key);
    let told = scene.runtime.send(reqwest::Method::POST, &path, Some(lines), Some(&key)).await;
    assert_eq!(told.is(200), json!({ "accepted": 2, "duplicates": 1 }));
    let read = scene.tenant.get(&theirs).await.is(200);
    let texts: Vec<_> = read["segments"].as_array().unwrap().iter().map(|s| &s["text"]).collect();
    assert_eq!(texts, ["Hi.", "Yes!", "Bye."]);
    assert_eq!(
        read["segments"][0],
        json!({ "sequence_no": 1, "role": "agent", "text": "Hi.", "source": "stt",
            "started_at": "2026-05-02T09:00:00.000Z", "ended_at": "2026-05-02T09:00:01.500Z",
            "duration_ms": 1500 })
    );
    assert_eq!(scene.runtime.get(&path).await.is(200), read);
    assert_eq!(scene.tenant.get(&path).await.is(200), read);
    scene.runtime.post(&path, json!([said(9, "x"), { "sequence_no": 10 }])).await.is(422);
    assert_eq!(scene.runtime.get(&path).await.is(200), read, "nothing of it was taken");

    let tenant = scene.call.facts.tenant;
    let audit = scene.daemon.store.read(move |rows| rows.audit(Some(tenant), 100)).await.unwrap();
    let reads: Vec<_> = audit.iter().filter(|line| line.action == "transcript.read").collect();
    assert_eq!(reads.len(), 3, "the runtime reads its own words");
    assert!(reads.iter().all(|line| line.key.is_some()));
    assert_eq!(reads[0].subject, Some(scene.call.facts.id.0));
    let stranger = scene.daemon.tenant("other").await;
    stranger.get(&theirs).await.is(404);
}

#[tokio::test]
async fn a_runtime_steers_its_own_call_and_is_briefed() {
    let scene = Scene::new().await;
    let briefing = scene.runtime.get(&scene.path("briefing")).await.is(200);
    assert_eq!(briefing["direction"], "inbound");
    assert_eq!((&briefing["attestation"], &briefing["reason"]), (&json!("A"), &json!("default")));
    scene.runtime.post(&scene.path("transcript"), said(1, "Hi.")).await.is(200);
    let briefing = scene.tenant.get(&scene.path("briefing")).await.is(200);
    assert_eq!(briefing["agent"]["persona"], "Calm.", "{briefing}");
    assert_eq!(briefing["instructions"], "Take a message.");
    assert_eq!((&briefing["variables"], &briefing["return_context"]), (&json!({}), &Value::Null));
    assert_eq!(briefing["transcript"][0]["text"], "Hi.");
    scene.daemon.tenant("other").await.get(&scene.path("briefing")).await.is(404);

    let target = json!({ "target": "tel:+14155550199" });
    let told = scene.runtime.post(&scene.path("transfer"), target.clone()).await.is(202);
    assert_eq!(told["id"], scene.id);
    assert_eq!(scene.call.wanted().await, Wanted::At(0));
    let agent = json!({ "agent_id": scene.agent });
    scene.runtime.post(&scene.path("move"), agent.clone()).await.is(202);
    assert_eq!(scene.call.wanted().await, Wanted::At(1));
    let stranger = scene.daemon.tenant("third").await;
    stranger.post(&scene.path("move"), agent.clone()).await.is(404);
    stranger.post(&scene.path("transfer"), target.clone()).await.is(404);
    scene
        .tenant
        .patch(&format!("/v1/agents/{}", scene.agent), json!({ "targets": [] }))
        .await
        .is(200);
    assert_eq!(scene.runtime.post(&scene.path("move"), agent).await.is(409)["code"], "no_target");
    scene.tenant.post(&format!("/v1/calls/{}/cancel", scene.id), json!({})).await.is(409);
    scene.runtime.post(&scene.path("hangup"), json!({})).await.is(202);
    assert_eq!(scene.call.wanted().await, Wanted::HangUp(CallEnd::Api));
    scene.runtime.post(&scene.path("transfer"), target).await.is(409);
    let forced = json!({ "force": true });
    scene.tenant.post(&format!("/v1/calls/{}/cancel", scene.id), forced).await.is(200);
}
