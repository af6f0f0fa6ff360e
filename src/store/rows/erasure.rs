//! Persons: what is kept with them, and who of them has been erased.

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::params;
use sha2::Sha256;
use uuid::Uuid;

use super::{Rows, page::Selection, things};
use crate::{
    domain::{CallId, CallRecord, E164, TenantId, Thing, ThingKind, UnixMillis},
    replica::log::Stream,
    store::{Listed, Paging, Tx, WriteError},
};

/// The block of SHA-256: the longest key that an HMAC takes as it is.
const KEY_LEN: usize = 64;

/// What it takes to ask who has been erased.
struct Erasures {
    key: [u8; KEY_LEN],
}

impl Erasures {
    /// The code that stands for a person. Without the key nobody can tell whose it is.
    fn code(&self, tenant: TenantId, contact: E164) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(tenant.0.as_bytes());
        mac.update(&contact.as_u64().to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl Rows<'_> {
    /// `None` while nobody has ever been erased.
    fn erasures(&self) -> Result<Option<Erasures>, WriteError> {
        let key = self.one("SELECT secret FROM erasure_keys", [], |row| row.get(0))?;
        Ok(key.map(|key| Erasures { key }))
    }

    fn erasure(
        &self,
        erasures: &Erasures,
        tenant: TenantId,
        contact: E164,
    ) -> Result<Option<UnixMillis>, WriteError> {
        let code = erasures.code(tenant, contact);
        let sql = "SELECT at FROM erasures WHERE tenant = ?1 AND contact = ?2";
        self.one(sql, params![tenant, code], |row| row.get(0))
    }

    /// Whether anybody has been erased whose code is still kept.
    pub(in crate::store) fn has_erased(&self) -> Result<bool, WriteError> {
        Ok(self.one("SELECT 1 FROM erasures LIMIT 1", [], |_| Ok(()))?.is_some())
    }

    /// When a person was last erased, as long as that is kept.
    ///
    /// # Errors
    /// The store's.
    pub fn erased_at(
        &self,
        tenant: TenantId,
        contact: E164,
    ) -> Result<Option<UnixMillis>, WriteError> {
        match self.erasures()? {
            Some(erasures) => self.erasure(&erasures, tenant, contact),
            None => Ok(None),
        }
    }

    /// Calls with a person, whoever called whom, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn calls_with(
        &self,
        tenant: TenantId,
        contact: E164,
        paging: &Paging,
    ) -> Result<Listed<CallRecord>, WriteError> {
        // Each side by its own index: asked for either, SQLite would walk all the tenant's calls.
        let side = |side: &str| Selection::of("calls", tenant).and(side, contact);
        let sides = vec![side("ani = ?"), side("dnis = ?")];
        let listed = self.page_of_any(sides, paging)?.try_map(|id| self.any_call(CallId(id)))?;
        let rows = listed.rows.into_iter().flatten().collect();
        Ok(Listed { rows, total: 0, has_more: listed.has_more })
    }

    /// Some of the calls that name a person.
    pub(in crate::store) fn call_ids_with(
        &self,
        tenant: TenantId,
        contact: E164,
        limit: u32,
    ) -> Result<Vec<CallId>, WriteError> {
        self.all(
            "SELECT id FROM calls WHERE tenant = ?1 AND ani = ?2
             UNION SELECT id FROM calls WHERE tenant = ?1 AND dnis = ?2 LIMIT ?3",
            params![tenant, contact, limit],
            |row| row.get(0).map(|id| CallId(Uuid::from_bytes(id))),
        )
    }

    /// Whether the tenant has the number, at whatever account.
    pub(in crate::store) fn is_own_number(
        &self,
        tenant: TenantId,
        e164: E164,
    ) -> Result<bool, WriteError> {
        let sql = "SELECT 1 FROM numbers WHERE e164 = ?2 AND tenant = ?1 LIMIT 1";
        Ok(self.one(sql, params![tenant, e164], |_| Ok(()))?.is_some())
    }
}

impl Tx<'_> {
    /// Notes that a person has been erased.
    pub(in crate::store) fn put_erasure(
        &mut self,
        tenant: TenantId,
        contact: E164,
    ) -> Result<(), WriteError> {
        let key: [u8; KEY_LEN] = rand::random();
        self.run("INSERT OR IGNORE INTO erasure_keys (id, secret) VALUES (1, ?1)", [key])?;
        let Some(erasures) = self.erasures()? else { return Ok(()) };
        let (code, now) = (erasures.code(tenant, contact), self.now());
        self.run(
            "INSERT INTO erasures (tenant, contact, at) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, contact) DO UPDATE SET at = ?3",
            params![tenant, code, now],
        )?;
        Ok(())
    }

    /// Deletes the touches of a person; how many.
    pub(in crate::store) fn delete_touches_of(
        &mut self,
        tenant: TenantId,
        contact: E164,
    ) -> Result<usize, WriteError> {
        self.touch_contact(tenant, contact);
        let sql = "DELETE FROM touches WHERE tenant = ?1 AND contact = ?2";
        self.run(sql, params![tenant, contact])
    }

    /// Deletes what subscribers were told of a call, and what they said; how many events.
    pub(in crate::store) fn delete_deliveries_of(
        &mut self,
        tenant: TenantId,
        call: CallId,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM attempts WHERE delivery IN (
                SELECT id FROM deliveries WHERE tenant = ?1 AND call = ?2)",
            params![tenant, call],
        )?;
        let sql = "DELETE FROM deliveries WHERE tenant = ?1 AND call = ?2";
        self.run(sql, params![tenant, call])
    }

    /// Deletes who was called in a campaign by this call.
    pub(in crate::store) fn delete_campaign_call(
        &mut self,
        call: CallId,
    ) -> Result<(), WriteError> {
        self.run("DELETE FROM campaign_calls WHERE call = ?1", [call])?;
        Ok(())
    }

    /// Deletes what was asked for a call placed here; whether there was any.
    pub(in crate::store) fn delete_dial(&mut self, call: CallId) -> Result<bool, WriteError> {
        Ok(self.run("DELETE FROM dials WHERE call = ?1", [call])? > 0)
    }

    pub(in crate::store) fn delete_aged_erasures(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM erasures WHERE tenant = ?1 AND contact IN (
                SELECT contact FROM erasures WHERE tenant = ?1 AND at < ?2 LIMIT ?3)",
            params![tenant, before, limit],
        )
    }

    /// Takes a person off the block lists of some lines of the configuration's history; how many.
    pub(in crate::store) fn erase_from_revisions(
        &mut self,
        tenant: TenantId,
        contact: E164,
        limit: u32,
    ) -> Result<usize, WriteError> {
        // As the texts have it, quotation marks and all: no longer number matches.
        let quoted = format!("\"{contact}\"");
        let found: Vec<(u64, Uuid, Option<String>, Option<String>)> = self.all(
            "SELECT revision, object, before, after FROM revisions
             JOIN revised ON revision = place AND kind = ?2
             WHERE tenant = ?1 AND (instr(before, ?3) OR instr(after, ?3)) LIMIT ?4",
            params![tenant, ThingKind::Settings, quoted, limit],
            |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?), row.get(2)?, row.get(3)?)),
        )?;
        let count = found.len();
        let without = |kept: Option<String>, object: Uuid| {
            let read = |text: String| things::read(tenant, ThingKind::Settings, object, &text);
            let written = |mut thing: Thing| {
                if let Thing::Settings(settings) = &mut thing {
                    settings.block_list.retain(|blocked| *blocked != contact);
                }
                things::written(&thing)
            };
            kept.map(read).transpose()?.map(written).transpose()
        };
        for (revision, object, before, after) in found {
            self.run(
                "UPDATE revised SET before = ?4, after = ?5
                 WHERE revision = ?1 AND kind = ?2 AND object = ?3",
                params![
                    revision,
                    ThingKind::Settings,
                    object.as_bytes(),
                    without(before, object)?,
                    without(after, object)?
                ],
            )?;
        }
        Ok(count)
    }

    /// Forgets every entry of the stream up to now: whoever was away starts from a snapshot.
    pub(in crate::store) fn forget_entries(&mut self, stream: Stream) -> Result<(), WriteError> {
        self.run("DELETE FROM log WHERE stream = ?1", [stream.as_u8()])?;
        Ok(())
    }
}
