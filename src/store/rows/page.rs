//! Lists in parts: newest first by (created_at, id), by cursor or by page.

use rusqlite::ToSql;
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::{Refusal, TenantId},
    store::{Listed, Paging, WriteError},
};

/// Rows a page holds at most, whatever is asked.
const ROWS_MAX: u32 = 1000;

/// Rows of a table that has `id` and `created_at`, a tenant's or everybody's, and which of them are
/// meant.
pub(super) struct Selection {
    table: &'static str,
    tenant: Option<TenantId>,
    conditions: String,
    params: Vec<Box<dyn ToSql>>,
}

impl Selection {
    pub(super) fn of(table: &'static str, tenant: TenantId) -> Self {
        Self::of_any(table, Some(tenant))
    }

    /// The same of everybody where no tenant is named.
    pub(super) fn of_any(table: &'static str, tenant: Option<TenantId>) -> Self {
        let everybody = Self { table, tenant, conditions: "1".to_owned(), params: Vec::new() };
        everybody.and_some("tenant = ?", tenant)
    }

    /// Adds a condition; each `?` in it stands for the value.
    pub(super) fn and(mut self, condition: &str, value: impl ToSql + 'static) -> Self {
        self.params.push(Box::new(value));
        self.conditions.push_str(" AND ");
        self.conditions.push_str(&condition.replace('?', &format!("?{}", self.params.len())));
        self
    }

    /// The same where there is a value, else nothing.
    pub(super) fn and_some(self, condition: &str, value: Option<impl ToSql + 'static>) -> Self {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }
}

/// A `LIKE` pattern for "contains", the wildcards in the text taken literally (`ESCAPE '\'`).
pub(super) fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    // At a NUL the pattern would end, and fit everything; nothing that is kept has the other.
    for c in text.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Paging {
    /// Rows of the part at most.
    pub(super) fn rows_max(&self) -> usize {
        let (Self::Keyset { limit: rows, .. } | Self::Page { per_page: rows, .. }) = *self;
        usize::try_from(rows.clamp(1, ROWS_MAX)).unwrap_or(usize::MAX)
    }

    /// Whether it is the part before a row.
    pub(super) const fn is_backwards(&self) -> bool {
        matches!(self, Self::Keyset { ending_before: Some(_), starting_after: None, .. })
    }
}

impl Rows<'_> {
    /// The ids of the part asked for.
    pub(super) fn page(
        &self,
        selection: Selection,
        paging: &Paging,
    ) -> Result<Listed<Uuid>, WriteError> {
        match *paging {
            Paging::Page { page, per_page } => self.numbered_page(&selection, page, per_page),
            Paging::Keyset { limit, starting_after: Some(id), .. } => {
                self.keyset_page(selection, limit, Some(("starting_after", id)), "<", "DESC")
            }
            Paging::Keyset { limit, ending_before: Some(id), .. } => {
                let mut listed =
                    self.keyset_page(selection, limit, Some(("ending_before", id)), ">", "ASC")?;
                listed.rows.reverse();
                Ok(listed)
            }
            Paging::Keyset { limit, .. } => self.keyset_page(selection, limit, None, "<", "DESC"),
        }
    }

    fn keyset_page(
        &self,
        mut selection: Selection,
        limit: u32,
        cursor: Option<(&'static str, Uuid)>,
        beyond: &str,
        order: &str,
    ) -> Result<Listed<Uuid>, WriteError> {
        if let Some((field, id)) = cursor {
            let table = selection.table;
            let known =
                format!("SELECT 1 FROM {table} WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)");
            self.one(&known, (id.as_bytes(), selection.tenant), |_| Ok(()))?
                .ok_or_else(|| Refusal::invalid(field, "There is no such row."))?;
            let after = format!(
                "(created_at, id) {beyond} ((SELECT created_at FROM {table} WHERE id = ?), ?)"
            );
            selection = selection.and(&after, *id.as_bytes());
        }
        let limit = limit.clamp(1, ROWS_MAX);
        let sql = format!(
            "SELECT id FROM {} WHERE {} ORDER BY created_at {order}, id {order} LIMIT {}",
            selection.table,
            selection.conditions,
            limit + 1
        );
        let mut rows = self.ids(&sql, &selection)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Listed { rows, total: 0, has_more })
    }

    fn numbered_page(
        &self,
        selection: &Selection,
        page: u32,
        per_page: u32,
    ) -> Result<Listed<Uuid>, WriteError> {
        let Selection { table, conditions, params, .. } = selection;
        let per_page = u64::from(per_page.clamp(1, ROWS_MAX));
        let offset = u64::from(page.max(1) - 1) * per_page;
        let count = format!("SELECT count(*) FROM {table} WHERE {conditions}");
        let all = rusqlite::params_from_iter(params);
        let total = self.one(&count, all, |row| row.get(0))?.unwrap_or(0);
        let sql = format!(
            "SELECT id FROM {table} WHERE {conditions} \
             ORDER BY created_at DESC, id DESC LIMIT {per_page} OFFSET {offset}"
        );
        let rows = self.ids(&sql, selection)?;
        Ok(Listed { rows, total, has_more: offset + per_page < total })
    }

    fn ids(&self, sql: &str, selection: &Selection) -> Result<Vec<Uuid>, WriteError> {
        self.all(sql, rusqlite::params_from_iter(&selection.params), |row| {
            let id: [u8; 16] = row.get(0)?;
            Ok(Uuid::from_bytes(id))
        })
    }
}

impl<T> Listed<T> {
    /// The same part with each row read or turned into something else.
    ///
    /// # Errors
    /// The first that the reading meets.
    pub fn try_map<U, E>(self, read: impl FnMut(T) -> Result<U, E>) -> Result<Listed<U>, E> {
        let Self { rows, total, has_more } = self;
        let rows = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Listed { rows, total, has_more })
    }
}
