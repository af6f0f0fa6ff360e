//! What requests were answered that may come again.

use rusqlite::params;

use super::{Rows, codec::Json};
use crate::{
    domain::{Refusal, TenantId, UnixMillis},
    store::{Heads, Kept, Once, Tx, WriteError},
};

/// Whose a request was; no tenant has the operators' word.
fn asker(tenant: Option<TenantId>) -> Vec<u8> {
    tenant.map(|tenant| tenant.0.into_bytes().to_vec()).unwrap_or_default()
}

impl Rows<'_> {
    /// What this request was answered before, and where the log stood then.
    ///
    /// # Errors
    /// The key was used for something else.
    pub fn kept(
        &self,
        tenant: Option<TenantId>,
        once: &Once,
    ) -> Result<Option<(Kept, Heads)>, WriteError> {
        let found = self.one(
            "SELECT asked, status, headers, body, control, touches FROM kept_answers
             WHERE tenant = ?1 AND key = ?2",
            params![asker(tenant), once.key],
            |row| {
                let asked: [u8; 32] = row.get(0)?;
                let headers: Json<Vec<(String, String)>> = row.get(2)?;
                let kept = Kept { status: row.get(1)?, headers: headers.0, body: row.get(3)? };
                Ok((asked, kept, Heads { control: row.get(4)?, touches: row.get(5)? }))
            },
        )?;
        match found {
            Some((asked, ..)) if asked != once.asked => Err(Refusal::KeyReused.into()),
            found => Ok(found.map(|(_, kept, heads)| (kept, heads))),
        }
    }
}

impl Tx<'_> {
    pub(in crate::store) fn keep(
        &mut self,
        once: &Once,
        kept: &Kept,
        heads: Heads,
    ) -> Result<(), WriteError> {
        let (tenant, now) = (asker(self.actor().tenant), self.now());
        self.run(
            "INSERT INTO kept_answers
                (tenant, key, asked, status, headers, body, control, touches, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                tenant,
                once.key,
                once.asked,
                kept.status,
                Json(&kept.headers),
                kept.body,
                heads.control,
                heads.touches,
                now,
            ],
        )?;
        Ok(())
    }

    /// What was kept for this request does not hold: who asks again asks anew.
    ///
    /// # Errors
    /// The store's.
    pub fn unkeep(&mut self, once: &Once) -> Result<(), WriteError> {
        let tenant = asker(self.actor().tenant);
        self.run(
            "DELETE FROM kept_answers WHERE tenant = ?1 AND key = ?2 AND asked = ?3",
            params![tenant, once.key, once.asked],
        )?;
        Ok(())
    }

    /// Deletes the answers to a tenant in which this stands; how many.
    pub(in crate::store) fn delete_kept_with(
        &mut self,
        tenant: TenantId,
        text: &str,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM kept_answers WHERE tenant = ?1 AND instr(body, ?2) > 0",
            params![asker(Some(tenant)), text.as_bytes()],
        )
    }

    pub(in crate::store) fn delete_aged_kept(
        &mut self,
        before: UnixMillis,
        max: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM kept_answers WHERE (tenant, key) IN
                (SELECT tenant, key FROM kept_answers WHERE at < ?1 ORDER BY at LIMIT ?2)",
            params![before, max],
        )
    }
}
