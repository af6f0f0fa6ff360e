//! Healthy calls: what goes through, in what order, and what does not when one side is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use switchback::calls::Resume;
use switchback::domain::{CallEnd, CallStatus};
use switchback::edge::report::End;
use switchback::media::messages::{self, Message as Said};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::stage::{Carrier, SESSION, STREAM, bot, hear, number, payload, send};

fn payload_of(line: &str) -> Option<String> {
    match messages::parse(line).unwrap().message {
        Said::Media(payload) => Some(payload),
        _ => None,
    }
}

#[tokio::test]
async fn echo_says_back_a_whole_session_byte_for_byte() {
    let mut carrier = Carrier::call(&["builtin:echo".to_owned()]).await;
    for line in SESSION.lines().skip(2) {
        carrier.say(line.to_owned()).await;
        if let Some(payload) = payload_of(line) {
            assert_eq!(carrier.hear().await, Some(Said::Media(payload)));
        }
    }
    assert_eq!(carrier.hear().await, None);
    let report = carrier.report().await;
    assert_eq!(report.end, End::CarrierStopped);
    assert_eq!((report.counts.to_runtime, report.counts.to_carrier), (50, 50));
    assert_eq!((report.counts.gaps, report.counts.overflow), (0, 0));
    assert!(report.first_audio_to_carrier.unwrap() >= report.first_audio_to_runtime.unwrap());
}

#[tokio::test]
async fn the_tone_is_paced() {
    let mut carrier = Carrier::call(&["builtin:tone".to_owned()]).await;
    for _ in 0..50 {
        assert!(matches!(carrier.hear().await, Some(Said::Media(_))));
    }
    let took = carrier.started.elapsed();
    assert!((900..1300).contains(&took.as_millis()), "{took:?}");
    carrier.report().await;
}

/// Accept, read two messages, take the ids from `start`, speak, close with 1000.
#[tokio::test]
async fn a_pipecat_bot_serves_a_call() {
    let (told, mut tells) = mpsc::unbounded_channel();
    let url = bot(move |mut socket, start| {
        let told = told.clone();
        async move {
            send(&mut socket, |out| messages::write_audio(out, &start.stream_sid, &payload(1)))
                .await;
            let frame = CloseFrame { code: 1000.into(), reason: "".into() };
            socket.close(Some(frame)).await.unwrap();
            while socket.next().await.is_some_and(|read| read.is_ok()) {}
            told.send(start).unwrap();
        }
    })
    .await;
    let mut carrier = Carrier::call(&[url, "builtin:tone".to_owned()]).await;
    assert_eq!(carrier.hear().await, Some(Said::Media(payload(1))));
    assert_eq!(carrier.closed().await.0, Some(1000));
    assert_eq!(carrier.call.resume(), Resume::HangUp);
    let start = tells.recv().await.unwrap();
    assert_eq!(start.stream_sid, STREAM);
    assert_eq!(start.call_sid, carrier.call.facts.carrier_call_id);
    let parameter = |name: &str| {
        start.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    };
    let id = carrier.call.facts.id.to_string();
    for (name, value) in [
        ("call_id", id.as_str()),
        ("agent_id", "00000000-0000-0000-0000-000000000002"),
        ("direction", "inbound"),
        ("reason", "callback"),
        ("from", "+14155550117"),
        ("to", "+14155550100"),
        ("from_number", "+14155550117"),
        ("to_number", "+14155550100"),
        ("attestation", "A"),
        ("attempt", "0"),
        ("voice", "anna"),
        ("lead", "L-20417"),
    ] {
        assert_eq!(parameter(name), Some(value), "{name}");
    }
    let report = carrier.report().await;
    assert_eq!(report.end, End::Agent);
    assert_eq!(report.tried.first().unwrap().close_code, Some(1000));
}

#[tokio::test]
async fn marks_clear_and_keys_pass_in_order_both_ways() {
    let (told, mut tells) = mpsc::unbounded_channel();
    let url = bot(move |mut socket, _| {
        let told = told.clone();
        async move {
            for n in 0..3 {
                send(&mut socket, |out| messages::write_audio(out, STREAM, &payload(n))).await;
                send(&mut socket, |out| messages::write_mark(out, STREAM, None, &n.to_string()))
                    .await;
            }
            send(&mut socket, |out| messages::write_clear(out, STREAM)).await;
            while let Some(message) = hear(&mut socket).await {
                told.send(message).unwrap();
            }
            told.send(Said::Unknown).unwrap();
        }
    })
    .await;
    let mut carrier = Carrier::call(&[url]).await;
    for n in 0..3 {
        assert_eq!(carrier.hear().await, Some(Said::Media(payload(n))));
        assert_eq!(carrier.hear().await, Some(Said::Mark(n.to_string())));
    }
    assert_eq!(carrier.hear().await, Some(Said::Clear));
    carrier.speak(1).await;
    carrier.press("5").await;
    carrier.speak(2).await;
    carrier.return_mark("0").await;
    carrier.press("#").await;
    carrier.say(SESSION.lines().last().unwrap().to_owned()).await;
    for expected in [
        Said::Media(payload(1)),
        Said::Dtmf("5".to_owned()),
        Said::Media(payload(2)),
        Said::Mark("0".to_owned()),
        Said::Dtmf("#".to_owned()),
        Said::Stop,
        Said::Unknown, // The runtime's socket is closed.
    ] {
        assert_eq!(tells.recv().await, Some(expected));
    }
    carrier.report().await;
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_audio_and_nothing_else() {
    const FRAMES: u64 = 2000;
    let (told, mut tells) = mpsc::unbounded_channel();
    let url = bot(move |mut socket, _| {
        let told = told.clone();
        async move {
            // Alive, as its own pings show, and not reading.
            for _ in 0..10 {
                socket.send(Message::Ping("x".into())).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            while let Some(message) = hear(&mut socket).await {
                told.send(message).unwrap();
            }
        }
    })
    .await;
    let mut carrier = Carrier::call(&[url]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for n in 1..=FRAMES {
        carrier.speak(n).await;
        if n == FRAMES / 2 {
            carrier.press("1").await;
        }
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    carrier.press("2").await;
    let mut heard = Vec::new();
    let mut keys = Vec::new();
    while keys.len() < 2 {
        match tells.recv().await.unwrap() {
            Said::Dtmf(key) => keys.push(key),
            message => heard.extend(number(&message)),
        }
    }
    carrier.say(SESSION.lines().last().unwrap().to_owned()).await;
    let report = carrier.report().await;
    assert!(heard.is_sorted(), "audio keeps its order");
    assert_eq!(keys, ["1", "2"]);
    assert!(report.counts.overflow > 500, "{:?}", report.counts);
    assert_eq!(report.counts.overflow + report.counts.to_runtime, FRAMES);
    assert!(heard.ends_with(&(FRAMES - 49..=FRAMES).collect::<Vec<_>>()), "the newest arrive");
}

#[tokio::test]
async fn a_flood_waits_in_the_runtime() {
    const FRAMES: u64 = 30_000;
    let sent = Arc::new(AtomicU64::new(0));
    let url = bot({
        let sent = Arc::clone(&sent);
        move |socket, _| {
            let sent = Arc::clone(&sent);
            async move {
                let (mut sink, mut stream) = socket.split();
                let reader = tokio::spawn(async move {
                    while stream.next().await.is_some_and(|read| read.is_ok()) {}
                });
                for n in 0..FRAMES {
                    let mut text = String::new();
                    messages::write_audio(&mut text, STREAM, &payload(n));
                    sink.send(Message::Text(text.into())).await.unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                reader.await.unwrap();
            }
        }
    })
    .await;
    let mut carrier = Carrier::call(&[url, "builtin:echo".to_owned()]).await;
    // The carrier takes nothing for longer than a stall: we do not read either, and excuse it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = sent.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sent.load(Ordering::Relaxed), before, "it is held back");
    assert!(before < FRAMES);
    for n in 0..FRAMES {
        assert_eq!(number(&carrier.hear().await.unwrap()), Some(n), "nothing is lost");
    }
    let report = carrier.report().await;
    assert_eq!(report.tried.len(), 1, "{:?}", report.tried);
}

#[tokio::test]
async fn the_api_hangs_up() {
    let mut carrier = Carrier::call(&["builtin:tone".to_owned()]).await;
    carrier.hear().await.unwrap();
    carrier.call.hang_up(CallEnd::Api);
    assert_eq!(carrier.closed().await.0, Some(1000));
    assert_eq!(carrier.call.resume(), Resume::HangUp);
    assert_eq!(carrier.report().await.end, End::HungUp(CallEnd::Api));
}

#[tokio::test]
async fn a_socket_of_a_call_that_is_over_is_not_kept() {
    let mut carrier = Carrier::call(&["builtin:echo".to_owned()]).await;
    carrier.speak(1).await;
    carrier.hear().await.unwrap();
    carrier.status(CallStatus::Completed);
    let report = (&mut carrier.session).await.unwrap();
    assert_eq!(report.end, End::CarrierGone);
}
