//! How a session writes: to each side what the bridge holds for it, as far as that side takes it.

use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Carrier, Leg, Session};
use crate::telemetry::metrics;

impl Session<'_> {
    pub(super) fn write_to_carrier(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Error> {
        if let Carrier::Here(socket) = &mut self.carrier {
            while let Poll::Ready(ready) = socket.poll_ready_unpin(cx) {
                ready?;
                let Some(frame) = self.bridge.next_for_carrier() else { break };
                socket.start_send_unpin(Message::Text(frame))?;
                self.flush.carrier = true;
            }
            if self.flush.carrier
                && let Poll::Ready(flushed) = socket.poll_flush_unpin(cx)
            {
                flushed?;
                self.flush.carrier = false;
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

    pub(super) fn write_to_runtime(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Error> {
        let Leg::Open(socket) = &mut self.leg else { return Ok(()) };
        while let Poll::Ready(ready) = socket.poll_ready_unpin(cx) {
            ready?;
            let message = if self.ping_due {
                self.ping_due = false;
                Message::Ping(Bytes::new())
            } else {
                let Some(frame) = self.bridge.next_for_runtime() else { break };
                Message::Text(frame)
            };
            socket.start_send_unpin(message)?;
            self.flush.runtime = true;
        }
        if self.flush.runtime
            && let Poll::Ready(flushed) = socket.poll_flush_unpin(cx)
        {
            flushed?;
            self.flush.runtime = false;
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
