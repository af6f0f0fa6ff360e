//! The form of a snapshot's file: an image of the touches, the place in the log where its copying
//! began, and a checksum of every part.
//!
//! ```text
//! head, padded to a page | each part's words | a row for each part | the slots' ids and numbers
//! ```
//!
//! All numbers are written with the lowest byte first. The checksums are CRC-32, which finds what
//! disks and cut-off writes do to a file; they prove nothing against somebody who may write it. It
//! never opens a file.

use std::ops::Range;

use thiserror::Error;
use uuid::Uuid;

use super::log::Cursor;
use crate::{
    domain::{AgentId, E164, TenantId},
    index::{Image, Names, Part},
};

/// Bytes of the head: the words begin on a page of their own.
pub const HEAD_LEN: usize = 4096;
/// Bytes of a word.
pub const WORD_LEN: usize = size_of::<u64>();

const MAGIC: [u8; 8] = *b"SWBTOUCH";
const VERSION: u32 = 2;
/// A part's groups, touches, contacts and checksum.
const ROW_LEN: usize = 16;
const ID_LEN: usize = 16;
/// Parts and ids there can be: what a damaged head asks for must not be more than memory.
const ROWS_MAX: u64 = 1 << 20;
const IDS_MAX: u64 = 1 << 28;

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is something else.
    #[error("it is no snapshot")]
    Foreign,
    /// It was written by another version of this program.
    #[error("it is of another version")]
    Version,
    /// Its bytes are not those that were written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

/// What a snapshot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its copying began: entries after this are to be applied.
    pub since: Cursor,
    /// Where it ended: it may hold what entries up to here say, so that a log without them is not
    /// the one it was made from.
    pub until: Cursor,
}

/// The first page of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it stands for.
    pub span: Span,
    layout: u32,
    seeds: [u64; 2],
    parts: u64,
    tenants: u64,
    agents: u64,
    callers: u64,
    words: u64,
    rows_sum: u32,
}

/// What follows the words.
pub type Rows = Vec<u8>;

/// The checksum of bytes that come in pieces.
#[derive(Clone, Debug, Default)]
pub struct Sum(crc32fast::Hasher);

impl Sum {
    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all of them.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0.finalize()
    }

    fn of(bytes: &[u8]) -> u32 {
        crc32fast::hash(bytes)
    }
}

/// What is written before and after the words of an image, each of whose parts has a checksum.
#[must_use]
pub fn frame(image: &Image, sums: &[u32], words: u64, span: &Span) -> ([u8; HEAD_LEN], Rows) {
    let Names { tenants, agents } = &image.names;
    let mut rows = Vec::with_capacity(image.parts.len() * ROW_LEN);
    for (Part { groups, touches, contacts }, sum) in image.parts.iter().zip(sums) {
        for field in [groups, touches, contacts, sum] {
            rows.extend(field.to_le_bytes());
        }
    }
    rows.extend(tenants.iter().flat_map(|id| *id.0.as_bytes()));
    rows.extend(agents.iter().flat_map(|id| *id.0.as_bytes()));
    rows.extend(image.callers.iter().flat_map(|number| number.as_u64().to_le_bytes()));
    let len = |of: usize| of as u64;
    let head = Head {
        span: *span,
        layout: image.layout,
        seeds: image.seeds,
        parts: len(image.parts.len().min(sums.len())),
        tenants: len(tenants.len()),
        agents: len(agents.len()),
        callers: len(image.callers.len()),
        words,
        rows_sum: Sum::of(&rows),
    };
    (head.written(), rows)
}

impl Head {
    fn written(&self) -> [u8; HEAD_LEN] {
        let Self { span: Span { since, until }, .. } = self;
        let mut head = Vec::with_capacity(HEAD_LEN);
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend(self.layout.to_le_bytes());
        head.extend(since.epoch.as_bytes());
        for cursor in [since, until] {
            head.extend(cursor.seq.to_le_bytes());
            head.extend(cursor.chain);
        }
        let [own, shared] = self.seeds;
        let Self { parts, tenants, agents, callers, words, .. } = *self;
        for field in [own, shared, parts, tenants, agents, callers, words] {
            head.extend(field.to_le_bytes());
        }
        head.extend(self.rows_sum.to_le_bytes());
        head.resize(HEAD_LEN - size_of::<u32>(), 0);
        head.extend(Sum::of(&head).to_le_bytes());
        let mut page = [0; HEAD_LEN];
        page.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        page
    }

    /// Reads the head of a file of so many bytes.
    ///
    /// # Errors
    /// It cannot be taken here.
    pub fn read(page: &[u8; HEAD_LEN], file_len: u64) -> Result<Self, Refused> {
        let mut fields = Fields(page);
        if fields.take()? != MAGIC {
            return Err(Refused::Foreign);
        }
        let (version, layout) = (fields.u32()?, fields.u32()?);
        if version != VERSION || layout != Image::LAYOUT {
            return Err(Refused::Version);
        }
        let [told @ .., a, b, c, d] = page;
        if Sum::of(told) != u32::from_le_bytes([*a, *b, *c, *d]) {
            return Err(Refused::Damaged("head"));
        }
        let epoch = Uuid::from_bytes(fields.take()?);
        let since = Cursor { epoch, seq: fields.u64()?, chain: fields.take()? };
        let until = Cursor { epoch, seq: fields.u64()?, chain: fields.take()? };
        let head = Self {
            span: Span { since, until },
            layout,
            seeds: [fields.u64()?, fields.u64()?],
            parts: fields.u64()?,
            tenants: fields.u64()?,
            agents: fields.u64()?,
            callers: fields.u64()?,
            words: fields.u64()?,
            rows_sum: fields.u32()?,
        };
        let is_sane = head.parts <= ROWS_MAX && head.ids() <= IDS_MAX;
        if !is_sane || head.rows().end != file_len {
            return Err(Refused::Damaged("length"));
        }
        Ok(head)
    }

    /// Where in the file the rows are, which are its end.
    #[must_use]
    pub const fn rows(&self) -> Range<u64> {
        let start = HEAD_LEN as u64 + self.words * WORD_LEN as u64;
        let ids = (self.tenants + self.agents) * ID_LEN as u64;
        let numbers = self.callers * WORD_LEN as u64;
        start..start + self.parts * ROW_LEN as u64 + ids + numbers
    }

    const fn ids(&self) -> u64 {
        self.tenants.saturating_add(self.agents).saturating_add(self.callers)
    }

    /// The image that the file is of, and the checksums of its parts, from its rows.
    ///
    /// # Errors
    /// They are damaged.
    pub fn image(&self, rows: &[u8]) -> Result<(Image, Vec<u32>), Refused> {
        if Sum::of(rows) != self.rows_sum {
            return Err(Refused::Damaged("rows"));
        }
        let mut fields = Fields(rows);
        let (mut parts, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..self.parts {
            let (groups, touches, contacts) = (fields.u32()?, fields.u32()?, fields.u32()?);
            parts.push(Part { groups, touches, contacts });
            sums.push(fields.u32()?);
        }
        let mut ids = |count: u64| -> Result<Vec<_>, Refused> {
            (0..count).map(|_| Ok(Uuid::from_bytes(fields.take()?))).collect()
        };
        let tenants = ids(self.tenants)?.into_iter().map(TenantId).collect();
        let agents = ids(self.agents)?.into_iter().map(AgentId).collect();
        let names = Names { tenants, agents };
        let number = |_| E164::from_u64(fields.u64()?).ok_or(Refused::Damaged("callers"));
        let callers = (0..self.callers).map(number).collect::<Result<_, _>>()?;
        Ok((Image { layout: self.layout, seeds: self.seeds, names, callers, parts }, sums))
    }

    /// Words of all parts.
    #[must_use]
    pub const fn words(&self) -> u64 {
        self.words
    }
}

/// Numbers, one after the other.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Refused::Damaged("length"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Refused> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Refused> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> ([u8; HEAD_LEN], Rows, Image, Span) {
        let since = Cursor::origin(Uuid::from_u128(1));
        let span = Span { since, until: Cursor { seq: 9, chain: [7; 32], ..since } };
        let image = Image {
            layout: Image::LAYOUT,
            seeds: [3, 4],
            names: Names {
                tenants: vec![TenantId(Uuid::from_u128(5))],
                agents: (6..9).map(|n| AgentId(Uuid::from_u128(n))).collect(),
            },
            callers: (0..3).filter_map(|n| E164::from_u64(14_155_550_100 + n)).collect(),
            parts: vec![Part::default(), Part { groups: 1, touches: 2, contacts: 3 }],
        };
        let (head, rows) = frame(&image, &[10, 11], 40, &span);
        (head, rows, image, span)
    }

    fn len(rows: &[u8]) -> u64 {
        (HEAD_LEN + 40 * WORD_LEN + rows.len()) as u64
    }

    #[test]
    fn what_is_written_is_read() {
        let (page, rows, image, span) = written();
        let head = Head::read(&page, len(&rows)).unwrap();
        assert_eq!((head.span, head.words()), (span, 40));
        assert_eq!(head.rows(), len(&rows) - rows.len() as u64..len(&rows));
        assert_eq!(head.image(&rows), Ok((image, vec![10, 11])));
    }

    #[test]
    fn every_bit_counts() {
        let (page, rows, ..) = written();
        let head = Head::read(&page, len(&rows)).unwrap();
        for bit in 0..page.len() * 8 {
            let mut other = page;
            other[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0..8 => Refused::Foreign,
                8..16 => Refused::Version,
                _ => Refused::Damaged("head"),
            };
            assert_eq!(Head::read(&other, len(&rows)), Err(expected), "{bit}");
        }
        for bit in 0..rows.len() * 8 {
            let mut other = rows.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(head.image(&other), Err(Refused::Damaged("rows")), "{bit}");
        }
        for other in [0, len(&rows) - 1, len(&rows) + 1] {
            assert_eq!(Head::read(&page, other), Err(Refused::Damaged("length")));
        }
    }
}
