//! A call through Vonage: signed webhooks in, documents out, and a media socket of bytes.

use std::time::Duration;

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use switchback::telemetry::clock;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;

use crate::daemon::{Daemon, OPERATOR, PUBLIC_URL};

const ACCOUNT: &str = "vonage-main";
const API_KEY: &str = "dfe52f80";
const APPLICATION: &str = "b27451af-72ae-4dcb-b089-35a40a274a99";
const SECRET: &str = "ZkutmCH3Acswv6H4JSQU4istLYGGDeYzHQsRhm3Sqo8jw3D7";
const KEY: &str = include_str!("../fixtures/vonage/test_only_rsa_key.pem");
const LEG: &str = "37fbede4-8bef-46a4-a2ef-78f83147d680";
const SOCKET_LEG: &str = "eb2b4c3b-32b7-4d59-9851-43f61ad31612";
const MS_20: usize = 640;

async fn account(daemon: &Daemon) {
    let body = json!({ "name": ACCOUNT, "kind": "vonage", "api_key": API_KEY,
        "application_id": APPLICATION, "private_key": KEY,
        "signature_secrets": ["another", SECRET] });
    let path = "/switchback/v1/carrier-accounts";
    let (status, body) = daemon.api_as(OPERATOR, Method::POST, path, Some(body)).await;
    assert_eq!(status, 201, "{body}");
    assert!(!body.to_string().contains(SECRET) && !body.to_string().contains("PRIVATE"), "{body}");
}

async fn setup(daemon: &Daemon, targets: &[String]) {
    account(daemon).await;
    let number = json!({ "e164": "+12125550142", "account": ACCOUNT });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    let agent = json!({ "name": "Desk", "type": "inbound", "targets": targets,
        "runtime_media": "l16_16000", "number_ids": [number["id"]] });
    daemon.post("/v1/agents", agent).await;
}

/// The token Vonage puts on a request: what it hashes is the body, or a GET's query as JSON.
fn bearer(payload: &str) -> String {
    let claims = json!({ "iat": clock::now().seconds().0, "jti": Uuid::now_v7(),
        "iss": "Vonage", "payload_hash": hex(&Sha256::digest(payload)),
        "api_key": API_KEY, "application_id": APPLICATION });
    let part = |json: &str| URL_SAFE_NO_PAD.encode_to_string(json);
    let signed =
        format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode_to_string(mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call comes in: what it is answered.
async fn answer(daemon: &Daemon) -> (u16, String) {
    let query = [("to", "12125550142"), ("from", "14155550117"), ("uuid", LEG)];
    let text: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let hashed = query.iter().map(|(name, value)| format!(r#""{name}":"{value}""#));
    let hashed = format!("{{{}}}", hashed.collect::<Vec<_>>().join(","));
    let url = format!("http://{}/carriers/{ACCOUNT}/voice?{}", daemon.edge, text.join("&"));
    let request = daemon.http.get(url).header("authorization", bearer(&hashed));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// An event, sent to a URL of the daemon's.
async fn event(daemon: &Daemon, url: &str, body: &Value) -> (u16, String) {
    let url = url.replace(PUBLIC_URL, &format!("http://{}", daemon.edge));
    let body = body.to_string();
    let request = daemon.http.post(url).header("authorization", bearer(&body));
    let response = request.header("content-type", "application/json").body(body).send().await;
    let response = response.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn socket_event(ncco: &Value, status: &str) -> Value {
    let endpoint = &ncco[0]["endpoint"][0];
    json!({ "from": "12125550142", "to": endpoint["uri"], "uuid": SOCKET_LEG,
        "conversation_uuid": "CON-1", "status": status, "headers": endpoint["headers"] })
}

async fn open(
    daemon: &Daemon,
    ncco: &Value,
    proof: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, u16> {
    let uri = ncco[0]["endpoint"][0]["uri"].as_str().unwrap();
    let path = uri.strip_prefix("wss://edge.example.com").unwrap();
    let mut request = format!("ws://{}{path}", daemon.edge).into_client_request().unwrap();
    if let Some(proof) = proof {
        request.headers_mut().insert("authorization", proof.parse().unwrap());
    }
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            Err(response.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

/// A runtime that says back what it hears, a second of it, and then hangs up. It tells what it was
/// told in its `start`.
async fn runtime() -> (String, tokio::task::JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let (mut start, mut heard) = (Value::Null, 0);
        while heard < 50 * MS_20 {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            match message["event"].as_str().unwrap() {
                "start" => start = message["start"].clone(),
                "media" => {
                    let payload = message["media"]["payload"].as_str().unwrap();
                    heard += STANDARD.decode_to_vec(payload).unwrap().len();
                    let said = json!({ "event": "media", "streamSid": message["streamSid"],
                        "media": { "payload": payload } });
                    socket.send(Message::text(said.to_string())).await.unwrap();
                }
                _ => {}
            }
        }
        // Time for the last of it to be heard.
        tokio::time::sleep(Duration::from_millis(400)).await;
        socket.close(None).await.unwrap();
        start
    });
    (url, task)
}

#[tokio::test]
async fn a_call_is_answered_heard_and_ended() {
    let daemon = Daemon::start().await;
    let (url, runtime) = runtime().await;
    setup(&daemon, &[url]).await;

    let (status, document) = answer(&daemon).await;
    assert_eq!(status, 200, "{document}");
    // Sent again with a token of its own: the same answer.
    assert_eq!(answer(&daemon).await, (200, document.clone()));
    let ncco: Value = serde_json::from_str(&document).unwrap();
    let endpoint = &ncco[0]["endpoint"][0];
    assert_eq!(endpoint["content-type"], "audio/l16;rate=16000");
    assert_eq!(ncco[0]["from"], "12125550142");

    assert_eq!(open(&daemon, &ncco, None).await.unwrap_err(), 403);
    assert_eq!(open(&daemon, &ncco, Some("Bearer x")).await.unwrap_err(), 403);
    let proof = endpoint["authorization"]["value"].as_str().unwrap();
    let mut socket = open(&daemon, &ncco, Some(proof)).await.unwrap();
    let mut first = endpoint["headers"].clone();
    first["event"] = "websocket:connected".into();
    first["content-type"] = endpoint["content-type"].clone();
    socket.send(Message::text(first.to_string())).await.unwrap();

    check_echo(socket).await;
    let start = runtime.await.unwrap();
    assert_eq!(start["mediaFormat"]["sampleRate"], 16_000, "{start}");
    assert_eq!(start["customParameters"]["from"], "+14155550117", "{start}");

    // The runtime hung up: what follows is the end.
    let step = ncco[0]["eventUrl"][0].as_str().unwrap();
    let cut = socket_event(&ncco, "disconnected");
    assert_eq!(event(&daemon, step, &cut).await, (200, "[]".to_owned()));
    let status_url = format!("{PUBLIC_URL}/carriers/{ACCOUNT}/status");
    let over = json!({ "uuid": LEG, "from": "14155550117", "to": "12125550142",
        "direction": "inbound", "status": "completed", "duration": "3" });
    assert_eq!(event(&daemon, &status_url, &over).await, (200, String::new()));
    // Late, and of the past: it changes nothing.
    let late = json!({ "uuid": LEG, "from": "14155550117", "to": "12125550142",
        "direction": "inbound", "status": "ringing" });
    event(&daemon, &status_url, &late).await;
    let calls = ended_calls(&daemon).await;
    assert_eq!(calls.len(), 1, "one call, however often it was told: {calls:?}");
    assert_eq!(calls[0]["status"], "completed", "{calls:?}");
    daemon.stop().await;
}

/// Speaks in frames, and hears them again in frames until the other side closes.
async fn check_echo(socket: WebSocketStream<TcpStream>) {
    let (mut say, mut hear) = socket.split();
    let speaking = tokio::spawn(async move {
        for at in 0_u8..60 {
            if say.send(Message::Binary(vec![at; MS_20].into())).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut heard = Vec::new();
    let closed = loop {
        match timeout(Duration::from_secs(5), hear.next()).await.expect("silence for 5 s") {
            Some(Ok(Message::Binary(bytes))) => {
                assert_eq!(bytes.len(), MS_20, "a frame, neither more nor less");
                heard.push(bytes[0]);
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => break true,
            Some(Ok(_)) => {}
        }
    };
    assert!(closed && heard.len() > 40, "{heard:?}");
    assert!(heard.is_sorted(), "in the order it was said: {heard:?}");
    speaking.await.unwrap();
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
async fn a_socket_that_fails_is_followed_by_the_next_target() {
    let daemon = Daemon::start().await;
    let targets = ["builtin:echo", "tel:+14155550101", "say:We are closed."].map(str::to_owned);
    setup(&daemon, &targets).await;

    let (_, document) = answer(&daemon).await;
    let ncco: Value = serde_json::from_str(&document).unwrap();
    let step = |ncco: &Value| ncco[0]["eventUrl"][0].as_str().unwrap().to_owned();
    // On its way there, it asks nothing.
    let ringing = socket_event(&ncco, "ringing");
    assert_eq!(event(&daemon, &step(&ncco), &ringing).await, (200, String::new()));
    let failed = socket_event(&ncco, "failed");
    let (status, next) = event(&daemon, &step(&ncco), &failed).await;
    assert_eq!(status, 200);
    assert_eq!(event(&daemon, &step(&ncco), &failed).await.1, next, "told again");
    let dial: Value = serde_json::from_str(&next).unwrap();
    assert_eq!(dial[0]["endpoint"], json!([{ "type": "phone", "number": "14155550101" }]));
    let unanswered = json!({ "from": "12125550142", "to": "14155550101", "uuid": SOCKET_LEG,
        "direction": "outbound", "status": "unanswered" });
    let (_, last) = event(&daemon, &step(&dial), &unanswered).await;
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last[0]["action"], &last[0]["text"]), (&"talk".into(), &"We are closed.".into()));
    daemon.stop().await;
}

#[tokio::test]
async fn who_has_no_token_is_asked_to_come_again() {
    let daemon = Daemon::start().await;
    setup(&daemon, &["builtin:echo".to_owned()]).await;
    let url = format!("http://{}/carriers/{ACCOUNT}/voice?uuid={LEG}", daemon.edge);
    let ask = async |header: Option<&str>| {
        let request = daemon.http.get(&url);
        let request = header.into_iter().fold(request, |r, h| r.header("authorization", h));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(None).await, 503, "Vonage sends it once more, signed");
    assert_eq!(ask(Some("Bearer a.b.c")).await, 401);
    assert_eq!(ask(Some(&bearer("{}"))).await, 401, "a token for something else");
    let metrics = daemon.metrics().await;
    for cause in ["unsigned", "wrong_signature", "body_mismatch"] {
        let found = metrics.lines().any(|line| {
            line.starts_with("switchback_signature_failures_total")
                && line.contains("vonage")
                && line.contains(cause)
        });
        assert!(found, "{cause}: {metrics}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn an_account_names_its_keys() {
    let daemon = Daemon::start().await;
    let path = "/switchback/v1/carrier-accounts";
    let refused = async |change: Value, field: &str| {
        let mut body = json!({ "name": "v", "kind": "vonage", "api_key": API_KEY,
            "application_id": APPLICATION, "private_key": KEY, "signature_secrets": [SECRET] });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, answer) = daemon.api_as(OPERATOR, Method::POST, path, Some(body)).await;
        assert_eq!(status, 422, "{answer}");
        assert!(answer["fields"][field].is_string(), "{answer}");
    };
    refused(json!({ "signature_secrets": null }), "signature_secrets").await;
    refused(json!({ "private_key": null }), "private_key").await;
    refused(json!({ "account_id": "x" }), "account_id").await;
    daemon.stop().await;
}
