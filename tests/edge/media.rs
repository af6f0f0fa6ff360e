//! The media socket between a carrier and a runtime, over real sockets, at a call's own pace.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::client::Response,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    answers::wait_for_calls,
    daemon::{ACCOUNT_SID, Daemon, PUBLIC_URL, TOKEN, between, inbound_form, sign},
};

const SESSION: &str = include_str!("../fixtures/twilio/media_stream_session.jsonl");
const SID: &str = "CAb27b806e16e007b36784197374f40f63";
const CALLER: &str = "+14155550137";
const NUMBER: &str = "+12125550142";
/// The promise: from the carrier's `start` until the caller hears something.
const SILENCE_MAX: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TcpStream>;

/// Opens the socket that a webhook's answer names, as Twilio does.
async fn open(daemon: &Daemon, document: &str) -> Socket {
    try_open(daemon, document, true).await.unwrap().0
}

async fn try_open(
    daemon: &Daemon,
    document: &str,
    signed: bool,
) -> Result<(Socket, Response), tokio_tungstenite::tungstenite::Error> {
    let path = between(document, "<Stream url=\"wss://edge.example.com", "\"");
    let mut request = format!("ws://{}{path}", daemon.edge).into_client_request().unwrap();
    if signed {
        let signature = sign(TOKEN, &format!("wss://edge.example.com{path}"), &[]);
        request.headers_mut().insert("X-Twilio-Signature", signature.parse().unwrap());
    }
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    client_async(request, stream).await
}

fn start_of(sid: &str) -> [String; 2] {
    let mut lines = SESSION.lines().map(|line| line.replace(SID, sid));
    [lines.next().unwrap(), lines.next().unwrap()]
}

async fn say_start(socket: &mut Socket, sid: &str) {
    for line in start_of(sid) {
        socket.send(Message::text(line)).await.unwrap();
    }
}

/// The next message that is not a ping, or `None` once the socket is closed.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match timeout(Duration::from_secs(5), socket.next()).await.expect("silence for 5 s") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// A runtime that does what `serve` says with each socket it is given.
async fn runtime<F, R>(serve: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Fn(Socket) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                tokio::spawn(serve(socket));
            }
        }
    });
    (address, task)
}

/// A daemon whose one number is answered by these targets, and the webhook's answer to a call.
async fn call(targets: &[String]) -> (Daemon, String) {
    let daemon = Daemon::start().await;
    let number = daemon.number(NUMBER).await;
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    daemon.inbound_agent("Desk", &targets, &number).await;
    let answer = daemon.inbound(SID, CALLER, NUMBER).await;
    assert!(answer.body.contains("<Stream"), "{}", answer.body);
    (daemon, answer.body)
}

/// What the carrier is told when the socket has ended.
async fn resume(daemon: &Daemon, document: &str) -> String {
    let url = between(document, "<Redirect method=\"POST\">", "</Redirect>").replace("&amp;", "&");
    let target = url.strip_prefix(PUBLIC_URL).unwrap().to_owned();
    let mut form = inbound_form(SID, CALLER, NUMBER);
    form[4].1 = "in-progress";
    daemon.webhook(&target, &form).await.body
}

#[tokio::test]
async fn echo_returns_the_fixture_byte_for_byte_at_its_pace() {
    let (daemon, document) = call(&["builtin:echo".to_owned()]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let (mut sent, mut heard) = (Vec::new(), Vec::new());
    for line in SESSION.lines().skip(2) {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["event"] == "media" {
            ticks.tick().await;
            sent.push(message["media"]["payload"].clone());
        }
        let is_stop = message["event"] == "stop";
        if !is_stop {
            socket.send(Message::text(line)).await.unwrap();
        }
        if message["event"] == "media" {
            let back = next(&mut socket).await.unwrap();
            assert_eq!(back["event"], "media");
            assert_eq!(back["streamSid"], "MZ21bd369606e058bea233829118802bf4");
            heard.push(back["media"]["payload"].clone());
        }
    }
    assert_eq!(sent.len(), 50);
    assert_eq!(sent, heard);
    socket.send(Message::text(SESSION.lines().last().unwrap())).await.unwrap();
    let calls = wait_for_calls(&daemon, SID, 1).await;
    assert_eq!(calls["data"][0]["direction"], "inbound");
}

#[tokio::test]
async fn an_unmodified_bot_serves_a_call_and_hangs_up() {
    let (seen, mut told) = mpsc::channel::<(Value, Value)>(1);
    // What such a bot does: accept, read two messages, take what it needs from `start`, speak.
    let (address, _task) = runtime(move |mut socket| {
        let seen = seen.clone();
        async move {
            let connected = next(&mut socket).await.unwrap();
            let start = next(&mut socket).await.unwrap();
            let stream = start["start"]["streamSid"].as_str().unwrap().to_owned();
            seen.send((connected, start)).await.unwrap();
            let media = json!({ "event": "media", "streamSid": stream,
                "media": { "payload": "//////////8=" } });
            socket.send(Message::text(media.to_string())).await.unwrap();
            let mark = json!({ "event": "mark", "streamSid": stream, "mark": { "name": "said" } });
            socket.send(Message::text(mark.to_string())).await.unwrap();
            let heard = next(&mut socket).await.unwrap();
            assert_eq!(heard["event"], "mark");
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            socket.close(Some(frame)).await.unwrap();
            while socket.next().await.is_some() {}
        }
    })
    .await;

    let daemon = Daemon::start().await;
    let number = daemon.number(NUMBER).await;
    let source = daemon.outbound_agent("Renewals").await;
    let target = format!("ws://{address}/bot?agent={{agent_id}}");
    let agent = daemon.inbound_agent("Return desk", &[&target], &number).await;
    let role = json!({ "source_agent_ids": [source] });
    daemon.post(&format!("/api/v1/agents/{agent}/callback"), role).await;
    daemon.touch("t-9", &source, CALLER, NUMBER).await;

    let document = daemon.inbound(SID, CALLER, NUMBER).await.body;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let (connected, start) = told.recv().await.unwrap();
    assert_eq!(connected["event"], "connected");
    assert_eq!(start["event"], "start");
    assert_eq!(start["start"]["callSid"], SID);
    assert_eq!(start["start"]["accountSid"], ACCOUNT_SID);
    let parameters = &start["start"]["customParameters"];
    assert_eq!(parameters["agent_id"], agent.as_str(), "{parameters}");
    assert_eq!(parameters["from"], CALLER);
    assert_eq!(parameters["to"], NUMBER);
    assert_eq!(parameters["reason"], "callback");
    assert_eq!(parameters["direction"], "inbound");
    assert!(parameters.as_object().unwrap().values().all(Value::is_string), "{parameters}");
    let context: Value =
        serde_json::from_str(parameters["return_context"].as_str().unwrap()).unwrap();
    assert_eq!(context["touch"]["source_agent"]["id"], source.as_str(), "{context}");
    assert_eq!(context["touch"]["source_agent"]["name"], "Renewals");
    assert_eq!(context["touch"]["outcome"], "no_answer");
    assert_eq!(context["touch"]["caller_id"], NUMBER);

    let media = next(&mut socket).await.unwrap();
    assert_eq!(media["media"]["payload"], "//////////8=");
    let mark = next(&mut socket).await.unwrap();
    assert_eq!(mark["mark"]["name"], "said");
    let played = json!({ "event": "mark", "sequenceNumber": "3",
        "streamSid": "MZ21bd369606e058bea233829118802bf4", "mark": { "name": "said" } });
    socket.send(Message::text(played.to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await, None);
    let follows = resume(&daemon, &document).await;
    assert!(follows.contains("<Hangup/>"), "{follows}");
}

/// A first target that fails in its way, then the echo: how long until the caller is heard back?
async fn check_next_target(first: String, expected_within: Duration) {
    let (daemon, document) = call(&[first, "builtin:echo".to_owned()]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let started = Instant::now();
    let media = SESSION.lines().nth(2).unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            _ = ticks.tick() => socket.send(Message::text(media)).await.unwrap(),
            message = next(&mut socket) => {
                if message.expect("the call goes on")["event"] == "media" {
                    break;
                }
            }
        }
    }
    let took = started.elapsed();
    assert!(took < expected_within, "the caller heard nothing for {took:?}");
    let calls = wait_for_calls(&daemon, SID, 1).await;
    assert_eq!(calls["data"][0]["reason"], "default");
}

/// The same without a second target: the socket ends in time, and the last resort speaks.
async fn check_last_resort(first: String) {
    let (daemon, document) = call(&[first]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let started = Instant::now();
    while next(&mut socket).await.is_some() {}
    let took = started.elapsed();
    assert!(took < SILENCE_MAX, "the caller heard nothing for {took:?}");
    let follows = resume(&daemon, &document).await;
    assert!(follows.contains("<Say>We are sorry"), "{follows}");
}

/// A port where nobody listens.
async fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("ws://{}", listener.local_addr().unwrap())
}

/// A listener that takes connections and never says a word.
fn black_hole(listener: TcpListener) -> String {
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    format!("ws://{address}")
}

/// A runtime that shakes hands and then neither reads nor writes: no frame, no pong.
async fn mute() -> String {
    let (address, _) = runtime(|socket| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(socket);
    })
    .await;
    format!("ws://{address}")
}

#[tokio::test]
async fn a_runtime_that_is_down_costs_the_caller_nothing() {
    check_next_target(refused().await, Duration::from_millis(500)).await;
    check_last_resort(refused().await).await;
}

#[tokio::test]
async fn a_runtime_that_never_shakes_hands_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    check_next_target(black_hole(listener), SILENCE_MAX).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    check_last_resort(black_hole(listener)).await;
}

#[tokio::test]
async fn a_runtime_that_goes_silent_is_given_up_in_time() {
    check_next_target(mute().await, SILENCE_MAX).await;
    check_last_resort(mute().await).await;
}

#[tokio::test]
async fn a_runtime_that_dies_mid_call_is_followed_by_the_next_target() {
    let (address, _task) = runtime(|mut socket| async move {
        next(&mut socket).await;
        next(&mut socket).await;
        let media = json!({ "event": "media", "streamSid": "MZ21bd369606e058bea233829118802bf4",
            "media": { "payload": "gICAgICAgIA=" } });
        for _ in 0..20 {
            if socket.send(Message::text(media.to_string())).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Gone without a word, as when its process is killed.
    })
    .await;
    let (daemon, document) = call(&[format!("ws://{address}"), "builtin:echo".to_owned()]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let media = SESSION.lines().nth(2).unwrap();
    let ours = serde_json::from_str::<Value>(media).unwrap()["media"]["payload"].clone();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut last_of_first = Instant::now();
    let gap = loop {
        tokio::select! {
            _ = ticks.tick() => socket.send(Message::text(media)).await.unwrap(),
            message = next(&mut socket) => {
                let message = message.expect("the call goes on");
                if message["media"]["payload"] == "gICAgICAgIA=" {
                    last_of_first = Instant::now();
                } else if message["media"]["payload"] == ours {
                    break last_of_first.elapsed();
                }
            }
        }
    };
    assert!(gap < SILENCE_MAX, "the caller heard nothing for {gap:?}");
}

#[tokio::test]
async fn a_media_socket_must_prove_itself_and_opens_once() {
    let (daemon, document) = call(&["builtin:echo".to_owned()]).await;
    assert!(try_open(&daemon, &document, false).await.is_err(), "no signature");
    let forged = document.replacen("/media/", "/media/A", 1);
    assert!(try_open(&daemon, &forged, true).await.is_err(), "no token of ours");
    let mut socket = open(&daemon, &document).await;
    assert!(try_open(&daemon, &document, true).await.is_err(), "used before");
    // A `start` of another call is not this call's.
    say_start(&mut socket, "CA00000000000000000000000000000000").await;
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test]
async fn a_call_can_be_seen_while_it_lives_and_hung_up() {
    let (daemon, document) = call(&["builtin:tone".to_owned()]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    assert_eq!(next(&mut socket).await.unwrap()["event"], "media");
    let live = daemon.get("/switchback/v1/calls?live=true").await;
    assert_eq!(live["data"].as_array().unwrap().len(), 1, "{live}");
    let id = live["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/switchback/v1/calls/{id}/hangup");
    let (status, answer) = daemon.api(reqwest::Method::POST, &path, None).await;
    assert!(status == 200 || status == 202, "{status} {answer}");
    while next(&mut socket).await.is_some() {}
    let follows = resume(&daemon, &document).await;
    assert!(follows.contains("<Hangup/>"), "{follows}");
    let mut form = inbound_form(SID, CALLER, NUMBER);
    form[4].1 = "completed";
    form.push(("CallDuration", "3"));
    let answer = daemon.webhook("/carriers/main/status", &form).await;
    assert_eq!(answer.status, 204);
    for _ in 0..100 {
        let call = daemon.get(&format!("/switchback/v1/calls/{id}")).await;
        if call["status"] == "completed" {
            assert_eq!(call["ended_by"], "api", "{call}");
            let live = daemon.get("/switchback/v1/calls?live=true").await;
            assert_eq!(live["data"], json!([]));
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never completed: {}", daemon.get(&format!("/switchback/v1/calls/{id}")).await);
}

#[tokio::test]
async fn a_stop_waits_for_the_call_in_progress() {
    let (daemon, document) = call(&["builtin:echo".to_owned()]).await;
    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let media = SESSION.lines().nth(2).unwrap();
    socket.send(Message::text(media)).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["event"], "media");
    daemon.press_stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ready = format!("http://{}/readyz", daemon.admin);
    assert_eq!(daemon.http.get(ready).send().await.unwrap().status(), 503);
    socket.send(Message::text(media)).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["event"], "media", "the call goes on");
    socket.send(Message::text(SESSION.lines().last().unwrap())).await.unwrap();
    socket.close(None).await.unwrap();
    let (_, drained) = daemon.stop_pressed().await;
    assert_eq!(drained.cut, 0);
}

/// A runtime that tells what it is told; what it says first is `AAAA`.
async fn telling() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (told, tells) = mpsc::unbounded_channel();
    let (address, _) = runtime(move |mut socket| {
        let told = told.clone();
        async move {
            while let Some(message) = next(&mut socket).await {
                let stream = message["start"]["streamSid"].clone();
                if stream.is_string() {
                    let audio = json!({ "event": "media", "streamSid": stream,
                        "media": { "payload": "AAAA" } });
                    socket.send(Message::text(audio.to_string())).await.unwrap();
                }
                told.send(message).unwrap();
            }
            told.send(json!({ "event": "closed" })).unwrap();
        }
    })
    .await;
    (format!("ws://{address}"), tells)
}

#[tokio::test]
async fn a_runtime_is_started_when_the_webhook_is_answered() {
    let (url, mut tells) = telling().await;
    let (daemon, document) = call(&[url]).await;
    assert_eq!(tells.recv().await.unwrap()["event"], "connected");
    let start = tells.recv().await.unwrap();
    assert_eq!(start["start"]["callSid"], SID, "the carrier has not been heard of since");
    assert_eq!(start["start"]["accountSid"], ACCOUNT_SID);
    let stream = start["streamSid"].as_str().unwrap().to_owned();
    assert!(stream.len() == 34 && stream.starts_with("MZ"), "{stream}");
    // A carrier that asks again starts nothing.
    let again = daemon.inbound(SID, CALLER, NUMBER).await.body;
    assert_eq!(again, document);

    let mut socket = open(&daemon, &document).await;
    say_start(&mut socket, SID).await;
    let first = next(&mut socket).await.unwrap();
    assert_eq!(first["media"]["payload"], "AAAA");
    assert_eq!(first["streamSid"], "MZ21bd369606e058bea233829118802bf4", "the carrier's own");
    let media = SESSION.lines().nth(2).unwrap();
    socket.send(Message::text(media)).await.unwrap();
    let heard = tells.recv().await.unwrap();
    assert_eq!((&heard["event"], heard["streamSid"].as_str()), (&json!("media"), Some(&*stream)));
    socket.send(Message::text(SESSION.lines().last().unwrap())).await.unwrap();
    assert_eq!(tells.recv().await.unwrap()["event"], "stop");
    assert_eq!(tells.recv().await.unwrap()["event"], "closed");
    let metrics = daemon.metrics().await;
    assert!(metrics.contains("switchback_prewarms_total{outcome=\"used\"} "), "{metrics}");
}

#[tokio::test]
async fn a_runtime_is_told_when_the_caller_hangs_up_before_the_media() {
    let (url, mut tells) = telling().await;
    let (daemon, _) = call(&[url]).await;
    for expected in ["connected", "start"] {
        assert_eq!(tells.recv().await.unwrap()["event"], expected);
    }
    let mut form = inbound_form(SID, CALLER, NUMBER);
    form[4].1 = "no-answer";
    assert_eq!(daemon.webhook("/carriers/main/status", &form).await.status, 204);
    for expected in ["stop", "closed"] {
        assert_eq!(tells.recv().await.unwrap()["event"], expected);
    }
}

#[tokio::test]
async fn the_next_target_is_started_when_the_carrier_asks_for_it() {
    let (first, mut first_tells) = telling().await;
    let (second, mut second_tells) = telling().await;
    let (daemon, document) = call(&[first, second]).await;
    for expected in ["connected", "start"] {
        assert_eq!(first_tells.recv().await.unwrap()["event"], expected);
    }
    // The carrier could not open the socket.
    let next_document = resume(&daemon, &document).await;
    for expected in ["stop", "closed"] {
        assert_eq!(first_tells.recv().await.unwrap()["event"], expected);
    }
    assert_eq!(second_tells.recv().await.unwrap()["event"], "connected");
    let start = second_tells.recv().await.unwrap();
    assert_eq!(start["start"]["customParameters"]["attempt"], "1");
    let mut socket = open(&daemon, &next_document).await;
    say_start(&mut socket, SID).await;
    assert_eq!(next(&mut socket).await.unwrap()["media"]["payload"], "AAAA");
}

#[tokio::test]
async fn a_stop_ends_runtimes_whose_media_has_not_come() {
    let (url, mut tells) = telling().await;
    let (daemon, _) = call(&[url]).await;
    for expected in ["connected", "start"] {
        assert_eq!(tells.recv().await.unwrap()["event"], expected);
    }
    let began = Instant::now();
    let (_, drained) = daemon.stop().await;
    assert_eq!(drained.cut, 0);
    assert!(began.elapsed() < Duration::from_secs(4), "no call is waited for");
    for expected in ["stop", "closed"] {
        assert_eq!(tells.recv().await.unwrap()["event"], expected);
    }
}
