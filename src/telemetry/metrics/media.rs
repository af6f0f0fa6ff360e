//! What calls' audio and the sockets it goes by are counted as.

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::domain::spelled;

pub(super) fn describe() {
    describe_counter!("switchback_media_frames_total", "Media frames passed on");
    describe_counter!("switchback_media_dropped_total", "Media frames dropped, by cause");
    describe_counter!("switchback_media_changed_total", "Carriers' pieces changed on their way");
    describe_counter!("switchback_media_comfort_total", "Frames of tone sent between runtimes");
    describe_counter!("switchback_media_refused_total", "Media sockets refused, by cause");
    describe_counter!("switchback_media_quiet_total", "Media sockets closed for bringing nothing");
    describe_gauge!("switchback_media_calls", "Calls with an open media socket");
    describe_gauge!("switchback_media_calls_silent", "Of those, callers who hear nothing for 10 s");
    describe_counter!("switchback_prewarms_total", "Calls whose runtime was opened ahead, or not");
    describe_gauge!("switchback_prewarmed", "Calls opened ahead whose media has not come yet");
    describe_histogram!("switchback_media_relay_seconds", "A frame's way through, one in many");
    describe_histogram!("switchback_first_audio_seconds", "From the carrier's start to audio");
}

pub(super) fn begin() {
    LazyLock::force(&MEDIA_CALLS);
    LazyLock::force(&MEDIA_RELAY);
    LazyLock::force(&TO_RUNTIME);
    LazyLock::force(&TO_CARRIER);
    LazyLock::force(&PREWARMED);
    counter!("switchback_media_comfort_total").absolute(0);
    counter!("switchback_media_quiet_total").absolute(0);
    for outcome in Prewarm::ALL {
        prewarms(*outcome).absolute(0);
    }
}

static MEDIA_CALLS: LazyLock<Gauge> = LazyLock::new(|| gauge!("switchback_media_calls"));

/// Counts an open media socket until it is dropped.
pub struct MediaCall(());

impl MediaCall {
    /// A media socket has opened.
    #[must_use]
    pub fn open() -> Self {
        MEDIA_CALLS.increment(1.0);
        Self(())
    }
}

impl Drop for MediaCall {
    fn drop(&mut self) {
        MEDIA_CALLS.decrement(1.0);
    }
}

/// Sets how many calls with an open media socket have a caller who hears nothing.
pub fn media_calls_silent(count: usize) {
    gauge!("switchback_media_calls_silent").set(count as f64);
}

static MEDIA_RELAY: LazyLock<Histogram> =
    LazyLock::new(|| histogram!("switchback_media_relay_seconds"));

/// Records a frame's way through, from the read of one socket to the write of the other.
pub fn media_relay(took: Duration) {
    MEDIA_RELAY.record(took.as_secs_f64());
}

spelled! {
    /// Which way audio flows.
    pub enum MediaDirection {
        /// From the carrier to the runtime.
        ToRuntime = "to_runtime",
        /// From the runtime to the carrier.
        ToCarrier = "to_carrier",
    }
}

// Found once: looking a counter up by its label asks for memory, and this is done twice a second a
// call.
static TO_RUNTIME: LazyLock<Counter> = LazyLock::new(|| frames_counter(MediaDirection::ToRuntime));
static TO_CARRIER: LazyLock<Counter> = LazyLock::new(|| frames_counter(MediaDirection::ToCarrier));

fn frames_counter(direction: MediaDirection) -> Counter {
    counter!("switchback_media_frames_total", "direction" => direction.as_str())
}

/// Counts media frames passed on; called once in a while with what has gathered.
pub fn media_frames(direction: MediaDirection, frames: u64) {
    match direction {
        MediaDirection::ToRuntime => TO_RUNTIME.increment(frames),
        MediaDirection::ToCarrier => TO_CARRIER.increment(frames),
    }
}

/// Counts frames of a tone that a carrier was given between two runtimes.
pub fn media_comfort(frames: u64) {
    if frames > 0 {
        counter!("switchback_media_comfort_total").increment(frames);
    }
}

/// Counts a carrier's media socket that brought nothing any more, and was closed.
pub fn media_quiet() {
    counter!("switchback_media_quiet_total").increment(1);
}

/// Counts media frames dropped.
pub fn media_dropped(direction: MediaDirection, cause: &'static str, frames: u64) {
    counter!(
        "switchback_media_dropped_total",
        "direction" => direction.as_str(), "cause" => cause
    )
    .increment(frames);
}

spelled! {
    /// What was done to a carrier's pieces on their way.
    pub enum MediaChange {
        /// Came out of order, and was put in order.
        Reordered = "reordered",
        /// Too short for the carrier, and filled up with silence.
        Filled = "filled",
        /// Taken back by the runtime before it was sent.
        Cleared = "cleared",
        /// The carrier said that it did not understand something.
        Complained = "complained",
    }
}

/// Counts pieces to which that was done.
pub fn media_changed(change: MediaChange, pieces: u64) {
    counter!("switchback_media_changed_total", "change" => change.as_str()).increment(pieces);
}

/// Records how long after the carrier's `start` the first audio went that way.
pub fn first_audio(direction: MediaDirection, took: Duration) {
    histogram!("switchback_first_audio_seconds", "direction" => direction.as_str())
        .record(took.as_secs_f64());
}

/// Counts a media socket refused before its upgrade.
pub fn media_refused(cause: &'static str) {
    counter!("switchback_media_refused_total", "cause" => cause).increment(1);
}

spelled! {
    /// What became of a runtime that was to be opened before its call's media.
    pub enum Prewarm {
        /// The call's media came.
        Used = "used",
        /// It never came.
        Unused = "unused",
        /// It was not opened ahead: as many as may be wait already.
        Full = "full",
    }
}

/// Counts what became of a runtime that was to be opened ahead.
pub fn prewarm(outcome: Prewarm) {
    prewarms(outcome).increment(1);
}

fn prewarms(outcome: Prewarm) -> Counter {
    counter!("switchback_prewarms_total", "outcome" => outcome.as_str())
}

static PREWARMED: LazyLock<Gauge> = LazyLock::new(|| gauge!("switchback_prewarmed"));

/// Counts a call opened ahead until it is dropped: its media has come, or is not awaited any more.
pub struct Prewarmed(());

impl Prewarmed {
    /// A call is opened ahead.
    #[must_use]
    pub fn wait() -> Self {
        PREWARMED.increment(1.0);
        Self(())
    }
}

impl Drop for Prewarmed {
    fn drop(&mut self) {
        PREWARMED.decrement(1.0);
    }
}
