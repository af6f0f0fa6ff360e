//! Joins a carrier's leg and a runtime's: what one says is queued for the other, in order.
//!
//! A frame is passed on as it came; only the stream's id is written anew, where the two sides know
//! it by different names. Towards the runtime a second of audio is held, then the oldest goes: the
//! runtime is told by the gap in `chunk` and `timestamp`, which stay the carrier's own. Towards the
//! carrier nothing is held, unless its stream has not begun: then what a runtime says waits for it,
//! up to a limit. Who drives the bridge reads the runtime only while [`Bridge::may_read_runtime`].
//! Marks, key presses, `clear` and `stop` are never dropped and keep their place among the audio.
//!
//! It never decodes, fills or paces audio, and it knows no socket and no clock.

use std::collections::VecDeque;

use super::messages::{self, Malformed, Message, Start};

/// One second of 20 ms frames. Past that the agent hears the past, so the oldest frame goes.
pub const FRAMES_QUEUED_MAX: usize = 50;

/// Messages other than audio that may wait for a runtime. A person presses ten keys a second at
/// most and marks come back only where they were sent: a runtime with that many unread has stopped
/// reading, and is given up.
pub const CONTROLS_QUEUED_MAX: usize = 256;

/// Marks that may be out at the carrier. Past that the oldest is no longer known to be a runtime's
/// own, and is passed on when it comes back.
pub const MARKS_PENDING_MAX: usize = 1024;

/// What may be held of a runtime's words until the carrier's stream begins, in bytes of messages.
/// Carriers begin a second or two after they were answered; this is fifteen seconds of 20 ms
/// frames, or a greeting that was sent as fast as it was made. Past it the runtime is not read, so
/// that it waits as it would for a carrier that takes nothing more: nothing is lost.
pub const HELD_LEN_MAX: usize = 256 * 1024;

/// What a held message takes besides its text, so that many small ones count for what they are.
const HELD_OVERHEAD_LEN: usize = 64;

/// A text that came from a socket, or that we wrote.
pub trait Frame: AsRef<str> + From<String> {}

impl<T: AsRef<str> + From<String>> Frame for T {}

/// Two legs of a call, joined.
#[derive(Debug)]
pub struct Bridge<F> {
    start: Start,
    /// The stream's id as the runtime knows it.
    runtime_sid: String,
    to_runtime: VecDeque<Queued<F>>,
    audio_queued: usize,
    to_carrier: VecDeque<Queued<F>>,
    /// The length of what waits for the carrier's stream to begin; `None` once it has.
    held_len: Option<usize>,
    marks: VecDeque<PendingMark>,
    /// How many runtimes have been joined to the call so far.
    runtimes: u32,
    last_chunk: Option<u64>,
    last_sequence: u64,
    has_stopped: bool,
    /// The carrier has been given a tone, or is being given one.
    is_comforting: bool,
    counts: Counts,
}

#[derive(Debug)]
struct Queued<F> {
    frame: F,
    what: What,
}

/// What a queued message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Audio of the other side.
    Audio,
    /// Audio of ours, between two runtimes.
    Comfort,
    /// Anything else.
    Control,
}

impl<F> Queued<F> {
    fn is_audio(&self) -> bool {
        self.what == What::Audio
    }
}

#[derive(Debug)]
struct PendingMark {
    name: String,
    runtime: u32,
}

/// What went through a bridge, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames of audio the carrier sent.
    pub from_carrier: u64,
    /// Of those, handed to a runtime.
    pub to_runtime: u64,
    /// Frames of a runtime's audio handed to the carrier.
    pub to_carrier: u64,
    /// Frames of a tone handed to the carrier, between two runtimes.
    pub comfort: u64,
    /// Frames the carrier itself left out, by its numbering.
    pub gaps: u64,
    /// Frames dropped because a runtime read too slowly or was not there yet.
    pub overflow: u64,
    /// Messages of a runtime that are none, or that no carrier knows.
    pub from_runtime_ignored: u64,
    /// Messages of the carrier that are none.
    pub from_carrier_ignored: u64,
    /// Marks that runtimes set.
    pub marks_set: u64,
    /// Of those, given back by the carrier: what came before them was played, or cleared.
    pub marks_played: u64,
    /// Of those, given back when their runtime was gone.
    pub marks_forgotten: u64,
}

/// What a carrier's message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromCarrier {
    /// Audio.
    Audio,
    /// Something else, dealt with.
    Other,
    /// The stream is over.
    Stop,
    /// The runtime has stopped reading: more waits for it than may.
    Overrun,
}

/// What a runtime's message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromRuntime {
    /// Audio.
    Audio,
    /// Something else, dealt with.
    Other,
}

impl<F: Frame> Bridge<F> {
    /// A carrier's leg whose stream has not begun; nobody is joined to it yet. `start` is what it
    /// goes by until then.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self {
            runtime_sid: start.stream_sid.clone(),
            start,
            to_runtime: VecDeque::new(),
            audio_queued: 0,
            to_carrier: VecDeque::new(),
            held_len: Some(0),
            marks: VecDeque::new(),
            runtimes: 0,
            last_chunk: None,
            last_sequence: 1,
            has_stopped: false,
            is_comforting: false,
            counts: Counts::default(),
        }
    }

    /// The carrier's stream begins: what is held goes to it, under its own name for the stream. A
    /// runtime that has been joined keeps the name it was told.
    pub fn begin(&mut self, start: Start) {
        if self.start.stream_sid != start.stream_sid {
            rename(&mut self.to_carrier, &start.stream_sid);
        }
        if self.runtimes == 0 {
            self.runtime_sid.clone_from(&start.stream_sid);
        }
        self.held_len = None;
        self.start = start;
    }

    /// Joins a runtime: `connected` and `start` go to it before whatever waits. It knows the stream
    /// by `start.stream_sid`, which need not be the carrier's.
    pub fn join(&mut self, start: &Start) {
        self.runtimes += 1;
        if start.stream_sid != self.runtime_sid {
            self.runtime_sid.clone_from(&start.stream_sid);
            // What waited for a runtime that never came is given this one's name for the stream.
            rename(&mut self.to_runtime, &self.runtime_sid);
        }
        let mut text = String::with_capacity(512);
        messages::write_start(&mut text, start);
        self.to_runtime.push_front(Queued { frame: text.into(), what: What::Control });
        let mut text = String::with_capacity(64);
        messages::write_connected(&mut text);
        self.to_runtime.push_front(Queued { frame: text.into(), what: What::Control });
    }

    /// Parts from a runtime that had been joined. What it said and was not yet played is cleared at
    /// the carrier, its marks are forgotten; what the person said meanwhile waits for the next.
    pub fn part(&mut self) {
        self.forget_comfort();
        if let Some(held_len) = &mut self.held_len {
            *held_len = 0;
            self.to_carrier.clear();
            self.marks.clear();
        } else {
            self.say_clear();
        }
        self.to_runtime.retain(|queued| {
            queued.is_audio()
                || messages::parse(queued.frame.as_ref()).is_ok_and(|envelope| {
                    matches!(envelope.message, Message::Dtmf(_) | Message::Stop)
                })
        });
    }

    /// Takes what the carrier said.
    pub fn from_carrier(&mut self, frame: F) -> FromCarrier {
        if let Some(media) = messages::media(frame.as_ref()) {
            self.counts.from_carrier += 1;
            self.last_sequence = media.sequence.unwrap_or(self.last_sequence);
            if let (Some(last), Some(chunk)) = (self.last_chunk, media.chunk) {
                self.counts.gaps += chunk.saturating_sub(last + 1);
            }
            self.last_chunk = media.chunk.or(self.last_chunk);
            let renamed = (media.stream_sid() != self.runtime_sid)
                .then(|| media.with_stream_sid(&self.runtime_sid).into());
            self.queue_audio(renamed.unwrap_or(frame));
            return FromCarrier::Audio;
        }
        let Ok(envelope) = messages::parse(frame.as_ref()) else {
            self.counts.from_carrier_ignored += 1;
            return FromCarrier::Other;
        };
        match envelope.message {
            Message::Media(_) => {
                self.counts.from_carrier += 1;
                if let Some(frame) = self.named_for_runtime(frame) {
                    self.queue_audio(frame);
                }
                FromCarrier::Audio
            }
            Message::Mark(name) if self.is_forgotten(&name) => FromCarrier::Other,
            Message::Dtmf(_) | Message::Mark(_) | Message::Unknown => self.queue_control(frame),
            Message::Stop => {
                self.has_stopped = true;
                self.queue_control(frame);
                FromCarrier::Stop
            }
            Message::Connected | Message::Start(_) | Message::Clear => {
                self.counts.from_carrier_ignored += 1;
                FromCarrier::Other
            }
        }
    }

    /// A key was pressed, which the carrier's socket does not say.
    pub fn press(&mut self, key: char) {
        let mut text = String::with_capacity(160);
        let (sid, sequence) = (&self.start.stream_sid, self.last_sequence + 1);
        messages::write_dtmf(&mut text, sid, sequence, key.encode_utf8(&mut [0; 4]));
        self.from_carrier(text.into());
    }

    /// The carrier has gone: the runtime is told, unless the carrier has done so itself.
    pub fn carrier_gone(&mut self) {
        if !self.has_stopped {
            self.has_stopped = true;
            let frame = self.stop();
            self.to_runtime.push_back(Queued { frame, what: What::Control });
        }
    }

    /// What tells the runtime that the stream is over for it.
    #[must_use]
    pub fn stop(&self) -> F {
        let mut text = String::with_capacity(160);
        let start = Start { stream_sid: self.runtime_sid.clone(), ..self.start.clone_identity() };
        messages::write_stop(&mut text, &start, self.last_sequence + 1);
        text.into()
    }

    /// Plays a tone to the carrier until a runtime says something, or [`Self::end_comfort`]: these
    /// frames of audio, in base64. One that plays already goes on; and before the carrier's stream
    /// begins there is nobody to hear one.
    pub fn comfort(&mut self, payloads: &[String]) {
        if self.is_comforting || self.held_len.is_some() || payloads.is_empty() {
            return;
        }
        self.is_comforting = true;
        for payload in payloads {
            let mut text = String::with_capacity(96 + payload.len());
            messages::write_audio(&mut text, &self.start.stream_sid, payload);
            self.say(text.into(), What::Comfort);
        }
    }

    /// Tells the runtime that a machine answered, and records now.
    pub fn tell_recording(&mut self) {
        let mut text = String::with_capacity(128);
        messages::write_voicemail(&mut text, &self.runtime_sid);
        self.to_runtime.push_back(Queued { frame: text.into(), what: What::Control });
    }

    /// Ends the tone, if one plays.
    pub fn end_comfort(&mut self) {
        if self.forget_comfort() {
            self.say_clear();
        }
    }

    /// What of the tone has not been sent, is not any more. Whether one was playing.
    fn forget_comfort(&mut self) -> bool {
        if !std::mem::take(&mut self.is_comforting) {
            return false;
        }
        self.to_carrier.retain(|queued| queued.what != What::Comfort);
        true
    }

    /// Takes what the runtime said.
    pub fn from_runtime(&mut self, frame: F) -> FromRuntime {
        self.end_comfort();
        if let Some(media) = messages::media(frame.as_ref()) {
            let renamed = (media.stream_sid() != self.start.stream_sid)
                .then(|| media.with_stream_sid(&self.start.stream_sid).into());
            self.say(renamed.unwrap_or(frame), What::Audio);
            return FromRuntime::Audio;
        }
        let sid = &self.start.stream_sid;
        let mut text = String::new();
        match messages::parse(frame.as_ref())
            .map(|envelope| (envelope.message, envelope.stream_sid))
        {
            Ok((Message::Media(payload), _)) => {
                messages::write_audio(&mut text, sid, &payload);
                self.say(text.into(), What::Audio);
                return FromRuntime::Audio;
            }
            Ok((Message::Mark(name), found)) => {
                self.counts.marks_set += 1;
                if found == *sid {
                    self.say(frame, What::Control);
                } else {
                    messages::write_mark(&mut text, sid, None, &name);
                    self.say(text.into(), What::Control);
                }
                if self.marks.len() == MARKS_PENDING_MAX {
                    self.marks.pop_front();
                }
                self.marks.push_back(PendingMark { name, runtime: self.runtimes });
            }
            Ok((Message::Clear, _)) if self.held_len.is_some() => self.clear_held(),
            Ok((Message::Clear, _)) => self.say_clear(),
            Ok(_) | Err(Malformed) => self.counts.from_runtime_ignored += 1,
        }
        FromRuntime::Other
    }

    /// Whether the runtime may be read: nothing it said before is still on its way, or, before the
    /// carrier's stream begins, no more than may be held.
    #[must_use]
    pub fn may_read_runtime(&self) -> bool {
        self.held_len.map_or(self.to_carrier.is_empty(), |held_len| held_len < HELD_LEN_MAX)
    }

    /// Whether audio waits for the carrier.
    #[must_use]
    pub fn has_audio_for_carrier(&self) -> bool {
        self.to_carrier.iter().any(Queued::is_audio)
    }

    /// Whether something waits for the runtime.
    #[must_use]
    pub fn has_for_runtime(&self) -> bool {
        !self.to_runtime.is_empty()
    }

    /// The next message for the carrier; none before its stream begins.
    pub fn next_for_carrier(&mut self) -> Option<F> {
        if self.held_len.is_some() {
            return None;
        }
        let queued = self.to_carrier.pop_front()?;
        self.counts.to_carrier += u64::from(queued.is_audio());
        self.counts.comfort += u64::from(queued.what == What::Comfort);
        Some(queued.frame)
    }

    /// The next message for the runtime.
    pub fn next_for_runtime(&mut self) -> Option<F> {
        let queued = self.to_runtime.pop_front()?;
        if queued.is_audio() {
            self.audio_queued -= 1;
            self.counts.to_runtime += 1;
        }
        Some(queued.frame)
    }

    /// What has gone through so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn say_clear(&mut self) {
        let mut text = String::with_capacity(96);
        messages::write_clear(&mut text, &self.start.stream_sid);
        self.say(text.into(), What::Control);
    }

    fn say(&mut self, frame: F, what: What) {
        if let Some(held_len) = &mut self.held_len {
            *held_len += frame.as_ref().len() + HELD_OVERHEAD_LEN;
        }
        self.to_carrier.push_back(Queued { frame, what });
    }

    /// The runtime takes back what it said. Its marks come back from the carrier all the same.
    fn clear_held(&mut self) {
        self.to_carrier.retain(|queued| !queued.is_audio());
        let len = |queued: &Queued<F>| queued.frame.as_ref().len() + HELD_OVERHEAD_LEN;
        self.held_len = Some(self.to_carrier.iter().map(len).sum());
    }

    fn queue_audio(&mut self, frame: F) {
        if self.audio_queued == FRAMES_QUEUED_MAX {
            let oldest = self.to_runtime.iter().position(Queued::is_audio);
            if let Some(oldest) = oldest {
                self.to_runtime.remove(oldest);
                self.audio_queued -= 1;
                self.counts.overflow += 1;
            }
        }
        self.audio_queued += 1;
        self.to_runtime.push_back(Queued { frame, what: What::Audio });
    }

    fn queue_control(&mut self, frame: F) -> FromCarrier {
        let Some(frame) = self.named_for_runtime(frame) else { return FromCarrier::Other };
        self.to_runtime.push_back(Queued { frame, what: What::Control });
        if self.to_runtime.len() - self.audio_queued > CONTROLS_QUEUED_MAX {
            FromCarrier::Overrun
        } else {
            FromCarrier::Other
        }
    }

    /// The frame under the runtime's name for the stream.
    fn named_for_runtime(&mut self, frame: F) -> Option<F> {
        if self.runtime_sid == self.start.stream_sid {
            return Some(frame);
        }
        let renamed = messages::with_stream_sid(frame.as_ref(), &self.runtime_sid);
        if renamed.is_err() {
            self.counts.from_carrier_ignored += 1;
        }
        renamed.ok().map(F::from)
    }

    /// A mark comes back: whether the runtime that sent it is gone. Marks of one name come back in
    /// the order they were sent.
    fn is_forgotten(&mut self, name: &str) -> bool {
        let found = self.marks.iter().position(|mark| mark.name == name);
        let mark = found.and_then(|index| self.marks.remove(index));
        self.counts.marks_played += u64::from(mark.is_some());
        let is_forgotten = mark.is_some_and(|mark| mark.runtime != self.runtimes);
        self.counts.marks_forgotten += u64::from(is_forgotten);
        is_forgotten
    }
}

/// Gives what is queued another name for the stream.
fn rename<F: Frame>(queue: &mut VecDeque<Queued<F>>, stream_sid: &str) {
    for queued in queue {
        let text = queued.frame.as_ref();
        let renamed = match messages::media(text) {
            Some(media) => Ok(media.with_stream_sid(stream_sid)),
            None => messages::with_stream_sid(text, stream_sid),
        };
        if let Ok(text) = renamed {
            queued.frame = text.into();
        }
    }
}

impl Start {
    /// What names the stream, without what describes it.
    fn clone_identity(&self) -> Self {
        Self {
            stream_sid: self.stream_sid.clone(),
            call_sid: self.call_sid.clone(),
            account_sid: self.account_sid.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
