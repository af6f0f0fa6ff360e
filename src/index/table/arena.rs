//! The table's memory: chunks that never move and never go away while the table lives, so a reader
//! may look at any place that was ever handed out; what it read there is proven afterwards.
//!
//! It is cut into lines of 64 bytes, as caches are. Readers have the [`Arena`]; only the writer
//! has [`Spare`], which says which lines are free.

use std::{collections::BTreeSet, sync::OnceLock};

use foldhash::HashMap;

use super::word::Word;

/// Words of a line.
pub(super) const LINE: usize = 8;
/// Bits of a [`Place`] for the line in its chunk, and for the number of groups.
const LINE_BITS: u32 = 26;
const GROUP_BITS: u32 = 26;
/// Chunks there can be: each is at least a sixteenth of those before it.
const CHUNKS_MAX: usize = 1 << 10;
/// Slabs of the largest chunk: 1 GiB.
const SLABS_MAX: usize = 1 << 8;

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
pub(super) struct Arena<W> {
    chunks: Box<[OnceLock<Chunk<W>>]>,
}

struct Chunk<W> {
    words: Box<[W]>,
    /// Words before the first whole line.
    skipped: usize,
}

impl<W: Word> Arena<W> {
    pub(super) fn new() -> Self {
        Self { chunks: (0..CHUNKS_MAX).map(|_| OnceLock::new()).collect() }
    }

    /// The words of a place, in whole lines.
    #[inline]
    pub(super) fn words(&self, place: Place) -> Option<&[W]> {
        let chunk = self.chunks.get(place.chunk)?.get()?;
        let first = chunk.skipped + place.line * LINE;
        chunk.words.get(first..first + lines_of(place.groups) * LINE)
    }

    /// Words that the system was asked for, used or not.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map_while(OnceLock::get).map(|chunk| chunk.words.len()).sum()
    }
}

/// Lines of so many groups: one of keys each, and seven halves.
pub(super) const fn lines_of(groups: usize) -> usize {
    groups + (groups * 7).div_ceil(2)
}

/// Which lines are free, for the one who hands them out.
///
/// Memory is handed out in slabs of one size, each cut into extents of one size. Segments grow in
/// turn, so a slab of small extents empties about when one of larger extents is wanted, and no
/// memory lies idle between extents of many sizes.
#[derive(Default)]
pub(super) struct Spare {
    slabs: HashMap<(usize, usize), Slab>,
    /// Slabs with room, by the groups of their extents.
    open: BTreeSet<(usize, usize, usize)>,
    empty: Vec<(usize, usize)>,
    /// Extents that no slab holds, by their groups.
    large: BTreeSet<(usize, usize, usize)>,
    chunks: usize,
    lines: usize,
}

/// A slab in use: the first lines of those of its extents that are free.
struct Slab {
    free: Vec<usize>,
    taken: usize,
}

impl Spare {
    /// Takes room for so many groups. None where the table has become as large as its words can
    /// say.
    pub(super) fn take<W: Word>(&mut self, arena: &Arena<W>, groups: usize) -> Option<Place> {
        let lines = lines_of(groups);
        if groups >= 1 << GROUP_BITS || lines >= 1 << LINE_BITS {
            return None;
        }
        if lines > W::SLAB_LINES {
            let free = self.large.iter().find(|(held, ..)| *held == groups).copied();
            let (chunk, line) = match free {
                Some(of @ (_, chunk, line)) => {
                    self.large.remove(&of);
                    (chunk, line)
                }
                None => (self.add(arena, lines)?, 0),
            };
            return Some(Place { chunk, line, groups });
        }
        let open = self.open.range((groups, 0, 0)..(groups + 1, 0, 0)).next().copied();
        let (chunk, first) = match open {
            Some((_, chunk, first)) => (chunk, first),
            None => self.cut(arena, groups)?,
        };
        let slab = self.slabs.get_mut(&(chunk, first))?;
        let line = slab.free.pop()?;
        slab.taken += 1;
        if slab.free.is_empty() {
            self.open.remove(&(groups, chunk, first));
        }
        Some(Place { chunk, line, groups })
    }

    /// Gives room back.
    pub(super) fn give<W: Word>(&mut self, place: Place) {
        let Place { chunk, line, groups } = place;
        if lines_of(groups) > W::SLAB_LINES {
            self.large.insert((groups, chunk, line));
            return;
        }
        let first = line - line % W::SLAB_LINES;
        let Some(slab) = self.slabs.get_mut(&(chunk, first)) else { return };
        slab.free.push(line);
        slab.taken -= 1;
        if slab.taken == 0 {
            self.slabs.remove(&(chunk, first));
            self.open.remove(&(groups, chunk, first));
            self.empty.push((chunk, first));
        } else {
            self.open.insert((groups, chunk, first));
        }
    }

    /// Cuts an empty slab into extents of so many groups.
    fn cut<W: Word>(&mut self, arena: &Arena<W>, groups: usize) -> Option<(usize, usize)> {
        if self.empty.is_empty() {
            let slabs = (self.lines / W::SLAB_LINES / 16).clamp(1, SLABS_MAX);
            let chunk = self.add(arena, slabs * W::SLAB_LINES)?;
            self.empty.extend((0..slabs).rev().map(|slab| (chunk, slab * W::SLAB_LINES)));
        }
        let (chunk, first) = self.empty.pop()?;
        let lines = lines_of(groups);
        let extents = (0..W::SLAB_LINES / lines).rev();
        let free = extents.map(|extent| first + extent * lines).collect();
        self.slabs.insert((chunk, first), Slab { free, taken: 0 });
        self.open.insert((groups, chunk, first));
        Some((chunk, first))
    }

    fn add<W: Word>(&mut self, arena: &Arena<W>, lines: usize) -> Option<usize> {
        let chunk = self.chunks;
        let words = W::zeroed((lines + 1) * LINE);
        let skipped = words.as_ptr().align_offset(LINE * size_of::<u64>()).min(LINE);
        arena.chunks.get(chunk)?.set(Chunk { words, skipped }).ok()?;
        self.chunks += 1;
        self.lines += lines;
        Some(chunk)
    }
}
