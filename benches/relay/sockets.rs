//! What both ends of a call do at first: webhooks, handshakes, the first messages of a stream. All
//! of it waits; the frames that follow do not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use switchback::carriers::{Request, room};
use switchback::telemetry::clock;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::frames::{self, Frames, TEXT};
use crate::ways::{HOST, Way};

const FORM: &str = include_str!("../../tests/fixtures/twilio/inbound_voice.form");
const SESSION: &str = include_str!("../../tests/fixtures/twilio/media_stream_session.jsonl");
const STREAM: &str = "MZ21bd369606e058bea233829118802bf4";
const SID: &str = "CAb27b806e16e007b36784197374f40f63";

/// A call's webhook, sent over a connection that is kept open: where its media socket is, and what
/// proves that we were told.
pub(crate) fn ask(http: &mut TcpStream, way: Way, n: u64) -> Opening {
    let account = way.account();
    let base = format!("/carriers/{}/voice", account.name);
    let number = way.number().trim_start_matches('+');
    // No two runs of the bench are the same calls, nor two daemons'.
    static RUN: AtomicU64 = AtomicU64::new(0);
    let sid = format!("CA{:024x}{:08x}", n, RUN.fetch_add(1, Ordering::Relaxed));
    let (method, target, body) = if way.is_vonage() {
        let target = format!("{base}?to={number}&from=14155550117&uuid={sid}");
        (Method::GET, target, String::new())
    } else {
        let body = FORM.trim_end().replace("12125550142", number).replace(SID, &sid);
        (Method::POST, base, body)
    };
    let url = format!("https://{HOST}{target}");
    let mut headers = HeaderMap::new();
    if method == Method::POST {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(CONTENT_TYPE, form);
    }
    let request = Request { method: &method, url: &url, headers: &headers, body: body.as_bytes() };
    headers = room(account.carrier).sign(&request, &account, clock::now());
    if method == Method::POST {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(CONTENT_TYPE, form);
    }
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {HOST}\r\n");
    for (name, value) in &headers {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    text += &format!("content-length: {}\r\n\r\n{body}", body.len());
    http.write_all(text.as_bytes()).unwrap();
    let (head, body) = answer(http);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
    if way.is_vonage() {
        let document: Value = serde_json::from_str(&body).unwrap();
        let endpoint = &document[0]["endpoint"][0];
        let uri = endpoint["uri"].as_str().unwrap();
        let mut first = endpoint["headers"].clone();
        first["event"] = "websocket:connected".into();
        first["content-type"] = endpoint["content-type"].clone();
        Opening {
            path: uri.split_once(HOST).unwrap().1.to_owned(),
            proof: ("authorization", endpoint["authorization"]["value"].as_str().unwrap().into()),
            first: vec![first.to_string()],
        }
    } else {
        let (_, rest) = body.split_once("<Stream url=\"").unwrap();
        let url = rest.split_once('"').unwrap().0;
        let request = Request { method: &Method::GET, url, headers: &HeaderMap::new(), body: &[] };
        let signed = room(account.carrier).sign(&request, &account, clock::now());
        let proof = signed.get("x-twilio-signature").unwrap().to_str().unwrap().to_owned();
        Opening {
            path: url.split_once(HOST).unwrap().1.to_owned(),
            proof: ("x-twilio-signature", proof),
            first: SESSION.lines().take(2).map(|line| line.replace(SID, &sid)).collect(),
        }
    }
}

/// How a call's media socket is opened.
pub(crate) struct Opening {
    path: String,
    proof: (&'static str, String),
    first: Vec<String>,
}

impl Opening {
    /// Opens it, and begins its stream.
    pub(crate) fn open(&self, edge: SocketAddr) -> TcpStream {
        let mut socket = connect(edge);
        let (name, value) = &self.proof;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {HOST}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {name}: {value}\r\n\r\n",
            self.path
        );
        socket.write_all(request.as_bytes()).unwrap();
        let (head, body) = answer(&mut socket);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}{body}");
        for first in &self.first {
            socket.write_all(&frames::masked(TEXT, first.as_bytes())).unwrap();
        }
        socket
    }
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(to).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Sends bytes to somebody who may have gone.
pub(crate) fn write(socket: &mut TcpStream, bytes: &[u8]) {
    drop(socket.write_all(bytes));
}

/// Shakes hands as a runtime, and waits for `start`: the id of the stream.
pub(crate) fn accept(socket: &mut TcpStream) -> String {
    shake(socket, "");
    let mut frames = Frames::default();
    let mut stream = None;
    while stream.is_none() {
        // Byte by byte, so that what follows is left where it is.
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        frames.take(&byte, |opcode, payload| {
            if opcode == TEXT {
                stream = stream.take().or(stream_of(payload));
            }
        });
    }
    stream.unwrap()
}

/// The id of the stream that begins, if one does.
pub(crate) fn stream_of(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    message["start"]["streamSid"].as_str().map(str::to_owned)
}

/// Shakes hands as a runtime does.
pub(crate) fn shake(socket: &mut TcpStream, header: &str) {
    socket.set_nodelay(true).unwrap();
    let head = head(socket);
    let key = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
    };
    let key = head.lines().find_map(key).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {}\r\n{header}\r\n",
        derive_accept_key(key.as_bytes())
    );
    socket.write_all(answer.as_bytes()).unwrap();
}

/// What a carrier's socket says, 50 times a second.
pub(crate) fn speech(way: Way) -> Vec<u8> {
    if way.is_vonage() {
        return frames::masked(frames::BINARY, &vec![0x55; way.carrier_len()]);
    }
    let line = SESSION.lines().nth(10).unwrap();
    frames::masked(TEXT, line.as_bytes())
}

/// What a runtime answers each frame with.
pub(crate) fn reply(way: Way, stream: &str) -> Vec<u8> {
    frames::plain(TEXT, said(way, stream).as_bytes())
}

/// The message in it.
pub(crate) fn said(way: Way, stream: &str) -> String {
    let payload = base64_simd::STANDARD.encode_to_string(vec![0x55; way.runtime_len()]);
    let said = json!({ "event": "media", "streamSid": stream, "media": { "payload": payload } });
    said.to_string()
}

/// The same where nobody told a stream's id.
pub(crate) fn raw_reply() -> Vec<u8> {
    reply(Way::Raw, STREAM)
}

/// Head and body of an answer.
fn answer(socket: &mut TcpStream) -> (String, String) {
    let head = head(socket);
    let length =
        |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok();
    let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
    socket.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}
