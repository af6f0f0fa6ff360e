//! What a carrier is sent: in its pieces, in time, with marks that come back.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use base64_simd::STANDARD;

use super::Counts;
use super::inbound::{decoded_len, swap};
use crate::domain::MediaFormat;
use crate::media::framing::{Frame, Framing, Payload, Piece, Said, Shape};
use crate::media::lent;
use crate::media::playout::Playout;

/// How much audio may wait. A runtime sends an utterance as fast as it is made, and must still be
/// heard when it clears it; carriers themselves keep as much. Past that it is not read.
pub(super) const QUEUED_MAX: Duration = Duration::from_secs(60);

/// Marks that may wait behind audio. Past that the runtime is not read.
const MARKS_QUEUED_MAX: usize = 1024;

/// Marks that may be out at the carrier. Past that the oldest comes back: a carrier that has not
/// said so of a thousand says it of none.
const MARKS_SENT_MAX: usize = 1024;

/// What audio is cut to where it must be cut: what everybody sends.
const PIECE_MS: u32 = 20;

/// The runtime's audio.
pub(super) struct Outbound {
    format: MediaFormat,
    is_swapped: bool,
    stream: String,
    sizes: Sizes,
    lead: Duration,
    has_marks: bool,
    /// Less than a piece, with the byte order of runtimes.
    rest: Vec<u8>,
    /// When the last of the rest came.
    rest_at: Duration,
    queue: VecDeque<Queued>,
    queued: Duration,
    marks_queued: usize,
    /// Marks that were set after the rest.
    after_rest: VecDeque<String>,
    clear: Option<Written>,
    /// What was sent last.
    said: Written,
    playout: Playout,
    sent: VecDeque<SentMark>,
    /// Marks that are to come back at once.
    played: VecDeque<String>,
    last_mark: u64,
}

/// The bytes of a message.
#[derive(Clone, Copy)]
struct Sizes {
    /// A payload from so many bytes ...
    pass_min: usize,
    /// ... to so many is passed on as it came.
    pass_max: usize,
    /// Any other is cut to this.
    piece: usize,
}

enum Queued {
    Audio { written: Written, length: Duration },
    Mark(String),
}

/// A message as it is sent.
struct Written {
    bytes: Vec<u8>,
    shape: Shape,
}

struct SentMark {
    /// The name the carrier knows it by: names of runtimes may come twice, and a mark that was
    /// cleared must not be taken for one that was set since.
    id: u64,
    name: String,
    /// When it comes back by the clock; none where the carrier gives it back.
    at: Option<Duration>,
}

impl Sizes {
    fn new(piece: Piece, format: MediaFormat, lead_ms: u32) -> Self {
        // Never less than a sample, so that there is no end of cutting.
        let bytes = |ms: u32| format.bytes_of_ms(ms).max(format.sample_len());
        match piece {
            Piece::Exactly { ms } => {
                Self { pass_min: bytes(ms), pass_max: bytes(ms), piece: bytes(ms) }
            }
            Piece::Between { ms_min, ms_max } => {
                let ms_max = ms_max.max(ms_min);
                // With a long piece on its way the carrier would run dry before the next.
                let pass_max = (lead_ms / 2).clamp(ms_min, ms_max);
                Self {
                    pass_min: bytes(ms_min),
                    pass_max: bytes(pass_max),
                    piece: bytes(PIECE_MS.clamp(ms_min, ms_max)),
                }
            }
        }
    }
}

impl Outbound {
    pub(super) fn new(framing: &dyn Framing, is_swapped: bool, stream: String) -> Self {
        let (format, lead_ms) = (framing.outbound_format(), framing.lead_ms());
        Self {
            format,
            is_swapped,
            stream,
            sizes: Sizes::new(framing.piece(), format, lead_ms),
            lead: Duration::from_millis(u64::from(lead_ms)),
            has_marks: framing.has_marks(),
            rest: Vec::new(),
            rest_at: Duration::ZERO,
            queue: VecDeque::new(),
            queued: Duration::ZERO,
            marks_queued: 0,
            after_rest: VecDeque::new(),
            clear: None,
            said: Written { bytes: Vec::new(), shape: Shape::Text },
            playout: Playout::default(),
            sent: VecDeque::new(),
            played: VecDeque::new(),
            last_mark: 0,
        }
    }

    pub(super) fn may_take(&self) -> bool {
        self.queued < QUEUED_MAX && self.marks_queued < MARKS_QUEUED_MAX
    }

    /// Takes audio, in base64.
    pub(super) fn audio(
        &mut self,
        payload: &str,
        framing: &dyn Framing,
        now: Duration,
        counts: &mut Counts,
    ) {
        let len = decoded_len(payload);
        let fits = (self.sizes.pass_min..=self.sizes.pass_max).contains(&len)
            && len.is_multiple_of(self.format.sample_len());
        if fits && self.rest.is_empty() && !self.is_swapped {
            if STANDARD.check(payload.as_bytes()).is_err() {
                counts.to_carrier_ignored += 1;
                return;
            }
            let payload = Payload::Base64(Cow::Borrowed(payload));
            return self.queue_audio(payload, len, framing, counts);
        }
        let before = self.rest.len();
        if STANDARD.decode_append(payload, &mut self.rest).is_err() {
            self.rest.truncate(before);
            counts.to_carrier_ignored += 1;
            return;
        }
        self.rest_at = now;
        let mut audio = std::mem::take(&mut self.rest);
        let mut pieces = audio.chunks_exact_mut(self.sizes.piece);
        for piece in &mut pieces {
            self.queue_piece(piece, framing, counts);
        }
        let left = pieces.into_remainder().len();
        audio.drain(..audio.len() - left);
        self.rest = audio;
    }

    /// Takes a mark, which keeps its place.
    pub(super) fn mark(&mut self, name: String) {
        self.marks_queued += 1;
        if self.rest.is_empty() {
            self.queue.push_back(Queued::Mark(name));
        } else {
            self.after_rest.push_back(name);
        }
    }

    /// Forgets what has not been played, and gives back the marks among it.
    pub(super) fn clear(&mut self, framing: &dyn Framing, now: Duration, counts: &mut Counts) {
        counts.cleared += u64::from(!self.rest.is_empty());
        self.rest.clear();
        self.played.extend(self.sent.drain(..).map(|mark| mark.name));
        for queued in self.queue.drain(..) {
            match queued {
                Queued::Audio { .. } => counts.cleared += 1,
                Queued::Mark(name) => self.played.push_back(name),
            }
        }
        self.played.extend(self.after_rest.drain(..));
        self.queued = Duration::ZERO;
        self.marks_queued = 0;
        // One is as good as two: nothing was sent between them.
        self.clear = self.write(&Said::Clear, framing);
        if self.clear.is_some() {
            self.playout.forget(now);
        }
    }

    /// The carrier says that a mark has been played; and so have all before it.
    pub(super) fn played(&mut self, id: &str) {
        let found = id.parse().ok();
        if let Some(place) = self.sent.iter().position(|mark| Some(mark.id) == found) {
            self.played.extend(self.sent.drain(..=place).map(|mark| mark.name));
        }
    }

    /// The next mark that has been played by now.
    pub(super) fn next_mark(&mut self, now: Duration) -> Option<String> {
        if self.played.is_empty()
            && self.sent.front().is_some_and(|mark| mark.at.is_some_and(|at| at <= now))
        {
            return self.sent.pop_front().map(|mark| mark.name);
        }
        self.played.pop_front()
    }

    /// Goes on to the next message that is to be sent by now; whether there is one.
    pub(super) fn advance(
        &mut self,
        framing: &dyn Framing,
        now: Duration,
        counts: &mut Counts,
    ) -> bool {
        lent::give_back(std::mem::take(&mut self.said.bytes));
        let next = self.next_written(framing, now, counts);
        let is_next = next.is_some();
        next.into_iter().for_each(|written| self.said = written);
        is_next
    }

    /// The message.
    pub(super) fn said(&self) -> Frame<'_> {
        let Written { bytes, shape } = &self.said;
        match shape {
            Shape::Text => Frame::Text(String::from_utf8_lossy(bytes)),
            Shape::Binary => Frame::Binary(Cow::Borrowed(bytes)),
        }
    }

    fn next_written(
        &mut self,
        framing: &dyn Framing,
        now: Duration,
        counts: &mut Counts,
    ) -> Option<Written> {
        if let Some(clear) = self.clear.take() {
            return Some(clear);
        }
        loop {
            if self.send_at().is_none_or(|at| at > now) {
                return None;
            }
            match self.queue.pop_front() {
                None => self.fill(framing, counts),
                Some(Queued::Audio { written, length }) => {
                    self.queued -= length;
                    self.playout.add(length, now);
                    counts.sent += 1;
                    return Some(written);
                }
                Some(Queued::Mark(name)) => {
                    self.marks_queued -= 1;
                    if let Some(written) = self.send_mark(name, framing) {
                        return Some(written);
                    }
                }
            }
        }
    }

    /// Writes a message, in memory that is lent.
    fn write(&self, said: &Said<'_>, framing: &dyn Framing) -> Option<Written> {
        let mut bytes = lent::take();
        if let Some(shape) = framing.write_into(said, &self.stream, &mut bytes) {
            return Some(Written { bytes, shape });
        }
        lent::give_back(bytes);
        None
    }

    /// When there is a mark to give back.
    pub(super) fn mark_at(&self) -> Option<Duration> {
        if !self.played.is_empty() {
            return Some(Duration::ZERO);
        }
        self.sent.front().and_then(|mark| mark.at)
    }

    /// When the next of what waits is to be sent.
    pub(super) fn send_at(&self) -> Option<Duration> {
        if self.clear.is_some() {
            return Some(Duration::ZERO);
        }
        match self.queue.front() {
            Some(Queued::Mark(_)) => Some(Duration::ZERO),
            // With it no more than the lead is at the carrier; a piece longer than that goes when
            // the one before it has been played.
            Some(Queued::Audio { length, .. }) => {
                let before = self.lead.saturating_sub(*length);
                Some(self.playout.until().saturating_sub(before))
            }
            // It waits for more as long as nobody misses it, and for as long as a piece takes.
            None if !self.rest.is_empty() => {
                let piece = self.format.length_of(self.sizes.piece);
                Some(self.playout.until().max(self.rest_at + piece))
            }
            None => None,
        }
    }

    /// Fills the rest up with silence.
    fn fill(&mut self, framing: &dyn Framing, counts: &mut Counts) {
        let mut piece = std::mem::take(&mut self.rest);
        // Half a sample is none.
        piece.truncate(piece.len() / self.format.sample_len() * self.format.sample_len());
        piece.resize(self.sizes.piece, self.format.silence());
        counts.filled += 1;
        self.queue_piece(&mut piece, framing, counts);
        self.queue.extend(self.after_rest.drain(..).map(Queued::Mark));
    }

    /// Queues a whole piece, and the marks that waited for it.
    fn queue_piece(&mut self, piece: &mut [u8], framing: &dyn Framing, counts: &mut Counts) {
        if self.is_swapped {
            swap(piece);
        }
        let len = piece.len();
        self.queue_audio(Payload::Bytes(Cow::Borrowed(piece)), len, framing, counts);
        self.queue.extend(self.after_rest.drain(..).map(Queued::Mark));
    }

    fn queue_audio(
        &mut self,
        payload: Payload<'_>,
        len: usize,
        framing: &dyn Framing,
        counts: &mut Counts,
    ) {
        let Some(written) = self.write(&Said::Audio(payload), framing) else {
            counts.to_carrier_ignored += 1;
            return;
        };
        let length = self.format.length_of(len);
        self.queued += length;
        self.queue.push_back(Queued::Audio { written, length });
    }

    /// Sends a mark after what was sent, or leaves it to the clock.
    fn send_mark(&mut self, name: String, framing: &dyn Framing) -> Option<Written> {
        self.last_mark += 1;
        let id = self.last_mark;
        let written = match self.has_marks {
            true => self.write(&Said::Mark(&id.to_string()), framing),
            false => None,
        };
        let at = written.is_none().then(|| self.playout.until());
        self.sent.push_back(SentMark { id, name, at });
        if self.sent.len() > MARKS_SENT_MAX {
            self.played.extend(self.sent.pop_front().map(|mark| mark.name));
        }
        written
    }
}
