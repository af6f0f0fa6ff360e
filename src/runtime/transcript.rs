//! What a call's next runtime is told of what was said in it before.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::BoxFuture;

use super::fetch::Fetch;
use crate::dialects::{SO_FAR_SEGMENTS_MAX, transcript_so_far};
use crate::domain::{CallId, Segment, TenantId};

/// Where what was said in a call is found: its latest segments, in their order, at most so many.
pub type TranscriptSource =
    Arc<dyn Fn(TenantId, CallId, usize) -> BoxFuture<'static, Option<Vec<Segment>>> + Send + Sync>;

/// A call's transcript, being fetched.
#[derive(Debug)]
pub struct Transcript(Fetch<Vec<Segment>>);

impl Transcript {
    /// Starts to fetch it.
    #[must_use]
    pub fn fetch(source: &TranscriptSource, tenant: TenantId, call: CallId) -> Self {
        Self(Fetch::begin(source(tenant, call, SO_FAR_SEGMENTS_MAX)))
    }

    /// Waits until it is there, or late.
    pub fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.0.poll_ready(cx)
    }

    /// It as the text of one JSON object, once it is ready. None where nothing was said.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        transcript_so_far(self.0.found().map(Vec::as_slice))
    }
}
