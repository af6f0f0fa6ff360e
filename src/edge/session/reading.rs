//! How a session reads: the carrier whenever it says something, the runtime as far as the carrier
//! takes what it says.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::{Carrier, Event, Leg, Session};
use crate::runtime::websocket::Socket;

impl Session<'_> {
    /// What comes next of the carrier, or of the runtime.
    pub(super) fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        match &mut self.carrier {
            Carrier::Expected(expected) => {
                if let Poll::Ready(arrived) = expected.poll(cx) {
                    return Poll::Ready(Event::Arrived(arrived));
                }
            }
            Carrier::Here(socket) => {
                if let Poll::Ready(heard) = socket.poll_hear(cx) {
                    return Poll::Ready(Event::Carrier(heard));
                }
            }
        }
        let may_read_runtime = self.may_read_runtime();
        match &mut self.leg {
            Leg::None | Leg::HungUp => {}
            Leg::Dialing(handle) => {
                if let Poll::Ready(dialed) = Pin::new(handle).poll(cx) {
                    return Poll::Ready(Event::Dialed(dialed));
                }
            }
            Leg::Connected(_) => {
                let context = self.context.as_mut().map(|context| context.poll_ready(cx));
                let transcript = self.transcript.as_mut().map(|said| said.poll_ready(cx));
                if [context, transcript].into_iter().flatten().all(|poll| poll.is_ready()) {
                    return Poll::Ready(Event::Ready);
                }
            }
            Leg::Open(socket) => {
                if may_read_runtime && let Poll::Ready(heard) = socket.poll_hear(cx) {
                    return Poll::Ready(Event::Runtime(heard));
                }
            }
        }
        Poll::Pending
    }

    /// Whether the runtime is read: nothing it said before is still on its way, but for what leaves
    /// in the same write.
    pub(super) fn may_read_runtime(&self) -> bool {
        let is_flowing = !self.to_carrier.is_unflushed && !self.is_blocked && self.read_in_turn > 0;
        self.bridge.may_read_runtime() || (is_flowing && !self.is_expecting())
    }
}
