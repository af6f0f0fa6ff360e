//! How a session writes: to each side what the bridge holds for it, as far as that side takes it.
//!
//! What waits leaves in one write, and nothing waits for more: a frame that came alone goes alone.

use std::task::{Context as TaskContext, Poll};

use super::{Carrier, Leg, Session};
use crate::edge::report::Relay;
use crate::media::bridge::Bridge;
use crate::runtime::websocket::{Broken, Say, Socket};
use crate::telemetry::metrics;

/// What leaves in one write, in bytes of messages: a dozen frames. More would lie in our memory
/// where it can be dropped no more, if the other side took nothing.
const WRITTEN_AT_ONCE_MAX: usize = 4 * 1024;

/// A side that is written to.
#[derive(Default)]
pub(super) struct Outlet {
    pub(super) relay: Relay,
    /// It holds something that was not flushed.
    pub(super) is_unflushed: bool,
}

impl Outlet {
    /// Writes all that the bridge has for this side, as far as the socket takes it; a ping goes
    /// first where one is due.
    fn write(
        &mut self,
        cx: &mut TaskContext<'_>,
        socket: &mut (impl Socket + ?Sized),
        bridge: &mut Bridge,
        has_more: impl Fn(&Bridge) -> bool,
        next: impl for<'b> Fn(&'b mut Bridge) -> Option<&'b str>,
        ping_due: &mut bool,
    ) -> Result<(), Broken> {
        while *ping_due || has_more(bridge) {
            let Poll::Ready(ready) = socket.poll_ready(cx) else { break };
            ready?;
            if std::mem::take(ping_due) {
                socket.say(Say::Ping);
            }
            let mut len = 0;
            while len < WRITTEN_AT_ONCE_MAX
                && let Some(text) = next(bridge)
            {
                len += text.len();
                socket.say(Say::Text(text));
            }
            self.is_unflushed = true;
            self.flush(cx, socket)?;
        }
        if self.is_unflushed { self.flush(cx, socket) } else { Ok(()) }
    }

    fn flush(
        &mut self,
        cx: &mut TaskContext<'_>,
        socket: &mut (impl Socket + ?Sized),
    ) -> Result<(), Broken> {
        if let Poll::Ready(flushed) = socket.poll_flush(cx) {
            flushed?;
            self.is_unflushed = false;
            self.relay.written();
        }
        Ok(())
    }
}

impl Session<'_> {
    pub(super) fn write_to_carrier(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Broken> {
        let Self { carrier, bridge, to_carrier, .. } = self;
        if let Carrier::Here(socket) = carrier {
            let (has_more, next) = (Bridge::has_for_carrier, Bridge::next_for_carrier);
            to_carrier.write(cx, socket, bridge, has_more, next, &mut false)?;
        }
        if self.report.first_audio_to_carrier.is_none() && self.bridge.counts().to_carrier > 0 {
            let after = self.now().saturating_sub(self.began);
            self.report.first_audio_to_carrier = Some(after);
            self.call.note(|state| state.first_audio_to_carrier = Some(after));
            metrics::first_audio(metrics::MediaDirection::ToCarrier, after);
        }
        let was_blocked = self.is_blocked;
        self.is_blocked = !self.bridge.may_read_runtime();
        if was_blocked && !self.is_blocked {
            self.liveness.excuse(self.now());
        }
        Ok(())
    }

    pub(super) fn write_to_runtime(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Broken> {
        let Self { leg, bridge, to_runtime, ping_due, .. } = self;
        let Leg::Open(socket) = leg else { return Ok(()) };
        let (has_more, next) = (Bridge::has_for_runtime, Bridge::next_for_runtime);
        to_runtime.write(cx, socket, bridge, has_more, next, ping_due)?;
        if self.report.first_audio_to_runtime.is_none() && self.bridge.counts().to_runtime > 0 {
            let after = self.now().saturating_sub(self.began);
            self.report.first_audio_to_runtime = Some(after);
            self.call.note(|state| state.first_audio_to_runtime = Some(after));
            metrics::first_audio(metrics::MediaDirection::ToRuntime, after);
        }
        Ok(())
    }
}
