//! Bandwidth's media socket: JSON texts both ways, but of another shape each way (Bandwidth docs,
//! voice/bxml/startStream; what is played as two public bridges do it). It hears mu-law and may be
//! played anything, gives no marks, and no keys.

use std::borrow::Cow;

use serde::Deserialize;
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

/// What Bandwidth can be played that is nearest to what a runtime wants.
pub(super) const fn nearest(wanted: MediaFormat) -> MediaFormat {
    match (wanted.codec, wanted.sample_rate_hz) {
        (Codec::Pcmu | Codec::Pcma, _) => MediaFormat::PCMU_8000,
        (Codec::L16, ..=8000) => MediaFormat::L16_8000,
        (Codec::L16, ..=16_000) => MediaFormat::L16_16000,
        (Codec::L16, _) => MediaFormat::L16_24000,
    }
}

/// Bandwidth's messages about a stream that is played this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    pub(super) format: MediaFormat,
    /// The high byte of a linear sample comes first: each message says so.
    pub(super) is_big: bool,
}

impl Messages {
    fn content_type(&self) -> &'static str {
        match (self.format.codec, self.format.sample_rate_hz, self.is_big) {
            (Codec::Pcmu | Codec::Pcma, ..) => "audio/pcmu",
            (Codec::L16, ..=8000, false) => {
                "audio/pcm;rate=8000;channels=1;bit-depth=16;endian=little;encoding=signed"
            }
            (Codec::L16, ..=8000, true) => {
                "audio/pcm;rate=8000;channels=1;bit-depth=16;endian=big;encoding=signed"
            }
            (Codec::L16, ..=16_000, false) => {
                "audio/pcm;rate=16000;channels=1;bit-depth=16;endian=little;encoding=signed"
            }
            (Codec::L16, ..=16_000, true) => {
                "audio/pcm;rate=16000;channels=1;bit-depth=16;endian=big;encoding=signed"
            }
            (Codec::L16, _, false) => {
                "audio/pcm;rate=24000;channels=1;bit-depth=16;endian=little;encoding=signed"
            }
            (Codec::L16, _, true) => {
                "audio/pcm;rate=24000;channels=1;bit-depth=16;endian=big;encoding=signed"
            }
        }
    }
}

impl Framing for Messages {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Text(text) = frame else { return Err(Malformed) };
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|_| Malformed)?;
        Ok(match wire.event_type.as_ref() {
            "start" => {
                let start: Start = serde_json::from_str(text).map_err(|_| Malformed)?;
                Heard::Began(start.began()?)
            }
            // What we play ourselves is nobody's speech.
            "media" if wire.track.is_some_and(|Text(track)| track == "outbound") => Heard::Unknown,
            "media" => {
                let Text(payload) = wire.payload.ok_or(Malformed)?;
                // One connection brings them in order: their numbers say nothing more.
                Heard::Audio(Audio { payload: Payload::Base64(payload), chunk: None })
            }
            "stop" => Heard::Stopped,
            _ => Heard::Unknown,
        })
    }

    /// A mark is nothing that Bandwidth knows.
    fn write_into(&self, said: &Said<'_>, _stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        if let Said::Mark(_) = said {
            return None;
        }
        Some(write_text(out, |out| match said {
            Said::Audio(payload) => {
                // By hand: it is every frame, and nothing in it has to be escaped.
                let head = r#"{"eventType":"playAudio","media":{"contentType":""#;
                for part in [head, self.content_type(), r#"","payload":""#] {
                    out.push_str(part);
                }
                payload.write_base64(out);
                out.push_str(r#""}}"#);
            }
            Said::Mark(_) | Said::Clear => out.push_str(r#"{"eventType":"clear"}"#),
        }))
    }

    fn outbound_format(&self) -> MediaFormat {
        self.format
    }

    /// No page has a limit; what is known to be taken is a tenth of a second.
    fn piece(&self) -> Piece {
        Piece::Between { ms_min: 20, ms_max: 100 }
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn lead_ms(&self) -> u32 {
        200
    }
}

/// A text that may be missing, or null.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What every message has; the rest of it is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    track: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    metadata: Metadata,
    #[serde(default)]
    stream_params: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    call_id: String,
    #[serde(default)]
    stream_id: String,
    #[serde(default)]
    account_id: String,
    #[serde(default)]
    tracks: Vec<Track>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Track {
    media_format: Option<Format>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    sample_rate: Option<u32>,
}

impl Start {
    fn began(self) -> Result<Began, Malformed> {
        let Metadata { call_id, stream_id, account_id, tracks } = self.metadata;
        let text = |value: Value| match value {
            Value::String(text) => text,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        let parameters = self.stream_params.unwrap_or_default().into_iter();
        let format = tracks.into_iter().find_map(|track| track.media_format);
        Ok(Began {
            call: CallNamed::Carrier(call_id),
            stream: stream_id,
            account: account_id,
            format: format.map_or(Ok(MediaFormat::PCMU_8000), Format::read)?,
            parameters: parameters.map(|(name, value)| (name, text(value))).collect(),
        })
    }
}

impl Format {
    /// Only mu-law is documented; what cannot be decoded would be noise. Pages write it with
    /// `audio/` before it and without.
    fn read(self) -> Result<MediaFormat, Malformed> {
        let is = |word: &str| self.encoding.eq_ignore_ascii_case(word);
        let is_pcmu = is("PCMU") || is("audio/PCMU");
        if is_pcmu && self.sample_rate.is_none_or(|rate| rate == 8000) {
            Ok(MediaFormat::PCMU_8000)
        } else {
            Err(Malformed)
        }
    }
}
