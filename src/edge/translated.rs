//! A carrier's socket that speaks otherwise than Twilio's, as one that does: whoever carries the
//! call reads and writes Twilio's messages, and its pace is kept behind them.
//!
//! It reads its socket only when it is read, and sends when it is read or written.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::report::count_leg;
use super::socket::Socket;
use crate::media::carrier_leg::{CarrierLeg, Counts};
use crate::media::framing::Frame;
use crate::telemetry::clock;

/// How often what was done is added to the process's counters.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// A carrier's socket and its leg.
pub struct Translated<S> {
    socket: S,
    leg: CarrierLeg,
    began: Instant,
    sleep: Pin<Box<Sleep>>,
    /// The socket takes nothing more for now.
    is_blocked: bool,
    has_unflushed: bool,
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
            sleep: Box::pin(sleep(Duration::ZERO)),
            is_blocked: false,
            has_unflushed: false,
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
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let now = self.now();
        while !self.is_closing {
            let ready = self.socket.poll_ready_unpin(cx);
            self.is_blocked = ready.is_pending();
            let Poll::Ready(ready) = ready else { break };
            ready?;
            let Some(frame) = self.leg.next_for_carrier(now) else { break };
            self.socket.start_send_unpin(message(frame))?;
            self.has_unflushed = true;
        }
        if self.has_unflushed
            && let Poll::Ready(flushed) = self.socket.poll_flush_unpin(cx)
        {
            flushed?;
            self.has_unflushed = false;
        }
        Ok(())
    }

    /// Takes what the carrier said. A close is for whoever carries the call.
    fn read(&mut self, message: Message) -> Option<Message> {
        let now = self.now();
        let complaint = match &message {
            Message::Text(text) => {
                self.leg.read(&Frame::Text(Cow::Borrowed(text.as_str())), now).map(Cow::into_owned)
            }
            Message::Binary(bytes) => {
                self.leg.read(&Frame::Binary(Cow::Borrowed(bytes)), now).map(Cow::into_owned)
            }
            Message::Close(_) => return Some(message),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
        };
        if let Some(complaint) = complaint {
            tracing::debug!(complaint, "a carrier did not understand a media message");
        }
        None
    }

    /// Whether it is time to do something, which then is done.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What cannot be sent is waited for by the socket, not by the clock.
        let send_at = self.leg.send_at().filter(|_| !self.is_blocked && !self.is_closing);
        let Some(at) = self.leg.due_at().into_iter().chain(send_at).min() else {
            return Poll::Pending;
        };
        let at = tokio::time::Instant::from_std(self.began + at);
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().poll(cx).map(|()| {
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

impl<S: Socket> Stream for Translated<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Err(error) = this.send(cx) {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(text) = this.leg.next_for_bridge() {
                return Poll::Ready(Some(Ok(Message::Text(Utf8Bytes::from(text)))));
            }
            match this.socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Some(message) = this.read(message) {
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
                Poll::Ready(gone) => return Poll::Ready(gone),
                Poll::Pending => std::task::ready!(this.poll_due(cx)),
            }
        }
    }
}

impl<S: Socket> Sink<Message> for Translated<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.send(cx)?;
        while !this.leg.may_take() {
            std::task::ready!(this.poll_due(cx));
            this.send(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        match message {
            Message::Text(text) => {
                let now = this.now();
                this.leg.take(&text, now);
                Ok(())
            }
            Message::Close(_) => {
                this.is_closing = true;
                this.socket.start_send_unpin(message)
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                this.socket.start_send_unpin(message)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.send(cx)?;
        this.socket.poll_flush_unpin(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().socket.poll_close_unpin(cx)
    }
}

fn message(frame: Frame<'static>) -> Message {
    match frame {
        Frame::Text(text) => Message::Text(text.into_owned().into()),
        Frame::Binary(bytes) => Message::Binary(bytes.into_owned().into()),
    }
}
