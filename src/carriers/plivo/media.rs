//! Plivo's media socket: what it carries, and how its messages are written (Plivo docs,
//! voice-agents/audio-streaming). All of them are JSON texts, both ways.

use std::{borrow::Cow, fmt::Write};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::{
    domain::{Codec, MediaFormat},
    media::{
        framing::{
            Audio, Began, CallNamed, Frame, Framing, Heard, Payload, Piece, Said, Shape, write_text,
        },
        messages::Malformed,
    },
};

/// What Plivo's socket can carry that is nearest to what a runtime wants.
pub(super) const fn nearest(wanted: MediaFormat) -> MediaFormat {
    match (wanted.codec, wanted.sample_rate_hz) {
        (Codec::Pcmu | Codec::Pcma, _) => MediaFormat::PCMU_8000,
        (Codec::L16, ..=8000) => MediaFormat::L16_8000,
        (Codec::L16, _) => MediaFormat::L16_16000,
    }
}

/// A format as the document names it.
pub(super) fn content_type(format: MediaFormat) -> String {
    format!("{};rate={}", encoding(format.codec), format.sample_rate_hz)
}

const fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "audio/x-mulaw",
        Codec::Pcma => "audio/x-alaw",
        Codec::L16 => "audio/x-l16",
    }
}

/// Plivo's messages about a stream of that format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    pub(super) format: MediaFormat,
}

impl Framing for Messages {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Text(text) = frame else { return Err(Malformed) };
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|_| Malformed)?;
        Ok(match wire.event.as_ref() {
            "start" => Heard::Began(wire.start.ok_or(Malformed)?.began(&wire.extra_headers)),
            "media" => {
                let WireMedia { payload, chunk } = wire.media.ok_or(Malformed)?;
                Heard::Audio(Audio { payload: Payload::Base64(payload), chunk })
            }
            "dtmf" => digit(&wire.dtmf.ok_or(Malformed)?.digit).map_or(Heard::Unknown, Heard::Dtmf),
            "playedStream" => Heard::Mark(wire.name.ok_or(Malformed)?),
            "clearedAudio" => Heard::Cleared,
            "stop" => Heard::Stopped,
            "playFailed" | "error" => Heard::Failed(wire.reason.unwrap_or_default()),
            _ => Heard::Unknown,
        })
    }

    fn write_into(&self, said: &Said<'_>, stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        Some(write_text(out, |out| match said {
            Said::Audio(payload) => {
                // By hand: it is every frame, and nothing in it has to be escaped.
                let (codec, rate) = (encoding(self.format.codec), self.format.sample_rate_hz);
                let _infallible = write!(
                    out,
                    r#"{{"event":"playAudio","media":{{"contentType":"{codec}","sampleRate":{rate},"payload":""#
                );
                payload.write_base64(out);
                out.push_str(r#""}}"#);
            }
            Said::Mark(name) => {
                let message = json!({ "event": "checkpoint", "streamId": stream, "name": name });
                out.push_str(&message.to_string());
            }
            Said::Clear => {
                let message = json!({ "event": "clearAudio", "streamId": stream });
                out.push_str(&message.to_string());
            }
        }))
    }

    fn outbound_format(&self) -> MediaFormat {
        self.format
    }

    /// Plivo wants at most 16 KiB of base64 a message: at its highest rate that is 384 ms.
    fn piece(&self) -> Piece {
        Piece::Between { ms_min: 20, ms_max: 200 }
    }

    fn has_marks(&self) -> bool {
        true
    }

    fn lead_ms(&self) -> u32 {
        200
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    start: Option<WireStart>,
    #[serde(borrow)]
    media: Option<WireMedia<'a>>,
    #[serde(borrow)]
    dtmf: Option<WireDtmf<'a>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(default)]
    extra_headers: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStart {
    call_id: String,
    #[serde(default)]
    stream_id: String,
    #[serde(default)]
    account_id: String,
    media_format: WireFormat,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFormat {
    encoding: String,
    #[serde(deserialize_with = "number")]
    sample_rate: Option<u64>,
}

#[derive(Deserialize)]
struct WireMedia<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(default, deserialize_with = "number")]
    chunk: Option<u64>,
}

#[derive(Deserialize)]
struct WireDtmf<'a> {
    #[serde(borrow)]
    digit: Cow<'a, str>,
}

impl WireStart {
    fn began(self, extra_headers: &Value) -> Began {
        let codec = match self.media_format.encoding.split(';').next().map(str::trim) {
            Some(word) if word.eq_ignore_ascii_case(encoding(Codec::L16)) => Codec::L16,
            _ => Codec::Pcmu,
        };
        let rate = self.media_format.sample_rate.and_then(|rate| u32::try_from(rate).ok());
        Began {
            call: CallNamed::Carrier(self.call_id),
            stream: self.stream_id,
            account: self.account_id,
            format: MediaFormat { codec, sample_rate_hz: rate.unwrap_or(8000) },
            parameters: parameters(extra_headers),
        }
    }
}

/// Numbers are numbers here, but for the timestamps; a text is taken as well.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

fn digit(text: &str) -> Option<char> {
    let digit = text.parse::<char>().ok()?.to_ascii_uppercase();
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
}

/// `k=v;k2=v2`, the same with commas, or an object, as a text or as one: all are seen.
fn parameters(extra_headers: &Value) -> Vec<(String, String)> {
    match extra_headers {
        Value::Object(object) => from_object(object),
        Value::String(text) => match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(object) => from_object(&object),
            Err(_) => {
                let pairs = text.split([';', ',']).filter_map(|pair| pair.split_once('='));
                pairs.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).collect()
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Vec::new(),
    }
}

fn from_object(object: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}
