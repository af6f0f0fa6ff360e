//! Who takes part in a call: a carrier that signs as Twilio does, and a bot behind a websocket.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
    },
};

use crate::daemon::{ACCOUNT_SID, Daemon, PUBLIC_URL, TOKEN};

pub(crate) const CALLER: &str = "+14155559731";
pub(crate) const NUMBER: &str = "+12125558642";

const SESSION: &str = include_str!("../fixtures/twilio/media_stream_session.jsonl");
const SID: &str = "CAb27b806e16e007b36784197374f40f63";
const STREAM: &str = "MZ21bd369606e058bea233829118802bf4";

pub(crate) fn sid(n: u32) -> String {
    format!("CA{n:032x}")
}

pub(crate) fn form<'a>(
    sid: &'a str,
    from: &'a str,
    to: &'a str,
    status: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("CallSid", sid),
        ("AccountSid", ACCOUNT_SID),
        ("From", from),
        ("To", to),
        ("CallStatus", status),
        ("Direction", "inbound"),
    ]
}

/// Twilio's signature: HMAC-SHA1 over the URL and the sorted parameters.
fn sign(url: &str, form: &[(&str, &str)]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in form.iter().copied().collect::<BTreeMap<_, _>>() {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    base64_simd::STANDARD.encode_to_string(mac.finalize().into_bytes())
}

/// Sends a signed form; what was answered.
pub(crate) async fn webhook(daemon: &Daemon, target: &str, form: &[(&str, &str)]) -> String {
    let signature = sign(&format!("{PUBLIC_URL}{target}"), form);
    let (status, body) = webhook_signed(daemon, target, form, &signature).await;
    assert!(status < 300, "{target}: {status} {body}");
    body
}

pub(crate) async fn webhook_signed(
    daemon: &Daemon,
    target: &str,
    form: &[(&str, &str)],
    signature: &str,
) -> (u16, String) {
    let request = daemon.http.post(format!("{}{target}", daemon.edge)).form(form);
    let response = request.header("X-Twilio-Signature", signature).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) async fn ring(daemon: &Daemon, sid: &str, from: &str, to: &str) -> String {
    webhook(daemon, "/carriers/main/voice", &form(sid, from, to, "ringing")).await
}

pub(crate) async fn complete(daemon: &Daemon, sid: &str, from: &str, to: &str) {
    let mut form = form(sid, from, to, "completed");
    form.push(("CallDuration", "3"));
    webhook(daemon, "/carriers/main/status", &form).await;
}

/// The media token in a document.
pub(crate) fn token(document: &str) -> &str {
    let rest = document.split_once("/media/").unwrap_or_else(|| panic!("no stream: {document}")).1;
    rest.split_once('"').unwrap().0
}

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens the socket that a document names, as Twilio does, and says `connected` and `start`.
pub(crate) async fn open(daemon: &Daemon, document: &str, sid: &str) -> Socket {
    let path = format!("/media/{}", token(document));
    let host = daemon.edge.strip_prefix("http://").unwrap();
    let mut request = format!("ws://{host}{path}").into_client_request().unwrap();
    let signature = sign(&format!("wss://edge.example.com{path}"), &[]);
    request.headers_mut().insert("X-Twilio-Signature", signature.parse().unwrap());
    let stream = TcpStream::connect(host).await.unwrap();
    let mut socket = client_async(request, stream).await.unwrap().0;
    for line in SESSION.lines().take(2) {
        socket.send(Message::text(line.replace(SID, sid))).await.unwrap();
    }
    socket
}

/// The carrier's part of a conversation: speaks until the bot has been heard and its mark came,
/// gives the mark back, then stops.
pub(crate) async fn converse(mut socket: Socket) {
    let mut said = SESSION.lines().skip(2).filter(|line| line.contains("\"media\"")).cycle();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            _ = ticks.tick() => socket.send(Message::text(said.next().unwrap())).await.unwrap(),
            message = socket.next() => {
                let Message::Text(text) = message.unwrap().unwrap() else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["event"] == "mark" {
                    socket.send(Message::text(text)).await.unwrap();
                    break;
                }
            }
        }
    }
    // The bot is told, and answers with another frame: until then it has the mark.
    loop {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        if text.contains("media") {
            break;
        }
    }
    let stop = SESSION.lines().last().unwrap();
    socket.send(Message::text(stop)).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
}

/// A bot: its URL, and the headers of each socket it is given.
pub(crate) struct Bot {
    pub(crate) url: String,
    pub(crate) headers: mpsc::UnboundedReceiver<Arc<Vec<(String, String)>>>,
}

impl Bot {
    /// One that greets, sets a mark, and greets again when the mark was played.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/bot", listener.local_addr().unwrap());
        let (seen, headers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    #[expect(clippy::result_large_err, reason = "the library's signature")]
                    let note = |request: &Request, response: Response| {
                        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
                        let headers = request.headers().iter();
                        let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
                        drop(seen.send(Arc::new(headers.collect())));
                        Ok(response)
                    };
                    if let Ok(socket) = accept_hdr_async(stream, note).await {
                        greet(socket).await;
                    }
                });
            }
        });
        Self { url, headers }
    }
}

async fn greet(mut socket: Socket) {
    let media = json!({ "event": "media", "streamSid": STREAM,
        "media": { "payload": "//////////8=" } });
    let mark = json!({ "event": "mark", "streamSid": STREAM, "mark": { "name": "greeted" } });
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        let said = match message["event"].as_str().unwrap() {
            "start" => vec![&media, &mark],
            "mark" => vec![&media],
            _ => continue,
        };
        for said in said {
            if socket.send(Message::text(said.to_string())).await.is_err() {
                return;
            }
        }
    }
}

/// The call of that carrier id, once its row says what is waited for.
pub(crate) async fn call_when(daemon: &Daemon, sid: &str, is: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/switchback/v1/calls?carrier_call_id={sid}");
    for _ in 0..200 {
        let calls = daemon.get(&path).await;
        if let Some(call) = calls["data"].as_array().unwrap().first()
            && is(call)
        {
            return call.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("call {sid} never gets there: {}", daemon.get(&path).await);
}
