//! From the edge's queue to the store's rows, in groups; and back: what the rows tell, for logs
//! and onlookers, and the return context.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        mpsc, watch,
    },
    task::JoinHandle,
    time::Instant,
};

use crate::{
    calls::{Entry, Feed, Live, Strays, journal::Decided},
    domain::{CallRecord, Direction, StrayEvent, TraceStep, UnixMillis},
    index::Index,
    routing,
    runtime::Sources,
    store::{Actor, CallChange, Store, StrayFate, WriteError},
    telemetry::{metrics, redact},
};

/// Entries a commit.
const GROUP_MAX: usize = 1024;

/// From one commit's beginning to the next's, unless a group is full. Rows that are written
/// together share pages and the disk's sync, and what is done behind the answers takes from who
/// answers. A call that comes alone waits for nothing.
const PACE: Duration = Duration::from_millis(20);

/// Entries a write. SQLite can undo each of a write's statements, and what it keeps for that grows
/// with the write: with all of a group in one, a third of the writer's time went into it.
const WRITE_MAX: usize = 16;

/// How long a stop waits for the last rows.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// The tasks that keep what becomes known of calls, and tell it.
pub(super) struct Keeping {
    kept: JoinHandle<()>,
    told: JoinHandle<()>,
    end: watch::Sender<bool>,
}

impl Keeping {
    pub(super) fn start(
        entries: mpsc::Receiver<Entry>,
        (events, strays): (mpsc::Receiver<StrayEvent>, Strays),
        store: &Store,
        (live, index): (&Arc<Live>, &Index),
    ) -> Self {
        let (end, is_ended) = watch::channel(false);
        let told = tokio::spawn(tell(store.call_changes(), Arc::clone(live), is_ended));
        let kept = keep(entries, (events, strays), store.clone(), index.clone());
        Self { kept: tokio::spawn(kept), told, end }
    }

    /// Once both queues are closed: everything in them is written and told, and the store closed.
    pub(super) async fn finish(self, store: Store) {
        if tokio::time::timeout(FINISH_MAX, self.kept).await.is_err() {
            tracing::error!("call updates were lost: the store does not keep up");
        }
        drop(tokio::task::spawn_blocking(move || store.close()).await);
        self.end.send_replace(true);
        drop(self.told.await);
    }
}

/// Writes what is known of calls, and takes in what is told of calls that are not live here, until
/// the last senders of both are gone. They are two queues and one order: what is told once more of
/// a call's end must not be written before that end is.
async fn keep(
    mut entries: mpsc::Receiver<Entry>,
    (mut events, strays): (mpsc::Receiver<StrayEvent>, Strays),
    store: Store,
    index: Index,
) {
    let (mut group, mut told) = (Vec::with_capacity(GROUP_MAX), Vec::new());
    let (mut has_entries, mut has_events) = (true, true);
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        tokio::select! {
            biased;
            count = entries.recv_many(&mut group, GROUP_MAX), if has_entries => {
                has_entries = count > 0;
            }
            () = std::future::ready(()), if !told.is_empty() => {}
            count = events.recv_many(&mut told, GROUP_MAX), if has_events => has_events = count > 0,
            else => return,
        }
        // In this order: whatever was entered before an event that is taken here is taken too.
        take_waiting(&mut events, &mut told);
        take_waiting(&mut entries, &mut group);
        let is_full = group.len() == GROUP_MAX;
        next = Instant::now();
        if !is_full && told.len() < GROUP_MAX {
            next += PACE;
        }
        let mut writes = Vec::with_capacity(GROUP_MAX.div_ceil(WRITE_MAX));
        while !group.is_empty() {
            let some = group.drain(..group.len().min(WRITE_MAX)).collect();
            writes.push(write(some, &store, &index));
        }
        // Queued in their order, committed together.
        let lost = join_all(writes).await.into_iter().filter_map(Result::err);
        let lost = lost.reduce(|(count, _), (more, error)| (count + more, error));
        if let Some((count, error)) = lost {
            tracing::error!(%error, count, "call updates were lost");
        }
        if !is_full && !told.is_empty() {
            take_strays(std::mem::take(&mut told), &strays, &store).await;
        }
    }
}

/// Takes what waits in a queue, up to a group.
fn take_waiting<T>(queue: &mut mpsc::Receiver<T>, group: &mut Vec<T>) {
    while group.len() < GROUP_MAX
        && let Ok(one) = queue.try_recv()
    {
        group.push(one);
    }
}

/// Writes them all or none; how many that is where it does not.
async fn write(
    entries: Vec<Entry>,
    store: &Store,
    index: &Index,
) -> Result<(), (usize, WriteError)> {
    let (count, index) = (entries.len(), index.clone());
    let written = store.write(Actor::default(), move |tx| {
        for entry in entries {
            let (update, decided) = entry.read();
            let mut patch = update.patch;
            patch.trace = patch.trace.or_else(|| decided.map(|decided| trace(&index, &decided)));
            match tx.upsert_call(&patch) {
                Ok(_) => {}
                // Of a call or a tenant that is gone; the others of the group are not to blame.
                Err(WriteError::Refused(refusal)) => {
                    let trace_id = patch.id.trace_id();
                    tracing::warn!(
                        call = %patch.id, %trace_id, ?refusal, "a call update was refused"
                    );
                }
                Err(error @ WriteError::Store(_)) => return Err(error),
            }
        }
        Ok(())
    });
    written.await.map(drop).map_err(|error| (count, error))
}

/// How a decision was reached, written out here and not where a carrier waits for its answer. Where
/// the index has changed since in what it was made of, that is said in front.
fn trace(index: &Index, decided: &Decided) -> Vec<TraceStep> {
    let view = index.view();
    let (again, mut trace) = routing::explain(&view, &decided.call, decided.at);
    let found = (again.reason, again.agent.map(|agent| agent.id), again.touch.map(|t| t.id));
    if found != (decided.reason, decided.agent, decided.touch) {
        let detail = format!(
            "decided as {} by what was known then; what follows is how it would go by now",
            decided.reason
        );
        trace.insert(0, TraceStep { step: "decided", result: "before_a_change", detail });
    }
    trace
}

/// Takes in what is told of calls that are not live here.
async fn take_strays(events: Vec<StrayEvent>, strays: &Strays, store: &Store) {
    let count = events.len();
    let written = store.write(Actor::default(), move |tx| {
        let mut orphans = Vec::new();
        for event in events {
            match tx.take_stray(&event) {
                Ok(StrayFate::Taken) => {}
                Ok(StrayFate::Orphaned(cause, tenant)) => orphans.push((event, cause, tenant)),
                Err(WriteError::Refused(refusal)) => {
                    tracing::warn!(?refusal, "news of an outbound call was refused");
                }
                Err(error @ WriteError::Store(_)) => return Err(error),
            }
        }
        Ok(orphans)
    });
    match written.await {
        Ok(written) => {
            for (event, cause, tenant) in written.value {
                strays.orphaned(event, cause, tenant);
            }
        }
        Err(error) => tracing::error!(%error, count, "news of outbound calls was lost"),
    }
}

/// Tells what changes about calls, once it is on disk, until it is told to end; what was committed
/// by then is still told.
async fn tell(
    mut changes: Receiver<Arc<CallChange>>,
    live: Arc<Live>,
    mut end: watch::Receiver<bool>,
) {
    loop {
        let change = tokio::select! {
            biased;
            change = changes.recv() => change,
            _ = end.wait_for(|end| *end) => return,
        };
        match change {
            Ok(change) => told(&change, live.feed()),
            Err(RecvError::Lagged(missed)) => {
                metrics::events_missed(missed);
                tracing::warn!(missed, "changes of calls came faster than they could be told");
                live.feed().missed();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn told(change: &CallChange, feed: &Feed) {
    let CallChange { before, after } = change;
    if before.is_none() {
        decided(after);
    }
    if after.status.is_final() && !before.as_ref().is_some_and(|call| call.status.is_final()) {
        metrics::call(after.direction, after.status);
        ended(after);
    }
    feed.publish(before.as_ref(), after);
}

fn decided(call: &CallRecord) {
    let what = match call.direction {
        Direction::Inbound => "decided",
        Direction::Outbound => "placed",
    };
    tracing::info!(
        call = %call.id,
        trace_id = %call.id.trace_id(),
        direction = call.direction.as_str(),
        reason = call.reason.map(|reason| reason.as_str()),
        agent = call.agent.map(tracing::field::display),
        ani = redact::masked(call.ani),
        dnis = redact::masked(call.dnis),
        "call {what}"
    );
}

fn ended(call: &CallRecord) {
    let since = |from: Option<UnixMillis>| {
        call.ended_at.zip(from).map(|(to, from)| to.0.saturating_sub(from.0))
    };
    tracing::info!(
        call = %call.id,
        trace_id = %call.id.trace_id(),
        direction = call.direction.as_str(),
        status = call.status.as_str(),
        reason = call.reason.map(|reason| reason.as_str()),
        agent = call.agent.map(tracing::field::display),
        ended_by = call.ended_by.map(|by| by.as_str()),
        error_code = call.error_code.as_deref(),
        talked_ms = since(call.answered_at),
        lasted_ms = since(Some(call.created_at)),
        ani = redact::masked(call.ani),
        dnis = redact::masked(call.dnis),
        "call ended"
    );
}

/// Where what runtimes are told comes from: the touch's own row, and what the call's runtimes told.
pub(super) fn sources(store: &Store) -> Sources {
    let (summaries, transcripts) = (store.clone(), store.clone());
    Sources {
        context: Arc::new(move |tenant, touch| {
            let store = summaries.clone();
            Box::pin(async move {
                let found = store.read(move |rows| rows.call_summary(tenant, touch)).await;
                let warn = |error: &_| tracing::warn!(%error, "no return context");
                found.inspect_err(warn).ok().flatten()
            })
        }),
        transcript: Arc::new(move |tenant, call, max| {
            let store = transcripts.clone();
            Box::pin(async move {
                let found = store.read(move |rows| rows.last_said(tenant, call, max)).await;
                found.inspect_err(|error| tracing::warn!(%error, "no transcript")).ok()
            })
        }),
    }
}
