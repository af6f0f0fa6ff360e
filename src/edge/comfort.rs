//! The tone between targets, made once a format.

use std::sync::Arc;

use dashmap::DashMap;

use crate::domain::MediaFormat;
use crate::media::comfort::{self, ComfortTone};

/// What callers hear while their next runtime is dialled. Clones share what was made.
#[derive(Clone, Debug)]
pub struct Comfort {
    tone: ComfortTone,
    /// At most one of each format that carriers are sent.
    made: Arc<DashMap<MediaFormat, Arc<[String]>>>,
}

impl Comfort {
    /// That tone.
    #[must_use]
    pub fn new(tone: ComfortTone) -> Self {
        Self { tone, made: Arc::default() }
    }

    /// Its frames.
    pub(super) fn frames(&self, format: MediaFormat) -> Arc<[String]> {
        let made = self.made.entry(format);
        Arc::clone(&made.or_insert_with(|| comfort::frames(self.tone, format).into()))
    }
}
