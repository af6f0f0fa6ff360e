//! How a session leaves a runtime, and how it ends: what is told to whom, and what is left for
//! `/resume`.

use std::time::Duration;

use futures_util::FutureExt;

use super::writing::Outlet;
use super::{Carrier, Leg, Session};
use crate::calls::{Event as CallEvent, MediaState, Resume};
use crate::domain::{CallEnd, TargetTried};
use crate::edge::report::{self, End, Report};
use crate::edge::socket::farewell;
use crate::edge::voice::Voice;
use crate::runtime::websocket::{CLOSE_AWAY, CLOSE_NORMAL};
use crate::telemetry::{clock, metrics};

impl Session<'_> {
    /// The runtime is gone or given up: the next target's turn.
    pub(super) fn lose(
        &mut self,
        outcome: &'static str,
        close_code: Option<u16>,
        since: Duration,
    ) -> Option<End> {
        self.tried(outcome, close_code);
        self.part();
        if self.call.is_elsewhere() {
            return Some(End::Elsewhere);
        }
        self.liveness.lost(since);
        self.advance(self.place + 1)
    }

    /// The call shall go on elsewhere: the runtime is told that it is over for it.
    pub(super) fn move_to(&mut self, place: usize) -> Option<End> {
        // The task that carries the call is there already, where it began with the move.
        self.call.take_detour();
        if place == self.place {
            return None;
        }
        match self.leg {
            Leg::None | Leg::HungUp => {}
            Leg::Dialing(_) | Leg::Connected(_) => self.tried("abandoned", None),
            Leg::Open(_) => self.tried("moved", None),
        }
        let stop = self.bridge.stop();
        self.leave(vec![stop], CLOSE_NORMAL);
        self.liveness.moved(self.now());
        self.advance(place)
    }

    /// Leaves the runtime, politely where it still listens.
    pub(super) fn part(&mut self) {
        self.leave(Vec::new(), CLOSE_AWAY);
    }

    fn leave(&mut self, last: Vec<String>, code: u16) {
        let (socket, last) = match std::mem::replace(&mut self.leg, Leg::None).looked_at() {
            Leg::None | Leg::Dialing(_) | Leg::HungUp => return,
            // It has been told nothing yet.
            Leg::Connected(socket) => (Voice::Plain(socket), Vec::new()),
            Leg::Open(socket) => {
                self.bridge.part();
                self.ping_due = false;
                self.to_runtime = Outlet::default();
                self.is_deaf = false;
                (socket, last)
            }
        };
        tokio::spawn(farewell(socket, last, Some(code)));
    }

    pub(super) fn tried(&mut self, outcome: &'static str, close_code: Option<u16>) {
        let target = self.call.target(self.place).into_owned();
        metrics::target(target.kind(), outcome);
        let tried = TargetTried {
            attempt: u32::try_from(self.place).unwrap_or(u32::MAX),
            agent: self.agent(),
            target: target.to_string(),
            at: self.attempt_at,
            outcome: outcome.to_owned(),
            close_code,
        };
        self.wiring.live.apply(&self.call, CallEvent::Tried(tried.clone()), clock::now());
        self.report.tried.push(tried);
    }

    /// Says good-bye to both sides, and leaves word for `/resume`.
    pub(super) async fn finish(mut self, end: End) -> Report {
        let now = clock::now();
        let Self { call, wiring, .. } = &self;
        match end {
            End::Agent => {
                call.settle(Resume::HangUp);
                wiring.live.apply(call, CallEvent::Ending(CallEnd::Agent), now);
                self.tried("answered", Some(1000));
            }
            End::HungUp(by) => {
                wiring.live.apply(call, CallEvent::Ending(by), now);
                self.tried_if_open();
            }
            End::CarrierStopped | End::CarrierGone | End::Elsewhere => {
                wiring.live.apply(call, CallEvent::MediaStopped, now);
                self.tried_if_open();
            }
            End::Next(place) => call.settle(Resume::At(place)),
            // Whoever was opened ahead has done nothing wrong, and was not tried either.
            End::NeverCame => metrics::prewarm(metrics::Prewarm::Unused),
        }
        if matches!(self.carrier, Carrier::Here(_)) {
            self.call.note(|state| state.media = MediaState::Over);
        }
        let Self { carrier, leg, mut bridge, mut report, mut counted, .. } = self;
        bridge.end_comfort();
        bridge.carrier_gone();
        // Who has closed itself is heard out; to the other side we say good-bye.
        let code_unless = |closed: End| (end != closed).then_some(CLOSE_NORMAL);
        let left = |text: &str| text.to_owned();
        let for_runtime: Vec<_> =
            std::iter::from_fn(|| bridge.next_for_runtime().map(left)).collect();
        let parted = async {
            match leg.looked_at() {
                Leg::None | Leg::Dialing(_) | Leg::HungUp => {}
                Leg::Connected(socket) => {
                    farewell(socket, Vec::new(), Some(CLOSE_NORMAL)).await;
                }
                Leg::Open(socket) => farewell(socket, for_runtime, code_unless(End::Agent)).await,
            }
        };
        match carrier {
            Carrier::Here(socket) => {
                let for_carrier =
                    std::iter::from_fn(|| bridge.next_for_carrier().map(left)).collect();
                let closed = farewell(socket, for_carrier, code_unless(End::CarrierGone));
                tokio::join!(closed, parted);
            }
            Carrier::Expected(expected) => {
                parted.await;
                drop(expected);
            }
        }
        report::count(bridge.counts(), &mut counted);
        report.end = end;
        report.counts = bridge.counts();
        report
    }

    fn tried_if_open(&mut self) {
        match self.leg {
            Leg::None | Leg::HungUp => {}
            Leg::Dialing(_) | Leg::Connected(_) => self.tried("abandoned", None),
            Leg::Open(_) => self.tried("answered", None),
        }
    }
}

impl Leg {
    /// The same, where a runtime may have shaken hands a moment ago: it has a good-bye coming.
    fn looked_at(self) -> Self {
        let Self::Dialing(mut handle) = self else { return self };
        match (&mut handle).now_or_never() {
            Some(Ok(socket)) => Self::Connected(socket),
            Some(Err(_)) => Self::None,
            None => Self::Dialing(handle),
        }
    }
}
