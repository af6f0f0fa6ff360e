//! A websocket over any stream of bytes: messages in, messages out, nothing kept of either. It
//! shakes no hands.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::media::websocket::{self, Opcode, Reader, Role, Writer};

/// The end of a call, or of what was to be said (RFC 6455 §7.4.1).
pub const CLOSE_NORMAL: u16 = 1000;

/// We leave, and the call goes on.
pub const CLOSE_AWAY: u16 = 1001;

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A text: [`Socket::text`].
    Text,
    /// Bytes: [`Socket::bytes`].
    Binary,
    /// A sign of life.
    Alive,
    /// The other side closes; with this code, if it gives one.
    Close(Option<u16>),
    /// Nothing comes any more: the connection has ended or broken.
    Over,
    /// The same, found late: nothing has come since then.
    Lost(Instant),
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say<'a> {
    /// A text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Are you there?
    Ping,
    /// The end, with this code.
    Close(u16),
}

/// The connection has broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken;

/// One side of a conversation in messages. Whoever speaks waits until [`Socket::poll_ready`], says
/// what there is to say for now, and sees to it that it leaves by [`Socket::poll_flush`].
pub trait Socket: Send {
    /// What comes next. Its text or bytes are there until this is asked again.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard>;

    /// The text that came last.
    fn text(&self) -> &str;

    /// The bytes that came last.
    fn bytes(&self) -> &[u8];

    /// Whether all that was said before has left.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>>;

    /// Says something; it leaves with all else when it is flushed.
    fn say(&mut self, say: Say<'_>);

    /// Sends what was said.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>>;
}

impl<S: Socket + ?Sized> Socket for Box<S> {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        (**self).poll_hear(cx)
    }

    fn text(&self) -> &str {
        (**self).text()
    }

    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        (**self).poll_ready(cx)
    }

    fn say(&mut self, say: Say<'_>) {
        (**self).say(say);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        (**self).poll_flush(cx)
    }
}

/// Waits for what comes next.
pub async fn hear(socket: &mut (impl Socket + ?Sized)) -> Heard {
    poll_fn(|cx| socket.poll_hear(cx)).await
}

/// Says something, and waits until it has left.
///
/// # Errors
/// The connection has broken.
pub async fn send(socket: &mut (impl Socket + ?Sized), say: Say<'_>) -> Result<(), Broken> {
    poll_fn(|cx| socket.poll_ready(cx)).await?;
    socket.say(say);
    poll_fn(|cx| socket.poll_flush(cx)).await
}

/// A websocket whose hands are shaken.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: S,
    role: Role,
    reader: Reader,
    writer: Writer,
    /// Something was written that lies in the stream's own buffer.
    has_unflushed: bool,
    has_said_close: bool,
    has_heard_close: bool,
    is_over: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WebSocket<S> {
    /// One that we are a side of. `came` has come already, behind the handshake.
    pub fn new(io: S, role: Role, message_len_max: usize, came: Vec<u8>) -> Self {
        Self {
            io,
            role,
            reader: Reader::new(role, message_len_max, came),
            writer: Writer::default(),
            has_unflushed: false,
            has_said_close: false,
            has_heard_close: false,
            is_over: false,
        }
    }

    /// Keeps a buffer of that length to read into, and buffers up to `kept_len` once they are as
    /// long, where it carries what many have to say.
    #[must_use]
    pub fn keeping(mut self, buffer_len: usize, kept_len: usize) -> Self {
        self.reader = self.reader.keeping(buffer_len, kept_len);
        self.writer.keep(kept_len);
        self
    }

    fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        let key = (self.role == Role::Client).then(rand::random);
        self.writer.push(opcode, payload, key);
    }

    fn close(&mut self, code: Option<u16>) {
        if !std::mem::replace(&mut self.has_said_close, true) {
            let code = code.map(u16::to_be_bytes);
            self.push(Opcode::Close, code.as_ref().map_or(&[], <[u8; 2]>::as_slice));
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while !self.writer.is_empty() {
            let written = Pin::new(&mut self.io).poll_write(cx, self.writer.pending());
            match ready!(written) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Broken)),
                Ok(len) => self.writer.sent(len),
            }
            self.has_unflushed = true;
        }
        if self.has_unflushed {
            let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
            flushed.map_err(|_| Broken)?;
            self.has_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what has come; whether anything did.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut buffer = ReadBuf::new(self.reader.room());
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
        let len = buffer.filled().len();
        self.reader.came(len);
        Poll::Ready(read.is_ok() && len > 0)
    }

    /// Does what the protocol asks for, and tells what there is to tell.
    fn take(&mut self, heard: websocket::Heard) -> Heard {
        match heard {
            websocket::Heard::Text => Heard::Text,
            websocket::Heard::Binary => Heard::Binary,
            websocket::Heard::Pong => Heard::Alive,
            websocket::Heard::Ping => {
                let has_room = self.writer.pending().len() <= REPLIES_LEN_MAX;
                if !self.has_said_close && has_room {
                    let key = (self.role == Role::Client).then(rand::random);
                    self.writer.push(Opcode::Pong, self.reader.bytes(), key);
                }
                Heard::Alive
            }
            websocket::Heard::Close(code) => {
                self.has_heard_close = true;
                self.close(code);
                Heard::Close(code)
            }
        }
    }
}

/// What may wait for a peer that sends pings and reads nothing: past it they are not answered.
const REPLIES_LEN_MAX: usize = 4 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for WebSocket<S> {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        while !self.is_over {
            if !self.has_heard_close {
                match self.reader.advance() {
                    Ok(Some(heard)) => return Poll::Ready(self.take(heard)),
                    Ok(None) => {}
                    Err(violation) => {
                        self.close(Some(violation.close_code()));
                        // It is told where it listens; nobody waits for that.
                        let _ = self.poll_write(cx);
                        self.is_over = true;
                        break;
                    }
                }
            }
            if !self.writer.is_empty() {
                let is_written = match self.poll_write(cx) {
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(Broken)) => break,
                    Poll::Pending => false,
                };
                if !is_written && self.has_heard_close && self.role == Role::Server {
                    return Poll::Pending;
                }
            }
            // Who was dialled leaves first (§7.1.1).
            if self.has_heard_close && self.role == Role::Server {
                break;
            }
            let Poll::Ready(has_read) = self.poll_read(cx) else {
                self.reader.rest();
                return Poll::Pending;
            };
            if !has_read {
                break;
            }
            if self.has_heard_close {
                // Nothing follows a close.
                self.reader = Reader::new(self.role, 0, Vec::new());
            }
        }
        self.is_over = true;
        Poll::Ready(Heard::Over)
    }

    fn text(&self) -> &str {
        self.reader.text()
    }

    fn bytes(&self) -> &[u8] {
        self.reader.bytes()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.writer.is_empty() && !self.has_unflushed {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(cx)
    }

    fn say(&mut self, say: Say<'_>) {
        // Nothing follows a close.
        if self.has_said_close {
            return;
        }
        match say {
            Say::Text(text) => self.push(Opcode::Text, text.as_bytes()),
            Say::Binary(bytes) => self.push(Opcode::Binary, bytes),
            Say::Ping => self.push(Opcode::Ping, &[]),
            Say::Close(code) => self.close(Some(code)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.poll_write(cx)
    }
}
