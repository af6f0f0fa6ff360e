//! A carrier's socket that speaks otherwise than Twilio's, as one that does: whoever carries the
//! call reads and writes Twilio's messages, and its pace is kept behind them.
//!
//! It reads its socket only when it is read, and sends when it is read or written.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::report::count_leg;
use crate::media::carrier_leg::{CarrierLeg, Counts};
use crate::media::framing::Frame;
use crate::runtime::websocket::{Broken, Heard, Say, Socket};
use crate::telemetry::clock;
use crate::telemetry::timer::Timer;

/// How often what was done is added to the process's counters.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// A carrier's socket and its leg.
pub struct Translated<S> {
    socket: S,
    leg: CarrierLeg,
    began: Instant,
    timer: Timer,
    /// The socket takes nothing more for now.
    is_blocked: bool,
    /// We have said good-bye: what still waits is not sent any more.
    is_closing: bool,
    counted: Counts,
    counted_at: Duration,
}

impl<S: Socket> Translated<S> {
    /// A socket whose stream has begun.
    #[must_use]
    pub fn new(socket: S, leg: CarrierLeg) -> Self {
        Self {
            socket,
            leg,
            began: clock::instant(),
            timer: Timer::default(),
            is_blocked: false,
            is_closing: false,
            counted: Counts::default(),
            counted_at: Duration::ZERO,
        }
    }
}

impl<S> Translated<S> {
    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.began)
    }
}

impl<S: Socket> Translated<S> {
    /// Sends what is to be sent by now.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        let ready = self.socket.poll_ready(cx);
        self.is_blocked = ready.is_pending();
        let Poll::Ready(ready) = ready else { return Ok(()) };
        ready?;
        if self.is_closing {
            return Ok(());
        }
        let (now, mut has_said) = (self.now(), false);
        while let Some(frame) = self.leg.next_for_carrier(now) {
            match &frame {
                Frame::Text(text) => self.socket.say(Say::Text(text)),
                Frame::Binary(bytes) => self.socket.say(Say::Binary(bytes)),
            }
            has_said = true;
        }
        match has_said.then(|| self.socket.poll_flush(cx)) {
            Some(Poll::Ready(flushed)) => flushed,
            Some(Poll::Pending) | None => Ok(()),
        }
    }

    /// Takes what the carrier said.
    fn take(&mut self, is_text: bool) {
        let now = self.now();
        let frame = if is_text {
            Frame::Text(Cow::Borrowed(self.socket.text()))
        } else {
            Frame::Binary(Cow::Borrowed(self.socket.bytes()))
        };
        if let Some(complaint) = self.leg.read(&frame, now) {
            tracing::debug!(?complaint, "a carrier did not understand a media message");
        }
    }

    /// Whether it is time to do something, which then is done.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What cannot be sent is waited for by the socket, not by the clock.
        let send_at = self.leg.send_at().filter(|_| !self.is_blocked && !self.is_closing);
        let Some(at) = self.leg.due_at().into_iter().chain(send_at).min() else {
            return Poll::Pending;
        };
        self.timer.poll(self.began + at, cx).map(|()| {
            let now = self.now();
            self.leg.due(now);
            if self.counted_at + COUNTED_EVERY <= now {
                self.counted_at = now;
                self.count();
            }
        })
    }
}

impl<S> Translated<S> {
    fn count(&mut self) {
        count_leg(self.leg.counts(), &mut self.counted);
    }
}

impl<S> Drop for Translated<S> {
    fn drop(&mut self) {
        self.count();
    }
}

impl<S: Socket> Socket for Translated<S> {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if self.send(cx).is_err() {
                return Poll::Ready(Heard::Over);
            }
            if self.leg.next_for_bridge() {
                return Poll::Ready(Heard::Text);
            }
            match self.socket.poll_hear(cx) {
                Poll::Ready(Heard::Text) => self.take(true),
                Poll::Ready(Heard::Binary) => self.take(false),
                Poll::Ready(Heard::Alive) => {}
                Poll::Ready(heard @ (Heard::Close(_) | Heard::Over | Heard::Lost(_))) => {
                    return Poll::Ready(heard);
                }
                Poll::Pending => std::task::ready!(self.poll_due(cx)),
            }
        }
    }

    fn text(&self) -> &str {
        self.leg.text()
    }

    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.send(cx)?;
        while !self.leg.may_take() {
            std::task::ready!(self.poll_due(cx));
            self.send(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    fn say(&mut self, say: Say<'_>) {
        match say {
            Say::Text(text) => {
                let now = self.now();
                self.leg.take(text, now);
            }
            Say::Close(_) => {
                self.is_closing = true;
                self.socket.say(say);
            }
            Say::Binary(_) | Say::Ping => self.socket.say(say),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.send(cx)?;
        self.socket.poll_flush(cx)
    }
}
