//! What was asked of carriers for calls placed here.

use rusqlite::{Row, params};

use super::Rows;
use crate::{
    domain::{
        AgentId, CallBrief, CallId, CallRecord, DialRecord, DialState, E164, TenantId, TouchId,
        UnixMillis,
    },
    store::{Tx, WriteError},
};

const COLUMNS: &str = "call, tenant, account, agent, caller_id, contact, state, asked_at, is_test,
    detects_machine, instructions, variables, echo, webhook_url, error_message, due_at,
    hangs_up_on_machine, voicemail_message";

fn read(row: &Row<'_>) -> rusqlite::Result<DialRecord> {
    Ok(DialRecord {
        call: row.get(0)?,
        tenant: row.get(1)?,
        account: row.get(2)?,
        agent: row.get(3)?,
        caller_id: row.get(4)?,
        contact: row.get(5)?,
        state: row.get(6)?,
        asked_at: row.get(7)?,
        is_test: row.get(8)?,
        detects_machine: row.get(9)?,
        brief: CallBrief {
            instructions: row.get(10)?,
            variables: row.get(11)?,
            echo: row.get(12)?,
            webhook_url: row.get(13)?,
        },
        error_message: row.get(14)?,
        due_at: row.get(15)?,
        hangs_up_on_machine: row.get(16)?,
        voicemail_message: row.get(17)?,
    })
}

impl Rows<'_> {
    /// What was asked of the carrier for a call, where it was placed here.
    ///
    /// # Errors
    /// The store's.
    pub fn dial(&self, tenant: TenantId, call: CallId) -> Result<Option<DialRecord>, WriteError> {
        Ok(self.any_dial(call)?.filter(|dial| dial.tenant == tenant))
    }

    /// Any tenant's.
    pub(in crate::store) fn any_dial(
        &self,
        call: CallId,
    ) -> Result<Option<DialRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM dials WHERE call = ?1"), [call], read)
    }

    /// Everybody's of that state.
    pub(in crate::store) fn dials(&self, state: DialState) -> Result<Vec<DialRecord>, WriteError> {
        self.all(&format!("SELECT {COLUMNS} FROM dials WHERE state = ?1"), [state], read)
    }

    /// When the next call that waits is to be placed.
    ///
    /// # Errors
    /// The store's.
    pub fn next_due(&self) -> Result<Option<UnixMillis>, WriteError> {
        let sql = "SELECT min(due_at) FROM dials WHERE due_at IS NOT NULL";
        Ok(self.one(sql, [], |row| row.get(0))?.flatten())
    }

    /// An agent's calls to a person that wait for their time, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn waiting_calls(
        &self,
        tenant: TenantId,
        agent: AgentId,
        contact: E164,
    ) -> Result<Vec<CallRecord>, WriteError> {
        let sql = "SELECT call FROM dials INDEXED BY dials_waiting
            WHERE agent = ?1 AND contact = ?2 AND due_at IS NOT NULL ORDER BY call";
        let waiting = self.all(sql, params![agent, contact], |row| row.get(0))?;
        let rows: Result<Vec<_>, _> =
            waiting.into_iter().map(|id: CallId| self.call(tenant, id)).collect();
        Ok(rows?.into_iter().flatten().filter(|call| !call.status.is_final()).collect())
    }

    /// Everybody's that are to be placed by then, the earliest first.
    pub(in crate::store) fn due_dials(
        &self,
        by: UnixMillis,
        limit: u32,
    ) -> Result<Vec<DialRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dials WHERE due_at <= ?1 ORDER BY due_at, call LIMIT ?2"
        );
        self.all(&sql, params![by, limit], read)
    }

    /// The calls placed here that were not over when they were last heard of, oldest first.
    pub(in crate::store) fn open_dials(&self) -> Result<Vec<DialRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dials WHERE call IN (
                SELECT id FROM calls INDEXED BY calls_open
                WHERE status IN ('queued', 'initiated', 'ringing', 'in_progress'))
             ORDER BY call"
        );
        self.all(&sql, [], read)
    }

    /// The number that a person saw last from an agent.
    pub(in crate::store) fn last_shown(
        &self,
        tenant: TenantId,
        agent: AgentId,
        contact: E164,
    ) -> Result<Option<E164>, WriteError> {
        self.one(
            "SELECT caller_id FROM touches WHERE tenant = ?1 AND contact = ?2 AND agent = ?3
             ORDER BY at DESC, id DESC LIMIT 1",
            params![tenant, contact, agent],
            |row| row.get(0),
        )
    }

    /// Whose touch it is.
    pub(in crate::store) fn touch_owners(&self, id: TouchId) -> Result<Vec<TenantId>, WriteError> {
        self.all(
            "SELECT tenants.id FROM tenants JOIN touches
             ON touches.tenant = tenants.id AND touches.id = ?1",
            [id],
            |row| row.get(0),
        )
    }

    /// Whether a call of the account has that id at the carrier already.
    pub(in crate::store) fn is_adopted(
        &self,
        tenant: TenantId,
        carrier_call_id: &str,
    ) -> Result<bool, WriteError> {
        Ok(self.call_by_carrier_id(tenant, carrier_call_id)?.is_some())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_dial(&mut self, dial: &DialRecord) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT OR REPLACE INTO dials ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
                    ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
            ),
            params![
                dial.call,
                dial.tenant,
                dial.account,
                dial.agent,
                dial.caller_id,
                dial.contact,
                dial.state,
                dial.asked_at,
                dial.is_test,
                dial.detects_machine,
                dial.brief.instructions,
                dial.brief.variables,
                dial.brief.echo,
                dial.brief.webhook_url,
                dial.error_message,
                dial.due_at,
                dial.hangs_up_on_machine,
                dial.voicemail_message,
            ],
        )?;
        Ok(())
    }
}
