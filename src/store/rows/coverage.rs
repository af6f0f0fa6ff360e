//! Which numbers people were shown, and whether a callback agent answers on them.

use rusqlite::params;

use super::Rows;
use crate::{
    domain::{E164, TenantId},
    store::{Listed, UncoveredCaller, WriteError},
};

/// Agents named for one caller ID; whoever sees so many needs no more.
const SOURCES_MAX: usize = 64;

/// Numbers that a source agent shows, or has shown, of which none of the callback agents that
/// list the agent is an owner.
const UNCOVERED: &str = "
    SELECT shown.caller_id, shown.agent, max(shown.last_at)
    FROM (
        SELECT caller_id, agent, last_at FROM callers WHERE tenant = ?1 AND caller_id > ?2
        UNION ALL
        SELECT e164, agent, NULL FROM numbers JOIN bindings ON number = numbers.id
        WHERE tenant = ?1 AND e164 > ?2
    ) AS shown
    WHERE EXISTS (SELECT 1 FROM callback_sources WHERE source = shown.agent)
      AND NOT EXISTS (
        SELECT 1 FROM callback_sources
        JOIN bindings ON bindings.agent = callback_sources.agent
        JOIN numbers ON numbers.id = bindings.number
        WHERE source = shown.agent AND e164 = shown.caller_id
      )
    GROUP BY shown.caller_id, shown.agent
    ORDER BY shown.caller_id, shown.agent";

impl Rows<'_> {
    /// Caller IDs of source agents that none of their callback agents owns, in their order, from
    /// one on.
    ///
    /// # Errors
    /// The store's.
    pub fn uncovered(
        &self,
        tenant: TenantId,
        after: Option<E164>,
        limit: u32,
    ) -> Result<Listed<UncoveredCaller>, WriteError> {
        let mut found = self.prepared(UNCOVERED)?;
        let mut rows = found.query(params![tenant, after.map_or(0, E164::as_u64)])?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut callers: Vec<UncoveredCaller> = Vec::new();
        while let Some(row) = rows.next()? {
            let caller_id: E164 = row.get(0)?;
            let source = (row.get(1)?, row.get(2)?);
            let is_full = callers.len() == limit;
            match callers.last_mut().filter(|last| last.caller_id == caller_id) {
                Some(last) if last.sources.len() < SOURCES_MAX => last.sources.push(source),
                Some(_) => {}
                None if is_full => {
                    return Ok(Listed { rows: callers, total: 0, has_more: true });
                }
                None => callers.push(UncoveredCaller { caller_id, sources: vec![source] }),
            }
        }
        Ok(Listed { rows: callers, total: 0, has_more: false })
    }
}
