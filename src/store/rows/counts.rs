//! Counts a day: of calls, for lists' totals, and of return calls, for statistics. They are
//! corrected by every write of a call's row, in its transaction, so that nobody counts rows.
//!
//! Counts of calls follow the rows, also where retention takes them. Counts of return calls stay:
//! what happened has happened.

use rusqlite::{Params, params};
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::{AgentId, CallId, CallRecord, CallStatus, Direction, RouteReason, TenantId, UnixDay},
    store::{CallbackStats, Tx, WriteError},
};

/// The key of a row that counts every agent's.
const EVERYBODY: &[u8] = b"";
/// The source of callers whom nobody had called.
const NOBODY: &[u8] = b"";

/// What of a call its count is by.
type Place = (Option<AgentId>, UnixDay, Direction, CallStatus);

/// A call that reached a callback agent.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Returned {
    agent: AgentId,
    day: UnixDay,
    unmatched: bool,
    answered: bool,
}

impl Returned {
    fn of(call: &CallRecord) -> Option<Self> {
        let is_return = call.reason == Some(RouteReason::Callback);
        let is_meant = call.direction == Direction::Inbound && (is_return || call.unmatched);
        Some(Self {
            agent: call.agent.filter(|_| is_meant)?,
            day: call.created_at.day(),
            unmatched: !is_return,
            answered: call.answered_at.is_some(),
        })
    }
}

const fn place(call: &CallRecord) -> Place {
    (call.agent, call.created_at.day(), call.direction, call.status)
}

impl Rows<'_> {
    /// Return calls of some days, both included: one callback agent's, or everybody's.
    ///
    /// # Errors
    /// The store's.
    pub fn callback_stats(
        &self,
        tenant: TenantId,
        agent: Option<AgentId>,
        from: UnixDay,
        to: UnixDay,
    ) -> Result<CallbackStats, WriteError> {
        let agent = agent.as_ref().map_or(EVERYBODY, |agent| agent.0.as_bytes());
        let counted: Vec<(Vec<u8>, u64, u64)> = self.all(
            "SELECT source, sum(received), sum(answered) FROM callback_counts
             WHERE tenant = ?1 AND agent = ?2 AND day BETWEEN ?3 AND ?4
             GROUP BY source ORDER BY 2 DESC, 1",
            params![tenant, agent, from, to],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut stats = CallbackStats::default();
        for (source, received, answered) in counted.into_iter().filter(|(_, n, _)| *n > 0) {
            if source == NOBODY {
                stats.unmatched = received;
                continue;
            }
            stats.received += received;
            stats.answered += answered;
            let source = Uuid::from_slice(&source).ok().filter(|source| !source.is_nil());
            stats.by_source.push((source.map(AgentId), received));
        }
        Ok(stats)
    }

    /// Whose call a return call is credited with, where it was counted.
    ///
    /// # Errors
    /// The store's.
    pub fn credited(&self, call: CallId) -> Result<Option<AgentId>, WriteError> {
        let sql = "SELECT source FROM credits WHERE call = ?1";
        let source: Option<AgentId> = self.one(sql, [call], |row| row.get(0))?;
        Ok(source.filter(|source| !source.0.is_nil()))
    }
}

impl Tx<'_> {
    /// A row has become what it is now.
    pub(in crate::store) fn count_call(
        &mut self,
        before: Option<&CallRecord>,
        after: &CallRecord,
    ) -> Result<(), WriteError> {
        let tenant = after.tenant;
        let (was, is) = (before.map(place), place(after));
        if was != Some(is) {
            if let Some(was) = was {
                self.shift(tenant, was, -1)?;
            }
            self.shift(tenant, is, 1)?;
        }
        let (was, is) = (before.and_then(Returned::of), Returned::of(after));
        if was != is {
            let source = self.credit(after, is)?;
            for (returned, by) in [(was, -1), (is, 1)] {
                if let Some(returned) = returned {
                    self.shift_returned(tenant, &source, returned, by)?;
                }
            }
        }
        Ok(())
    }

    /// The calls that a query names are about to go.
    pub(super) fn uncount_calls<P: Params>(
        &mut self,
        tenant: TenantId,
        going: &str,
        which: P,
    ) -> Result<(), WriteError> {
        let sql = format!(
            "SELECT agent, created_at / 86400000, direction, status, count(*) FROM calls
             WHERE id IN ({going}) GROUP BY 1, 2, 3, 4"
        );
        let counted: Vec<(Place, i64)> = self.all(&sql, which, |row| {
            let place = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((place, row.get(4)?))
        })?;
        for (place, calls) in counted {
            self.shift(tenant, place, -calls)?;
        }
        Ok(())
    }

    fn shift(&mut self, tenant: TenantId, place: Place, by: i64) -> Result<(), WriteError> {
        let (agent, day, direction, status) = place;
        let agent = agent.map(|agent| agent.0);
        let agent = agent.as_ref().map(|agent| agent.as_bytes().as_slice());
        for agent in [Some(EVERYBODY), agent].into_iter().flatten() {
            self.run(
                "INSERT INTO call_counts (tenant, agent, day, direction, status, calls)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET calls = calls + ?6",
                params![tenant, agent, day, direction, status, by],
            )?;
            if by < 0 {
                self.run(
                    "DELETE FROM call_counts WHERE tenant = ?1 AND agent = ?2 AND day = ?3
                        AND direction = ?4 AND status = ?5 AND calls = 0",
                    params![tenant, agent, day, direction, status],
                )?;
            }
        }
        Ok(())
    }

    /// The source that the call's count is under: fixed when it is first asked for.
    fn credit(&mut self, call: &CallRecord, is: Option<Returned>) -> Result<Vec<u8>, WriteError> {
        if is.is_none_or(|returned| returned.unmatched) {
            return Ok(NOBODY.to_vec());
        }
        let known = "SELECT source FROM credits WHERE call = ?1";
        if let Some(source) = self.one(known, [call.id], |row| row.get(0))? {
            return Ok(source);
        }
        let touch = match call.touch {
            Some(touch) => self.touch(call.tenant, touch)?,
            None => None,
        };
        let source = touch.map_or(AgentId(Uuid::nil()), |record| record.touch.agent);
        let sql = "INSERT INTO credits (call, source) VALUES (?1, ?2)";
        self.run(sql, params![call.id, source])?;
        Ok(source.0.as_bytes().to_vec())
    }

    fn shift_returned(
        &mut self,
        tenant: TenantId,
        source: &[u8],
        returned: Returned,
        by: i64,
    ) -> Result<(), WriteError> {
        let answered = by * i64::from(returned.answered);
        for agent in [EVERYBODY, returned.agent.0.as_bytes()] {
            self.run(
                "INSERT INTO callback_counts (tenant, agent, day, source, received, answered)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET received = received + ?5, answered = answered + ?6",
                params![tenant, agent, returned.day, source, by, answered],
            )?;
        }
        Ok(())
    }
}
