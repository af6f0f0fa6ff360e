//! What Talkover's API only records: areas of an agent, release requests, trunks, campaigns.

use serde_json::{Value, json};

use crate::daemon::{Caller, Daemon};

async fn two(daemon: &Daemon) -> (Caller, Caller) {
    (daemon.tenant("acme").await, daemon.tenant("other").await)
}

#[tokio::test]
async fn an_agent_is_written_area_by_area() {
    let daemon = Daemon::start().await;
    let (tenant, other) = two(&daemon).await;
    let agent = tenant.agent("Return desk", "inbound", &[]).await;
    let path = |area: &str| format!("/api/v1/agents/{agent}/{area}");
    let body = json!({ "description": "Knows why", "llm_temperature": 0.8, "direction": "up" });
    let told = tenant.put(&path("knowledge"), body).await.is(200);
    assert_eq!(told["message"], "Agent knowledge updated successfully");
    let data = &told["data"];
    assert_eq!(
        (&data["description"], &data["llm_temperature"]),
        (&json!("Knows why"), &json!(0.8))
    );
    assert_eq!(
        (&data["direction"], &data["current_status"]),
        (&json!("inbound"), &json!("published"))
    );
    assert!(data["phone_numbers"].is_array());
    let body = json!({ "interrupt_sensitivity": "high", "name": "Desk" });
    let told = tenant.patch(&path("advanced-settings"), body).await.is(200);
    assert_eq!(told["data"]["description"], "Knows why", "what is not said stays");
    assert_eq!(
        (&told["data"]["name"], &told["data"]["interrupt_sensitivity"]),
        (&json!("Desk"), &json!("high"))
    );
    let body = json!({ "voice_id": "v-1", "similarity": 0.75, "who_speaks_first": "user" });
    let told = tenant.put(&path("voice"), body).await.is(200);
    assert_eq!(told["data"]["who_speaks_first"], "user");
    let told = tenant.put(&path("voice"), json!({ "stability": 0.5 })).await.is(200);
    let voice = json!({ "id": "v-1", "name": null, "label": null, "similarity_boost": 0.75,
                        "stability": 0.5, "ambient_background": null,
                        "template": { "id": "v-1", "name": null } });
    assert_eq!(told["data"]["voice"], voice);
    for (area, wrong) in [
        ("knowledge", json!({ "llm_temperature": 3 })),
        ("knowledge", json!({ "name": null })),
        ("voice", json!({ "stability": 2 })),
    ] {
        let refused = tenant.put(&path(area), wrong).await.is(422);
        assert_eq!(refused["message"], "The given data was invalid.");
    }
    other.put(&path("knowledge"), json!({})).await.is(404);
    other.put(&path("voice"), json!({})).await.is(404);
    other.patch(&path("advanced-settings"), json!({})).await.is(404);
}

#[tokio::test]
async fn giving_a_number_back_is_recorded_for_people() {
    let daemon = Daemon::start().await;
    let (tenant, other) = two(&daemon).await;
    let number = tenant.number("+14155550100").await;
    let bound = tenant.number("+14155550101").await;
    tenant.agent("A", "inbound", &[&bound]).await;
    let path = |number: &str| format!("/api/v1/phone-numbers/{number}/request-release");
    let why = json!({ "reason": "No longer needed." });
    other.post(&path(&number), why.clone()).await.is(404);
    tenant.post(&path(&number), json!({ "reason": "short" })).await.is(422);
    tenant.post(&path(&number), json!({ "reason": "x".repeat(501) })).await.is(422);
    let bound = tenant.post(&path(&bound), why.clone()).await.is(422);
    assert_eq!(bound["code"], "PHONE_NUMBER_IN_USE");
    let asked = tenant.post(&path(&number), why.clone()).await.is(201);
    let data = asked["data"].clone();
    for (field, value) in [
        ("phone_number_id", json!(number)),
        ("phone_number", json!("+14155550100")),
        ("reason", why["reason"].clone()),
        ("status", json!("pending")),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    let again = tenant.post(&path(&number), why.clone()).await.is(409);
    assert_eq!(again["code"], "RELEASE_ALREADY_PENDING");
    let all = "/api/v1/phone-numbers/release-requests";
    assert_eq!(tenant.get(all).await.is(200)["data"], json!([data]));
    assert_eq!(other.get(all).await.is(200)["data"], json!([]));
    let cancel = format!("{all}/{}", data["id"].as_str().unwrap());
    other.delete(&cancel).await.is(404);
    assert_eq!(tenant.delete(&cancel).await.is(200)["message"], "Release request cancelled");
    let late = tenant.delete(&cancel).await.is(409);
    assert_eq!(late["code"], "RELEASE_ALREADY_RESOLVED");
    // Nothing is released: the number is there until somebody removes it.
    let numbers = tenant.get("/api/v1/phone-numbers").await.is(200);
    assert_eq!(numbers["data"].as_array().map(Vec::len), Some(2));
    tenant.post(&path(&number), why).await.is(201);
    tenant.delete(&format!("/switchback/v1/numbers/{number}")).await.is(204);
    let rows = tenant.get(all).await.is(200)["data"].clone();
    let statuses: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [json!("approved"), json!("cancelled")]);
}

#[tokio::test]
async fn an_operator_decides_whether_a_number_goes() {
    let daemon = Daemon::start().await;
    let (tenant, other) = two(&daemon).await;
    let why = json!({ "reason": "No longer needed." });
    let ask = async |caller: &Caller, e164: &str| {
        let number = caller.number(e164).await;
        let path = format!("/api/v1/phone-numbers/{number}/request-release");
        let asked = caller.post(&path, why.clone()).await.is(201);
        (number, asked["data"]["id"].as_str().unwrap().to_owned())
    };
    let (gone, first) = ask(&tenant, "+14155550100").await;
    let (_, second) = ask(&tenant, "+14155550101").await;
    let (_, third) = ask(&other, "+14155550102").await;
    let all = "/switchback/v1/release-requests";
    let ids = async |caller: &Caller, query: &str| {
        let page = caller.get(&format!("{all}{query}")).await.is(200);
        let rows = page["data"].as_array().unwrap().clone();
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        (ids, page["has_more"] == true)
    };
    let operator = &daemon.operator;
    let (one, two, three) = (first.clone(), second.clone(), third.clone());
    assert_eq!(ids(operator, "").await, (vec![three.clone(), two.clone(), one.clone()], false));
    assert_eq!(ids(&tenant, "").await, (vec![two.clone(), one.clone()], false));
    assert_eq!(ids(operator, "?limit=1").await, (vec![three.clone()], true));
    let older = format!("?limit=1&status=pending&starting_after={third}");
    assert_eq!(ids(operator, &older).await, (vec![two.clone()], true));
    // Of others' requests a tenant's key does not even know that they are there.
    tenant.get(&format!("{all}?starting_after={third}")).await.is(422);
    tenant.get(&format!("{all}?status=open")).await.is(422);

    let path = |id: &str| format!("{all}/{id}");
    let (approve, reject) = (json!({ "status": "approved" }), json!({ "status": "rejected" }));
    tenant.patch(&path(&first), approve.clone()).await.is(403);
    operator.patch(&path(&first), json!({ "status": "cancelled" })).await.is(422);
    operator.patch(&path("nope"), approve.clone()).await.is(404);
    let told = operator.patch(&path(&first), approve.clone()).await.is(200);
    for (field, value) in [
        ("status", json!("approved")),
        ("number_id", json!(gone)),
        ("e164", json!("+14155550100")),
        ("reason", why["reason"].clone()),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert!(told["resolved_at"].is_string());
    let numbers = tenant.get("/api/v1/phone-numbers").await.is(200);
    assert_eq!(numbers["data"].as_array().map(Vec::len), Some(1));
    let again = operator.patch(&path(&first), reject.clone()).await.is(409);
    assert_eq!(again["code"], "release_already_resolved");
    assert_eq!(operator.patch(&path(&second), reject).await.is(200)["status"], "rejected");
    let theirs = tenant.get("/api/v1/phone-numbers/release-requests").await.is(200);
    let statuses: Vec<_> =
        theirs["data"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [json!("rejected"), json!("approved")]);
    // Whose number has found use meanwhile is asked again.
    let numbers = other.get("/api/v1/phone-numbers").await.is(200);
    let number = numbers["data"][0]["id"].as_str().unwrap().to_owned();
    other.agent("Desk", "inbound", &[&number]).await;
    let kept = operator.patch(&path(&third), approve).await.is(409);
    assert_eq!(kept["code"], "number_in_use");
    assert_eq!(ids(operator, "?status=pending").await, (vec![three], false));
}

fn trunk() -> Value {
    json!({ "name": "Primary", "provider_name": "carrier-x", "domain": "sip.carrier-x.com",
            "username": "user_42", "password": "hunter2-hunter2" })
}

#[tokio::test]
async fn numbers_come_by_way_of_trunks() {
    let daemon = Daemon::start().await;
    let (tenant, other) = two(&daemon).await;
    let all = "/api/v1/sip-trunks";
    let made = tenant.post(all, trunk()).await.is(201)["data"].clone();
    assert_eq!(
        (&made["port"], &made["transport"], &made["is_active"]),
        (&json!(5061), &json!("tls"), &json!(false))
    );
    assert!(!made.to_string().contains("hunter2") && made.get("password").is_none());
    for field in ["name", "provider_name", "domain", "username", "password"] {
        let mut body = trunk();
        body.as_object_mut().unwrap().remove(field);
        let refused = tenant.post(all, body).await.is(422);
        assert_eq!(refused["errors"], json!({ field: ["Is required."] }));
    }
    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    tenant.put(&path, json!({ "is_active": true })).await.is(422);
    tenant.put(&path, json!({ "port": 0 })).await.is(422);
    let put = tenant.put(&path, json!({ "transport": "udp", "port": 5070 })).await.is(200);
    assert_eq!((&put["data"]["port"], &put["data"]["domain"]), (&json!(5070), &made["domain"]));
    for (method, path) in [("get", path.clone()), ("get", format!("{path}/dids"))] {
        assert_eq!(other.get(&path).await.is(404)["code"], "SIP_TRUNK_NOT_FOUND", "{method}");
    }
    other.post(&format!("{path}/verify"), json!({})).await.is(404);
    other.delete(&path).await.is(404);
    assert_eq!(other.get(all).await.is(200)["data"], json!([]));

    let dids = format!("{path}/dids");
    let did = |number: &str, account: &str| json!({ "country_code": "US", "number": number, "account": account });
    tenant.post(&dids, json!({ "country_code": "USA", "number": "+15" })).await.is(422);
    let unsaid = json!({ "country_code": "US", "number": "+14155550100" });
    assert_eq!(tenant.post(&dids, unsaid).await.is(409)["code"], "ACCOUNT_AMBIGUOUS");
    let added = tenant.post(&dids, did("+14155550100", "first")).await.is(201);
    let number = added["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(added["data"]["formatted_number"], "(415) 555-0100");
    let again = tenant.post(&dids, did("+14155550100", "first")).await.is(409);
    assert_eq!(again["code"], "DID_ALREADY_EXISTS");
    let theirs = other.post(all, trunk()).await.is(201)["data"]["id"].clone();
    let theirs = format!("{all}/{}/dids", theirs.as_str().unwrap());
    let taken = other.post(&theirs, did("+14155550100", "first")).await.is(409);
    assert_eq!((&taken["code"], &taken["message"]), (&again["code"], &again["message"]));
    let numbers = tenant.get("/api/v1/phone-numbers").await.is(200);
    assert_eq!(numbers["data"][0]["id"], json!(number));
    assert_eq!(tenant.get(&dids).await.is(200)["data"][0]["id"], json!(number));

    let verified = tenant.post(&format!("{path}/verify"), json!({})).await.is(200);
    assert_eq!(
        (&verified["success"], &verified["data"]["is_verified"]),
        (&json!(true), &json!(true))
    );
    let active = tenant.put(&path, json!({ "is_active": true })).await.is(200);
    assert_eq!(active["data"]["health_status"], "healthy");
    let no_account = json!({ "account": null });
    tenant.patch(&format!("/switchback/v1/numbers/{number}"), no_account).await.is(200);
    let health = tenant.get(&format!("{path}/health")).await.is(200);
    assert_eq!((&health["success"], &health["data"]["is_healthy"]), (&json!(true), &json!(false)));
    assert!(health["data"]["error"].is_string());
    let verified = tenant.post(&format!("{path}/verify"), json!({})).await.is(200);
    assert_eq!(verified["success"], false);
    assert_eq!(tenant.get(&path).await.is(200)["data"]["is_active"], false);

    let kept = tenant.delete(&path).await.is(409);
    assert_eq!(kept["code"], "TRUNK_HAS_DIDS");
    let agent = tenant.agent("A", "inbound", &[&number]).await;
    let did = format!("{dids}/{number}");
    assert_eq!(tenant.delete(&did).await.is(409)["code"], "DID_IN_USE");
    tenant.delete(&format!("/v1/agents/{agent}")).await.is(200);
    assert_eq!(tenant.delete(&did).await.is(200)["message"], "DID removed");
    tenant.delete(&did).await.is(404);
    assert_eq!(tenant.delete(&path).await.is(200)["message"], "SIP trunk deleted");
    tenant.get(&path).await.is(404);
}

fn campaign(agent: &str) -> Value {
    json!({ "name": "Renewals", "campaign_type": "sales", "agent_id": agent,
            "start_date": "2026-05-02", "end_date": "2026-06-01", "days_of_week": [1, 5],
            "call_time_ranges": [{ "start": "09:00", "end": "12:00" },
                                 { "start": "13:30", "end": "17:00" }],
            "timezone": "America/New_York" })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn campaigns_are_recorded() {
    let daemon = Daemon::start().await;
    let (tenant, other) = two(&daemon).await;
    let agent = tenant.agent("Renewals", "outbound", &[]).await;
    let inbound = tenant.agent("Desk", "inbound", &[]).await;
    let stranger = other.agent("Theirs", "outbound", &[]).await;
    let all = "/api/v1/campaigns";
    let full = campaign(&agent);
    for field in [
        "name",
        "campaign_type",
        "agent_id",
        "start_date",
        "days_of_week",
        "timezone",
        "call_time_ranges",
    ] {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(field);
        let refused = tenant.post(all, body).await.is(422);
        assert_eq!(refused["errors"], json!({ field: ["Is required."] }));
    }
    for (field, wrong) in [
        ("name", json!("x".repeat(256))),
        ("campaign_type", json!("war")),
        ("start_date", json!("tomorrow")),
        ("end_date", json!("2026-05-02")),
        ("days_of_week", json!([])),
        ("days_of_week", json!([8])),
        ("call_time_ranges", json!([])),
        ("call_time_ranges", json!([{ "start": "09:00", "end": "09:00" }])),
        ("call_time_ranges", json!([{ "start": "9", "end": "10:00" }])),
        ("timezone", json!("x".repeat(51))),
        ("timezone", json!("not a zone")),
        ("max_retries", json!(11)),
        ("retry_cooldown_hours", json!(0)),
        ("do_not_call_list_source", json!("mars")),
        ("auto_dnc_trigger_statuses", json!(["busy"])),
    ] {
        tenant.post(all, with(full.clone(), field, wrong.clone())).await.is(422);
    }
    let gone = tenant.post(all, campaign(&stranger)).await.is(404);
    assert_eq!(gone["code"], "AGENT_NOT_FOUND");
    tenant.post(all, campaign(&inbound)).await.is(422);
    let made = tenant.post(all, full.clone()).await.is(201);
    assert_eq!(made["message"], "Campaign created successfully");
    let made = made["data"].clone();
    for (field, value) in [
        ("status", json!("draft")),
        ("max_retries", json!(3)),
        ("retry_cooldown_hours", json!(24)),
        ("initial_call_delay", json!(0)),
        ("do_not_call_enabled", json!(false)),
        ("earliest_call_time", json!("09:00:00")),
        ("latest_call_time", json!("17:00:00")),
        ("days_of_week", json!([1, 5])),
        ("agent", json!({ "id": agent, "name": "Renewals", "label": "Renewals" })),
        (
            "stats",
            json!({ "total_calls": 0, "completed_calls": 0, "failed_calls": 0,
                          "success_rate": 0.0, "average_duration": 0 }),
        ),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    let read = tenant.get(&path).await.is(200)["data"].clone();
    assert_eq!((&read["calls"], &read["files"]), (&json!([]), &json!([])));
    assert_eq!(other.get(&path).await.is(404)["code"], "CAMPAIGN_NOT_FOUND");
    let body = json!({ "max_retries": 5, "description": "Spring", "end_date": null });
    let put = tenant.put(&path, body).await.is(200)["data"].clone();
    assert_eq!(
        (&put["max_retries"], &put["name"], &put["end_date"]),
        (&json!(5), &json!("Renewals"), &Value::Null)
    );
    tenant.put(&path, json!({ "end_date": "2026-05-01" })).await.is(422);
    other.put(&path, json!({})).await.is(404);

    let call = json!({ "to": "+14155550137" });
    let draft = tenant.post(&format!("{path}/call"), call.clone()).await.is(400);
    assert_eq!(
        (&draft["code"], &draft["message"]),
        (&json!("CAMPAIGN_NOT_ACTIVE"), &json!("Campaign is not active."))
    );
    other.post(&format!("{path}/call"), call).await.is(404);
    tenant.post(&format!("{path}/call"), json!({})).await.is(422);

    let status = format!("{path}/status");
    for (to, expected) in
        [("paused", 400), ("active", 200), ("active", 200), ("draft", 400), ("asleep", 422)]
    {
        tenant.patch(&status, json!({ "status": to })).await.is(expected);
    }
    other.patch(&status, json!({ "status": "paused" })).await.is(404);
    tenant.put(&path, json!({ "name": "New" })).await.is(403);
    tenant.delete(&path).await.is(403);
    tenant.post(all, with(full, "name", json!("Second"))).await.is(201);
    for (query, count) in [
        ("", 2),
        ("?status=active", 1),
        ("?campaign_type=reminder", 0),
        ("?search=spring", 1),
        (&format!("?agent_id={agent}&per_page=1"), 1),
        ("?date_from=2999-01-01", 0),
    ] {
        let list = tenant.get(&format!("{all}{query}")).await.is(200);
        assert_eq!(list["data"].as_array().map(Vec::len), Some(count), "{query}");
        assert!(list["pagination"]["total"].is_u64());
    }
    assert_eq!(other.get(all).await.is(200)["pagination"]["total"], 0);
    tenant.get(&format!("{all}?status=asleep")).await.is(422);
    tenant.patch(&status, json!({ "status": "cancelled" })).await.is(200);
    other.delete(&path).await.is(404);
    assert_eq!(tenant.delete(&path).await.is(200)["message"], "Campaign deleted successfully");
    tenant.get(&path).await.is(404);
}
