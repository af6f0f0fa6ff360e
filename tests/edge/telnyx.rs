//! A call through Telnyx Call Control: signed events in, requests to the API out, and the media
//! socket in Telnyx's own words.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
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

/// What the API says to an action on our leg, and after how long.
type Says = fn(&str) -> (u16, Duration);

/// A stand-in for the API that does what it is told.
async fn api() -> (String, Asked) {
    api_saying(|_| (200, Duration::ZERO)).await
}

async fn api_saying(says: Says) -> (String, Asked) {
    let (asked, found) = mpsc::unbounded_channel();
    let take =
        async |State((asked, says)): State<(mpsc::UnboundedSender<(String, Value)>, Says)>,
               Path((leg, action)): Path<(String, String)>,
               Json(body): Json<Value>| {
            let (status, after) = says(&action);
            let action = if leg == LEG { action } else { format!("{leg} {action}") };
            asked.send((action, body)).unwrap();
            tokio::time::sleep(after).await;
            let body = match status {
                200 => json!({ "data": { "result": "ok" } }),
                _ => json!({ "errors": [{ "code": "10015", "title": "Bad Request" }] }),
            };
            (StatusCode::from_u16(status).unwrap(), Json(body))
        };
    let router = Router::new().route("/v2/calls/{leg}/actions/{action}", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router.with_state((asked, says))).into_future());
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
    setup_ladder(daemon, &[target]).await;
}

async fn setup_ladder(daemon: &Daemon, targets: &[&str]) {
    let number = json!({ "e164": "+12125550142", "account": ACCOUNT });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    let agent = json!({ "name": "Desk", "type": "inbound", "targets": targets });
    let agent = daemon.post("/v1/agents", agent).await;
    let path = format!("/v1/agents/{}/numbers", agent["id"].as_str().unwrap());
    daemon.post(&path, json!({ "number_id": number["id"] })).await;
}

/// Posts an event as Telnyx does.
async fn event(daemon: &Daemon, kind: &str, id: &str, payload: Value) -> (u16, String) {
    event_of(daemon, LEG, kind, id, payload).await
}

async fn event_of(
    daemon: &Daemon,
    leg: &str,
    kind: &str,
    id: &str,
    payload: Value,
) -> (u16, String) {
    let mut body = json!({ "data": { "event_type": kind, "id": id, "payload": payload } });
    body["data"]["payload"]["call_control_id"] = leg.into();
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

/// Nothing is asked within a time in which it would have been.
async fn nothing(asked: &mut Asked) {
    let more = timeout(Duration::from_millis(300), asked.recv()).await;
    assert!(more.is_err(), "{more:?}");
}

fn hangup() -> Value {
    json!({ "hangup_cause": "normal_clearing", "from": "+14155550117", "to": "+12125550142" })
}

#[tokio::test]
async fn an_answer_that_is_refused_is_followed_by_the_next_target() {
    let daemon = Daemon::start().await;
    let refuses: Says = |action| match action {
        "transfer" => (422, Duration::ZERO),
        _ => (200, Duration::ZERO),
    };
    let (api_url, mut asked) = api_saying(refuses).await;
    account(&daemon, &api_url).await;
    setup_ladder(&daemon, &["tel:+14155550188", "sip:desk@pbx.example.com", "busy"]).await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let began = clock::instant();
    let (first, second) = (next(&mut asked).await, next(&mut asked).await);
    assert_eq!((&*first.0, &first.1["to"]), ("transfer", &json!("+14155550188")));
    assert_eq!((&*second.0, &second.1["to"]), ("transfer", &json!("sip:desk@pbx.example.com")));
    assert_ne!(first.1["command_id"], second.1["command_id"], "another request, not the same");
    assert_eq!(next(&mut asked).await.0, "reject");
    assert!(began.elapsed() < Duration::from_secs(2));
    event(&daemon, "call.hangup", "e2", hangup()).await;
    let calls = ended_calls(&daemon).await;
    let id = calls[0]["id"].as_str().unwrap();
    let call = daemon.get(&format!("/switchback/v1/calls/{id}")).await;
    let tried = call["targets_tried"].as_array().unwrap();
    let outcomes: Vec<_> = tried.iter().map(|tried| tried["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["carrier_refused", "carrier_refused", "refused"], "{call}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_carrier_that_fails_at_one_thing_is_asked_for_another_in_time() {
    let daemon = Daemon::start().await;
    let fails: Says = |action| match action {
        "transfer" => (503, Duration::ZERO),
        _ => (200, Duration::ZERO),
    };
    let (api_url, mut asked) = api_saying(fails).await;
    account(&daemon, &api_url).await;
    setup_ladder(&daemon, &["tel:+14155550188", "busy"]).await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let began = clock::instant();
    let (_, first) = next(&mut asked).await;
    loop {
        let (action, body) = next(&mut asked).await;
        if action == "reject" {
            break;
        }
        assert_eq!(body["command_id"], first["command_id"], "the same, once more");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    daemon.stop().await;
}

#[tokio::test]
async fn a_command_without_a_reply_is_sent_again_as_the_same() {
    let daemon = Daemon::start().await;
    let slow: Says = |_| (200, Duration::from_millis(700));
    let (api_url, mut asked) = api_saying(slow).await;
    account(&daemon, &api_url).await;
    setup(&daemon, "busy").await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let began = clock::instant();
    let (first, second) = (next(&mut asked).await, next(&mut asked).await);
    assert_eq!(first, second);
    assert!((400..700).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // So is the API's own wish to end a call.
    let calls = daemon.get("/switchback/v1/calls").await;
    let id = calls["data"][0]["id"].as_str().unwrap();
    let path = format!("/switchback/v1/calls/{id}/hangup");
    let end = daemon.api(reqwest::Method::POST, &path, Some(json!({})));
    let hangups = async {
        let mut hangups = Vec::new();
        while hangups.len() < 2 {
            let (action, body) = next(&mut asked).await;
            if action == "hangup" {
                hangups.push(body["command_id"].clone());
            }
        }
        hangups
    };
    let (_, hangups) = tokio::join!(end, hangups);
    assert_eq!(hangups[0], hangups[1]);
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_told_of_a_call_that_is_over_is_not_acted_on() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "builtin:echo").await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (_, body) = next(&mut asked).await;
    event(&daemon, "call.hangup", "e2", hangup()).await;
    // Its stream's end comes after its own, and then its beginning once more.
    let stopped = json!({ "client_state": body["client_state"] });
    assert_eq!(event(&daemon, "streaming.stopped", "e3", stopped).await.0, 200);
    assert_eq!(event(&daemon, "call.initiated", "e4", initiated()).await.0, 200);
    nothing(&mut asked).await;
    assert_eq!(ended_calls(&daemon).await.len(), 1);
    let metrics = daemon.metrics().await;
    let late = "switchback_webhooks_total{carrier=\"telnyx\",account=\"telnyx-main\",\
                kind=\"voice\",outcome=\"late\"} ";
    assert!(metrics.contains(late), "{metrics}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_call_outlives_the_process_that_answered_it() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "builtin:echo").await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (_, first) = next(&mut asked).await;
    let (dir, _) = daemon.stop().await;

    let daemon = Daemon::start_in(dir).await;
    // Told again after a restart, it is answered again, and done once: by the same id.
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (action, again) = next(&mut asked).await;
    assert_eq!((&*action, &again["command_id"]), ("answer", &first["command_id"]));
    let (dir, _) = daemon.stop().await;

    let daemon = Daemon::start_in(dir).await;
    // The stream went with the process. Who called whom is in what we left on the call.
    let stopped = json!({ "client_state": first["client_state"] });
    event(&daemon, "streaming.stopped", "e2", stopped).await;
    let (action, body) = next(&mut asked).await;
    assert_eq!(action, "streaming_start", "{body}");
    let calls = daemon.get("/switchback/v1/calls").await;
    let calls = calls["data"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["from"]), (1, &json!("+14155550117")), "{calls:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_call_that_somebody_else_takes_elsewhere_is_left_alone() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup_ladder(&daemon, &["builtin:echo", "say:Sorry."]).await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (_, body) = next(&mut asked).await;
    // The bot itself has it transferred by Telnyx's API; then its stream ends.
    event(&daemon, "call.bridged", "e2", json!({ "client_state": body["client_state"] })).await;
    let stopped = json!({ "client_state": body["client_state"] });
    event(&daemon, "streaming.stopped", "e3", stopped).await;
    nothing(&mut asked).await;
    event(&daemon, "call.hangup", "e4", hangup()).await;
    let calls = ended_calls(&daemon).await;
    assert_eq!(calls[0]["ended_by"], "transferred_externally", "{calls:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_call_is_moved_out_of_a_transfer_by_the_leg_it_dials() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    account(&daemon, &api_url).await;
    setup(&daemon, "tel:+14155550188").await;
    event(&daemon, "call.initiated", "e1", initiated()).await;
    let (_, body) = next(&mut asked).await;
    assert_eq!(body["park_after_unbridge"], "self");
    let leg = json!({ "direction": "outgoing", "state": "bridging", "from": "+12125550142",
        "to": "+14155550188", "client_state": body["target_leg_client_state"] });
    event_of(&daemon, "v3:child", "call.initiated", "e2", leg.clone()).await;
    // Ours: not somebody else's doing.
    event(&daemon, "call.bridged", "e3", json!({})).await;
    let calls = daemon.get("/switchback/v1/calls").await;
    let id = calls["data"][0]["id"].as_str().unwrap();
    let path = format!("/switchback/v1/calls/{id}/transfer");
    let to = json!({ "target": "say:Back with us." });
    let (status, answer) = daemon.api(reqwest::Method::POST, &path, Some(to)).await;
    assert!(status < 300, "{answer}");
    assert_eq!(next(&mut asked).await.0, "v3:child hangup");
    let mut ended = leg;
    ended["hangup_cause"] = "normal_clearing".into();
    event_of(&daemon, "v3:child", "call.hangup", "e4", ended).await;
    let (action, body) = next(&mut asked).await;
    assert_eq!((&*action, &body["payload"]), ("speak", &json!("Back with us.")));
    daemon.stop().await;
}
