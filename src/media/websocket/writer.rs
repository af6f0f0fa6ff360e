//! What is said, as bytes that wait to be sent.

use super::{CONTROL_LEN_MAX, Opcode, mask};
use crate::media::lent;

/// One side's sending.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    sent: usize,
    /// A buffer up to this long is kept; others are lent.
    kept_len_max: usize,
}

impl Writer {
    /// Keeps a buffer of its own, up to that length.
    pub fn keep(&mut self, len_max: usize) {
        self.kept_len_max = len_max;
    }

    /// Adds a message, masked where a mask is drawn for it. What no control message holds is cut.
    pub fn push(&mut self, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) {
        let payload = match opcode {
            Opcode::Text | Opcode::Binary => payload,
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                payload.get(..CONTROL_LEN_MAX).unwrap_or(payload)
            }
        };
        if self.out.capacity() == 0 {
            self.out = lent::take();
        }
        let (is_masked, len) = (if key.is_some() { 0x80 } else { 0 }, payload.len());
        self.out.push(0x80 | opcode as u8);
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(len @ 0..=125), _) => self.out.push(is_masked | len),
            (_, Ok(len)) => {
                self.out.push(is_masked | 126);
                self.out.extend_from_slice(&len.to_be_bytes());
            }
            _ => {
                self.out.push(is_masked | 127);
                self.out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        let Some(key) = key else { return self.out.extend_from_slice(payload) };
        self.out.extend_from_slice(&key);
        let start = self.out.len();
        self.out.extend_from_slice(payload);
        mask(self.out.get_mut(start..).unwrap_or_default(), key);
    }

    /// What is to be sent.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    /// So much of it has been sent.
    pub fn sent(&mut self, len: usize) {
        self.sent += len;
        if self.sent >= self.out.len() {
            self.sent = 0;
            if self.out.capacity() <= self.kept_len_max {
                self.out.clear();
            } else {
                lent::give_back(std::mem::take(&mut self.out));
            }
        }
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
}
