//! Twilio's Media Streams messages, which every runtime is spoken to in: read and written.
//!
//! A frame of audio is read by [`media`], a scan that borrows and builds no tree; all else, and
//! audio that is spelled oddly, by [`parse`]. It never decodes a payload.
//!
//! Source: twilio.com/docs/voice/media-streams/websocket-messages. Numbers inside messages are
//! strings there; both are accepted. Key order, blanks and unknown fields are free.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Map, Value};

mod scan;

pub use scan::{Media, media};

/// The longest message accepted from a carrier. Twilio's are under 500 bytes, other carriers'
/// blocks of audio under 3 KiB; its `start` carries at most 500 characters a parameter.
pub const CARRIER_MESSAGE_LEN_MAX: usize = 64 * 1024;

/// The longest message accepted from a runtime. Payloads may have any length at Twilio, and some
/// bots send a whole utterance at once: this is a minute and a half of it.
pub const RUNTIME_MESSAGE_LEN_MAX: usize = 1024 * 1024;

/// Any message, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The socket's greeting.
    Connected,
    /// The stream begins.
    Start(Start),
    /// Audio, in base64.
    Media(String),
    /// A key was pressed.
    Dtmf(String),
    /// To the carrier: say when what was sent before has been played. From it: it has.
    Mark(String),
    /// Forget what was sent and not yet played.
    Clear,
    /// The stream is over.
    Stop,
    /// An event we do not know.
    Unknown,
}

/// What a stream is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The stream's id.
    pub stream_sid: String,
    /// The carrier's id for the call.
    pub call_sid: String,
    /// The carrier's id for the account.
    pub account_sid: String,
    /// What audio is made of.
    pub format: Format,
    /// Parameters, in the order they are written in.
    pub parameters: Vec<(String, String)>,
}

/// `mediaFormat`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Format {
    /// The encoding, as a media type.
    pub encoding: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
}

impl Default for Format {
    fn default() -> Self {
        Self { encoding: "audio/x-mulaw".to_owned(), sample_rate: 8000, channels: 1 }
    }
}

/// Not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A message, and the stream that it says it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The stream; empty where it says none.
    pub stream_sid: String,
    /// The message.
    pub message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    event: String,
    #[serde(default)]
    stream_sid: String,
    start: Option<WireStart>,
    media: Option<WireMedia>,
    dtmf: Option<WireDtmf>,
    mark: Option<WireMark>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WireStart {
    stream_sid: String,
    call_sid: String,
    account_sid: String,
    media_format: Format,
    custom_parameters: Map<String, Value>,
}

#[derive(Deserialize)]
struct WireMedia {
    payload: String,
}

#[derive(Deserialize)]
struct WireDtmf {
    digit: String,
}

#[derive(Deserialize)]
struct WireMark {
    name: String,
}

/// Reads any message.
///
/// # Errors
/// It is no JSON object with an event, or lacks what its event is about.
pub fn parse(text: &str) -> Result<Envelope, Malformed> {
    let wire: Wire = serde_json::from_str(text).map_err(|_| Malformed)?;
    let message = match wire.event.as_str() {
        "connected" => Message::Connected,
        "start" => Message::Start(wire.start.ok_or(Malformed)?.read(&wire.stream_sid)),
        "media" => Message::Media(wire.media.ok_or(Malformed)?.payload),
        "dtmf" => Message::Dtmf(wire.dtmf.ok_or(Malformed)?.digit),
        "mark" => Message::Mark(wire.mark.ok_or(Malformed)?.name),
        "clear" => Message::Clear,
        "stop" => Message::Stop,
        _ => Message::Unknown,
    };
    Ok(Envelope { stream_sid: wire.stream_sid, message })
}

impl WireStart {
    fn read(self, stream_sid: &str) -> Start {
        let text = |value| if let Value::String(text) = value { text } else { value.to_string() };
        let stream_sid =
            if self.stream_sid.is_empty() { stream_sid.to_owned() } else { self.stream_sid };
        Start {
            stream_sid,
            call_sid: self.call_sid,
            account_sid: self.account_sid,
            format: self.media_format,
            parameters: self.custom_parameters.into_iter().map(|(k, v)| (k, text(v))).collect(),
        }
    }
}

/// Any message as of another stream. For the rare ones: it builds a tree.
///
/// # Errors
/// It is no JSON object.
pub fn with_stream_sid(text: &str, stream_sid: &str) -> Result<String, Malformed> {
    let mut object: Map<String, Value> = serde_json::from_str(text).map_err(|_| Malformed)?;
    object.insert("streamSid".to_owned(), Value::from(stream_sid));
    Ok(Value::Object(object).to_string())
}

/// Writes the greeting of a carrier's socket.
pub fn write_connected(out: &mut String) {
    out.push_str(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
}

/// Writes the first message of a stream.
pub fn write_start(out: &mut String, start: &Start) {
    out.push_str(r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":""#);
    push_escaped(out, &start.account_sid);
    out.push_str(r#"","streamSid":""#);
    push_escaped(out, &start.stream_sid);
    out.push_str(r#"","callSid":""#);
    push_escaped(out, &start.call_sid);
    out.push_str(r#"","tracks":["inbound"],"mediaFormat":{"encoding":""#);
    push_escaped(out, &start.format.encoding);
    let Format { sample_rate, channels, .. } = start.format;
    let _ = write!(
        out,
        r#"","sampleRate":{sample_rate},"channels":{channels}}},"customParameters":{{"#
    );
    for (index, (name, value)) in start.parameters.iter().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ",\"" });
        push_escaped(out, name);
        out.push_str("\":\"");
        push_escaped(out, value);
        out.push('"');
    }
    out.push_str(r#"}},"streamSid":""#);
    push_escaped(out, &start.stream_sid);
    out.push_str("\"}");
}

/// A carrier's message has a place in its stream; ours to it has none.
fn open(out: &mut String, event: &str, sequence: Option<u64>, stream_sid: &str) {
    for part in [r#"{"event":""#, event, r#"","#] {
        out.push_str(part);
    }
    if let Some(sequence) = sequence {
        out.push_str(r#""sequenceNumber":""#);
        push_number(out, sequence);
        out.push_str(r#"","#);
    }
    out.push_str(r#""streamSid":""#);
    push_escaped(out, stream_sid);
    out.push('"');
}

/// Writes audio for the carrier.
pub fn write_audio(out: &mut String, stream_sid: &str, payload: &str) {
    write_audio_of(out, stream_sid, |out| out.push_str(payload));
}

/// The same of what `payload` writes, in base64.
pub fn write_audio_of(out: &mut String, stream_sid: &str, payload: impl FnOnce(&mut String)) {
    open(out, "media", None, stream_sid);
    out.push_str(r#","media":{"payload":""#);
    payload(out);
    out.push_str("\"}}");
}

/// Writes, for a runtime, that a machine answered and records now. No carrier has such a message:
/// libraries pass over what they do not know.
pub fn write_voicemail(out: &mut String, stream_sid: &str) {
    open(out, "voicemail", None, stream_sid);
    out.push_str(r#","voicemail":{"state":"recording"}}"#);
}

/// Writes audio as a carrier does: a frame with its places and its time.
pub fn write_media(
    out: &mut String,
    stream_sid: &str,
    sequence: u64,
    place: (u64, u64),
    payload: &str,
) {
    write_media_of(out, stream_sid, sequence, place, |out| out.push_str(payload));
}

/// The same of what `payload` writes, in base64.
pub fn write_media_of(
    out: &mut String,
    stream_sid: &str,
    sequence: u64,
    (chunk, timestamp_ms): (u64, u64),
    payload: impl FnOnce(&mut String),
) {
    open(out, "media", Some(sequence), stream_sid);
    out.push_str(r#","media":{"track":"inbound","chunk":""#);
    push_number(out, chunk);
    out.push_str(r#"","timestamp":""#);
    push_number(out, timestamp_ms);
    out.push_str(r#"","payload":""#);
    payload(out);
    out.push_str("\"}}");
}

/// Writes a key press as a carrier does.
pub fn write_dtmf(out: &mut String, stream_sid: &str, sequence: u64, digit: &str) {
    open(out, "dtmf", Some(sequence), stream_sid);
    out.push_str(r#","dtmf":{"track":"inbound_track","digit":""#);
    push_escaped(out, digit);
    out.push_str("\"}}");
}

/// Writes a mark: for the carrier, or with a sequence as the carrier.
pub fn write_mark(out: &mut String, stream_sid: &str, sequence: Option<u64>, name: &str) {
    open(out, "mark", sequence, stream_sid);
    out.push_str(r#","mark":{"name":""#);
    push_escaped(out, name);
    out.push_str("\"}}");
}

/// Writes that what was sent and not yet played is to be forgotten.
pub fn write_clear(out: &mut String, stream_sid: &str) {
    open(out, "clear", None, stream_sid);
    out.push('}');
}

/// Writes the last message of a stream.
pub fn write_stop(out: &mut String, start: &Start, sequence: u64) {
    open(out, "stop", Some(sequence), &start.stream_sid);
    out.push_str(r#","stop":{"accountSid":""#);
    push_escaped(out, &start.account_sid);
    out.push_str(r#"","callSid":""#);
    push_escaped(out, &start.call_sid);
    out.push_str("\"}}");
}

/// Writes a number: a frame has three, and the formatter takes longer for them than for all else.
fn push_number(out: &mut String, number: u64) {
    const DIGITS_MAX: usize = 20;
    let mut digits = [0; DIGITS_MAX];
    let mut rest = number;
    let mut first = DIGITS_MAX;
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(first).map(|&digit| char::from(digit)));
}

/// Writes the inside of a JSON string (RFC 8259 §7).
fn push_escaped(out: &mut String, text: &str) {
    if !text.bytes().any(|byte| byte == b'"' || byte == b'\\' || byte < 0x20) {
        return out.push_str(text);
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = include_str!("../../../tests/fixtures/twilio/media_stream_session.jsonl");
    const OUTBOUND: &str =
        include_str!("../../../tests/fixtures/twilio/media_stream_outbound.jsonl");

    #[track_caller]
    fn check_scan(text: &str, expected: Option<(&str, &str, Option<u64>)>) {
        let found = media(text);
        let found = found.as_ref().map(|media| (media.stream_sid(), media.payload(), media.chunk));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn audio_is_found_in_any_order_and_among_strangers() {
        let found = Some(("MZ1", "AAA=", Some(3)));
        check_scan(
            r#"{"event":"media","streamSid":"MZ1","media":{"chunk":"3","payload":"AAA="}}"#,
            found,
        );
        check_scan(
            r#" { "media" : {"payload":"AAA=","x":[{"}":"]\""}],"chunk":3 } , "streamSid" : "MZ1",
                "new":{"a":[1,2,{"b":null}]},"y":-1.5e3,"z":true, "event" : "media" } "#,
            found,
        );
        check_scan(r#"{"event":"media","media":{"payload":""}}"#, Some(("", "", None)));
    }

    #[test]
    fn what_is_not_plain_audio_is_left_to_the_parser() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            "null",
            r#"{"event":"mark","mark":{"name":"media"}}"#,
            r#"{"event":"media","media":{"payload":"AA\/A"}}"#,
            r#"{"event":"media","media":{"payload":12}}"#,
            r#"{"event":"media","media":{}}"#,
            r#"{"event":"media","media":{"payload":"AAA="}"#,
            r#"{"event":"media","media":{"payload":"AAA="}} trailing"#,
            r#"{"event":"media","media":{"payload":"AAA="},}"#,
            r#"{"media":{"payload":"AAA="}}"#,
            r#"{"event":"media" "media":{"payload":"AAA="}}"#,
            r#"{"x":,"event":"media","media":{"payload":"AAA="}}"#,
        ] {
            check_scan(text, None);
        }
        let odd = parse(r#"{"event":"media","media":{"payload":"AA\/A"}}"#).unwrap();
        assert_eq!(odd.message, Message::Media("AA/A".to_owned()));
    }

    #[test]
    fn scan_and_parser_agree_on_the_fixtures() {
        let mut frames = 0;
        for line in SESSION.lines().chain(OUTBOUND.lines()) {
            let parsed = parse(line).unwrap();
            let scanned = media(line);
            assert_eq!(scanned.is_some(), matches!(parsed.message, Message::Media(_)), "{line}");
            if let Some(scanned) = scanned {
                frames += 1;
                assert_eq!(Message::Media(scanned.payload().to_owned()), parsed.message);
                assert_eq!(scanned.stream_sid(), parsed.stream_sid);
                let mut moved = String::new();
                scanned.write_as(&mut moved, "MZnew");
                assert_eq!(moved, line.replace(scanned.stream_sid(), "MZnew"));
            }
        }
        assert!(frames > 60);
    }

    #[test]
    fn the_start_of_the_fixture_is_read_and_written_back() {
        let line = SESSION.lines().nth(1).unwrap();
        let Message::Start(start) = parse(line).unwrap().message else { panic!("no start") };
        assert_eq!(start.call_sid, "CAb27b806e16e007b36784197374f40f63");
        assert_eq!(start.format, Format::default());
        assert!(start.parameters.contains(&("note".to_owned(), "ñ & <ok>".to_owned())));
        let mut out = String::new();
        write_start(&mut out, &start);
        assert_eq!(parse(&out).unwrap().message, Message::Start(start));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sid = "MZ\"\\\n";
        let mut out = String::new();
        let mut check = |write: &dyn Fn(&mut String), expected: Message| {
            out.clear();
            write(&mut out);
            assert_eq!(
                parse(&out),
                Ok(Envelope { stream_sid: sid.to_owned(), message: expected }),
                "{out}"
            );
        };
        check(&|out| write_audio(out, sid, "AA=="), Message::Media("AA==".to_owned()));
        check(&|out| write_media(out, sid, 7, (3, 60), "AA=="), Message::Media("AA==".to_owned()));
        check(&|out| write_dtmf(out, sid, 7, "#"), Message::Dtmf("#".to_owned()));
        check(&|out| write_mark(out, sid, None, "a\"b"), Message::Mark("a\"b".to_owned()));
        check(&|out| write_mark(out, sid, Some(9), "ü"), Message::Mark("ü".to_owned()));
        check(&|out| write_clear(out, sid), Message::Clear);
        let start = Start { stream_sid: sid.to_owned(), ..Start::default() };
        check(&|out| write_stop(out, &start, 9), Message::Stop);
        out.clear();
        write_connected(&mut out);
        assert_eq!(out, SESSION.lines().next().unwrap());
    }

    #[test]
    fn numbers_are_written_as_everybody_does() {
        for number in [0, 7, 10, 99, 100, 1_234_567_890, u64::MAX] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }

    #[test]
    fn other_messages_change_streams_too() {
        let moved = with_stream_sid(r#"{"event":"dtmf","dtmf":{"digit":"1"}}"#, "MZ2").unwrap();
        let expected =
            Envelope { stream_sid: "MZ2".to_owned(), message: Message::Dtmf("1".to_owned()) };
        assert_eq!(parse(&moved), Ok(expected));
        assert_eq!(with_stream_sid("[]", "MZ2"), Err(Malformed));
    }

    mod random {
        use proptest::prelude::*;

        use super::super::*;

        proptest! {
            /// No input makes the scan panic, and what it accepts of valid JSON is what the parser
            /// reads.
            #[test]
            fn scan_never_disagrees(text in r#"[\[\]{}",:\\a-c0-9 ]{0,60}"#, tail in "\\PC{0,40}") {
                let _ = media(&text);
                let frame = format!(
                    r#"{{"x":{text},"event":"media","media":{{"payload":"AA","y":"{tail}"}}}}"#
                );
                if let (Some(scanned), Ok(parsed)) = (media(&frame), parse(&frame)) {
                    prop_assert_eq!(Message::Media(scanned.payload().to_owned()), parsed.message);
                }
            }
        }
    }
}
