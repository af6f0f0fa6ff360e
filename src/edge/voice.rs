//! A runtime's socket as a session reads and writes it: in the format of the call's middle,
//! whatever the runtime speaks.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::domain::MediaFormat;
use crate::media::interpreter::Interpreter;
use crate::runtime::RuntimeSocket;
use crate::runtime::websocket::{Broken, Heard, Say, Socket};
use crate::telemetry::{
    clock,
    metrics::{self, MediaDirection},
    timer::Timer,
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
    interpreter: Interpreter,
    began: Instant,
    timer: Timer,
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
        let (began, timer) = (clock::instant(), Timer::default());
        Some(Self::Interpreted(Box::new(Interpreted { socket, interpreter, began, timer })))
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

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if self.interpreter.next_for_bridge().is_some() {
                return Poll::Ready(Heard::Text);
            }
            match self.socket.poll_hear(cx) {
                Poll::Ready(Heard::Text) => {
                    let now = self.now();
                    self.interpreter.from_runtime(self.socket.text(), now);
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
        self.timer.poll(self.began + at, cx)
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

impl Socket for Voice {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self {
            Self::Plain(socket) => socket.poll_hear(cx),
            Self::Interpreted(interpreted) => interpreted.poll_hear(cx),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Plain(socket) => socket.text(),
            Self::Interpreted(interpreted) => interpreted.interpreter.taken(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(socket) => socket.bytes(),
            Self::Interpreted(interpreted) => interpreted.socket.bytes(),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.socket().poll_ready(cx)
    }

    fn say(&mut self, say: Say<'_>) {
        match (self, say) {
            (Self::Interpreted(interpreted), Say::Text(text)) => {
                let Interpreted { socket, interpreter, .. } = interpreted.as_mut();
                if let Some(text) = interpreter.for_runtime(text) {
                    socket.say(Say::Text(text));
                }
            }
            (voice, say) => voice.socket().say(say),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.socket().poll_flush(cx)
    }
}
