//! Websocket frames as the two ends of a call need them: written once, and told apart.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, payload.len(), 0x80);
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A server's.
pub(crate) fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, payload.len(), 0);
    frame.extend(payload);
    frame
}

/// What stands before a server's payload of that length.
pub(crate) fn plain_head(opcode: u8, len: usize) -> Vec<u8> {
    head(opcode, len, 0)
}

fn head(opcode: u8, len: usize, masked: u8) -> Vec<u8> {
    match (u16::try_from(len), u64::try_from(len).unwrap()) {
        (Ok(len @ 0..126), _) => vec![0x80 | opcode, masked | len.to_be_bytes()[1]],
        (Ok(len), _) => [vec![0x80 | opcode, masked | 126], len.to_be_bytes().to_vec()].concat(),
        (Err(_), len) => [vec![0x80 | opcode, masked | 127], len.to_be_bytes().to_vec()].concat(),
    }
}

/// What came of a stream of frames.
#[derive(Default)]
pub(crate) struct Frames {
    rest: Vec<u8>,
    /// What the mask was taken off.
    unmasked: Vec<u8>,
    /// Audio flows: it is counted, and left masked.
    is_begun: bool,
}

impl Frames {
    pub(crate) fn begun() -> Self {
        Self { rest: Vec::with_capacity(1024), unmasked: Vec::new(), is_begun: true }
    }

    /// Takes bytes; `each` is given every whole frame's opcode and payload.
    pub(crate) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(u8, &[u8])) {
        if self.rest.is_empty() {
            let walked = self.walk(bytes, &mut each);
            self.rest.extend(&bytes[walked..]);
            return;
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend(bytes);
        let walked = self.walk(&rest, &mut each);
        rest.drain(..walked);
        self.rest = rest;
    }

    /// How many bytes were whole frames.
    fn walk(&mut self, bytes: &[u8], each: &mut impl FnMut(u8, &[u8])) -> usize {
        let mut walked = 0;
        while let Some((opcode, mask, len, head)) = header(&bytes[walked..])
            && bytes.len() - walked >= head + len
        {
            let payload = &bytes[walked + head..][..len];
            match mask {
                Some(mask) if !self.is_begun => {
                    unmask(payload, mask, &mut self.unmasked);
                    each(opcode, &self.unmasked);
                }
                _ => each(opcode, payload),
            }
            walked += head + len;
        }
        walked
    }
}

/// Takes the mask off, sixteen bytes at a time.
fn unmask(payload: &[u8], mask: [u8; 4], plain: &mut Vec<u8>) {
    let block_mask = u128::from_ne_bytes([mask; 4].concat().try_into().unwrap());
    let (blocks, rest) = payload.as_chunks::<16>();
    plain.clear();
    for block in blocks {
        plain.extend((u128::from_ne_bytes(*block) ^ block_mask).to_ne_bytes());
    }
    plain.extend(rest.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Whether a frame holds audio, once a stream has begun: nothing else is as long.
pub(crate) const fn is_audio(opcode: u8, len: usize) -> bool {
    (opcode == TEXT || opcode == BINARY) && len >= 250
}

fn header(bytes: &[u8]) -> Option<(u8, Option<[u8; 4]>, usize, usize)> {
    let opcode = bytes.first()? & 15;
    let second = *bytes.get(1)?;
    let (len, mut head) = match second & 127 {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => {
            let len = bytes.get(2..10)?.try_into().unwrap();
            (usize::try_from(u64::from_be_bytes(len)).unwrap(), 10)
        }
        len => (usize::from(len), 2),
    };
    let mask = (second & 128 != 0).then(|| bytes.get(head..head + 4)?.try_into().ok());
    let mask = match mask {
        Some(mask) => {
            head += 4;
            Some(mask?)
        }
        None => None,
    };
    Some((opcode, mask, len, head))
}
