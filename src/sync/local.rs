//! Follows the store in the same process, over a channel: the protocol of many machines, on one.

use std::{io, sync::mpsc, thread};

use tokio::sync::watch;

use crate::{
    index::{Index, Writer},
    replica::{
        feed::{Frame, Request},
        follower::Follower,
        log::Stream,
    },
    store::{FeedReceiver, Heads},
    telemetry::{clock, metrics},
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
    let run = move || run(feed, &index, writer, &sender, &ready);
    thread::Builder::new().name("index-writer".to_owned()).spawn(run)?;
    match is_ready.recv() {
        Ok(()) => Ok(applied),
        Err(_) => Err(io::Error::other("the store ended before its snapshots were whole")),
    }
}

fn run(
    mut feed: FeedReceiver,
    index: &Index,
    mut writer: Writer,
    applied: &watch::Sender<Heads>,
    ready: &mpsc::SyncSender<()>,
) {
    let mut follower = Follower::default();
    let mut is_ready = false;
    while let Some(frame) = feed.blocking_recv() {
        let started = clock::instant();
        let stream = stream_of(&frame);
        if let Some(request) = follower.follow(frame, index, &mut writer)
            && !matches!(request, Request::Ack { .. })
        {
            // The channel loses and reorders nothing: what does not follow is a fault of ours.
            tracing::error!(?request, "the log does not follow from what is known");
        }
        let seq = |stream| follower.cursor(stream).map_or(0, |cursor| cursor.seq);
        let heads = Heads { control: seq(Stream::Control), touches: seq(Stream::Touches) };
        applied.send_replace(heads);
        metrics::index_seq(name(stream), seq(stream));
        metrics::sync_lag(started.elapsed());
        if !is_ready && Stream::ALL.iter().all(|stream| follower.cursor(*stream).is_some()) {
            is_ready = true;
            metrics::sync_connected(true);
            // Whoever started us may have given up waiting.
            let _ = ready.send(());
        }
    }
    metrics::sync_connected(false);
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
