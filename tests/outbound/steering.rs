//! Calls that are ended or moved through the APIs: the carrier's verdict, the audit trail, and who
//! asks twice.

use reqwest::Method;
use serde_json::{Value, json};

use crate::daemon::{Daemon, KEY, PERSON, Team};

const REFUSED: (u16, &str) = (400, "error_400_21210.json");

/// Somebody has answered, and hears a word; no media socket is open.
async fn talking(daemon: &Daemon, team: &Team) -> String {
    let path = format!("/v1/agents/{}", team.caller);
    let change = json!({ "targets": ["tel:+14155550199"] });
    let (status, body) = daemon.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(status, 200, "{body}");
    let id = daemon.placed(&team.caller, PERSON).await;
    daemon.carrier.ask(&daemon.carrier.last()).await;
    id
}

async fn ask(daemon: &Daemon, path: &str, body: &Value, once: &str) -> (u16, Value) {
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", once)];
    daemon.api_with(&headers, Method::POST, path, Some(body.clone())).await
}

/// What the audit trail says was done to this call, oldest first.
async fn trail(daemon: &Daemon, call: &str) -> Vec<String> {
    let lines = daemon.get(&format!("/switchback/v1/audit?subject={call}")).await;
    let lines = lines["data"].as_array().unwrap().iter().rev();
    lines
        .map(|line| {
            assert!(line["key_name"].is_string(), "{line}");
            line["action"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn what_the_carrier_refuses_is_told_and_may_be_asked_again() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let id = talking(&daemon, &team).await;
    let path = format!("/switchback/v1/calls/{id}/transfer");
    let there = json!({ "target": "say:One moment." });
    daemon.carrier.steers_not(REFUSED.0, REFUSED.1);
    let (status, body) = ask(&daemon, &path, &there, "t-1").await;
    assert_eq!((status, &body["code"]), (502, &json!("invalid_caller_id")), "{body}");
    assert!(body["error"].as_str().unwrap().contains("21210"), "{body}");
    // Nothing of it is left: who is asked what follows goes on where the call was.
    let placed = daemon.carrier.last();
    assert!(daemon.carrier.ask(&placed).await.contains("<Dial"));

    // Under the same key, since it was not done.
    for is_first in [true, false] {
        let (status, body) = ask(&daemon, &path, &there, "t-1").await;
        assert_eq!((status, &body["id"]), (202, &json!(id)), "{is_first}: {body}");
    }
    assert_eq!(daemon.carrier.redirected().len(), 2, "the third is the second again");
    let (status, body) = ask(&daemon, &path, &json!({ "target": "say:No." }), "t-1").await;
    assert_eq!((status, &body["code"]), (409, &json!("idempotency_key_reused")));
    assert_eq!(trail(&daemon, &id).await, ["call.place", "call.transfer", "call.transfer"]);
}

#[tokio::test]
async fn a_call_is_ended_once_by_any_of_the_apis() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let mut hung_up = Vec::new();
    for n in 0..3 {
        let id = talking(&daemon, &team).await;
        let placed = daemon.carrier.last();
        let (path, body, done) = match n {
            0 => (format!("/switchback/v1/calls/{id}/hangup"), json!({}), 202),
            1 => (format!("/v1/calls/{id}/cancel"), json!({ "force": true }), 200),
            _ => {
                let path = format!("/api/v1/agents/{}/end-call", team.caller);
                (path, json!({ "call_sid": id }), 200)
            }
        };
        let once = format!("h-{n}");
        daemon.carrier.steers_not(REFUSED.0, REFUSED.1);
        let (status, body_of) = ask(&daemon, &path, &body, &once).await;
        assert_eq!(status, 502, "{path}: {body_of}");
        for _ in 0..2 {
            let (status, answer) = ask(&daemon, &path, &body, &once).await;
            assert_eq!(status, done, "{path}: {answer}");
        }
        hung_up.extend([placed.sid.clone(), placed.sid.clone()]);
        assert_eq!(daemon.carrier.hung_up(), hung_up, "{path}");
        assert_eq!(trail(&daemon, &id).await, ["call.place", "call.hangup", "call.hangup"]);
        daemon.carrier.tell(&placed, "completed", &[]).await;
        daemon.becomes(&id, "status", "completed").await;
        let row = daemon.get(&format!("/switchback/v1/calls/{id}")).await;
        assert_eq!(row["ended_by"], "api", "{row}");
        // Who asks again under the key hears the same though the call is over; a stranger to it
        // hears that it is.
        assert_eq!(ask(&daemon, &path, &body, &once).await.0, done, "{path}");
        assert_eq!(ask(&daemon, &path, &body, "other").await.0, 409, "{path}");
    }
}
