//! A target that a carrier cannot do is refused when it is saved, by whichever API, and so is what
//! would bring such a target and such a carrier together.

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{
    carriers::room,
    domain::{CarrierId, Target},
};

use crate::daemon::{Daemon, OPERATOR};

const REDIRECT: &str = "redirect:https://before.example.com/voice";
const CANNOT: &str = "+12125550142 is at telnyx, which cannot do redirect targets";

async fn number_at_telnyx(daemon: &Daemon) -> String {
    let public = base64_simd::STANDARD.encode_to_string([9; 32]);
    let body = json!({ "name": "control", "kind": "telnyx", "api_key": "KEY0123",
        "public_keys": [public] });
    let path = "/switchback/v1/carrier-accounts";
    let (status, body) = daemon.api_as(OPERATOR, Method::POST, path, Some(body)).await;
    assert_eq!(status, 201, "{body}");
    let number = json!({ "e164": "+12125550142", "account": "control" });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    number["id"].as_str().unwrap().to_owned()
}

fn agent(targets: &[&str], numbers: &[&str]) -> Value {
    json!({ "name": "Desk", "type": "inbound", "targets": targets, "number_ids": numbers })
}

#[track_caller]
fn refused((status, body): (u16, Value), expected: u16) {
    assert_eq!(status, expected, "{body}");
    assert!(body.to_string().contains(CANNOT), "{body}");
}

#[tokio::test]
async fn what_a_carrier_cannot_do_is_not_saved() {
    let daemon = Daemon::start().await;
    let there = number_at_telnyx(&daemon).await;
    let here = json!({ "e164": "+14155550100", "account": "main" });
    let here = daemon.post("/switchback/v1/numbers", here).await;
    let here = here["id"].as_str().unwrap();
    let api = async |method: Method, path: &str, body| daemon.api(method, path, Some(body)).await;

    // Our own API.
    let number = format!("/switchback/v1/numbers/{there}");
    let (status, body) = api(Method::PATCH, &number, json!({ "passthrough": REDIRECT })).await;
    assert_eq!(body["fields"]["passthrough"], format!("{CANNOT}."), "{body}");
    assert_eq!(status, 422);
    daemon.api(Method::PATCH, &number, Some(json!({ "passthrough": "say:Hello." }))).await;
    let settings = "/switchback/v1/settings";
    for field in ["last_resort", "block_target"] {
        let (status, body) = api(Method::PATCH, settings, json!({ field: REDIRECT })).await;
        let why = body["fields"][field].as_str().unwrap_or_default();
        assert!(status == 422 && why.contains("at telnyx, which cannot do redirect"), "{body}");
    }
    // CallingBox's.
    let made = api(Method::POST, "/v1/agents", agent(&["busy", REDIRECT], &[&there])).await;
    refused(made, 400);
    let kept = daemon.post("/v1/agents", agent(&["busy"], &[&there])).await;
    let path = format!("/v1/agents/{}", kept["id"].as_str().unwrap());
    refused(api(Method::PATCH, &path, json!({ "targets": ["busy", REDIRECT] })).await, 400);
    // Talkover's.
    let calling = format!("/api/v1/agents/{}/calling", kept["id"].as_str().unwrap());
    let ladder = json!({ "direction": "inbound", "targets": [REDIRECT] });
    let (status, body) = api(Method::PUT, &calling, ladder).await;
    assert_eq!(body["errors"]["targets.0"], json!([format!("{CANNOT}.")]), "{body}");
    assert_eq!(status, 422);
    // An agent that can do it elsewhere is not brought there.
    let mut other = agent(&[REDIRECT], &[here]);
    other["type"] = "outbound".into();
    let other = daemon.post("/v1/agents", other).await;
    let numbers = format!("/v1/agents/{}/numbers", other["id"].as_str().unwrap());
    refused(api(Method::POST, &numbers, json!({ "number_id": there })).await, 400);
    // Nor is a number moved to where its passthrough cannot be done.
    let path = format!("/switchback/v1/numbers/{here}");
    let (status, body) = api(Method::PATCH, &path, json!({ "passthrough": REDIRECT })).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = api(Method::PATCH, &path, json!({ "account": "control" })).await;
    assert_eq!(status, 422, "{body}");
    // What has nothing to do with it is written as ever.
    let (status, body) = api(Method::PATCH, &path, json!({ "friendly_name": "Front" })).await;
    assert_eq!(status, 200, "{body}");
    daemon.stop().await;
}

/// Which target kinds a carrier cannot do; everything else every carrier can.
const fn cannot(carrier: CarrierId) -> &'static [&'static str] {
    match carrier {
        CarrierId::Telnyx | CarrierId::Vonage => &["redirect"],
        CarrierId::Bandwidth
        | CarrierId::Plivo
        | CarrierId::SignalWire
        | CarrierId::TelnyxTexml
        | CarrierId::Twilio => &[],
    }
}

#[test]
fn every_carrier_can_do_what_is_said_of_it() {
    let targets = [
        "wss://bot.example.com/ws",
        "builtin:echo",
        "agent:00000000-0000-0000-0000-000000000001",
        "tel:+14155550100",
        "sip:desk@pbx.example.com",
        REDIRECT,
        "say:Hello.",
        "busy",
        "reject",
    ];
    for &carrier in CarrierId::ALL {
        for text in targets {
            let target: Target = text.parse().unwrap();
            let expected = !cannot(carrier).contains(&target.kind());
            assert_eq!(room(carrier).can(&target), expected, "{carrier}: {text}");
        }
    }
}
