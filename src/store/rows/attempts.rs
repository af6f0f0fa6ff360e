//! Attempts to deliver to agents' webhooks: their logs.

use rusqlite::{Row, params};

use super::{Rows, page::Selection};
use crate::{
    domain::{Attempt, AttemptId, DeliveryId, TenantId, WebhookId},
    store::{Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "attempts.id, attempts.tenant, attempts.webhook, attempts.delivery, event,
    number, attempts.status, coalesce(request, body), http_status, response_body,
    response_headers, duration_ms, error, attempts.delivered_at, attempts.created_at";

const FROM: &str = "attempts JOIN deliveries ON deliveries.id = attempts.delivery";

fn read(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        id: row.get(0)?,
        tenant: row.get(1)?,
        webhook: row.get(2)?,
        delivery: row.get(3)?,
        event: row.get(4)?,
        number: row.get(5)?,
        status: row.get(6)?,
        request: row.get(7)?,
        http_status: row.get(8)?,
        response_body: row.get(9)?,
        response_headers: row.get(10)?,
        duration_ms: row.get(11)?,
        error: row.get(12)?,
        delivered_at: row.get(13)?,
        created_at: row.get(14)?,
    })
}

impl Rows<'_> {
    /// A webhook's log, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn attempts(
        &self,
        tenant: TenantId,
        webhook: WebhookId,
        paging: &Paging,
    ) -> Result<Listed<Attempt>, WriteError> {
        let selection = Selection::of("attempts", tenant).and("webhook = ?", webhook);
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE attempts.id = ?1");
        self.page(selection, paging)?.try_map(|id| {
            Ok::<_, WriteError>(self.prepared(&sql)?.query_row([id.as_bytes()], read)?)
        })
    }

    /// One line of a webhook's log.
    ///
    /// # Errors
    /// The store's.
    pub fn attempt(
        &self,
        tenant: TenantId,
        webhook: WebhookId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {FROM}
             WHERE attempts.id = ?1 AND attempts.tenant = ?2 AND attempts.webhook = ?3"
        );
        self.one(&sql, params![id, tenant, webhook], read)
    }

    /// The attempt that is asked for and has not been made.
    pub(in crate::store) fn pending_attempt(
        &self,
        delivery: DeliveryId,
    ) -> Result<Option<AttemptId>, WriteError> {
        self.one(
            "SELECT id FROM attempts WHERE delivery = ?1 AND status = 'pending' LIMIT 1",
            [delivery],
            |row| row.get(0),
        )
    }
}

impl Tx<'_> {
    /// Writes a line of the log; what was sent is kept only where it is not the delivery's body.
    pub(in crate::store) fn put_attempt(
        &mut self,
        attempt: &Attempt,
        request: Option<&str>,
    ) -> Result<(), WriteError> {
        self.run(
            "INSERT OR REPLACE INTO attempts (id, tenant, webhook, delivery, number, status,
                request, http_status, response_body, response_headers, duration_ms, error,
                delivered_at, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                attempt.id,
                attempt.tenant,
                attempt.webhook,
                attempt.delivery,
                attempt.number,
                attempt.status,
                request,
                attempt.http_status,
                attempt.response_body,
                attempt.response_headers,
                attempt.duration_ms,
                attempt.error,
                attempt.delivered_at,
                attempt.created_at,
            ],
        )?;
        Ok(())
    }
}
