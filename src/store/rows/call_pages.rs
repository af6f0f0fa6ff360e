//! Calls by page. The total and the day a page begins on are sums of counts; only that day, and
//! those the page reaches into, are walked, in an index.
//!
//! A search is different: a whole number or id is looked up, and only part of one walks the
//! tenant's calls, in indexes that hold nothing but numbers and ids.

use rusqlite::{ToSql, params, params_from_iter, types::Value};
use uuid::Uuid;

use super::{Rows, page::contains};
use crate::{
    domain::{CallId, CallRecord, CallStatus, Direction, E164, TenantId, UnixDay},
    store::{CallPageFilter, Listed, WriteError},
};

/// Rows a page holds at most, whatever is asked.
const ROWS_MAX: u32 = 100;

/// Calls of a day that are sorted to find a page of them; more are so dense that walking the day
/// finds a page sooner.
const SORTED_MAX: u64 = 1000;

/// The last day that counts are asked for where nobody says: beyond every date.
const LAST_DAY: UnixDay = UnixDay(u32::MAX as u64);

impl Rows<'_> {
    /// Calls, newest first; pages count from 1.
    ///
    /// # Errors
    /// The store's.
    pub fn call_page(
        &self,
        tenant: TenantId,
        filter: &CallPageFilter,
        page: u32,
        per_page: u32,
    ) -> Result<Listed<CallRecord>, WriteError> {
        let per_page = u64::from(per_page.clamp(1, ROWS_MAX));
        let offset = u64::from(page.max(1) - 1) * per_page;
        let (ids, total) = match filter.search.as_deref() {
            Some(text) => self.searched(tenant, filter, text.trim(), offset, per_page)?,
            None => self.counted(tenant, filter, offset, per_page)?,
        };
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(self.any_call(CallId(id))?);
        }
        Ok(Listed { rows, total, has_more: offset + per_page < total })
    }

    /// The ids of a page, and how many calls there are, by way of the counts.
    fn counted(
        &self,
        tenant: TenantId,
        filter: &CallPageFilter,
        mut offset: u64,
        per_page: u64,
    ) -> Result<(Vec<Uuid>, u64), WriteError> {
        let agent = filter.agent.map(|agent| agent.0);
        let counted = agent.as_ref().map_or(&[][..], |agent| agent.as_bytes());
        let (from, to) = (filter.from.unwrap_or_default(), filter.to.unwrap_or(LAST_DAY));
        let days: Vec<(UnixDay, u64)> = self.all(
            &format!(
                "SELECT day, sum(calls) FROM call_counts
                 WHERE tenant = ?1 AND agent = ?2 AND day BETWEEN ?3 AND ?4 {}
                 GROUP BY day ORDER BY day DESC",
                conditions(filter)
            ),
            rusqlite::params![tenant, counted, from, to],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let total = days.iter().map(|(_, calls)| calls).sum();
        let mut ids = Vec::new();
        for (day, calls) in days {
            let missing = per_page.saturating_sub(u64::try_from(ids.len()).unwrap_or(u64::MAX));
            if missing == 0 {
                break;
            }
            if offset >= calls {
                offset -= calls;
                continue;
            }
            ids.extend(self.of_day(tenant, filter, (day, calls), missing, offset)?);
            offset = 0;
        }
        Ok((ids, total))
    }

    fn of_day(
        &self,
        tenant: TenantId,
        filter: &CallPageFilter,
        (day, calls): (UnixDay, u64),
        limit: u64,
        offset: u64,
    ) -> Result<Vec<Uuid>, WriteError> {
        let is_any = filter.direction.is_none() && filter.statuses.is_empty();
        let (index, narrowed) = match filter.agent {
            Some(_) => ("calls_by_agent", format!("AND agent = ?6 {}", conditions(filter))),
            // Few of the day's: they are looked up and sorted.
            None if !is_any && calls <= SORTED_MAX => ("calls_by_status", standings(filter)),
            None => ("calls_by_age", conditions(filter)),
        };
        let sql = format!(
            "SELECT id FROM calls INDEXED BY {index}
             WHERE tenant = ?1 AND created_at >= ?2 AND created_at < ?3 {narrowed}
             ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5"
        );
        let (from, to) = (day.start(), day.next().start());
        let mut params: Vec<&dyn ToSql> = vec![&tenant, &from, &to, &limit, &offset];
        params.extend(filter.agent.as_ref().map(|agent| agent as &dyn ToSql));
        self.all(&sql, params_from_iter(params), |row| row.get(0).map(Uuid::from_bytes))
    }

    /// The ids of a page, and how many calls there are, among those that a text names: whole, or
    /// where nothing is so named, in part.
    fn searched(
        &self,
        tenant: TenantId,
        filter: &CallPageFilter,
        text: &str,
        offset: u64,
        per_page: u64,
    ) -> Result<(Vec<Uuid>, u64), WriteError> {
        let named = self.named_by(tenant, text)?;
        self.found(tenant, filter, &named, offset, per_page)
    }

    /// The query for the calls that a text names, and what it asks for: whole, or where nothing is
    /// so named, in part.
    pub(super) fn named_by(
        &self,
        tenant: TenantId,
        text: &str,
    ) -> Result<(&'static str, Value), WriteError> {
        let (ids, sought) = whole(text);
        // With the tenant a row is looked up also where the text is a call's id itself.
        let is_one = format!("SELECT 1 FROM calls WHERE id IN ({ids}) AND +tenant = ?1 LIMIT 1");
        if self.one(&is_one, params![tenant, sought], |_| Ok(()))?.is_some() {
            return Ok((ids, sought));
        }
        Ok((PART, Value::Text(contains(text.trim_start_matches('+')))))
    }

    fn found(
        &self,
        tenant: TenantId,
        filter: &CallPageFilter,
        (ids, sought): &(&str, Value),
        offset: u64,
        per_page: u64,
    ) -> Result<(Vec<Uuid>, u64), WriteError> {
        let of_agent = if filter.agent.is_some() { "AND agent = ?5" } else { "" };
        let from = filter.from.unwrap_or_default().start();
        let to = filter.to.unwrap_or(LAST_DAY).next().start();
        let rest = format!(
            "FROM calls WHERE id IN ({ids}) AND +tenant = ?1 AND created_at >= ?3
                AND created_at < ?4 {of_agent} {}",
            conditions(filter)
        );
        let mut params: Vec<&dyn ToSql> = vec![&tenant, sought, &from, &to];
        params.extend(filter.agent.as_ref().map(|agent| agent as &dyn ToSql));
        let all = params_from_iter(params.iter());
        let total = self.one(&format!("SELECT count(*) {rest}"), all, |row| row.get(0))?;
        let sql = format!(
            "SELECT id {rest} ORDER BY created_at DESC, id DESC LIMIT {per_page} OFFSET {offset}"
        );
        let all = params_from_iter(params.iter());
        let ids = self.all(&sql, all, |row| row.get(0).map(Uuid::from_bytes))?;
        Ok((ids, total.unwrap_or(0)))
    }
}

const PART: &str = r"SELECT id FROM calls INDEXED BY calls_by_ani
        WHERE tenant = ?1 AND ani LIKE ?2 ESCAPE '\'
    UNION SELECT id FROM calls INDEXED BY calls_by_dnis
        WHERE tenant = ?1 AND dnis LIKE ?2 ESCAPE '\'
    UNION SELECT id FROM calls INDEXED BY calls_by_carrier_id
        WHERE tenant = ?1 AND carrier_call_id LIKE ?2 ESCAPE '\'";

/// The query for what a text names as a whole, and what it asks for.
fn whole(text: &str) -> (&'static str, Value) {
    if let Ok(id) = text.parse::<CallId>() {
        return ("SELECT ?2", Value::Blob(id.0.as_bytes().to_vec()));
    }
    if let Some(number) = E164::parse(text).or_else(|| E164::from_digits(text)) {
        let sql = "SELECT id FROM calls WHERE tenant = ?1 AND ani = ?2
            UNION SELECT id FROM calls WHERE tenant = ?1 AND dnis = ?2";
        return (sql, Value::Integer(number.as_u64().cast_signed()));
    }
    let sql = "SELECT id FROM calls INDEXED BY calls_by_carrier_id
        WHERE tenant = ?1 AND carrier_call_id = ?2";
    (sql, Value::Text(text.to_owned()))
}

/// Direction and statuses, which calls and their counts have alike. They are words of the code.
fn conditions(filter: &CallPageFilter) -> String {
    let direction = filter.direction.map(|direction| format!("AND direction = '{direction}' "));
    let mut conditions = direction.unwrap_or_default();
    if !filter.statuses.is_empty() {
        let words: Vec<_> = filter.statuses.iter().map(|status| format!("'{status}'")).collect();
        conditions.push_str(&format!("AND status IN ({})", words.join(", ")));
    }
    conditions
}

/// The same with every direction and status said, as the index by them needs it.
fn standings(filter: &CallPageFilter) -> String {
    let words = |words: Vec<String>| words.join(", ");
    let directions =
        Direction::ALL.iter().filter(|way| filter.direction.is_none_or(|is| is == **way));
    let directions = words(directions.map(|way| format!("'{way}'")).collect());
    let all = if filter.statuses.is_empty() { CallStatus::ALL } else { &filter.statuses };
    let statuses = words(all.iter().map(|status| format!("'{status}'")).collect());
    format!("AND direction IN ({directions}) AND status IN ({statuses})")
}
