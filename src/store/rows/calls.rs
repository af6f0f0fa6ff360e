//! Call rows.

use std::{collections::HashSet, sync::Mutex};

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Rows, codec::Json, page::Selection};
use crate::{
    domain::{
        AgentId, CallId, CallRecord, CallStatus, Direction, MediaSession, TargetTried, TenantId,
        TraceStep, UnixMillis,
    },
    store::{CallFilter, Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, account, carrier_call_id, direction, status, ani, dnis, number,
    agent, reason, unmatched, touch, trace, targets_tried, created_at, answered_at, ended_at,
    updated_at, ended_by, error_code, caller_verified, media, version, ringing_at, by_machine,
    is_erased";

/// Where a call stands for people ([`CallRecord::standing`]), as its index has it.
const STANDING: &str =
    "CASE WHEN by_machine AND status = 'completed' THEN 'no_answer' ELSE status END";

/// A step as its row has it: step, result, detail.
type StepRow = (String, String, String);

/// A tried target as its row has it.
#[derive(Serialize, Deserialize)]
struct TriedRow {
    attempt: u32,
    agent: Option<Uuid>,
    target: String,
    at: u64,
    outcome: String,
    close_code: Option<u16>,
}

/// A media socket as its row has it.
#[derive(Serialize, Deserialize)]
struct MediaRow {
    started_at: u64,
    ended_at: u64,
    end: String,
    first_audio_to_runtime_ms: Option<u64>,
    first_audio_to_carrier_ms: Option<u64>,
    frames_to_runtime: u64,
    frames_to_carrier: u64,
    frames_dropped: u64,
    marks_set: u64,
    marks_played: u64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    let trace: Json<Vec<StepRow>> = row.get(13)?;
    let tried: Json<Vec<TriedRow>> = row.get(14)?;
    let media: Json<Vec<MediaRow>> = row.get(22)?;
    Ok(CallRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        account: row.get(2)?,
        carrier_call_id: row.get(3)?,
        direction: row.get(4)?,
        status: row.get(5)?,
        ani: row.get(6)?,
        dnis: row.get(7)?,
        number: row.get(8)?,
        agent: row.get(9)?,
        reason: row.get(10)?,
        unmatched: row.get(11)?,
        touch: row.get(12)?,
        trace: trace.0.into_iter().map(step).collect(),
        targets_tried: tried.0.into_iter().map(target_tried).collect(),
        media: media.0.into_iter().map(media_session).collect(),
        created_at: row.get(15)?,
        answered_at: row.get(16)?,
        ended_at: row.get(17)?,
        updated_at: row.get(18)?,
        ended_by: row.get(19)?,
        error_code: row.get(20)?,
        caller_verified: row.get(21)?,
        version: row.get(23)?,
        ringing_at: row.get(24)?,
        by_machine: row.get(25)?,
        is_erased: row.get(26)?,
    })
}

fn step((step, result, detail): StepRow) -> TraceStep {
    TraceStep { step: word(&step), result: word(&result), detail }
}

/// A trace's steps and results are words of the code, written by this program or an earlier one:
/// few, so each is kept once for the life of the process. Past the bound a row was not ours.
fn word(text: &str) -> &'static str {
    const WORDS_MAX: usize = 1024;
    static WORDS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut known = WORDS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(word) = known.get(text) {
        return word;
    }
    if known.len() >= WORDS_MAX {
        return "?";
    }
    let word: &'static str = Box::leak(text.into());
    known.insert(word);
    word
}

fn target_tried(row: TriedRow) -> TargetTried {
    TargetTried {
        attempt: row.attempt,
        agent: row.agent.map(AgentId),
        target: row.target,
        at: UnixMillis(row.at),
        outcome: row.outcome,
        close_code: row.close_code,
    }
}

fn tried_row(tried: &TargetTried) -> TriedRow {
    TriedRow {
        attempt: tried.attempt,
        agent: tried.agent.map(|agent| agent.0),
        target: tried.target.clone(),
        at: tried.at.0,
        outcome: tried.outcome.clone(),
        close_code: tried.close_code,
    }
}

fn media_session(row: MediaRow) -> MediaSession {
    MediaSession {
        started_at: UnixMillis(row.started_at),
        ended_at: UnixMillis(row.ended_at),
        end: row.end,
        first_audio_to_runtime_ms: row.first_audio_to_runtime_ms,
        first_audio_to_carrier_ms: row.first_audio_to_carrier_ms,
        frames_to_runtime: row.frames_to_runtime,
        frames_to_carrier: row.frames_to_carrier,
        frames_dropped: row.frames_dropped,
        marks_set: row.marks_set,
        marks_played: row.marks_played,
    }
}

fn media_row(session: &MediaSession) -> MediaRow {
    MediaRow {
        started_at: session.started_at.0,
        ended_at: session.ended_at.0,
        end: session.end.clone(),
        first_audio_to_runtime_ms: session.first_audio_to_runtime_ms,
        first_audio_to_carrier_ms: session.first_audio_to_carrier_ms,
        frames_to_runtime: session.frames_to_runtime,
        frames_to_carrier: session.frames_to_carrier,
        frames_dropped: session.frames_dropped,
        marks_set: session.marks_set,
        marks_played: session.marks_played,
    }
}

fn dated(selection: Selection, filter: &CallFilter) -> Selection {
    selection
        .and_some("created_at >= ?", filter.from_date)
        .and_some("created_at <= ?", filter.to_date)
}

impl CallFilter {
    /// Each direction and status that is meant, where not all are.
    fn directed(&self) -> Option<Vec<(Direction, CallStatus)>> {
        let Self { status, direction, is_over, .. } = self;
        if status.is_none() && direction.is_none() && is_over.is_none() {
            return None;
        }
        let meant = |wanted: &CallStatus| {
            status.is_none_or(|status| status == *wanted)
                && is_over.is_none_or(|is_over| is_over == wanted.is_final())
        };
        let statuses = CallStatus::ALL.iter().copied().filter(meant);
        let directions = Direction::ALL.iter().copied();
        let directions = directions.filter(|way| direction.is_none_or(|wanted| wanted == *way));
        Some(directions.flat_map(|way| statuses.clone().map(move |status| (way, status))).collect())
    }
}

impl Rows<'_> {
    /// A call.
    ///
    /// # Errors
    /// The store's.
    pub fn call(&self, tenant: TenantId, id: CallId) -> Result<Option<CallRecord>, WriteError> {
        Ok(self.any_call(id)?.filter(|call| call.tenant == tenant))
    }

    /// The latest call of the tenant that a carrier knows by this id.
    ///
    /// # Errors
    /// The store's.
    pub fn call_by_carrier_id(
        &self,
        tenant: TenantId,
        carrier_call_id: &str,
    ) -> Result<Option<CallRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM calls INDEXED BY calls_by_carrier_id
             WHERE tenant = ?1 AND carrier_call_id = ?2 ORDER BY created_at DESC, id DESC LIMIT 1"
        );
        self.one(&sql, params![tenant, carrier_call_id], read)
    }

    /// Calls, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn calls(
        &self,
        tenant: TenantId,
        filter: &CallFilter,
        paging: &Paging,
    ) -> Result<Listed<CallRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM calls WHERE id = ?1");
        self.page_of_any(self.selections(tenant, filter)?, paging)?.try_map(|id| {
            Ok::<_, WriteError>(self.prepared(&sql)?.query_row([id.as_bytes()], read)?)
        })
    }

    /// The calls that a filter means, so that none of them is found by walking many others.
    fn selections(
        &self,
        tenant: TenantId,
        filter: &CallFilter,
    ) -> Result<Vec<Selection>, WriteError> {
        let all = || Selection::of("calls", tenant);
        let is_of_one = filter.agent.is_some() || filter.ani.is_some() || filter.dnis.is_some();
        let selection = match (&filter.carrier_call_id, filter.search.as_deref()) {
            (Some(_), _) => all().by("calls_by_carrier_id"),
            (None, Some(text)) => {
                let (ids, sought) = self.named_by(tenant, text.trim())?;
                Selection::found("calls", tenant, ids, sought)
            }
            (None, None) if is_of_one => all(),
            (None, None) if filter.standing.is_some() => all().by("calls_by_standing"),
            (None, None) => {
                let places = filter.directed();
                let of = |(direction, status)| {
                    let of = all().by("calls_by_status").and("direction = ?", direction);
                    dated(of.and("status = ?", status), filter)
                };
                return Ok(match places {
                    Some(places) => places.into_iter().map(of).collect(),
                    None => vec![dated(all(), filter)],
                });
            }
        };
        let is_over = "(status IN ('completed', 'no_answer', 'busy', 'canceled', 'failed')) = ?";
        let selection = selection
            .and_some("carrier_call_id = ?", filter.carrier_call_id.clone())
            .and_some("status = ?", filter.status)
            .and_some(&format!("{STANDING} = ?"), filter.standing)
            .and_some("direction = ?", filter.direction)
            .and_some("agent = ?", filter.agent)
            .and_some("ani = ?", filter.ani)
            .and_some("dnis = ?", filter.dnis)
            .and_some(is_over, filter.is_over);
        Ok(vec![dated(selection, filter)])
    }

    /// Any tenant's call.
    pub(in crate::store) fn any_call(&self, id: CallId) -> Result<Option<CallRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM calls WHERE id = ?1"), [id], read)
    }
}

impl Tx<'_> {
    /// Forgets calls from before; how many.
    pub(in crate::store) fn delete_aged_calls(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        let aged = "SELECT id FROM calls WHERE tenant = ?1 AND created_at < ?2
            ORDER BY created_at LIMIT ?3";
        let which = params![tenant, before, limit];
        self.uncount_calls(tenant, aged, which)?;
        for kept in ["campaign_calls", "credits", "transcripts", "call_details", "dials"] {
            self.run(&format!("DELETE FROM {kept} WHERE call IN ({aged})"), which)?;
        }
        self.run(&format!("DELETE FROM calls WHERE id IN ({aged})"), which)
    }

    pub(in crate::store) fn put_call(&mut self, call: &CallRecord) -> Result<(), WriteError> {
        let trace: Vec<_> =
            call.trace.iter().map(|step| (step.step, step.result, &step.detail)).collect();
        let tried: Vec<_> = call.targets_tried.iter().map(tried_row).collect();
        let media: Vec<_> = call.media.iter().map(media_row).collect();
        self.run(
            &format!(
                "INSERT OR REPLACE INTO calls ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
                    ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
                    ?24, ?25, ?26, ?27)"
            ),
            params![
                call.id,
                call.tenant,
                call.account,
                call.carrier_call_id,
                call.direction,
                call.status,
                call.ani,
                call.dnis,
                call.number,
                call.agent,
                call.reason,
                call.unmatched,
                call.touch,
                Json(trace),
                Json(tried),
                call.created_at,
                call.answered_at,
                call.ended_at,
                call.updated_at,
                call.ended_by,
                call.error_code,
                call.caller_verified,
                Json(media),
                call.version,
                call.ringing_at,
                call.by_machine,
                call.is_erased,
            ],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_the_expression_that_is_asked_for() {
        assert!(include_str!("../schema/15.sql").contains(STANDING));
    }
}
