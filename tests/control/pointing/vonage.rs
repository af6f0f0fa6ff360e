//! Numbers at Vonage, where a change names all that is to stay.

use serde_json::{Value, json};

use super::{EDGE, account, all, daemon, passthrough, state, step};
use crate::{
    daemon::{Caller, Daemon},
    desk::{
        Desk, Do,
        others::{SECRET, USER},
    },
};

const OWN: &str = "b27451af-72ae-4dcb-b089-35a40a274a99";
const OLD: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const FIRST: &str = "+14155550100";
const SECOND: &str = "+442079460100";

/// An application of many parts, of which pointing has to do with one.
fn app(id: &str, url: &str) -> Value {
    json!({
        "id": id,
        "name": "Desk \u{e9}\u{2713}",
        "keys": { "public_key": "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n" },
        "privacy": { "improve_ai": false },
        "capabilities": {
            "voice": {
                "webhooks": {
                    "answer_url": { "address": url, "http_method": "GET",
                        "connection_timeout": 300, "socket_timeout": 1000 },
                    "event_url": { "address": "https://old.example.com/events",
                        "http_method": "POST", "socket_timeout": 2000 },
                },
                "signed_callbacks": true,
                "conversations_ttl": 41,
                "region": "na-east",
                "payments": { "gateways": [] },
            },
            "messages": { "webhooks": {
                "inbound_url": { "address": "https://m.example.com/in", "http_method": "POST" },
            }, "version": "v1" },
            "vbc": {},
        },
    })
}

fn fields() -> Value {
    let path =
        format!("{}/tests/fixtures/vonage/test_only_rsa_key.pem", env!("CARGO_MANIFEST_DIR"));
    json!({ "kind": "vonage", "api_key": USER, "api_secret": SECRET, "application_id": OWN,
        "private_key": std::fs::read_to_string(path).unwrap(), "signature_secrets": ["sig"] })
}

async fn vonage(daemon: &Daemon) -> (Desk, Caller, String) {
    let desk = Desk::open().await;
    desk.put_application(OWN, app(OWN, "https://unused.example.com/answer"));
    desk.put_application(OLD, app(OLD, "https://old.example.com/answer"));
    for (e164, country) in [(FIRST, "US"), (SECOND, "GB")] {
        let msisdn = e164.trim_start_matches('+');
        let row = json!({ "country": country, "msisdn": msisdn, "type": "mobile-lvn",
            "features": ["VOICE", "SMS"], "app_id": OLD,
            "moHttpUrl": "https://m.example.com/sms?a=1&b=c d" });
        desk.put_number(msisdn, row);
    }
    let (caller, path) = account(daemon, &desk, fields()).await;
    (desk, caller, path)
}

fn agents_only() -> Value {
    json!({ "passthrough": false })
}

#[tokio::test]
async fn a_number_moves_to_the_accounts_application_and_nothing_else_is_lost() {
    let daemon = daemon().await;
    let (desk, caller, path) = vonage(&daemon).await;
    let before = desk.state();
    let rows = all(&caller, &path).await;
    assert_eq!(rows.len(), 2);
    let by = &rows[0]["answered_by"];
    assert_eq!((&by["kind"], &by["id"]), (&json!("application"), &json!(OLD)));
    assert_eq!(
        (&by["url"], &by["method"]),
        (&json!("https://old.example.com/answer"), &json!("GET"))
    );
    // Vonage hands no call on.
    let refused = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(refused["cause"], "cannot_hand_back", "{refused}");
    assert!(desk.changes().is_empty());

    let done = step(&caller, &path, "point", agents_only(), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    assert_eq!(passthrough(&caller, FIRST).await, Value::Null);
    let mut expected = before.0["14155550100"].clone();
    expected["app_id"] = json!(OWN);
    assert_eq!(desk.number("14155550100"), expected, "its messages go where they went");
    let mut expected = before.1[OWN].clone();
    expected["capabilities"]["voice"]["webhooks"] = json!({
        "answer_url": { "address": format!("{EDGE}/carriers/main/voice"), "http_method": "POST",
            "connection_timeout": 1000, "socket_timeout": 5000 },
        "event_url": { "address": format!("{EDGE}/carriers/main/status"), "http_method": "POST",
            "socket_timeout": 10000 },
        "fallback_answer_url": { "address": "https://old.example.com/answer",
            "http_method": "GET" },
    });
    assert_eq!(desk.application(OWN), expected);
    assert_eq!(state(&caller, &path, FIRST).await, "pointed");
    let again = step(&caller, &path, "point", agents_only(), FIRST).await;
    assert_eq!(again["outcome"], "already", "{again}");

    // An edit in the dashboard drops the flag, and every request would be refused.
    assert_eq!(caller.post(&format!("{path}/check"), json!({})).await.is(200)["ok"], true);
    let mut edited = expected.clone();
    edited["capabilities"]["voice"].as_object_mut().unwrap().remove("signed_callbacks");
    desk.put_application(OWN, edited);
    let found = caller.post(&format!("{path}/check"), json!({})).await.is(200);
    let change = &found["numbers"][0]["changes"][0];
    assert_eq!((&change["field"], &change["to"]), (&json!("signed_callbacks"), &json!("true")));
    desk.put_application(OWN, expected);

    let done = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "unpointed", "{done}");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn what_forwards_a_number_stands_aside_and_comes_back() {
    let daemon = daemon().await;
    let (desk, caller, path) = vonage(&daemon).await;
    let row = json!({ "country": "US", "msisdn": "14155550100", "features": ["VOICE"],
        "voiceCallbackType": "sip", "voiceCallbackValue": "sip:desk@pbx.example.com",
        "messagesCallbackType": "app", "messagesCallbackValue": OLD });
    desk.put_number("14155550100", row);
    let row = json!({ "country": "GB", "msisdn": "442079460100", "features": ["SMS"] });
    desk.put_number("442079460100", row);
    let before = desk.state();
    let rows = all(&caller, &path).await;
    let by = &rows[0]["answered_by"];
    let sip = json!("sip:desk@pbx.example.com");
    assert_eq!((&by["kind"], &by["id"]), (&json!("trunk"), &sip));
    assert_eq!(rows[1]["answered_by"]["kind"], "nobody");
    let mute = step(&caller, &path, "point", agents_only(), SECOND).await;
    assert_eq!(mute["cause"], "not_for_calls", "{mute}");
    let done = step(&caller, &path, "point", agents_only(), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    let now = desk.number("14155550100");
    assert_eq!((&now["app_id"], &now["voiceCallbackType"]), (&json!(OWN), &Value::Null));
    assert_eq!(now["messagesCallbackValue"], OLD);
    let done = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "unpointed", "{done}");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn an_application_that_does_not_sign_is_given_no_number() {
    let daemon = daemon().await;
    let (desk, caller, path) = vonage(&daemon).await;
    for flag in [json!(false), Value::Null] {
        let mut own = app(OWN, "");
        own["capabilities"]["voice"]["signed_callbacks"] = flag;
        desk.put_application(OWN, own);
        let refused = step(&caller, &path, "point", agents_only(), FIRST).await;
        assert_eq!(refused["cause"], "unsigned", "{refused}");
    }
    assert!(desk.changes().is_empty());
}

#[tokio::test]
async fn a_vonage_that_fails_leaves_nothing_in_doubt() {
    let daemon = daemon().await;
    let (desk, caller, path) = vonage(&daemon).await;
    let before = desk.state();
    for does in [Do::Refuse, Do::Lie] {
        desk.does(&[does]);
        let failed = step(&caller, &path, "point", agents_only(), FIRST).await;
        assert_eq!((&failed["outcome"], &failed["cause"]), (&json!("failed"), &json!("carrier")));
        assert_eq!(desk.state(), before);
    }
    desk.does(&[Do::FailAfterwards, Do::FailAfterwards]);
    let done = step(&caller, &path, "point", agents_only(), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    desk.does(&[Do::Refuse]);
    let failed = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(failed["outcome"], "failed", "{failed}");
    assert!(failed["message"].as_str().unwrap().contains("method failed"), "{failed}");
    let done = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "unpointed", "{done}");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn a_list_ends_where_its_count_says_and_may_be_empty() {
    let daemon = daemon().await;
    let (desk, caller, path) = vonage(&daemon).await;
    desk.remove_number("14155550100");
    desk.remove_number("442079460100");
    assert!(all(&caller, &path).await.is_empty());
    for n in 0..200 {
        let msisdn = format!("14155551{n:03}");
        let row = json!({ "country": "US", "msisdn": msisdn, "features": ["VOICE"] });
        desk.put_number(&msisdn, row);
    }
    assert_eq!(all(&caller, &path).await.len(), 200);
    let second = caller.get(&format!("{path}?page=2")).await.is(200);
    assert_eq!(second["next_page"], Value::Null, "{}", second["next_page"]);
    assert_eq!(second["data"].as_array().unwrap().len(), 100);
    // The wrong secret is named by Vonage, and none at all by us.
    let base = "/switchback/v1/carrier-accounts/main";
    daemon.operator.patch(base, json!({ "api_secret": "the-signature-secret" })).await.is(200);
    let refused = caller.get(&path).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (502, &json!("credentials")));
    assert!(refused.body.to_string().contains("authentication failed"), "{}", refused.body);
    daemon.operator.patch(base, json!({ "api_secret": null })).await.is(200);
    let lacks = caller.get(&path).await.is(422);
    assert!(lacks.to_string().contains("api_secret"), "{lacks}");
}
