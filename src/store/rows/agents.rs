//! Agents and the callback role.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    Rows,
    codec::{Json, Words, words},
    page::{Selection, contains},
};
use crate::{
    domain::{
        Agent, AgentId, AgentRecord, AgentState, Callback, NumberId, OutcomeSet, TenantId,
        UnixMillis,
    },
    store::{AgentFilter, Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, name, label, direction, state, targets, runtime_parameters,
    first_audio_timeout_ms, profile, primary_number, created_at, updated_at, archived_at,
    min_attestation, context_min_attestation, runtime_media";

/// The row alone: numbers, role and upstream are still missing.
fn read(row: &Row<'_>) -> rusqlite::Result<AgentRecord> {
    let agent = Agent {
        id: row.get(0)?,
        tenant: row.get(1)?,
        name: row.get(2)?,
        direction: row.get(4)?,
        state: row.get(5)?,
        targets: row.get::<_, Words<_>>(6)?.0,
        callback: None,
        runtime_parameters: row.get::<_, Json<Vec<(String, String)>>>(7)?.0,
        first_audio_timeout_ms: row.get(8)?,
        min_attestation: row.get(14)?,
        context_min_attestation: row.get(15)?,
        runtime_media: row.get(16)?,
    };
    Ok(AgentRecord {
        agent,
        label: row.get(3)?,
        profile: row.get(9)?,
        primary_number: row.get(10)?,
        numbers: Vec::new(),
        created_at: row.get(11)?,
        updated_at: row.get(12)?,
        archived_at: row.get(13)?,
        upstream: None,
    })
}

impl Rows<'_> {
    /// An agent.
    ///
    /// # Errors
    /// The store's.
    pub fn agent(&self, tenant: TenantId, id: AgentId) -> Result<Option<AgentRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], read)?.map(|row| self.whole(row)).transpose()
    }

    /// Agents, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn agents(
        &self,
        tenant: TenantId,
        filter: &AgentFilter,
        paging: &Paging,
    ) -> Result<Listed<AgentRecord>, WriteError> {
        let hidden = (!filter.archived).then_some(AgentState::Archived);
        let selection = Selection::of("agents", tenant)
            .and_that("id NOT IN (SELECT agent FROM implicit_agents)")
            .and_some("direction = ?", filter.direction)
            .and_some("state = ?", filter.state)
            .and_some("state <> ?", hidden);
        let selection = match (&filter.search, paging) {
            (Some(text), _) => selection
                .and(r"(name LIKE ? ESCAPE '\' OR label LIKE ? ESCAPE '\')", contains(text)),
            (None, Paging::Page { .. }) => selection.counted(self.agents_count(tenant, filter)?),
            (None, Paging::Keyset { .. }) => selection,
        };
        self.page(selection, paging)?.try_map(|id| self.listed(id))
    }

    /// How many agents a filter means; its text is not looked at.
    fn agents_count(&self, tenant: TenantId, filter: &AgentFilter) -> Result<u64, WriteError> {
        let counted = self.one(
            "SELECT coalesce(sum(agents), 0) FROM agent_counts
             WHERE tenant = ?1 AND (?2 IS NULL OR direction = ?2) AND (?3 IS NULL OR state = ?3)
                AND (?4 OR state <> 'archived')",
            params![tenant, filter.direction, filter.state, filter.archived],
            |row| row.get(0),
        )?;
        Ok(counted.unwrap_or(0))
    }

    /// The agents that hold the callback role, oldest first; archived ones are not among them.
    ///
    /// # Errors
    /// The store's.
    pub fn callback_agents(&self, tenant: TenantId) -> Result<Vec<AgentRecord>, WriteError> {
        self.picked(
            "SELECT id FROM agents JOIN callback_roles ON agent = id
             WHERE tenant = ?1 AND state <> 'archived' ORDER BY created_at, id",
            tenant,
        )
    }

    /// The agents that can be sources, oldest first: outbound ones that are live.
    ///
    /// # Errors
    /// The store's.
    pub fn source_agents(&self, tenant: TenantId) -> Result<Vec<AgentRecord>, WriteError> {
        self.picked(
            "SELECT id FROM agents
             WHERE tenant = ?1 AND direction = 'outbound' AND state = 'live'
               AND id NOT IN (SELECT agent FROM implicit_agents)
             ORDER BY created_at, id",
            tenant,
        )
    }

    /// Live inbound agents without targets of their own.
    ///
    /// # Errors
    /// The store's.
    pub fn agents_without_target(
        &self,
        tenant: TenantId,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, WriteError> {
        let ids: Vec<Uuid> = self.all(
            "SELECT id FROM agents INDEXED BY agents_without_target
             WHERE tenant = ?1 AND direction = 'inbound' AND state = 'live' AND targets = '[]'
                AND id NOT IN (SELECT agent FROM implicit_agents) LIMIT ?2",
            params![tenant, limit],
            |row| row.get(0).map(Uuid::from_bytes),
        )?;
        ids.into_iter().map(|id| self.listed(id)).collect()
    }

    /// Agents of a name, archived ones left out: an agent may be named by its unique name.
    ///
    /// # Errors
    /// The store's.
    pub fn agents_named(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Vec<AgentRecord>, WriteError> {
        let ids: Vec<Uuid> = self.all(
            "SELECT id FROM agents INDEXED BY agents_by_name
             WHERE tenant = ?1 AND name = ?2 AND state <> 'archived'
                AND id NOT IN (SELECT agent FROM implicit_agents)
             ORDER BY created_at, id LIMIT 2",
            params![tenant, name],
            |row| row.get(0).map(Uuid::from_bytes),
        )?;
        ids.into_iter().map(|id| self.listed(id)).collect()
    }

    /// Archived agents of a name.
    pub(in crate::store) fn archived_named(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Vec<AgentId>, WriteError> {
        self.all(
            "SELECT id FROM agents INDEXED BY agents_by_name
             WHERE tenant = ?1 AND name = ?2 AND state = 'archived'
             ORDER BY created_at, id LIMIT 2",
            params![tenant, name],
            |row| row.get(0),
        )
    }

    /// Every agent of a tenant that is not archived, also those that nobody named.
    pub(in crate::store) fn agents_of(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<AgentRecord>, WriteError> {
        self.picked("SELECT id FROM agents WHERE tenant = ?1 AND state <> 'archived'", tenant)
    }

    /// Every agent of a tenant that somebody named and nobody archived, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn current_agents(&self, tenant: TenantId) -> Result<Vec<AgentRecord>, WriteError> {
        self.picked(
            "SELECT id FROM agents WHERE tenant = ?1 AND state <> 'archived'
             AND id NOT IN (SELECT agent FROM implicit_agents)
             ORDER BY created_at, id",
            tenant,
        )
    }

    /// Any tenant's agent.
    pub(in crate::store) fn any_agent(
        &self,
        id: AgentId,
    ) -> Result<Option<AgentRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = ?1");
        self.one(&sql, [id], read)?.map(|row| self.whole(row)).transpose()
    }

    /// Any tenant's agent, as routing knows it.
    pub(in crate::store) fn routed_agent(&self, id: AgentId) -> Result<Option<Agent>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = ?1");
        let Some(mut row) = self.one(&sql, [id], read)? else { return Ok(None) };
        row.agent.callback = self.callback(id)?;
        Ok(Some(row.agent))
    }

    pub(in crate::store) fn agent_ids(&self) -> Result<Vec<AgentId>, WriteError> {
        self.all("SELECT id FROM agents ORDER BY id", [], |row| row.get(0))
    }

    /// The callback agents that list this source.
    pub(in crate::store) fn callbacks_over(
        &self,
        source: AgentId,
    ) -> Result<Vec<AgentId>, WriteError> {
        self.all("SELECT agent FROM callback_sources WHERE source = ?1", [source], |row| row.get(0))
    }

    /// The longest window that a callback agent of the tenant asks for, in days.
    ///
    /// # Errors
    /// The store's.
    pub fn window_days_max(&self, tenant: TenantId) -> Result<u32, WriteError> {
        let longest = self.one(
            "SELECT max(window_days) FROM callback_roles JOIN agents ON agent = id
             WHERE tenant = ?1",
            [tenant],
            |row| row.get::<_, Option<u32>>(0),
        )?;
        Ok(longest.flatten().unwrap_or(0))
    }

    fn picked(&self, sql: &str, tenant: TenantId) -> Result<Vec<AgentRecord>, WriteError> {
        let ids = self.all(sql, [tenant], |row| row.get(0).map(Uuid::from_bytes))?;
        ids.into_iter().map(|id| self.listed(id)).collect()
    }

    /// An agent whose id was just read in the same transaction.
    fn listed(&self, id: Uuid) -> Result<AgentRecord, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = ?1");
        let row = self.prepared(&sql)?.query_row([id.as_bytes()], read)?;
        self.whole(row)
    }

    fn whole(&self, mut record: AgentRecord) -> Result<AgentRecord, WriteError> {
        record.agent.callback = self.callback(record.agent.id)?;
        record.numbers = self.numbers_of(record.agent.id)?;
        record.upstream = self.upstream_name_of_agent(record.agent.id)?;
        Ok(record)
    }

    fn callback(&self, agent: AgentId) -> Result<Option<Callback>, WriteError> {
        let role = self.one(
            "SELECT window_days, trigger_outcomes, since FROM callback_roles WHERE agent = ?1",
            [agent],
            |row| {
                let outcomes: Words<_> = row.get(1)?;
                let trigger_outcomes: OutcomeSet = outcomes.0.into_iter().collect();
                let (window_days, since) = (row.get(0)?, row.get(2)?);
                Ok(Callback { sources: Vec::new(), window_days, trigger_outcomes, since })
            },
        )?;
        let Some(mut role) = role else { return Ok(None) };
        role.sources = self.all(
            "SELECT source FROM callback_sources WHERE agent = ?1 ORDER BY position",
            [agent],
            |row| row.get(0),
        )?;
        Ok(Some(role))
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_agent(
        &mut self,
        agent: &Agent,
        label: Option<&str>,
        profile: &str,
    ) -> Result<(), WriteError> {
        self.touch_agent(agent.id)?;
        let now = self.now();
        self.run(
            &format!(
                "INSERT INTO agents ({COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, ?11, ?11, NULL, ?12, ?13,
                 ?14)"
            ),
            params![
                agent.id,
                agent.tenant,
                agent.name,
                label,
                agent.direction,
                agent.state,
                words(&agent.targets),
                Json(&agent.runtime_parameters),
                agent.first_audio_timeout_ms,
                profile,
                now,
                agent.min_attestation,
                agent.context_min_attestation,
                agent.runtime_media,
            ],
        )?;
        Ok(())
    }

    /// Writes everything of the agent but its numbers and its callback role.
    pub(in crate::store) fn put_agent(&mut self, record: &AgentRecord) -> Result<(), WriteError> {
        let agent = &record.agent;
        self.touch_agent(agent.id)?;
        let now = self.now();
        self.run(
            "UPDATE agents SET name = ?2, label = ?3, direction = ?4, state = ?5, targets = ?6,
                runtime_parameters = ?7, first_audio_timeout_ms = ?8, profile = ?9,
                primary_number = ?10, updated_at = ?11, archived_at = ?12, min_attestation = ?13,
                context_min_attestation = ?14, runtime_media = ?15 WHERE id = ?1",
            params![
                agent.id,
                agent.name,
                record.label,
                agent.direction,
                agent.state,
                words(&agent.targets),
                Json(&agent.runtime_parameters),
                agent.first_audio_timeout_ms,
                record.profile,
                record.primary_number,
                now,
                record.archived_at,
                agent.min_attestation,
                agent.context_min_attestation,
                agent.runtime_media,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_primary(
        &mut self,
        agent: AgentId,
        number: Option<NumberId>,
    ) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        let now: UnixMillis = self.now();
        self.run(
            "UPDATE agents SET primary_number = ?2, updated_at = ?3 WHERE id = ?1",
            params![agent, number, now],
        )?;
        Ok(())
    }

    /// An agent as it once was, but for its role and numbers.
    pub(in crate::store) fn restore_agent(
        &mut self,
        record: &AgentRecord,
    ) -> Result<(), WriteError> {
        let id = record.agent.id;
        if self.any_agent(id)?.is_none() {
            self.insert_agent(&record.agent, record.label.as_deref(), &record.profile)?;
            let sql = "UPDATE agents SET created_at = ?2 WHERE id = ?1";
            self.run(sql, params![id, record.created_at])?;
        }
        self.put_agent(record)
    }

    /// Deletes the agent's row; role and bindings must be gone before.
    pub(in crate::store) fn delete_agent_row(&mut self, id: AgentId) -> Result<(), WriteError> {
        self.touch_agent(id)?;
        self.run("DELETE FROM implicit_agents WHERE agent = ?1", [id])?;
        self.run("DELETE FROM agents WHERE id = ?1", [id])?;
        self.run("DELETE FROM callers WHERE agent = ?1", [id])?;
        Ok(())
    }

    pub(in crate::store) fn put_callback(
        &mut self,
        agent: AgentId,
        role: &Callback,
    ) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        self.run(
            "INSERT INTO callback_roles (agent, window_days, trigger_outcomes, since)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (agent) DO UPDATE SET window_days = ?2, trigger_outcomes = ?3, since = ?4",
            params![agent, role.window_days, words(role.trigger_outcomes.iter()), role.since],
        )?;
        self.run("DELETE FROM callback_sources WHERE agent = ?1", [agent])?;
        for (position, source) in (0_i64..).zip(&role.sources) {
            self.run(
                "INSERT INTO callback_sources (agent, position, source) VALUES (?1, ?2, ?3)",
                params![agent, position, source],
            )?;
        }
        Ok(())
    }

    pub(in crate::store) fn delete_callback(&mut self, agent: AgentId) -> Result<(), WriteError> {
        self.touch_agent(agent)?;
        self.run("DELETE FROM callback_sources WHERE agent = ?1", [agent])?;
        self.run("DELETE FROM callback_roles WHERE agent = ?1", [agent])?;
        Ok(())
    }
}
