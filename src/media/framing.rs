//! What a carrier's media socket says and is told, whatever its spelling: every room that does not
//! speak Twilio's messages has a [`Framing`].
//!
//! A framing knows how a message is written and nothing else. It keeps no time, queues nothing and
//! decodes no audio: what a carrier calls audio is passed on as it came, in base64 or in bytes.

use std::borrow::Cow;

use base64_simd::STANDARD;

use super::messages::Malformed;
use crate::domain::{CallId, MediaFormat};

/// A message of a socket, as it came or is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

/// Audio as a socket carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// In base64.
    Base64(Cow<'a, str>),
    /// As it is.
    Bytes(Cow<'a, [u8]>),
}

impl Payload<'_> {
    /// Writes it in base64.
    pub fn write_base64(&self, out: &mut String) {
        match self {
            Self::Base64(text) => out.push_str(text),
            Self::Bytes(bytes) => STANDARD.encode_append(bytes, out),
        }
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As text.
    Text,
    /// As bytes.
    Binary,
}

/// Writes a text where bytes are asked for, into memory that has nothing in it.
pub fn write_text(out: &mut Vec<u8>, write: impl FnOnce(&mut String)) -> Shape {
    out.clear();
    let mut text = String::from_utf8(std::mem::take(out)).unwrap_or_default();
    write(&mut text);
    *out = text.into_bytes();
    Shape::Text
}

/// What a carrier's socket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A greeting without content.
    Connected,
    /// The stream begins.
    Began(Began),
    /// Audio of the person.
    Audio(Audio<'a>),
    /// A key was pressed: one of `0-9*#A-D`.
    Dtmf(char),
    /// What was sent before this mark has been played.
    Mark(Cow<'a, str>),
    /// What was sent and not yet played has been forgotten.
    Cleared,
    /// The stream is over.
    Stopped,
    /// The carrier did not understand something, in its words.
    Failed(Cow<'a, str>),
    /// Something we do not know, or need not.
    Unknown,
}

/// How a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Began {
    /// Which call it is of.
    pub call: CallNamed,
    /// The carrier's id for the stream; empty where it has none.
    pub stream: String,
    /// The carrier's id for the account; empty where it tells none.
    pub account: String,
    /// What the carrier will send.
    pub format: MediaFormat,
    /// Parameters that somebody gave to the stream.
    pub parameters: Vec<(String, String)>,
}

/// How a stream names its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallNamed {
    /// By the carrier's id.
    Carrier(String),
    /// By ours, which we gave to the stream.
    Ours(CallId),
}

/// A piece of audio, usually 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// It.
    pub payload: Payload<'a>,
    /// Its place in the stream, where the carrier numbers pieces: they may come out of order.
    pub chunk: Option<u64>,
}

/// What a carrier's socket is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Play this.
    Audio(Payload<'a>),
    /// Tell when what was sent before has been played.
    Mark(&'a str),
    /// Forget what was sent and not yet played.
    Clear,
}

/// How much audio one message to a carrier holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Exactly this long: a shorter rest is filled up with silence.
    Exactly {
        /// In milliseconds.
        ms: u32,
    },
    /// From this to that long: a shorter rest waits for more, or is filled up.
    Between {
        /// In milliseconds.
        ms_min: u32,
        /// In milliseconds.
        ms_max: u32,
    },
}

/// How one carrier's media socket is spoken to.
pub trait Framing: Send + Sync {
    /// Reads a message.
    ///
    /// # Errors
    /// It is nothing that the carrier's documentation describes.
    fn read<'a>(&self, frame: &'a Frame<'_>) -> Result<Heard<'a>, Malformed>;

    /// Writes a message about the stream into memory that has nothing in it. None where the
    /// carrier knows no such thing: a mark is then given back by the clock, and what is cleared is
    /// forgotten here.
    fn write_into(&self, said: &Said<'_>, stream: &str, out: &mut Vec<u8>) -> Option<Shape>;

    /// The same, into memory of its own.
    fn write(&self, said: &Said<'_>, stream: &str) -> Option<Frame<'static>> {
        let mut out = Vec::new();
        Some(match self.write_into(said, stream, &mut out)? {
            Shape::Text => Frame::Text(Cow::Owned(String::from_utf8(out).unwrap_or_default())),
            Shape::Binary => Frame::Binary(Cow::Owned(out)),
        })
    }

    /// What the carrier is sent, which need not be what it sends.
    fn outbound_format(&self) -> MediaFormat;

    /// How long the pieces are that it is sent.
    fn piece(&self) -> Piece;

    /// Whether the carrier says when a mark has been played.
    fn has_marks(&self) -> bool;

    /// How far ahead of real time it is sent audio, in milliseconds: enough for the network, little
    /// enough that what is cleared is not already at the carrier.
    fn lead_ms(&self) -> u32;

    /// Whether pieces may come out of order, so that a few are held back to sort them.
    fn is_reordered(&self) -> bool {
        false
    }
}
