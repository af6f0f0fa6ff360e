//! The media socket's messages from Bandwidth's end (Bandwidth docs, voice/bxml/startStream): the
//! payload on top in what is heard, inside `media` in what is played. No marks, and no keys.

use base64_simd::STANDARD;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::{
    domain::{ByteOrder, MediaFormat},
    simulator::{
        audio::{self, FRAME_LEN},
        leg::Leg,
        talk::{Heard, Wire},
        verb::{Problem, Stream},
    },
};

/// A stream's messages.
pub(super) struct Messages {
    metadata: Value,
    parameters: Map<String, Value>,
    sequence: u64,
}

impl Messages {
    pub(super) fn new(leg: &Leg, stream: &Stream, id: &str) -> Self {
        let metadata = json!({
            "accountId": leg.facts.account_sid,
            "callId": leg.facts.sid,
            "streamId": id,
            "streamName": stream.attribute("name"),
            "tracks": [{ "name": "inbound",
                "mediaFormat": { "encoding": "PCMU", "sampleRate": 8000 } }],
        });
        let parameters = stream.parameters.iter().cloned();
        let parameters = parameters.map(|(name, value)| (name, value.into())).collect();
        Self { metadata, parameters, sequence: 0 }
    }
}

fn invalid(what: &str) -> Problem {
    Problem::new(31_951, what)
}

fn message(message: &Value) -> Vec<Frame> {
    vec![Frame::text(message.to_string())]
}

/// What a content type names.
fn format(content_type: &str) -> Option<MediaFormat> {
    let tail = ";channels=1;bit-depth=16;endian=little;encoding=signed";
    let linear =
        |text: &str| text.strip_prefix("audio/pcm;rate=")?.strip_suffix(tail)?.parse().ok();
    match (content_type, linear(content_type)) {
        ("audio/pcmu", _) => Some(MediaFormat::PCMU_8000),
        (_, Some(rate @ (8000 | 16_000 | 24_000))) => Some(MediaFormat::l16(rate)),
        _ => None,
    }
}

impl Wire for Messages {
    fn begins(&mut self) -> Vec<Frame> {
        let (metadata, parameters) = (&self.metadata, &self.parameters);
        let start = json!({ "eventType": "start", "metadata": metadata,
            "streamParams": parameters });
        message(&start)
    }

    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame> {
        self.sequence += 1;
        message(&json!({ "eventType": "media", "track": "inbound",
            "sequenceNumber": self.sequence.to_string(),
            "payload": STANDARD.encode_to_string(sound) }))
    }

    /// Keys come by webhook, where that was asked for.
    fn presses(&mut self, _key: char) -> Vec<Frame> {
        Vec::new()
    }

    fn plays_to(&mut self, _mark: &str) -> Vec<Frame> {
        Vec::new()
    }

    fn ends(&mut self) -> Vec<Frame> {
        message(&json!({ "eventType": "stop", "metadata": self.metadata }))
    }

    fn take(&mut self, message: &Frame) -> Result<Heard, Problem> {
        let Frame::Text(text) = message else { return Err(invalid("a binary message")) };
        let message: Value =
            serde_json::from_str(text).map_err(|_| invalid("an invalid message"))?;
        match message.get("eventType").and_then(Value::as_str) {
            Some("playAudio") => {
                let text = |name: &str| message.get("media")?.get(name)?.as_str();
                let format = text("contentType").and_then(format);
                let format = format.ok_or_else(|| invalid("playAudio: the content type"))?;
                let sound = text("payload").and_then(|text| STANDARD.decode_to_vec(text).ok());
                let sound = sound.ok_or_else(|| invalid("playAudio: the payload"))?;
                Ok(Heard::Sound(audio::of_carried(&sound, format, ByteOrder::Little)))
            }
            Some("clear") => Ok(Heard::Clear),
            _ => Err(invalid("an event that is not the customer's to send")),
        }
    }
}
