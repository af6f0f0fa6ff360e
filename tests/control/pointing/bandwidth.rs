//! Numbers at Bandwidth, which are listed, and pointed by who points their location.

use serde_json::json;

use super::{account, all, command, daemon, step};
use crate::{
    daemon::{Caller, Daemon},
    desk::{
        Desk,
        others::{SECRET, USER},
    },
};

const FIRST: &str = "+19195550197";

async fn bandwidth(daemon: &Daemon) -> (Desk, Caller, String) {
    let desk = Desk::open().await;
    for (digits, status) in [
        ("9195550197", "Inservice"),
        ("9195550198", "PortInPendingFoc"),
        ("9195550199", "Inservice"),
        ("9195550200", "Inservice"),
        ("9195550201", "Aging"),
    ] {
        desk.put_number(digits, json!({ "status": status }));
    }
    let fields = json!({ "kind": "bandwidth", "account_id": "9900008", "user": USER,
        "password": SECRET, "webhook_user": "switchback", "webhook_password": "long" });
    let (caller, path) = account(daemon, &desk, fields).await;
    (desk, caller, path)
}

#[tokio::test]
async fn numbers_in_service_are_listed_and_checked() {
    let daemon = daemon().await;
    let (desk, caller, path) = bandwidth(&daemon).await;
    let rows = all(&caller, &path).await;
    let shown: Vec<&str> = rows.iter().map(|row| row["e164"].as_str().unwrap()).collect();
    assert_eq!(shown, [FIRST, "+19195550199", "+19195550200"]);
    let row = &rows[0];
    assert_eq!((&row["state"], &row["takes_calls"]), (&json!("unknown"), &json!(true)));
    assert_eq!(row["answered_by"]["kind"], "unknown");
    let first = caller.get(&path).await.is(200);
    assert_eq!(first["next_page"], "3.9195550199", "the id alone");

    let number = json!({ "e164": FIRST, "account": "main" });
    caller.post("/switchback/v1/numbers", number).await.is(201);
    let check = format!("{path}/check");
    let well = caller.post(&check, json!({})).await.is(200);
    assert_eq!((&well["ok"], &well["numbers"][0]["state"]), (&json!(true), &json!("unknown")));
    desk.put_number("9195550197", json!({ "status": "Disconnected" }));
    let gone = caller.post(&check, json!({})).await.is(200);
    assert_eq!((&gone["ok"], &gone["numbers"][0]["state"]), (&json!(false), &json!("gone")));
}

#[tokio::test]
async fn who_asks_to_point_one_is_told_where_that_is_done() {
    let daemon = daemon().await;
    let (desk, caller, path) = bandwidth(&daemon).await;
    let refused = step(&caller, &path, "point", json!({ "passthrough": false }), FIRST).await;
    assert_eq!(
        (&refused["outcome"], &refused["cause"]),
        (&json!("refused"), &json!("by_location"))
    );
    assert!(refused["message"].as_str().unwrap().contains("docs/bandwidth.md"), "{refused}");
    let back = step(&caller, &path, "unpoint", json!({}), FIRST).await;
    assert_eq!(back["cause"], "not_pointed", "{back}");
    assert_eq!(caller.get("/v1/numbers").await.is(200)["data"], json!([]));
    assert!(desk.changes().is_empty());

    let (code, list, said) = command(&caller, &["list", "--account", "main"]).await;
    assert!(code == 0 && list.contains(FIRST) && list.contains("unknown"), "{list} {said}");
    let (code, told, said) = command(&caller, &["point", "--all", "--account", "main"]).await;
    assert!(code == 1 && told.contains("dashboard"), "{told} {said}");
    let (code, told, said) = command(&caller, &["unpoint", "--all", "--account", "main"]).await;
    assert!(code == 0 && told.contains("0 numbers put back"), "{told} {said}");
}

#[tokio::test]
async fn credentials_that_are_wrong_or_missing_are_named() {
    let daemon = daemon().await;
    let (_desk, caller, path) = bandwidth(&daemon).await;
    let base = "/switchback/v1/carrier-accounts/main";
    let wrong = json!({ "user": USER, "password": "another" });
    daemon.operator.patch(base, wrong).await.is(200);
    let refused = caller.get(&path).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (502, &json!("credentials")));
    assert!(refused.body.to_string().contains("not valid"), "{}", refused.body);
    daemon.operator.patch(base, json!({ "user": null, "password": null })).await.is(200);
    let lacks = caller.get(&path).await.is(422);
    assert!(lacks.to_string().contains("client_id"), "{lacks}");
}
