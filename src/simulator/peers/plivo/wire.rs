//! Audio streaming's messages from Plivo's end (Plivo docs,
//! voice-agents/audio-streaming/concepts/audio-streaming-reference). Numbers are numbers, but for
//! the timestamps; marks that were thrown away do not come back.

use base64_simd::STANDARD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::{
    domain::{ByteOrder, Codec, MediaFormat},
    simulator::{
        audio::{self, FRAME_LEN},
        leg::Leg,
        peers::fields,
        talk::{Heard, Wire},
        verb::{Problem, Stream},
    },
    telemetry::clock,
};

/// A longer message is an error.
const MESSAGE_LEN_MAX: usize = 64 * 1024;

/// A stream's messages.
pub(super) struct Messages {
    stream: String,
    call: String,
    account: String,
    extra_headers: String,
    format: MediaFormat,
    sequence: u64,
    chunk: u64,
}

impl Messages {
    pub(super) fn new(leg: &Leg, stream: &Stream, id: &str) -> Self {
        Self {
            stream: id.to_owned(),
            call: leg.facts.sid.clone(),
            account: leg.facts.account_sid.clone(),
            extra_headers: stream.attribute("extraHeaders").unwrap_or("{}").to_owned(),
            format: stream.format,
            sequence: 0,
            chunk: 0,
        }
    }

    fn encoding(&self) -> &'static str {
        match self.format.codec {
            Codec::Pcmu | Codec::Pcma => "audio/x-mulaw",
            Codec::L16 => "audio/x-l16",
        }
    }

    fn message(&mut self, event: &str, message: Value) -> Vec<Frame> {
        self.sequence += 1;
        let mut message = fields(message);
        message.insert("event".to_owned(), event.into());
        message.insert("sequenceNumber".to_owned(), self.sequence.into());
        if event != "start" {
            message.insert("streamId".to_owned(), self.stream.as_str().into());
        }
        if matches!(event, "start" | "media" | "dtmf") {
            message.insert("extra_headers".to_owned(), self.extra_headers.as_str().into());
        }
        vec![Frame::text(Value::Object(message).to_string())]
    }

    /// The sound of a `playAudio`, which names the stream's own format.
    fn sound(&self, media: &Value) -> Result<Vec<u8>, Problem> {
        let text = |name: &str| media.get(name).and_then(Value::as_str);
        let rate = media.get("sampleRate").and_then(Value::as_u64);
        let is_ours = text("contentType") == Some(self.encoding())
            && rate == Some(u64::from(self.format.sample_rate_hz));
        if !is_ours {
            return Err(invalid("playAudio: not the stream's format"));
        }
        let sound = text("payload").and_then(|payload| STANDARD.decode_to_vec(payload).ok());
        let sound = sound.ok_or_else(|| invalid("playAudio: a payload that is not base64"))?;
        Ok(audio::of_carried(&sound, self.format, ByteOrder::Little))
    }
}

fn invalid(what: &str) -> Problem {
    Problem::new(31_951, what)
}

impl Wire for Messages {
    fn begins(&mut self) -> Vec<Frame> {
        let start = json!({ "start": {
            "callId": self.call,
            "streamId": self.stream,
            "accountId": self.account,
            "tracks": ["inbound"],
            "mediaFormat": { "encoding": self.encoding(),
                "sampleRate": self.format.sample_rate_hz },
        } });
        self.message("start", start)
    }

    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame> {
        self.chunk += 1;
        let sound = audio::carried(sound, self.format, ByteOrder::Little);
        let media = json!({ "media": {
            "track": "inbound",
            "timestamp": clock::now().0.to_string(),
            "chunk": self.chunk,
            "payload": STANDARD.encode_to_string(sound),
        } });
        self.message("media", media)
    }

    fn presses(&mut self, key: char) -> Vec<Frame> {
        let dtmf = json!({ "track": "inbound", "digit": key.to_string(),
            "timestamp": clock::now().0.to_string() });
        self.message("dtmf", json!({ "dtmf": dtmf }))
    }

    fn plays_to(&mut self, mark: &str) -> Vec<Frame> {
        self.message("playedStream", json!({ "name": mark }))
    }

    fn cleared(&mut self) -> Vec<Frame> {
        self.message("clearedAudio", json!({}))
    }

    fn ends(&mut self) -> Vec<Frame> {
        self.message("stop", json!({}))
    }

    fn take(&mut self, message: &Frame) -> Result<Heard, Problem> {
        let Frame::Text(text) = message else { return Err(invalid("a binary message")) };
        if text.len() > MESSAGE_LEN_MAX {
            return Err(invalid("a message longer than 64 kB"));
        }
        let message: Value =
            serde_json::from_str(text).map_err(|_| invalid("an invalid message"))?;
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        let is_ours = text("streamId") == Some(self.stream.as_str());
        match text("event") {
            Some("playAudio") => {
                self.sound(message.get("media").unwrap_or(&Value::Null)).map(Heard::Sound)
            }
            Some("checkpoint") if is_ours => {
                let name = text("name").ok_or_else(|| invalid("a checkpoint without a name"))?;
                Ok(Heard::Mark(name.to_owned()))
            }
            Some("clearAudio") if is_ours => Ok(Heard::Clear),
            Some("sendDTMF") => Ok(Heard::Nothing),
            _ => Err(invalid("an event that is not the customer's to send")),
        }
    }

    fn returns_cleared_marks(&self) -> bool {
        false
    }
}
