//! Websocket frames as bytes (RFC 6455): what came is told apart by a [`Reader`], what is said is
//! written by a [`Writer`].
//!
//! It is our own for what a relay does a hundred times a second a call: a message is read where it
//! lies and written where it goes, nothing is allocated, and a call that is quiet keeps little. It
//! shakes no hands and has no socket; whoever has one says when bytes have come and gone, and draws
//! the masks.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

/// Which side of the connection we are: a client masks what it sends, a server does not (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We dialled.
    Client,
    /// We were dialled.
    Server,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message of text, proven UTF-8.
    Text,
    /// A message of bytes.
    Binary,
    /// A ping; it is to be answered with its own payload.
    Ping,
    /// A pong.
    Pong,
    /// The other side closes, with this code if it gives one.
    Close(Option<u16>),
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A message of text.
    Text = 1,
    /// A message of bytes.
    Binary = 2,
    /// The end.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
}

/// The other side broke the protocol, or a limit of ours: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Against RFC 6455.
    Protocol,
    /// A text that is no UTF-8.
    NotUtf8,
    /// Longer than a message may be.
    TooLong,
}

impl Violation {
    /// The code to close with (§7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLong => 1009,
        }
    }
}

/// The longest payload of a ping, a pong or a close (§5.5).
pub const CONTROL_LEN_MAX: usize = 125;

/// Masks bytes, or takes the mask off (§5.3).
fn mask(bytes: &mut [u8], key: [u8; 4]) {
    const BLOCK: usize = size_of::<u128>();
    let mut block_key = [0; BLOCK];
    block_key.iter_mut().zip(key.iter().cycle()).for_each(|(place, byte)| *place = *byte);
    // A block is one number, with a key of its length: one step each, however it is compiled.
    let whole_key = u128::from_ne_bytes(block_key);
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ whole_key).to_ne_bytes();
    }
    rest.iter_mut().zip(&block_key).for_each(|(byte, key)| *byte ^= key);
}

#[cfg(test)]
mod tests;
