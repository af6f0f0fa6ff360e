//! Runtimes that are opened before the carrier's socket: what the caller hears of what they say
//! meanwhile, and what they are told when nobody comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use switchback::calls::{MediaState, Resume};
use switchback::domain::{CallEnd, CallStatus};
use switchback::edge::prewarm::Settings;
use switchback::edge::report::End;
use switchback::media::messages::{self, Message as Said, Start};
use switchback::telemetry::clock;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::stage::{
    AHEAD, Ahead, CALL, Carrier, Ws, agent, bot, hear, number, payload, runtime, send,
};

/// What a runtime was told, in order.
#[derive(Debug, PartialEq)]
enum Told {
    Start(Start),
    Said(Said),
    Closed(Option<u16>),
}

/// Tells all that comes, until the socket ends.
async fn tell(mut socket: Ws, told: mpsc::UnboundedSender<Told>) {
    while let Some(Ok(message)) = socket.next().await {
        let what = match message {
            Message::Text(text) => Told::Said(messages::parse(&text).unwrap().message),
            Message::Close(frame) => Told::Closed(frame.map(|frame| frame.code.into())),
            _ => continue,
        };
        told.send(what).unwrap();
    }
}

/// Says `frames` frames at once, a mark after the first, and then tells what it hears.
async fn greeting(frames: u64) -> (String, mpsc::UnboundedReceiver<Told>) {
    let (told, tells) = mpsc::unbounded_channel();
    let url = bot(move |mut socket, start| {
        let told = told.clone();
        async move {
            let stream = start.stream_sid.clone();
            told.send(Told::Start(start)).unwrap();
            for n in 0..frames {
                send(&mut socket, |out| messages::write_audio(out, &stream, &payload(n))).await;
                if n == 0 {
                    send(&mut socket, |out| messages::write_mark(out, &stream, None, "first"))
                        .await;
                }
            }
            tell(socket, told).await;
        }
    })
    .await;
    (url, tells)
}

async fn start(tells: &mut mpsc::UnboundedReceiver<Told>) -> Start {
    match tells.recv().await.unwrap() {
        Told::Start(start) => start,
        other => panic!("{other:?}"),
    }
}

/// Long enough for anything on loopback.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn a_runtime_is_heard_from_its_first_frame() {
    let (url, mut tells) = greeting(100).await;
    let ahead = Ahead::call(&[url]);
    let told = start(&mut tells).await;
    assert_eq!((told.stream_sid.as_str(), told.call_sid.as_str()), (AHEAD, CALL));
    a_moment().await;
    assert_eq!(ahead.call.state().media, MediaState::None, "no socket of the carrier's yet");
    assert!(tells.try_recv().is_err(), "no mark has been played");

    let mut carrier = ahead.media_comes().await;
    for n in 0..100 {
        assert_eq!(carrier.hear().await, Some(Said::Media(payload(n))));
        if n == 0 {
            assert_eq!(carrier.hear().await, Some(Said::Mark("first".to_owned())));
        }
    }
    assert_eq!(carrier.call.state().media, MediaState::Joined);
    carrier.speak(1).await;
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Media(payload(1)))));
    assert!(tells.try_recv().is_err(), "the mark is out, and not played yet");
    carrier.return_mark("first").await;
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Mark("first".to_owned()))));
    let report = carrier.report().await;
    assert_eq!((report.counts.marks_set, report.counts.marks_played), (1, 1));
    assert_eq!(report.counts.to_carrier, 100);
    assert!(report.first_audio_to_carrier.unwrap() < Duration::from_millis(100));
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Stop)));
}

/// A runtime that needs a second until it shakes hands, and then speaks at once: how long after the
/// carrier's `start` is it heard, where the carrier's socket comes a second after the decision?
#[tokio::test]
async fn a_second_of_booting_is_over_when_the_media_comes() {
    const BOOT: Duration = Duration::from_millis(900);
    let booting = || {
        runtime(|stream| async move {
            tokio::time::sleep(BOOT).await;
            let mut socket = accept_async(stream).await.unwrap();
            hear(&mut socket).await;
            let Some(Said::Start(start)) = hear(&mut socket).await else { panic!("no start") };
            send(&mut socket, |out| messages::write_audio(out, &start.stream_sid, &payload(0)))
                .await;
            while socket.next().await.is_some_and(|read| read.is_ok()) {}
        })
    };
    async fn first_audio(mut carrier: Carrier) -> Duration {
        assert_eq!(carrier.hear().await, Some(Said::Media(payload(0))));
        let took = carrier.started.elapsed();
        carrier.report().await;
        took
    }
    let set_up = tokio::time::sleep(Duration::from_secs(1));
    let ahead = Ahead::call(&[booting().await]);
    set_up.await;
    let with = first_audio(ahead.media_comes().await).await;
    let without = first_audio(Carrier::call(&[booting().await]).await).await;
    println!("first audio after the carrier's start: {with:?} pre-warmed, {without:?} without");
    assert!(without >= BOOT, "{without:?}");
    assert!(with < Duration::from_millis(100), "{with:?}");
}

#[tokio::test]
async fn a_call_that_never_comes_is_told_to_the_runtime() {
    let (url, mut tells) = greeting(10).await;
    let settings = Settings { life: Duration::from_millis(400), ..Settings::default() };
    let began = clock::instant();
    let ahead = Ahead::call_agent(agent(2, &[url]), settings);
    start(&mut tells).await;
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Stop)));
    assert_eq!(tells.recv().await, Some(Told::Closed(Some(1000))));
    let took = began.elapsed();
    assert!((400..700).contains(&took.as_millis()), "{took:?}");
    let call = Arc::clone(&ahead.call);
    let report = ahead.never_comes().await;
    assert_eq!((report.end, report.began_at), (End::NeverCame, None));
    assert_eq!(report.tried, [], "it has done nothing wrong");
    assert_eq!((call.state().media, call.resume()), (MediaState::None, Resume::At(0)));
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_the_runtime_boots_ends_it_at_once() {
    for is_over in [true, false] {
        let (url, mut tells) = greeting(1).await;
        let ahead = Ahead::call(&[url]);
        start(&mut tells).await;
        a_moment().await;
        let began = clock::instant();
        if is_over {
            let (now, status) = (clock::now(), CallStatus::Canceled);
            let event = switchback::calls::Event::Status { status, at: now };
            ahead.wiring.live.apply(&ahead.call, event, now);
        } else {
            ahead.call.hang_up(CallEnd::Api);
        }
        assert_eq!(tells.recv().await, Some(Told::Said(Said::Stop)));
        assert_eq!(tells.recv().await, Some(Told::Closed(Some(1000))));
        assert!(began.elapsed() < Duration::from_millis(300));
        assert_eq!(ahead.never_comes().await.end, End::NeverCame);
    }
    // One that has not even shaken hands is given up as well.
    let hole = runtime(|stream| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(stream);
    })
    .await;
    let ahead = Ahead::call(&[hole]);
    a_moment().await;
    ahead.call.hang_up(CallEnd::Api);
    assert_eq!(ahead.never_comes().await.end, End::NeverCame);
}

async fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("ws://{}/", listener.local_addr().unwrap())
}

/// Speaks, and breaks off.
async fn breaking() -> String {
    bot(|mut socket, start| async move {
        send(&mut socket, |out| messages::write_audio(out, &start.stream_sid, &payload(99))).await;
        send(&mut socket, |out| messages::write_mark(out, &start.stream_sid, None, "lost")).await;
        let frame = CloseFrame { code: 1011.into(), reason: "".into() };
        socket.close(Some(frame)).await.unwrap();
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await
}

#[tokio::test]
async fn the_next_target_is_ready_when_the_first_has_failed_meanwhile() {
    let (url, mut tells) = greeting(3).await;
    let ahead = Ahead::call(&[refusing().await, breaking().await, url]);
    let told = start(&mut tells).await;
    let attempt = told.parameters.iter().find(|(name, _)| name == "attempt");
    assert_eq!(attempt.map(|(_, value)| value.as_str()), Some("2"));
    a_moment().await;
    let mut carrier = ahead.media_comes().await;
    assert_eq!(carrier.hear().await, Some(Said::Media(payload(0))), "nothing of the broken one");
    let took = carrier.started.elapsed();
    assert!(took < Duration::from_millis(100), "the failures cost the caller nothing: {took:?}");
    assert_eq!(carrier.call.resume(), Resume::At(2));
    let report = carrier.report().await;
    let outcomes: Vec<_> = report.tried.iter().map(|tried| tried.outcome.as_str()).collect();
    assert_eq!(outcomes, ["refused", "closed", "answered"]);
}

#[tokio::test]
async fn what_is_no_runtime_elsewhere_waits_for_the_carrier() {
    let ahead = Ahead::call(&[refusing().await, "builtin:tone".to_owned()]);
    a_moment().await;
    let mut carrier = ahead.media_comes().await;
    for _ in 0..25 {
        assert!(matches!(carrier.hear().await, Some(Said::Media(_))));
    }
    let took = carrier.started.elapsed();
    assert!((400..700).contains(&took.as_millis()), "it begins when it is heard: {took:?}");
    carrier.report().await;

    let ahead = Ahead::call(&[refusing().await, "tel:+14155550199".to_owned()]);
    a_moment().await;
    let mut carrier = ahead.media_comes().await;
    let (code, took) = carrier.closed().await;
    assert!(code == Some(1000) && took < Duration::from_millis(100), "{code:?} {took:?}");
    assert_eq!(carrier.call.resume(), Resume::At(1));
    assert_eq!(carrier.report().await.end, End::Next(1));
}

#[tokio::test]
async fn a_runtime_that_hangs_up_early_has_its_say_first() {
    let url = bot(|mut socket, start| async move {
        send(&mut socket, |out| messages::write_audio(out, &start.stream_sid, &payload(7))).await;
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        socket.close(Some(frame)).await.unwrap();
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await;
    let ahead = Ahead::call(&[url.clone(), url]);
    a_moment().await;
    assert_eq!(ahead.call.resume(), Resume::HangUp);
    let mut carrier = ahead.media_comes().await;
    assert_eq!(carrier.hear().await, Some(Said::Media(payload(7))));
    assert_eq!(carrier.closed().await.0, Some(1000));
    let report = carrier.report().await;
    assert_eq!((report.end, report.tried.len()), (End::Agent, 1));
}

#[tokio::test]
async fn a_flood_before_the_carrier_is_there_waits_in_the_runtime() {
    const FRAMES: u64 = 30_000;
    let sent = Arc::new(AtomicU64::new(0));
    let url = bot({
        let sent = Arc::clone(&sent);
        move |socket, start| {
            let sent = Arc::clone(&sent);
            async move {
                let (mut sink, mut stream) = socket.split();
                tokio::spawn(async move {
                    while stream.next().await.is_some_and(|read| read.is_ok()) {}
                });
                for n in 0..FRAMES {
                    let mut text = String::new();
                    messages::write_audio(&mut text, &start.stream_sid, &payload(n));
                    sink.send(Message::Text(text.into())).await.unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    })
    .await;
    let ahead = Ahead::call(&[url, "builtin:echo".to_owned()]);
    // Longer than a stall: we do not read either, and excuse it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = sent.load(Ordering::Relaxed);
    a_moment().await;
    assert_eq!(sent.load(Ordering::Relaxed), before, "it is held back");
    assert!(before < FRAMES);
    let mut carrier = ahead.media_comes().await;
    for n in 0..FRAMES {
        assert_eq!(number(&carrier.hear().await.unwrap()), Some(n), "nothing is lost");
    }
    assert_eq!(carrier.report().await.tried.len(), 1);
}

/// Both of a caller's times begin with the carrier's stream.
#[tokio::test]
async fn a_runtime_that_only_listens_has_its_time_from_the_carriers_start() {
    let listening = bot(|mut socket, _| async move {
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await;
    let mut strict = agent(2, &[listening, "builtin:tone".to_owned()]);
    strict.first_audio_timeout_ms = Some(700);
    let ahead = Ahead::call_agent(strict, Settings::default());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut carrier = ahead.media_comes().await;
    while !matches!(carrier.hear().await, Some(Said::Media(_))) {}
    let took = carrier.started.elapsed();
    assert!((700..1000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(carrier.report().await.tried.first().unwrap().outcome, "silent");
}

#[tokio::test]
async fn a_call_is_waited_for_once_and_no_more_calls_than_may_be() {
    let settings = Settings { at_once_max: 1, ..Settings::default() };
    let ahead = Ahead::call_agent(agent(2, &[refusing().await]), settings);
    let id = ahead.call.facts.id;
    assert!(ahead.prewarms.expect(id, 0).is_none(), "a repeated webhook");
    assert!(ahead.prewarms.expect(id, 1).is_none(), "there is no room");
    let off =
        switchback::edge::prewarm::Prewarms::new(Settings { is_on: false, ..Settings::default() });
    assert!(off.expect(id, 0).is_none());

    // The carrier asks for what follows: it will not open the first socket any more.
    ahead.prewarms.pass(id, 0);
    assert_eq!(ahead.prewarms.len(), 1, "nothing earlier was waited for");
    ahead.prewarms.pass(id, 1);
    let prewarms = ahead.prewarms.clone();
    assert_eq!(ahead.never_comes().await.end, End::NeverCame);
    assert!(prewarms.expect(id, 1).is_some(), "there is room again");
}

#[tokio::test]
async fn another_place_of_the_ladder_takes_the_place_of_the_first() {
    let (url, mut tells) = greeting(1).await;
    let ahead = Ahead::call(&[url]);
    start(&mut tells).await;
    let second = ahead.prewarms.expect(ahead.call.facts.id, 1).unwrap();
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Stop)));
    assert_eq!(tells.recv().await, Some(Told::Closed(Some(1000))));
    assert_eq!(ahead.session.await.unwrap().end, End::NeverCame);
    assert_eq!(ahead.prewarms.expected(), 1, "the first one's end leaves the second alone");
    drop(second);
    assert!(ahead.prewarms.is_empty() && ahead.prewarms.expected() == 0);
}

#[tokio::test]
async fn a_drain_ends_what_nobody_will_come_for() {
    let (url, mut tells) = greeting(1).await;
    let ahead = Ahead::call(&[url]);
    start(&mut tells).await;
    let began: Instant = clock::instant();
    ahead.prewarms.close();
    assert_eq!(tells.recv().await, Some(Told::Said(Said::Stop)));
    assert_eq!(tells.recv().await, Some(Told::Closed(Some(1000))));
    assert!(ahead.prewarms.expect(ahead.call.facts.id, 0).is_none());
    assert_eq!(ahead.never_comes().await.end, End::NeverCame);
    assert!(began.elapsed() < Duration::from_millis(700));
}
