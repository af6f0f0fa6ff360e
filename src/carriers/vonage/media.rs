//! Vonage's media socket: what it carries, and how its messages are written (nexmo-developer,
//! guides/websockets). Bytes are audio, linear samples with the low byte first; texts are JSON.

use std::{borrow::Cow, collections::BTreeMap};

use base64_simd::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::CALL_REF;
use crate::{
    domain::{Codec, MediaFormat},
    media::{
        framing::{
            Audio, Began, CallNamed, Frame, Framing, Heard, Payload, Piece, Said, Shape, write_text,
        },
        messages::Malformed,
    },
};

/// What Vonage's socket can carry that is nearest to what a runtime wants: it knows no companded
/// audio.
pub(super) const fn nearest(wanted: MediaFormat) -> MediaFormat {
    match (wanted.codec, wanted.sample_rate_hz) {
        (Codec::Pcmu | Codec::Pcma, _) | (Codec::L16, ..=8000) => MediaFormat::L16_8000,
        (Codec::L16, ..=16_000) => MediaFormat::L16_16000,
        (Codec::L16, _) => MediaFormat::L16_24000,
    }
}

/// A format as the document names it.
pub(super) const fn content_type(format: MediaFormat) -> &'static str {
    match nearest(format).sample_rate_hz {
        8000 => "audio/l16;rate=8000",
        16_000 => "audio/l16;rate=16000",
        _ => "audio/l16;rate=24000",
    }
}

/// Vonage's messages about a stream of that format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    pub(super) format: MediaFormat,
}

impl Framing for Frames {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let text = match frame {
            Frame::Binary(bytes) => {
                let payload = Payload::Bytes(Cow::Borrowed(&**bytes));
                return Ok(Heard::Audio(Audio { payload, chunk: None }));
            }
            Frame::Text(text) => text,
        };
        let wire: Wire = serde_json::from_str(text).map_err(|_| Malformed)?;
        Ok(match wire.event.as_deref() {
            Some("websocket:connected") => Heard::Began(wire.began()?),
            Some("websocket:cleared") => Heard::Cleared,
            // Of the payload, only what we gave it is ours.
            Some("websocket:notify") => match wire.payload.get("mark").and_then(Value::as_str) {
                Some(mark) => Heard::Mark(Cow::Owned(mark.to_owned())),
                None => Heard::Unknown,
            },
            // Some of those who speak with Vonage have also seen it without the event's name.
            Some("websocket:dtmf") | None => wire.digit().map_or(Heard::Unknown, Heard::Dtmf),
            Some(_) => Heard::Unknown,
        })
    }

    fn write_into(&self, said: &Said<'_>, _stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        Some(match said {
            Said::Audio(Payload::Bytes(bytes)) => {
                out.extend_from_slice(bytes);
                Shape::Binary
            }
            Said::Audio(Payload::Base64(text)) => {
                STANDARD.decode_append(text.as_bytes(), out).ok()?;
                Shape::Binary
            }
            Said::Mark(name) => {
                let message = json!({ "action": "notify", "payload": { "mark": name } });
                write_text(out, |out| out.push_str(&message.to_string()))
            }
            Said::Clear => write_text(out, |out| out.push_str(r#"{"action":"clear"}"#)),
        })
    }

    fn outbound_format(&self) -> MediaFormat {
        nearest(self.format)
    }

    /// Neither more nor less, whatever the rate.
    fn piece(&self) -> Piece {
        Piece::Exactly { ms: 20 }
    }

    fn has_marks(&self) -> bool {
        true
    }

    /// Vonage holds 20 s at the least, all of which `clear` would have to be waited for.
    fn lead_ms(&self) -> u32 {
        200
    }
}

#[derive(Deserialize)]
struct Wire {
    event: Option<String>,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    dtmf: Value,
    #[serde(default)]
    digit: Value,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl Wire {
    /// Our own headers are among its fields.
    fn began(mut self) -> Result<Began, Malformed> {
        let media_type = self.rest.remove("content-type");
        let media_type = media_type.as_ref().and_then(Value::as_str).unwrap_or_default();
        let format = format(media_type).ok_or(Malformed)?;
        let call = self.rest.remove(CALL_REF);
        let call = call.as_ref().and_then(Value::as_str).ok_or(Malformed)?.to_owned();
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(Began {
            call: CallNamed::Carrier(call),
            stream: String::new(),
            account: String::new(),
            format,
            parameters: self.rest.into_iter().map(|(name, value)| (name, text(value))).collect(),
        })
    }

    fn digit(&self) -> Option<char> {
        let digit = self.digit.as_str().or_else(|| self.dtmf.get("digit")?.as_str())?;
        let digit = digit.parse::<char>().ok()?.to_ascii_uppercase();
        matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
    }
}

/// `audio/l16;rate=16000`.
fn format(media_type: &str) -> Option<MediaFormat> {
    let mut parts = media_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("audio/l16") {
        return None;
    }
    let rate = parts.find_map(|part| part.strip_prefix("rate="))?.trim().parse().ok()?;
    Some(MediaFormat::l16(rate)).filter(|format| nearest(*format) == *format)
}
