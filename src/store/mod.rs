//! Durable state: rows, and a log that says in order what each write changed.
//!
//! One writer commits in groups; a write is rows, log entry and head in one transaction, so the log
//! has no gap and tells everything. Whoever routes follows the log ([`FeedReceiver`]): first both
//! streams' snapshots, then every entry as it commits. The store never decides where a call goes,
//! never speaks to anybody but its file, and never waits for who follows it longer than the feed's
//! bound.
//!
//! `rules/` holds what may be written, `rows/` the SQL, `tx.rs` how a write becomes an entry.

mod change;
mod error;
mod files;
mod list;
mod mirrored;
mod once;
mod possible;
mod reach;
mod readers;
mod revise;
mod rows;
mod rules;
mod schema;
mod snapshot;
mod tx;
mod warnings;
mod words;
mod writer;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{Semaphore, broadcast, oneshot, watch};
use uuid::Uuid;

pub use change::{
    AgentPatch, ApplyHow, CallChange, CallbackChange, CallbackStats, CallerId, CampaignFilter,
    DeliveryFilter, DialFate, ImportedCalls, InboundChange, MergedSegments, MergedTouches,
    NewAgent, NewCall, NewCampaign, NewKey, NewNumber, NewWebhook, NumberPatch, PlacedCall, Role,
    SettingsPatch, Sharing, StrayFate, Tried, UncoveredCaller, Until, Way, WebhookPatch,
};
pub use error::{StoreError, WriteError};
pub use list::{AgentFilter, AuditFilter, AuditPlace, CallFilter, CallPageFilter, Listed, Paging};
pub use mirrored::{MirrorChange, Mirrored};
pub use once::{Kept, Once, Repeatable};
pub use possible::Can;
pub use reach::Reach;
pub use rows::{Configured, Rows};
pub use rules::KeySecret;
pub use tx::Tx;
pub use words::{Audience, EventWords, Telling};

use crate::{
    domain::{KeyId, Purge, Retention, TenantId, UnixMillis, Warning},
    replica::{feed::Frame, snapshot::Span},
};

/// Where the log is followed from. It must be read, or dropped: the writer waits for it.
pub type FeedReceiver = tokio::sync::mpsc::Receiver<Frame>;

/// Waits for what somebody has who is about to follow: touches from a snapshot of their own.
pub type Known = Box<dyn FnOnce() -> Option<Span> + Send>;

/// Changes of call rows that may wait for a listener; past that it is told how many it missed. Some
/// seconds of a thousand calls a second.
const CALL_CHANGES_MAX: usize = 8 * 1024;

/// How the store is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database file; its folder is made where it is missing.
    pub path: PathBuf,
    /// Writes that wait at most; past that, whoever writes waits to be let in.
    pub queue_max: usize,
    /// Writes a commit at most: more make each of them wait longer than the disk needs.
    pub group_max: usize,
    /// Reads at once at most.
    pub readers: usize,
    /// Frames not yet taken by who follows; past that the writer waits.
    pub feed_max: usize,
    /// Agents without targets are answered by a configured default: no reason to warn.
    pub has_default_target: bool,
    /// After so long without a write the writer does what can wait.
    pub idle: Duration,
    /// How long what is kept; touches as long as each tenant says.
    pub retention: Retention,
    /// How subscribers are told of calls; without words nobody is.
    pub words: Option<EventWords>,
    /// What carriers can do; without it nothing is refused for what they cannot.
    pub can: Option<Can>,
}

impl Settings {
    /// The defaults, for a database file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            queue_max: 4096,
            group_max: 256,
            readers: 4,
            feed_max: 64,
            has_default_target: false,
            idle: Duration::from_secs(60),
            retention: Retention::default(),
            words: None,
            can: None,
        }
    }
}

/// Who writes, for the audit trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// With which key; `None` is the daemon itself.
    pub key: Option<KeyId>,
    /// For which tenant.
    pub tenant: Option<TenantId>,
}

/// Places in both streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// In the control log.
    pub control: u64,
    /// In the log of touches.
    pub touches: u64,
}

impl Heads {
    /// Whether both streams are at least there.
    #[must_use]
    pub const fn reach(self, other: Self) -> bool {
        self.control >= other.control && self.touches >= other.touches
    }
}

/// A write that has been committed.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// What the write answered.
    pub value: T,
    /// What it did that its writer may not have meant.
    pub warnings: Vec<Warning>,
    /// Where the log stood after it: an index that has applied this routes by it.
    pub heads: Heads,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place in the trail.
    pub id: u64,
    /// When.
    pub at: UnixMillis,
    /// With which key; `None` is the daemon itself.
    pub key: Option<KeyId>,
    /// What that key is called.
    pub key_name: Option<String>,
    /// For which tenant.
    pub tenant: Option<TenantId>,
    /// What: `agent.create`.
    pub action: String,
    /// To whom or what.
    pub subject: Option<Uuid>,
}

/// The open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    queue: mpsc::Sender<writer::Message>,
    places: Arc<Semaphore>,
    readers: readers::Readers,
    calls: broadcast::Sender<Arc<CallChange>>,
    due: watch::Sender<u64>,
    retention: Retention,
    purge: watch::Receiver<Option<Purge>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// How far a writer stands back behind the threads that answer calls (nice): with every core busy
/// it still has a third of what each of them has, and all that they leave.
const WRITER_NICE: i32 = 5;

/// Lets this thread give way to those that calls wait for. Where the system refuses, all are equal.
fn give_way() {
    // On Linux a thread's own id stands for the thread alone.
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), WRITER_NICE) {
        tracing::debug!(%error, "the store's writer keeps its priority");
    }
}

impl Store {
    /// Opens the database, brings it to the newest version, and starts the writer. The feed first
    /// brings the snapshots of both streams.
    ///
    /// # Errors
    /// The folder cannot be used, another process writes to it, or it is of a newer version.
    pub fn open(settings: &Settings) -> Result<(Self, FeedReceiver), StoreError> {
        Self::open_for(settings, Arc::default(), Box::new(|| None))
    }

    /// Opens it for somebody who may know the touches up to some place. Where the log goes on from
    /// there, the feed brings what follows instead of a snapshot of them, and a beat at its end.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_for(
        settings: &Settings,
        reach: Arc<Reach>,
        known: Known,
    ) -> Result<(Self, FeedReceiver), StoreError> {
        let (feed, receiver) = tokio::sync::mpsc::channel(settings.feed_max.max(1));
        let (queue, messages) = mpsc::channel();
        let (calls, _) = broadcast::channel(CALL_CHANGES_MAX);
        let (due, _) = watch::channel(0);
        let (purged, purge) = watch::channel(None);
        let told = writer::Told { calls: calls.clone(), due: due.clone(), purged };
        let writer = writer::Writer::open(settings, messages, (feed, known, reach), told)?;
        let readers = readers::Readers::open(settings)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                give_way();
                writer.run();
            })
            .map_err(|error| StoreError::Io(settings.path.clone(), Arc::new(error)))?;
        let places = Arc::new(Semaphore::new(settings.queue_max.max(1)));
        let writer = Mutex::new(Some(thread));
        let retention = settings.retention;
        let shared = Shared { queue, places, readers, calls, due, retention, purge, writer };
        Ok((Self { shared: Arc::new(shared) }, receiver))
    }

    /// Writes: `f` runs in the writer's thread, alone, and what it did is on disk when this
    /// returns. Where it refuses, fails or panics, nothing of it is kept. Once queued a write
    /// happens, whether or not anybody still waits for it.
    ///
    /// # Errors
    /// What `f` refuses, or the store's.
    pub async fn write<T, F>(&self, actor: Actor, f: F) -> Result<Written<T>, WriteError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(actor, |tx| {
            let value = f(tx)?;
            let done = tx.finish()?;
            Ok((Written { value, warnings: done.warnings.clone(), heads: done.heads }, done))
        })
        .await
    }

    /// Queues a write that finishes itself, and waits for its fate.
    async fn submit<V, F>(&self, actor: Actor, f: F) -> Result<V, WriteError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<(V, tx::Finished), WriteError> + Send + 'static,
        V: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let run = move |tx: Result<&mut Tx<'_>, WriteError>| -> Option<writer::Ran> {
            // A panic leaves nothing half done behind: the savepoint is rolled back.
            let run = |tx| catch_unwind(AssertUnwindSafe(|| f(tx)));
            let done = tx.and_then(|tx| run(tx).unwrap_or(Err(StoreError::Panicked.into())));
            // Where nobody waits for the answer any more, the write stands all the same.
            match done {
                Ok((value, finished)) => {
                    let reply: writer::Reply =
                        Box::new(move |fate| drop(reply.send(fate.map(|()| value))));
                    Some((finished, reply))
                }
                Err(error) => {
                    drop(reply.send(Err(error)));
                    None
                }
            }
        };
        self.queue(actor, Box::new(run)).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs a write to its end and keeps nothing of it: what it would answer and warn of. The heads
    /// are those it began at.
    ///
    /// # Errors
    /// What `f` refuses, or the store's.
    pub async fn rehearse<T, F>(&self, actor: Actor, f: F) -> Result<Written<T>, WriteError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let rehearsal = |tx: &mut Tx<'_>| {
            let (heads, value) = (tx.heads_before(), f(tx)?);
            Ok(Written { value, warnings: tx.finish()?.warnings, heads })
        };
        let run = move |tx: Result<&mut Tx<'_>, WriteError>| -> Option<writer::Ran> {
            let run = |tx| catch_unwind(AssertUnwindSafe(|| rehearsal(tx)));
            let done = tx.and_then(|tx| run(tx).unwrap_or(Err(StoreError::Panicked.into())));
            drop(reply.send(done));
            // As after a refusal, the writer takes back what was done.
            None
        };
        self.queue(actor, Box::new(run)).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Gives the writer something to run, once there is room.
    async fn queue(&self, actor: Actor, run: writer::Run) -> Result<(), StoreError> {
        let place = Arc::clone(&self.shared.places).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Closed)?;
        let job = writer::Job { actor, run, place: Some(place) };
        let sent = self.shared.queue.send(writer::Message::Write(job));
        sent.map_err(|_| StoreError::Closed)
    }

    /// Reads: everything `f` sees is of one moment, at or after every write that was answered
    /// before.
    ///
    /// # Errors
    /// What `f` answers, or the store's.
    pub async fn read<T, F>(&self, f: F) -> Result<T, WriteError>
    where
        F: FnOnce(&Rows<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        self.shared.readers.read(f).await
    }

    /// What changes about calls from now on, as it is committed, in order. Whoever does not keep up
    /// misses the oldest; the writer never waits for it.
    #[must_use]
    pub fn call_changes(&self) -> broadcast::Receiver<Arc<CallChange>> {
        self.shared.calls.subscribe()
    }

    /// Changes with every commit after which something more is to be delivered to subscribers.
    #[must_use]
    pub fn deliveries_due(&self) -> watch::Receiver<u64> {
        self.shared.due.subscribe()
    }

    /// How long what is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.shared.retention
    }

    /// What the last run of forgetting took; `None` until the first since the start is over.
    #[must_use]
    pub fn last_purge(&self) -> watch::Receiver<Option<Purge>> {
        self.shared.purge.clone()
    }

    /// Commits what is queued and ends the writer; later writes are answered
    /// [`StoreError::Closed`]. It blocks for as long as that takes.
    pub fn close(self) {
        // A writer that is gone already has nothing left to be told.
        drop(self.shared.queue.send(writer::Message::Close));
        let thread = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}
