//! Talkover's dialect, in the words of its pages. Its callback pages have a file of their own.

use serde_json::{Value, json};

use crate::daemon::Daemon;

/// Create Agent's required fields.
pub(crate) fn agent(name: &str, direction: &str) -> Value {
    json!({
        "label": format!("{name} label"), "name": name, "language": "en-US",
        "interrupt_sensitivity": "medium", "endpointing_sensitivity": "auto",
        "ivr_navigation_mode": "off", "conversation_speed": 1.0, "initial_message_delay": 0,
        "ask_if_human_present_on_idle": true, "idle_time_seconds": 10, "llm_temperature": 0.4,
        "enable_recording": false, "direction": direction, "who_speaks_first": "agent"
    })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn an_agent_from_first_to_last() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let n = tenant.number("+14155550137").await;
    let body = with(agent("Return desk", "inbound"), "max_idle_check_count", json!(3));
    let made = tenant.post("/api/v1/agents", body.clone()).await;
    assert!(!made.header("switchback-rev").is_empty());
    let made = made.is(201);
    assert_eq!((&made["success"], &made["warnings"]), (&json!(true), &json!([])));
    assert!(made["message"].is_string());
    let data = &made["data"];
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&data[field], value, "{field}");
    }
    for (field, value) in [
        ("current_status", json!("draft")),
        ("is_ready_to_publish", json!(false)),
        ("is_sandbox", json!(false)),
        ("description", Value::Null),
        ("voice", Value::Null),
        ("trainings", json!([])),
        ("actions", json!([])),
        ("phone_numbers", json!([])),
        ("targets", json!([])),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    let path = format!("/api/v1/agents/{}", data["id"].as_str().unwrap());
    assert_eq!(&tenant.get(&path).await.is(200)["data"], data);

    let early = tenant.post(&format!("{path}/publish"), json!({})).await.is(422);
    assert_eq!((&early["success"], &early["code"]), (&json!(false), &json!("AGENT_NOT_READY")));
    assert!(early["message"].as_str().unwrap().contains("phone_numbers"), "{early}");

    let calling = json!({ "direction": "inbound", "phone_number_ids": [n],
                          "targets": ["say:Hello."] });
    let set = tenant.put(&format!("{path}/calling"), calling).await.is(200);
    let number = &set["data"]["phone_numbers"][0];
    for (field, value) in [
        ("id", json!(n)),
        ("number", json!("+14155550137")),
        ("country_code", json!("US")),
        ("formatted_number", json!("(415) 555-0137")),
        ("international_number", json!("+1 415-555-0137")),
        ("current_status", json!("active")),
    ] {
        assert_eq!(number[field], value, "{field}");
    }
    // Absent numbers stay.
    let kept = tenant.put(&format!("{path}/calling"), json!({ "direction": "inbound" })).await;
    assert_eq!(kept.is(200)["data"]["phone_numbers"].as_array().map(Vec::len), Some(1));

    let published = tenant.post(&format!("{path}/publish"), json!({})).await.is(200);
    let data = &published["data"];
    assert_eq!(
        (&data["current_status"], &data["is_ready_to_publish"]),
        (&json!("published"), &json!(true))
    );
    assert!(data["updated_at"].is_string() && data["name"] == "Return desk");
    assert_eq!(tenant.lands("+14155550199", "+14155550137").await.1, "Return desk");
    assert_eq!(tenant.delete(&path).await.is(409)["code"], "AGENT_IS_PUBLISHED");

    let draft = tenant.post(&format!("{path}/unpublish"), json!({})).await.is(200);
    assert_eq!(draft["data"]["current_status"], "draft");
    assert_eq!(tenant.lands("+14155550199", "+14155550137").await.0, "no_inbound_agent");
    let deleted = tenant.delete(&path).await.is(200);
    assert_eq!(deleted["message"], "Agent deleted successfully");
    assert!(deleted.get("data").is_none());
    assert_eq!(tenant.get(&path).await.is(404)["code"], "AGENT_NOT_FOUND");
    assert_eq!(tenant.delete(&path).await.is(404)["code"], "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn required_fields_and_ranges_are_held() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let full = agent("A", "outbound");
    for field in full.as_object().unwrap().keys() {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(field);
        let refused = tenant.post("/api/v1/agents", body).await.is(422);
        assert_eq!(refused["message"], "The given data was invalid.");
        assert_eq!(refused["errors"], json!({ field: ["Is required."] }));
    }
    let long = "x".repeat(256);
    for (field, wrong) in [
        ("label", json!(long)),
        ("name", json!(long)),
        ("language", json!("tlh")),
        ("interrupt_sensitivity", json!("extreme")),
        ("endpointing_sensitivity", json!(long)),
        ("conversation_speed", json!(3.1)),
        ("conversation_speed", json!("fast")),
        ("initial_message_delay", json!(61)),
        ("ask_if_human_present_on_idle", json!("yes")),
        ("idle_time_seconds", json!(0)),
        ("llm_temperature", json!(2.1)),
        ("enable_recording", json!(1)),
        ("direction", json!("sideways")),
        ("who_speaks_first", json!("nobody")),
        ("max_idle_check_count", json!(11)),
        ("max_call_duration_seconds", json!(3601)),
        ("user_inactivity_timeout_seconds", json!(4)),
        ("initial_idle_time_seconds", json!(61)),
        ("initial_max_idle_check_count", json!(-1)),
    ] {
        let refused = tenant.post("/api/v1/agents", with(full.clone(), field, wrong)).await.is(422);
        assert_eq!(refused["code"], "VALIDATION_ERROR");
        assert!(refused["errors"][field].is_array(), "{field}: {refused}");
    }
    let nobody = json!(["018f4a9e-0000-7000-8000-00000000dead"]);
    let body = with(full, "phone_number_ids", nobody);
    let refused = tenant.post("/api/v1/agents", body).await.is(422);
    assert!(refused["errors"]["phone_number_ids.0"].is_array(), "{refused}");
    assert_eq!(tenant.get("/api/v1/agents").await.is(200)["meta"]["total"], 0);
}

#[tokio::test]
async fn lists_go_by_page() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    for (name, direction) in
        [("Alpha", "inbound"), ("Beta", "outbound"), ("Gamma", "inbound"), ("Delta", "inbound")]
    {
        tenant.post("/api/v1/agents", agent(name, direction)).await.is(201);
    }
    tenant.agent("Epsilon", "inbound", &[]).await;
    for (query, names, page, per_page, total, last) in [
        ("", vec!["Epsilon", "Delta", "Gamma", "Beta", "Alpha"], 1, 20, 5, 1),
        ("?per_page=2&page=2", vec!["Gamma", "Beta"], 2, 2, 5, 3),
        ("?per_page=2&page=9", vec![], 9, 2, 5, 3),
        ("?per_page=1000", vec!["Epsilon", "Delta", "Gamma", "Beta", "Alpha"], 1, 100, 5, 1),
        ("?status=published", vec!["Epsilon"], 1, 20, 1, 1),
        ("?status=draft&direction=inbound", vec!["Delta", "Gamma", "Alpha"], 1, 20, 3, 1),
        ("?search=LPHA", vec!["Alpha"], 1, 20, 1, 1),
        ("?search=beta%20label", vec!["Beta"], 1, 20, 1, 1),
        ("?search=%25", vec![], 1, 20, 0, 1),
    ] {
        let list = tenant.get(&format!("/api/v1/agents{query}")).await.is(200);
        let found: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
        let meta = json!({ "current_page": page, "per_page": per_page, "total": total,
                           "last_page": last });
        assert_eq!(list["meta"], meta, "{query}");
    }
    for query in ["status=live", "direction=up", "page=0", "per_page=x"] {
        let refused = tenant.get(&format!("/api/v1/agents?{query}")).await.is(422);
        assert_eq!(refused["code"], "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn an_agent_may_turn_around_unless_it_holds_the_role() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let a = tenant.agent("A", "outbound", &[]).await;
    let r = tenant.agent("R", "inbound", &[]).await;
    let role = json!({ "source_agent_ids": [a] });
    tenant.post(&format!("/api/v1/agents/{r}/callback"), role).await.is(200);
    let flip = |direction: &str| json!({ "direction": direction });
    let held = tenant.put(&format!("/api/v1/agents/{r}/calling"), flip("outbound")).await.is(409);
    assert_eq!(held["code"], "AGENT_HAS_CALLBACK_ROLE");
    let turned = tenant.put(&format!("/api/v1/agents/{a}/calling"), flip("inbound")).await.is(200);
    assert_eq!(turned["data"]["direction"], "inbound");
    // Its only source has left the list: the role is gone.
    tenant.get(&format!("/api/v1/callback-agents/{r}")).await.is(404);
    tenant.put(&format!("/api/v1/agents/{r}/calling"), flip("outbound")).await.is(200);
    tenant.put(&format!("/api/v1/agents/{r}/calling"), json!({})).await.is(422);
}

#[tokio::test]
async fn phone_numbers_are_one_list() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    tenant.number("+14155550137").await;
    let german = tenant.number("+4930901820").await;
    for (query, count) in [
        ("", 2),
        ("?type=voice", 2),
        ("?type=sms", 0),
        ("?has_voice=true", 2),
        ("?has_voice=0", 0),
        ("?has_whatsapp=true", 0),
        ("?search=+4930", 1),
        ("?search=%2B1415", 1),
        (&format!("?search={german}"), 1),
    ] {
        let list = tenant.get(&format!("/api/v1/phone-numbers{query}")).await.is(200);
        assert_eq!(list["data"].as_array().map(Vec::len), Some(count), "{query}");
    }
    tenant.get("/api/v1/phone-numbers?type=smoke").await.is(422);
    let list = tenant.get("/api/v1/phone-numbers?search=4930").await.is(200);
    let number = &list["data"][0];
    assert_eq!((&number["country_code"], &number["type"]), (&json!("DE"), &json!("voice")));
    for field in ["current_price", "renewal_date", "created_at", "has_fax", "is_sandbox"] {
        assert!(number.get(field).is_some(), "{field}");
    }
}
