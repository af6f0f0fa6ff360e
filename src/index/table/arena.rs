//! The table's memory: chunks that never move and never go away while the table lives, so a reader
//! may look at any place that was ever handed out; what it read there is proven afterwards.
//!
//! It is cut into lines of 64 bytes, as caches are. Readers have the [`Arena`]; only the writer
//! has [`Spare`], which says which lines are free.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use super::{group::LINES, word::Word};

/// Words of a line.
pub(super) const LINE: usize = 8;
/// Bits of a [`Place`] for the line in its chunk, and for the number of groups.
const LINE_BITS: u32 = 26;
const GROUP_BITS: u32 = 26;
/// What an extent has fewer groups than.
pub(super) const GROUPS_END: usize = 1 << GROUP_BITS;
/// Chunks there can be: each is at least a sixty-fourth of those before it, as far as the largest.
const CHUNKS_MAX: usize = 1 << 10;
const SHARE: usize = 1 << 6;
/// Lines of the largest chunk: 1 GiB.
const CHUNK_LINES_MAX: usize = 1 << 24;

/// Where an extent of groups lies, in one word. Zero is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    chunk: usize,
    line: usize,
    pub(super) groups: usize,
}

impl Place {
    pub(super) const fn from_word(word: u64) -> Option<Self> {
        let groups = low(word, GROUP_BITS);
        if groups == 0 {
            return None;
        }
        let line = low(word >> GROUP_BITS, LINE_BITS);
        Some(Self { chunk: low(word >> (GROUP_BITS + LINE_BITS), 12), line, groups })
    }

    pub(super) const fn word(self) -> u64 {
        let Self { chunk, line, groups } = self;
        groups as u64 | (line as u64) << GROUP_BITS | (chunk as u64) << (GROUP_BITS + LINE_BITS)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 26 bits are left")]
const fn low(word: u64, bits: u32) -> usize {
    (word & ((1 << bits) - 1)) as usize
}

/// What readers look into.
pub(super) struct Arena<W: Word> {
    chunks: Box<[OnceLock<W::Pages>]>,
}

impl<W: Word> Arena<W> {
    pub(super) fn new() -> Self {
        Self { chunks: (0..CHUNKS_MAX).map(|_| OnceLock::new()).collect() }
    }

    /// The words of a place, in whole lines.
    #[inline]
    pub(super) fn words(&self, place: Place) -> Option<&[W]> {
        let first = place.line * LINE;
        self.chunks.get(place.chunk)?.get()?.get(first..first + lines_of(place.groups) * LINE)
    }

    /// Words that the system was asked for, used or not.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map_while(OnceLock::get).map(|words| words.len()).sum()
    }
}

/// Lines of so many groups.
pub(super) const fn lines_of(groups: usize) -> usize {
    groups * LINES
}

/// Which lines are free, for the one who hands them out.
///
/// Who wants room gets the shortest run that has it, and what is given back joins its neighbours.
/// Segments grow in turn, so what they leave lies side by side, and is soon long enough for the
/// next that grow: little memory lies idle.
#[derive(Default)]
pub(super) struct Spare {
    /// Lines of each run that is free, by where it begins.
    runs: BTreeMap<(usize, usize), usize>,
    /// The same by length.
    by_length: BTreeSet<(usize, usize, usize)>,
    chunks: usize,
    lines: usize,
}

impl Spare {
    /// Takes room for so many groups. None where the table has become as large as its words can
    /// say.
    pub(super) fn take<W: Word>(&mut self, arena: &Arena<W>, groups: usize) -> Option<Place> {
        let lines = lines_of(groups);
        if groups >= GROUPS_END || lines >= 1 << LINE_BITS {
            return None;
        }
        if self.by_length.range((lines, 0, 0)..).next().is_none() {
            self.add(arena, lines)?;
        }
        let (length, chunk, line) = self.by_length.range((lines, 0, 0)..).next().copied()?;
        self.remove(chunk, line, length);
        if length > lines {
            self.insert(chunk, line + lines, length - lines);
        }
        Some(Place { chunk, line, groups })
    }

    /// Gives room back.
    pub(super) fn give(&mut self, place: Place) {
        let Place { chunk, mut line, groups } = place;
        let mut lines = lines_of(groups);
        if let Some(&length) = self.runs.get(&(chunk, line + lines)) {
            self.remove(chunk, line + lines, length);
            lines += length;
        }
        let before = self.runs.range((chunk, 0)..(chunk, line)).next_back();
        if let Some((&(_, first), &length)) = before
            && first + length == line
        {
            self.remove(chunk, first, length);
            (line, lines) = (first, lines + length);
        }
        self.insert(chunk, line, lines);
    }

    fn insert(&mut self, chunk: usize, line: usize, length: usize) {
        self.runs.insert((chunk, line), length);
        self.by_length.insert((length, chunk, line));
    }

    fn remove(&mut self, chunk: usize, line: usize, length: usize) {
        self.runs.remove(&(chunk, line));
        self.by_length.remove(&(length, chunk, line));
    }

    /// Adds a chunk that has room for so many lines, and for more the larger the table is.
    fn add<W: Word>(&mut self, arena: &Arena<W>, lines: usize) -> Option<()> {
        let wanted = (self.lines / SHARE).min(CHUNK_LINES_MAX).next_multiple_of(W::PAGE_LINES);
        let lines = lines.max(wanted).max(W::PAGE_LINES);
        let chunk = self.chunks;
        let words = W::pages(lines * LINE)?;
        let lines = words.len() / LINE;
        arena.chunks.get(chunk)?.set(words).ok()?;
        self.chunks += 1;
        self.lines += lines;
        self.insert(chunk, 0, lines);
        Some(())
    }
}
