//! A runtime's socket, wherever the runtime lives.

use std::task::{Context, Poll};

use super::builtin::BuiltinSocket;
use super::io::Io;
use super::link::LinkedCall;
use super::websocket::{Broken, Heard, Say, Socket, WebSocket};

/// An open runtime.
#[derive(Debug)]
pub enum RuntimeSocket {
    /// Somewhere else.
    Remote(Box<WebSocket<Io>>),
    /// Somewhere else, on a socket with other calls.
    Linked(Box<LinkedCall>),
    /// In this process.
    Builtin(Box<BuiltinSocket>),
}

impl RuntimeSocket {
    fn socket(&self) -> &dyn Socket {
        match self {
            Self::Remote(socket) => socket.as_ref(),
            Self::Linked(call) => call.as_ref(),
            Self::Builtin(socket) => socket.as_ref(),
        }
    }
}

impl Socket for RuntimeSocket {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self {
            Self::Remote(socket) => socket.poll_hear(cx),
            Self::Linked(call) => call.poll_hear(cx),
            Self::Builtin(socket) => socket.poll_hear(cx),
        }
    }

    fn text(&self) -> &str {
        self.socket().text()
    }

    fn bytes(&self) -> &[u8] {
        self.socket().bytes()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self {
            Self::Remote(socket) => socket.poll_ready(cx),
            Self::Linked(call) => call.poll_ready(cx),
            Self::Builtin(socket) => socket.poll_ready(cx),
        }
    }

    fn say(&mut self, say: Say<'_>) {
        match self {
            Self::Remote(socket) => socket.say(say),
            Self::Linked(call) => call.say(say),
            Self::Builtin(socket) => socket.say(say),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self {
            Self::Remote(socket) => socket.poll_flush(cx),
            Self::Linked(call) => call.poll_flush(cx),
            Self::Builtin(socket) => socket.poll_flush(cx),
        }
    }
}
