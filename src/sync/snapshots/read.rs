//! Reads a snapshot file: its parts by several threads, each verified while it is read.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use thiserror::Error;

use super::{Kept, Settings, Which};
use crate::{
    index::{Restored, Restoring},
    replica::snapshot::{HEAD_LEN, Head, Refused, Span, Sum, WORD_LEN},
    store::Reach,
    telemetry::metrics::SnapshotFate,
};

/// Read at once: it stays in a core's own cache while it is verified and put in place.
const BUFFER_LEN: usize = 256 * 1024;
/// What a thread takes for itself at a time, in parts whole. Two that meet in one huge page both
/// have it cleared, so they meet seldom.
const SHARE_LEN: u64 = 16 << 20;
/// Memory is as fast as so many cores.
const THREADS_MAX: usize = 4;

/// Why a file is not taken.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Unusable {
    const fn fate(&self) -> SnapshotFate {
        match self {
            Self::Io(_) => SnapshotFate::Unreadable,
            Self::Refused(Refused::Damaged(_)) => SnapshotFate::Damaged,
            Self::Refused(Refused::Foreign | Refused::Version) => SnapshotFate::Foreign,
        }
    }
}

/// A file, by its head.
type Looked = Result<(File, Head), Unusable>;

/// The files that there are.
pub(in crate::sync) struct Found {
    files: Vec<(Which, Looked)>,
}

/// What there is to start from.
#[derive(Default)]
pub(in crate::sync) struct Start {
    pub(in crate::sync) taken: Option<(Restored, Span)>,
    /// Where the files begin that may be of use again.
    pub(in crate::sync) kept: Kept,
    /// Why the others were refused.
    pub(in crate::sync) refused: Vec<SnapshotFate>,
}

impl Found {
    /// Looks at the files, and asks the store to keep what is needed to go on from them.
    pub(in crate::sync) fn look(settings: &Settings, reach: &Reach) -> Self {
        let mut files = Vec::new();
        for which in Which::WHOLE {
            match File::open(settings.path(which)) {
                Ok(file) => files.push((which, head(&file).map(|head| (file, head)))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => files.push((which, Err(error.into()))),
            }
        }
        let heads = files.iter().filter_map(|(_, file)| file.as_ref().ok());
        if let Some(first) = heads.map(|(_, head)| head.span.since.seq).min() {
            reach.need(first);
        }
        Self { files }
    }

    /// Reads the newest that is whole.
    pub(in crate::sync) fn read(self) -> Start {
        let mut start = Start::default();
        for (which, file) in self.files {
            let seq = file.as_ref().ok().map(|(_, head)| head.span.since.seq);
            // One will do.
            let read = match file {
                Ok(_) if start.taken.is_some() => Ok(None),
                Ok((file, head)) => restored(&file, &head).map(|back| Some((back, head.span))),
                Err(error) => Err(error),
            };
            match read {
                Ok(taken) => {
                    start.taken = start.taken.or(taken);
                    if let Some(place) = start.kept.place(which) {
                        *place = seq;
                    }
                }
                Err(error) => {
                    start.refused.push(error.fate());
                    tracing::warn!(%error, ?which, "a snapshot is refused");
                }
            }
        }
        start
    }
}

fn head(file: &File) -> Result<Head, Unusable> {
    let len = file.metadata()?.len();
    let mut page = [0; HEAD_LEN];
    match file.read_exact_at(&mut page, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Refused::Damaged("length").into())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Head::read(&page, len)?),
    }
}

fn restored(file: &File, head: &Head) -> Result<Restored, Unusable> {
    let Range { start, end } = head.rows();
    let len = usize::try_from(end - start).map_err(|_| Refused::Damaged("length"))?;
    let mut rows = vec![0; len];
    file.read_exact_at(&mut rows, start)?;
    let (image, sums) = head.image(&rows)?;
    let restoring = Restoring::begin(image).ok_or(Refused::Damaged("parts"))?;
    let parts: Vec<_> =
        sums.iter().enumerate().map(|(part, sum)| (restoring.words(part), *sum)).collect();
    let shares = shares(&parts);
    if shares.last().map_or(0, |share| share.words.end) != head.words() {
        return Err(Refused::Damaged("parts").into());
    }
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut buffer = vec![0; BUFFER_LEN];
        while let Some(share) = shares.get(next.fetch_add(1, Relaxed)) {
            if is_over.load(Relaxed) {
                break;
            }
            let of = parts.get(share.parts.clone()).unwrap_or_default();
            let done = read_share(file, share, of, &restoring, &mut buffer);
            if done.is_err() {
                is_over.store(true, Relaxed);
                return done;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let others: Vec<_> = (1..threads.min(shares.len())).map(|_| scope.spawn(work)).collect();
        let ours = work();
        others.into_iter().fold(ours, |done, other| {
            let other = other.join().unwrap_or(Err(Refused::Damaged("parts").into()));
            done.and(other)
        })
    })?;
    Ok(restoring.finish())
}

/// Parts that lie together, and which words of the file they are.
struct Share {
    parts: Range<usize>,
    words: Range<u64>,
}

fn shares(parts: &[(usize, u32)]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    let mut end = 0;
    for (part, (words, _)) in parts.iter().enumerate() {
        let start = end;
        end += *words as u64;
        match shares.last_mut() {
            Some(last) if (end - last.words.start) * (WORD_LEN as u64) <= SHARE_LEN => {
                last.parts.end = part + 1;
                last.words.end = end;
            }
            Some(_) | None => shares.push(Share { parts: part..part + 1, words: start..end }),
        }
    }
    shares
}

/// Reads parts that lie together, and verifies each.
fn read_share(
    file: &File,
    share: &Share,
    parts: &[(usize, u32)],
    restoring: &Restoring,
    buffer: &mut [u8],
) -> Result<(), Unusable> {
    let mut at = HEAD_LEN as u64 + share.words.start * WORD_LEN as u64;
    let mut ready: &[u8] = &[];
    // Of the words that are not in the buffer yet.
    let mut left: usize = parts.iter().map(|(words, _)| words * WORD_LEN).sum();
    for (part, (words, expected)) in share.parts.clone().zip(parts) {
        let (mut sum, mut first) = (Sum::default(), 0);
        while first < *words {
            if ready.is_empty() {
                let len = left.min(buffer.len());
                let room = buffer.get_mut(..len).unwrap_or_default();
                file.read_exact_at(room, at)?;
                at += len as u64;
                left -= len;
                ready = room;
            }
            let (ours, rest) = ready.split_at(ready.len().min((words - first) * WORD_LEN));
            sum.add(ours);
            restoring.put(part, first, ours);
            first += ours.len() / WORD_LEN;
            ready = rest;
        }
        if sum.value() != *expected {
            return Err(Refused::Damaged("words").into());
        }
    }
    Ok(())
}
