//! A frame of audio, found in its message by a walk that borrows and builds no tree.

use std::ops::Range;

use super::{push_escaped, write_audio};

/// A frame of audio, borrowed from its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    text: &'a str,
    stream_sid: Option<Range<usize>>,
    payload: Range<usize>,
    /// The message's place in the stream.
    pub sequence: Option<u64>,
    /// The frame's place in its track, from 1.
    pub chunk: Option<u64>,
    /// Milliseconds since the stream began.
    pub timestamp_ms: Option<u64>,
}

impl<'a> Media<'a> {
    /// The audio, in base64.
    #[must_use]
    pub fn payload(&self) -> &'a str {
        self.text.get(self.payload.clone()).unwrap_or_default()
    }

    /// The stream it belongs to; empty where it says none.
    #[must_use]
    pub fn stream_sid(&self) -> &'a str {
        self.stream_sid.clone().and_then(|span| self.text.get(span)).unwrap_or_default()
    }

    /// Writes the same message as of another stream; nothing else in it changes.
    pub fn write_as(&self, out: &mut String, stream_sid: &str) {
        out.reserve(self.text.len() + stream_sid.len() + 32);
        let parts = self
            .stream_sid
            .clone()
            .and_then(|span| Some((self.text.get(..span.start)?, self.text.get(span.end..)?)));
        if let Some((before, after)) = parts {
            out.push_str(before);
            push_escaped(out, stream_sid);
            out.push_str(after);
        } else {
            write_audio(out, stream_sid, self.payload());
        }
    }

    /// Writes the same message up to its audio; [`Self::write_after`] the rest.
    pub fn write_before(&self, out: &mut String) {
        out.push_str(self.text.get(..self.payload.start).unwrap_or_default());
    }

    /// Writes what of the message comes after its audio.
    pub fn write_after(&self, out: &mut String) {
        out.push_str(self.text.get(self.payload.end..).unwrap_or_default());
    }
}

/// Reads a frame of audio. `None` is anything else, or one spelled so that only
/// [`parse`](super::parse) can tell.
#[must_use]
pub fn media(text: &str) -> Option<Media<'_>> {
    let (mut is_media, mut stream_sid, mut payload) = (false, None, None);
    let (mut sequence, mut chunk, mut timestamp_ms) = (None, None, None);
    let mut scan = Scan { text, at: 0 };
    scan.members(|scan, key| {
        match key {
            "event" => {
                let event = scan.string()?;
                is_media = text.get(event)? == "media";
                return is_media.then_some(());
            }
            "streamSid" => stream_sid = Some(scan.string()?),
            "sequenceNumber" => sequence = scan.number()?,
            "media" => scan.members(|scan, key| {
                match key {
                    "payload" => payload = Some(scan.string()?),
                    "chunk" => chunk = scan.number()?,
                    "timestamp" => timestamp_ms = scan.number()?,
                    _ => scan.skip()?,
                }
                Some(())
            })?,
            _ => scan.skip()?,
        }
        Some(())
    })?;
    scan.end()?;
    is_media.then_some(())?;
    Some(Media { text, stream_sid, payload: payload?, sequence, chunk, timestamp_ms })
}

/// Walks JSON without building it. Every step is `None` where the text is not what it looks like.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn here(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no blank, not yet taken.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.here()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// An object: `each` is given every key and takes its value.
    fn members(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            return self.take(b'}');
        }
        loop {
            let key = self.string()?;
            let key = self.text.get(key)?;
            self.take(b':')?;
            each(self, key)?;
            if self.peek()? == b'}' {
                return self.take(b'}');
            }
            self.take(b',')?;
        }
    }

    /// A string without escapes: where its text lies.
    fn string(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let start = self.at;
        let end = start + plain_len(self.rest())?;
        self.at = end;
        (self.here()? == b'"').then(|| self.at += 1)?;
        Some(start..end)
    }

    /// A whole number, bare or as a string; the inner `None` is any other scalar.
    fn number(&mut self) -> Option<Option<u64>> {
        if self.peek()? == b'"' {
            let span = self.string()?;
            return Some(self.text.get(span)?.parse().ok());
        }
        let start = self.at;
        self.skip()?;
        Some(self.text.get(start..self.at)?.trim().parse().ok())
    }

    /// Any value.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        self.peek()?;
        loop {
            match self.here()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' | b']' if depth == 0 => return None,
                _ => self.at += 1,
            }
            if depth == 0 && matches!(self.here()?, b',' | b'}' | b']') {
                return Some(());
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let step = plain_len(self.rest())?;
            let is_escape = self.rest().get(step) == Some(&b'\\');
            self.at += step + 1 + usize::from(is_escape);
            if !is_escape {
                return Some(());
            }
        }
    }
}

/// How far the next quote or backslash is. Most strings are a word or two of the processor's; a
/// payload, which is most of a frame, is passed over in blocks that the compiler makes vectors of.
fn plain_len(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    const WORDS: usize = 2;
    for (place, word) in bytes.as_chunks().0.iter().take(WORDS).enumerate() {
        if let Some(at) = end_in(*word) {
            return Some(place * WORD + at);
        }
    }
    let is_end = |byte: &u8| *byte == b'"' || *byte == b'\\';
    let has_none = |block: &&[u8; BLOCK]| !block.iter().fold(false, |any, b| any | is_end(b));
    let passed = bytes.as_chunks().0.iter().take_while(has_none).count() * BLOCK;
    let (words, rest) = bytes.get(passed..)?.as_chunks();
    let found = words.iter().enumerate().find_map(|(place, word)| Some((place, end_in(*word)?)));
    match found {
        Some((place, at)) => Some(passed + place * WORD + at),
        None => Some(bytes.len() - rest.len() + rest.iter().position(is_end)?),
    }
}

const WORD: usize = size_of::<u64>();

/// Where in a word the first quote or backslash is.
fn end_in(word: [u8; WORD]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; WORD]);
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(word);
    // The highest bit of a byte that is none: the lowest one that is set is always right, those
    // above it need not be.
    let none = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let of = |byte: u8| none(word ^ (ONES * u64::from(byte)));
    let ends = of(b'"') | of(b'\\');
    (ends != 0).then_some(ends.trailing_zeros() as usize / 8)
}
