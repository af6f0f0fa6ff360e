//! SIP trunks, their numbers, and requests to give numbers back.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{Rows, page::Selection};
use crate::{
    domain::{
        NumberId, ReleaseId, ReleaseRecord, ReleaseStatus, TenantId, TrunkId, TrunkRecord,
        TrunkSettings,
    },
    store::{Listed, Paging, Tx, WriteError},
};

const TRUNK: &str = "id, tenant, name, provider_name, domain, username, port, transport,
    outbound_proxy, auth_realm, is_active, is_verified, checked_at, created_at, updated_at";
const RELEASE: &str = "id, tenant, number, e164, reason, status, created_at, resolved_at";

fn trunk(row: &Row<'_>) -> rusqlite::Result<TrunkRecord> {
    Ok(TrunkRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        settings: TrunkSettings {
            name: row.get(2)?,
            provider_name: row.get(3)?,
            domain: row.get(4)?,
            username: row.get(5)?,
            port: row.get(6)?,
            transport: row.get(7)?,
            outbound_proxy: row.get(8)?,
            auth_realm: row.get(9)?,
        },
        is_active: row.get(10)?,
        is_verified: row.get(11)?,
        checked_at: row.get(12)?,
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
    })
}

fn release(row: &Row<'_>) -> rusqlite::Result<ReleaseRecord> {
    Ok(ReleaseRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        number: row.get(2)?,
        e164: row.get(3)?,
        reason: row.get(4)?,
        status: row.get(5)?,
        created_at: row.get(6)?,
        resolved_at: row.get(7)?,
    })
}

impl Rows<'_> {
    /// A trunk.
    ///
    /// # Errors
    /// The store's.
    pub fn trunk(&self, tenant: TenantId, id: TrunkId) -> Result<Option<TrunkRecord>, WriteError> {
        let sql = format!("SELECT {TRUNK} FROM trunks WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], trunk)
    }

    /// All trunks, oldest first; there are few.
    ///
    /// # Errors
    /// The store's.
    pub fn trunks(&self, tenant: TenantId) -> Result<Vec<TrunkRecord>, WriteError> {
        let sql = format!("SELECT {TRUNK} FROM trunks WHERE tenant = ?1 ORDER BY created_at, id");
        self.all(&sql, [tenant], trunk)
    }

    /// A trunk's numbers, oldest first, with the country each was given with.
    ///
    /// # Errors
    /// The store's.
    pub fn dids(&self, trunk: TrunkId) -> Result<Vec<(NumberId, String)>, WriteError> {
        let sql = "SELECT number, country_code FROM dids WHERE trunk = ?1 ORDER BY number";
        self.all(sql, [trunk], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// A request to give a number back.
    ///
    /// # Errors
    /// The store's.
    pub fn release(
        &self,
        tenant: TenantId,
        id: ReleaseId,
    ) -> Result<Option<ReleaseRecord>, WriteError> {
        let sql = format!("SELECT {RELEASE} FROM releases WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], release)
    }

    /// Anybody's request to give a number back.
    pub(in crate::store) fn any_release(
        &self,
        id: ReleaseId,
    ) -> Result<Option<ReleaseRecord>, WriteError> {
        self.one(&format!("SELECT {RELEASE} FROM releases WHERE id = ?1"), [id], release)
    }

    /// Requests to give numbers back, newest first: a tenant's, or everybody's.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn releases(
        &self,
        tenant: Option<TenantId>,
        status: Option<ReleaseStatus>,
        paging: &Paging,
    ) -> Result<Listed<ReleaseRecord>, WriteError> {
        let sql = format!("SELECT {RELEASE} FROM releases WHERE id = ?1");
        let selection = Selection::of_any("releases", tenant).and_some("status = ?", status);
        self.page(selection, paging)?.try_map(|id: Uuid| {
            Ok::<_, WriteError>(self.prepared(&sql)?.query_row([id.as_bytes()], release)?)
        })
    }

    /// Whether somebody asked to give the number back, and nobody has decided.
    pub(in crate::store) fn has_pending_release(&self, of: NumberId) -> Result<bool, WriteError> {
        let sql = "SELECT 1 FROM releases WHERE number = ?1 AND status = 'pending' LIMIT 1";
        Ok(self.one(sql, [of], |_| Ok(()))?.is_some())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_trunk(&mut self, record: &TrunkRecord) -> Result<(), WriteError> {
        let settings = &record.settings;
        self.run(
            &format!(
                "INSERT INTO trunks ({TRUNK}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                    ?11, ?12, ?13, ?14, ?15)
                 ON CONFLICT (id) DO UPDATE SET name = ?3, provider_name = ?4, domain = ?5,
                    username = ?6, port = ?7, transport = ?8, outbound_proxy = ?9,
                    auth_realm = ?10, is_active = ?11, is_verified = ?12, checked_at = ?13,
                    updated_at = ?15"
            ),
            params![
                record.id,
                record.tenant,
                settings.name,
                settings.provider_name,
                settings.domain,
                settings.username,
                settings.port,
                settings.transport,
                settings.outbound_proxy,
                settings.auth_realm,
                record.is_active,
                record.is_verified,
                record.checked_at,
                record.created_at,
                record.updated_at,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_trunk(&mut self, id: TrunkId) -> Result<(), WriteError> {
        self.run("DELETE FROM trunks WHERE id = ?1", [id])?;
        Ok(())
    }

    pub(in crate::store) fn insert_did(
        &mut self,
        trunk: TrunkId,
        number: NumberId,
        country_code: &str,
    ) -> Result<(), WriteError> {
        let sql = "INSERT INTO dids (number, trunk, country_code) VALUES (?1, ?2, ?3)";
        self.run(sql, params![number, trunk, country_code])?;
        Ok(())
    }

    pub(in crate::store) fn put_release(
        &mut self,
        record: &ReleaseRecord,
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT INTO releases ({RELEASE}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (id) DO UPDATE SET status = ?6, resolved_at = ?8"
            ),
            params![
                record.id,
                record.tenant,
                record.number,
                record.e164,
                record.reason,
                record.status,
                record.created_at,
                record.resolved_at,
            ],
        )?;
        Ok(())
    }

    /// A number is about to go: it leaves its trunk, and who asked for that has it.
    pub(super) fn forget_number(&mut self, number: NumberId) -> Result<(), WriteError> {
        let now = self.now();
        self.run("DELETE FROM dids WHERE number = ?1", [number])?;
        self.run(
            "UPDATE releases SET status = ?2, resolved_at = ?3
             WHERE number = ?1 AND status = 'pending'",
            params![number, ReleaseStatus::Approved, now],
        )?;
        Ok(())
    }
}
