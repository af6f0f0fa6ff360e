//! API keys and the audit trail. A key itself is never stored: only its SHA-256, and a hint.

use rusqlite::{Row, params};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::{KeyId, KeyRecord, TenantId, UnixMillis},
    store::{AuditRecord, Tx, WriteError},
};

const COLUMNS: &str = "id, scope, tenant, name, hint, created_at, revoked_at";

fn read(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get(0)?,
        scope: row.get(1)?,
        tenant: row.get(2)?,
        name: row.get(3)?,
        hint: row.get(4)?,
        created_at: row.get(5)?,
        revoked_at: row.get(6)?,
    })
}

impl Rows<'_> {
    /// A tenant's keys, or all keys of the installation; newest first, revoked ones too.
    ///
    /// # Errors
    /// The store's.
    pub fn keys(&self, tenant: Option<TenantId>) -> Result<Vec<KeyRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM keys WHERE ?1 IS NULL OR tenant = ?1
             ORDER BY created_at DESC, id DESC"
        );
        self.all(&sql, [tenant], read)
    }

    /// The key of this hash, revoked or not.
    ///
    /// The database is asked for the hash's first bytes only and the whole is compared here, in
    /// constant time: how far a guess matched cannot be read from the clock.
    ///
    /// # Errors
    /// The store's.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<KeyRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS}, hash FROM keys WHERE substr(hash, 1, 8) = ?1");
        let prefix = hash.first_chunk::<8>().copied().unwrap_or_default();
        let found = self.all(&sql, [prefix], |row| {
            let stored: [u8; 32] = row.get(7)?;
            Ok((read(row)?, stored))
        })?;
        Ok(found.into_iter().find(|(_, stored)| stored.ct_eq(hash).into()).map(|(key, _)| key))
    }

    /// The key of this id, revoked or not.
    ///
    /// # Errors
    /// The store's.
    pub fn key(&self, id: KeyId) -> Result<Option<KeyRecord>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM keys WHERE id = ?1"), [id], read)
    }

    /// A tenant's writes, or all of the installation; newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn audit(
        &self,
        tenant: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, WriteError> {
        self.all(
            "SELECT at, key, tenant, action, subject FROM audit
             WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id DESC LIMIT ?2",
            params![tenant, limit],
            |row| {
                Ok(AuditRecord {
                    at: row.get(0)?,
                    key: row.get(1)?,
                    tenant: row.get(2)?,
                    action: row.get(3)?,
                    subject: row.get::<_, Option<[u8; 16]>>(4)?.map(Uuid::from_bytes),
                })
            },
        )
    }
}

impl Tx<'_> {
    /// Forgets the audit trail's lines from before; in its order, so it looks at few that it keeps.
    pub(in crate::store) fn delete_aged_audit(
        &mut self,
        before: UnixMillis,
    ) -> Result<(), WriteError> {
        self.run(
            "DELETE FROM audit WHERE id < coalesce(
                (SELECT id FROM audit WHERE at >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)",
            [before],
        )?;
        Ok(())
    }

    pub(in crate::store) fn insert_key(
        &mut self,
        key: &KeyRecord,
        hash: &[u8; 32],
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT INTO keys ({COLUMNS}, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7)"
            ),
            params![key.id, key.scope, key.tenant, key.name, key.hint, key.created_at, hash],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_revoked(
        &mut self,
        id: KeyId,
        at: UnixMillis,
    ) -> Result<(), WriteError> {
        self.run("UPDATE keys SET revoked_at = ?2 WHERE id = ?1", params![id, at])?;
        Ok(())
    }

    pub(in crate::store) fn insert_audit(
        &mut self,
        tenant: Option<TenantId>,
        action: &str,
        subject: Option<Uuid>,
    ) -> Result<(), WriteError> {
        let (now, key) = (self.now(), self.actor().key);
        let subject = subject.map(Uuid::into_bytes);
        self.run(
            "INSERT INTO audit (at, key, tenant, action, subject) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![now, key, tenant, action, subject],
        )?;
        Ok(())
    }
}
