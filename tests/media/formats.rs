//! Calls whose carrier and runtime do not speak the same.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::STANDARD;
use futures_util::{SinkExt, StreamExt};
use switchback::domain::{Agent, ByteOrder, CallStatus, MediaFormat, RuntimeMedia};
use switchback::edge::session::carry;
use switchback::edge::socket::Arrival;
use switchback::edge::translated::Translated;
use switchback::media::carrier_leg::CarrierLeg;
use switchback::media::framing::{
    Audio, Frame, Framing, Heard, Payload, Piece, Said as Told, Shape, write_text,
};
use switchback::media::messages::{
    Format, Malformed, Message as Said, Start, write_audio, write_mark,
};
use switchback::telemetry::clock;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::stage::{CALL, Carrier, STREAM, agent, bot, facts, hear, pair, send, served, wiring};

fn bytes_of(said: &Said) -> usize {
    let Said::Media(payload) = said else { panic!("{said:?}") };
    STANDARD.decode_to_vec(payload).unwrap().len()
}

#[tokio::test]
async fn a_runtime_hears_and_speaks_what_its_agent_asks_for() {
    let (told, mut telling) = mpsc::channel(1);
    let url = bot(move |mut socket, start| {
        let told = told.clone();
        async move {
            told.send(start.format).await.unwrap();
            for _ in 0..3 {
                assert_eq!(bytes_of(&hear(&mut socket).await.unwrap()), 640);
            }
            let payload = STANDARD.encode_to_string([0; 640]);
            for _ in 0..2 {
                send(&mut socket, |out| write_audio(out, STREAM, &payload)).await;
            }
            send(&mut socket, |out| write_mark(out, STREAM, None, "said")).await;
            while hear(&mut socket).await.is_some() {}
        }
    })
    .await;
    let wants = Agent { runtime_media: Some(RuntimeMedia::L16At16), ..agent(2, &[url]) };
    let mut carrier = Carrier::call_agent(wants).await;
    let format = telling.recv().await.unwrap();
    let expected = Format { encoding: "audio/x-l16".to_owned(), sample_rate: 16_000, channels: 1 };
    assert_eq!(format, expected);
    for number in 1..=3 {
        carrier.speak(number).await;
    }
    // What the resampler holds back comes when nothing follows, and the mark after it.
    for len in [160, 160, 80] {
        assert_eq!(bytes_of(&carrier.hear().await.unwrap()), len);
    }
    assert_eq!(carrier.hear().await, Some(Said::Mark("said".to_owned())));
    carrier.report().await;
}

/// A carrier that speaks in bytes, 20 ms of linear samples at a time, and knows no marks.
struct Bytes;

impl Framing for Bytes {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Binary(bytes) = frame else { return Ok(Heard::Unknown) };
        let payload = Payload::Bytes(Cow::Borrowed(&**bytes));
        Ok(Heard::Audio(Audio { payload, chunk: None }))
    }

    fn write_into(&self, said: &Told<'_>, _: &str, out: &mut Vec<u8>) -> Option<Shape> {
        match said {
            Told::Audio(Payload::Bytes(bytes)) => out.extend_from_slice(bytes),
            Told::Audio(Payload::Base64(text)) => {
                STANDARD.decode_append(text.as_bytes(), out).unwrap();
            }
            Told::Clear => return Some(write_text(out, |out| out.push_str("clear"))),
            Told::Mark(_) => return None,
        }
        Some(Shape::Binary)
    }

    fn outbound_format(&self) -> MediaFormat {
        MediaFormat::L16_16000
    }

    fn piece(&self) -> Piece {
        Piece::Exactly { ms: 20 }
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn lead_ms(&self) -> u32 {
        100
    }
}

#[tokio::test]
async fn a_carrier_that_speaks_otherwise_is_paced_and_its_marks_are_the_clocks() {
    let (told, mut telling) = mpsc::channel(4);
    let url = bot(move |mut socket, start| {
        let told = told.clone();
        async move {
            assert_eq!(start.format, Format::default());
            assert_eq!(bytes_of(&hear(&mut socket).await.unwrap()), 160);
            let began = clock::instant();
            let second = STANDARD.encode_to_string([0xff; 8000]);
            send(&mut socket, |out| write_audio(out, STREAM, &second)).await;
            send(&mut socket, |out| write_mark(out, STREAM, None, "said")).await;
            loop {
                match hear(&mut socket).await {
                    Some(Said::Mark(name)) => {
                        assert_eq!(name, "said");
                        told.send(began.elapsed()).await.unwrap();
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
    })
    .await;
    let wiring = wiring();
    let call = wiring.live.open(facts(agent(2, &[url]), CALL), CallStatus::Ringing, clock::now());
    let (client, server) = pair().await;
    let mut carrier = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let server = served(server);
    let format = MediaFormat::L16_16000;
    let start = Start { stream_sid: STREAM.to_owned(), format: format.into(), ..Start::default() };
    let (framing, order) = (Box::new(Bytes), ByteOrder::Little);
    let leg = CarrierLeg::new(framing, String::new(), format, order, start.clone()).unwrap();
    let socket = Box::new(Translated::new(server, leg));
    let arrival = Arrival { socket, start, open: None };
    let session = tokio::spawn({
        let call = Arc::clone(&call);
        async move { carry(arrival, call, 0, "token".to_owned(), &wiring).await }
    });

    carrier.send(Message::binary(vec![0; 640])).await.unwrap();
    let (mut frames, mut began) = (0, None);
    let heard = async {
        // A second, and what the resampler had left, filled up.
        while frames < 51 {
            let Some(Ok(message)) = carrier.next().await else { panic!("{frames} frames") };
            if let Message::Binary(bytes) = message {
                assert_eq!(bytes.len(), 640);
                let began = *began.get_or_insert_with(clock::instant);
                frames += 1;
                // Never more than the lead ahead, but for what the clocks differ.
                let ahead = Duration::from_millis(20 * frames).saturating_sub(began.elapsed());
                assert!(ahead <= Duration::from_millis(140), "{ahead:?}");
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap();
    let mark = telling.recv().await.unwrap();
    assert!(mark >= Duration::from_secs(1), "{mark:?}");
    drop(carrier);
    let report = session.await.unwrap();
    assert_eq!((report.counts.marks_set, report.counts.marks_played), (1, 1));
    assert_eq!((report.counts.from_carrier, report.counts.to_runtime), (1, 1));
}
