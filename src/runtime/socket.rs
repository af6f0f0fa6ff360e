//! A runtime as a stream and a sink of websocket messages, wherever it lives.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Sink, Stream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::builtin::BuiltinSocket;
use super::io::Io;

/// An open runtime.
#[derive(Debug)]
pub enum RuntimeSocket {
    /// Somewhere else.
    Remote(Box<WebSocketStream<Io>>),
    /// In this process.
    Builtin(Box<BuiltinSocket>),
}

impl Stream for RuntimeSocket {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut() {
            Self::Remote(socket) => Pin::new(socket.as_mut()).poll_next(cx),
            Self::Builtin(socket) => socket.poll_next(cx).map(|message| message.map(Ok)),
        }
    }
}

impl Sink<Message> for RuntimeSocket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.get_mut() {
            Self::Remote(socket) => Pin::new(socket.as_mut()).poll_ready(cx),
            Self::Builtin(socket) => socket.poll_ready(cx).map(Ok),
        }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        match self.get_mut() {
            Self::Remote(socket) => Pin::new(socket.as_mut()).start_send(message),
            Self::Builtin(socket) => {
                socket.send(&message);
                Ok(())
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.get_mut() {
            Self::Remote(socket) => Pin::new(socket.as_mut()).poll_flush(cx),
            Self::Builtin(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.get_mut() {
            Self::Remote(socket) => Pin::new(socket.as_mut()).poll_close(cx),
            Self::Builtin(_) => Poll::Ready(Ok(())),
        }
    }
}
