//! What came, told apart.

use std::ops::Range;

use super::{CONTROL_LEN_MAX, Heard, Role, Violation, mask};
use crate::media::lent;

/// Some frames of audio. A longer message grows it, and it shrinks again.
const BUFFER_LEN: usize = 2 * 1024;

/// One side's receiving.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    message_len_max: usize,
    /// How long the buffer is at least, and at most when nothing is in it.
    buffer_len: usize,
    kept_len: usize,
    buffer: Vec<u8>,
    /// What came and was not yet told.
    unread: Range<usize>,
    /// The length of the frame that is being waited for, its head included.
    frame_len: usize,
    /// The parts of a message that comes in parts.
    gathered: Vec<u8>,
    gathering: Option<Data>,
    told: Told,
}

/// Where the payload of what was told last is.
#[derive(Debug)]
enum Told {
    Nothing,
    Here(Range<usize>),
    Gathered,
}

#[derive(Clone, Copy, Debug)]
enum Data {
    Text,
    Binary,
}

/// A frame's head (§5.2).
struct Head {
    is_last: bool,
    opcode: u8,
    key: Option<[u8; 4]>,
    /// Of itself.
    len: usize,
    payload_len: usize,
}

impl Reader {
    /// Nothing has come, or these bytes have.
    #[must_use]
    pub fn new(role: Role, message_len_max: usize, came: Vec<u8>) -> Self {
        Self {
            role,
            message_len_max,
            buffer_len: BUFFER_LEN,
            kept_len: BUFFER_LEN,
            unread: 0..came.len(),
            buffer: came,
            frame_len: 0,
            gathered: Vec::new(),
            gathering: None,
            told: Told::Nothing,
        }
    }

    /// Keeps a buffer of its own of that length, or of up to `kept_len` where messages are as long:
    /// who hears many at once reads them at once.
    #[must_use]
    pub fn keeping(mut self, buffer_len: usize, kept_len: usize) -> Self {
        self.buffer_len = buffer_len.max(BUFFER_LEN);
        self.kept_len = kept_len.max(self.buffer_len);
        self
    }

    fn is_lent(&self) -> bool {
        self.buffer_len == BUFFER_LEN
    }

    /// Where the next bytes go; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        if self.unread.is_empty() {
            self.unread = 0..0;
            if self.buffer.len() > self.kept_len && self.frame_len <= self.kept_len {
                self.buffer = Vec::new();
            }
            if self.buffer.capacity() == 0 && self.is_lent() {
                self.buffer = lent::take_room();
            }
        }
        let wanted = self.frame_len.max(self.buffer_len);
        if self.unread.end == self.buffer.len() || self.unread.start + wanted > self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.buffer.len() < wanted {
            // A length is only claimed: memory follows what has come.
            let len = wanted.min((2 * self.buffer.len()).max(self.buffer_len));
            self.buffer.resize(len, 0);
        }
        self.buffer.get_mut(self.unread.end..).unwrap_or_default()
    }

    /// So many bytes were put there.
    pub fn came(&mut self, len: usize) {
        self.unread.end = (self.unread.end + len).min(self.buffer.len());
    }

    /// Nothing more comes for now: the buffer is lent to others, unless there is something in it.
    pub fn rest(&mut self) {
        if self.is_lent() && self.unread.is_empty() && !matches!(self.told, Told::Here(_)) {
            self.unread = 0..0;
            lent::give_back_room(std::mem::take(&mut self.buffer));
        }
    }

    /// Goes on to the next of what came. `None`: it has not come whole.
    ///
    /// # Errors
    /// It is nothing that may come. What follows is not told apart any more.
    pub fn advance(&mut self) -> Result<Option<Heard>, Violation> {
        if matches!(std::mem::replace(&mut self.told, Told::Nothing), Told::Gathered) {
            self.gathered.clear();
            self.gathered.shrink_to(BUFFER_LEN);
        }
        loop {
            let came = self.buffer.get(self.unread.clone()).unwrap_or_default();
            let Some(head) = Head::read(came)? else { return Ok(None) };
            self.check(&head)?;
            self.frame_len = head.len + head.payload_len;
            if came.len() < self.frame_len {
                return Ok(None);
            }
            let payload = self.unread.start + head.len..self.unread.start + self.frame_len;
            self.unread.start = payload.end;
            self.frame_len = 0;
            if let Some(key) = head.key {
                mask(self.buffer.get_mut(payload.clone()).unwrap_or_default(), key);
            }
            if let Some(heard) = self.take(&head, payload)? {
                return Ok(Some(heard));
            }
        }
    }

    /// The payload of what was told last.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.told {
            Told::Nothing => &[],
            Told::Here(span) => self.buffer.get(span.clone()).unwrap_or_default(),
            Told::Gathered => &self.gathered,
        }
    }

    /// The same of a text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Whether a frame with that head may come now.
    fn check(&self, head: &Head) -> Result<(), Violation> {
        // Who dials masks, who is dialled does not.
        if head.key.is_some() != (self.role == Role::Server) {
            return Err(Violation::Protocol);
        }
        let is_gathering = self.gathering.is_some();
        match head.opcode {
            0 if !is_gathering => Err(Violation::Protocol),
            1 | 2 if is_gathering => Err(Violation::Protocol),
            0..=2 if head.payload_len > self.message_len_max - self.gathered.len() => {
                Err(Violation::TooLong)
            }
            0..=2 => Ok(()),
            8..=10 if head.is_last && head.payload_len <= CONTROL_LEN_MAX => Ok(()),
            _ => Err(Violation::Protocol),
        }
    }

    /// Takes a whole frame.
    fn take(&mut self, head: &Head, payload: Range<usize>) -> Result<Option<Heard>, Violation> {
        let here = |span: &Range<usize>| self.buffer.get(span.clone()).unwrap_or_default();
        let data = match head.opcode {
            0 => self.gathering,
            1 => Some(Data::Text),
            2 => Some(Data::Binary),
            8 => {
                let close = close(here(&payload))?;
                self.told = Told::Here(payload);
                return Ok(Some(Heard::Close(close)));
            }
            opcode => {
                self.told = Told::Here(payload);
                return Ok(Some(if opcode == 9 { Heard::Ping } else { Heard::Pong }));
            }
        };
        if head.is_last && self.gathering.is_none() {
            self.told = Told::Here(payload);
        } else {
            self.gathered.extend_from_slice(here(&payload));
            self.gathering = data;
            if !head.is_last {
                return Ok(None);
            }
            self.gathering = None;
            self.told = Told::Gathered;
        }
        match data {
            Some(Data::Text) if std::str::from_utf8(self.bytes()).is_ok() => Ok(Some(Heard::Text)),
            Some(Data::Text) => Err(Violation::NotUtf8),
            Some(Data::Binary) => Ok(Some(Heard::Binary)),
            None => Err(Violation::Protocol),
        }
    }
}

impl Head {
    /// Reads one; `None`: it has not come whole.
    fn read(came: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = came else { return Ok(None) };
        // No extension was agreed on that would use the reserved bits.
        if first & 0x70 != 0 {
            return Err(Violation::Protocol);
        }
        let (payload_len, rest) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
            }
            (126 | 127, _) => return Ok(None),
            (len, rest) => (u64::from(len), rest),
        };
        let (key, rest) = match (second & 0x80, rest) {
            (0, rest) => (None, rest),
            (_, [a, b, c, d, rest @ ..]) => (Some([*a, *b, *c, *d]), rest),
            (..) => return Ok(None),
        };
        // The highest bit is never set, and no limit of ours is near.
        let payload_len = u32::try_from(payload_len).map_err(|_| Violation::TooLong)? as usize;
        let len = came.len() - rest.len();
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        Ok(Some(Self { is_last, opcode, key, len, payload_len }))
    }
}

/// The code of a close (§5.5.1, §7.4).
fn close(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
        [_] => return Err(Violation::Protocol),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}
