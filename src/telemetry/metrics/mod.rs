//! Every metric there is. Names and labels are the contract's; labels come from closed sets and
//! are never a number, an id or a URL.
//!
//! Handles are made once and kept: counting on the hot path is an atomic addition. They bind to the
//! recorder that is installed when they are first used, so [`install`] comes first in a process.

mod edge;
mod media;

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::{
    Account, AccountId, CallStatus, CarrierId, Direction, OrphanCause, PurgeKind, Purged,
    RouteReason, spelled,
};

pub use edge::{EdgeConnection, EdgeRefusal, edge_refused};
pub use media::{
    MediaCall, MediaChange, MediaDirection, Prewarm, Prewarmed, first_audio, media_calls_silent,
    media_changed, media_comfort, media_dropped, media_frames, media_quiet, media_refused,
    media_relay, prewarm,
};

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Seconds of what is done in memory: a decision takes a microsecond, its worst day a millisecond.
const MEMORY_SECONDS: &[f64] =
    &[1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1];
/// Seconds of what goes through sockets of ours: a webhook, a frame of audio.
const WIRE_SECONDS: &[f64] =
    &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.5, 1.0];
/// Seconds of a disk's sync: a tenth of a millisecond, or a stall.
const DISK_SECONDS: &[f64] =
    &[1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Seconds of what a caller can hear; connecting may take one, silence two.
const HEARD_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0];

/// Installs the process's recorder. A second call changes nothing.
///
/// # Errors
/// Another recorder is installed, or a bucket list is refused.
pub fn install() -> Result<(), String> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in [
        ("switchback_decision_seconds", MEMORY_SECONDS),
        ("switchback_webhook_seconds", WIRE_SECONDS),
        ("switchback_media_relay_seconds", WIRE_SECONDS),
        ("switchback_store_commit_seconds", DISK_SECONDS),
        ("switchback_runtime_connect_seconds", HEARD_SECONDS),
        ("switchback_first_audio_seconds", HEARD_SECONDS),
    ] {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
            .map_err(|error| error.to_string())?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if RECORDER.set(handle).is_ok() {
        metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        describe();
        begin();
    }
    Ok(())
}

/// What needs no event to be told: an absent series cannot be told from a broken one.
fn begin() {
    runtime_breaker_open(0);
    media_calls_silent(0);
    sync_connected(false);
    touches_evicted(0);
    for cause in OrphanCause::ALL {
        orphaned(*cause).absolute(0);
    }
    outbox_pending(0, Duration::ZERO);
    for fate in DeliveryFate::ALL {
        deliveries(*fate).absolute(0);
    }
    for fate in SnapshotFate::ALL {
        snapshots(*fate).absolute(0);
    }
    for outcome in EventOutcome::ALL {
        upstream_events(*outcome).absolute(0);
    }
    for carrier in CarrierId::ALL {
        for fate in CommandFate::ALL {
            commands(*carrier, *fate).absolute(0);
        }
    }
    TOUCHES_ERASED.absolute(0);
    purged(&Purged::default());
    edge::begin();
    media::begin();
    LazyLock::force(&DECISIONS);
    LazyLock::force(&DECISION_SECONDS);
    LazyLock::force(&WEBHOOK_SECONDS);
    LazyLock::force(&STORE_COMMIT);
}

/// The metrics in Prometheus' text format.
#[must_use]
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Lets the recorder fold what it has gathered; due every few seconds.
pub fn upkeep() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

fn describe() {
    edge::describe();
    media::describe();
    describe_counter!("switchback_webhooks_total", "Carriers' requests, by what became of them");
    describe_histogram!("switchback_webhook_seconds", "From a request's last byte to our answer");
    describe_counter!("switchback_decisions_total", "Decisions, by reason");
    describe_histogram!("switchback_decision_seconds", "How long a decision took");
    describe_counter!("switchback_signature_failures_total", "Requests that proved nothing");
    describe_counter!("switchback_calls_total", "Calls that are over");
    describe_counter!("switchback_targets_total", "Targets that were tried, by what came of it");
    describe_counter!("switchback_touches_evicted_total", "Touches a full contact forgot");
    describe_counter!("switchback_touches_orphaned_total", "Foreign calls that no agent owns");
    describe_counter!("switchback_touches_erased_total", "Late touches of erased persons, refused");
    describe_counter!("switchback_purged_total", "What was too old and was forgotten, by kind");
    describe_counter!("switchback_dispatch_commands_total", "Commands sent to carriers");
    describe_counter!("switchback_outbox_deliveries_total", "Attempts to tell subscribers");
    describe_gauge!("switchback_outbox_pending", "Events that wait to be told");
    describe_gauge!("switchback_outbox_lag_seconds", "Age of the oldest event that waits");
    describe_counter!("switchback_journal_dropped_total", "Call updates lost to a full queue");
    describe_counter!("switchback_events_missed_total", "Changes of calls that no event told");
    describe_counter!("switchback_log_lines_dropped_total", "Log lines nobody read in time");
    describe_gauge!("switchback_index_entries", "Things in the index, by kind");
    describe_gauge!("switchback_index_seq", "Last log entry in the index, by stream");
    describe_counter!("switchback_snapshots_total", "Snapshot files, by what became of them");
    describe_gauge!("switchback_snapshot_bytes", "Length of the newest snapshot file");
    describe_gauge!("switchback_snapshot_write_seconds", "How long writing the newest one took");
    describe_gauge!("switchback_index_filled_seconds", "How long filling the index took at start");
    describe_gauge!("switchback_sync_lag_seconds", "From the newest entry's arrival to its use");
    describe_gauge!("switchback_sync_connected", "1 while the log is followed");
    describe_counter!("switchback_upstream_pulls_total", "Pulls of hosted control APIs");
    describe_counter!("switchback_upstream_events_total", "Events of hosted services' webhooks");
    describe_gauge!("switchback_upstream_connected", "1 while a hosted control API is in touch");
    describe_gauge!("switchback_upstream_lag_seconds", "Since a hosted API was last pulled whole");
    describe_gauge!("switchback_runtime_breaker_open", "Runtimes that are not tried for now");
    describe_histogram!("switchback_runtime_connect_seconds", "Connecting to a runtime");
    describe_histogram!("switchback_store_commit_seconds", "A group commit");
}

spelled! {
    /// What became of a carrier's request.
    pub enum WebhookOutcome {
        /// Answered or taken note of.
        Accepted = "accepted",
        /// Answered with the bytes of the first time.
        Repeated = "repeated",
        /// Told once more long after, or of a call that is over or elsewhere: nothing was done.
        Late = "late",
        /// Refused: it did not prove itself.
        Refused = "refused",
        /// Refused: proven, but malformed.
        Malformed = "malformed",
        /// About something we do not know.
        Unknown = "unknown",
    }
}

spelled! {
    /// Which of an account's URLs was asked.
    pub enum WebhookKind {
        /// Instructions for a call.
        Voice = "voice",
        /// Progress.
        Status = "status",
        /// What follows.
        Resume = "resume",
    }
}

type WebhookKey = (AccountId, WebhookKind, WebhookOutcome);
static WEBHOOKS: LazyLock<DashMap<WebhookKey, Counter, RandomState>> =
    LazyLock::new(DashMap::default);

/// Counts a carrier's request. Accounts are configuration, so their names are a closed set.
pub fn webhook(account: &Account, kind: WebhookKind, outcome: WebhookOutcome) {
    let key = (account.id, kind, outcome);
    if let Some(counter) = WEBHOOKS.get(&key) {
        return counter.increment(1);
    }
    WEBHOOKS
        .entry(key)
        .or_insert_with(|| {
            counter!(
                "switchback_webhooks_total",
                "carrier" => account.carrier.as_str(),
                "account" => account.name.clone(),
                "kind" => kind.as_str(),
                "outcome" => outcome.as_str(),
            )
        })
        .increment(1);
}

static WEBHOOK_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram!("switchback_webhook_seconds"));

/// Records how long a carrier's request took, from its last byte to our answer's first.
pub fn webhook_seconds(took: Duration) {
    WEBHOOK_SECONDS.record(took.as_secs_f64());
}

static DECISIONS: LazyLock<Vec<Counter>> = LazyLock::new(|| {
    RouteReason::ALL
        .iter()
        .map(|reason| counter!("switchback_decisions_total", "reason" => reason.as_str()))
        .collect()
});
static DECISION_SECONDS: LazyLock<Histogram> =
    LazyLock::new(|| histogram!("switchback_decision_seconds"));

/// Counts a live decision.
pub fn decision(reason: RouteReason, took: Duration) {
    if let Some(counter) = DECISIONS.get(reason as usize) {
        counter.increment(1);
    }
    DECISION_SECONDS.record(took.as_secs_f64());
}

/// Counts a request that did not prove itself. `cause` is a `Refused`'s.
pub fn signature_failure(carrier: CarrierId, cause: &'static str) {
    counter!(
        "switchback_signature_failures_total",
        "carrier" => carrier.as_str(), "cause" => cause
    )
    .increment(1);
}

/// Sets how many things of a kind the index holds.
pub fn index_entries(kind: &'static str, count: u64) {
    gauge!("switchback_index_entries", "kind" => kind).set(count as f64);
}

/// Sets the last log entry that the index holds.
pub fn index_seq(stream: &'static str, seq: u64) {
    gauge!("switchback_index_seq", "stream" => stream).set(seq as f64);
}

/// Sets how many touches full contacts have forgotten.
pub fn touches_evicted(total: u64) {
    counter!("switchback_touches_evicted_total").absolute(total);
}

spelled! {
    /// What became of a snapshot file.
    pub enum SnapshotFate {
        /// Written whole.
        Written = "written",
        /// It could not be written.
        Failed = "failed",
        /// Given up half written, or deleted: the log does not go on from it any more.
        Void = "void",
        /// A start went on from it.
        Taken = "taken",
        /// Refused at a start: its bytes are not those that were written.
        Damaged = "damaged",
        /// Refused at a start: of another version, or something else.
        Foreign = "foreign",
        /// Refused at a start: it could not be read.
        Unreadable = "unreadable",
        /// Refused at a start: the store's log does not go on from it.
        Unknown = "unknown",
    }
}

/// Counts a snapshot file.
pub fn snapshot(fate: SnapshotFate) {
    snapshots(fate).increment(1);
}

fn snapshots(fate: SnapshotFate) -> Counter {
    counter!("switchback_snapshots_total", "fate" => fate.as_str())
}

/// Sets the newest snapshot file's length and how long it took to write.
pub fn snapshot_written(bytes: u64, took: Duration) {
    snapshot(SnapshotFate::Written);
    gauge!("switchback_snapshot_bytes").set(bytes as f64);
    gauge!("switchback_snapshot_write_seconds").set(took.as_secs_f64());
}

/// Sets how long it took to fill the index at the start.
pub fn index_filled(took: Duration) {
    gauge!("switchback_index_filled_seconds").set(took.as_secs_f64());
}

/// Sets how long the newest log entry took from its commit into the index.
pub fn sync_lag(lag: Duration) {
    gauge!("switchback_sync_lag_seconds").set(lag.as_secs_f64());
}

/// Sets whether the log is followed.
pub fn sync_connected(is_connected: bool) {
    gauge!("switchback_sync_connected").set(if is_connected { 1.0 } else { 0.0 });
}

/// Counts a pull of a hosted control API, and sets whether it is in touch. Upstreams are
/// configuration, so their names are a closed set, here and below.
pub fn upstream_pull(upstream: &str, is_done: bool) {
    let outcome = if is_done { "done" } else { "failed" };
    let name = upstream.to_owned();
    counter!("switchback_upstream_pulls_total", "upstream" => name, "outcome" => outcome)
        .increment(1);
    gauge!("switchback_upstream_connected", "upstream" => upstream.to_owned()).set(if is_done {
        1.0
    } else {
        0.0
    });
}

/// Sets how long ago a hosted control API was last pulled whole.
pub fn upstream_lag(upstream: &str, lag: Duration) {
    gauge!("switchback_upstream_lag_seconds", "upstream" => upstream.to_owned())
        .set(lag.as_secs_f64());
}

spelled! {
    /// What became of a hosted service's event.
    pub enum EventOutcome {
        /// Taken.
        Accepted = "accepted",
        /// For no upstream that takes any.
        Unknown = "unknown",
        /// Not signed by the service.
        Unsigned = "unsigned",
        /// Signed, and no JSON.
        Malformed = "malformed",
        /// Dropped: the queue to the store was full. The service will tell again.
        QueueFull = "queue_full",
    }
}

/// Counts a hosted service's event.
pub fn upstream_event(outcome: EventOutcome) {
    upstream_events(outcome).increment(1);
}

fn upstream_events(outcome: EventOutcome) -> Counter {
    counter!("switchback_upstream_events_total", "outcome" => outcome.as_str())
}

static STORE_COMMIT: LazyLock<Histogram> =
    LazyLock::new(|| histogram!("switchback_store_commit_seconds"));

/// Records a group commit.
pub fn store_commit(took: Duration) {
    STORE_COMMIT.record(took.as_secs_f64());
}

/// Records a runtime's connection, from the first packet to the accepted handshake.
pub fn runtime_connect(took: Duration) {
    histogram!("switchback_runtime_connect_seconds").record(took.as_secs_f64());
}

/// Sets how many runtimes are not tried for now.
pub fn runtime_breaker_open(count: u32) {
    gauge!("switchback_runtime_breaker_open").set(f64::from(count));
}

/// Counts a target that was tried. Kind and outcome are words of closed sets.
pub fn target(kind: &'static str, outcome: &'static str) {
    counter!("switchback_targets_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// Counts a call that is over.
pub fn call(direction: Direction, status: CallStatus) {
    counter!(
        "switchback_calls_total",
        "direction" => direction.as_str(), "status" => status.as_str()
    )
    .increment(1);
}

spelled! {
    /// What became of a command to a carrier.
    pub enum CommandFate {
        /// A call is being placed.
        Accepted = "accepted",
        /// Done, or there was nothing left to do.
        Done = "done",
        /// Put off: the carrier was busy or not reached, and has not acted.
        Retried = "retried",
        /// Nobody can tell.
        Unclear = "unclear",
        /// Refused, or given up before the carrier acted.
        Refused = "refused",
    }
}

/// Counts a command to a carrier.
pub fn dispatched(carrier: CarrierId, fate: CommandFate) {
    commands(carrier, fate).increment(1);
}

fn commands(carrier: CarrierId, fate: CommandFate) -> Counter {
    counter!(
        "switchback_dispatch_commands_total",
        "carrier" => carrier.as_str(), "outcome" => fate.as_str()
    )
}

static TOUCHES_ERASED: LazyLock<Counter> =
    LazyLock::new(|| counter!("switchback_touches_erased_total"));

/// Counts a touch that was refused because its person has been erased.
pub fn touch_erased() {
    TOUCHES_ERASED.increment(1);
}

/// Counts what was forgotten for its age.
pub fn purged(purged: &Purged) {
    for &kind in PurgeKind::ALL {
        counter!("switchback_purged_total", "kind" => kind.as_str())
            .increment(purged.count(None, kind));
    }
}

spelled! {
    /// What came of an attempt to tell a subscriber of an event.
    pub enum DeliveryFate {
        /// It arrived.
        Delivered = "delivered",
        /// It failed, and another attempt follows.
        Retried = "retried",
        /// It failed for the last time.
        Exhausted = "exhausted",
        /// The subscription was gone or switched off.
        Dropped = "dropped",
    }
}

/// Counts an attempt to tell a subscriber of an event.
pub fn delivery(fate: DeliveryFate) {
    deliveries(fate).increment(1);
}

fn deliveries(fate: DeliveryFate) -> Counter {
    counter!("switchback_outbox_deliveries_total", "outcome" => fate.as_str())
}

/// Sets how many events wait to be told, for the first time or again.
pub fn outbox_pending(count: u64, oldest: Duration) {
    gauge!("switchback_outbox_pending").set(count as f64);
    gauge!("switchback_outbox_lag_seconds").set(oldest.as_secs_f64());
}

/// Counts a call of somebody else's dialer that makes no touch.
pub fn touch_orphaned(cause: OrphanCause) {
    orphaned(cause).increment(1);
}

fn orphaned(cause: OrphanCause) -> Counter {
    counter!("switchback_touches_orphaned_total", "cause" => cause.as_str())
}

/// Counts call updates lost to a full queue.
pub fn journal_dropped(count: u64) {
    counter!("switchback_journal_dropped_total").increment(count);
}

/// Counts changes of calls that no event told of.
pub fn events_missed(count: u64) {
    counter!("switchback_events_missed_total").increment(count);
}

/// Counts log lines that were dropped because nobody read them in time.
pub fn log_lines_dropped(count: u64) {
    counter!("switchback_log_lines_dropped_total").increment(count);
}
