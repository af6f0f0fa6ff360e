//! Lists in parts: newest first by (created_at, id), by cursor or by page.

use rusqlite::{ToSql, params_from_iter};
use uuid::Uuid;

use super::Rows;
use crate::{
    domain::{Refusal, TenantId, UnixMillis},
    store::{Listed, Paging, WriteError},
};

/// Rows a page holds at most, whatever is asked.
const ROWS_MAX: u32 = 1000;

/// Rows of a table that has `id` and `created_at`, a tenant's or everybody's, and which of them are
/// meant.
pub(super) struct Selection {
    table: &'static str,
    index: Option<&'static str>,
    total: Option<u64>,
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
        let (conditions, params) = ("1".to_owned(), Vec::new());
        let everybody = Self { table, index: None, total: None, tenant, conditions, params };
        everybody.and_some("tenant = ?", tenant)
    }

    /// The same, each found by its id; the query for the ids has the tenant as `?1` and the value
    /// as `?2`. The `+` keeps SQLite from walking all of the tenant's in the order of the list.
    pub(super) fn found(
        table: &'static str,
        tenant: TenantId,
        ids: &str,
        value: impl ToSql + 'static,
    ) -> Self {
        let conditions = format!("+tenant = ?1 AND id IN ({ids})");
        let params: Vec<Box<dyn ToSql>> = vec![Box::new(tenant), Box::new(value)];
        Self { table, index: None, total: None, tenant: Some(tenant), conditions, params }
    }

    /// The same by an index: SQLite knows nothing of how rare a value is, and would rather walk
    /// rows in the order of the list.
    pub(super) const fn by(mut self, index: &'static str) -> Self {
        self.index = Some(index);
        self
    }

    /// The same, of which so many are known to be.
    pub(super) const fn counted(mut self, total: u64) -> Self {
        self.total = Some(total);
        self
    }

    fn rows(&self) -> String {
        match self.index {
            Some(index) => format!("{} INDEXED BY {index}", self.table),
            None => self.table.to_owned(),
        }
    }

    /// Adds a condition; each `?` in it stands for the value.
    pub(super) fn and(mut self, condition: &str, value: impl ToSql + 'static) -> Self {
        self.params.push(Box::new(value));
        self.conditions.push_str(" AND ");
        self.conditions.push_str(&condition.replace('?', &format!("?{}", self.params.len())));
        self
    }

    /// Adds a condition that holds no value.
    pub(super) fn and_that(mut self, condition: &str) -> Self {
        self.conditions.push_str(" AND ");
        self.conditions.push_str(condition);
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

/// Which rows of a selection are read.
struct Part {
    /// From this row on.
    beyond: Option<Place>,
    is_backwards: bool,
    limit: u64,
    offset: u64,
}

/// Where a row is in its list.
type Place = (UnixMillis, Uuid);

impl Rows<'_> {
    /// The ids of the part asked for.
    pub(super) fn page(
        &self,
        selection: Selection,
        paging: &Paging,
    ) -> Result<Listed<Uuid>, WriteError> {
        self.page_of_any(vec![selection], paging)
    }

    /// The ids of the part asked for, of the rows that any of these means and no two of them both
    /// mean: each selection is read in its own index, no further than the part can need it.
    pub(super) fn page_of_any(
        &self,
        selections: Vec<Selection>,
        paging: &Paging,
    ) -> Result<Listed<Uuid>, WriteError> {
        match *paging {
            Paging::Page { page, .. } => {
                let per_page = paging.rows_max() as u64;
                let offset = u64::from(page.max(1) - 1) * per_page;
                self.numbered_page(selections, offset, per_page)
            }
            Paging::Keyset { starting_after, ending_before, .. } => {
                let after = starting_after.map(|id| ("starting_after", id));
                let cursor = after.or(ending_before.map(|id| ("ending_before", id)));
                self.keyset_page(selections, cursor, paging)
            }
        }
    }

    fn keyset_page(
        &self,
        selections: Vec<Selection>,
        cursor: Option<(&'static str, Uuid)>,
        paging: &Paging,
    ) -> Result<Listed<Uuid>, WriteError> {
        let beyond = match (cursor, selections.first()) {
            (Some((field, id)), Some(of)) => Some((self.created_at(of, field, id)?, id)),
            (None, _) | (_, None) => None,
        };
        let (limit, is_backwards) = (paging.rows_max(), paging.is_backwards());
        let part = Part { beyond, is_backwards, limit: limit as u64 + 1, offset: 0 };
        let mut rows = self.merged(selections, &part)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if is_backwards {
            rows.reverse();
        }
        Ok(Listed { rows, total: 0, has_more })
    }

    fn numbered_page(
        &self,
        selections: Vec<Selection>,
        offset: u64,
        per_page: u64,
    ) -> Result<Listed<Uuid>, WriteError> {
        let mut total = 0;
        for selection in &selections {
            total += match selection.total {
                Some(total) => total,
                None => self.count(selection)?,
            };
        }
        // Of one selection SQLite passes over the rows before; of several, only their order tells
        // which they are.
        let (skipped, offset) = if selections.len() == 1 { (offset, 0) } else { (0, offset) };
        let limit = offset + per_page;
        let part = Part { beyond: None, is_backwards: false, limit, offset: skipped };
        let mut rows = self.merged(selections, &part)?;
        rows.drain(..rows.len().min(usize::try_from(offset).unwrap_or(usize::MAX)));
        let has_more = skipped + offset + per_page < total;
        Ok(Listed { rows, total, has_more })
    }

    fn count(&self, selection: &Selection) -> Result<u64, WriteError> {
        let sql =
            format!("SELECT count(*) FROM {} WHERE {}", selection.rows(), selection.conditions);
        let all = params_from_iter(&selection.params);
        Ok(self.one(&sql, all, |row| row.get(0))?.unwrap_or(0))
    }

    fn created_at(
        &self,
        of: &Selection,
        field: &'static str,
        id: Uuid,
    ) -> Result<UnixMillis, WriteError> {
        let sql = format!(
            "SELECT created_at FROM {} WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)",
            of.table
        );
        let at = self.one(&sql, (id.as_bytes(), of.tenant), |row| row.get(0))?;
        Ok(at.ok_or_else(|| Refusal::invalid(field, "There is no such row."))?)
    }

    /// The first rows of all selections, in their order.
    fn merged(&self, selections: Vec<Selection>, part: &Part) -> Result<Vec<Uuid>, WriteError> {
        let mut places = Vec::new();
        for selection in selections {
            places.append(&mut self.places(selection, part)?);
        }
        places.sort_unstable();
        places.dedup();
        if !part.is_backwards {
            places.reverse();
        }
        places.truncate(usize::try_from(part.limit).unwrap_or(usize::MAX));
        Ok(places.into_iter().map(|(_, id)| id).collect())
    }

    fn places(&self, selection: Selection, part: &Part) -> Result<Vec<Place>, WriteError> {
        let rows = selection.rows();
        let Selection { mut conditions, mut params, .. } = selection;
        let (beyond, order) = if part.is_backwards { (">", "ASC") } else { ("<", "DESC") };
        if let Some((at, id)) = part.beyond {
            let place = params.len();
            let after = format!(" AND (created_at, id) {beyond} (?{}, ?{})", place + 1, place + 2);
            conditions.push_str(&after);
            params.push(Box::new(at));
            params.push(Box::new(id.into_bytes()));
        }
        let sql = format!(
            "SELECT created_at, id FROM {rows} WHERE {conditions}
             ORDER BY created_at {order}, id {order} LIMIT {} OFFSET {}",
            part.limit, part.offset
        );
        self.all(&sql, params_from_iter(&params), |row| {
            Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?)))
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
