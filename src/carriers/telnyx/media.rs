//! Telnyx's media socket: JSON text both ways, pieces of RTP payload that may come out of order
//! (Telnyx docs, media-streaming-over-websockets).

use std::{borrow::Cow, fmt::Write};

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use crate::{
    domain::{Codec, MediaFormat},
    media::{
        framing::{
            Audio, Began, CallNamed, Frame, Framing, Heard, Payload, Piece, Said, Shape, write_text,
        },
        messages::Malformed,
    },
};

/// What it is asked to carry: both laws are transcoded there for sure, and nothing else is.
pub(super) const fn format(wanted: MediaFormat) -> MediaFormat {
    match wanted.codec {
        Codec::Pcma => MediaFormat::PCMA_8000,
        Codec::Pcmu | Codec::L16 => MediaFormat::PCMU_8000,
    }
}

/// The socket of a stream that was asked to carry this.
pub(super) struct TelnyxFraming(pub(super) MediaFormat);

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    stream_id: Cow<'a, str>,
    #[serde(borrow)]
    start: Option<WireStart<'a>>,
    #[serde(borrow)]
    media: Option<WireMedia<'a>>,
    #[serde(borrow)]
    dtmf: Option<WireDtmf<'a>>,
    #[serde(borrow)]
    mark: Option<WireMark<'a>>,
    #[serde(borrow)]
    payload: Option<WireError<'a>>,
}

#[derive(Deserialize)]
struct WireStart<'a> {
    #[serde(borrow)]
    call_control_id: Cow<'a, str>,
    #[serde(borrow, default)]
    user_id: Option<Cow<'a, str>>,
    #[serde(default)]
    custom_parameters: Option<Map<String, Value>>,
    #[serde(borrow)]
    media_format: WireFormat<'a>,
}

#[derive(Deserialize)]
struct WireFormat<'a> {
    #[serde(borrow)]
    encoding: Cow<'a, str>,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
}

#[derive(Deserialize)]
struct WireMedia<'a> {
    #[serde(borrow, default)]
    track: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "maybe_number")]
    chunk: Option<u64>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireDtmf<'a> {
    #[serde(borrow)]
    digit: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireMark<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow, default)]
    title: Cow<'a, str>,
}

/// Numbers come as text and as numbers.
fn maybe_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    maybe_number(deserializer)?.ok_or_else(|| D::Error::custom("no number"))
}

impl Framing for TelnyxFraming {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Text(text) = frame else { return Err(Malformed) };
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|_| Malformed)?;
        Ok(match wire.event.as_ref() {
            "connected" => Heard::Connected,
            "start" => Heard::Began(began(wire.start.ok_or(Malformed)?, &wire.stream_id)?),
            "media" => {
                let media = wire.media.ok_or(Malformed)?;
                // What we play ourselves is nobody's speech.
                if media.track.as_deref() == Some("outbound") {
                    return Ok(Heard::Unknown);
                }
                Heard::Audio(Audio { payload: Payload::Base64(media.payload), chunk: media.chunk })
            }
            "dtmf" => {
                let digit = wire.dtmf.ok_or(Malformed)?.digit;
                let mut digits = digit.chars();
                match (digits.next(), digits.next()) {
                    (Some(digit), None) => Heard::Dtmf(digit),
                    _ => return Err(Malformed),
                }
            }
            "mark" => Heard::Mark(wire.mark.ok_or(Malformed)?.name),
            "stop" => Heard::Stopped,
            "error" => Heard::Failed(wire.payload.map(|error| error.title).unwrap_or_default()),
            _ => Heard::Unknown,
        })
    }

    fn write_into(&self, said: &Said<'_>, _stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        Some(write_text(out, |out| match said {
            Said::Audio(payload) => {
                out.push_str(r#"{"event":"media","media":{"payload":""#);
                payload.write_base64(out);
                out.push_str(r#""}}"#);
            }
            Said::Mark(name) => {
                let name = Value::from(*name);
                let _infallible = write!(out, r#"{{"event":"mark","mark":{{"name":{name}}}}}"#);
            }
            Said::Clear => out.push_str(r#"{"event":"clear"}"#),
        }))
    }

    fn outbound_format(&self) -> MediaFormat {
        self.0
    }

    /// A message holds 20 ms at least; more is played as one piece.
    fn piece(&self) -> Piece {
        Piece::Between { ms_min: 20, ms_max: 1000 }
    }

    fn has_marks(&self) -> bool {
        true
    }

    fn lead_ms(&self) -> u32 {
        200
    }

    fn is_reordered(&self) -> bool {
        true
    }
}

fn began(start: WireStart<'_>, stream: &str) -> Result<Began, Malformed> {
    let format = match (start.media_format.encoding.as_ref(), start.media_format.sample_rate) {
        ("PCMU", 8000) => MediaFormat::PCMU_8000,
        ("PCMA", 8000) => MediaFormat::PCMA_8000,
        ("L16", rate @ (8000 | 16_000 | 24_000)) => {
            MediaFormat::l16(u32::try_from(rate).map_err(|_| Malformed)?)
        }
        // What cannot be decoded would be noise.
        _ => return Err(Malformed),
    };
    let parameters = start.custom_parameters.unwrap_or_default().into_iter();
    let text = |value: Value| match &value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    Ok(Began {
        call: CallNamed::Carrier(start.call_control_id.into_owned()),
        stream: stream.to_owned(),
        account: start.user_id.map(Cow::into_owned).unwrap_or_default(),
        format,
        parameters: parameters.map(|(name, value)| (name, text(value))).collect(),
    })
}
