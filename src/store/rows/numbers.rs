//! Numbers.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    Rows,
    page::{Selection, contains},
};
use crate::{
    domain::{
        AccountId, AgentState, Direction, E164, Number, NumberId, NumberRecord, Owner, Target,
        TenantId, UnixMillis, default_agent,
    },
    store::{Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str =
    "id, tenant, account, e164, friendly_name, passthrough, created_at, updated_at";

/// The row alone: bindings, default and upstream are still missing.
fn read(row: &Row<'_>) -> rusqlite::Result<NumberRecord> {
    Ok(NumberRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        account: row.get(2)?,
        e164: row.get(3)?,
        friendly_name: row.get(4)?,
        passthrough: row.get(5)?,
        bindings: Vec::new(),
        default_agent: None,
        inbound: None,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
        upstream: None,
    })
}

impl Rows<'_> {
    /// A number.
    ///
    /// # Errors
    /// The store's.
    pub fn number(
        &self,
        tenant: TenantId,
        id: NumberId,
    ) -> Result<Option<NumberRecord>, WriteError> {
        Ok(self.any_number(id)?.filter(|number| number.tenant == tenant))
    }

    /// Numbers, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn numbers(
        &self,
        tenant: TenantId,
        paging: &Paging,
    ) -> Result<Listed<NumberRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM numbers WHERE id = ?1");
        self.page(Selection::of("numbers", tenant), paging)?.try_map(|id: Uuid| {
            let row = self.prepared(&sql)?.query_row([id.as_bytes()], read)?;
            self.whole_number(row)
        })
    }

    /// The numbers that a text names, newest first: by their value or id, or where none is so named
    /// by a part of their value.
    ///
    /// # Errors
    /// The store's.
    pub fn numbers_named(
        &self,
        tenant: TenantId,
        text: &str,
    ) -> Result<Vec<NumberRecord>, WriteError> {
        if let Ok(id) = text.parse() {
            return Ok(self.number(tenant, id)?.into_iter().collect());
        }
        if let Some(e164) = E164::parse(text).or_else(|| E164::from_digits(text)) {
            let mut found = self.number_by_e164(tenant, e164)?;
            if !found.is_empty() {
                found.reverse();
                return Ok(found);
            }
        }
        let ids: Vec<NumberId> = self.all(
            r"SELECT id FROM numbers INDEXED BY numbers_by_age
              WHERE tenant = ?1 AND '+' || e164 LIKE ?2 ESCAPE '\'
              ORDER BY created_at DESC, id DESC",
            params![tenant, contains(text)],
            |row| row.get(0),
        )?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.any_number(id)?);
        }
        Ok(found)
    }

    /// The tenant's numbers of this value, one an account, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn number_by_e164(
        &self,
        tenant: TenantId,
        e164: E164,
    ) -> Result<Vec<NumberRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM numbers INDEXED BY numbers_by_key
             WHERE tenant = ?1 AND e164 = ?2 ORDER BY created_at, id"
        );
        let rows = self.all(&sql, params![tenant, e164], read)?;
        rows.into_iter().map(|row| self.whole_number(row)).collect()
    }

    /// The tenant's oldest number that a carrier account delivers, if there is one.
    pub(in crate::store) fn oldest_at_carrier(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<NumberRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM numbers WHERE tenant = ?1 AND account IS NOT NULL
             ORDER BY created_at, id LIMIT 1"
        );
        let rows = self.all(&sql, params![tenant], read)?;
        rows.into_iter().map(|row| self.whole_number(row)).collect()
    }

    /// Every number of a tenant, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn all_numbers(&self, tenant: TenantId) -> Result<Vec<NumberRecord>, WriteError> {
        let sql =
            format!("SELECT {COLUMNS} FROM numbers WHERE tenant = ?1 ORDER BY created_at, id");
        let rows = self.all(&sql, [tenant], read)?;
        rows.into_iter().map(|row| self.whole_number(row)).collect()
    }

    /// Any tenant's number.
    pub(in crate::store) fn any_number(
        &self,
        id: NumberId,
    ) -> Result<Option<NumberRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM numbers WHERE id = ?1");
        self.one(&sql, [id], read)?.map(|row| self.whole_number(row)).transpose()
    }

    /// Whoever's number this is at that account.
    pub(in crate::store) fn number_at(
        &self,
        account: Option<AccountId>,
        e164: E164,
    ) -> Result<Option<NumberRecord>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM numbers
             WHERE e164 = ?1 AND coalesce(account, x'') = coalesce(?2, x'')"
        );
        let row = self.one(&sql, params![e164, account], read)?;
        row.map(|row| self.whole_number(row)).transpose()
    }

    pub(in crate::store) fn number_ids(&self) -> Result<Vec<NumberId>, WriteError> {
        self.all("SELECT id FROM numbers ORDER BY id", [], |row| row.get(0))
    }

    fn whole_number(&self, mut record: NumberRecord) -> Result<NumberRecord, WriteError> {
        let bound = self.bindings(record.id)?;
        let is_live =
            |id| bound.iter().any(|(b, state)| b.agent == id && *state == AgentState::Live);
        record.bindings = bound.iter().map(|(binding, _)| *binding).collect();
        record.default_agent = default_agent(&routed(&record).owners, is_live);
        record.inbound = self.inbound_config(record.id)?;
        record.upstream = self.upstream_name_of_number(record.id)?;
        Ok(record)
    }
}

/// The number as routing knows it.
pub(in crate::store) fn routed(record: &NumberRecord) -> Number {
    let owners = record.bindings.iter().filter(|binding| binding.direction == Direction::Inbound);
    Number {
        id: record.id,
        tenant: record.tenant,
        account: record.account,
        e164: record.e164,
        passthrough: record.passthrough.clone(),
        owners: owners
            .map(|b| Owner { agent: b.agent, attached: b.attached, claim: b.claim })
            .collect(),
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_number(
        &mut self,
        number: &Number,
        friendly_name: Option<&str>,
    ) -> Result<(), WriteError> {
        self.touch_number(number.id)?;
        let now = self.now();
        self.run(
            &format!("INSERT INTO numbers ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"),
            params![
                number.id,
                number.tenant,
                number.account,
                number.e164,
                friendly_name,
                number.passthrough,
                now,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn put_number(
        &mut self,
        id: NumberId,
        account: Option<AccountId>,
        friendly_name: Option<&str>,
        passthrough: Option<&Target>,
    ) -> Result<(), WriteError> {
        self.touch_number(id)?;
        let now: UnixMillis = self.now();
        self.run(
            "UPDATE numbers SET account = ?2, friendly_name = ?3, passthrough = ?4, updated_at = ?5
             WHERE id = ?1",
            params![id, account, friendly_name, passthrough, now],
        )?;
        Ok(())
    }

    /// A number as it once was, but for who is attached to it.
    pub(in crate::store) fn restore_number(
        &mut self,
        record: &NumberRecord,
    ) -> Result<(), WriteError> {
        let (id, friendly_name) = (record.id, record.friendly_name.as_deref());
        if self.any_number(id)?.is_none() {
            self.insert_number(&routed(record), friendly_name)?;
            let sql = "UPDATE numbers SET created_at = ?2 WHERE id = ?1";
            self.run(sql, params![id, record.created_at])?;
        }
        self.put_number(id, record.account, friendly_name, record.passthrough.as_ref())
    }

    pub(in crate::store) fn delete_number(&mut self, id: NumberId) -> Result<(), WriteError> {
        self.touch_number(id)?;
        self.forget_number(id)?;
        self.run("DELETE FROM numbers WHERE id = ?1", [id])?;
        Ok(())
    }
}
