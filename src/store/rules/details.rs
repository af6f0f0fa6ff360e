//! A call's agent as it was, its result and its transcript: what its runtime tells, and who reads.

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentId, AgentVersion, CallId, CallRecord, CallRefusal, CallResult, ContactRefusal,
        Refusal, Segment, TenantId, UnixMillis, VersionId,
    },
    store::{CallChange, MergedSegments, PlacedCall, Rows},
};

/// How often it is noted that a version is still found by calls.
const USED_AGAIN_MS: u64 = 24 * 3600 * 1000;

/// Segments of one call: hours of quick talk.
const SEGMENTS_MAX: u32 = 10_000;

/// Bytes of text in one call's transcript: a thousand pages.
const TEXT_BYTES_MAX: u64 = 2 * 1024 * 1024;

impl Rows<'_> {
    /// A call's row with all that is kept beside it, but its transcript.
    ///
    /// # Errors
    /// The store's.
    pub fn placed(&self, call: CallRecord) -> Result<PlacedCall, WriteError> {
        let (tenant, id) = (call.tenant, call.id);
        let version = call.version.map(|version| self.agent_version(tenant, version));
        Ok(PlacedCall {
            dial: self.dial(tenant, id)?,
            version: version.transpose()?.flatten(),
            result: self.call_result(tenant, id)?,
            hook: self.inline_hook(tenant, id)?,
            call,
        })
    }

    /// Whose call it is, for who has proven to be its runtime.
    ///
    /// # Errors
    /// The store's.
    pub fn call_owner(&self, id: CallId) -> Result<Option<TenantId>, WriteError> {
        Ok(self.any_call(id)?.map(|call| call.tenant))
    }
}

impl Tx<'_> {
    /// Keeps what an agent is like now, for a call that begins. `None` where it is gone.
    pub(super) fn keep_version(
        &mut self,
        tenant: TenantId,
        agent: Option<AgentId>,
    ) -> Result<Option<VersionId>, WriteError> {
        let texts = agent.map(|agent| self.agent_texts(agent)).transpose()?.flatten();
        let Some((_, name, profile)) = texts.filter(|(owner, ..)| *owner == tenant) else {
            return Ok(None);
        };
        self.keep_texts(tenant, name, profile).map(Some)
    }

    /// Keeps what an agent is like, in words that may be one call's alone.
    pub(super) fn keep_texts(
        &mut self,
        tenant: TenantId,
        name: String,
        profile: String,
    ) -> Result<VersionId, WriteError> {
        let id = VersionId::of(tenant, &name, &profile);
        let used_at = self.version_used_at(id)?;
        if used_at.is_none_or(|at| at.0 + USED_AGAIN_MS <= self.now().0) {
            self.put_version(tenant, &AgentVersion { id, name, profile })?;
        }
        Ok(id)
    }

    /// Writes what came of a call. The same again changes nothing; else the last word counts.
    ///
    /// # Errors
    /// No such call; its person has been erased.
    pub fn set_result(
        &mut self,
        tenant: TenantId,
        id: CallId,
        result: &CallResult,
    ) -> Result<PlacedCall, WriteError> {
        let call = self.told_call(tenant, id)?;
        if self.call_result(tenant, id)?.as_ref() == Some(result) {
            return self.placed(call);
        }
        self.put_result(tenant, id, result)?;
        let after = CallRecord { updated_at: self.now().max(call.updated_at), ..call.clone() };
        self.put_call(&after)?;
        self.calls.push(CallChange { before: Some(call), after: after.clone() });
        self.insert_audit(Some(tenant), "call.result", Some(id.0))?;
        self.tell_result(tenant, id)?;
        self.placed(after)
    }

    /// Adds to what was said in a call. Who tells a segment again, corrects it.
    ///
    /// # Errors
    /// No such call; its person has been erased; more than is kept of one.
    pub fn add_segments(
        &mut self,
        tenant: TenantId,
        id: CallId,
        segments: &[Segment],
    ) -> Result<MergedSegments, WriteError> {
        let call = self.told_call(tenant, id)?;
        self.put_details(tenant, id)?;
        let mut len = self.transcript_len(id)?;
        let mut merged = MergedSegments::default();
        for segment in segments {
            let known = self.segment(id, segment.sequence_no)?;
            if known.as_ref() == Some(segment) {
                merged.duplicates += 1;
                continue;
            }
            match known {
                Some(known) => len.bytes = len.bytes.saturating_sub(bytes(&known)),
                None => len.segments += 1,
            }
            len.bytes += bytes(segment);
            if len.segments > SEGMENTS_MAX || len.bytes > TEXT_BYTES_MAX {
                return Err(Refusal::Call(CallRefusal::TranscriptFull).into());
            }
            self.put_segment(id, segment)?;
            merged.accepted += 1;
        }
        self.put_transcript_len(&call, len)?;
        Ok(merged)
    }

    /// Forgets what was said in calls from before, call by call until it has been so many segments;
    /// how many.
    pub(super) fn purge_transcripts(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        segments_max: u32,
    ) -> Result<usize, WriteError> {
        let max = usize::try_from(segments_max).unwrap_or(usize::MAX);
        let mut count = 0;
        for call in self.aged_transcripts(tenant, before, segments_max)? {
            count += self.delete_transcript(call)?;
            if count >= max {
                break;
            }
        }
        Ok(count)
    }

    /// A call of which a runtime may tell.
    fn told_call(&self, tenant: TenantId, id: CallId) -> Result<CallRecord, WriteError> {
        let call = self.call(tenant, id)?.ok_or(Refusal::CallNotFound)?;
        if call.is_erased { Err(Refusal::Contact(ContactRefusal::Erased).into()) } else { Ok(call) }
    }

    /// Somebody is about to read what was said in a call.
    ///
    /// # Errors
    /// No such call.
    pub fn note_transcript_read(&mut self, tenant: TenantId, id: CallId) -> Result<(), WriteError> {
        self.call(tenant, id)?.ok_or(Refusal::CallNotFound)?;
        self.insert_audit(Some(tenant), "transcript.read", Some(id.0))
    }
}

fn bytes(segment: &Segment) -> u64 {
    u64::try_from(segment.text.len()).unwrap_or(u64::MAX)
}
