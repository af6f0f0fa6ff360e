//! Persons: what is remembered of them, and that it can be forgotten.

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{
    domain::{CallId, CallPatch, CallStatus, Direction, E164, TenantId, UnixMillis},
    store::Actor,
};
use uuid::Uuid;

use crate::daemon::{Caller, Daemon};

const CONTACT: &str = "+14155550199";
const N: &str = "+14155550137";
const PATH: &str = "/switchback/v1/contacts/+14155550199";

/// A call from the person, some milliseconds after another.
async fn call(daemon: &Daemon, tenant: &Caller, n: u64) -> String {
    let agents = tenant.get("/v1/agents").await.is(200);
    let org = agents["data"][0]["org_id"].as_str().unwrap();
    let id = CallId(Uuid::from_u128(u128::from(n)));
    let patch = CallPatch {
        carrier_call_id: Some(format!("CA{n}")),
        direction: Some(Direction::Inbound),
        status: Some(CallStatus::Completed),
        ani: E164::parse(CONTACT),
        dnis: E164::parse(N),
        ..CallPatch::new(id, TenantId(Uuid::parse_str(org).unwrap()), UnixMillis(n))
    };
    let write = daemon.store.write(Actor::default(), move |tx| tx.upsert_call(&patch));
    write.await.unwrap();
    id.to_string()
}

fn ids(contact: &Value) -> Vec<&str> {
    let calls = contact["calls"]["data"].as_array().unwrap();
    calls.iter().map(|call| call["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_person_is_what_is_kept_with_them() {
    let daemon = Daemon::start().await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let agent = tenant.agent("A", "outbound", &[]).await;
    tenant.get(PATH).await.is(404);
    tenant.touch("one", &agent, CONTACT, N).await;
    let mut calls = Vec::new();
    for n in 1..=5 {
        calls.push(call(&daemon, &tenant, n).await);
    }
    calls.reverse();
    let whole = tenant.get(PATH).await.is(200);
    assert_eq!((&whole["contact"], &whole["blocked"]), (&json!(CONTACT), &json!(false)));
    assert_eq!((&whole["erased_at"], &whole["calls"]["has_more"]), (&Value::Null, &json!(false)));
    assert_eq!(whole["touches"][0]["id"], "one");
    assert_eq!(ids(&whole), calls);
    for (query, expected, has_more) in [
        ("limit=2".to_owned(), &calls[..2], true),
        (format!("limit=2&starting_after={}", calls[1]), &calls[2..4], true),
        (format!("limit=2&starting_after={}", calls[3]), &calls[4..], false),
        (format!("limit=2&ending_before={}", calls[3]), &calls[1..3], true),
    ] {
        let part = tenant.get(&format!("{PATH}?{query}")).await.is(200);
        assert_eq!(ids(&part), expected, "{query}");
        assert_eq!(part["calls"]["has_more"], has_more, "{query}");
    }
    tenant.get(&format!("{PATH}?limit=none")).await.is(422);
    other.get(PATH).await.is(404);
    let blocks = json!({ "block_list": [CONTACT] });
    other.patch("/switchback/v1/settings", blocks).await.is(200);
    assert_eq!(other.get(PATH).await.is(200)["blocked"], true);
}

#[tokio::test]
async fn an_erased_person_is_forgotten_at_once_and_for_good() {
    let daemon = Daemon::start().await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let n = tenant.number(N).await;
    let agent = tenant.agent("A", "outbound", &[&n]).await;
    let desk = tenant.agent("Desk", "inbound", &[&n]).await;
    let role = json!({ "source_agent_ids": [agent] });
    tenant.put(&format!("/switchback/v1/agents/{desk}/callback"), role).await.is(200);
    tenant.touch("one", &agent, CONTACT, N).await;
    let id = call(&daemon, &tenant, 1).await;
    let blocks = json!({ "block_list": [CONTACT, "+14155550190"] });
    tenant.patch("/switchback/v1/settings", blocks).await.is(200);
    let unblocks = json!({ "block_list": [CONTACT] });
    let set = tenant.patch("/switchback/v1/settings", unblocks).await.is(200);
    assert_eq!(set["block_list"], json!([CONTACT]));
    assert_eq!(tenant.lands(CONTACT, N).await.0, "blocked");
    let theirs = other.agent("B", "outbound", &[]).await;
    other.touch("one", &theirs, CONTACT, N).await;

    let got = tenant.delete(PATH).await;
    assert!(!got.header("switchback-rev").is_empty());
    let erased = got.is(200);
    let none = json!({ "touches": 0, "calls": 0, "briefs": 0, "results": 0, "segments": 0,
                       "answers": 0, "deliveries": 0, "words": 0, "revisions": 0, "blocks": 0 });
    let mut some = none.clone();
    (some["touches"], some["calls"]) = (json!(1), json!(1));
    (some["revisions"], some["blocks"]) = (json!(2), json!(1));
    assert!(erased["erased"]["answers"].as_u64() <= Some(2), "{erased}");
    some["answers"] = erased["erased"]["answers"].clone();
    assert_eq!(erased["erased"], some);
    let revisions = tenant.get("/switchback/v1/revisions").await.is(200);
    let first = revisions["data"][0]["id"].as_str().unwrap();
    let told = tenant.get(&format!("/switchback/v1/revisions/{first}")).await.is(200);
    assert!(told.to_string().contains("+14155550190") && !told.to_string().contains(CONTACT));
    assert_eq!(tenant.lands(CONTACT, N).await.0, "default");
    let known = tenant.get(PATH).await.is(200);
    assert_eq!((&known["touches"], &known["calls"]["data"]), (&json!([]), &json!([])));
    assert!(known["erased_at"].is_string());
    let call = tenant.get(&format!("/switchback/v1/calls/{id}")).await.is(200);
    assert_eq!((&call["from"], &call["erased"]), (&Value::Null, &json!(true)));
    assert_eq!((&call["carrier_call_id"], &call["to"]), (&json!("CA1"), &json!(N)));
    assert_eq!(other.get(PATH).await.is(200)["touches"].as_array().map(Vec::len), Some(1));

    // The same again is the same, and of somebody never heard of it is kept all the same.
    let again = tenant.delete(PATH).await.is(200);
    assert_eq!((&again["erased"], &again["tombstone_until"]), (&none, &erased["tombstone_until"]));
    tenant.delete("/switchback/v1/contacts/+14155550198").await.is(200);
    let late = |id: &str, contact: &str| {
        json!({ "id": id, "source_agent_id": agent, "contact": contact, "caller_id": N,
                "at": "2026-01-01T00:00:00Z", "outcome": "busy" })
    };
    let body =
        json!([late("two", CONTACT), late("three", "+14155550197"), late("four", "+14155550198")]);
    let merged = tenant.post("/switchback/v1/touches", body).await.is(200);
    let rejected = json!([{ "line": 1, "error": "erased" }, { "line": 3, "error": "erased" }]);
    assert_eq!(merged, json!({ "accepted": 1, "duplicates": 0, "rejected": rejected }));

    let own = tenant.delete(&format!("/switchback/v1/contacts/{N}")).await.is(409);
    assert_eq!(own["code"], "contact_is_own_number");
    daemon.operator.delete(PATH).await.is(403);
    tenant.ask(Method::DELETE, "/switchback/v1/contacts/nobody", None).await.is(422);
    let trail = daemon.store.read(|rows| rows.audit(None, 50)).await.unwrap();
    let entry = trail.iter().find(|entry| entry.action == "contact.erase").unwrap();
    assert_eq!(entry.subject, None);
}
