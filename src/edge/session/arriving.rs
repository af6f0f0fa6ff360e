//! How a session that began without the carrier's socket gets it, or learns that it never will.

use super::{Carrier, Leg, Session};
use crate::calls::{Event as CallEvent, MediaState, Resume};
use crate::edge::report::End;
use crate::edge::socket::{Arrival, Open, farewell};
use crate::media::messages::Start;
use crate::telemetry::{clock, metrics};

impl Session<'_> {
    /// Whether the carrier's socket is still to come.
    pub(super) const fn is_expecting(&self) -> bool {
        matches!(self.carrier, Carrier::Expected(_))
    }

    /// The carrier's stream begins: from now on there is a caller who waits.
    pub(super) fn begin(&mut self, start: Start, open: Option<Open>) {
        let now = clock::now();
        self.began = self.now();
        self.report.began_at = Some(now);
        self.open = Some((open, metrics::MediaCall::open()));
        self.wiring.live.apply(&self.call, CallEvent::MediaStarted, now);
        self.start = start.clone();
        self.bridge.begin(start);
        self.liveness.begin(self.began);
        if self.bridge.has_audio_for_carrier() {
            self.liveness.heard();
        }
    }

    /// The carrier's socket is there: what the runtime said meanwhile goes to it first.
    pub(super) fn arrive(&mut self, arrival: Arrival) -> Option<End> {
        let Arrival { socket, start, open } = arrival;
        metrics::prewarm(metrics::Prewarm::Used);
        self.carrier = Carrier::Here(socket);
        self.begin(start, open);
        let media = match self.leg {
            // A builtin, or a document.
            Leg::None => return self.advance(self.place),
            Leg::HungUp => return Some(End::Agent),
            Leg::Dialing(_) | Leg::Connected(_) => MediaState::Connecting,
            Leg::Open(_) => MediaState::Joined,
        };
        self.call.note(|state| state.media = media);
        self.call.settle(Resume::At(self.place));
        None
    }

    /// Keys that the carrier told by other ways than its socket: before that is there, nobody hears
    /// them.
    pub(super) fn pass_keys(&mut self) -> Option<End> {
        let keys = self.call.take_keys();
        if !self.is_expecting() {
            keys.chars().for_each(|key| self.bridge.press(key));
        }
        None
    }

    /// The call is over, is to be ended, or shall go on elsewhere: its socket is not waited for.
    pub(super) fn call_off(&mut self) -> Option<End> {
        let Carrier::Expected(expected) = &mut self.carrier else { return None };
        match expected.give_up() {
            // What is wanted of the call is wanted still.
            Some(arrival) => self.arrive(arrival),
            None => Some(End::NeverCame),
        }
    }

    /// A machine answered, and records now: a runtime that has been joined is told; a later one is
    /// told in its `start`.
    pub(super) fn tell_of_machine(&mut self) {
        self.call.told_of_machine();
        if matches!(self.leg, Leg::Open(_)) {
            self.bridge.tell_recording();
        }
    }

    /// The runtime hangs up. Without a carrier's socket there is nothing to close yet.
    pub(super) fn hung_up(&mut self) -> Option<End> {
        if !self.is_expecting() {
            return Some(End::Agent);
        }
        if let Leg::Open(socket) = std::mem::replace(&mut self.leg, Leg::HungUp) {
            tokio::spawn(farewell(socket, Vec::new(), None));
        }
        self.liveness.lost(self.now());
        self.call.settle(Resume::HangUp);
        None
    }
}
