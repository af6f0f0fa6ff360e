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

use std::borrow::Cow;
use std::collections::VecDeque;

use super::messages::{self, Malformed, Message, Start};
use super::texts::Texts;

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

/// Two legs of a call, joined.
#[derive(Debug)]
pub struct Bridge {
    start: Start,
    /// The stream's id as the runtime knows it.
    runtime_sid: String,
    to_runtime: Texts<What>,
    audio_queued: usize,
    to_carrier: Texts<What>,
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

impl What {
    fn is_audio(self) -> bool {
        self == Self::Audio
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

impl Bridge {
    /// A carrier's leg whose stream has not begun; nobody is joined to it yet. `start` is what it
    /// goes by until then.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self {
            runtime_sid: start.stream_sid.clone(),
            start,
            to_runtime: Texts::default(),
            audio_queued: 0,
            to_carrier: Texts::default(),
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
        self.to_runtime.push_front(What::Control, |out| messages::write_start(out, start));
        self.to_runtime.push_front(What::Control, messages::write_connected);
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
        self.to_runtime.retain(|text, what| {
            what.is_audio()
                || messages::parse(text).is_ok_and(|envelope| {
                    matches!(envelope.message, Message::Dtmf(_) | Message::Stop)
                })
        });
    }

    /// Takes what the carrier said.
    pub fn from_carrier(&mut self, text: &str) -> FromCarrier {
        if let Some(media) = messages::media(text) {
            self.counts.from_carrier += 1;
            self.last_sequence = media.sequence.unwrap_or(self.last_sequence);
            if let (Some(last), Some(chunk)) = (self.last_chunk, media.chunk) {
                self.counts.gaps += chunk.saturating_sub(last + 1);
            }
            self.last_chunk = media.chunk.or(self.last_chunk);
            self.make_room_for_audio();
            let sid = &self.runtime_sid;
            self.to_runtime.push(What::Audio, |out| {
                if media.stream_sid() == sid {
                    out.push_str(text);
                } else {
                    media.write_as(out, sid);
                }
            });
            return FromCarrier::Audio;
        }
        let Ok(envelope) = messages::parse(text) else {
            self.counts.from_carrier_ignored += 1;
            return FromCarrier::Other;
        };
        match envelope.message {
            Message::Media(_) => {
                self.counts.from_carrier += 1;
                if let Some(text) = self.named_for_runtime(text) {
                    self.make_room_for_audio();
                    self.to_runtime.push(What::Audio, |out| out.push_str(&text));
                }
                FromCarrier::Audio
            }
            Message::Mark(name) if self.is_forgotten(&name) => FromCarrier::Other,
            Message::Dtmf(_) | Message::Mark(_) | Message::Unknown => self.queue_control(text),
            Message::Stop => {
                self.has_stopped = true;
                self.queue_control(text);
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
        self.from_carrier(&text);
    }

    /// The carrier has gone: the runtime is told, unless the carrier has done so itself.
    pub fn carrier_gone(&mut self) {
        if !self.has_stopped {
            self.has_stopped = true;
            let text = self.stop();
            self.to_runtime.push(What::Control, |out| out.push_str(&text));
        }
    }

    /// What tells the runtime that the stream is over for it.
    #[must_use]
    pub fn stop(&self) -> String {
        let mut text = String::with_capacity(160);
        let start = Start { stream_sid: self.runtime_sid.clone(), ..self.start.clone_identity() };
        messages::write_stop(&mut text, &start, self.last_sequence + 1);
        text
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
            let sid = &self.start.stream_sid;
            self.to_carrier.push(What::Comfort, |out| messages::write_audio(out, sid, payload));
        }
    }

    /// Tells the runtime that a machine answered, and records now.
    pub fn tell_recording(&mut self) {
        let sid = &self.runtime_sid;
        self.to_runtime.push(What::Control, |out| messages::write_voicemail(out, sid));
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
        self.to_carrier.retain(|_, what| what != What::Comfort);
        true
    }

    /// Takes what the runtime said.
    pub fn from_runtime(&mut self, text: &str) -> FromRuntime {
        self.end_comfort();
        if let Some(media) = messages::media(text) {
            self.say(What::Audio, |out, sid| {
                if media.stream_sid() == sid {
                    out.push_str(text);
                } else {
                    media.write_as(out, sid);
                }
            });
            return FromRuntime::Audio;
        }
        match messages::parse(text).map(|envelope| (envelope.message, envelope.stream_sid)) {
            Ok((Message::Media(payload), _)) => {
                self.say(What::Audio, |out, sid| messages::write_audio(out, sid, &payload));
                return FromRuntime::Audio;
            }
            Ok((Message::Mark(name), found)) => {
                self.counts.marks_set += 1;
                self.say(What::Control, |out, sid| {
                    if found == sid {
                        out.push_str(text);
                    } else {
                        messages::write_mark(out, sid, None, &name);
                    }
                });
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
        self.to_carrier.iter().any(|(_, what)| what.is_audio())
    }

    /// Whether something waits for the carrier that may go to it.
    #[must_use]
    pub fn has_for_carrier(&self) -> bool {
        self.held_len.is_none() && !self.to_carrier.is_empty()
    }

    /// Whether something waits for the runtime.
    #[must_use]
    pub fn has_for_runtime(&self) -> bool {
        !self.to_runtime.is_empty()
    }

    /// The next message for the carrier; none before its stream begins.
    pub fn next_for_carrier(&mut self) -> Option<&str> {
        if self.held_len.is_some() {
            return None;
        }
        let (text, what) = self.to_carrier.pop()?;
        self.counts.to_carrier += u64::from(what.is_audio());
        self.counts.comfort += u64::from(what == What::Comfort);
        Some(text)
    }

    /// The next message for the runtime.
    pub fn next_for_runtime(&mut self) -> Option<&str> {
        let (text, what) = self.to_runtime.pop()?;
        if what.is_audio() {
            self.audio_queued -= 1;
            self.counts.to_runtime += 1;
        }
        Some(text)
    }

    /// What has gone through so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn say_clear(&mut self) {
        self.say(What::Control, messages::write_clear);
    }

    /// Queues for the carrier what `write` writes, given its name for the stream.
    fn say(&mut self, what: What, write: impl FnOnce(&mut String, &str)) {
        let Self { start, held_len, to_carrier, .. } = self;
        to_carrier.push(what, |out| {
            write(out, &start.stream_sid);
            if let Some(held_len) = held_len {
                *held_len += out.len() + HELD_OVERHEAD_LEN;
            }
        });
    }

    /// The runtime takes back what it said. Its marks come back from the carrier all the same.
    fn clear_held(&mut self) {
        self.to_carrier.retain(|_, what| !what.is_audio());
        let held = self.to_carrier.iter().map(|(text, _)| text.len() + HELD_OVERHEAD_LEN);
        self.held_len = Some(held.sum());
    }

    /// One more frame of audio is about to wait for the runtime.
    fn make_room_for_audio(&mut self) {
        if self.audio_queued == FRAMES_QUEUED_MAX && self.to_runtime.remove_first(What::is_audio) {
            self.audio_queued -= 1;
            self.counts.overflow += 1;
        }
        self.audio_queued += 1;
    }

    fn queue_control(&mut self, text: &str) -> FromCarrier {
        let Some(text) = self.named_for_runtime(text) else { return FromCarrier::Other };
        self.to_runtime.push(What::Control, |out| out.push_str(&text));
        if self.to_runtime.len() - self.audio_queued > CONTROLS_QUEUED_MAX {
            FromCarrier::Overrun
        } else {
            FromCarrier::Other
        }
    }

    /// The message under the runtime's name for the stream.
    fn named_for_runtime<'a>(&mut self, text: &'a str) -> Option<Cow<'a, str>> {
        if self.runtime_sid == self.start.stream_sid {
            return Some(Cow::Borrowed(text));
        }
        let renamed = messages::with_stream_sid(text, &self.runtime_sid);
        if renamed.is_err() {
            self.counts.from_carrier_ignored += 1;
        }
        renamed.ok().map(Cow::Owned)
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
fn rename(queue: &mut Texts<What>, stream_sid: &str) {
    queue.rewrite(|text| match messages::media(text) {
        Some(media) => {
            let mut out = String::new();
            media.write_as(&mut out, stream_sid);
            Some(out)
        }
        None => messages::with_stream_sid(text, stream_sid).ok(),
    });
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
