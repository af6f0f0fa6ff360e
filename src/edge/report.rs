//! What a session came to, and what the process counts of it.

use std::time::{Duration, Instant};

use crate::domain::{CallEnd, MediaSession, TargetTried, UnixMillis};
use crate::media::bridge::Counts;
use crate::media::carrier_leg;
use crate::telemetry::{
    clock,
    metrics::{self, MediaChange, MediaDirection},
};

/// One frame in so many is timed: three a second of a call, each way.
const SAMPLED_EVERY: u8 = 16;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The carrier said stop.
    CarrierStopped,
    /// The carrier's socket is gone.
    CarrierGone,
    /// The runtime hung up.
    Agent,
    /// Somebody else wanted the call ended.
    HungUp(CallEnd),
    /// The target at this place is next; it is no socket, or there is no time left for sockets.
    Next(usize),
    /// The runtime is gone, and the call goes on at the carrier, where somebody else has taken it.
    Elsewhere,
    /// The carrier's socket never came.
    NeverCame,
}

/// What a session came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// When the carrier's stream began, if it did.
    pub began_at: Option<UnixMillis>,
    /// How it ended.
    pub end: End,
    /// What went through and what did not.
    pub counts: Counts,
    /// After `start`: when a runtime first had the caller's audio.
    pub first_audio_to_runtime: Option<Duration>,
    /// After `start`: when the carrier first had a runtime's audio.
    pub first_audio_to_carrier: Option<Duration>,
    /// What was tried.
    pub tried: Vec<TargetTried>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            began_at: None,
            end: End::CarrierGone,
            counts: Counts::default(),
            first_audio_to_runtime: None,
            first_audio_to_carrier: None,
            tried: Vec::new(),
        }
    }
}

impl Report {
    /// For the call's row, where there was something to carry.
    pub(super) fn session(&self, ended_at: UnixMillis) -> Option<MediaSession> {
        let started_at = self.began_at?;
        let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let end = match self.end {
            End::CarrierStopped => "carrier_stopped".to_owned(),
            End::CarrierGone => "carrier_gone".to_owned(),
            End::Agent => "agent_hung_up".to_owned(),
            End::HungUp(by) => format!("hung_up_by_{by}"),
            End::Next(_) => "next_target".to_owned(),
            End::Elsewhere => "transferred_externally".to_owned(),
            End::NeverCame => "never_came".to_owned(),
        };
        let counts = self.counts;
        Some(MediaSession {
            started_at,
            ended_at,
            end,
            first_audio_to_runtime_ms: self.first_audio_to_runtime.map(millis),
            first_audio_to_carrier_ms: self.first_audio_to_carrier.map(millis),
            frames_to_runtime: counts.to_runtime,
            frames_to_carrier: counts.to_carrier,
            frames_dropped: counts.overflow + counts.gaps,
            marks_set: counts.marks_set,
            marks_played: counts.marks_played,
        })
    }
}

/// Times one frame in many on its way through, from its socket to the other one.
#[derive(Default)]
pub(super) struct Relay {
    frames: u8,
    read_at: Option<Instant>,
}

impl Relay {
    /// A frame of audio was read, and can be written at once.
    pub(super) fn read(&mut self) {
        if self.frames.is_multiple_of(SAMPLED_EVERY) {
            self.read_at = Some(clock::instant());
        }
        self.frames = self.frames.wrapping_add(1);
    }

    /// All that was read is written.
    pub(super) fn written(&mut self) {
        if let Some(read_at) = self.read_at.take() {
            metrics::media_relay(clock::instant().saturating_duration_since(read_at));
        }
    }
}

/// Adds what has gathered since the last time to the process's counters. Whether some of it was
/// audio for the caller.
pub(super) fn count(now: Counts, counted: &mut Counts) -> bool {
    use MediaDirection::{ToCarrier, ToRuntime};
    let before = std::mem::replace(counted, now);
    metrics::media_frames(ToRuntime, now.to_runtime - before.to_runtime);
    metrics::media_frames(ToCarrier, now.to_carrier - before.to_carrier);
    metrics::media_comfort(now.comfort - before.comfort);
    for (direction, cause, frames) in [
        (ToRuntime, "overflow", now.overflow - before.overflow),
        (ToRuntime, "gap", now.gaps - before.gaps),
        (ToRuntime, "malformed", now.from_carrier_ignored - before.from_carrier_ignored),
        (ToCarrier, "malformed", now.from_runtime_ignored - before.from_runtime_ignored),
    ] {
        if frames > 0 {
            metrics::media_dropped(direction, cause, frames);
        }
    }
    now.to_carrier > before.to_carrier
}

/// The same of a carrier's leg.
pub(super) fn count_leg(now: carrier_leg::Counts, counted: &mut carrier_leg::Counts) {
    use MediaDirection::{ToCarrier, ToRuntime};
    let before = std::mem::replace(counted, now);
    for (direction, cause, pieces) in [
        (ToRuntime, "repeated", now.repeated - before.repeated),
        (ToRuntime, "malformed", now.from_carrier_ignored - before.from_carrier_ignored),
        (ToCarrier, "malformed", now.to_carrier_ignored - before.to_carrier_ignored),
    ] {
        if pieces > 0 {
            metrics::media_dropped(direction, cause, pieces);
        }
    }
    for (change, pieces) in [
        (MediaChange::Reordered, now.reordered - before.reordered),
        (MediaChange::Filled, now.filled - before.filled),
        (MediaChange::Cleared, now.cleared - before.cleared),
        (MediaChange::Complained, now.failed - before.failed),
    ] {
        if pieces > 0 {
            metrics::media_changed(change, pieces);
        }
    }
}
