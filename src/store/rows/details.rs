//! What is kept of calls beside their rows.

use rusqlite::{Row, params};

use super::Rows;
use crate::{
    domain::{
        AgentId, AgentVersion, CallId, CallRecord, CallResult, ResultStatus, Segment, TenantId,
        UnixMillis, VersionId,
    },
    store::{Tx, WriteError},
};

/// How much of a call's transcript is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct TranscriptLen {
    pub(in crate::store) segments: u32,
    pub(in crate::store) bytes: u64,
}

fn read_segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment {
        sequence_no: row.get(0)?,
        role: row.get(1)?,
        text: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        source: row.get(5)?,
    })
}

const SEGMENT: &str = "sequence_no, role, text, started_at, ended_at, source";

impl Rows<'_> {
    /// An agent as it was.
    ///
    /// # Errors
    /// The store's.
    pub fn agent_version(
        &self,
        tenant: TenantId,
        id: VersionId,
    ) -> Result<Option<AgentVersion>, WriteError> {
        self.one(
            "SELECT name, profile FROM agent_versions WHERE id = ?1 AND tenant = ?2",
            params![id, tenant],
            |row| Ok(AgentVersion { id, name: row.get(0)?, profile: row.get(1)? }),
        )
    }

    /// What came of a call; `None` where its runtime has not said.
    ///
    /// # Errors
    /// The store's.
    pub fn call_result(
        &self,
        tenant: TenantId,
        call: CallId,
    ) -> Result<Option<CallResult>, WriteError> {
        let found = self.one(
            "SELECT result_status, result, result_error FROM call_details
             WHERE call = ?1 AND tenant = ?2",
            params![call, tenant],
            |row| {
                let status: ResultStatus = row.get(0)?;
                Ok(match status {
                    ResultStatus::Pending => None,
                    ResultStatus::Completed => Some(CallResult::Completed(row.get(1)?)),
                    ResultStatus::Failed => Some(CallResult::Failed(row.get(2)?)),
                })
            },
        )?;
        Ok(found.flatten())
    }

    /// What was said in a call, as far as it was told, in its order.
    ///
    /// # Errors
    /// The store's.
    pub fn transcript(&self, tenant: TenantId, call: CallId) -> Result<Vec<Segment>, WriteError> {
        let sql = format!(
            "SELECT {SEGMENT} FROM transcripts JOIN call_details USING (call)
             WHERE call = ?1 AND tenant = ?2 ORDER BY sequence_no"
        );
        self.all(&sql, params![call, tenant], read_segment)
    }

    /// What was said last in a call, as far as it was told, in its order: so many segments at most.
    ///
    /// # Errors
    /// The store's.
    pub fn last_said(
        &self,
        tenant: TenantId,
        call: CallId,
        max: usize,
    ) -> Result<Vec<Segment>, WriteError> {
        let sql = format!(
            "SELECT {SEGMENT} FROM transcripts JOIN call_details USING (call)
             WHERE call = ?1 AND tenant = ?2 ORDER BY sequence_no DESC LIMIT ?3"
        );
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut segments = self.all(&sql, params![call, tenant, max], read_segment)?;
        segments.reverse();
        Ok(segments)
    }

    pub(in crate::store) fn segment(
        &self,
        call: CallId,
        sequence_no: u32,
    ) -> Result<Option<Segment>, WriteError> {
        let sql = format!("SELECT {SEGMENT} FROM transcripts WHERE call = ?1 AND sequence_no = ?2");
        self.one(&sql, params![call, sequence_no], read_segment)
    }

    pub(in crate::store) fn transcript_len(
        &self,
        call: CallId,
    ) -> Result<TranscriptLen, WriteError> {
        let found = self.one(
            "SELECT segments, text_bytes FROM call_details WHERE call = ?1",
            [call],
            |row| Ok(TranscriptLen { segments: row.get(0)?, bytes: row.get(1)? }),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// Calls from before with something left of what was said in them, the oldest first.
    pub(in crate::store) fn aged_transcripts(
        &self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<Vec<CallId>, WriteError> {
        self.all(
            "SELECT call FROM call_details WHERE tenant = ?1 AND transcript_at < ?2
             ORDER BY transcript_at LIMIT ?3",
            params![tenant, before, limit],
            |row| row.get(0),
        )
    }

    /// When a version was last noted to be found by a call.
    pub(in crate::store) fn version_used_at(
        &self,
        id: VersionId,
    ) -> Result<Option<UnixMillis>, WriteError> {
        self.one("SELECT used_at FROM agent_versions WHERE id = ?1", [id], |row| row.get(0))
    }

    /// What an agent's version is made of: whose it is, its name, its profile.
    pub(in crate::store) fn agent_texts(
        &self,
        id: AgentId,
    ) -> Result<Option<(TenantId, String, String)>, WriteError> {
        self.one("SELECT tenant, name, profile FROM agents WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_version(
        &mut self,
        tenant: TenantId,
        version: &AgentVersion,
    ) -> Result<(), WriteError> {
        let AgentVersion { id, name, profile } = version;
        let now = self.now();
        self.run(
            "INSERT INTO agent_versions (id, tenant, name, profile, used_at)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET used_at = ?5",
            params![id, tenant, name, profile, now],
        )?;
        Ok(())
    }

    /// Deletes a version that no call has any more; how many.
    pub(in crate::store) fn delete_unused_version(
        &mut self,
        id: VersionId,
    ) -> Result<usize, WriteError> {
        let sql = "DELETE FROM agent_versions WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM calls WHERE version = ?1)";
        self.run(sql, [id])
    }

    pub(in crate::store) fn delete_aged_versions(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM agent_versions WHERE id IN (SELECT id FROM agent_versions
                WHERE tenant = ?1 AND used_at < ?2 ORDER BY used_at LIMIT ?3)",
            params![tenant, before, limit],
        )
    }

    /// Deletes what was said in a call, and nothing else; how many segments.
    pub(in crate::store) fn delete_transcript(
        &mut self,
        call: CallId,
    ) -> Result<usize, WriteError> {
        self.run(
            "UPDATE call_details SET segments = 0, text_bytes = 0, transcript_at = NULL
             WHERE call = ?1",
            [call],
        )?;
        self.run("DELETE FROM transcripts WHERE call = ?1", [call])
    }

    /// Deletes what came of a call and what was said in it; how much of each.
    pub(in crate::store) fn delete_details(
        &mut self,
        call: CallId,
    ) -> Result<(usize, usize), WriteError> {
        let segments = self.run("DELETE FROM transcripts WHERE call = ?1", [call])?;
        let told = "SELECT count(result) FROM call_details WHERE call = ?1";
        let results = self.one(told, [call], |row| row.get(0))?.unwrap_or(0);
        self.run("DELETE FROM call_details WHERE call = ?1", [call])?;
        Ok((results, segments))
    }

    pub(in crate::store) fn put_result(
        &mut self,
        tenant: TenantId,
        call: CallId,
        result: &CallResult,
    ) -> Result<(), WriteError> {
        self.put_details(tenant, call)?;
        self.run(
            "UPDATE call_details SET result_status = ?2, result = ?3, result_error = ?4
             WHERE call = ?1",
            params![call, result.status(), result.fields(), result.error()],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_segment(
        &mut self,
        call: CallId,
        segment: &Segment,
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT OR REPLACE INTO transcripts (call, {SEGMENT})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ),
            params![
                call,
                segment.sequence_no,
                segment.role,
                segment.text,
                segment.started_at,
                segment.ended_at,
                segment.source,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_transcript_len(
        &mut self,
        call: &CallRecord,
        len: TranscriptLen,
    ) -> Result<(), WriteError> {
        self.run(
            "UPDATE call_details SET segments = ?2, text_bytes = ?3, transcript_at = ?4
             WHERE call = ?1",
            params![call.id, len.segments, len.bytes, call.created_at],
        )?;
        Ok(())
    }

    /// Makes the row that says nothing yet, where there is none.
    pub(in crate::store) fn put_details(
        &mut self,
        tenant: TenantId,
        call: CallId,
    ) -> Result<(), WriteError> {
        self.run(
            "INSERT OR IGNORE INTO call_details (call, tenant, result_status, segments, text_bytes)
             VALUES (?1, ?2, ?3, 0, 0)",
            params![call, tenant, ResultStatus::Pending],
        )?;
        Ok(())
    }
}
