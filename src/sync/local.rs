//! Follows the store in the same process, over a channel: the protocol of many machines, on one.
//!
//! Where there are snapshot files ([`super::snapshots`]), the touches come from the newest that is
//! whole, read while the store opens, and the store sends what follows.

use std::{
    io,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use tokio::sync::watch;

use super::snapshots::{self, Found, Keeping, Start, Turn, turn};
use crate::{
    domain::Target,
    index::{Index, Writer},
    replica::{
        feed::{Frame, Request},
        follower::Follower,
        log::{Cursor, Stream},
        snapshot::Span,
    },
    store::{FeedReceiver, Heads, Known, Reach},
    telemetry::{
        clock,
        metrics::{self, SnapshotFate},
    },
};

/// How far the index of this process has come; a write has been applied once this reaches it.
pub type Applied = watch::Receiver<Heads>;

/// Follows until the store closes. Returns once both streams' snapshots are in the index.
///
/// # Errors
/// No thread can be had, or the store ended before its snapshots were whole.
pub fn follow(feed: FeedReceiver, index: Index, writer: Writer) -> io::Result<Applied> {
    let (sender, applied) = watch::channel(Heads::default());
    let (ready, is_ready) = mpsc::sync_channel(1);
    let begun = clock::instant();
    let run = move || {
        let follower = Follower::default();
        let applier = Applier::new((index, writer), follower, sender, begun, ready, None);
        applier.run(feed)
    };
    thread::Builder::new().name(THREAD.to_owned()).spawn(run)?;
    match is_ready.recv() {
        Ok(_) => Ok(applied),
        Err(_) => Err(ended()),
    }
}

const THREAD: &str = "index-writer";

fn ended() -> io::Error {
    io::Error::other("the store ended before its snapshots were whole")
}

/// An index that is being filled from a snapshot file, if there is one, before the store is open.
pub struct Filling {
    reach: Arc<Reach>,
    known: Option<mpsc::Receiver<Option<Span>>>,
    feed: mpsc::SyncSender<FeedReceiver>,
    is_ready: mpsc::Receiver<Index>,
    applied: Applied,
}

impl Filling {
    /// Begins to read; nothing is counted before [`Filling::follow`]. `default_target` is the
    /// index's.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn begin(
        settings: snapshots::Settings,
        default_target: Option<Target>,
    ) -> io::Result<Self> {
        let begun = clock::instant();
        let reach = Arc::<Reach>::default();
        let found = Found::look(&settings, &reach);
        let (sender, applied) = watch::channel(Heads::default());
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (tell, known) = mpsc::sync_channel(1);
        let (feed, feeds) = mpsc::sync_channel(1);
        let shared = Arc::clone(&reach);
        let run = move || {
            let Start { taken, kept, refused } = found.read();
            // Whoever started us may have given up, here and below.
            let _ = tell.send(taken.as_ref().map(|(_, span)| *span));
            let was_taken = taken.is_some();
            let (index, follower) = match taken {
                Some((restored, span)) => {
                    (restored.open(default_target), Follower::knowing(span.since))
                }
                None => (Index::new(default_target), Follower::default()),
            };
            let Ok(feed) = feeds.recv() else { return };
            // The store is open, so that the files are ours, and there are metrics.
            refused.into_iter().for_each(metrics::snapshot);
            let keeping = Some(Keeping::new(settings, shared, kept, was_taken));
            Applier::new(index, follower, sender, begun, ready, keeping).run(feed);
        };
        thread::Builder::new().name(THREAD.to_owned()).spawn(run)?;
        Ok(Self { reach, known: Some(known), feed, is_ready, applied })
    }

    /// What the store is to be opened for.
    pub fn known(&mut self) -> (Arc<Reach>, Known) {
        let known = self.known.take();
        let wait = move || known?.recv().ok()?;
        (Arc::clone(&self.reach), Box::new(wait))
    }

    /// Follows until the store closes. Returns once everything that the store had when it was
    /// opened is in the index.
    ///
    /// # Errors
    /// The store ended before.
    pub fn follow(self, feed: FeedReceiver) -> io::Result<(Index, Applied)> {
        self.feed.send(feed).map_err(|_| ended())?;
        let index = self.is_ready.recv().map_err(|_| ended())?;
        Ok((index, self.applied))
    }
}

/// The one who changes the index.
struct Applier {
    index: Index,
    writer: Writer,
    follower: Follower,
    sender: watch::Sender<Heads>,
    begun: Instant,
    /// Told once everything is there.
    ready: Option<mpsc::SyncSender<Index>>,
    keeping: Option<Keeping>,
    /// Which streams are whole.
    whole: [bool; 2],
}

impl Applier {
    fn new(
        (index, writer): (Index, Writer),
        follower: Follower,
        sender: watch::Sender<Heads>,
        begun: Instant,
        ready: mpsc::SyncSender<Index>,
        keeping: Option<Keeping>,
    ) -> Self {
        let (ready, whole) = (Some(ready), [false; 2]);
        Self { index, writer, follower, sender, begun, ready, keeping, whole }
    }

    fn run(mut self, feed: FeedReceiver) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.follow(feed)),
            Err(error) => tracing::error!(%error, "the log cannot be followed"),
        }
        metrics::sync_connected(false);
    }

    async fn follow(&mut self, mut feed: FeedReceiver) {
        loop {
            tokio::select! {
                frame = feed.recv() => match frame {
                    Some(frame) => self.take(frame),
                    None => return,
                },
                turn = turn(self.keeping.as_mut()), if self.ready.is_none() => self.go_on(turn),
            }
            if self.ready.is_none()
                && let Some(at) = self.touches()
                && let Some(keeping) = &mut self.keeping
            {
                keeping.look(&self.index, at);
            }
        }
    }

    fn touches(&self) -> Option<Cursor> {
        self.follower.cursor(Stream::Touches)
    }

    fn take(&mut self, frame: Frame) {
        let started = clock::instant();
        let (stream, is_end) = (stream_of(&frame), is_end(&frame));
        self.prepare(&frame);
        if let Some(request) = self.follower.follow(frame, &self.index, &mut self.writer)
            && !matches!(request, Request::Ack { .. })
        {
            // The channel loses and reorders nothing: what does not follow is a fault of ours.
            tracing::error!(?request, "the log does not follow from what is known");
        }
        let seq = |stream| self.follower.cursor(stream).map_or(0, |cursor| cursor.seq);
        let heads = Heads { control: seq(Stream::Control), touches: seq(Stream::Touches) };
        self.sender.send_replace(heads);
        metrics::index_seq(name(stream), seq(stream));
        metrics::sync_lag(started.elapsed());
        if is_end
            && self.ready.is_some()
            && self.follower.cursor(stream).is_some()
            && let Some(whole) = self.whole.get_mut(usize::from(stream.as_u8()))
        {
            *whole = true;
            if self.whole == [true; 2] {
                self.tell_ready();
            }
        }
    }

    fn tell_ready(&mut self) {
        metrics::sync_connected(true);
        let took = self.begun.elapsed();
        metrics::index_filled(took);
        let was_taken = self.keeping.as_ref().is_some_and(Keeping::was_taken);
        if was_taken {
            metrics::snapshot(SnapshotFate::Taken);
        }
        let from = if was_taken { "a snapshot and the log" } else { "the store" };
        let (contacts, took_ms) = (self.index.contacts(), took.as_millis());
        tracing::info!(from, contacts, took_ms, "the index is filled");
        if let Some(ready) = self.ready.take() {
            // Whoever started us may have given up waiting.
            let _ = ready.send(self.index.clone());
        }
    }

    fn go_on(&mut self, turn: Turn) {
        let Some(keeping) = &mut self.keeping else { return };
        match turn {
            Turn::Look => {}
            Turn::Copy(room) => {
                if let Some(at) = self.follower.cursor(Stream::Touches) {
                    keeping.copy(room, &self.writer, at);
                }
            }
            Turn::Done(written) => keeping.done(written),
        }
    }

    /// What a frame of touches means for the snapshot files.
    fn prepare(&mut self, frame: &Frame) {
        let Some(keeping) = &mut self.keeping else { return };
        match frame {
            Frame::Batch { stream: Stream::Touches, entries, .. } => {
                keeping.applied(entries.iter().map(|entry| entry.body.len() as u64).sum());
            }
            Frame::Resync { stream: Stream::Touches } if self.ready.is_some() => {
                // What was read is of another history: as if it had never been.
                keeping.forget();
                self.follower = std::mem::take(&mut self.follower).without(Stream::Touches);
                self.writer.replace_touches(&[]);
            }
            Frame::Snapshot { stream: Stream::Touches, .. } => keeping.replaced(),
            Frame::Batch { .. }
            | Frame::Beat { .. }
            | Frame::Resync { .. }
            | Frame::Snapshot { .. } => {}
        }
    }
}

/// Whether all that there was is there with it.
const fn is_end(frame: &Frame) -> bool {
    matches!(frame, Frame::Beat { .. } | Frame::Snapshot { last: true, .. })
}

const fn stream_of(frame: &Frame) -> Stream {
    match frame {
        Frame::Snapshot { stream, .. }
        | Frame::Batch { stream, .. }
        | Frame::Beat { stream, .. }
        | Frame::Resync { stream } => *stream,
    }
}

const fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Control => "control",
        Stream::Touches => "touches",
    }
}
