//! Hosted control APIs that are mirrored here, and which rows are theirs.

use rusqlite::{Row, params};

use super::Rows;
use crate::{
    domain::{
        AgentId, AgentRecord, MirroredCounts, NumberId, NumberRecord, UnixMillis, UpstreamRecord,
    },
    store::{Mirrored, Tx, WriteError},
};

const COLUMNS: &str = "name, kind, base_url, tenant, last_success_at, calls_until";

fn read(row: &Row<'_>) -> rusqlite::Result<UpstreamRecord> {
    Ok(UpstreamRecord {
        name: row.get(0)?,
        kind: row.get(1)?,
        base_url: row.get(2)?,
        tenant: row.get(3)?,
        last_success_at: row.get(4)?,
        calls_until: row.get(5)?,
    })
}

impl Rows<'_> {
    /// Everything that is mirrored, by name.
    ///
    /// # Errors
    /// The store's.
    pub fn upstreams(&self) -> Result<Vec<UpstreamRecord>, WriteError> {
        self.all(&format!("SELECT {COLUMNS} FROM upstreams ORDER BY name"), [], read)
    }

    /// What is mirrored under that name.
    ///
    /// # Errors
    /// The store's.
    pub fn upstream(&self, name: &str) -> Result<Option<UpstreamRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM upstreams WHERE name = ?1"), [name], read)
    }

    /// The rows that are an upstream's, as they are here.
    ///
    /// # Errors
    /// The store's.
    pub fn mirrored(&self, upstream: &UpstreamRecord) -> Result<Mirrored, WriteError> {
        let agents: Vec<AgentId> = self.all(
            "SELECT agent FROM mirrored_agents WHERE upstream = ?1",
            [&upstream.name],
            |row| row.get(0),
        )?;
        let numbers: Vec<NumberId> = self.all(
            "SELECT number FROM mirrored_numbers WHERE upstream = ?1",
            [&upstream.name],
            |row| row.get(0),
        )?;
        let tenant = upstream.tenant;
        let agents: Result<Vec<Option<AgentRecord>>, WriteError> =
            agents.into_iter().map(|id| self.agent(tenant, id)).collect();
        let numbers: Result<Vec<Option<NumberRecord>>, WriteError> =
            numbers.into_iter().map(|id| self.number(tenant, id)).collect();
        Ok(Mirrored {
            agents: agents?.into_iter().flatten().collect(),
            numbers: numbers?.into_iter().flatten().collect(),
        })
    }

    /// How much of an upstream is mirrored.
    ///
    /// # Errors
    /// The store's.
    pub fn mirrored_counts(&self, upstream: &str) -> Result<MirroredCounts, WriteError> {
        let found = self.one(
            "SELECT (SELECT count(*) FROM mirrored_agents WHERE upstream = ?1),
                (SELECT count(*) FROM mirrored_numbers WHERE upstream = ?1),
                (SELECT count(*) FROM mirrored_agents JOIN callback_roles USING (agent)
                 WHERE upstream = ?1)",
            [upstream],
            |row| {
                let (agents, numbers, callbacks) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(MirroredCounts { agents, numbers, callbacks })
            },
        )?;
        Ok(found.unwrap_or_default())
    }

    /// Live inbound agents of an upstream that have no target here, up to a limit.
    ///
    /// # Errors
    /// The store's.
    pub fn mirrored_without_target(
        &self,
        upstream: &str,
        limit: u32,
    ) -> Result<Vec<AgentId>, WriteError> {
        self.all(
            "SELECT agent FROM mirrored_agents JOIN agents ON id = agent
             WHERE upstream = ?1 AND direction = 'inbound' AND state = 'live' AND targets = '[]'
             ORDER BY agent LIMIT ?2",
            params![upstream, limit],
            |row| row.get(0),
        )
    }

    /// Whose agent it is, where it is mirrored.
    pub(in crate::store) fn upstream_of_agent(
        &self,
        id: AgentId,
    ) -> Result<Option<UpstreamRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mirrored_agents JOIN upstreams ON name = upstream
             WHERE agent = ?1"
        );
        self.one(&sql, [id], read)
    }

    /// The name of the upstream whose agent it is.
    pub(super) fn upstream_name_of_agent(&self, id: AgentId) -> Result<Option<String>, WriteError> {
        let sql = "SELECT upstream FROM mirrored_agents WHERE agent = ?1";
        self.one(sql, [id], |row| row.get(0))
    }

    /// The name of the upstream whose number it is.
    pub(super) fn upstream_name_of_number(
        &self,
        id: NumberId,
    ) -> Result<Option<String>, WriteError> {
        let sql = "SELECT upstream FROM mirrored_numbers WHERE number = ?1";
        self.one(sql, [id], |row| row.get(0))
    }

    /// Whose number it is, where it is mirrored.
    pub(in crate::store) fn upstream_of_number(
        &self,
        id: NumberId,
    ) -> Result<Option<UpstreamRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mirrored_numbers JOIN upstreams ON name = upstream
             WHERE number = ?1"
        );
        self.one(&sql, [id], read)
    }
}

impl Tx<'_> {
    /// Writes whose it is and where; how far it was pulled stays.
    pub(in crate::store) fn put_upstream(
        &mut self,
        upstream: &UpstreamRecord,
    ) -> Result<(), WriteError> {
        let UpstreamRecord { name, kind, base_url, tenant, .. } = upstream;
        self.run(
            "INSERT INTO upstreams (name, kind, base_url, tenant) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET kind = ?2, base_url = ?3",
            params![name, kind, base_url, tenant],
        )?;
        Ok(())
    }

    /// Lets go of everything that is mirrored under that name: the rows stay.
    pub(in crate::store) fn delete_upstream(&mut self, name: &str) -> Result<(), WriteError> {
        self.run("DELETE FROM upstreams WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Notes how far an upstream has been pulled. It is in no log: nobody routes by it.
    ///
    /// # Errors
    /// The store's.
    pub fn note_pull(
        &mut self,
        name: &str,
        last_success_at: Option<UnixMillis>,
        calls_until: Option<UnixMillis>,
    ) -> Result<(), WriteError> {
        self.run(
            "UPDATE upstreams SET last_success_at = coalesce(?2, last_success_at),
                calls_until = coalesce(?3, calls_until) WHERE name = ?1",
            params![name, last_success_at, calls_until],
        )?;
        Ok(())
    }

    pub(in crate::store) fn mark_agent(
        &mut self,
        id: AgentId,
        upstream: &str,
    ) -> Result<(), WriteError> {
        self.run(
            "INSERT INTO mirrored_agents (agent, upstream) VALUES (?1, ?2)
             ON CONFLICT (agent) DO UPDATE SET upstream = ?2",
            params![id, upstream],
        )?;
        Ok(())
    }

    pub(in crate::store) fn mark_number(
        &mut self,
        id: NumberId,
        upstream: &str,
    ) -> Result<(), WriteError> {
        self.run(
            "INSERT INTO mirrored_numbers (number, upstream) VALUES (?1, ?2)
             ON CONFLICT (number) DO UPDATE SET upstream = ?2",
            params![id, upstream],
        )?;
        Ok(())
    }
}
