//! Tenants and their settings.

use rusqlite::{Row, params};

use super::{
    Rows,
    codec::{Words, words},
};
use crate::{
    domain::{AgentId, NumberId, Tenant, TenantId, TenantRecord, TenantSettings, UnixMillis},
    store::{Tx, WriteError},
};

const COLUMNS: &str = "id, name, window_days, touch_retention_days, min_attestation, below_min,
    context_min_attestation, fallback_agent, last_resort, block_list, block_target, created_at";

/// What goes with a tenant, those first that hang on others.
const GOES_WITH: [&str; 34] = [
    "DELETE FROM keys WHERE tenant = ?1",
    "DELETE FROM kept_answers WHERE tenant = ?1",
    "DELETE FROM attempts WHERE tenant = ?1",
    "DELETE FROM deliveries WHERE tenant = ?1",
    "DELETE FROM webhooks WHERE tenant = ?1",
    "DELETE FROM webhook_secrets WHERE tenant = ?1",
    "DELETE FROM campaign_calls WHERE campaign IN (SELECT id FROM campaigns WHERE tenant = ?1)",
    "DELETE FROM campaigns WHERE tenant = ?1",
    "DELETE FROM dids WHERE trunk IN (SELECT id FROM trunks WHERE tenant = ?1)",
    "DELETE FROM trunks WHERE tenant = ?1",
    "DELETE FROM releases WHERE tenant = ?1",
    "DELETE FROM credits WHERE call IN (SELECT id FROM calls WHERE tenant = ?1)",
    "DELETE FROM transcripts WHERE call IN (SELECT id FROM calls WHERE tenant = ?1)",
    "DELETE FROM call_details WHERE call IN (SELECT id FROM calls WHERE tenant = ?1)",
    "DELETE FROM dials WHERE call IN (SELECT id FROM calls WHERE tenant = ?1)",
    "DELETE FROM calls WHERE tenant = ?1",
    "DELETE FROM call_counts WHERE tenant = ?1",
    "DELETE FROM callback_counts WHERE tenant = ?1",
    "DELETE FROM agent_versions WHERE tenant = ?1",
    "DELETE FROM touches WHERE tenant = ?1",
    "DELETE FROM callers WHERE tenant = ?1",
    "DELETE FROM erasures WHERE tenant = ?1",
    "DELETE FROM revisions WHERE tenant = ?1",
    "DELETE FROM upstreams WHERE tenant = ?1",
    "DELETE FROM implicit_agents WHERE agent IN (SELECT id FROM agents WHERE tenant = ?1)",
    "DELETE FROM callback_sources WHERE agent IN (SELECT id FROM agents WHERE tenant = ?1)",
    "DELETE FROM callback_roles WHERE agent IN (SELECT id FROM agents WHERE tenant = ?1)",
    "DELETE FROM bindings WHERE agent IN (SELECT id FROM agents WHERE tenant = ?1)",
    "DELETE FROM pointed_numbers WHERE account IN (SELECT id FROM accounts WHERE tenant = ?1)
        OR (account, e164) IN (SELECT account, e164 FROM numbers WHERE tenant = ?1)",
    "DELETE FROM pointed_applications WHERE account IN (SELECT id FROM accounts WHERE tenant = ?1)",
    "DELETE FROM numbers WHERE tenant = ?1",
    "DELETE FROM agents WHERE tenant = ?1",
    "DELETE FROM agent_counts WHERE tenant = ?1",
    "DELETE FROM accounts WHERE tenant = ?1",
];

fn read(row: &Row<'_>) -> rusqlite::Result<TenantRecord> {
    let settings = TenantSettings {
        window_days: row.get(2)?,
        touch_retention_days: row.get(3)?,
        min_attestation: row.get(4)?,
        below_min: row.get(5)?,
        context_min_attestation: row.get(6)?,
        fallback_agent: row.get(7)?,
        last_resort: row.get(8)?,
        block_list: row.get::<_, Words<_>>(9)?.0,
        block_target: row.get(10)?,
    };
    let tenant = Tenant { id: row.get(0)?, name: row.get(1)?, settings };
    Ok(TenantRecord { tenant, created_at: row.get(11)? })
}

impl Rows<'_> {
    /// A tenant.
    ///
    /// # Errors
    /// The store's.
    pub fn tenant(&self, id: TenantId) -> Result<Option<TenantRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM tenants WHERE id = ?1"), [id], read)
    }

    /// A tenant by its name.
    ///
    /// # Errors
    /// The store's.
    pub fn tenant_by_name(&self, name: &str) -> Result<Option<TenantRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM tenants WHERE name = ?1"), [name], read)
    }

    /// All tenants, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn tenants(&self) -> Result<Vec<TenantRecord>, WriteError> {
        self.all(&format!("SELECT {COLUMNS} FROM tenants ORDER BY created_at, id"), [], read)
    }

    /// Whether the tenant has calls that are not over.
    pub(in crate::store) fn tenant_has_open_calls(&self, id: TenantId) -> Result<bool, WriteError> {
        // By the few that anybody has: the tenant may have a million that are over.
        let sql = "SELECT 1 FROM calls INDEXED BY calls_open
            WHERE status IN ('queued', 'initiated', 'ringing', 'in_progress') AND tenant = ?1
            LIMIT 1";
        Ok(self.one(sql, [id], |_| Ok(()))?.is_some())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_tenant(
        &mut self,
        id: TenantId,
        name: &str,
        created_at: UnixMillis,
    ) -> Result<(), WriteError> {
        self.touch_tenant(id)?;
        let settings = TenantSettings::default();
        self.run(
            &format!(
                "INSERT INTO tenants ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)"
            ),
            params![
                id,
                name,
                settings.window_days,
                settings.touch_retention_days,
                settings.min_attestation,
                settings.below_min,
                settings.context_min_attestation,
                settings.fallback_agent,
                settings.last_resort,
                words(&settings.block_list),
                settings.block_target,
                created_at,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_tenant_name(
        &mut self,
        id: TenantId,
        name: &str,
    ) -> Result<(), WriteError> {
        self.touch_tenant(id)?;
        self.run("UPDATE tenants SET name = ?2 WHERE id = ?1", params![id, name])?;
        Ok(())
    }

    pub(in crate::store) fn put_settings(
        &mut self,
        id: TenantId,
        settings: &TenantSettings,
    ) -> Result<(), WriteError> {
        self.touch_tenant(id)?;
        self.run(
            "UPDATE tenants SET window_days = ?2, touch_retention_days = ?3, min_attestation = ?4,
                below_min = ?5, context_min_attestation = ?6, fallback_agent = ?7,
                last_resort = ?8, block_list = ?9, block_target = ?10 WHERE id = ?1",
            params![
                id,
                settings.window_days,
                settings.touch_retention_days,
                settings.min_attestation,
                settings.below_min,
                settings.context_min_attestation,
                settings.fallback_agent,
                settings.last_resort,
                words(&settings.block_list),
                settings.block_target,
            ],
        )?;
        Ok(())
    }

    /// Deletes a tenant with every row that is its own.
    pub(in crate::store) fn delete_tenant(&mut self, id: TenantId) -> Result<(), WriteError> {
        let agents: Vec<AgentId> =
            self.all("SELECT id FROM agents WHERE tenant = ?1", [id], |row| row.get(0))?;
        for agent in agents {
            self.touch_agent(agent)?;
        }
        let numbers: Vec<NumberId> =
            self.all("SELECT id FROM numbers WHERE tenant = ?1", [id], |row| row.get(0))?;
        for number in numbers {
            self.touch_number(number)?;
        }
        for account in self.accounts_of(Some(id))? {
            self.touch_account(account.id)?;
        }
        self.touch_tenant(id)?;
        for sql in GOES_WITH {
            self.run(sql, [id])?;
        }
        self.run("DELETE FROM tenants WHERE id = ?1", [id])?;
        Ok(())
    }
}
