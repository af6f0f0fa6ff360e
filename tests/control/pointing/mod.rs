//! Numbers at their carrier, against a stand-in of each carrier's number desk: who answers,
//! pointing here, putting back, and what others change meanwhile.

mod bandwidth;
mod vonage;

use serde_json::{Value, json};
use switchback::{control, dialects::PrivateHosts};

use crate::{
    daemon::{Caller, Daemon},
    desk::{Desk, Do},
};

const EDGE: &str = "https://edge.example.com";
const OVERRIDES: &str = "#rc=2&rp=ct,rt,5xx&ct=2000";
const OLD: &str = "https://edge.example.com/twilio/voice";
const SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
const FIRST: &str = "+12125550140";
const SECOND: &str = "+12125550141";
const THIRD: &str = "+12125550142";

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn daemon() -> Daemon {
    Daemon::start_with(control::Settings {
        public_url: EDGE.to_owned(),
        private: PrivateHosts { runtime: true, redirect: true },
        ..control::Settings::default()
    })
    .await
}

/// A tenant with an account at the desk, and the path of its numbers.
async fn account(daemon: &Daemon, desk: &Desk, mut fields: Value) -> (Caller, String) {
    let tenants = "/switchback/v1/tenants";
    let tenant = daemon.operator.post(tenants, json!({ "name": "one" })).await.is(201);
    let key = json!({ "name": "test", "tenant_id": tenant["id"] });
    let key = daemon.operator.post("/switchback/v1/keys", key).await.is(201);
    fields["name"] = json!("main");
    fields["tenant_id"] = tenant["id"].clone();
    fields["api_url"] = json!(desk.url);
    daemon.operator.post("/switchback/v1/carrier-accounts", fields).await.is(201);
    let caller = daemon.with_key(key["key"].as_str().unwrap());
    (caller, "/switchback/v1/carrier-accounts/main/numbers".to_owned())
}

async fn twilio(daemon: &Daemon) -> (Desk, Caller, String) {
    let desk = Desk::open().await;
    for page in ["numbers_page0_200.json", "numbers_page1_200.json"] {
        let page = fixture(&format!("twilio/rest/{page}"));
        for number in page["incoming_phone_numbers"].as_array().unwrap() {
            desk.put_number(number["sid"].as_str().unwrap(), number.clone());
        }
    }
    let fields = json!({ "kind": "twilio", "account_id": SID, "secrets": ["token"] });
    let (caller, path) = account(daemon, &desk, fields).await;
    (desk, caller, path)
}

fn sid_of(desk: &Desk, e164: &str) -> String {
    let (numbers, _) = desk.state();
    let found = numbers.iter().find(|(_, row)| {
        let spelled = row["phone_number"].as_str().or_else(|| row["number"].as_str()).unwrap();
        spelled.trim_start_matches('+') == e164.trim_start_matches('+')
    });
    found.unwrap().0.clone()
}

async fn all(caller: &Caller, path: &str) -> Vec<Value> {
    let (mut rows, mut page) = (Vec::new(), String::new());
    loop {
        let got = caller.get(&format!("{path}?page={page}")).await.is(200);
        rows.extend(got["data"].as_array().unwrap().clone());
        match got["next_page"].as_str() {
            Some(next) => {
                let set = percent_encoding::NON_ALPHANUMERIC;
                page = percent_encoding::utf8_percent_encode(next, set).to_string();
            }
            None => return rows,
        }
    }
}

async fn state(caller: &Caller, path: &str, e164: &str) -> String {
    let rows = all(caller, path).await;
    let row = rows.iter().find(|row| row["e164"] == e164).unwrap();
    row["state"].as_str().unwrap().to_owned()
}

async fn passthrough(caller: &Caller, e164: &str) -> Value {
    let numbers = caller.get("/v1/numbers").await.is(200);
    let rows = numbers["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["e164"] == e164)
        .map_or(Value::Null, |row| row["passthrough"].clone())
}

async fn step(caller: &Caller, path: &str, verb: &str, mut body: Value, e164: &str) -> Value {
    body["numbers"] = json!([e164]);
    let got = caller.post(&format!("{path}/{verb}"), body).await.is(200);
    got["numbers"][0].clone()
}

#[tokio::test]
async fn numbers_are_listed_page_by_page_with_who_answers() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let app = json!({ "sid": "AP1", "friendly_name": "Old app", "voice_url": "https://app.example/v",
        "voice_method": "GET", "voice_fallback_url": "", "voice_fallback_method": "POST",
        "status_callback": "", "status_callback_method": "POST" });
    desk.put_application("AP1", app);
    desk.by_hand(&sid_of(&desk, FIRST), "voice_application_sid", "AP1");
    desk.by_hand(&sid_of(&desk, SECOND), "trunk_sid", "TK1");
    let rows = all(&caller, &path).await;
    assert_eq!(rows.len(), desk.state().0.len());
    let by =
        |e164: &str| rows.iter().find(|row| row["e164"] == e164).unwrap()["answered_by"].clone();
    let first = by(FIRST);
    assert_eq!((&first["kind"], &first["id"]), (&json!("application"), &json!("AP1")));
    assert_eq!((&first["url"], &first["method"]), (&json!("https://app.example/v"), &json!("GET")));
    assert_eq!((&by(SECOND)["kind"], &by(SECOND)["url"]), (&json!("trunk"), &Value::Null));
    assert!(rows.iter().all(|row| row["state"] == "elsewhere" && row["number_id"].is_null()));
    // Somebody else's account is nobody's.
    let other = daemon.tenant("two").await;
    other.get(&path).await.is(404);
    other.post(&format!("{path}/point"), json!({ "numbers": [FIRST] })).await.is(404);
    // By a shared account a tenant sees its own only.
    let shared = "/switchback/v1/carrier-accounts/first";
    let url = json!({ "api_url": desk.url });
    assert_eq!(daemon.operator.patch(shared, url).await.status, 409, "the file keeps it");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_anywhere() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let before = desk.state();
    let plan = step(&caller, &path, "point", json!({ "dry_run": true }), FIRST).await;
    assert_eq!(plan["outcome"], "to_point", "{plan}");
    assert_eq!(plan["passthrough"], format!("redirect:{OLD}"));
    assert_eq!(plan["answered_by"]["url"], OLD);
    let change = |field: &str| {
        let changes = plan["changes"].as_array().unwrap();
        changes.iter().find(|change| change["field"] == field).unwrap().clone()
    };
    let url = change("voice_url");
    assert_eq!(
        (&url["from"], &url["to"]),
        (&json!(OLD), &json!(format!("{EDGE}/carriers/main/voice{OVERRIDES}")))
    );
    assert_eq!(change("voice_fallback_url")["to"], OLD);
    assert_eq!(desk.state(), before);
    assert!(desk.changes().is_empty());
    assert_eq!(caller.get("/v1/numbers").await.is(200)["data"], json!([]));
    // Nothing is meant that is not named.
    caller.post(&format!("{path}/point"), json!({})).await.is(422);
    caller.post(&format!("{path}/point"), json!({ "numbers": [] })).await.is(422);
}

#[tokio::test]
async fn a_number_is_pointed_and_put_back_byte_for_byte() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let sid = sid_of(&desk, FIRST);
    let odd = "https://old.example.com/voice?a=1&b=%2B%20x&c=é#rc=4&rp=all";
    for (field, value) in [
        ("voice_url", odd),
        ("voice_method", "GET"),
        ("voice_fallback_url", "https://older.example.com/f?x=y z"),
        ("status_callback", "https://old.example.com/status"),
        ("status_callback_method", "GET"),
    ] {
        desk.by_hand(&sid, field, value);
    }
    let before = desk.state();
    let done = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    assert_eq!(done["notes"], json!(["asked_by_get", "status_stays"]));
    let now = desk.number(&sid);
    assert_eq!(now["voice_url"], format!("{EDGE}/carriers/main/voice{OVERRIDES}"));
    assert_eq!((&now["voice_method"], &now["voice_fallback_url"]), (&json!("POST"), &json!(odd)));
    assert_eq!(now["voice_fallback_method"], "GET");
    assert_eq!(now["status_callback"], "https://old.example.com/status", "somebody needs it");
    // What the carrier takes behind the URL is no part of where a call is handed on to.
    let target = "redirect:https://old.example.com/voice?a=1&b=%2B%20x&c=é";
    assert_eq!(passthrough(&caller, FIRST).await, target);
    assert_eq!(caller.lands("+14155550199", FIRST).await.0, "passthrough");
    assert_eq!(state(&caller, &path, FIRST).await, "pointed");
    // Again is as good as once.
    let changed = desk.changes().len();
    assert_eq!(step(&caller, &path, "point", json!({}), FIRST).await["outcome"], "already");
    assert_eq!(desk.changes().len(), changed);

    let plan = step(&caller, &path, "unpoint", json!({ "dry_run": true }), FIRST).await;
    assert_eq!(plan["outcome"], "to_unpoint");
    assert_eq!(state(&caller, &path, FIRST).await, "pointed");
    let done = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "unpointed", "{done}");
    let mut after = desk.state();
    // A form cannot say null, so what was null is empty.
    for number in after.0.values_mut().filter(|number| number["trunk_sid"] == "") {
        number["trunk_sid"] = Value::Null;
    }
    assert_eq!(after, before);
    assert_eq!(passthrough(&caller, FIRST).await, Value::Null);
    let again = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(again["cause"], "not_pointed");
    let audit = caller.get("/switchback/v1/audit").await.is(200).to_string();
    assert!(audit.contains("number.point") && audit.contains("number.unpoint"), "{audit}");
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let ask = || {
        let body = json!({ "numbers": [FIRST] });
        let (caller, path) = (caller.clone(), format!("{path}/point"));
        async move {
            let key = ("idempotency-key", "point-1");
            caller.ask_with(reqwest::Method::POST, &path, Some(body), key).await
        }
    };
    let first = ask().await.is(200);
    let second = ask().await;
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(second.is(200), first);
    assert_eq!(desk.changes().len(), 1);
}

#[tokio::test]
async fn what_others_changed_is_found_and_not_undone() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    for e164 in [FIRST, SECOND] {
        assert_eq!(step(&caller, &path, "point", json!({}), e164).await["outcome"], "pointed");
    }
    let check = format!("{path}/check");
    let well = caller.post(&check, json!({})).await.is(200);
    assert_eq!(well["ok"], true, "{well}");
    let sid = sid_of(&desk, FIRST);
    desk.by_hand(&sid, "voice_url", "https://new.example.com/voice");
    let found = caller.post(&check, json!({})).await.is(200);
    assert_eq!(found["ok"], false);
    let row = &found["numbers"][0];
    assert_eq!((&row["e164"], &row["state"]), (&json!(FIRST), &json!("changed")));
    assert_eq!(row["changes"][0]["from"], "https://new.example.com/voice");
    assert_eq!(row["changes"][0]["to"], format!("{EDGE}/carriers/main/voice{OVERRIDES}"));
    let one = caller.post(&check, json!({ "numbers": [SECOND] })).await.is(200);
    assert_eq!((&one["ok"], one["numbers"].as_array().unwrap().len()), (&json!(true), 1));
    // It is somebody's, so it is left; unless that is what is asked for.
    let left = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!((&left["outcome"], &left["cause"]), (&json!("refused"), &json!("changed_since")));
    assert_eq!(desk.number(&sid)["voice_url"], "https://new.example.com/voice");
    // Pointed again, the new URL is what goes on answering, and what comes back.
    let again = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(again["outcome"], "pointed", "{again}");
    assert_eq!(desk.number(&sid)["voice_fallback_url"], "https://new.example.com/voice");
    assert_eq!(step(&caller, &path, "unpoint", json!({}), FIRST).await["outcome"], "unpointed");
    assert_eq!(desk.number(&sid)["voice_url"], "https://new.example.com/voice");
    assert_eq!(desk.number(&sid)["voice_fallback_url"], "", "ours has gone as well");
    desk.by_hand(&sid_of(&desk, SECOND), "voice_url", "https://new.example.com/voice");
    let forced = step(&caller, &path, "unpoint", json!({ "force": true }), SECOND).await;
    assert_eq!(forced["outcome"], "unpointed", "{forced}");

    assert_eq!(step(&caller, &path, "point", json!({}), SECOND).await["outcome"], "pointed");
    desk.remove_number(&sid_of(&desk, SECOND));
    let gone = caller.post(&check, json!({ "numbers": [SECOND] })).await.is(200);
    assert_eq!((&gone["numbers"][0]["state"], &gone["ok"]), (&json!("gone"), &json!(false)));
    let ended = step(&caller, &path, "unpoint", json!({}), SECOND).await;
    assert_eq!((&ended["outcome"], &ended["notes"]), (&json!("unpointed"), &json!(["gone"])));
}

#[tokio::test]
async fn a_carrier_that_fails_leaves_nothing_in_doubt() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let before = desk.state();
    for (does, cause) in [(Do::Refuse, "carrier"), (Do::Lie, "carrier")] {
        desk.does(&[does]);
        let failed = step(&caller, &path, "point", json!({}), FIRST).await;
        assert_eq!((&failed["outcome"], &failed["cause"]), (&json!("failed"), &json!(cause)));
        assert_eq!(desk.state(), before);
        assert_eq!(state(&caller, &path, FIRST).await, "unconfirmed");
    }
    // Nobody can tell, so it is looked at: it is done.
    desk.does(&[Do::FailAfterwards]);
    let done = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    desk.does(&[Do::Refuse]);
    let failed = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(state(&caller, &path, FIRST).await, "pointed");
    assert!(passthrough(&caller, FIRST).await.is_string(), "it is still needed");
    assert_eq!(step(&caller, &path, "unpoint", json!({}), FIRST).await["outcome"], "unpointed");
    assert_eq!(desk.number(&sid_of(&desk, FIRST))["voice_url"], OLD);
}

#[tokio::test]
async fn a_canary_is_as_many_as_are_asked_for() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let numbers: Vec<Value> =
        all(&caller, &path).await.into_iter().map(|row| row["e164"].clone()).collect();
    let body = json!({ "numbers": numbers, "count": 2 });
    let got = caller.post(&format!("{path}/point"), body.clone()).await.is(200);
    let outcomes: Vec<_> =
        got["numbers"].as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    let count = |word: &str| outcomes.iter().filter(|outcome| **outcome == word).count();
    assert_eq!((count("pointed"), count("waits")), (2, numbers.len() - 2), "{outcomes:?}");
    assert_eq!(desk.changes().len(), 2);
    // The next go on where these ended.
    let got = caller.post(&format!("{path}/point"), body).await.is(200);
    assert_eq!(got["numbers"][0]["outcome"], "already");
    assert!(desk.changes().len() > 2);
}

#[tokio::test]
async fn who_cannot_be_handed_calls_is_not_cut_off_unasked() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let (first, second) = (sid_of(&desk, FIRST), sid_of(&desk, SECOND));
    desk.by_hand(&first, "trunk_sid", "TK1");
    let refused = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(refused["cause"], "cannot_hand_back", "{refused}");
    assert!(desk.changes().is_empty());
    let body = json!({ "passthrough": false });
    let done = step(&caller, &path, "point", body, FIRST).await;
    assert_eq!((&done["outcome"], &done["passthrough"]), (&json!("pointed"), &Value::Null));
    assert_eq!(desk.number(&first)["trunk_sid"], "", "a trunk wins over a URL");
    assert_eq!(step(&caller, &path, "unpoint", json!({}), FIRST).await["outcome"], "unpointed");
    assert_eq!(desk.number(&first)["trunk_sid"], "TK1");
    // An agent here says who answers: the passthrough is told to stand before it.
    let number = json!({ "e164": THIRD, "account": "main" });
    let number = caller.post("/switchback/v1/numbers", number).await.is(201);
    caller.agent("Desk", "inbound", &[number["id"].as_str().unwrap()]).await;
    let plan = step(&caller, &path, "point", json!({ "dry_run": true }), THIRD).await;
    assert_eq!(plan["notes"], json!(["agent_passed_over"]));
    desk.by_hand(&second, "voice_receive_mode", "fax");
    let fax = step(&caller, &path, "point", json!({}), SECOND).await;
    assert_eq!(fax["cause"], "not_for_calls");
    let nobody = step(&caller, &path, "point", json!({}), "+14155550123").await;
    assert_eq!(nobody["cause"], "not_at_account");
}

/// Telnyx's numbers, each put to a connection.
async fn telnyx(daemon: &Daemon, kind: &str, own: Value) -> (Desk, Caller, String) {
    let desk = Desk::open().await;
    for page in ["phone_numbers_page1.json", "phone_numbers_page2.json"] {
        let page = fixture(&format!("telnyx/{page}"));
        for number in page["data"].as_array().unwrap() {
            desk.put_number(number["id"].as_str().unwrap(), number.clone());
        }
    }
    desk.put_application("900", own);
    let fields = json!({ "kind": kind, "api_key": "KEY", "connection_id": "900",
        "public_keys": ["0JnevElDXIH2XlVcdMNCi55G5iK+gTx4eqoL1Vl6J2Q="] });
    let (caller, path) = account(daemon, &desk, fields).await;
    (desk, caller, path)
}

fn texml(id: &str, url: &str) -> Value {
    json!({ "id": id, "friendly_name": "app", "voice_url": url, "voice_fallback_url": null,
        "voice_method": "post", "status_callback": "", "status_callback_method": "post" })
}

const ATLANTA: &str = "+14045550114";
const BOSTON: &str = "+16175550198";
const RALEIGH: &str = "+19195550173";
const CALLBACKS: &str = "2852154973938025540";

#[tokio::test]
async fn a_texml_number_moves_to_the_accounts_application_and_back() {
    let daemon = daemon().await;
    let (desk, caller, path) = telnyx(&daemon, "telnyx_texml", texml("900", "")).await;
    desk.put_application(CALLBACKS, texml(CALLBACKS, "https://old.example.com/texml"));
    let before = desk.state();
    let boston = sid_of(&desk, BOSTON);
    let body = json!({ "numbers": [BOSTON] });
    let got = caller.post(&format!("{path}/point"), body).await.is(200);
    assert_eq!(got["numbers"][0]["outcome"], "pointed", "{got}");
    assert_eq!(got["application"]["id"], "900");
    assert_eq!(desk.number(&boston)["connection_id"], "900");
    let app = desk.application("900");
    assert_eq!(app["voice_url"], format!("{EDGE}/carriers/main/voice"));
    assert_eq!(app["voice_fallback_url"], "https://old.example.com/texml");
    assert_eq!(app["status_callback"], format!("{EDGE}/carriers/main/status"));
    assert_eq!(passthrough(&caller, BOSTON).await, "redirect:https://old.example.com/texml");
    // A number that nobody answered shares the application, and must not fall back to the other's.
    let atlanta = step(&caller, &path, "point", json!({}), ATLANTA).await;
    assert_eq!(
        (&atlanta["outcome"], &atlanta["notes"]),
        (&json!("pointed"), &json!(["nobody_answers"]))
    );
    assert_eq!(desk.application("900")["voice_fallback_url"], Value::Null);
    assert_eq!(caller.post(&format!("{path}/check"), json!({})).await.is(200)["ok"], true);
    desk.by_hand("900", "voice_url", "https://thief.example.com");
    let found = caller.post(&format!("{path}/check"), json!({})).await.is(200);
    assert_eq!(found["numbers"][0]["changes"][0]["from"], "https://thief.example.com");
    assert_eq!(found["ok"], false);
    desk.by_hand("900", "voice_url", &format!("{EDGE}/carriers/main/voice"));
    // The application goes back with the last of its numbers.
    assert_eq!(step(&caller, &path, "unpoint", json!({}), BOSTON).await["outcome"], "unpointed");
    assert_eq!(desk.number(&boston)["connection_id"], CALLBACKS);
    assert_eq!(desk.application("900")["voice_url"], format!("{EDGE}/carriers/main/voice"));
    assert_eq!(step(&caller, &path, "unpoint", json!({}), ATLANTA).await["outcome"], "unpointed");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn an_application_in_use_changes_with_all_of_its_numbers_or_not() {
    let daemon = daemon().await;
    let old = texml("900", "https://old.example.com/texml");
    let (desk, caller, path) = telnyx(&daemon, "telnyx_texml", old).await;
    for e164 in [BOSTON, RALEIGH] {
        desk.by_hand(&sid_of(&desk, e164), "connection_id", "900");
    }
    let before = desk.state();
    let one = step(&caller, &path, "point", json!({}), BOSTON).await;
    assert_eq!(one["cause"], "application_in_use", "{one}");
    assert_eq!(desk.state(), before);
    let both = json!({ "numbers": [BOSTON, RALEIGH] });
    let got = caller.post(&format!("{path}/point"), both.clone()).await.is(200);
    assert_eq!(got["numbers"][1]["outcome"], "pointed", "{got}");
    assert_eq!(desk.application("900")["voice_fallback_url"], "https://old.example.com/texml");
    assert_eq!(passthrough(&caller, RALEIGH).await, "redirect:https://old.example.com/texml");
    let one = step(&caller, &path, "unpoint", json!({}), BOSTON).await;
    assert_eq!(one["cause"], "application_shared", "{one}");
    let got = caller.post(&format!("{path}/unpoint"), both).await.is(200);
    assert_eq!(got["numbers"][0]["outcome"], "unpointed", "{got}");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn call_control_hands_no_call_on_but_falls_back() {
    let daemon = daemon().await;
    let app = |id: &str, url: &str| {
        json!({ "id": id, "application_name": "app", "webhook_event_url": url,
            "webhook_event_failover_url": "", "webhook_api_version": "1" })
    };
    let (desk, caller, path) = telnyx(&daemon, "telnyx", app("900", "")).await;
    desk.put_application(CALLBACKS, app(CALLBACKS, "https://old.example.com/events"));
    let before = desk.state();
    let refused = step(&caller, &path, "point", json!({}), BOSTON).await;
    assert_eq!(refused["cause"], "cannot_hand_back", "{refused}");
    let body = json!({ "passthrough": false });
    let done = step(&caller, &path, "point", body, BOSTON).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    let app = desk.application("900");
    assert_eq!(app["webhook_event_url"], format!("{EDGE}/carriers/main/voice"));
    assert_eq!(app["webhook_event_failover_url"], "https://old.example.com/events");
    assert_eq!(app["webhook_api_version"], "2");
    assert_eq!(step(&caller, &path, "unpoint", json!({}), BOSTON).await["outcome"], "unpointed");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn a_plivo_number_moves_between_applications() {
    let daemon = daemon().await;
    let desk = Desk::open().await;
    let app = |id: &str, url: &str| {
        json!({ "app_id": id, "app_name": "app", "answer_url": url, "answer_method": "POST",
            "fallback_answer_url": "", "fallback_method": "POST", "hangup_url": "",
            "hangup_method": "POST" })
    };
    desk.put_application("77", app("77", ""));
    desk.put_application("66", app("66", "https://old.example.com/answer"));
    for n in 0..5 {
        let number = format!("1415555010{n}");
        let row = json!({ "number": number, "voice_enabled": true, "active": true, "alias": "desk",
            "application": "/v1/Account/MAX/Application/66/" });
        desk.put_number(&number, row);
    }
    desk.by_hand("14155550104", "application", "");
    let before = desk.state();
    let fields = json!({ "kind": "plivo", "account_id": "MA000000000000000001",
        "secrets": ["token"], "application_id": "77" });
    let (caller, path) = account(&daemon, &desk, fields).await;
    let rows = all(&caller, &path).await;
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0]["answered_by"]["url"], "https://old.example.com/answer");
    assert_eq!(rows[4]["answered_by"]["kind"], "nobody");
    let done = step(&caller, &path, "point", json!({}), "+14155550101").await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    assert_eq!(desk.number("14155550101")["application"], "/v1/Account/MAX/Application/77/");
    let own = desk.application("77");
    assert_eq!(own["answer_url"], format!("{EDGE}/carriers/main/voice"));
    assert_eq!(own["fallback_answer_url"], "https://old.example.com/answer");
    assert_eq!(own["hangup_url"], format!("{EDGE}/carriers/main/status"));
    let target = "redirect:https://old.example.com/answer";
    assert_eq!(passthrough(&caller, "+14155550101").await, target);
    let done = step(&caller, &path, "unpoint", json!({}), "+14155550101").await;
    assert_eq!(done["outcome"], "unpointed", "{done}");
    assert_eq!(desk.state(), before);
}

#[tokio::test]
async fn signalwire_has_no_overrides() {
    let daemon = daemon().await;
    let desk = Desk::open().await;
    let mut row =
        fixture("twilio/rest/numbers_page0_200.json")["incoming_phone_numbers"][0].clone();
    let sid = "b08dacad-2f6c-4de1-93d6-cc732e0c69c5";
    row["sid"] = json!(sid);
    desk.put_number(sid, row);
    let fields = json!({ "kind": "signalwire", "space": "acme", "signing_key": "PSK",
        "account_id": "11111111-2222-4333-8444-555555555555", "secrets": ["PT1"] });
    let (caller, path) = account(&daemon, &desk, fields).await;
    let done = step(&caller, &path, "point", json!({}), FIRST).await;
    assert_eq!(done["outcome"], "pointed", "{done}");
    assert_eq!(desk.number(sid)["voice_url"], format!("{EDGE}/carriers/main/voice"));
    let (asked, _) = desk.changes()[0].clone();
    assert!(asked.starts_with("/api/laml/2010-04-01/Accounts/11111111"), "{asked}");
}

async fn command(caller: &Caller, args: &[&str]) -> (i32, String, String) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_switchback"))
        .arg("numbers")
        .args(args)
        .env("SWITCHBACK_URL", caller.url(""))
        .env("SWITCHBACK_KEY", &caller.key)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_asks_before_it_changes() {
    let daemon = daemon().await;
    let (desk, caller, path) = twilio(&daemon).await;
    let before = desk.state();
    let main = ["--account", "main"];
    let run = |args: &[&str]| {
        let args: Vec<String> = args.iter().chain(&main).map(|arg| (*arg).to_owned()).collect();
        let caller = caller.clone();
        async move {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            command(&caller, &args).await
        }
    };
    let (code, list, said) = run(&["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(list.contains(FIRST) && list.contains(OLD) && list.contains("elsewhere"), "{list}");
    // Without a number the plan is shown, and that is not what was asked for.
    let (code, plan, said) = run(&["point"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(plan.contains("to point") && said.contains("--all"), "{plan} {said}");
    let (code, plan, _) = run(&["point", "--all", "--dry-run"]).await;
    assert_eq!(code, 0);
    assert!(plan.contains("nothing was") && plan.contains(OVERRIDES), "{plan}");
    assert_eq!(desk.state(), before);
    let (code, _, said) = run(&["point", "4155550100"]).await;
    assert_eq!(code, 2, "{said}");
    let (code, _, said) = run(&["point", "+14155550123"]).await;
    assert!(code == 1 && said.contains("+14155550123"), "{said}");

    let (code, done, said) = run(&["point", "--all", "--count", "1"]).await;
    assert!(code == 0 && done.contains("1 numbers pointed here"), "{done} {said}");
    assert_eq!(desk.changes().len(), 1);
    let (code, done, said) = run(&["point", FIRST, SECOND, "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["numbers"].as_array().unwrap().len(), 2);
    assert_eq!(state(&caller, &path, SECOND).await, "pointed");
    let (code, well, said) = run(&["check"]).await;
    assert!(code == 0 && well.contains("no number was changed"), "{well} {said}");
    desk.by_hand(&sid_of(&desk, SECOND), "voice_url", "https://new.example.com/voice");
    let (code, found, _) = run(&["check"]).await;
    assert!(code == 1 && found.contains("changed") && found.contains(SECOND), "{found}");
    let (code, left, _) = run(&["unpoint", "--all"]).await;
    assert!(code == 1 && left.contains("changed at the carrier since"), "{left}");
    let (code, done, said) = run(&["unpoint", "--all", "--force"]).await;
    assert!(code == 0, "{done} {said}");
    assert_eq!(
        desk.number(&sid_of(&desk, SECOND))["voice_url"],
        before.0[&sid_of(&desk, SECOND)]["voice_url"]
    );
}
