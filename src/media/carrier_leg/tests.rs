//! What a leg keeps of every call, whatever the carrier's way: the tests' carriers speak in words
//! and play what they are sent.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::media::framing::{Audio, Payload, Piece, Said, Shape, write_text};

const SID: &str = "MZ1";

/// A carrier's way of speaking.
#[derive(Clone, Debug)]
struct Style {
    format: MediaFormat,
    piece: Piece,
    lead_ms: u32,
    is_binary: bool,
    has_marks: bool,
    can_clear: bool,
    is_reordered: bool,
    /// It gives back the marks of what was cleared; others forget them.
    returns_cleared: bool,
}

/// As Telnyx speaks: base64 in text, any size from 20 ms on, marks, out of order.
const TEXT: Style = Style {
    format: MediaFormat::PCMU_8000,
    piece: Piece::Between { ms_min: 20, ms_max: 30_000 },
    lead_ms: 100,
    is_binary: false,
    has_marks: true,
    can_clear: true,
    is_reordered: true,
    returns_cleared: true,
};
/// As Vonage speaks: bytes, exactly 20 ms.
const BINARY: Style = Style {
    format: MediaFormat::L16_16000,
    piece: Piece::Exactly { ms: 20 },
    lead_ms: 200,
    is_binary: true,
    is_reordered: false,
    returns_cleared: false,
    ..TEXT
};
/// As Bandwidth speaks: no marks.
const MUTE: Style = Style {
    piece: Piece::Between { ms_min: 0, ms_max: 1000 },
    has_marks: false,
    is_reordered: false,
    ..TEXT
};
/// As nobody should speak.
const DEAF: Style = Style { can_clear: false, lead_ms: 0, ..MUTE };

impl Framing for Style {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let text = match frame {
            Frame::Binary(bytes) => {
                let payload = Payload::Bytes(Cow::Borrowed(bytes));
                return Ok(Heard::Audio(Audio { payload, chunk: None }));
            }
            Frame::Text(text) => text,
        };
        let (kind, rest) = text.split_once(' ').ok_or(Malformed)?;
        Ok(match kind {
            "audio" => {
                let (chunk, payload) = rest.split_once(' ').ok_or(Malformed)?;
                let payload = Payload::Base64(Cow::Borrowed(payload));
                Heard::Audio(Audio { payload, chunk: chunk.parse().ok() })
            }
            "key" => Heard::Dtmf(rest.chars().next().ok_or(Malformed)?),
            "mark" => Heard::Mark(Cow::Borrowed(rest)),
            "cleared" => Heard::Cleared,
            "stop" => Heard::Stopped,
            "no" => Heard::Failed(Cow::Borrowed(rest)),
            _ => Heard::Unknown,
        })
    }

    fn write_into(&self, said: &Said<'_>, stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        let text = match said {
            Said::Audio(payload) => {
                let bytes = match payload {
                    Payload::Base64(text) => base64_simd::STANDARD.decode_to_vec(&**text).unwrap(),
                    Payload::Bytes(bytes) => bytes.to_vec(),
                };
                if self.is_binary {
                    out.extend(bytes);
                    return Some(Shape::Binary);
                }
                format!("audio {stream} {}", base64_simd::STANDARD.encode_to_string(bytes))
            }
            Said::Mark(name) => {
                assert!(self.has_marks);
                format!("mark {name}")
            }
            Said::Clear => self.can_clear.then(|| "clear".to_owned())?,
        };
        Some(write_text(out, |out| out.push_str(&text)))
    }

    fn outbound_format(&self) -> MediaFormat {
        self.format
    }

    fn piece(&self) -> Piece {
        self.piece
    }

    fn has_marks(&self) -> bool {
        self.has_marks
    }

    fn lead_ms(&self) -> u32 {
        self.lead_ms
    }

    fn is_reordered(&self) -> bool {
        self.is_reordered
    }
}

fn leg(style: &Style, order: ByteOrder) -> CarrierLeg {
    let start = Start { stream_sid: SID.to_owned(), ..Start::default() };
    let (framing, stream) = (Box::new(style.clone()), "theirs".to_owned());
    CarrierLeg::new(framing, stream, style.format, order, start).unwrap()
}

fn wake_at(leg: &CarrierLeg) -> Option<Duration> {
    leg.due_at().into_iter().chain(leg.send_at()).min()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn text(text: &str) -> Frame<'_> {
    Frame::Text(Cow::Borrowed(text))
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn audio(bytes: &[u8]) -> String {
    let payload = base64_simd::STANDARD.encode_to_string(bytes);
    written(|out| messages::write_audio(out, SID, &payload))
}

fn mark(name: &str) -> String {
    written(|out| messages::write_mark(out, SID, None, name))
}

fn clear() -> String {
    written(|out| messages::write_clear(out, SID))
}

fn owned(frame: Frame<'_>) -> Frame<'static> {
    match frame {
        Frame::Text(text) => Frame::Text(Cow::Owned(text.into_owned())),
        Frame::Binary(bytes) => Frame::Binary(Cow::Owned(bytes.into_owned())),
    }
}

fn for_bridge(leg: &mut CarrierLeg) -> Vec<String> {
    std::iter::from_fn(|| leg.next_for_bridge().then(|| leg.text().to_owned())).collect()
}

/// The carrier's numbers and times of what has come, by ours.
fn places(frames: &[String]) -> Vec<(u64, u64, u64)> {
    frames
        .iter()
        .map(|frame| messages::media(frame).unwrap())
        .map(|m| (m.sequence.unwrap(), m.chunk.unwrap(), m.timestamp_ms.unwrap()))
        .collect()
}

fn hear(leg: &mut CarrierLeg, chunks: &[u64], now: Duration) -> Vec<(u64, u64, u64)> {
    for chunk in chunks {
        let payload = base64_simd::STANDARD.encode_to_string([0x55; 160]);
        leg.read(&text(&format!("audio {chunk} {payload}")), now);
    }
    places(&for_bridge(leg))
}

/// A carrier that plays what it is sent.
struct Player {
    style: Style,
    leg: CarrierLeg,
    now: Duration,
    /// Whole audio that was sent, and when each message of it has been played.
    heard: Vec<u8>,
    played: Vec<(usize, Duration)>,
    until: Duration,
    /// Marks that it was sent, and when it gives them back.
    marks: VecDeque<(String, Duration)>,
    returned: Vec<(String, Duration)>,
    starved: u32,
}

impl Player {
    fn new(style: &Style) -> Self {
        Self {
            leg: leg(style, ByteOrder::Little),
            style: style.clone(),
            now: Duration::ZERO,
            heard: Vec::new(),
            played: Vec::new(),
            until: Duration::ZERO,
            marks: VecDeque::new(),
            returned: Vec::new(),
            starved: 0,
        }
    }

    fn take(&mut self, frame: Frame<'_>) {
        let said = match frame {
            Frame::Binary(bytes) => Ok(bytes.into_owned()),
            Frame::Text(text) => match text.strip_prefix("audio theirs ") {
                Some(payload) => Ok(base64_simd::STANDARD.decode_to_vec(payload).unwrap()),
                None => Err(text.into_owned()),
            },
        };
        match said {
            Ok(bytes) => {
                let (format, length) =
                    (self.style.format, self.style.format.length_of(bytes.len()));
                let is_whole = match self.style.piece {
                    Piece::Exactly { ms } => bytes.len() == format.bytes_of_ms(ms),
                    Piece::Between { ms_min, ms_max } => (format.bytes_of_ms(ms_min)
                        ..=format.bytes_of_ms(ms_max))
                        .contains(&bytes.len()),
                };
                assert!(is_whole, "{} bytes", bytes.len());
                self.starved += u32::from(self.until < self.now);
                self.until = self.until.max(self.now) + length;
                let lead = ms(u64::from(self.style.lead_ms)).max(length);
                assert!(self.until - self.now <= lead, "{:?} ahead", self.until - self.now);
                self.heard.extend(bytes);
                self.played.push((self.heard.len(), self.until));
            }
            Err(text) if text == "clear" => {
                self.until = self.until.min(self.now);
                if self.style.returns_cleared {
                    self.marks.iter_mut().for_each(|(_, at)| *at = self.now);
                } else {
                    self.marks.clear();
                }
            }
            Err(text) => {
                let name = text.strip_prefix("mark ").unwrap();
                self.marks.push_back((name.to_owned(), self.until.max(self.now)));
            }
        }
    }

    /// Writes, and gives back marks, until nothing is left to do now.
    fn settle(&mut self) {
        loop {
            self.leg.due(self.now);
            while let Some(frame) = self.leg.next_for_carrier(self.now).map(owned) {
                self.take(frame);
            }
            let due = self.marks.iter().position(|(_, at)| *at <= self.now);
            let Some((name, _)) = due.and_then(|due| self.marks.remove(due)) else { break };
            self.leg.read(&text(&format!("mark {name}")), self.now);
        }
        for frame in for_bridge(&mut self.leg) {
            let Message::Mark(name) = messages::parse(&frame).unwrap().message else {
                panic!("{frame}")
            };
            self.returned.push((name, self.now));
        }
        assert!(wake_at(&self.leg).is_none_or(|at| at > self.now), "nothing is left to do");
    }

    fn say(&mut self, text: &str) {
        self.leg.take(text, self.now);
        self.settle();
    }

    fn wait(&mut self, until: Duration) {
        loop {
            let marks = self.marks.iter().map(|(_, at)| *at);
            let Some(next) = wake_at(&self.leg).into_iter().chain(marks).min() else { break };
            if next > until {
                break;
            }
            self.now = next.max(self.now);
            self.settle();
        }
        self.now = until;
    }
}

#[test]
fn pieces_are_put_in_order_and_numbered_anew() {
    let mut leg = leg(&TEXT, ByteOrder::Little);
    assert_eq!(hear(&mut leg, &[1, 2], ms(0)), [(2, 1, 0), (3, 2, 20)]);
    assert_eq!(hear(&mut leg, &[4], ms(40)), []);
    assert_eq!(wake_at(&leg), Some(ms(140)));
    assert_eq!(hear(&mut leg, &[4, 3], ms(60)), [(4, 3, 40), (5, 4, 60)]);
    assert_eq!((leg.counts().reordered, leg.counts().repeated), (1, 1));
    assert_eq!(wake_at(&leg), None);
    // Three are waited for; then the missing one is a gap, and too late.
    assert_eq!(hear(&mut leg, &[6, 7, 8], ms(80)), []);
    assert_eq!(
        hear(&mut leg, &[9, 5], ms(100)),
        [(6, 6, 100), (7, 7, 120), (8, 8, 140), (9, 9, 160)]
    );
    assert_eq!(leg.counts().repeated, 2);
    // And not for ever.
    assert_eq!(hear(&mut leg, &[12], ms(200)), []);
    leg.due(ms(299));
    assert_eq!(for_bridge(&mut leg), [""; 0]);
    leg.due(ms(300));
    assert_eq!(places(&for_bridge(&mut leg)), [(10, 12, 220)]);
    // What is held goes before the end.
    assert_eq!(hear(&mut leg, &[14], ms(310)), []);
    leg.read(&text("stop "), ms(311));
    let frames = for_bridge(&mut leg);
    assert_eq!(places(&frames[..1]), [(11, 14, 260)]);
    assert_eq!(messages::parse(&frames[1]).unwrap().message, Message::Stop);
}

#[test]
fn a_recorded_disorder_is_what_was_said() {
    let mut leg = leg(&TEXT, ByteOrder::Little);
    let recorded = include_str!("../../../tests/fixtures/telnyx/media_stream_reordered.jsonl");
    let mut expected = Vec::new();
    for line in recorded.lines().filter(|line| line.contains(r#""media":"#)) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let chunk: u64 = line["media"]["chunk"].as_str().unwrap().parse().unwrap();
        let payload = line["media"]["payload"].as_str().unwrap().to_owned();
        leg.read(&text(&format!("audio {chunk} {payload}")), ms(0));
        expected.push((chunk, payload));
    }
    expected.sort();
    expected.dedup();
    let frames = for_bridge(&mut leg);
    let found = frames.iter().map(|frame| messages::media(frame).unwrap());
    let found: Vec<_> = found.map(|m| (m.chunk.unwrap(), m.payload().to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!((leg.counts().reordered, leg.counts().repeated), (3, 1));
}

#[test]
fn numbers_that_are_none_silence_nobody() {
    // Counted from somewhere else, from 0, and anew.
    for (chunks, expected) in [
        (vec![700, 701], vec![1, 2]),
        (vec![0, 1], vec![1, 2]),
        (vec![1, 2, 90_000, 90_001, 3, 4], vec![1, 2, 3, 4, 5, 6]),
        (vec![u64::MAX, u64::MAX - 1], vec![1]),
    ] {
        let mut leg = leg(&MUTE, ByteOrder::Little);
        let found: Vec<_> = hear(&mut leg, &chunks, ms(0)).iter().map(|place| place.1).collect();
        assert_eq!(found, expected, "{chunks:?}");
    }
    for style in [&TEXT, &MUTE] {
        let mut leg = leg(style, ByteOrder::Little);
        assert!(hear(&mut leg, &[1; 100], ms(0)).len() > 40);
    }
}

#[test]
fn audio_comes_in_base64_and_with_the_low_byte_first() {
    for (order, expected) in [(ByteOrder::Little, [1, 2, 3, 4]), (ByteOrder::Big, [2, 1, 4, 3])] {
        let mut leg = leg(&BINARY, order);
        leg.read(&Frame::Binary(Cow::Borrowed(&[1, 2, 3, 4])), ms(0));
        leg.read(&text("audio - AQIDBA=="), ms(0));
        for frame in for_bridge(&mut leg) {
            let payload = messages::media(&frame).unwrap().payload();
            assert_eq!(base64_simd::STANDARD.decode_to_vec(payload).unwrap(), expected);
        }
        leg.take(&audio(&[1, 2, 3, 4].repeat(160)), ms(0));
        let Some(Frame::Binary(sent)) = leg.next_for_carrier(ms(0)) else { panic!("no bytes") };
        assert_eq!(*sent, expected.repeat(160));
    }
}

#[test]
fn what_a_carrier_sends_becomes_what_it_is_sent() {
    let start = Start::default;
    let new =
        |format| CarrierLeg::new(Box::new(TEXT), String::new(), format, ByteOrder::Big, start());
    assert!(new(MediaFormat::l16(44_100)).is_none());
    for (format, bytes) in
        [(MediaFormat::PCMA_8000, vec![0xd5; 160]), (MediaFormat::L16_16000, vec![0; 640])]
    {
        let mut leg = new(format).unwrap();
        for chunk in [2, 1, 3] {
            let payload = base64_simd::STANDARD.encode_to_string(&bytes);
            leg.read(&text(&format!("audio {chunk} {payload}")), ms(0));
        }
        let frames = for_bridge(&mut leg);
        assert_eq!(places(&frames), [(2, 1, 0), (3, 2, 20), (4, 3, 40)]);
        for frame in frames {
            let payload = messages::media(&frame).unwrap().payload();
            let heard = base64_simd::STANDARD.decode_to_vec(payload).unwrap();
            // The smallest sound of A-law is no silence of mu-law.
            assert_eq!(heard.len(), 160);
            assert!(heard.iter().all(|byte| *byte >= 0xfe), "{heard:?}");
        }
    }
}

#[test]
fn what_is_said_besides_audio_reaches_the_bridge() {
    let mut leg = leg(&TEXT, ByteOrder::Little);
    leg.read(&text("key 5"), ms(0));
    leg.read(&text("cleared "), ms(0));
    leg.read(&text("weather fine"), ms(0));
    let frames = for_bridge(&mut leg);
    assert_eq!(frames.len(), 1);
    assert_eq!(messages::parse(&frames[0]).unwrap().message, Message::Dtmf("5".to_owned()));
    leg.read(&text("nonsense"), ms(0));
    // No base64, and nothing that may stand in JSON.
    leg.read(&text(r#"audio 1 "}"#), ms(0));
    assert_eq!(leg.read(&text("no such word"), ms(0)).as_deref(), Some("such word"));
    leg.take(&written(|out| messages::write_audio(out, SID, "!")), ms(0));
    leg.take("{", ms(0));
    let counts = leg.counts();
    assert_eq!((counts.from_carrier_ignored, counts.failed), (2, 1));
    assert_eq!(counts.to_carrier_ignored, 2);
    assert_eq!(for_bridge(&mut leg), [""; 0]);
}

#[test]
fn a_payload_that_fits_is_passed_on_and_any_other_is_cut() {
    let mut player = Player::new(&TEXT);
    // Any length from 20 ms to half the lead; less waits for more.
    for (len, sent, total) in
        [(160, 1, 160), (320, 2, 480), (400, 3, 880), (80, 3, 880), (80, 4, 1040)]
    {
        player.say(&audio(&vec![1; len]));
        player.wait(player.now + ms(1));
        assert_eq!((player.played.len(), player.heard.len()), (sent, total), "{len}");
        player.now = player.until;
    }
    // A second is cut, and sent as it is heard.
    player.say(&audio(&[2; 8000]));
    assert_eq!(player.played.len(), 4 + 5);
    let began = player.now;
    player.wait(began + ms(900));
    assert_eq!(player.played.len(), 4 + 50);
    assert_eq!(player.leg.counts().filled, 0);
    // A rest that nothing follows is filled up.
    player.say(&audio(&[3; 100]));
    player.wait(ms(60_000));
    assert_eq!(player.leg.counts().filled, 1);
    assert_eq!(player.heard[player.heard.len() - 160..][..100], [3; 100]);
    assert_eq!(player.heard[player.heard.len() - 60..], [0xff; 60]);
}

#[test]
fn a_runtime_that_says_a_lot_is_not_read_and_nothing_of_it_is_lost() {
    for style in [&TEXT, &BINARY, &MUTE] {
        let mut player = Player::new(style);
        let second = style.format.bytes_of_ms(1000);
        let mut said = 0;
        while player.leg.may_take() {
            player.say(&audio(&vec![1; second]));
            said += second;
        }
        assert!((60..=62).contains(&(said / second)));
        player.wait(ms(61_500));
        assert_eq!(player.heard.len(), said);
        assert!(player.leg.may_take());
        // Driven in time, the carrier never ran dry.
        assert_eq!(player.starved, 0);
        assert_eq!(player.leg.counts().sent, player.played.len() as u64);
    }
    let mut player = Player::new(&TEXT);
    player.say(&audio(&[1; 8000]));
    while player.leg.may_take() {
        player.say(&mark("m"));
    }
    player.wait(ms(1001));
    assert_eq!(player.returned.len(), 1024);
}

#[test]
fn a_mark_that_is_set_behind_nothing_comes_back_at_once() {
    for style in [&TEXT, &BINARY, &MUTE, &DEAF] {
        let mut player = Player::new(style);
        player.say(&mark("m"));
        assert_eq!(player.returned, [("m".to_owned(), ms(0))]);
    }
}

#[test]
fn clear_empties_what_waits_and_gives_its_marks_back() {
    for style in [&TEXT, &BINARY, &MUTE, &DEAF] {
        let mut player = Player::new(style);
        let second = vec![1; style.format.bytes_of_ms(1000)];
        for name in ["a", "b", "b"] {
            player.say(&audio(&second));
            player.say(&mark(name));
        }
        player.say(&audio(&second[..50]));
        player.say(&mark("rest"));
        player.wait(ms(1020));
        player.say(&clear());
        let names: Vec<_> = player.returned.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "b", "rest"]);
        assert_eq!(player.returned[0].1, ms(1000));
        // One of the same name that is set afterwards is another.
        player.say(&audio(&second));
        player.say(&mark("b"));
        assert_eq!(player.returned.len(), 4);
        player.wait(ms(5000));
        assert_eq!(player.returned.len(), 5);
        assert!(player.returned[4].1 >= ms(2020));
        let counts = player.leg.counts();
        assert!(counts.cleared > 80, "{counts:?}");
        let pieces = if style.can_clear { 50 + 50 + 10 + 1 } else { 50 + 50 + 2 };
        assert!(counts.sent <= pieces, "{counts:?}");
    }
}

/// An hour: a person who speaks all the time, and a runtime that says two seconds in a breath and
/// then is silent for one.
#[test]
fn an_hour_passes_in_no_time() {
    let mut player = Player::new(&Style { is_reordered: false, ..TEXT });
    let utterance = audio(&[7; 16_000]);
    let piece = base64_simd::STANDARD.encode_to_string([0x55; 160]);
    let hour = 3600_u64;
    let mut heard = 0;
    for chunk in 0..hour * 50 {
        player.wait(ms(chunk * 20));
        if chunk.is_multiple_of(150) {
            player.say(&utterance);
            player.say(&mark("said"));
        }
        player.leg.read(&text(&format!("audio {} {piece}", chunk + 1)), player.now);
        assert!(player.leg.next_for_bridge());
        let frame = player.leg.text().to_owned();
        let media = messages::media(&frame).unwrap();
        assert_eq!((media.chunk, media.timestamp_ms), (Some(chunk + 1), Some(chunk * 20)));
        heard += 1;
    }
    player.wait(ms(hour * 1000));
    assert_eq!(heard, hour * 50);
    assert_eq!(player.heard.len() as u64, hour * 8000 / 3 * 2);
    let back: Vec<_> = player.returned.iter().map(|(_, at)| at.as_millis()).collect();
    assert_eq!(back, (0..1200).map(|n| n * 3000 + 2000).collect::<Vec<_>>());
    let counts = player.leg.counts();
    assert_eq!(counts, Counts { sent: counts.sent, ..Counts::default() });
}

#[derive(Clone, Debug)]
enum Op {
    Audio(usize),
    Mark,
    Clear,
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop_oneof![Just(320_usize), 0_usize..5000].prop_map(Op::Audio),
        3 => Just(Op::Mark),
        1 => Just(Op::Clear),
        4 => (0_u64..400).prop_map(Op::Wait),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    let styles = prop_oneof![Just(TEXT), Just(BINARY), Just(MUTE), Just(DEAF)];
    (styles, any::<bool>(), 0_u32..300).prop_map(|(style, returns_cleared, lead_ms)| Style {
        returns_cleared,
        lead_ms,
        ..style
    })
}

proptest! {
    /// What is said is heard in order, with silence at most; marks come back once, in order, and
    /// never before what they stand behind could have been heard, unless that was cleared.
    #[test]
    fn order_and_marks_are_kept(
        style in style(),
        ops in proptest::collection::vec(op(), 0..80),
    ) {
        let mut player = Player::new(&style);
        // Bytes in turn, none of them silence; and where in them marks stand.
        let (mut said, mut marks, mut cleared) = (Vec::new(), Vec::new(), Vec::new());
        for op in ops.into_iter().chain([Op::Wait(600_000)]) {
            match op {
                Op::Audio(len) => {
                    let at = said.len();
                    said.extend((at..at + len / 2 * 2).map(|n| u8::try_from(n % 199 + 1).unwrap()));
                    player.say(&audio(&said[at..]));
                }
                Op::Mark => {
                    let name = marks.len().to_string();
                    marks.push(said.len());
                    player.say(&mark(&name));
                }
                Op::Clear => {
                    player.say(&clear());
                    // Everything that was out comes back now.
                    prop_assert_eq!(player.returned.len(), marks.len());
                    cleared.push((said.len(), player.heard.len()));
                }
                Op::Wait(wait) => player.wait(player.now + ms(wait)),
            }
        }
        let silence = style.format.silence();
        let heard: Vec<_> = player.heard.iter().copied().filter(|b| *b != silence).collect();
        if cleared.is_empty() {
            prop_assert_eq!(&heard, &said);
        }
        // With what was cleared left out, the order is the same.
        let (mut begin, mut from) = (0, 0);
        for (said_len, heard_len) in cleared.iter().copied().chain([(said.len(), usize::MAX)]) {
            let until = heard_len.min(player.heard.len());
            let part: Vec<_> =
                player.heard[from..until].iter().copied().filter(|b| *b != silence).collect();
            prop_assert!(said[begin..said_len].starts_with(&part));
            (begin, from) = (said_len, until);
        }
        let names: Vec<_> = player.returned.iter().map(|(name, _)| name.clone()).collect();
        let expected: Vec<_> = (0..marks.len()).map(|n| n.to_string()).collect();
        prop_assert_eq!(names, expected);
        if cleared.is_empty() {
            for (place, (_, at)) in marks.iter().zip(&player.returned) {
                let data = |len: usize| player.heard[..len].iter().filter(|b| **b != silence).count();
                let before = player.played.iter().find(|(len, _)| data(*len) >= *place);
                prop_assert!(*place == 0 || before.is_some_and(|(_, played)| played <= at));
            }
        }
        let counts = player.leg.counts();
        prop_assert_eq!(counts.sent, player.played.len() as u64);
        prop_assert_eq!(counts.to_carrier_ignored, 0);
    }

    /// Whatever numbers pieces have: each is passed on, or counted.
    #[test]
    fn every_piece_is_passed_on_or_counted(
        style in style(),
        chunks in proptest::collection::vec(prop_oneof![0_u64..20, any::<u64>()], 0..200),
    ) {
        let mut leg = leg(&style, ByteOrder::Little);
        let mut frames = hear(&mut leg, &chunks, ms(0));
        leg.due(ms(100));
        frames.extend(places(&for_bridge(&mut leg)));
        prop_assert_eq!(frames.len() as u64 + leg.counts().repeated, chunks.len() as u64);
        prop_assert!(frames.is_sorted());
        prop_assert!(frames.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn nothing_that_is_sent_breaks_a_leg(
        style in style(),
        frames in proptest::collection::vec((".{0,60}", any::<Vec<u8>>(), 0_u64..500), 0..40),
        is_big in any::<bool>(),
    ) {
        let mut leg = leg(&style, if is_big { ByteOrder::Big } else { ByteOrder::Little });
        let mut now = ms(0);
        for (words, bytes, wait) in frames {
            leg.read(&text(&words), now);
            leg.read(&text(&format!("audio 1 {words}")), now);
            leg.read(&text(&format!("mark {words}")), now);
            leg.read(&Frame::Binary(Cow::Borrowed(&bytes)), now);
            leg.take(&words, now);
            leg.take(&audio(&bytes), now);
            leg.take(&mark(&words), now);
            now += ms(wait);
            leg.due(now);
            while leg.next_for_carrier(now).is_some() {}
            for frame in for_bridge(&mut leg) {
                prop_assert!(messages::parse(&frame).is_ok(), "{frame}");
            }
        }
    }
}
