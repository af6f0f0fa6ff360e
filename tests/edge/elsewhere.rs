//! A call that somebody else takes elsewhere at its carrier, which does not tell: its media ends,
//! nothing is said of its end, and the carrier is asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::Uri};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::daemon::{ACCOUNT_SID, Daemon, OPERATOR, PUBLIC_URL, TOKEN, between, sign};

const CALL: &str = "CA00000000000000000000000000000042";

/// What the carrier says of the call.
type Says = Arc<Mutex<&'static str>>;

/// A stand-in for the carrier's API that knows one call.
async fn api() -> (String, Says) {
    let says = Says::new(Mutex::new("in-progress"));
    let tell = async |State(says): State<Says>, uri: Uri| {
        assert!(uri.path().ends_with(&format!("/Calls/{CALL}.json")), "{uri}");
        let status = *says.lock().unwrap();
        Json(json!({ "sid": CALL, "status": status }))
    };
    let router = Router::new().fallback(tell).with_state(Arc::clone(&says));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (url, says)
}

/// The call's row, once it is so.
async fn becomes(daemon: &Daemon, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut call = Value::Null;
    for _ in 0..200 {
        let calls = daemon.get(&format!("/switchback/v1/calls?carrier_call_id={CALL}")).await;
        call = calls["data"][0].clone();
        if is_so(&call) {
            return call;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{call}")
}

#[tokio::test]
async fn a_call_that_goes_on_without_us_is_no_call_that_ended() {
    let daemon = Daemon::start().await;
    let (api_url, says) = api().await;
    let account = json!({ "name": "asked", "kind": "twilio", "account_id": ACCOUNT_SID,
        "secrets": [TOKEN], "api_url": api_url });
    let path = "/switchback/v1/carrier-accounts";
    let (status, body) = daemon.api_as(OPERATOR, reqwest::Method::POST, path, Some(account)).await;
    assert_eq!(status, 201, "{body}");
    let number = json!({ "e164": "+12125550142", "account": "asked" });
    let number = daemon.post("/switchback/v1/numbers", number).await;
    daemon.inbound_agent("Desk", &["builtin:echo", "busy"], number["id"].as_str().unwrap()).await;

    let form = crate::daemon::inbound_form(CALL, "+14155550117", "+12125550142");
    let document = daemon.webhook("/carriers/asked/voice", &form).await.body;
    let path = format!("/media/{}", between(&document, "/media/", "\""));
    let signed = sign(TOKEN, &format!("{}{path}", PUBLIC_URL.replace("https", "wss")), &[]);
    let mut request = format!("ws://{}{path}", daemon.edge).into_client_request().unwrap();
    request.headers_mut().insert("x-twilio-signature", signed.parse().unwrap());
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    for message in [
        json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }),
        json!({ "event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
            "streamSid": "MZ1", "accountSid": ACCOUNT_SID, "callSid": CALL,
            "tracks": ["inbound"], "customParameters": {},
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 } } }),
        // Somebody has the carrier do something else with it.
        json!({ "event": "stop", "sequenceNumber": "2", "streamSid": "MZ1",
            "stop": { "accountSid": ACCOUNT_SID, "callSid": CALL } }),
    ] {
        socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }
    while socket.next().await.is_some_and(|read| read.is_ok()) {}

    let call = becomes(&daemon, |call| call["ended_by"] == "transferred_externally").await;
    assert_eq!((&call["status"], &call["ended_at"]), (&json!("in_progress"), &Value::Null));
    let id = call["id"].as_str().unwrap();
    let call = daemon.get(&format!("/switchback/v1/calls/{id}")).await;
    let tried = call["targets_tried"].as_array().unwrap();
    assert_eq!(tried.len(), 1, "no further target: {call}");
    // In the end it ends, whoever had it.
    *says.lock().unwrap() = "completed";
    let over: Vec<_> = form
        .iter()
        .map(|&(name, value)| (name, if name == "CallStatus" { "completed" } else { value }))
        .collect();
    daemon.webhook("/carriers/asked/status", &over).await;
    let call = becomes(&daemon, |call| call["status"] == "completed").await;
    assert_eq!(call["ended_by"], "transferred_externally");
    daemon.stop().await;
}
