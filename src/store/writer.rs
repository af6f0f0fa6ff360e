//! The one thread that writes: group commit, then the answers, then the feed.
//!
//! Writes that wait together share a commit, since a commit costs a disk's sync and a write hardly
//! anything. Each runs in a savepoint of its own, so that one that is refused takes nothing of the
//! others with it.

use std::{
    fs::File,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc::Sender, watch};
use uuid::{ContextV7, Uuid};

use super::{
    Actor, CallChange, Known, Reach, Rows, Settings, StoreError, Tx, WriteError, files, schema,
    tx::Finished,
};
use crate::{
    domain::{Purge, Purged, UnixMillis},
    replica::{
        feed::Frame,
        log::{Entry, Stream},
    },
    telemetry::{clock, metrics},
};

/// How often old rows are forgotten.
const FORGET_EVERY_MS: u64 = 24 * 3600 * 1000;
/// How often the database may be rewritten whole.
const COMPACT_EVERY_MS: u64 = 3600 * 1000;

/// What the writer is told.
pub(super) enum Message {
    Write(Job),
    Close,
}

/// A write that waits.
pub(super) struct Job {
    pub(super) actor: Actor,
    pub(super) run: Run,
    /// Its place in the queue, given back when it has been answered.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Runs a write to its end, or answers that it cannot run. `None`: refused, and answered already.
pub(super) type Run = Box<dyn FnOnce(Result<&mut Tx<'_>, WriteError>) -> Option<Ran> + Send>;
/// A write that its rule accepted: what it leaves to be committed, and who is to be answered.
pub(super) type Ran = (Finished, Reply);
/// Answers such a write, once its fate is known.
pub(super) type Reply = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

/// Who is told of commits, besides those that follow the log.
pub(super) struct Told {
    pub(super) calls: broadcast::Sender<Arc<CallChange>>,
    pub(super) due: watch::Sender<u64>,
    pub(super) purged: watch::Sender<Option<Purge>>,
}

pub(super) struct Writer {
    conn: Connection,
    messages: Receiver<Message>,
    feed: Option<Sender<Frame>>,
    /// What who follows knows already; asked once.
    known: Option<Known>,
    reach: Arc<Reach>,
    told: Told,
    ids: ContextV7,
    epoch: Uuid,
    forget_due: UnixMillis,
    /// The write-ahead log still has what was to leave no trace.
    must_fold: bool,
    /// The slack of the database's pages may still have it.
    must_compact: bool,
    compact_due: UnixMillis,
    settings: Settings,
    /// Held as long as the writer lives.
    _lock: File,
}

/// A group on its way to the disk.
#[derive(Default)]
struct Group {
    replies: Vec<(Reply, Option<OwnedSemaphorePermit>)>,
    entries: Vec<(Stream, Entry)>,
    calls: Vec<CallChange>,
    leaves_no_trace: bool,
    is_due: bool,
}

impl Writer {
    pub(super) fn open(
        settings: &Settings,
        messages: Receiver<Message>,
        (feed, known, reach): (Sender<Frame>, Known, Arc<Reach>),
        told: Told,
    ) -> Result<Self, StoreError> {
        let lock = files::claim(&settings.path)?;
        let conn = files::writable(&settings.path)?;
        schema::migrate(&conn)?;
        let epoch = schema::epoch(&conn)?;
        // The last process may not have come to it.
        let must_compact = Rows::new(&conn).has_erased().unwrap_or(true);
        Ok(Self {
            conn,
            messages,
            feed: Some(feed),
            known: Some(known),
            reach,
            told,
            ids: ContextV7::new(),
            epoch,
            forget_due: UnixMillis(0),
            must_fold: false,
            must_compact,
            compact_due: UnixMillis(0),
            settings: settings.clone(),
            _lock: lock,
        })
    }

    pub(super) fn run(mut self) {
        // Before the snapshot, so that what is too old to matter is not even loaded; and unheard,
        // since the feed begins with the snapshot.
        let feed = self.feed.take();
        let mut goes_on = self.forget_old();
        self.feed = feed;
        self.note_floor();
        if let Err(error) = self.publish_snapshots() {
            if self.feed.is_some() {
                tracing::error!(%error, "the store cannot be read; nothing is routed from it");
            }
            self.feed = None;
        }
        while goes_on {
            goes_on = match self.messages.recv_timeout(self.settings.idle) {
                Ok(Message::Write(job)) => self.commit_group(job) && self.forget_old(),
                Err(RecvTimeoutError::Timeout) => {
                    self.fold();
                    self.compact();
                    self.forget_old()
                }
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => false,
            };
        }
        // Folds the write-ahead log into the database. Where that fails, the next start does it.
        drop(self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
    }

    /// What who follows begins with, all of one moment: snapshots of both streams, or of touches
    /// what follows the snapshot that they have.
    fn publish_snapshots(&mut self) -> Result<(), WriteError> {
        self.conn.execute_batch("BEGIN")?;
        let (rows, feed) = (Rows::new(&self.conn), &mut self.feed);
        let mut hand_over = |frame| {
            publish(feed, frame);
            // Nobody follows: the rest need not be read.
            if feed.is_some() { Ok(()) } else { Err(StoreError::Closed.into()) }
        };
        let known = self.known.take();
        let mut done = rows.snapshot::<WriteError>(Stream::Control, &mut hand_over);
        if done.is_ok() {
            done = begin_touches(&rows, known, hand_over);
        }
        self.conn.execute_batch("ROLLBACK")?;
        done
    }

    /// Tells how far back the log goes. Where it cannot be read, nothing before now is of use.
    fn note_floor(&self) {
        let floor = Rows::new(&self.conn).floor(Stream::Touches);
        self.reach.set_floor(floor.unwrap_or(u64::MAX));
    }

    /// Commits what waits, up to a limit. False: it was told to end.
    fn commit_group(&mut self, first: Job) -> bool {
        let started = clock::instant();
        if let Err(error) = self.conn.execute_batch("BEGIN IMMEDIATE") {
            (first.run)(Err(error.into()));
            return true;
        }
        let mut group = Group::default();
        let mut goes_on = true;
        let mut taken = self.take(first, &mut group);
        for _ in 1..self.settings.group_max {
            if taken.is_err() {
                break;
            }
            match self.messages.try_recv() {
                Ok(Message::Write(job)) => taken = self.take(job, &mut group),
                Err(TryRecvError::Empty) => break,
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => {
                    goes_on = false;
                    break;
                }
            }
        }
        self.commit(taken, group);
        metrics::store_commit(started.elapsed());
        goes_on
    }

    /// Runs one write in its savepoint. An error is the whole group's: SQLite rolls everything back
    /// by itself when the disk is full or broken, and then the savepoint is gone too.
    fn take(&self, job: Job, group: &mut Group) -> Result<(), StoreError> {
        let Job { actor, run, place } = job;
        if let Err(error) = self.conn.execute_batch("SAVEPOINT job") {
            let error = StoreError::from(error);
            run(Err(error.clone().into()));
            return Err(error);
        }
        let (rows, now) = (Rows::new(&self.conn), clock::now());
        let begun = Tx::begin(rows, &self.ids, actor, now, &self.settings);
        let mut tx = match begun {
            Ok(tx) => tx,
            Err(error) => {
                run(Err(error));
                return self.undo();
            }
        };
        let Some((finished, reply)) = run(Ok(&mut tx)) else { return self.undo() };
        group.leaves_no_trace |= finished.leaves_no_trace;
        group.entries.extend(finished.entries);
        group.calls.extend(finished.calls);
        group.is_due |= finished.is_due;
        group.replies.push((reply, place));
        Ok(self.conn.execute_batch("RELEASE job")?)
    }

    fn undo(&self) -> Result<(), StoreError> {
        Ok(self.conn.execute_batch("ROLLBACK TO job; RELEASE job")?)
    }

    /// Commits the group, or says to everybody in it that it did not happen.
    fn commit(&mut self, taken: Result<(), StoreError>, group: Group) {
        let committed = taken.and_then(|()| Ok(self.conn.execute_batch("COMMIT")?));
        match committed {
            Ok(()) => {
                if group.leaves_no_trace {
                    self.note_floor();
                }
                self.must_fold |= group.leaves_no_trace;
                self.must_compact |= group.leaves_no_trace;
                self.fold();
                for (reply, _place) in group.replies {
                    reply(Ok(()));
                }
                self.publish_entries(group.entries);
                for change in group.calls {
                    // Nobody has to listen.
                    drop(self.told.calls.send(Arc::new(change)));
                }
                if group.is_due {
                    self.told.due.send_modify(|commits| *commits = commits.wrapping_add(1));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a group of writes could not be committed");
                // SQLite may have rolled back by itself; then this has nothing to do. The next
                // write starts from what is on disk.
                drop(self.conn.execute_batch("ROLLBACK"));
                for (reply, ..) in group.replies {
                    reply(Err(WriteError::Store(error.clone())));
                }
            }
        }
    }

    /// Where something was to leave no trace: folds the write-ahead log into the database and cuts
    /// it to nothing. A read that is under way puts it off until the next commit, or a minute.
    fn fold(&mut self) {
        if !self.must_fold {
            return;
        }
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy = self.conn.query_row(sql, [], |row| row.get::<_, bool>(0));
        match is_busy {
            Ok(is_busy) => self.must_fold = is_busy,
            Err(error) => tracing::error!(%error, "the write-ahead log could not be folded"),
        }
    }

    /// Rewrites the database, once nobody has written for a while: SQLite overwrites what it
    /// deletes, but where it moved a row to another page before, the old page may keep a copy.
    fn compact(&mut self) {
        let now = clock::now();
        if !self.must_compact || now < self.compact_due {
            return;
        }
        self.compact_due = UnixMillis(now.0 + COMPACT_EVERY_MS);
        // Not in memory: it takes as much room as the database.
        let sql = "PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY";
        match self.conn.execute_batch(sql) {
            Ok(()) => {
                self.must_compact = false;
                self.must_fold = true;
                self.fold();
            }
            Err(error) => tracing::error!(%error, "the database could not be rewritten"),
        }
    }

    fn publish_entries(&mut self, all: Vec<(Stream, Entry)>) {
        let (control, touches): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(stream, _)| *stream == Stream::Control);
        for (stream, of_stream) in [(Stream::Control, control), (Stream::Touches, touches)] {
            let entries: Vec<_> = of_stream.into_iter().map(|(_, entry)| entry).collect();
            if !entries.is_empty() {
                publish(&mut self.feed, Frame::Batch { stream, epoch: self.epoch, entries });
            }
        }
    }

    /// Once a day, forgets what is too old: writes like any other, so that who follows forgets it
    /// too, and others may share their commits. False: it was told to end.
    fn forget_old(&mut self) -> bool {
        let now = clock::now();
        if now < self.forget_due {
            return true;
        }
        self.forget_due = UnixMillis(now.0 + FORGET_EVERY_MS);
        let mut whole = Purged::default();
        loop {
            let (sender, done) = std::sync::mpsc::channel();
            let needed = self.reach.needed();
            let forget = move |tx: &mut Tx<'_>| Ok((tx.forget_some(needed)?, tx.finish()?));
            let run: Run = Box::new(move |tx| match tx.and_then(forget) {
                Ok((forgotten, finished)) => {
                    let reply: Reply = Box::new(move |fate| {
                        // The receiver below outlives this.
                        let _ = sender.send(fate.map(|()| forgotten));
                    });
                    Some((finished, reply))
                }
                Err(error) => {
                    tracing::error!(%error, "old rows could not be forgotten");
                    None
                }
            });
            if !self.commit_group(Job { actor: Actor::default(), run, place: None }) {
                return false;
            }
            // Refused or not committed: what it says of the last run stays.
            let Ok(Ok((purged, is_more))) = done.recv() else { return true };
            metrics::purged(&purged);
            whole.append(&purged);
            if !is_more {
                self.note_floor();
                self.told.purged.send_replace(Some(Purge { at: now, purged: whole }));
                return true;
            }
        }
    }
}

/// Hands over the touches, or of them what follows the snapshot that somebody has.
fn begin_touches(
    rows: &Rows<'_>,
    known: Option<Known>,
    mut hand_over: impl FnMut(Frame) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let stream = Stream::Touches;
    if let Some(span) = known.and_then(|known| known()) {
        if rows.goes_on(stream, &span)? {
            return rows.tail(stream, &span.since, clock::now(), hand_over);
        }
        hand_over(Frame::Resync { stream })?;
    }
    rows.snapshot(stream, hand_over)
}

/// Hands a frame on; who no longer follows is not waited for again.
fn publish(feed: &mut Option<Sender<Frame>>, frame: Frame) {
    if let Some(sender) = feed
        && sender.blocking_send(frame).is_err()
    {
        *feed = None;
    }
}
