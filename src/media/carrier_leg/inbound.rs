//! What a carrier sends, in order and numbered.

use std::collections::VecDeque;
use std::time::Duration;

use base64_simd::STANDARD;

use super::Counts;
use crate::domain::MediaFormat;
use crate::media::framing::{Audio, Framing, Payload};
use crate::media::messages;
use crate::media::texts::Texts;
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
    payload: String,
    audio: Vec<u8>,
    coded: Vec<u8>,
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
            payload: String::new(),
            audio: Vec::new(),
            coded: Vec::new(),
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
        audio: &Audio<'_>,
        now: Duration,
        counts: &mut Counts,
        out: &mut Texts<()>,
    ) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        if self.write_base64(&audio.payload, &mut payload) {
            self.take(&payload, audio.chunk, now, counts, out);
        } else {
            counts.from_carrier_ignored += 1;
        }
        self.payload = payload;
    }

    fn take(
        &mut self,
        payload: &str,
        chunk: Option<u64>,
        now: Duration,
        counts: &mut Counts,
        out: &mut Texts<()>,
    ) {
        let Some(chunk) = chunk.filter(|_| self.repeated_in_a_row < REPEATED_MAX) else {
            return self.emit(payload, 0, out);
        };
        let next = self.next.unwrap_or_else(|| self.first(chunk));
        if chunk.abs_diff(next) > NUMBERS_APART_MAX {
            self.flush(out);
            self.next = Some(chunk.saturating_add(1));
            return self.emit(payload, 0, out);
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
            return self.emit(payload, 0, out);
        }
        let place = self.held.partition_point(|(held, _)| *held < chunk);
        counts.reordered += u64::from(place < self.held.len());
        self.held.insert(place, (chunk, payload.to_owned()));
        self.held_until.get_or_insert(now + HELD_FOR_MAX);
        self.release(self.held_max, out);
    }

    /// When a piece that is held back is no longer.
    pub(super) const fn due_at(&self) -> Option<Duration> {
        self.held_until
    }

    /// Waits no longer for what is missing, if it is time.
    pub(super) fn due(&mut self, now: Duration, out: &mut Texts<()>) {
        if self.held_until.is_some_and(|until| until <= now) {
            self.flush(out);
        }
    }

    /// Waits no longer for what is missing.
    pub(super) fn flush(&mut self, out: &mut Texts<()>) {
        self.release(0, out);
    }

    /// Where a carrier counts from: what came first may have overtaken a few.
    fn first(&self, chunk: u64) -> u64 {
        if (1..=1 + self.held_max as u64).contains(&chunk) { 1 } else { chunk }
    }

    /// Passes on what is in order, and what more than `held_max` wait behind.
    fn release(&mut self, held_max: usize, out: &mut Texts<()>) {
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

    /// Writes the audio in base64; whether it is any.
    fn write_base64(&mut self, payload: &Payload<'_>, out: &mut String) -> bool {
        if !self.is_swapped {
            payload.write_base64(out);
            return match payload {
                Payload::Base64(text) => STANDARD.check(text.as_bytes()).is_ok(),
                Payload::Bytes(_) => true,
            };
        }
        self.audio.clear();
        match payload {
            Payload::Base64(text) => {
                if STANDARD.decode_append(text.as_bytes(), &mut self.audio).is_err() {
                    return false;
                }
            }
            Payload::Bytes(bytes) => self.audio.extend_from_slice(bytes),
        }
        swap(&mut self.audio);
        STANDARD.encode_append(&self.audio, out);
        true
    }

    /// Passes a piece on, after `skipped` that never came.
    fn emit(&mut self, payload: &str, skipped: u64, out: &mut Texts<()>) {
        let len = match &mut self.transcoder {
            Some(transcoder) => {
                self.audio.clear();
                self.coded.clear();
                // It has been looked at: it is base64.
                let _ = STANDARD.decode_append(payload, &mut self.audio);
                transcoder.push(&self.audio, &mut self.coded);
                self.coded.len()
            }
            None => decoded_len(payload),
        };
        self.chunk += 1 + skipped;
        self.bytes += self.last_len * usize::try_from(skipped).unwrap_or_default();
        let at = self.format.length_of(self.bytes).as_millis();
        let place = (self.chunk, u64::try_from(at).unwrap_or(u64::MAX));
        let sequence = self.next_sequence();
        let Self { stream_sid, transcoder, coded, .. } = self;
        out.push((), |out| {
            messages::write_media_of(out, stream_sid, sequence, place, |out| match transcoder {
                Some(_) => STANDARD.encode_append(coded, out),
                None => out.push_str(payload),
            });
        });
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
