//! API keys. A key itself is never stored: only its SHA-256, and a hint.

use rusqlite::{Row, params};
use subtle::ConstantTimeEq;

use super::{
    Rows,
    codec::{Words, words},
};
use crate::{
    domain::{KeyId, KeyRecord, Scope, TenantId, UnixMillis},
    store::{Tx, WriteError},
};

const COLUMNS: &str = "id, scope, tenant, name, hint, created_at, revoked_at, scopes, expires_at,
    last_used_at, replaces";

fn read(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get(0)?,
        scope: row.get(1)?,
        tenant: row.get(2)?,
        name: row.get(3)?,
        hint: row.get(4)?,
        created_at: row.get(5)?,
        revoked_at: row.get(6)?,
        scopes: row.get::<_, Words<Scope>>(7)?.0.into_iter().collect(),
        expires_at: row.get(8)?,
        last_used_at: row.get(9)?,
        replaces: row.get(10)?,
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
            let stored: [u8; 32] = row.get(11)?;
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
}

impl Tx<'_> {
    pub(in crate::store) fn insert_key(
        &mut self,
        key: &KeyRecord,
        hash: &[u8; 32],
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT INTO keys ({COLUMNS}, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7, ?8, NULL, ?9, ?10)"
            ),
            params![
                key.id,
                key.scope,
                key.tenant,
                key.name,
                key.hint,
                key.created_at,
                words(key.scopes.iter()),
                key.expires_at,
                key.replaces,
                hash,
            ],
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

    pub(in crate::store) fn put_expiry(
        &mut self,
        id: KeyId,
        at: UnixMillis,
    ) -> Result<(), WriteError> {
        self.run("UPDATE keys SET expires_at = ?2 WHERE id = ?1", params![id, at])?;
        Ok(())
    }

    /// Notes that a key was used. It is no write of anybody's, so it is not audited.
    ///
    /// # Errors
    /// The store's.
    pub fn note_use(&mut self, id: KeyId, at: UnixMillis) -> Result<(), WriteError> {
        let sql = "UPDATE keys SET last_used_at = ?2
            WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2";
        self.run(sql, params![id, at])?;
        Ok(())
    }
}
