//! Calls are asked for, in both dialects, and the carrier says yes, no, later or nothing.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchback::telemetry::clock;

use crate::{
    carrier::Do,
    daemon::{Daemon, OTHER_LINE, PERSON, SALES_LINE, text},
};

#[tokio::test]
async fn a_missed_call_is_returned_to_who_knows_of_it() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let body = json!({
        "agent_id": team.caller, "to": PERSON, "instructions": "Ask for Ann.",
        "context": { "first_name": "Ann" }, "metadata": { "crm": 7 },
        "webhook_url": "https://example.com/hook"
    });
    let call = daemon.post("/v1/calls", body).await;
    let id = text(&call["id"]);
    assert_eq!((&call["status"], &call["direction"]), (&json!("initiated"), &json!("outbound")));
    assert_eq!((&call["from_number"], &call["to_number"]), (&json!(SALES_LINE), &json!(PERSON)));
    assert_eq!(call["context"], json!({ "first_name": "Ann" }));
    assert_eq!(call["metadata"], json!({ "crm": 7 }));
    assert_eq!(call["instructions"], "Ask for Ann.");
    let placed = daemon.carrier.last();
    assert_eq!(placed.one("From"), SALES_LINE);
    let url = format!("https://edge.example.com/carriers/main/voice?call={id}");
    assert_eq!(placed.one("Url"), url);
    assert!(!placed.form.contains_key("MachineDetection"));
    // SK1:s3cret
    assert_eq!(daemon.carrier.authorization(), "Basic U0sxOnMzY3JldA==");

    // While it rings the person is known already.
    assert_eq!(daemon.reason(PERSON, SALES_LINE).await, "callback");
    for status in ["initiated", "ringing", "no-answer"] {
        assert_eq!(daemon.carrier.tell(&placed, status, &[]).await, 204);
    }
    daemon.becomes(&id, "status", "no_answer").await;
    daemon.remembers(PERSON, &["no_answer"]).await;

    let form = [
        ("CallSid", "CA00000000000000000000000000000fff"),
        ("AccountSid", crate::daemon::ACCOUNT_SID),
        ("From", PERSON),
        ("To", SALES_LINE),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
    ];
    let url = "https://edge.example.com/carriers/main/voice";
    let (status, document) = daemon.carrier.post(url, &form).await;
    assert_eq!(status, 200);
    assert!(document.contains("<Stream"), "{document}");
    let path = "/switchback/v1/calls?carrier_call_id=CA00000000000000000000000000000fff";
    daemon
        .until("it has its row", || async { daemon.get(path).await["data"][0].is_object() })
        .await;
    let returned = daemon.get(path).await["data"][0].clone();
    assert_eq!(returned["reason"], "callback");
    assert_eq!(returned["agent_id"], team.callback.as_str());
    assert_eq!(returned["touch_id"], id.as_str());
}

#[tokio::test]
async fn refusals_are_told_in_both_dialects_and_leave_no_touch() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    for (status, file, code, talkover_status, talkover) in [
        (400, "error_400_21211.json", "invalid_number", 400, "INVALID_PHONE_NUMBER"),
        (400, "error_400_21210.json", "invalid_caller_id", 502, "INVALID_CALLER_ID"),
        (401, "error_401_20003.json", "credentials", 502, "CREDENTIALS"),
        (404, "error_404_20404.json", "credentials", 502, "CREDENTIALS"),
    ] {
        daemon.carrier.then(Do::Refuse(status, file));
        let (got, body) = daemon.dial(&team.caller, PERSON).await;
        assert_eq!((got, &body["code"]), (502, &json!(code)), "{body}");
        assert!(body["error"].is_string(), "{body}");
        let row = daemon.get("/v1/calls?limit=1").await["data"][0].clone();
        assert_eq!((&row["status"], &row["error_code"]), (&json!("failed"), &json!(code)));
        assert!(row["error_message"].is_string(), "{row}");

        daemon.carrier.then(Do::Refuse(status, file));
        let path = format!("/api/v1/agents/{}/call", team.caller);
        let body = json!({ "to": PERSON });
        let (got, body) = daemon.api(Method::POST, &path, Some(body)).await;
        assert_eq!((got, &body["error"]["code"]), (talkover_status, &json!(talkover)), "{body}");
    }
    assert_eq!(daemon.touches(PERSON).await, Vec::<String>::new());
    let failed = "switchback_calls_total{direction=\"outbound\",status=\"failed\"}";
    assert_eq!(daemon.metric(failed).await, 8);
    let refused = "switchback_dispatch_commands_total{carrier=\"twilio\",outcome=\"refused\"}";
    assert_eq!(daemon.metric(refused).await, 8);
}

#[tokio::test]
async fn a_call_asked_for_again_under_its_key_is_placed_once() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let asks = (0..8).map(|_| daemon.dial_once(&team.caller, PERSON, "order-7"));
    let answers = futures_util::future::join_all(asks).await;
    let ids: Vec<_> = answers.iter().map(|(status, body)| (*status, text(&body["id"]))).collect();
    assert!(ids.iter().all(|answer| answer == &ids[0] && answer.0 == 201), "{answers:?}");
    assert_eq!((daemon.carrier.requests(), daemon.carrier.rings(PERSON)), (1, 1));
    // It is the call as it stands.
    let placed = daemon.carrier.last();
    assert_eq!(daemon.carrier.tell(&placed, "ringing", &[]).await, 204);
    daemon.becomes(&ids[0].1, "status", "ringing").await;
    let (_, again) = daemon.dial_once(&team.caller, PERSON, "order-7").await;
    assert_eq!(again["status"], "ringing");
    let (status, other) = daemon.dial_once(&team.caller, "+14155550111", "order-7").await;
    assert_eq!((status, &other["code"]), (409, &json!("idempotency_key_reused")));
    assert_eq!(daemon.carrier.requests(), 1);

    // What the carrier refused is not asked of it again; another key does.
    daemon.carrier.then(Do::Refuse(400, "error_400_21211.json"));
    for _ in 0..2 {
        let (status, refused) = daemon.dial_once(&team.caller, PERSON, "order-8").await;
        assert_eq!((status, &refused["code"]), (502, &json!("invalid_number")), "{refused}");
    }
    assert_eq!(daemon.carrier.requests(), 2);
    let daemon = daemon.again();
    let (_, again) = daemon.dial_once(&team.caller, PERSON, "order-7").await;
    assert_eq!((text(&again["id"]), daemon.carrier.requests()), (ids[0].1.clone(), 2));
}

#[tokio::test]
async fn what_was_not_processed_is_sent_again() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    for _ in 0..2 {
        daemon.carrier.then(Do::Refuse(429, "error_429_20429.json"));
    }
    let id = daemon.placed(&team.caller, PERSON).await;
    assert_eq!((daemon.carrier.requests(), daemon.carrier.rings(PERSON)), (3, 1));
    daemon.becomes(&id, "carrier_call_id", &daemon.carrier.last().sid).await;
}

#[tokio::test]
async fn what_may_have_arrived_is_never_sent_again() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let people = [(PERSON, Do::PlaceAndFail), ("+14155550118", Do::PlaceAndHangUp)];
    for (person, what) in people {
        daemon.carrier.then(what);
        let id = daemon.placed(&team.caller, person).await;
        assert_eq!(daemon.touches(person).await, ["pending"]);
        assert_eq!(daemon.reason(person, SALES_LINE).await, "callback");
        // Its webhooks tell, whatever the answer was.
        let placed = daemon.carrier.last();
        daemon.carrier.tell(&placed, "busy", &[]).await;
        daemon.becomes(&id, "status", "busy").await;
        daemon.becomes(&id, "carrier_call_id", &placed.sid).await;
        daemon.remembers(person, &["busy"]).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(daemon.carrier.requests(), 2);
    let daemon = daemon.again();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(daemon.carrier.requests(), 2);
}

#[tokio::test]
async fn calls_are_placed_at_the_accounts_pace_and_hang_ups_pass_them() {
    let daemon = Daemon::paced(2).await;
    let team = daemon.team().await;
    let id = daemon.placed(&team.caller, PERSON).await;
    let started = clock::instant();
    let dial = async |to: &str| {
        daemon.placed(&team.caller, to).await;
        started.elapsed()
    };
    let hang_up = async {
        let path = format!("/switchback/v1/calls/{id}/hangup");
        assert_eq!(daemon.api(Method::POST, &path, None).await.0, 202);
        daemon.until("it is hung up", || async { !daemon.carrier.hung_up().is_empty() }).await;
        started.elapsed()
    };
    let people = ["+14155550118", "+14155550119", "+14155550120"];
    let dials = async { tokio::join!(dial(people[0]), dial(people[1]), dial(people[2])) };
    let ((a, b, c), hung_up) = tokio::join!(dials, hang_up);
    let last = a.max(b).max(c);
    assert!(last >= Duration::from_millis(1200), "{last:?}");
    assert!(hung_up < last, "{hung_up:?} {last:?}");
}

#[tokio::test]
async fn a_slow_verdict_is_not_waited_for() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    daemon.carrier.then(Do::AcceptAfter(Duration::from_secs(6)));
    let started = clock::instant();
    let id = daemon.placed(&team.caller, PERSON).await;
    let took = started.elapsed();
    assert!((4..6).contains(&took.as_secs()), "{took:?}");
    daemon.becomes(&id, "carrier_call_id", &daemon.carrier.last().sid).await;
    assert_eq!(daemon.carrier.requests(), 1);
}

#[tokio::test]
async fn what_cannot_be_called_is_not_asked_of_the_carrier() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let bare = daemon.agent("outbound", "Bare", &[]).await;
    daemon.number(OTHER_LINE).await;
    let check = async |body: Value, status: u16, code: &str| {
        let (got, answer) = daemon.api(Method::POST, "/v1/calls", Some(body)).await;
        assert_eq!((got, &answer["code"]), (status, &json!(code)), "{answer}");
    };
    let caller = team.caller.as_str();
    let unknown = "018f4a9e-0000-7000-8000-000000000001";
    check(json!({ "to": PERSON }), 400, "validation_error").await;
    check(json!({ "agent_id": caller, "to": "555" }), 400, "validation_error").await;
    check(json!({ "agent_id": unknown, "to": PERSON }), 404, "agent_not_found").await;
    check(json!({ "agent_id": bare, "to": PERSON }), 400, "no_caller_id").await;
    let from = json!({ "agent_id": caller, "to": PERSON, "from_number": OTHER_LINE });
    check(from, 400, "validation_error").await;
    let inbound = json!({ "agent_id": team.callback, "to": PERSON });
    check(inbound, 400, "invalid_agent_direction").await;
    let voice = json!({ "agent_id": caller, "to": PERSON, "voice": "alder" });
    check(voice, 400, "validation_error").await;
    let (status, _) = daemon.api(Method::DELETE, &format!("/v1/agents/{bare}"), None).await;
    assert_eq!(status, 200);
    check(json!({ "agent_id": bare, "to": PERSON }), 400, "agent_archived").await;
    assert_eq!(daemon.carrier.requests(), 0);
    assert_eq!(daemon.get("/v1/calls").await, json!({ "data": [], "has_more": false }));
}

#[tokio::test]
async fn talkover_shows_people_the_number_they_know() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let other = daemon.number(OTHER_LINE).await;
    let path = format!("/v1/agents/{}/numbers", team.caller);
    daemon.post(&path, json!({ "number_id": other })).await;
    let path = format!("/api/v1/agents/{}/call", team.caller);
    let check = async |body: Value, shown: &str| {
        let answer = daemon.post(&path, body).await;
        assert_eq!(answer["data"]["status"], "initiated", "{answer}");
        assert_eq!(daemon.carrier.last().one("From"), shown);
    };
    check(json!({ "to": PERSON, "payload": { "n": "Ann" } }), SALES_LINE).await;
    let from = json!({ "agent_id": team.caller, "to": PERSON, "from_number": OTHER_LINE });
    tokio::time::sleep(Duration::from_millis(1100)).await;
    daemon.post("/v1/calls", from).await;
    check(json!({ "to": PERSON, "delay_seconds": 0 }), OTHER_LINE).await;
    check(json!({ "to": "+14155550118", "is_testing": true }), SALES_LINE).await;
    let placed = daemon.carrier.last();
    daemon.carrier.tell(&placed, "no-answer", &[]).await;
    daemon
        .until("the test call is over", || async {
            daemon.get("/v1/calls?limit=1").await["data"][0]["status"] == "no_answer"
        })
        .await;
    assert_eq!(daemon.touches("+14155550118").await, Vec::<String>::new());

    let refused = async |body: Value, status: u16, code: &str| {
        let (got, answer) = daemon.api(Method::POST, &path, Some(body)).await;
        assert_eq!((got, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    };
    refused(json!({}), 400, "MISSING_PHONE_NUMBER").await;
    refused(json!({ "to": "0" }), 400, "INVALID_PHONE_NUMBER").await;
    refused(json!({ "to": PERSON, "delay_seconds": 3601 }), 422, "VALIDATION_ERROR").await;
    let unpublish = format!("/api/v1/agents/{}/unpublish", team.caller);
    daemon.post(&unpublish, json!({})).await;
    refused(json!({ "to": PERSON }), 400, "AGENT_INACTIVE").await;
    let inbound = format!("/api/v1/agents/{}/call", team.callback);
    let (status, answer) = daemon.api(Method::POST, &inbound, Some(json!({ "to": PERSON }))).await;
    assert_eq!((status, &answer["code"]), (422, &json!("INVALID_AGENT_DIRECTION")), "{answer}");
}
