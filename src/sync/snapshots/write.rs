//! Writes snapshot files: who applies the log copies a little of the table at a time, between two
//! frames, and a thread of its own writes it. Applying waits for no disk, and gives at most a fifth
//! of its time.

use std::{
    fs::{self, File, OpenOptions},
    future,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{
        mpsc::{self, OwnedPermit},
        oneshot,
    },
    time::sleep_until,
};

use super::{Kept, Settings, Which};
use crate::{
    index::{Image, Index, Part, Writer},
    replica::{
        log::Cursor,
        snapshot::{self, HEAD_LEN, Span, Sum, WORD_LEN},
    },
    store::Reach,
    telemetry::{
        clock,
        metrics::{self, SnapshotFate},
    },
};

/// Copying goes on for so long at a time; a part is copied whole, in the fifth of a millisecond
/// where there are ten million contacts.
const SLICE: Duration = Duration::from_micros(200);
/// For each slice, applying has so many times as long for itself.
const PAUSES: u32 = 4;
/// Slices on their way to the disk: a megabyte or two. Past that, copying waits.
const SLICES_MAX: usize = 8;
/// Written between two syncs, so that commits of the store never wait for more than this.
const SYNCED_LEN: u64 = 8 << 20;
/// Only its owner may read it.
const FILE_MODE: u32 = 0o600;
/// Between two looks at whether a file is due by its age.
const LOOK: Duration = Duration::from_secs(60);

/// Keeps the files up to date.
pub(in crate::sync) struct Keeping {
    settings: Settings,
    reach: Arc<Reach>,
    kept: Kept,
    /// When the newest was begun, or the process.
    begun: Instant,
    /// Bytes of entries since then.
    bytes: u64,
    not_before: Instant,
    writing: Option<Writing>,
    /// The index was filled from one of them.
    was_taken: bool,
}

/// A file on its way.
struct Writing {
    since: Cursor,
    parts: Vec<Part>,
    /// None: everything has been handed over.
    sink: Option<mpsc::Sender<Piece>>,
    next_slice: Instant,
    bytes_before: u64,
    done: oneshot::Receiver<io::Result<u64>>,
}

/// What is handed over to be written.
enum Piece {
    /// Words of parts, with how many each has.
    Words(Vec<u64>, Vec<usize>),
    /// It is whole. The newest file becomes the one before it, if that is of use.
    End { image: Box<Image>, span: Span, keeps_newest: bool },
}

/// What is to be done next.
pub(in crate::sync) enum Turn {
    /// To look whether a file is due.
    Look,
    Copy(Room),
    /// A file was written, or not.
    Done(io::Result<u64>),
}

/// Room for a slice.
pub(in crate::sync) struct Room(OwnedPermit<Piece>);

impl Keeping {
    /// Begins to keep the files, and deletes what is of no use of those that are there.
    pub(in crate::sync) fn new(
        settings: Settings,
        reach: Arc<Reach>,
        kept: Kept,
        was_taken: bool,
    ) -> Self {
        settings.remove(Which::New);
        let now = clock::instant();
        let mut keeping = Self {
            settings,
            reach,
            kept,
            begun: now,
            bytes: 0,
            not_before: now,
            writing: None,
            was_taken,
        };
        for which in Which::WHOLE {
            if keeping.kept.place(which).is_none_or(|place| place.is_none()) {
                keeping.settings.remove(which);
            }
        }
        keeping.tell();
        keeping
    }

    /// Whether the index was filled from one of the files.
    pub(in crate::sync) const fn was_taken(&self) -> bool {
        self.was_taken
    }

    /// The store's log does not go on from the file that was taken.
    pub(in crate::sync) fn forget(&mut self) {
        metrics::snapshot(SnapshotFate::Unknown);
        tracing::warn!("a snapshot is refused: the store's log does not go on from it");
        Which::WHOLE.into_iter().for_each(|which| self.settings.remove(which));
        self.kept = Kept::default();
        self.was_taken = false;
        self.tell();
    }

    /// So many bytes of entries have been applied.
    pub(in crate::sync) const fn applied(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Everything was replaced: what is half copied is of two histories.
    pub(in crate::sync) fn replaced(&mut self) {
        self.give_up();
    }

    /// Deletes what is void, and begins a file where one is due.
    pub(in crate::sync) fn look(&mut self, index: &Index, at: Cursor) {
        let floor = self.reach.floor();
        for which in Which::WHOLE {
            let place = self.kept.place(which).and_then(|place| place.take_if(|seq| *seq < floor));
            if place.is_some() {
                metrics::snapshot(SnapshotFate::Void);
                self.settings.remove(which);
                self.tell();
            }
        }
        let is_void = |writing: &Writing| writing.sink.is_some() && writing.since.seq < floor;
        if self.writing.as_ref().is_some_and(is_void) {
            self.give_up();
        }
        if self.writing.is_none()
            && at.seq >= floor
            && index.contacts() >= self.settings.contacts_min
        {
            let now = clock::instant();
            if now >= self.not_before && self.is_due(at, now) {
                self.begin(at, now);
            }
        }
    }

    fn is_due(&self, at: Cursor, now: Instant) -> bool {
        let is_old = || {
            self.bytes >= self.settings.bytes_due
                || now.duration_since(self.begun) >= self.settings.age_due
        };
        self.kept.newest.is_none_or(|seq| seq < at.seq && is_old())
    }

    fn begin(&mut self, since: Cursor, now: Instant) {
        self.not_before = now + self.settings.pause;
        let (sink, pieces) = mpsc::channel(SLICES_MAX);
        let (tell, done) = oneshot::channel();
        let settings = self.settings.clone();
        let write = move || drop(tell.send(write(&settings, pieces)));
        let thread = thread::Builder::new().name("snapshot-writer".to_owned()).spawn(write);
        if let Err(error) = thread {
            self.failed(&error);
            return;
        }
        self.begun = now;
        let (parts, bytes_before) = (Vec::new(), self.bytes);
        let sink = Some(sink);
        self.writing = Some(Writing { since, parts, sink, next_slice: now, bytes_before, done });
    }

    /// Waits for what is to be done next. Where it is no longer waited for, nothing is lost.
    pub(in crate::sync) async fn turn(&mut self) -> Turn {
        let Some(writing) = &mut self.writing else {
            tokio::time::sleep(LOOK).await;
            return Turn::Look;
        };
        if let Some(sink) = &writing.sink {
            sleep_until(writing.next_slice.into()).await;
            // Where nobody takes it any more, that one says why.
            if let Ok(permit) = sink.clone().reserve_owned().await {
                return Turn::Copy(Room(permit));
            }
        }
        let done = (&mut writing.done).await;
        Turn::Done(done.unwrap_or_else(|_| Err(io::Error::other("its thread ended"))))
    }

    /// Copies a slice.
    pub(in crate::sync) fn copy(&mut self, Room(room): Room, writer: &Writer, at: Cursor) {
        let keeps_newest = self.kept.newest.is_some();
        let Some(writing) = &mut self.writing else { return };
        let started = clock::instant();
        let Writing { since, parts, .. } = writing;
        if parts.len() == writer.parts() {
            let image = Box::new(writer.image_of(std::mem::take(parts)));
            let span = Span { since: *since, until: at };
            room.send(Piece::End { image, span, keeps_newest });
            writing.sink = None;
            return;
        }
        let (mut words, mut lens) = (Vec::new(), Vec::new());
        while parts.len() < writer.parts() && started.elapsed() < SLICE {
            let before = words.len();
            parts.push(writer.copy_part(parts.len(), &mut words));
            lens.push(words.len() - before);
        }
        room.send(Piece::Words(words, lens));
        writing.next_slice = clock::instant() + started.elapsed() * PAUSES;
    }

    /// Takes note of what became of a file.
    pub(in crate::sync) fn done(&mut self, written: io::Result<u64>) {
        let Some(Writing { since, bytes_before, .. }) = self.writing.take() else { return };
        match written {
            Ok(bytes) => {
                let took = self.begun.elapsed();
                metrics::snapshot_written(bytes, took);
                tracing::info!(bytes, took_ms = took.as_millis(), "a snapshot is written");
                self.bytes -= bytes_before;
                let before = self.kept.newest;
                self.kept = Kept { newest: Some(since.seq), before: before.or(self.kept.before) };
                self.tell();
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &io::Error) {
        metrics::snapshot(SnapshotFate::Failed);
        tracing::error!(%error, "a snapshot could not be written");
    }

    /// Its thread deletes what it has written.
    fn give_up(&mut self) {
        if self.writing.take_if(|writing| writing.sink.is_some()).is_some() {
            metrics::snapshot(SnapshotFate::Void);
        }
    }

    /// Tells the store what has to be kept of its log.
    fn tell(&self) {
        match self.kept.needed() {
            Some(seq) => self.reach.need(seq),
            None => self.reach.need_nothing(),
        }
    }
}

/// What is to be done next, where files are kept.
pub(in crate::sync) async fn turn(keeping: Option<&mut Keeping>) -> Turn {
    match keeping {
        Some(keeping) => keeping.turn().await,
        None => future::pending().await,
    }
}

/// Writes a file, and puts it in the place of the newest. How long it is.
fn write(settings: &Settings, pieces: mpsc::Receiver<Piece>) -> io::Result<u64> {
    let path = settings.path(Which::New);
    let written = write_new(settings, pieces);
    if written.is_err() {
        // What is left of it the next start deletes as well.
        drop(super::remove(&path));
    }
    written
}

fn write_new(settings: &Settings, mut pieces: mpsc::Receiver<Piece>) -> io::Result<u64> {
    let path = settings.path(Which::New);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&path)?;
    let mut file = BufWriter::new(file);
    file.write_all(&[0; HEAD_LEN])?;
    let (mut sums, mut all, mut unsynced) = (Vec::new(), 0, 0);
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Words(mut words, lens)) => {
                words.iter_mut().for_each(|word| *word = word.to_le());
                let mut rest: &[u64] = &words;
                for len in lens {
                    let (part, after) = rest.split_at(len.min(rest.len()));
                    rest = after;
                    let mut sum = Sum::default();
                    sum.add(bytemuck::cast_slice(part));
                    sums.push(sum.value());
                }
                file.write_all(bytemuck::cast_slice(&words))?;
                all += words.len() as u64;
                unsynced += (words.len() * WORD_LEN) as u64;
                if unsynced >= SYNCED_LEN {
                    unsynced = 0;
                    file.flush()?;
                    file.get_ref().sync_data()?;
                }
            }
            Some(Piece::End { image, span, keeps_newest }) => {
                let (head, rows) = snapshot::frame(&image, &sums, all, &span);
                file.write_all(&rows)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&head)?;
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                let len = file.metadata()?.len();
                put_in_place(settings, keeps_newest)?;
                return Ok(len);
            }
            None => return Err(io::Error::other("it was given up")),
        }
    }
}

fn put_in_place(settings: &Settings, keeps_newest: bool) -> io::Result<()> {
    let path = |which| settings.path(which);
    if keeps_newest {
        match fs::rename(path(Which::Newest), path(Which::Before)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(path(Which::New), path(Which::Newest))?;
    // The names are on disk once their folder is.
    match settings.database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
