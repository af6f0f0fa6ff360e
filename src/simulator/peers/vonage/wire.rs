//! The websocket's messages from Vonage's end (nexmo-developer, guides/websockets): bytes are
//! sound, exactly 20 ms of it; texts are JSON, and the first has the document's headers in it.

use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::{
    domain::{ByteOrder, MediaFormat},
    simulator::{
        audio::{self, FRAME_LEN},
        peers::fields,
        talk::{Heard, Wire},
        verb::{Problem, Stream},
    },
};

/// A socket's messages.
pub(super) struct Frames {
    headers: Map<String, Value>,
    format: MediaFormat,
}

impl Frames {
    pub(super) fn new(stream: &Stream) -> Self {
        let headers = stream.attribute("headers").and_then(|text| serde_json::from_str(text).ok());
        Self { headers: headers.unwrap_or_default(), format: stream.format }
    }

    /// Bytes of 20 ms.
    fn frame_len(&self) -> usize {
        usize::try_from(self.format.sample_rate_hz / 50 * 2).unwrap_or_default()
    }
}

fn invalid(what: &str) -> Problem {
    Problem::new(0, what)
}

fn text(message: &Value) -> Vec<Frame> {
    vec![Frame::text(message.to_string())]
}

impl Wire for Frames {
    fn begins(&mut self) -> Vec<Frame> {
        let mut first = self.headers.clone();
        first.insert("event".to_owned(), "websocket:connected".into());
        let content_type = format!("audio/l16;rate={}", self.format.sample_rate_hz);
        first.insert("content-type".to_owned(), content_type.into());
        text(&Value::Object(first))
    }

    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame> {
        vec![Frame::Binary(audio::carried(sound, self.format, ByteOrder::Little).into())]
    }

    fn presses(&mut self, key: char) -> Vec<Frame> {
        text(&json!({ "event": "websocket:dtmf", "digit": key.to_string(), "duration": 260 }))
    }

    fn plays_to(&mut self, mark: &str) -> Vec<Frame> {
        let payload: Value = serde_json::from_str(mark).unwrap_or_default();
        text(&json!({ "event": "websocket:notify", "payload": payload }))
    }

    fn cleared(&mut self) -> Vec<Frame> {
        text(&json!({ "event": "websocket:cleared" }))
    }

    /// It closes, and says nothing.
    fn ends(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    fn take(&mut self, message: &Frame) -> Result<Heard, Problem> {
        let text = match message {
            Frame::Binary(bytes) if bytes.len() == self.frame_len() => {
                let sound = audio::of_carried(bytes, self.format, ByteOrder::Little);
                return Ok(Heard::Sound(sound));
            }
            Frame::Binary(_) => return Err(invalid("a frame that is not 20 ms long")),
            Frame::Text(text) => text,
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_) => {
                return Ok(Heard::Nothing);
            }
        };
        let message: Value =
            serde_json::from_str(text).map_err(|_| invalid("a text that is no JSON"))?;
        let mut message = fields(message);
        match message.get("action").and_then(Value::as_str) {
            Some("clear") => Ok(Heard::Clear),
            Some("notify") => match message.remove("payload") {
                Some(payload @ Value::Object(_)) => Ok(Heard::Mark(payload.to_string())),
                Some(_) | None => Err(invalid("a notify without a payload")),
            },
            _ => Err(invalid("an action that is none")),
        }
    }

    fn returns_cleared_marks(&self) -> bool {
        false
    }
}
