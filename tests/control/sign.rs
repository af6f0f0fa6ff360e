//! Test requests signed as a carrier's: for operators, for our own URLs, where it is allowed.

use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use switchback::{
    carriers::{self, CarrierId, Endpoint, Request},
    control::Settings,
    domain::UnixMillis,
};

use crate::daemon::Daemon;

const EDGE: &str = "https://edge.example.com";

async fn daemon(allow_sign: bool) -> Daemon {
    Daemon::start_with(Settings {
        public_url: EDGE.to_owned(),
        media_url: "wss://edge.example.com".to_owned(),
        allow_sign,
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn a_test_call_is_signed_for_operators_and_written_down() {
    let daemon = daemon(true).await;
    let path = "/switchback/v1/carrier-accounts/first/sign";
    let url = format!("{EDGE}/carriers/first/voice");
    let form = "AccountSid=ACfirst&CallSid=CA1&From=%2B14155550137&To=%2B14155550142";
    let body = json!({ "method": "POST", "url": url, "body": form });
    let signed = daemon.operator.post(path, body.clone()).await.is(200);

    let mut headers = HeaderMap::new();
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert("content-type", form_type);
    let signature = signed["headers"]["x-twilio-signature"].as_str().unwrap();
    headers.insert("x-twilio-signature", signature.parse().unwrap());
    let method = Method::POST;
    let request = Request { method: &method, url: &url, headers: &headers, body: form.as_bytes() };
    let accounts = daemon.store.read(|rows| rows.accounts()).await.unwrap();
    let account = accounts.iter().find(|account| account.name == "first").unwrap();
    let room = carriers::room(CarrierId::Twilio);
    room.receive(Endpoint::Voice, &request, account, UnixMillis(0)).unwrap();

    let trail = daemon.store.read(|rows| rows.audit(None, 10)).await.unwrap();
    assert!(trail.iter().any(|entry| entry.action == "account.sign"), "{trail:?}");

    let socket = json!({ "method": "GET", "url": "wss://edge.example.com/media/7f3a" });
    daemon.operator.post(path, socket).await.is(200);
    let tenant = daemon.tenant("one").await;
    tenant.post(path, body.clone()).await.is(403);
    let gone = "/switchback/v1/carrier-accounts/third/sign";
    daemon.operator.post(gone, body).await.is(404);
}

#[tokio::test]
async fn nothing_else_is_signed() {
    let path = "/switchback/v1/carrier-accounts/first/sign";
    let open = daemon(true).await;
    for url in [
        "https://elsewhere.example.com/voice",
        "https://edge.example.com/carriers/second/voice",
        "https://edge.example.com.example.org/carriers/first/voice",
        "wss://edge.example.com/other",
    ] {
        let body = json!({ "method": "POST", "url": url, "body": "" });
        let refused = open.operator.post(path, body).await.is(422);
        assert!(refused["fields"]["url"].is_string(), "{refused}");
    }
    let trail = open.store.read(|rows| rows.audit(None, 10)).await.unwrap();
    assert!(trail.iter().all(|entry| entry.action != "account.sign"), "{trail:?}");

    let url = format!("{EDGE}/carriers/first/voice");
    let body = json!({ "method": "POST", "url": url, "body": "" });
    let refused = daemon(false).await.operator.post(path, body).await.is(403);
    assert_eq!(refused["code"], "signing_off");
}
