//! What every room sends and hears, held against forms written from the carriers' pages: the
//! requests that place, end and move a call, the stations of a call in any order, a media session
//! both ways. What is peculiar to one carrier is tested in its room.
//!
//! A carrier that is added gets an arm in [`golden`], and a part of it for each thing it has.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    conformance::{NOW, account, receive},
    pages, *,
};
use crate::{
    domain::{CallStatus, E164},
    media::framing::{Frame, Heard, Payload, Said},
};

pub(super) const CALL: &str = "45511683-6b91-4098-85cb-e08fa3a11f22";
pub(super) const VOICE: &str = "https://edge.example.com/carriers/main/voice?call=1";
pub(super) const STATUS: &str = "https://edge.example.com/carriers/main/status?call=1";
pub(super) const NEXT: &str = "https://edge.example.com/carriers/main/resume?call=1&attempt=2";

/// A piece of 20 ms of mu-law, all silence.
pub(super) const SILENCE: [u8; 160] = [0xff; 160];

/// What is known of a carrier from its pages.
pub(super) struct Golden {
    /// Method and path that place a call, and what its body says.
    pub(super) dial: (Method, &'static str, Value),
    /// The same, to end one.
    pub(super) hang_up: (Method, &'static str, Value),
    /// The same, to take one elsewhere.
    pub(super) redirect: (Method, &'static str, Value),
    /// Path that tells where a call stands, and what it then says of one that goes on; none where
    /// no single call is told of.
    pub(super) look: Option<(&'static str, &'static str)>,
    /// The stations of a call that came in, in their order, as its account's carrier tells them.
    pub(super) life: Vec<(String, CallStatus)>,
    /// Seconds after which a signed request is stale; none where the time is not signed.
    pub(super) stale_after: Option<u64>,
    /// A media session; none where it is Twilio's, letter by letter.
    pub(super) media: Option<Media>,
}

/// A media session.
pub(super) struct Media {
    /// What the stream carries.
    pub(super) format: MediaFormat,
    /// The stream begins, of the call [`CALL`].
    pub(super) began: Frame<'static>,
    /// Its piece of [`SILENCE`].
    pub(super) audio: Frame<'static>,
    /// Somebody presses 5.
    pub(super) key: Option<Frame<'static>>,
    /// It is over, where that is said.
    pub(super) stopped: Option<Frame<'static>>,
    /// How it is told to play [`SILENCE`], to say when that was played, to forget it.
    pub(super) said: [Option<Frame<'static>>; 3],
}

fn golden(carrier: CarrierId) -> Golden {
    match carrier {
        CarrierId::Bandwidth => pages::bandwidth(),
        CarrierId::Plivo => pages::plivo(),
        CarrierId::SignalWire => pages::signalwire(),
        CarrierId::Telnyx => pages::telnyx(),
        CarrierId::TelnyxTexml => pages::telnyx_texml(),
        CarrierId::Twilio => pages::twilio(),
        CarrierId::Vonage => pages::vonage(),
    }
}

/// A form's pairs, sorted, as the body of a golden request.
pub(super) fn form(pairs: &[(&str, &str)]) -> Value {
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| json!([name, value])).collect();
    pairs.sort_by_key(Value::to_string);
    Value::Array(pairs)
}

pub(super) fn nonce() -> String {
    Uuid::from_u128(7).to_string()
}

pub(super) fn silence() -> String {
    base64_simd::STANDARD.encode_to_string(SILENCE)
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is made")]
pub(super) fn text(message: Value) -> Frame<'static> {
    Frame::Text(message.to_string().into())
}

/// A body as the goldens have it: JSON, or a form's pairs, sorted.
fn read(request: &ApiRequest) -> Value {
    if request.body.is_empty() {
        return Value::Null;
    }
    if request.content_type == "application/json" {
        return serde_json::from_str(&request.body).unwrap();
    }
    let pairs = request.body.split('&').map(|pair| pair.split_once('=').unwrap());
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
    form(&pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

#[track_caller]
fn check(carrier: CarrierId, command: &Command<'_>, golden: &(Method, &str, Value)) {
    let account = account(carrier, &["ours"]);
    let request = room(carrier).request(command, &account, NOW, Uuid::from_u128(7)).unwrap();
    let (method, path, body) = golden;
    let asked = percent_decode_str(&request.path).decode_utf8().unwrap();
    assert_eq!((&request.method, asked.as_ref()), (method, *path), "{carrier}: {command:?}");
    let (mut found, mut expected) = (read(&request), body.clone());
    for (name, value) in expected.as_object_mut().into_iter().flatten() {
        // Ours to choose; its room says what is in it.
        if *value == "*" {
            assert!(!found[name].is_null() && found[name] != "", "{carrier}: {name}");
            *value = found[name].take();
            found[name] = value.clone();
        }
    }
    assert_eq!(found, expected, "{carrier}: {command:?}");
    // A retry is the same request, and says so where the carrier listens to that.
    let again = room(carrier).request(command, &account, NOW, Uuid::from_u128(7)).unwrap();
    assert_eq!((again.path, again.body), (request.path, request.body), "{carrier}");
}

#[test]
fn commands_are_as_the_pages_have_them() {
    for &carrier in CarrierId::ALL {
        let Golden { dial, hang_up, redirect, .. } = golden(carrier);
        let call = Dial {
            from: E164::parse("+12125550142").unwrap(),
            to: E164::parse("+14155550117").unwrap(),
            voice_url: VOICE,
            status_url: STATUS,
            ring_seconds: 60,
            detects_machine: false,
            awaits_recording: false,
        };
        check(carrier, &Command::Dial(call), &dial);
        check(carrier, &Command::HangUp { carrier_call_id: CALL }, &hang_up);
        check(carrier, &Command::Redirect { carrier_call_id: CALL, url: NEXT }, &redirect);
    }
}

#[test]
fn where_a_call_stands_is_asked_as_the_pages_have_it() {
    for &carrier in CarrierId::ALL {
        let request = room(carrier).look(CALL, &account(carrier, &["ours"]));
        let (Some(request), Some((path, goes_on))) = (&request, golden(carrier).look) else {
            assert!(request.is_none() && golden(carrier).look.is_none(), "{carrier}");
            continue;
        };
        let asked = percent_decode_str(&request.path).decode_utf8().unwrap();
        assert_eq!((&request.method, asked.as_ref()), (&Method::GET, path), "{carrier}");
        let looked = |status, body: &str| room(carrier).looked(status, body.as_bytes());
        assert_eq!(looked(200, goes_on), Some(CallStatus::InProgress), "{carrier}");
        assert_eq!(looked(404, "{}"), Some(CallStatus::Completed), "{carrier}: it is gone");
        for (status, body) in [(200, "<html>"), (401, "{}"), (429, "{}"), (502, "")] {
            assert_eq!(looked(status, body), None, "{carrier}: {status}");
        }
    }
}

/// Every order of them.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = of.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<T>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

#[test]
fn a_call_comes_to_its_end_in_whatever_order_that_is_told() {
    for &carrier in CarrierId::ALL {
        for order in orders(&golden(carrier).life) {
            let mut stands = CallStatus::Initiated;
            // Each told twice, the second time last.
            for (body, expected) in order.iter().chain(&order) {
                receive(carrier, Endpoint::Status, body, body, |result| {
                    let Webhook { event, carrier_call_id, .. } = result.unwrap();
                    assert!(body.contains(carrier_call_id.as_ref()), "{carrier}: {body}");
                    let Event::Progress(progress) = event else { panic!("{carrier}: {event:?}") };
                    assert_eq!(progress.status, *expected, "{carrier}: {body}");
                    let next = stands.advanced(progress.status);
                    assert!(next >= stands, "{carrier}: back from {stands} to {next}");
                    stands = next;
                });
            }
            assert_eq!(stands, CallStatus::Completed, "{carrier}");
        }
    }
}

#[test]
fn what_was_signed_long_ago_is_refused() {
    for &carrier in CarrierId::ALL {
        let Golden { stale_after, life, .. } = golden(carrier);
        let Some(after) = stale_after else { continue };
        let account = account(carrier, &["ours"]);
        let (body, _) = life.first().unwrap();
        let plain = HeaderMap::new();
        let request = |headers| Request {
            method: &Method::POST,
            url: STATUS,
            headers,
            body: body.as_bytes(),
        };
        let signed = room(carrier).sign(&request(&plain), &account, NOW);
        let receive = |now| {
            room(carrier).receive(Endpoint::Status, &request(&signed), &account, now).map(drop)
        };
        let seconds = |n: u64| UnixMillis(NOW.0 + n * 1000);
        assert_eq!(receive(seconds(after)), Ok(()), "{carrier}");
        assert_eq!(receive(seconds(after + 1)), Err(Refused::Stale), "{carrier}");
    }
}

#[test]
fn a_media_session_goes_both_ways() {
    for &carrier in CarrierId::ALL {
        let account = account(carrier, &["ours"]);
        let framing = room(carrier).framing(MediaFormat::PCMU_8000, &account);
        let (Some(framing), Some(media)) = (&framing, golden(carrier).media) else {
            assert!(framing.is_none() && golden(carrier).media.is_none(), "{carrier}");
            continue;
        };
        let Media { format: expected, began, audio, key, stopped, said } = media;
        let Ok(Heard::Began(began)) = framing.read(&began) else { panic!("{carrier}: start") };
        let (stream, format) = (began.stream, began.format);
        assert_eq!(format, expected, "{carrier}");
        let Ok(Heard::Audio(heard)) = framing.read(&audio) else { panic!("{carrier}: audio") };
        let bytes = match heard.payload {
            Payload::Base64(text) => base64_simd::STANDARD.decode_to_vec(text.as_ref()).unwrap(),
            Payload::Bytes(bytes) => bytes.into_owned(),
        };
        assert_eq!(bytes, SILENCE, "{carrier}");
        if let Some(key) = key {
            assert_eq!(framing.read(&key), Ok(Heard::Dtmf('5')), "{carrier}");
        }
        if let Some(stopped) = stopped {
            assert_eq!(framing.read(&stopped), Ok(Heard::Stopped), "{carrier}");
        }
        let words =
            [Said::Audio(Payload::Bytes(Cow::Borrowed(&SILENCE))), Said::Mark("m1"), Said::Clear];
        for (word, expected) in words.iter().zip(said) {
            let written = framing.write(word, &stream);
            assert_eq!(written.map(plain), expected.map(plain), "{carrier}: {word:?}");
        }
        let silence = silence();
        let same = Said::Audio(Payload::Base64(Cow::Borrowed(&silence)));
        assert_eq!(framing.write(&same, &stream), framing.write(&words[0], &stream), "{carrier}");
    }
}

/// JSON as it means, bytes as they are.
fn plain(frame: Frame<'static>) -> Result<Value, Vec<u8>> {
    match frame {
        Frame::Text(text) => Ok(serde_json::from_str(&text).unwrap()),
        Frame::Binary(bytes) => Err(bytes.into_owned()),
    }
}
