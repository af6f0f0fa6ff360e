//! A carrier's leg whose socket speaks otherwise than Twilio's: its messages become those the
//! bridge knows, and the bridge's become the carrier's.
//!
//! From the carrier: pieces that came out of order are put in order, those that came twice are
//! dropped, and all are numbered anew, with a gap where the carrier left one. Towards it: audio is
//! cut into the pieces it takes and sent as it is heard, a little ahead, so that `clear` finds most
//! of it still here. Marks come back when what was before them has been played: by the carrier's
//! word, or by the clock where it gives none; after `clear` at once, as Twilio does.
//!
//! Nothing that waits is dropped: past a limit [`CarrierLeg::may_take`] says no. Payloads are
//! decoded only where they must be cut, or a sample's bytes be swapped. It knows no socket and no
//! clock.

mod inbound;
mod outbound;

use std::borrow::Cow;
use std::time::Duration;

use self::inbound::Inbound;
use self::outbound::Outbound;
use super::framing::{Frame, Framing, Heard};
use super::messages::{self, Malformed, Message, Start};
use super::texts::Texts;
use crate::domain::{ByteOrder, Codec, MediaFormat};

/// A carrier's leg.
pub struct CarrierLeg {
    framing: Box<dyn Framing>,
    /// What the bridge knows the stream by.
    start: Start,
    inbound: Inbound,
    outbound: Outbound,
    for_bridge: Texts<()>,
    counts: Counts,
}

/// What a leg has done to what went through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pieces of the carrier that came out of order and were put in order.
    pub reordered: u64,
    /// Pieces of the carrier that came twice, or so late that those after them were passed on.
    pub repeated: u64,
    /// Messages of the carrier that are none, and audio that is none.
    pub from_carrier_ignored: u64,
    /// What the carrier said it did not understand.
    pub failed: u64,
    /// Audio for the carrier that is none, or that it has no words for.
    pub to_carrier_ignored: u64,
    /// Pieces for the carrier that were sent.
    pub sent: u64,
    /// Of those, filled up with silence.
    pub filled: u64,
    /// Pieces for the carrier that were forgotten because the runtime cleared them.
    pub cleared: u64,
}

impl CarrierLeg {
    /// A leg whose stream has begun: the carrier calls it `stream`, and sends `format`, which
    /// becomes what it is sent where the two differ. `start` is what the bridge knows it by. None
    /// where the carrier sends at a rate that nobody speaks.
    #[must_use]
    pub fn new(
        framing: Box<dyn Framing>,
        stream: String,
        format: MediaFormat,
        order: ByteOrder,
        start: Start,
    ) -> Option<Self> {
        let is_swapped =
            |format: MediaFormat| format.codec == Codec::L16 && order == ByteOrder::Big;
        let sid = start.stream_sid.clone();
        let inbound = Inbound::new(format, is_swapped(format), &*framing, sid)?;
        let outbound = Outbound::new(&*framing, is_swapped(framing.outbound_format()), stream);
        let (for_bridge, counts) = (Texts::default(), Counts::default());
        Some(Self { framing, start, inbound, outbound, for_bridge, counts })
    }

    /// Takes what the carrier said; see [`Self::next_for_bridge`]. What it complains of comes back,
    /// for the log.
    pub fn read<'a>(&mut self, frame: &'a Frame<'_>, now: Duration) -> Option<Cow<'a, str>> {
        let Self { inbound, for_bridge: out, counts, .. } = self;
        match self.framing.read(frame) {
            Ok(Heard::Audio(audio)) => inbound.audio(&audio, now, counts, out),
            Ok(Heard::Dtmf(digit)) => {
                let sequence = inbound.next_sequence();
                let sid = &self.start.stream_sid;
                out.push((), |out| {
                    messages::write_dtmf(out, sid, sequence, digit.encode_utf8(&mut [0; 4]));
                });
            }
            Ok(Heard::Mark(name)) => {
                self.outbound.played(&name);
                self.give_marks_back(now);
            }
            Ok(Heard::Stopped) => {
                inbound.flush(out);
                let sequence = inbound.next_sequence();
                out.push((), |out| messages::write_stop(out, &self.start, sequence));
            }
            Ok(Heard::Failed(words)) => {
                counts.failed += 1;
                return Some(words);
            }
            // What was cleared came back when it was cleared; a late word of it says nothing about
            // what was sent since.
            Ok(Heard::Connected | Heard::Began(_) | Heard::Cleared | Heard::Unknown) => {}
            Err(Malformed) => counts.from_carrier_ignored += 1,
        }
        None
    }

    /// Goes on to the next message for the bridge; whether there is one.
    pub fn next_for_bridge(&mut self) -> bool {
        self.for_bridge.pop().is_some()
    }

    /// The message for the bridge.
    #[must_use]
    pub fn text(&self) -> &str {
        self.for_bridge.taken()
    }

    /// Whether more may come from the bridge: what waits for the carrier is within its limit.
    #[must_use]
    pub fn may_take(&self) -> bool {
        self.outbound.may_take()
    }

    /// Takes a message of the bridge; see [`Self::next_for_carrier`].
    pub fn take(&mut self, text: &str, now: Duration) {
        let Self { framing, outbound, counts, .. } = self;
        if let Some(media) = messages::media(text) {
            return outbound.audio(media.payload(), &**framing, now, counts);
        }
        match messages::parse(text).map(|envelope| envelope.message) {
            Ok(Message::Media(payload)) => outbound.audio(&payload, &**framing, now, counts),
            Ok(Message::Mark(name)) => outbound.mark(name),
            Ok(Message::Clear) => {
                outbound.clear(&**framing, now, counts);
                self.give_marks_back(now);
            }
            Ok(
                Message::Connected
                | Message::Start(_)
                | Message::Dtmf(_)
                | Message::Stop
                | Message::Unknown,
            )
            | Err(Malformed) => counts.to_carrier_ignored += 1,
        }
    }

    /// The next message that the carrier is to be sent by now; lent until the next is asked for.
    pub fn next_for_carrier(&mut self, now: Duration) -> Option<Frame<'_>> {
        let is_next = self.outbound.advance(&*self.framing, now, &mut self.counts);
        self.give_marks_back(now);
        is_next.then(|| self.outbound.said())
    }

    /// Does what is due besides sending.
    pub fn due(&mut self, now: Duration) {
        self.inbound.due(now, &mut self.for_bridge);
        self.give_marks_back(now);
    }

    /// When [`Self::due`] has something to do.
    #[must_use]
    pub fn due_at(&self) -> Option<Duration> {
        self.inbound.due_at().into_iter().chain(self.outbound.mark_at()).min()
    }

    /// When [`Self::next_for_carrier`] has something to send.
    #[must_use]
    pub fn send_at(&self) -> Option<Duration> {
        self.outbound.send_at()
    }

    /// What has been done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn give_marks_back(&mut self, now: Duration) {
        while let Some(name) = self.outbound.next_mark(now) {
            let sequence = self.inbound.next_sequence();
            let sid = &self.start.stream_sid;
            self.for_bridge.push((), |out| messages::write_mark(out, sid, Some(sequence), &name));
        }
    }
}

#[cfg(test)]
mod tests;
