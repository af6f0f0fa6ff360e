//! SignalWire's media socket: Twilio's messages with less in them, and linear audio besides mu-law
//! (SignalWire docs, compatibility-api/cxml/voice/stream).

use crate::{
    domain::{Codec, MediaFormat},
    media::{
        framing::{
            Audio, Began, CallNamed, Frame, Framing, Heard, Payload, Piece, Said, Shape, write_text,
        },
        messages::{self, Format, Malformed, Message, Start},
    },
};

/// What the socket can carry that is nearest to what a runtime wants.
pub(super) const fn nearest(wanted: MediaFormat) -> MediaFormat {
    match (wanted.codec, wanted.sample_rate_hz) {
        (Codec::Pcmu | Codec::Pcma, _) => MediaFormat::PCMU_8000,
        (Codec::L16, ..=16_000) => MediaFormat::L16_16000,
        (Codec::L16, _) => MediaFormat::L16_24000,
    }
}

/// One of [`nearest`]'s formats, as the document names it.
pub(super) const fn codec(format: MediaFormat) -> &'static str {
    match (format.codec, format.sample_rate_hz) {
        (Codec::Pcmu | Codec::Pcma, _) => "PCMU@8000h",
        (Codec::L16, ..=16_000) => "L16@16000h",
        (Codec::L16, _) => "L16@24000h",
    }
}

/// SignalWire's messages about a stream of that format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    pub(super) format: MediaFormat,
}

impl Framing for Messages {
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed> {
        let Frame::Text(text) = frame else { return Err(Malformed) };
        if let Some(media) = messages::media(text) {
            let payload = Payload::Base64(media.payload().into());
            return Ok(Heard::Audio(Audio { payload, chunk: media.chunk }));
        }
        Ok(match messages::parse(text)?.message {
            Message::Connected => Heard::Connected,
            Message::Start(start) => Heard::Began(began(start)),
            Message::Media(payload) => {
                Heard::Audio(Audio { payload: Payload::Base64(payload.into()), chunk: None })
            }
            Message::Dtmf(digit) => key(&digit).map_or(Heard::Unknown, Heard::Dtmf),
            Message::Mark(name) => Heard::Mark(name.into()),
            Message::Stop => Heard::Stopped,
            Message::Clear | Message::Unknown => Heard::Unknown,
        })
    }

    fn write_into(&self, said: &Said<'_>, stream: &str, out: &mut Vec<u8>) -> Option<Shape> {
        Some(write_text(out, |out| match said {
            Said::Audio(payload) => {
                messages::write_audio_of(out, stream, |out| payload.write_base64(out));
            }
            Said::Mark(name) => messages::write_mark(out, stream, None, name),
            Said::Clear => messages::write_clear(out, stream),
        }))
    }

    fn outbound_format(&self) -> MediaFormat {
        self.format
    }

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

fn began(start: Start) -> Began {
    Began {
        call: CallNamed::Carrier(start.call_sid),
        stream: start.stream_sid,
        account: start.account_sid,
        format: read_format(&start.format),
        parameters: start.parameters,
    }
}

fn read_format(format: &Format) -> MediaFormat {
    if format.encoding.eq_ignore_ascii_case("audio/x-l16") {
        MediaFormat::l16(format.sample_rate)
    } else {
        MediaFormat::PCMU_8000
    }
}

fn key(text: &str) -> Option<char> {
    let key = text.parse::<char>().ok()?.to_ascii_uppercase();
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key)
}
