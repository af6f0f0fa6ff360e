//! Two carriers' ways of speaking, as cheap as they can be: what is measured is what they pass
//! through.

use std::borrow::Cow;

use base64_simd::STANDARD;
use switchback::{
    domain::MediaFormat,
    media::{
        framing::{Audio, Frame, Framing, Heard, Payload, Piece, Said, Shape, write_text},
        messages::{self, Malformed},
    },
};

/// JSON with base64 in it, as most carriers speak.
pub(crate) struct Text;

/// Bytes, 20 ms of linear samples at 16 kHz each.
pub(crate) struct Binary;

impl Framing for Text {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Text(text) = frame else { return Err(Malformed) };
        let media = messages::media(text).ok_or(Malformed)?;
        let span = text.find(media.payload()).ok_or(Malformed)?;
        let payload = text.get(span..span + media.payload().len()).ok_or(Malformed)?;
        let payload = Payload::Base64(Cow::Borrowed(payload));
        Ok(Heard::Audio(Audio { payload, chunk: None }))
    }

    fn write_into(&self, said: &Said<'_>, stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        let Said::Audio(payload) = said else { return None };
        Some(write_text(out, |out| {
            messages::write_audio_of(out, stream, |out| payload.write_base64(out));
        }))
    }

    fn outbound_format(&self) -> MediaFormat {
        MediaFormat::PCMU_8000
    }

    fn piece(&self) -> Piece {
        Piece::Between { ms_min: 20, ms_max: 1000 }
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn lead_ms(&self) -> u32 {
        100
    }
}

impl Framing for Binary {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Binary(bytes) = frame else { return Err(Malformed) };
        let payload = Payload::Bytes(Cow::Borrowed(&**bytes));
        Ok(Heard::Audio(Audio { payload, chunk: None }))
    }

    fn write_into(&self, said: &Said<'_>, _stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        let Said::Audio(payload) = said else { return None };
        match payload {
            Payload::Base64(text) => STANDARD.decode_append(text.as_bytes(), out).ok()?,
            Payload::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Some(Shape::Binary)
    }

    fn outbound_format(&self) -> MediaFormat {
        MediaFormat::L16_16000
    }

    fn piece(&self) -> Piece {
        Piece::Exactly { ms: 20 }
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn lead_ms(&self) -> u32 {
        100
    }
}
