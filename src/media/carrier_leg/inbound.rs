//! What a carrier sends, in order and numbered.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use base64_simd::STANDARD;

use super::Counts;
use crate::domain::MediaFormat;
use crate::media::framing::{Audio, Framing, Payload};
use crate::media::messages;
use crate::media::transcode::Transcoder;

/// Pieces that are held back while an earlier one is missing: 60 ms. Carriers that may send out of
/// order swap neighbours; what is later than that would be heard later than it is worth.
const HELD_MAX: usize = 3;

/// How long a piece is held back at most where none follows.
const HELD_FOR_MAX: Duration = Duration::from_millis(100);

/// A number so far behind or ahead is no late or lost piece: the carrier counts anew. It is five
/// seconds of 20 ms pieces.
const NUMBERS_APART_MAX: u64 = 250;

/// After so many pieces with old numbers in a row the numbers are no numbers: it is a second.
const REPEATED_MAX: u64 = 50;

/// The person's audio.
pub(super) struct Inbound {
    /// What the bridge is given.
    format: MediaFormat,
    is_swapped: bool,
    /// Where the carrier sends something else.
    transcoder: Option<Transcoder>,
    held_max: usize,
    stream_sid: String,
    /// The carrier's number of the piece that comes next; none before the first.
    next: Option<u64>,
    /// Those that came before their turn, by the carrier's number.
    held: VecDeque<(u64, String)>,
    held_until: Option<Duration>,
    repeated_in_a_row: u64,
    /// Ours: of the last message, of the last piece, and how many bytes were before the next.
    sequence: u64,
    chunk: u64,
    bytes: usize,
    last_len: usize,
}

impl Inbound {
    pub(super) fn new(
        from: MediaFormat,
        is_swapped: bool,
        framing: &dyn Framing,
        stream_sid: String,
    ) -> Option<Self> {
        let format = framing.outbound_format();
        let transcoder = Transcoder::new(from, format)?;
        Some(Self {
            format,
            is_swapped,
            transcoder: (from != format).then_some(transcoder),
            held_max: if framing.is_reordered() { HELD_MAX } else { 0 },
            stream_sid,
            next: None,
            held: VecDeque::with_capacity(HELD_MAX + 1),
            held_until: None,
            repeated_in_a_row: 0,
            sequence: 1,
            chunk: 0,
            bytes: 0,
            last_len: 0,
        })
    }

    /// The number of our next message.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Takes a piece.
    pub(super) fn audio(
        &mut self,
        audio: Audio<'_>,
        now: Duration,
        counts: &mut Counts,
        out: &mut VecDeque<String>,
    ) {
        let chunk = audio.chunk;
        let Some(payload) = self.base64(audio.payload) else {
            counts.from_carrier_ignored += 1;
            return;
        };
        let Some(chunk) = chunk.filter(|_| self.repeated_in_a_row < REPEATED_MAX) else {
            return self.emit(&payload, 0, out);
        };
        let next = self.next.unwrap_or_else(|| self.first(chunk));
        if chunk.abs_diff(next) > NUMBERS_APART_MAX {
            self.flush(out);
            self.next = Some(chunk.saturating_add(1));
            return self.emit(&payload, 0, out);
        }
        self.next = Some(next);
        if chunk < next || self.held.iter().any(|(held, _)| *held == chunk) {
            counts.repeated += 1;
            self.repeated_in_a_row += 1;
            if self.repeated_in_a_row == REPEATED_MAX {
                self.flush(out);
            }
            return;
        }
        self.repeated_in_a_row = 0;
        if chunk == next && self.held.is_empty() {
            self.next = Some(chunk.saturating_add(1));
            return self.emit(&payload, 0, out);
        }
        let place = self.held.partition_point(|(held, _)| *held < chunk);
        counts.reordered += u64::from(place < self.held.len());
        self.held.insert(place, (chunk, payload.into_owned()));
        self.held_until.get_or_insert(now + HELD_FOR_MAX);
        self.release(self.held_max, out);
    }

    /// When a piece that is held back is no longer.
    pub(super) const fn due_at(&self) -> Option<Duration> {
        self.held_until
    }

    /// Waits no longer for what is missing, if it is time.
    pub(super) fn due(&mut self, now: Duration, out: &mut VecDeque<String>) {
        if self.held_until.is_some_and(|until| until <= now) {
            self.flush(out);
        }
    }

    /// Waits no longer for what is missing.
    pub(super) fn flush(&mut self, out: &mut VecDeque<String>) {
        self.release(0, out);
    }

    /// Where a carrier counts from: what came first may have overtaken a few.
    fn first(&self, chunk: u64) -> u64 {
        if (1..=1 + self.held_max as u64).contains(&chunk) { 1 } else { chunk }
    }

    /// Passes on what is in order, and what more than `held_max` wait behind.
    fn release(&mut self, held_max: usize, out: &mut VecDeque<String>) {
        while let Some((chunk, _)) = self.held.front() {
            let skipped = chunk.saturating_sub(self.next.unwrap_or(*chunk));
            if skipped > 0 && self.held.len() <= held_max {
                return;
            }
            if let Some((chunk, payload)) = self.held.pop_front() {
                self.next = Some(chunk.saturating_add(1));
                self.emit(&payload, skipped, out);
            }
        }
        self.held_until = None;
    }

    /// The audio in base64, if it is any.
    fn base64<'a>(&self, payload: Payload<'a>) -> Option<Cow<'a, str>> {
        let encoded = |mut bytes: Vec<u8>| {
            swap(&mut bytes);
            Cow::Owned(STANDARD.encode_to_string(bytes))
        };
        match payload {
            Payload::Base64(text) if self.is_swapped => {
                STANDARD.decode_to_vec(text.as_bytes()).ok().map(encoded)
            }
            Payload::Base64(text) => STANDARD.check(text.as_bytes()).is_ok().then_some(text),
            Payload::Bytes(bytes) if self.is_swapped => Some(encoded(bytes.into_owned())),
            Payload::Bytes(bytes) => Some(Cow::Owned(STANDARD.encode_to_string(bytes))),
        }
    }

    /// Passes a piece on, after `skipped` that never came.
    fn emit(&mut self, payload: &str, skipped: u64, out: &mut VecDeque<String>) {
        let transcoded = self.transcoder.as_mut().map(|transcoder| {
            let audio = STANDARD.decode_to_vec(payload).unwrap_or_default();
            let mut coded = Vec::with_capacity(audio.len() * 2);
            transcoder.push(&audio, &mut coded);
            STANDARD.encode_to_string(coded)
        });
        let payload = transcoded.as_deref().unwrap_or(payload);
        let len = decoded_len(payload);
        self.chunk += 1 + skipped;
        self.bytes += self.last_len * usize::try_from(skipped).unwrap_or_default();
        let at = self.format.length_of(self.bytes).as_millis();
        let place = (self.chunk, u64::try_from(at).unwrap_or(u64::MAX));
        let sequence = self.next_sequence();
        let mut text = String::with_capacity(payload.len() + 200);
        messages::write_media(&mut text, &self.stream_sid, sequence, place, payload);
        out.push_back(text);
        self.bytes += len;
        self.last_len = len;
    }
}

/// The bytes that base64 stands for.
pub(super) fn decoded_len(payload: &str) -> usize {
    STANDARD.decoded_length(payload.as_bytes()).unwrap_or_default()
}

/// The other byte of every linear sample first.
pub(super) fn swap(bytes: &mut [u8]) {
    for pair in bytes.as_chunks_mut::<2>().0 {
        pair.reverse();
    }
}
