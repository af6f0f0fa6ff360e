//! What an operator asks of an API: the trail of writes, versions, who sees a write, tenants.

use reqwest::Method;
use serde_json::{Value, json};

use crate::daemon::{Caller, Daemon};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn lines(caller: &Caller, query: &str) -> (Vec<Value>, bool) {
    let page = caller.get(&format!("/switchback/v1/audit?{query}")).await.is(200);
    (page["data"].as_array().unwrap().clone(), page["has_more"] == true)
}

fn actions(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| text(&line["action"])).collect()
}

#[tokio::test]
async fn every_write_is_in_the_trail_of_its_tenant() {
    let daemon = Daemon::start().await;
    let (tenant, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let number = tenant.number("+14155550137").await;
    let a = tenant.agent("A", "outbound", &[&number]).await;
    let r = tenant.agent("R", "inbound", &[]).await;
    let role = format!("/api/v1/agents/{r}/callback");
    tenant.post(&role, json!({ "source_agent_ids": [a] })).await.is(200);
    tenant.touch("t", &a, "+14155550199", "+14155550137").await;
    tenant.patch("/switchback/v1/settings", json!({ "window_days": 3 })).await.is(200);
    other.agent("B", "outbound", &[]).await;

    let (all, has_more) = lines(&tenant, "limit=100").await;
    assert!(!has_more);
    let expected = [
        "settings.update",
        "touches.merge",
        "callback.set",
        "agent.create",
        "agent.create",
        "number.add",
        "key.create",
        "tenant.create",
    ];
    assert_eq!(actions(&all), expected);
    assert_eq!(all[0]["key_name"], "test");
    // Whose key made the tenant is not its business; the operator sees.
    assert_eq!(all[7]["key_name"], Value::Null);
    let (everybody, _) = lines(&daemon.operator, "action=tenant.create").await;
    assert_eq!(everybody.len(), 2);
    assert_eq!(everybody[0]["key_name"], "operator");

    let (first, has_more) = lines(&tenant, "limit=2").await;
    assert!(has_more && first == all[..2]);
    let (next, _) = lines(&tenant, &format!("limit=2&starting_after={}", first[1]["id"])).await;
    assert_eq!(next, all[2..4]);
    let (back, has_more) =
        lines(&tenant, &format!("limit=1&ending_before={}", next[0]["id"])).await;
    assert!(has_more && back == all[1..2]);
    let key = text(&all[0]["key_id"]);
    for (query, count) in [
        (format!("subject={r}"), 2),
        ("action=agent.create".to_owned(), 2),
        (format!("key={key}"), 6),
        ("since=2020-01-01T00:00:00Z".to_owned(), 8),
        ("since=2099-01-01T00:00:00Z".to_owned(), 0),
        (format!("subject={}", text(&everybody[0]["subject"])), 0),
    ] {
        assert_eq!(lines(&tenant, &query).await.0.len(), count, "{query}");
    }
    for wrong in ["limit=0", "since=noon", "starting_after=x", "key=1"] {
        tenant.get(&format!("/switchback/v1/audit?{wrong}")).await.is(422);
    }
}

#[tokio::test]
async fn a_tenant_goes_with_all_that_it_has() {
    let daemon = Daemon::start().await;
    let (gone, other) = (daemon.tenant("gone").await, daemon.tenant("other").await);
    let number = json!({ "e164": "+14155550137", "account": "first" });
    gone.post("/switchback/v1/numbers", number.clone()).await.is(201);
    other.agent("B", "outbound", &[]).await;
    let sid = format!("AC{:032}", 1);
    let body = json!({ "name": "pool", "kind": "twilio", "account_id": sid, "secrets": ["s"] });
    gone.post("/switchback/v1/carrier-accounts", body.clone()).await.is(201);
    let listed = daemon.operator.get("/switchback/v1/tenants").await.is(200);
    let named = |tenant: &&Value| tenant["name"] == "gone";
    let id = text(&listed["data"].as_array().unwrap().iter().find(named).unwrap()["id"]).to_owned();
    let path = format!("/switchback/v1/tenants/{id}");
    gone.delete(&path).await.is(403);
    daemon.operator.get(&path).await.is(200);

    assert_eq!(daemon.operator.delete(&path).await.is(204), Value::Null);
    daemon.operator.delete(&path).await.is(404);
    gone.get("/v1/agents").await.is(401);
    daemon.operator.get(&path).await.is(404);
    // Number and account are free, and what another tenant has is as it was.
    other.post("/switchback/v1/carrier-accounts", body).await.is(201);
    other.post("/switchback/v1/numbers", number).await.is(201);
    let agents = other.get("/v1/agents").await.is(200);
    assert_eq!(agents["data"].as_array().unwrap().len(), 1);
    let (trail, _) = lines(&daemon.operator, "action=tenant.remove").await;
    assert_eq!((trail.len(), text(&trail[0]["subject"])), (1, id.as_str()));
    assert_eq!(trail[0]["key_name"], "operator");
}

#[tokio::test]
async fn a_role_that_was_changed_meanwhile_is_not_replaced() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let a = tenant.agent("A", "outbound", &[]).await;
    let b = tenant.agent("B", "outbound", &[]).await;
    let r = tenant.agent("R", "inbound", &[]).await;
    let (talkover, own) =
        (format!("/api/v1/agents/{r}/callback"), format!("/switchback/v1/agents/{r}/callback"));
    let of = |sources: &[&String]| json!({ "source_agent_ids": sources });
    // Without a role no version holds.
    let refused = |method, path: &str, body, tag: &str| {
        let (tenant, path, tag) = (tenant.clone(), path.to_owned(), tag.to_owned());
        async move { tenant.ask_with(method, &path, Some(body), ("if-match", &tag)).await }
    };
    refused(Method::POST, &talkover, of(&[&a]), "*").await.is(412);
    let made = tenant.post(&talkover, of(&[&a])).await;
    let first = made.header("etag").to_owned();
    assert!(first.len() > 10 && first.starts_with('"'), "{first}");
    let shown = tenant.get(&format!("/api/v1/callback-agents/{r}")).await;
    assert_eq!((shown.header("etag"), tenant.get(&own).await.header("etag")), (&*first, &*first));
    let known = tenant.ask_with(Method::GET, &own, None, ("if-none-match", &first)).await;
    assert_eq!((known.status.as_u16(), known.header("etag")), (304, &*first));

    let second = refused(Method::PUT, &talkover, of(&[&b]), &first).await;
    let tag = second.header("etag").to_owned();
    second.is(200);
    assert_ne!(tag, first);
    for (method, path, code) in [
        (Method::PUT, &talkover, "PRECONDITION_FAILED"),
        (Method::POST, &talkover, "PRECONDITION_FAILED"),
        (Method::DELETE, &talkover, "PRECONDITION_FAILED"),
        (Method::PUT, &own, "precondition_failed"),
        (Method::DELETE, &own, "precondition_failed"),
    ] {
        let got = refused(method, path, of(&[&a]), &first).await;
        assert_eq!(got.is(412)["code"], code);
    }
    assert_eq!(tenant.get(&own).await.is(200)["source_agent_ids"], json!([b]));
    refused(Method::PUT, &own, of(&[&a]), &format!("\"x\", {tag}")).await.is(200);
    // The same content is the same version.
    assert_eq!(tenant.get(&own).await.header("etag"), first);
}

#[tokio::test]
async fn operators_see_how_far_processes_are_and_rename_tenants() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    daemon.tenant("other").await;
    let body = json!({ "e164": "+14155550137", "account": "first" });
    let written = tenant.post("/switchback/v1/numbers?wait=all", body.clone()).await;
    assert_eq!(written.header("switchback-visible"), "1/1");
    let rev = written.header("switchback-rev").to_owned();
    tenant.post("/switchback/v1/numbers?wait=some", body).await.is(422);
    let edges = daemon.operator.get("/switchback/v1/edges").await.is(200);
    assert_eq!((&edges["data"][0]["rev"], &edges["data"][0]["lag"]), (&json!(rev), &json!(0)));
    tenant.get("/switchback/v1/edges").await.is(403);

    let tenants = daemon.operator.get("/switchback/v1/tenants").await.is(200);
    let acme = tenants["data"].as_array().unwrap().iter().find(|one| one["name"] == "acme");
    let id = text(&acme.unwrap()["id"]).to_owned();
    let path = format!("/switchback/v1/tenants/{id}");
    assert_eq!(daemon.operator.get(&path).await.is(200)["name"], "acme");
    tenant.get(&path).await.is(403);
    daemon.operator.get("/switchback/v1/tenants/none").await.is(404);
    for (name, status) in [("acme ltd", 200), ("other", 409), (" ", 422)] {
        daemon.operator.patch(&path, json!({ "name": name })).await.is(status);
    }
    assert_eq!(daemon.operator.get(&path).await.is(200)["name"], "acme ltd");
}
