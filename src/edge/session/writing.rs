//! How a session writes: to each side what the bridge holds for it, as far as that side takes it.
//!
//! What waits leaves in one write, and nothing waits for more: a frame that came alone goes alone.

use std::task::{Context as TaskContext, Poll};

use super::{Carrier, Leg, Session};
use crate::runtime::websocket::{Broken, Say, Socket};
use crate::telemetry::metrics;

/// What leaves in one write, in bytes of messages: a dozen frames. More would lie in our memory
/// where it can be dropped no more, if the other side took nothing.
const WRITTEN_AT_ONCE_MAX: usize = 4 * 1024;

impl Session<'_> {
    pub(super) fn write_to_carrier(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Broken> {
        let Self { carrier, bridge, flush, .. } = self;
        if let Carrier::Here(socket) = carrier {
            while bridge.has_for_carrier() {
                let Poll::Ready(ready) = socket.poll_ready(cx) else { break };
                ready?;
                let mut len = 0;
                while len < WRITTEN_AT_ONCE_MAX
                    && let Some(text) = bridge.next_for_carrier()
                {
                    len += text.len();
                    socket.say(Say::Text(text));
                }
                flush.carrier = true;
                if socket.poll_flush(cx)?.is_ready() {
                    flush.carrier = false;
                    self.to_carrier.written();
                }
            }
            if flush.carrier
                && let Poll::Ready(flushed) = socket.poll_flush(cx)
            {
                flushed?;
                flush.carrier = false;
                self.to_carrier.written();
            }
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
        let Self { leg, bridge, flush, .. } = self;
        let Leg::Open(socket) = leg else { return Ok(()) };
        while self.ping_due || bridge.has_for_runtime() {
            let Poll::Ready(ready) = socket.poll_ready(cx) else { break };
            ready?;
            if std::mem::take(&mut self.ping_due) {
                socket.say(Say::Ping);
            }
            let mut len = 0;
            while len < WRITTEN_AT_ONCE_MAX
                && let Some(text) = bridge.next_for_runtime()
            {
                len += text.len();
                socket.say(Say::Text(text));
            }
            flush.runtime = true;
            if socket.poll_flush(cx)?.is_ready() {
                flush.runtime = false;
                self.to_runtime.written();
            }
        }
        if flush.runtime
            && let Poll::Ready(flushed) = socket.poll_flush(cx)
        {
            flushed?;
            flush.runtime = false;
            self.to_runtime.written();
        }
        if self.report.first_audio_to_runtime.is_none() && self.bridge.counts().to_runtime > 0 {
            let after = self.now().saturating_sub(self.began);
            self.report.first_audio_to_runtime = Some(after);
            self.call.note(|state| state.first_audio_to_runtime = Some(after));
            metrics::first_audio(metrics::MediaDirection::ToRuntime, after);
        }
        Ok(())
    }
}
