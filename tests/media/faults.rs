//! Runtimes in every state of ill health. What the caller hears next, and when: measured from the
//! carrier's `start` (or the fault, in mid-call) to the next target's first frame, or to the end of
//! the socket, after which the carrier asks `/resume` for the last resort's document.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use switchback::calls::Resume;
use switchback::edge::comfort::Comfort;
use switchback::edge::report::End;
use switchback::edge::session::Wiring;
use switchback::media::comfort::ComfortTone;
use switchback::media::messages::{self, Message as Said};
use switchback::telemetry::clock;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::stage::{CALL, Carrier, agent, bot, facts, payload, runtime, send, wiring};

/// What is promised.
const SILENCE_MAX: Duration = Duration::from_secs(2);

async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("ws://{}/", listener.local_addr().unwrap())
}

/// Takes the connection and says nothing.
async fn black_hole() -> String {
    runtime(|stream| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(stream);
    })
    .await
}

async fn not_a_websocket() -> String {
    runtime(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut request = [0; 64];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    })
    .await
}

/// Accepts the call and then does not even read.
async fn silent() -> String {
    runtime(|stream| async move {
        let socket = accept_async(stream).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(socket);
    })
    .await
}

async fn closing(code: u16) -> String {
    bot(move |mut socket, _| async move {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        socket.close(Some(frame)).await.unwrap();
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await
}

async fn vanishing() -> String {
    bot(|socket, _| async move {
        socket.get_ref().set_zero_linger().unwrap();
    })
    .await
}

/// With another target behind it, that one is heard; alone, the socket closes. In time.
async fn check(fault: String, outcome: &str) {
    let (heard, closed) = tokio::join!(
        async {
            let mut carrier = Carrier::call(&[fault.clone(), "builtin:tone".to_owned()]).await;
            while !matches!(carrier.hear().await, Some(Said::Media(_))) {}
            let took = carrier.started.elapsed();
            let report = carrier.report().await;
            assert_eq!(report.end, End::CarrierGone);
            let outcomes: Vec<_> = report.tried.iter().map(|tried| tried.outcome.clone()).collect();
            assert_eq!(outcomes, [outcome, "answered"]);
            took
        },
        async {
            let mut carrier = Carrier::call(std::slice::from_ref(&fault)).await;
            let (code, took) = carrier.closed().await;
            assert_eq!(code, Some(1000), "{outcome}");
            assert_eq!(carrier.call.resume(), Resume::At(1));
            let report = carrier.report().await;
            assert_eq!(report.end, End::Next(1));
            assert_eq!(report.tried.first().map(|tried| tried.outcome.as_str()), Some(outcome));
            took
        }
    );
    println!("{outcome}: next target after {heard:?}, last resort after {closed:?}");
    assert!(heard < SILENCE_MAX && closed < SILENCE_MAX, "{outcome}: {heard:?}, {closed:?}");
}

#[tokio::test]
async fn refused() {
    check(refusing().await, "refused").await;
}

#[tokio::test]
async fn accepted_and_never_answered() {
    check(black_hole().await, "timeout").await;
}

#[tokio::test]
async fn declined() {
    check(not_a_websocket().await, "declined").await;
}

#[tokio::test]
async fn silent_after_the_handshake() {
    check(silent().await, "stalled").await;
}

#[tokio::test]
async fn closed_with_a_fault() {
    for code in [1001, 1008, 1011, 1012, 4000] {
        check(closing(code).await, "closed").await;
    }
}

#[tokio::test]
async fn gone_at_once() {
    check(vanishing().await, "lost").await;
}

#[tokio::test]
async fn unresolved() {
    check("ws://nowhere.invalid/".to_owned(), "unresolved").await;
}

/// However many sockets fail: the caller waits for two seconds once. Sockets for which no time is
/// left are passed over, documents are not.
#[tokio::test]
async fn two_seconds_in_all() {
    let hole = black_hole().await;
    let ladder: Vec<_> = [hole.clone(), hole.clone(), hole, "builtin:tone".to_owned()]
        .into_iter()
        .chain(["tel:+14155550199".to_owned()])
        .collect();
    let mut carrier = Carrier::call(&ladder).await;
    let (code, took) = carrier.closed().await;
    assert_eq!(code, Some(1000));
    assert!(took < SILENCE_MAX, "{took:?}");
    assert_eq!(carrier.call.resume(), Resume::At(4));
    let report = carrier.report().await;
    let outcomes: Vec<_> = report.tried.iter().map(|tried| tried.outcome.clone()).collect();
    assert_eq!(outcomes, ["timeout", "too_late"]);
}

/// Talks for three seconds, then ends as told; the time of its end.
async fn mid_call(
    end: impl Fn(crate::stage::Ws) + Clone + Send + 'static,
) -> (String, mpsc::UnboundedReceiver<Instant>) {
    let (ended, receiver) = mpsc::unbounded_channel();
    let url = bot(move |mut socket, start| {
        let (end, ended) = (end.clone(), ended.clone());
        async move {
            for _ in 0..30 {
                send(&mut socket, |out| messages::write_audio(out, &start.stream_sid, "AAAA"))
                    .await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                // A bot that reads answers pings.
                let read = tokio::time::timeout(Duration::from_millis(1), socket.next());
                drop(read.await);
            }
            ended.send(clock::instant()).unwrap();
            end(socket);
        }
    })
    .await;
    (url, receiver)
}

async fn check_mid_call(end: impl Fn(crate::stage::Ws) + Clone + Send + 'static, outcome: &str) {
    let (url, mut ended) = mid_call(end).await;
    let mut carrier = Carrier::call(&[url, "builtin:tone".to_owned()]).await;
    let mut cleared = false;
    // The tone's frames are whole, the bot's are not.
    loop {
        match carrier.hear().await.unwrap() {
            Said::Clear => cleared = true,
            Said::Media(payload) if payload.len() > 4 => break,
            other => assert!(!cleared, "{other:?}"),
        }
    }
    let took = ended.recv().await.unwrap().elapsed();
    println!("mid-call {outcome}: next target after {took:?}");
    assert!(took < SILENCE_MAX, "{took:?}");
    assert!(cleared, "what the dead runtime had said is cleared first");
    let report = carrier.report().await;
    assert_eq!(report.tried.first().unwrap().outcome, outcome);
}

#[tokio::test]
async fn reset_in_the_call() {
    check_mid_call(|socket| socket.get_ref().set_zero_linger().unwrap(), "lost").await;
}

#[tokio::test]
async fn frozen_in_the_call() {
    check_mid_call(std::mem::forget, "stalled").await;
}

#[tokio::test]
async fn without_audio_where_audio_is_asked_for() {
    let listening = bot(|mut socket, _| async move {
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await;
    let mut strict = agent(2, &[listening.clone(), "builtin:tone".to_owned()]);
    strict.first_audio_timeout_ms = Some(700);
    let mut carrier = Carrier::call_agent(strict).await;
    while !matches!(carrier.hear().await, Some(Said::Media(_))) {}
    let took = carrier.started.elapsed();
    assert!((700..1000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(carrier.report().await.tried.first().unwrap().outcome, "silent");

    // Nobody asks for audio: who only listens is healthy.
    let mut carrier = Carrier::call(&[listening]).await;
    let heard = tokio::time::timeout(Duration::from_secs(4), carrier.socket.next()).await;
    assert!(heard.is_err(), "{heard:?}");
    carrier.socket.send(Message::Close(None)).await.unwrap();
    assert_eq!(carrier.report().await.tried.first().unwrap().outcome, "answered");
}

/// Between two runtimes, the second of which takes its time, the caller hears a tone; and nothing
/// of it once the second one speaks.
#[tokio::test]
async fn a_caller_who_is_handed_on_hears_a_tone() {
    let slow = runtime(|stream| async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut socket = accept_async(stream).await.unwrap();
        while !matches!(crate::stage::hear(&mut socket).await, Some(Said::Start(_))) {}
        tokio::time::sleep(Duration::from_millis(200)).await;
        send(&mut socket, |out| messages::write_mark(out, "", None, "said")).await;
        send(&mut socket, |out| messages::write_audio(out, "", &payload(7))).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    for (tone, expected) in [(ComfortTone::Soft, 95), (ComfortTone::Off, 0)] {
        let targets = [closing(1012).await, slow.clone()];
        let wiring = Wiring { comfort: Comfort::new(tone), ..wiring() };
        let mut carrier = Carrier::call_facts(wiring, facts(agent(2, &targets), CALL)).await;
        // What the lost runtime had said is cleared, then comes the tone, at once.
        assert_eq!(carrier.hear().await, Some(Said::Clear));
        let mut frames = 0;
        let mut next = carrier.hear().await;
        while let Some(Said::Media(audio)) = &next {
            assert_eq!(base64_simd::STANDARD.decode_to_vec(audio).unwrap().len(), 160);
            frames += 1;
            next = carrier.hear().await;
        }
        assert_eq!(frames, expected, "{tone}");
        // The first word of the next one ends it: the mark comes behind no tone.
        if expected > 0 {
            assert_eq!(next, Some(Said::Clear), "{tone}");
            next = carrier.hear().await;
        }
        assert_eq!(next, Some(Said::Mark("said".to_owned())));
        assert_eq!(carrier.hear().await, Some(Said::Media(payload(7))));
        let report = carrier.report().await;
        assert_eq!(report.counts.comfort, expected);
        assert_eq!(report.counts.to_carrier, 1, "a tone is no runtime's audio");
    }
}

/// Where no other runtime is there after all, the tone does not lie over what is said next.
#[tokio::test]
async fn a_tone_ends_with_the_socket() {
    let targets = [closing(1012).await, black_hole().await];
    let wiring = Wiring { comfort: Comfort::new(ComfortTone::Ringback), ..wiring() };
    let mut carrier = Carrier::call_facts(wiring, facts(agent(2, &targets), CALL)).await;
    let mut heard = Vec::new();
    while let Some(said) = carrier.hear().await {
        heard.push(said);
    }
    assert_eq!(heard.first(), Some(&Said::Clear));
    assert_eq!(heard.last(), Some(&Said::Clear));
    assert!(carrier.started.elapsed() < SILENCE_MAX);
    assert_eq!(carrier.report().await.end, End::Next(2));
}
