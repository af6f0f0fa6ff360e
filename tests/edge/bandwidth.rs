//! A call through Bandwidth: events with a password, BXML, the media socket in Bandwidth's own
//! words, and the API where a document cannot say it.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::HeaderMap,
    routing::post,
};
use base64_simd::STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use switchback::telemetry::clock;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::daemon::{Daemon, OPERATOR, PUBLIC_URL, between};

const ACCOUNT: &str = "bandwidth-main";
const ACCOUNT_ID: &str = "9915855";
const CALL: &str = "c-9bb346f5-e1c601de-3640-4812-88c3-d8d5d96981ae";
const USER: &str = "switchback";
const PASSWORD: &str = "kknkgkp4k68u89s9:hjn9v2kf";

type Socket = WebSocketStream<TcpStream>;
/// What the carrier's API was asked: the call, and with what.
type Asked = mpsc::UnboundedReceiver<(String, Value)>;

/// A stand-in for the API, which takes the token that it gives.
async fn api() -> (String, Asked) {
    let (asked, found) = mpsc::unbounded_channel();
    let token = async |headers: HeaderMap, body: String| {
        assert_eq!(headers["authorization"], basic("client:s3cret"));
        assert_eq!(body, "grant_type=client_credentials");
        Json(json!({ "access_token": "t1", "token_type": "bearer", "expires_in": 3600 }))
    };
    let take = async |State(asked): State<mpsc::UnboundedSender<(String, Value)>>,
                      Path((account, call)): Path<(String, String)>,
                      headers: HeaderMap,
                      Json(body): Json<Value>| {
        assert_eq!(
            (account.as_str(), &headers["authorization"]),
            (ACCOUNT_ID, &"Bearer t1".parse().unwrap())
        );
        asked.send((call, body)).unwrap();
    };
    let router = Router::new()
        .route("/api/v1/oauth2/token", post(token))
        .route("/api/v2/accounts/{account}/calls/{call}", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router.with_state(asked)).into_future());
    (url, found)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode_to_string(credentials))
}

async fn setup(daemon: &Daemon, api_url: &str, agent: Value) {
    let body = json!({ "name": ACCOUNT, "kind": "bandwidth", "account_id": ACCOUNT_ID,
        "webhook_user": USER, "webhook_password": PASSWORD, "client_id": "client",
        "client_secret": "s3cret", "api_url": api_url });
    let path = "/switchback/v1/carrier-accounts";
    let (status, body) = daemon.api_as(OPERATOR, Method::POST, path, Some(body)).await;
    assert_eq!(status, 201, "{body}");
    let number = json!({ "e164": "+12125550142", "account": ACCOUNT });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    let mut body = json!({ "name": "Desk", "type": "inbound", "number_ids": [number["id"]] });
    body.as_object_mut().unwrap().extend(agent.as_object().unwrap().clone());
    daemon.post("/v1/agents", body).await;
}

/// Posts an event as Bandwidth does; to a URL of ours, or to a path of the account's.
async fn event(daemon: &Daemon, target: &str, kind: &str, fields: Value) -> Response {
    let authorization = basic(&format!("{USER}:{PASSWORD}"));
    event_as(daemon, &authorization, target, kind, fields).await
}

async fn event_as(
    daemon: &Daemon,
    authorization: &str,
    target: &str,
    kind: &str,
    fields: Value,
) -> Response {
    let mut body = json!({ "eventType": kind, "accountId": ACCOUNT_ID, "callId": CALL,
        "eventTime": clock::now().0.to_string(), "from": "+14155550117", "to": "+12125550142",
        "direction": "inbound" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let target = target.strip_prefix(PUBLIC_URL).unwrap_or(target);
    let request = daemon.http.post(format!("http://{}{target}", daemon.edge)).json(&body);
    request.header("authorization", authorization).send().await.unwrap()
}

const VOICE: &str = "/carriers/bandwidth-main/voice";
const STATUS: &str = "/carriers/bandwidth-main/status";

async fn document(response: Response) -> String {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/xml");
    response.text().await.unwrap()
}

/// An attribute of the document's first element of that name.
fn attribute(document: &str, element: &str, name: &str) -> String {
    let element = between(document, &format!("<{element}"), ">");
    between(element, &format!(" {name}=\""), "\"").replace("&amp;", "&")
}

/// Opens the socket that a document names, as Bandwidth does.
async fn open(daemon: &Daemon, document: &str, password: &str) -> Result<Socket, Error> {
    let url = attribute(document, "StartStream", "destination");
    let path = url.strip_prefix("wss://edge.example.com").unwrap();
    let mut request = format!("ws://{}{path}", daemon.edge).into_client_request().unwrap();
    let user = attribute(document, "StartStream", "destinationUsername");
    let authorization = basic(&format!("{user}:{password}")).parse().unwrap();
    request.headers_mut().insert("authorization", authorization);
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match timeout(Duration::from_secs(5), socket.next()).await.expect("silence for 5 s") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

fn start() -> Value {
    json!({ "eventType": "start", "metadata": { "accountId": ACCOUNT_ID, "callId": CALL,
        "streamId": "s-1", "streamName": "x", "tracks": [{ "name": "inbound",
        "mediaFormat": { "encoding": "PCMU", "sampleRate": 8000 } }] } })
}

/// What a runtime of the test was told first, and how much audio it heard before it answered.
struct Heard {
    start: Value,
    bytes: usize,
    keys: String,
}

/// A runtime that speaks linear audio: hears a tenth of a second and two keys, says as much, and
/// hangs up when that has been played.
async fn runtime() -> (SocketAddr, mpsc::UnboundedReceiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let (mut start, mut bytes, mut keys) = (Value::Null, 0, String::new());
        let mut has_told = false;
        while bytes < 3200 || keys.len() < 2 {
            let message = next(&mut socket).await.unwrap();
            match message["event"].as_str().unwrap() {
                "start" => start = message["start"].clone(),
                "media" => {
                    let payload = message["media"]["payload"].as_str().unwrap();
                    bytes += STANDARD.decode_to_vec(payload).unwrap().len();
                }
                "dtmf" => keys.push_str(message["dtmf"]["digit"].as_str().unwrap()),
                _ => {}
            }
            if bytes >= 3200 && !has_told {
                has_told = true;
                told.send(Heard { start: start.clone(), bytes, keys: String::new() }).unwrap();
            }
        }
        let sid = start["streamSid"].clone();
        told.send(Heard { start, bytes, keys }).unwrap();
        // 16 kHz, so 100 ms; high samples first, for the order of their bytes to be seen.
        let said = STANDARD.encode_to_string([0x01, 0x40].repeat(1600));
        for message in [
            json!({ "event": "media", "streamSid": sid, "media": { "payload": said } }),
            json!({ "event": "mark", "streamSid": sid, "mark": { "name": "said" } }),
        ] {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        while let Some(message) = next(&mut socket).await {
            if message["event"] == "mark" {
                assert_eq!(message["mark"]["name"], "said");
                break;
            }
        }
        drop(socket.close(None).await);
    });
    (address, heard)
}

#[tokio::test]
async fn a_call_is_answered_in_bxml_and_heard_in_bandwidths_words() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    let (address, mut heard) = runtime().await;
    let agent = json!({ "targets": [format!("ws://{address}/")], "runtime_media": "l16_16000" });
    setup(&daemon, &api_url, agent).await;

    let answer = document(event(&daemon, VOICE, "initiate", json!({})).await).await;
    assert!(answer.contains(r#"wait="true""#), "{answer}");
    assert!(open(&daemon, &answer, "guessed").await.is_err(), "without the password");
    let mut socket = open(&daemon, &answer, PASSWORD).await.unwrap();
    socket.send(Message::text(start().to_string())).await.unwrap();
    let payload = STANDARD.encode_to_string([0x55; 160]);
    for number in 1..=7 {
        let media = json!({ "eventType": "media", "track": "inbound", "payload": payload,
            "sequenceNumber": number.to_string() });
        socket.send(Message::text(media.to_string())).await.unwrap();
    }
    let first = heard.recv().await.unwrap();
    assert!(first.bytes >= 3200, "mu-law has become linear, twice the rate");
    // Keys come beside the socket, the first of them twice.
    let keys_at = attribute(&answer, "StartGather", "dtmfUrl");
    for (digit, at) in [("4", "T1"), ("4", "T1"), ("#", "T2")] {
        let pressed = json!({ "digit": digit, "eventTime": at });
        assert_eq!(event(&daemon, &keys_at, "dtmf", pressed).await.status(), 204);
    }
    let mut played = Vec::new();
    while let Some(message) = next(&mut socket).await {
        assert_eq!(message["eventType"], "playAudio", "no marks, no names: {message}");
        let kind = message["media"]["contentType"].as_str().unwrap();
        assert!(kind.starts_with("audio/pcm;rate=16000;") && kind.contains("endian=little"));
        let payload = message["media"]["payload"].as_str().unwrap();
        played.extend(STANDARD.decode_to_vec(payload).unwrap());
    }
    assert_eq!(played, [0x01, 0x40].repeat(1600), "to the byte, and then the socket closes");
    let heard = heard.recv().await.unwrap();
    assert_eq!(heard.start["mediaFormat"]["encoding"], "audio/x-l16", "{}", heard.start);
    assert_eq!(heard.start["customParameters"]["from_number"], "+14155550117");
    assert_eq!(heard.keys, "4#", "each once, in order");

    // The stream has ended, so the document goes on.
    let resume = attribute(&answer, "Redirect", "redirectUrl");
    let answered = json!({ "answerTime": "2026-10-05T14:00:05.432Z" });
    let answer = document(event(&daemon, &resume, "redirect", answered).await).await;
    assert!(answer.ends_with("<Response><Hangup/></Response>"), "{answer}");
    let ended = event(&daemon, STATUS, "disconnect", json!({ "cause": "hangup" })).await;
    assert_eq!(ended.status(), 204);
    for _ in 0..50 {
        let calls = daemon.get("/switchback/v1/calls").await;
        if calls["data"][0]["status"] == "completed" {
            assert_eq!(calls["data"].as_array().unwrap().len(), 1, "{calls}");
            assert!(asked.try_recv().is_err(), "documents said it all");
            daemon.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the call has not ended")
}

#[tokio::test]
async fn a_stream_that_is_rejected_is_followed_by_the_next_target() {
    let daemon = Daemon::start().await;
    let (api_url, mut asked) = api().await;
    let agent = json!({ "targets": ["builtin:echo", "say:One moment please."] });
    setup(&daemon, &api_url, agent).await;

    let answer = document(event(&daemon, VOICE, "initiate", json!({})).await).await;
    let told_at = attribute(&answer, "StartStream", "streamEventUrl");
    let rejected = json!({ "cause": "connection-error", "errorMessage": "connect timed out",
        "eventTime": "2026-10-05T14:00:06.000Z" });
    for _ in 0..2 {
        let told = event(&daemon, &told_at, "mediaStreamRejected", rejected.clone()).await;
        assert_eq!((told.status().as_u16(), told.text().await.unwrap()), (204, String::new()));
    }
    // Its reply is not read, so the call is taken there by the API: once.
    let (call, body) = timeout(Duration::from_secs(5), asked.recv()).await.unwrap().unwrap();
    assert_eq!((call.as_str(), &body["state"]), (CALL, &json!("active")));
    assert_eq!((&body["username"], &body["password"]), (&json!(USER), &json!(PASSWORD)));
    let url = body["redirectUrl"].as_str().unwrap();
    let answered = json!({ "answerTime": "2026-10-05T14:00:05.432Z" });
    let answer = document(event(&daemon, url, "redirect", answered).await).await;
    assert!(answer.contains(">One moment please.</SpeakSentence><Hangup/>"), "{answer}");
    // It comes once more, late: what is heard is not interrupted.
    event(&daemon, &told_at, "mediaStreamRejected", json!({ "cause": "error" })).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(asked.try_recv().is_err());
    let calls = daemon.get("/switchback/v1/calls").await;
    let tried = calls["data"][0]["targets_tried"].to_string();
    assert!(tried.contains("no_stream") && tried.contains("spoken"), "{calls}");
    daemon.stop().await;
}

#[tokio::test]
async fn who_does_not_know_the_password_is_asked_for_it() {
    let daemon = Daemon::start().await;
    let (api_url, _asked) = api().await;
    setup(&daemon, &api_url, json!({ "targets": ["builtin:echo"] })).await;
    for authorization in [basic(&format!("{USER}:guessed")), "Bearer x".to_owned(), String::new()] {
        let refused = event_as(&daemon, &authorization, VOICE, "initiate", json!({})).await;
        assert_eq!(refused.status(), 401, "{authorization}");
        assert_eq!(refused.headers()["www-authenticate"], "Basic realm=\"carriers\"");
    }
    let other = json!({ "accountId": "9900008" });
    assert_eq!(event(&daemon, VOICE, "initiate", other).await.status(), 403);
    let calls = daemon.get("/switchback/v1/calls").await;
    assert_eq!(calls["data"], json!([]), "nobody was let in");
    daemon.stop().await;
}
