//! Media Streams' messages from Twilio's end (Twilio docs, voice/media-streams/websocket-messages),
//! and from SignalWire's, which leaves some fields out (SignalWire docs,
//! compatibility-api/cxml/voice/stream).

use base64_simd::STANDARD;
use serde_json::{Map, Value, json};
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
};

/// When Twilio's first frame is heard: rarely at once.
const FIRST_FRAME_MS: u64 = 155;

/// A stream's messages.
pub(in crate::simulator::peers) struct Messages {
    stream: String,
    call: String,
    account: String,
    parameters: Vec<(String, String)>,
    format: MediaFormat,
    /// As SignalWire writes them.
    is_lean: bool,
    sequence: u64,
    chunk: u64,
}

impl Messages {
    pub(in crate::simulator::peers) fn new(
        leg: &Leg,
        stream: &Stream,
        id: &str,
        is_lean: bool,
    ) -> Self {
        Self {
            stream: id.to_owned(),
            call: leg.facts.sid.clone(),
            account: leg.facts.account_sid.clone(),
            parameters: stream.parameters.clone(),
            format: stream.format,
            is_lean,
            sequence: 0,
            chunk: 0,
        }
    }

    /// A numbered message about this stream.
    fn message(&mut self, event: &str, message: Value) -> Vec<Frame> {
        self.sequence += 1;
        let mut message = fields(message);
        message.insert("event".to_owned(), event.into());
        message.insert("sequenceNumber".to_owned(), self.sequence.to_string().into());
        // SignalWire promises it with these two only.
        if !self.is_lean || matches!(event, "dtmf" | "mark") {
            message.insert("streamSid".to_owned(), self.stream.as_str().into());
        }
        vec![Frame::text(Value::Object(message).to_string())]
    }
}

impl Wire for Messages {
    fn begins(&mut self) -> Vec<Frame> {
        let version = if self.is_lean { "0.2.0" } else { "1.0.0" };
        let connected = json!({ "event": "connected", "protocol": "Call", "version": version });
        let encoding = match self.format.codec {
            Codec::Pcmu => "audio/x-mulaw",
            Codec::Pcma => "audio/x-alaw",
            Codec::L16 => "audio/x-L16",
        };
        let parameters: Map<String, Value> =
            self.parameters.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
        let start = json!({ "start": {
            "accountSid": self.account,
            "streamSid": self.stream,
            "callSid": self.call,
            "tracks": ["inbound"],
            "mediaFormat": { "encoding": encoding, "sampleRate": self.format.sample_rate_hz,
                "channels": 1 },
            "customParameters": parameters,
        } });
        let mut frames = vec![Frame::text(connected.to_string())];
        frames.extend(self.message("start", start));
        frames
    }

    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame> {
        self.chunk += 1;
        let first_ms = if self.is_lean { 0 } else { FIRST_FRAME_MS };
        let at_ms = first_ms + (self.chunk - 1) * 20;
        let sound = audio::carried(sound, self.format, ByteOrder::Little);
        let media = json!({ "media": {
            "track": "inbound",
            "chunk": self.chunk.to_string(),
            "timestamp": at_ms.to_string(),
            "payload": STANDARD.encode_to_string(sound),
        } });
        self.message("media", media)
    }

    fn presses(&mut self, key: char) -> Vec<Frame> {
        let dtmf = if self.is_lean {
            json!({ "digit": key.to_string(), "duration": 100 })
        } else {
            json!({ "track": "inbound_track", "digit": key.to_string() })
        };
        self.message("dtmf", json!({ "dtmf": dtmf }))
    }

    fn plays_to(&mut self, mark: &str) -> Vec<Frame> {
        self.message("mark", json!({ "mark": { "name": mark } }))
    }

    fn ends(&mut self) -> Vec<Frame> {
        let stop = json!({ "stop": { "accountSid": self.account, "callSid": self.call } });
        self.message("stop", if self.is_lean { json!({}) } else { stop })
    }

    fn take(&mut self, message: &Frame) -> Result<Heard, Problem> {
        let invalid = |what: &str| Problem::new(31_951, what);
        let Frame::Text(text) = message else {
            return Err(Problem::new(31_950, "a binary message"));
        };
        let message: Value =
            serde_json::from_str(text).map_err(|_| invalid("an invalid message"))?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if text("/streamSid") != Some(self.stream.as_str()) {
            return Err(invalid("a message for another stream"));
        }
        match text("/event") {
            Some("media") => {
                let sound = text("/media/payload").and_then(|p| STANDARD.decode_to_vec(p).ok());
                let sound = sound.ok_or_else(|| invalid("a payload that is not base64"))?;
                Ok(Heard::Sound(audio::of_carried(&sound, self.format, ByteOrder::Little)))
            }
            Some("mark") => {
                let name = text("/mark/name").ok_or_else(|| invalid("a mark without a name"))?;
                Ok(Heard::Mark(name.to_owned()))
            }
            Some("clear") => Ok(Heard::Clear),
            _ => Err(invalid("an event that is not the customer's to send")),
        }
    }
}
