//! The media socket's messages from Telnyx's end (Telnyx docs, media-streaming-over-websockets):
//! snake case, counts as texts, no ids in what comes back.

use base64_simd::STANDARD;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::{
    simulator::{
        audio::FRAME_LEN,
        leg::Leg,
        peers::{fields, form::timestamp},
        talk::{Heard, Wire},
        verb::{Problem, Stream},
    },
    telemetry::clock,
};

/// A message holds 20 ms to 30 s of sound, in bytes of mu-law.
const SOUND_LEN: std::ops::RangeInclusive<usize> = 160..=30 * 8000;

/// A stream's messages.
pub(super) struct Messages {
    stream: String,
    start: Value,
    call: String,
    user: String,
    sequence: u64,
    chunk: u64,
    /// The piece before, while it is kept back: pieces may come out of order.
    late: Option<Frame>,
}

impl Messages {
    pub(super) fn new(leg: &Leg, stream: &Stream, id: &str) -> Self {
        let (facts, brings) = (&leg.facts, leg.state().orders.brings);
        let parameters: Map<String, Value> =
            stream.parameters.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
        let user = "fdff4639-fa80-4d19-b199-315b7abe95be".to_owned();
        let start = json!({
            "user_id": user,
            "call_control_id": facts.sid,
            "call_session_id": id,
            "from": facts.from,
            "to": facts.to,
            "tags": [],
            "client_state": brings,
            "custom_parameters": parameters,
            "media_format": { "encoding": "PCMU", "sample_rate": 8000, "channels": 1 },
        });
        let (stream, call) = (id.to_owned(), facts.sid.clone());
        Self { stream, start, call, user, sequence: 0, chunk: 0, late: None }
    }

    fn message(&mut self, event: &str, message: Value) -> Frame {
        self.sequence += 1;
        let mut message = fields(message);
        message.insert("event".to_owned(), event.into());
        message.insert("sequence_number".to_owned(), self.sequence.to_string().into());
        message.insert("stream_id".to_owned(), self.stream.as_str().into());
        Frame::text(Value::Object(message).to_string())
    }
}

impl Wire for Messages {
    fn begins(&mut self) -> Vec<Frame> {
        let connected = json!({ "event": "connected", "version": "1.0.0" });
        let start = json!({ "start": self.start });
        vec![Frame::text(connected.to_string()), self.message("start", start)]
    }

    /// Of every fifty pieces two change places: their order is not promised.
    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame> {
        self.chunk += 1;
        let media = json!({ "media": {
            "track": "inbound",
            "chunk": self.chunk.to_string(),
            "timestamp": ((self.chunk - 1) * 20).to_string(),
            "payload": STANDARD.encode_to_string(sound),
        } });
        let frame = self.message("media", media);
        if self.chunk % 50 == 25 {
            self.late = Some(frame);
            return Vec::new();
        }
        [Some(frame), self.late.take()].into_iter().flatten().collect()
    }

    fn presses(&mut self, key: char) -> Vec<Frame> {
        let message = json!({ "occurred_at": timestamp(clock::now()).to_string(),
            "dtmf": { "digit": key.to_string() } });
        vec![self.message("dtmf", message)]
    }

    fn plays_to(&mut self, mark: &str) -> Vec<Frame> {
        vec![self.message("mark", json!({ "mark": { "name": mark } }))]
    }

    fn ends(&mut self) -> Vec<Frame> {
        let stop = json!({ "user_id": self.user, "call_control_id": self.call });
        vec![self.message("stop", json!({ "stop": stop }))]
    }

    fn take(&mut self, message: &Frame) -> Result<Heard, Problem> {
        let malformed = |what: &str| Problem::new(100_003, what);
        let Frame::Text(text) = message else { return Err(malformed("a binary message")) };
        let message: Value =
            serde_json::from_str(text).map_err(|_| malformed("an invalid message"))?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        match text("/event") {
            Some("media") => {
                let sound = text("/media/payload").and_then(|p| STANDARD.decode_to_vec(p).ok());
                let sound = sound.filter(|sound| SOUND_LEN.contains(&sound.len()));
                let invalid = || Problem::new(100_004, "a payload that is not 20 ms to 30 s");
                sound.map(Heard::Sound).ok_or_else(invalid)
            }
            Some("mark") => {
                let name = text("/mark/name").ok_or_else(|| malformed("a mark without a name"))?;
                Ok(Heard::Mark(name.to_owned()))
            }
            Some("clear") => Ok(Heard::Clear),
            _ => Err(malformed("an event that is not the customer's to send")),
        }
    }
}
