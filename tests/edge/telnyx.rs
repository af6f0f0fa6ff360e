//! A call through Telnyx Call Control: signed events in, requests to the API out, and the media
//! socket in Telnyx's own words.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::post,
};
use base64_simd::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use switchback::telemetry::clock;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use crate::daemon::{Daemon, OPERATOR};

const LEG: &str = "v3:abc-1";
const ACCOUNT: &str = "telnyx-main";

/// What the carrier's API was asked: the action, and with what.
type Asked = mpsc::UnboundedReceiver<(String, Value)>;

/// A stand-in for the API that does what it is told.
async fn api() -> (String, Asked) {
    let (asked, found) = mpsc::unbounded_channel();
    let take = async |State(asked): State<mpsc::UnboundedSender<(String, Value)>>,
                      Path((leg, action)): Path<(String, String)>,
                      Json(body): Json<Value>| {
        assert_eq!(leg, LEG);
        asked.send((action, body)).unwrap();
        Json(json!({ "data": { "result": "ok" } }))
    };
    let router = Router::new().route("/v2/calls/{leg}/actions/{action}", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router.with_state(asked)).into_future());
    (url, found)
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

async fn account(daemon: &Daemon, api_url: &str) {
    let public = STANDARD.encode_to_string(key().verifying_key().as_bytes());
    let body = json!({ "name": ACCOUNT, "kind": "telnyx", "api_key": "KEY0123",
        "public_keys": [public], "api_url": api_url });
    let method = reqwest::Method::POST;
    let path = "/switchback/v1/carrier-accounts";
    let (status, body) = daemon.api_as(OPERATOR, method, path, Some(body)).await;
    assert_eq!(status, 201, "{body}");
}

async fn setup(daemon: &Daemon, target: &str) {
    let number = json!({ "e164": "+12125550142", "account": ACCOUNT });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    let agent = json!({ "name": "Desk", "type": "inbound", "targets": [target] });
    let agent = daemon.post("/v1/agents", agent).await;
    let path = format!("/v1/agents/{}/numbers", agent["id"].as_str().unwrap());
    daemon.post(&path, json!({ "number_id": number["id"] })).await;
}

/// Posts an event as Telnyx does.
async fn event(daemon: &Daemon, kind: &str, id: &str, payload: Value) -> (u16, String) {
    let mut body = json!({ "data": { "event_type": kind, "id": id, "payload": payload } });
    body["data"]["payload"]["call_control_id"] = LEG.into();
    let body = body.to_string();
    let at = clock::now().seconds().0.to_string();
    let signature = key().sign(format!("{at}|{body}").as_bytes()).to_bytes();
    let url = format!("http://{}/carriers/{ACCOUNT}/voice", daemon.edge);
    let response = daemon
        .http
        .post(url)
        .header("content-type", "application/json")
        .header("telnyx-signature-ed25519", STANDARD.encode_to_string(signature))
        .header("telnyx-timestamp", at)
        .body(body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn next(asked: &mut Asked) -> (String, Value) {
    timeout(Duration::from_secs(5), asked.recv()).await.expect("no request").unwrap()
}

fn initiated() -> Value {
    json!({ "direction": "incoming", "state": "parked",
        "from": "+14155550117", "to": "+12125550142" })
}

/// The calls, once the newest has ended.
async fn ended_calls(daemon: &Daemon) -> Vec<Value> {
    for _ in 0..50 {
        let calls = daemon.get("/switchback/v1/calls").await;
        let calls = calls["data"].as_array().unwrap().clone();
        if calls.first().is_some_and(|call| call["status"] == "completed") {
            return calls;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the call has not ended")
}

#[tokio::test]
async fn a_call_is_answered_by_requests_and_heard_in_telnyxs_words() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "builtin:echo").await;

    assert_eq!(event(&daemon, "call.initiated", "e1", initiated()).await, (200, String::new()));
    let (action, body) = next(&mut asked).await;
    assert_eq!(action, "answer");
    assert_eq!(body["stream_bidirectional_mode"], "rtp");
    assert_eq!(body["stream_bidirectional_codec"], "PCMU");
    // Told again: the same answer, and nothing new is asked of the carrier.
    assert_eq!(event(&daemon, "call.initiated", "e1", initiated()).await.0, 200);

    let stream = body["stream_url"].as_str().unwrap();
    let (_, path) = stream.split_once("/media/").unwrap();
    let url = format!("ws://{}/media/{path}", daemon.edge);
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let mut say = async |message: Value| {
        socket.send(Message::Text(message.to_string().into())).await.unwrap();
    };
    say(json!({ "event": "connected", "version": "1.0.0" })).await;
    say(json!({ "event": "start", "sequence_number": "1", "stream_id": "s1", "start": {
        "call_control_id": LEG, "user_id": "u1",
        "media_format": { "encoding": "PCMU", "sample_rate": 8000, "channels": 1 } } }))
    .await;
    // Out of order, as the carrier may send them.
    for (chunk, byte) in [(1_u8, 11_u8), (3, 33), (2, 22), (4, 44), (5, 55), (6, 66)] {
        let payload = STANDARD.encode_to_string([byte; 160]);
        say(json!({ "event": "media", "stream_id": "s1", "sequence_number": chunk.to_string(),
            "media": { "track": "inbound", "chunk": chunk.to_string(), "payload": payload } }))
        .await;
    }
    let mut heard = Vec::new();
    while heard.len() < 3 * 160 {
        let message = timeout(Duration::from_secs(5), socket.next()).await.expect("silence");
        let Message::Text(text) = message.unwrap().unwrap() else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["event"] == "media" {
            assert!(message.get("streamSid").is_none(), "{message}");
            let payload = message["media"]["payload"].as_str().unwrap();
            heard.extend(STANDARD.decode_to_vec(payload).unwrap());
        }
    }
    let mut order: Vec<_> = heard.clone();
    order.dedup();
    assert_eq!(order.get(..3), Some(&[11, 22, 33][..]), "in the order it was said");

    socket.close(None).await.unwrap();
    let ended = json!({ "hangup_cause": "normal_clearing", "from": "+14155550117",
        "to": "+12125550142" });
    assert_eq!(event(&daemon, "call.hangup", "e9", ended).await.0, 200);
    let calls = ended_calls(&daemon).await;
    assert_eq!(calls.len(), 1, "one call, however often it was told: {calls:?}");
    assert_eq!(calls[0]["status"], "completed", "{calls:?}");
    assert!(asked.try_recv().is_err(), "the repeated event asked nothing");
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_spoken_is_heard_by_somebody() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "say:We are closed.").await;

    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (action, body) = next(&mut asked).await;
    assert_eq!(action, "answer", "nobody hears what is said to a call that rings");
    let answered = json!({ "client_state": body["client_state"], "from": "+14155550117",
        "to": "+12125550142" });
    event(&daemon, "call.answered", "e2", answered).await;
    let (action, body) = next(&mut asked).await;
    assert_eq!((action.as_str(), &body["payload"]), ("speak", &json!("We are closed.")));
    let spoken = json!({ "client_state": body["client_state"], "status": "completed" });
    event(&daemon, "call.speak.ended", "e3", spoken).await;
    assert_eq!(next(&mut asked).await.0, "hangup");
    daemon.stop().await;
}

#[tokio::test]
async fn a_stream_that_fails_is_followed_by_the_next_target() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "builtin:echo").await;

    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (_, body) = next(&mut asked).await;
    let failed = json!({ "client_state": body["client_state"],
        "failure_reason": "connection_failed" });
    event(&daemon, "streaming.failed", "e2", failed).await;
    // No target is left but the last resort, which speaks.
    assert_eq!(next(&mut asked).await.0, "speak");
    daemon.stop().await;
}
