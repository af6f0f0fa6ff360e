//! The audit trail: who wrote what, and who read what was said.

use rusqlite::{ToSql, params, params_from_iter};
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::{TenantId, UnixMillis},
    store::{AuditFilter, AuditPlace, AuditRecord, Listed, Tx, WriteError},
};

/// Lines of a page at most, whatever is asked.
const LINES_MAX: u32 = 1000;

impl Rows<'_> {
    /// A tenant's lines, or all of the installation; newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn audit(
        &self,
        tenant: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, WriteError> {
        let filter = AuditFilter { tenant, ..AuditFilter::default() };
        Ok(self.audit_page(&filter, AuditPlace { limit, ..AuditPlace::default() })?.rows)
    }

    /// A part of the lines that are meant; newest first. A key's name is told to whose it is.
    ///
    /// # Errors
    /// The store's.
    pub fn audit_page(
        &self,
        filter: &AuditFilter,
        place: AuditPlace,
    ) -> Result<Listed<AuditRecord>, WriteError> {
        let mut conditions = vec!["1".to_owned()];
        let mut params: Vec<Box<dyn ToSql>> = vec![Box::new(filter.tenant)];
        let mut and = |condition: &str, value: Option<Box<dyn ToSql>>| {
            if let Some(value) = value {
                params.push(value);
                conditions.push(condition.replace('?', &format!("?{}", params.len())));
            }
        };
        and("audit.tenant = ?", filter.tenant.map(boxed));
        and("audit.action = ?", filter.action.clone().map(boxed));
        and("audit.subject = ?", filter.subject.map(|id| boxed(id.into_bytes())));
        and("audit.key = ?", filter.key.map(boxed));
        let first = "audit.id >= (SELECT id FROM audit WHERE at >= ? ORDER BY at, id LIMIT 1)";
        and(first, filter.since.map(boxed));
        and("audit.id < ?", place.starting_after.map(boxed));
        and("audit.id > ?", place.ending_before.map(boxed));
        let order = if place.ending_before.is_some() { "ASC" } else { "DESC" };
        let limit = place.limit.clamp(1, LINES_MAX);
        let sql = format!(
            "SELECT audit.id, at, key, audit.tenant, action, subject, keys.name FROM audit
             LEFT JOIN keys ON keys.id = key AND (?1 IS NULL OR keys.tenant = ?1)
             WHERE {} ORDER BY audit.id {order} LIMIT {}",
            conditions.join(" AND "),
            limit + 1
        );
        let mut rows = self.all(&sql, params_from_iter(&params), |row| {
            Ok(AuditRecord {
                id: row.get(0)?,
                at: row.get(1)?,
                key: row.get(2)?,
                tenant: row.get(3)?,
                action: row.get(4)?,
                subject: row.get::<_, Option<[u8; 16]>>(5)?.map(Uuid::from_bytes),
                key_name: row.get(6)?,
            })
        })?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if place.ending_before.is_some() {
            rows.reverse();
        }
        Ok(Listed { rows, total: 0, has_more })
    }
}

fn boxed(value: impl ToSql + 'static) -> Box<dyn ToSql> {
    Box::new(value)
}

impl Tx<'_> {
    /// Forgets lines of the audit trail from before; how many.
    pub(in crate::store) fn delete_aged_audit(
        &mut self,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM audit WHERE id IN
                (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)",
            params![before, limit],
        )
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
