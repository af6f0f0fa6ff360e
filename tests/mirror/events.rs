//! The hosted service's webhooks: a call it placed is known here before the next pull.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use switchback::{dialects::rfc3339, telemetry::clock};

use crate::{
    daemon::{KINDS, LINE, PERSON, SECRET, STRANGER, until},
    mirrored::{Scene, scene},
};

fn mac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A header as the service signs.
fn signed(kind: &str, body: &str, age: u64) -> (&'static str, String) {
    if kind == "talkover" {
        return ("X-Talkover-Signature", format!("sha256={}", mac(body)));
    }
    let at = clock::now().seconds().0 - age;
    let other = "00".repeat(32);
    ("CallingBox-Signature", format!("t={at},v1={other},v1={}", mac(&format!("{at}.{body}"))))
}

/// An event about a call to a stranger.
fn event(kind: &str, scene: &Scene, status: &str, name: &str) -> Value {
    let (id, at) = ("018f4a9e-0000-7000-8000-00000000c0de", rfc3339(clock::now()));
    match kind {
        "talkover" => json!({
            "event": name, "agent_id": scene.caller, "timestamp": at,
            "call": { "id": id, "direction": "outbound", "from": LINE, "to": STRANGER,
                "status": status.replace('_', "-") }
        }),
        _ => json!({
            "id": "e", "type": "call.x", "created": 1, "api_version": "2026-04",
            "data": { "call": { "id": id, "agent_id": scene.caller, "direction": "outbound",
                "from_number": LINE, "to_number": STRANGER, "status": status, "created_at": at } }
        }),
    }
}

#[tokio::test]
async fn a_call_is_a_touch_at_once() {
    for kind in KINDS {
        let scene = scene(kind).await;
        scene.complete(kind).await;
        let here = &scene.here;
        assert_eq!(here.lands(STRANGER, LINE).await.0, "default");
        for (status, name, outcome) in [
            ("ringing", "event_phone_call_started", "pending"),
            ("no_answer", "event_phone_call_did_not_connect", "no_answer"),
        ] {
            let body = event(kind, &scene, status, name).to_string();
            let (header, value) = signed(kind, &body, 0);
            assert_eq!(here.event("source", (header, &value), body).await, 200);
            let is_known = async || {
                here.touches(STRANGER).await.first().is_some_and(|t| t["outcome"] == outcome)
            };
            until(outcome, is_known).await;
        }
        assert_eq!(here.lands(STRANGER, LINE).await, ("callback".to_owned(), scene.desk.clone()));
        assert_eq!(here.touches(STRANGER).await.len(), 1);
        assert_eq!(here.touches(PERSON).await.len(), 1);
    }
}

#[tokio::test]
async fn only_the_service_is_heard() {
    for kind in KINDS {
        let scene = scene(kind).await;
        let here = &scene.here;
        let body = event(kind, &scene, "ringing", "event_phone_call_started").to_string();
        let (header, value) = signed(kind, &body, 0);
        let changed = format!("{body} ");
        assert_eq!(here.event("source", (header, &value), changed).await, 401, "{kind}");
        assert_eq!(here.event("source", ("x-nothing", "1"), body.clone()).await, 401);
        assert_eq!(here.event("nobody", (header, &value), body.clone()).await, 404);
        let (header, value) = signed(kind, "no json", 0);
        assert_eq!(here.event("source", (header, &value), "no json".to_owned()).await, 400);
        if kind == "callingbox" {
            let (header, value) = signed(kind, &body, 400);
            assert_eq!(here.event("source", (header, &value), body).await, 401);
        }
        let large = "x".repeat(2 * 1024 * 1024);
        assert_eq!(here.event("source", ("x-nothing", "1"), large).await, 413);
        assert!(here.touches(STRANGER).await.is_empty());
        let metrics = here.metrics().await;
        assert!(metrics.contains("switchback_upstream_events_total{outcome=\"unsigned\"}"));
    }
}
