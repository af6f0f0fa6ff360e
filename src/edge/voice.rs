//! A runtime's socket as a session reads and writes it: in the format of the call's middle,
//! whatever the runtime speaks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::domain::MediaFormat;
use crate::media::interpreter::Interpreter;
use crate::runtime::RuntimeSocket;
use crate::telemetry::{
    clock,
    metrics::{self, MediaDirection},
};

/// A runtime that has been joined.
pub(super) enum Voice {
    /// It speaks the call's own format: nothing comes between.
    Plain(RuntimeSocket),
    /// It speaks another.
    Interpreted(Box<Interpreted>),
}

/// A socket and its interpreter.
pub(super) struct Interpreted {
    socket: RuntimeSocket,
    interpreter: Interpreter<Utf8Bytes>,
    began: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Voice {
    /// A runtime that speaks `runtime` in a call whose middle carries `call`, and knows the stream
    /// by that id. None where there is no way from one to the other.
    pub(super) fn new(
        socket: RuntimeSocket,
        call: MediaFormat,
        runtime: MediaFormat,
        stream_sid: &str,
    ) -> Option<Self> {
        if call == runtime {
            return Some(Self::Plain(socket));
        }
        let interpreter = Interpreter::new(call, runtime, stream_sid.to_owned())?;
        let (began, sleep) = (clock::instant(), Box::pin(sleep(Duration::ZERO)));
        Some(Self::Interpreted(Box::new(Interpreted { socket, interpreter, began, sleep })))
    }

    fn socket(&mut self) -> &mut RuntimeSocket {
        match self {
            Self::Plain(socket) => socket,
            Self::Interpreted(interpreted) => &mut interpreted.socket,
        }
    }
}

impl Interpreted {
    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.began)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            if let Some(frame) = self.interpreter.next_for_bridge() {
                return Poll::Ready(Some(Ok(Message::Text(frame))));
            }
            match self.socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => {
                    let now = self.now();
                    self.interpreter.from_runtime(text, now);
                }
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending => {
                    ready!(self.poll_due(cx));
                    let now = self.now();
                    self.interpreter.due(now);
                }
            }
        }
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.interpreter.wake_at() else { return Poll::Pending };
        let at = tokio::time::Instant::from_std(self.began + at);
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl Drop for Interpreted {
    fn drop(&mut self) {
        let ignored = self.interpreter.ignored();
        for (direction, frames) in [
            (MediaDirection::ToRuntime, ignored.from_carrier),
            (MediaDirection::ToCarrier, ignored.from_runtime),
        ] {
            if frames > 0 {
                metrics::media_dropped(direction, "malformed", frames);
            }
        }
    }
}

impl Stream for Voice {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut() {
            Self::Plain(socket) => socket.poll_next_unpin(cx),
            Self::Interpreted(interpreted) => interpreted.poll_next(cx),
        }
    }
}

impl Sink<Message> for Voice {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().socket().poll_ready_unpin(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        match (self.get_mut(), message) {
            (Self::Interpreted(interpreted), Message::Text(text)) => {
                let heard = interpreted.interpreter.for_runtime(text);
                heard
                    .map_or(Ok(()), |text| interpreted.socket.start_send_unpin(Message::Text(text)))
            }
            (voice, message) => voice.socket().start_send_unpin(message),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().socket().poll_flush_unpin(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().socket().poll_close_unpin(cx)
    }
}
