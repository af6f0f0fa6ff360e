//! Touches, as they are kept and as they are remembered.

use rusqlite::{Row, params};

use super::Rows;
use crate::{
    domain::{
        AgentId, CallBrief, CallResult, CallSummary, E164, REMEMBERED_MAX, TenantId, Touch,
        TouchId, TouchRecord, UnixSeconds,
    },
    replica::Delta,
    store::{Tx, WriteError},
};

const COLUMNS: &str = "tenant, id, contact, agent, caller_id, at, outcome";

/// Most touches of one person that are read; a person called more often has nothing to gain.
const OF_CONTACT_MAX: u32 = 1000;

fn read(row: &Row<'_>) -> rusqlite::Result<Touch> {
    Ok(Touch {
        tenant: row.get(0)?,
        id: row.get(1)?,
        contact: row.get(2)?,
        agent: row.get(3)?,
        caller_id: row.get(4)?,
        at: row.get(5)?,
        outcome: row.get(6)?,
    })
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<TouchRecord> {
    Ok(TouchRecord { touch: read(row)?, external_id: row.get(7)?, call: row.get(8)? })
}

/// What a contact remembers of its touches, which come newest first: the newest of each (agent,
/// caller ID), the newest of those.
#[derive(Default)]
struct Remembered(Vec<Touch>);

impl Remembered {
    fn offer(&mut self, touch: Touch) {
        let pair = (touch.agent, touch.caller_id);
        let is_known = self.0.iter().any(|kept| (kept.agent, kept.caller_id) == pair);
        if self.0.len() < REMEMBERED_MAX && !is_known {
            self.0.push(touch);
        }
    }
}

impl Rows<'_> {
    /// Every touch kept of a person, newest first, up to a thousand.
    ///
    /// # Errors
    /// The store's.
    pub fn contact(&self, tenant: TenantId, contact: E164) -> Result<Vec<TouchRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS}, external_id, call FROM touches
             WHERE tenant = ?1 AND contact = ?2 ORDER BY at DESC, id DESC LIMIT {OF_CONTACT_MAX}"
        );
        self.all(&sql, params![tenant, contact], read_record)
    }

    /// A touch.
    ///
    /// # Errors
    /// The store's.
    pub fn touch(&self, tenant: TenantId, id: TouchId) -> Result<Option<TouchRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS}, external_id, call FROM touches WHERE tenant = ?1 AND id = ?2"
        );
        self.one(&sql, params![tenant, id], read_record)
    }

    /// What a runtime is told of the call that is being returned.
    ///
    /// # Errors
    /// The store's.
    pub fn call_summary(
        &self,
        tenant: TenantId,
        id: TouchId,
    ) -> Result<Option<CallSummary>, WriteError> {
        let Some(TouchRecord { touch, call, .. }) = self.touch(tenant, id)? else {
            return Ok(None);
        };
        let name = self.one(
            "SELECT name FROM agents WHERE id = ?1 AND tenant = ?2",
            params![touch.agent, tenant],
            |row| row.get::<_, String>(0),
        )?;
        let dial = call.map(|call| self.dial(tenant, call)).transpose()?.flatten();
        let result = call.map(|call| self.call_result(tenant, call)).transpose()?.flatten();
        let result = result.as_ref().and_then(CallResult::fields).map(str::to_owned);
        let CallBrief { variables, echo, .. } = dial.map(|dial| dial.brief).unwrap_or_default();
        let source_agent = name.map(|name| (touch.agent, name));
        Ok(Some(CallSummary { source_agent, touch, variables, echo, result }))
    }

    /// What is remembered of a person, as a snapshot would put it.
    pub(in crate::store) fn remembered(
        &self,
        tenant: TenantId,
        contact: E164,
    ) -> Result<Delta, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM touches WHERE tenant = ?1 AND contact = ?2
             ORDER BY at DESC, id DESC"
        );
        let mut statement = self.prepared(&sql)?;
        let mut kept = Remembered::default();
        for touch in statement.query_map(params![tenant, contact], read)? {
            kept.offer(touch?);
        }
        Ok(Delta::Contact { tenant, contact, touches: kept.0 })
    }

    /// What is remembered of everybody, contact by contact.
    pub(in crate::store) fn each_remembered<E: From<WriteError>>(
        &self,
        mut hand_over: impl FnMut(Delta) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql =
            format!("SELECT {COLUMNS} FROM touches ORDER BY tenant, contact, at DESC, id DESC");
        let sqlite = |error: rusqlite::Error| E::from(error.into());
        let mut statement = self.prepared(&sql).map_err(sqlite)?;
        let mut current: Option<((TenantId, E164), Remembered)> = None;
        for touch in statement.query_map([], read).map_err(sqlite)? {
            let touch = touch.map_err(sqlite)?;
            let key = (touch.tenant, touch.contact);
            match &mut current {
                Some((of, kept)) if *of == key => kept.offer(touch),
                _ => {
                    let next = (key, Remembered(vec![touch]));
                    if let Some(((tenant, contact), done)) = current.replace(next) {
                        hand_over(Delta::Contact { tenant, contact, touches: done.0 })?;
                    }
                }
            }
        }
        match current {
            Some(((tenant, contact), done)) => {
                hand_over(Delta::Contact { tenant, contact, touches: done.0 })
            }
            None => Ok(()),
        }
    }

    /// The numbers that touches of this agent have shown, the latest first.
    pub(in crate::store) fn callers(
        &self,
        tenant: TenantId,
        agent: AgentId,
        limit: u32,
    ) -> Result<Vec<E164>, WriteError> {
        self.all(
            "SELECT caller_id FROM callers WHERE tenant = ?1 AND agent = ?2
             ORDER BY last_at DESC, caller_id LIMIT ?3",
            params![tenant, agent, limit],
            |row| row.get(0),
        )
    }

    /// Persons of whom something older than the cutoff is kept.
    pub(in crate::store) fn aged_contacts(
        &self,
        tenant: TenantId,
        cutoff: UnixSeconds,
        limit: u32,
    ) -> Result<Vec<E164>, WriteError> {
        self.all(
            "SELECT DISTINCT contact FROM touches INDEXED BY touches_by_age
             WHERE tenant = ?1 AND at < ?2 LIMIT ?3",
            params![tenant, cutoff, limit],
            |row| row.get(0),
        )
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_touch(&mut self, record: &TouchRecord) -> Result<(), WriteError> {
        let touch = &record.touch;
        self.run(
            &format!(
                "INSERT INTO touches ({COLUMNS}, external_id, call)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (tenant, id) DO UPDATE SET at = ?6, outcome = ?7,
                    external_id = coalesce(external_id, ?8), call = coalesce(call, ?9)"
            ),
            params![
                touch.tenant,
                touch.id,
                touch.contact,
                touch.agent,
                touch.caller_id,
                touch.at,
                touch.outcome,
                record.external_id,
                record.call,
            ],
        )?;
        self.run(
            "INSERT INTO callers (tenant, agent, caller_id, last_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, agent, caller_id) DO UPDATE SET last_at = max(last_at, ?4)",
            params![touch.tenant, touch.agent, touch.caller_id, touch.at],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_aged(
        &mut self,
        tenant: TenantId,
        contact: E164,
        cutoff: UnixSeconds,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM touches WHERE tenant = ?1 AND contact = ?2 AND at < ?3",
            params![tenant, contact, cutoff],
        )
    }

    pub(in crate::store) fn delete_aged_callers(
        &mut self,
        tenant: TenantId,
        cutoff: UnixSeconds,
        limit: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM callers WHERE tenant = ?1 AND (agent, caller_id) IN
                (SELECT agent, caller_id FROM callers WHERE tenant = ?1 AND last_at < ?2
                 ORDER BY last_at LIMIT ?3)",
            params![tenant, cutoff, limit],
        )
    }
}
