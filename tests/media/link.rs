//! Runtimes that take many calls on one socket: each call as if it had its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use switchback::edge::report::End;
use switchback::media::messages::{self, Message as Said};
use switchback::runtime::link::PROTOCOL;
use switchback::telemetry::clock;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::stage::{Ahead, Carrier, STREAM, Ws, agent, bot, facts, hear, number, payload, wiring};

/// A line of a call.
struct Line {
    call: u32,
    said: String,
}

/// A runtime that takes links: what it does with each is its own. Its URL, and how many links were
/// made.
async fn links<F>(act: impl Fn(Link) -> F + Send + Sync + 'static) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("link:ws://{}/calls", listener.local_addr().unwrap());
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let link = Link::accept(stream).await;
            tokio::spawn(act(link));
        }
    });
    (url, made)
}

struct Link {
    socket: Ws,
    lines: std::collections::VecDeque<Line>,
}

impl Link {
    #[expect(clippy::result_large_err, reason = "tungstenite's own shape")]
    async fn accept(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        let agree = |request: &Request, mut response: Response| {
            let asked = request.headers().get("sec-websocket-protocol").unwrap();
            assert_eq!(asked, PROTOCOL);
            assert!(request.headers().contains_key("authorization"));
            response.headers_mut().insert("sec-websocket-protocol", asked.clone());
            Ok(response)
        };
        let socket = accept_hdr_async(stream, agree).await.unwrap();
        Self { socket, lines: std::collections::VecDeque::new() }
    }

    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            match self.socket.next().await?.ok()? {
                Message::Text(text) => {
                    for line in text.lines() {
                        let (call, said) = line.split_once(' ').unwrap();
                        let (call, said) = (call.parse().unwrap(), said.to_owned());
                        self.lines.push_back(Line { call, said });
                    }
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn say(&mut self, line: String) {
        // What is over needs to hear nothing.
        let _ = self.socket.send(Message::text(line)).await;
    }

    /// Accepts every call, and echoes; `hears` is told of every line, and may say something else.
    async fn echo(mut self, hears: impl Fn(&Line) -> Option<String>) {
        while let Some(line) = self.next().await {
            if let Some(other) = hears(&line) {
                self.say(other).await;
            } else if line.said.starts_with("open ") {
                self.say(format!("{} accept", line.call)).await;
            } else if let Some(media) = messages::media(&line.said) {
                let mut said = format!("{} ", line.call);
                messages::write_audio(&mut said, media.stream_sid(), media.payload());
                self.say(said).await;
            }
        }
    }
}

/// Speaks, and hears the same.
async fn talk(carrier: &mut Carrier, frames: std::ops::Range<u64>) {
    for n in frames {
        carrier.speak(n).await;
        let heard = carrier.hear().await.unwrap();
        assert_eq!(number(&heard), Some(n));
    }
}

/// A runtime of its own that says a number, so that a caller knows where they are.
async fn other() -> String {
    bot(|mut socket, start| async move {
        let mut text = String::new();
        messages::write_audio(&mut text, &start.stream_sid, &payload(999));
        socket.send(Message::text(text)).await.unwrap();
        while hear(&mut socket).await.is_some() {}
    })
    .await
}

/// The caller hears the other runtime; how long after that moment.
async fn hears_the_other(carrier: &mut Carrier, since: std::time::Instant) {
    loop {
        match carrier.hear().await.unwrap() {
            said if number(&said) == Some(999) => break,
            Said::Clear | Said::Media(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let took = since.elapsed();
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn calls_share_a_socket_and_nothing_else() {
    let (url, made) = links(|link| link.echo(|_| None)).await;
    let wiring = wiring();
    let mut carriers = Vec::new();
    for n in 0..20 {
        let facts = facts(agent(2, std::slice::from_ref(&url)), &format!("CA{n:032x}"));
        carriers.push(Carrier::call_facts(wiring.clone(), facts).await);
    }
    for round in 0..5 {
        for (n, carrier) in (0..).zip(&mut carriers) {
            carrier.speak(round * 100 + n).await;
        }
        for (n, carrier) in (0..).zip(&mut carriers) {
            assert_eq!(number(&carrier.hear().await.unwrap()), Some(round * 100 + n));
        }
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    // One that is over takes nobody along.
    carriers.pop().unwrap().report().await;
    talk(carriers.first_mut().unwrap(), 1000..1010).await;
    for carrier in carriers {
        let report = carrier.report().await;
        assert_eq!(report.counts.from_runtime_ignored, 0);
    }
}

#[tokio::test]
async fn a_call_is_told_declined_and_hung_up_by_itself() {
    let (url, _) = links(|link| {
        let told = std::sync::Mutex::new(HashMap::<u32, Vec<String>>::new());
        link.echo(move |line| {
            let mut told = told.lock().unwrap();
            let before = told.entry(line.call).or_default();
            before.push(line.said.clone());
            match before.len() {
                1 => {
                    let about = line.said.strip_prefix("open ").unwrap();
                    let about: serde_json::Value = serde_json::from_str(about).unwrap();
                    assert!(about["token"] == "token" && about["callId"].is_string(), "{about}");
                    (line.call == 1).then(|| "1 close 1013".to_owned())
                }
                2 => {
                    assert!(line.said.contains("\"connected\""), "{}", line.said);
                    None
                }
                3 => {
                    assert!(line.said.contains("customParameters"), "{}", line.said);
                    None
                }
                // The fifth frame is the last.
                8 => Some(format!("{} close 1000", line.call)),
                _ => None,
            }
        })
    })
    .await;
    let wiring = wiring();
    let call = async |sid: &str, targets: &[String]| {
        Carrier::call_facts(wiring.clone(), facts(agent(2, targets), sid)).await
    };
    let began = clock::instant();
    let mut declined = call("CA1", &[url.clone(), other().await]).await;
    hears_the_other(&mut declined, began).await;
    let report = declined.report().await;
    assert_eq!(report.tried.first().unwrap().outcome, "declined");

    let mut carrier = call("CA2", &[url]).await;
    talk(&mut carrier, 1..5).await;
    carrier.speak(5).await;
    assert_eq!(carrier.closed().await.0, Some(1000));
    assert_eq!(carrier.report().await.end, End::Agent);
}

#[tokio::test]
async fn a_link_that_breaks_stalls_or_closes_takes_every_call_to_its_next_target() {
    for fault in ["breaks", "stalls", "closes"] {
        let (url, _) = links(move |mut link| async move {
            let mut frames = 0;
            while frames < 20 {
                let line = link.next().await.unwrap();
                if line.said.starts_with("open ") {
                    link.say(format!("{} accept", line.call)).await;
                } else if let Some(media) = messages::media(&line.said) {
                    frames += 1;
                    let mut said = format!("{} ", line.call);
                    messages::write_audio(&mut said, media.stream_sid(), media.payload());
                    link.say(said).await;
                }
            }
            match fault {
                "breaks" => {}
                "stalls" => tokio::time::sleep(Duration::from_secs(10)).await,
                _ => link.socket.close(None).await.unwrap(),
            }
        })
        .await;
        let (wiring, next) = (wiring(), other().await);
        let mut carriers = Vec::new();
        for n in 0..4 {
            let targets = [url.clone(), next.clone()];
            let facts = facts(agent(2, &targets), &format!("CA{n:032x}"));
            carriers.push(Carrier::call_facts(wiring.clone(), facts).await);
        }
        for carrier in &mut carriers {
            talk(carrier, 1..6).await;
        }
        let last = clock::instant();
        for mut carrier in carriers {
            hears_the_other(&mut carrier, last).await;
            let report = carrier.report().await;
            let tried: Vec<_> = report.tried.iter().map(|tried| tried.outcome.as_str()).collect();
            let expected = if fault == "stalls" { "stalled" } else { "lost" };
            assert_eq!(tried, [expected, "answered"], "{fault}");
        }
    }
}

#[tokio::test]
async fn an_ordinary_runtime_declines_a_link() {
    let plain = other().await;
    let began = clock::instant();
    let mut carrier =
        Carrier::call(&[format!("link:{plain}").replace("/{agent_id}/{call_id}", "/"), plain])
            .await;
    hears_the_other(&mut carrier, began).await;
    carrier.report().await;
}

#[tokio::test]
async fn a_call_that_is_said_too_much_is_closed_and_a_slow_one_stops_no_other() {
    // Call 1 is talked at as far as its credit goes, call 2 beyond it, call 3 echoes.
    let (url, _) = links(|mut link| async move {
        let mut said = String::new();
        messages::write_audio(&mut said, STREAM, &payload(7));
        let flood = |call: u32, len: usize| {
            let lines: Vec<_> = (0..len / said.len()).map(|_| format!("{call} {said}")).collect();
            lines.join("\n")
        };
        while let Some(line) = link.next().await {
            if line.said.starts_with("open ") {
                link.say(format!("{} accept", line.call)).await;
            } else if line.said.contains("\"start\"") && line.call == 1 {
                link.say(flood(1, 256 * 1024)).await;
            } else if line.said.contains("\"start\"") && line.call == 2 {
                for _ in 0..8 {
                    link.say(flood(2, 64 * 1024)).await;
                }
            } else if let Some(credit) = line.said.strip_prefix("credit ") {
                link.say(flood(line.call, credit.parse().unwrap())).await;
            } else if line.call == 3 && messages::media(&line.said).is_some() {
                let mut echo = "3 ".to_owned();
                let media = messages::media(&line.said).unwrap();
                messages::write_audio(&mut echo, media.stream_sid(), media.payload());
                link.say(echo).await;
            }
        }
    })
    .await;
    let wiring = wiring();
    let call = async |sid: &str, targets: &[String]| {
        Carrier::call_facts(wiring.clone(), facts(agent(2, targets), sid)).await
    };
    // Its carrier reads nothing.
    let slow = call("CA1", std::slice::from_ref(&url)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut flooded = call("CA2", &[url.clone(), other().await]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut third = call("CA3", &[url]).await;
    talk(&mut third, 1..50).await;
    hears_the_other(&mut flooded, clock::instant()).await;
    talk(&mut third, 50..100).await;
    let report = flooded.report().await;
    assert_eq!(report.tried.first().unwrap().close_code, Some(1008));
    assert_eq!(slow.report().await.tried.first().unwrap().outcome, "answered");
    third.report().await;
}

#[tokio::test]
async fn a_call_is_opened_ahead_on_a_link_too() {
    let (url, _) = links(|link| {
        link.echo(|line| {
            line.said.contains("\"event\":\"start\"").then(|| {
                let mut said = format!("{} ", line.call);
                let envelope = messages::parse(&line.said).unwrap();
                messages::write_audio(&mut said, &envelope.stream_sid, &payload(42));
                said
            })
        })
    })
    .await;
    let ahead = Ahead::call(&[url]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut carrier = ahead.media_comes().await;
    assert_eq!(number(&carrier.hear().await.unwrap()), Some(42));
    assert!(carrier.started.elapsed() < Duration::from_millis(100));
    talk(&mut carrier, 1..10).await;
    carrier.report().await;
}
