//! Events for subscribers, on their way or told.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{Rows, page::Selection};
use crate::{
    domain::{
        CallId, Delivery, DeliveryId, DeliveryStatus, InlineHook, TenantId, UnixMillis, WebhookId,
    },
    store::{DeliveryFilter, Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, webhook, is_agents, call, event, url, body, status, attempts,
    manual_retries, due_at, held_until, last_error, last_status, delivered_at, created_at,
    updated_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: row.get(0)?,
        tenant: row.get(1)?,
        webhook: row.get(2)?,
        is_agents: row.get(3)?,
        call: row.get(4)?,
        event: row.get(5)?,
        url: row.get(6)?,
        body: row.get(7)?,
        status: row.get(8)?,
        attempts: row.get(9)?,
        manual_retries: row.get(10)?,
        due_at: row.get(11)?,
        held_until: row.get(12)?,
        last_error: row.get(13)?,
        last_status: row.get(14)?,
        delivered_at: row.get(15)?,
        created_at: row.get(16)?,
        updated_at: row.get(17)?,
    })
}

impl Rows<'_> {
    /// A delivery.
    ///
    /// # Errors
    /// The store's.
    pub fn delivery(
        &self,
        tenant: TenantId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, WriteError> {
        Ok(self.any_delivery(id)?.filter(|delivery| delivery.tenant == tenant))
    }

    /// Any tenant's.
    ///
    /// # Errors
    /// The store's.
    pub fn any_delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1"), [id], read)
    }

    /// Deliveries to the tenant's endpoints and to URLs that came along, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn deliveries(
        &self,
        tenant: TenantId,
        filter: &DeliveryFilter,
        paging: &Paging,
    ) -> Result<Listed<Delivery>, WriteError> {
        // Partial indexes are taken where their condition is written out.
        let all = || {
            Selection::of("deliveries", tenant)
                .and_that("is_agents = 0")
                .and_some("webhook = ?", filter.webhook)
                .and_some("call = ?", filter.call)
        };
        let of = |status: DeliveryStatus| {
            // Nearly all arrive: among those of one webhook, all but these are few.
            let is_dense = filter.webhook.is_some() && status == DeliveryStatus::Delivered;
            let index = if is_dense { "deliveries_by_webhook" } else { "deliveries_by_status" };
            all().by(index).and("status = ?", status)
        };
        let selections = match filter {
            DeliveryFilter { call: Some(_), status, .. } => {
                vec![all().by("deliveries_by_call").and_some("status = ?", *status)]
            }
            DeliveryFilter { status: Some(status), .. } => vec![of(*status)],
            DeliveryFilter { webhook: Some(_), .. } => vec![all().by("deliveries_by_webhook")],
            DeliveryFilter { .. } => DeliveryStatus::ALL.iter().copied().map(of).collect(),
        };
        let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1");
        self.page_of_any(selections, paging)?.try_map(|id| {
            Ok::<_, WriteError>(self.prepared(&sql)?.query_row([id.as_bytes()], read)?)
        })
    }

    /// What became of the latest event of a call that went to the URL that came along with it.
    ///
    /// # Errors
    /// The store's.
    pub fn inline_hook(
        &self,
        tenant: TenantId,
        call: CallId,
    ) -> Result<Option<InlineHook>, WriteError> {
        self.one(
            "SELECT url, status, last_error FROM deliveries
             WHERE tenant = ?1 AND call = ?2 AND webhook IS NULL
             ORDER BY created_at DESC, id DESC LIMIT 1",
            params![tenant, call],
            |row| Ok(InlineHook { url: row.get(0)?, status: row.get(1)?, error: row.get(2)? }),
        )
    }

    /// Every lane that has something to be tried, and when that is due first. Its cost goes with
    /// the lanes, not with what waits in them.
    ///
    /// # Errors
    /// The store's.
    pub fn due_lanes(&self) -> Result<Vec<(Uuid, UnixMillis)>, WriteError> {
        self.all(
            "WITH RECURSIVE lanes (lane) AS (
                SELECT min(lane) FROM deliveries WHERE due_at IS NOT NULL
                UNION ALL
                SELECT (SELECT min(lane) FROM deliveries
                        WHERE due_at IS NOT NULL AND lane > lanes.lane)
                FROM lanes WHERE lanes.lane IS NOT NULL)
             SELECT lane, (SELECT min(due_at) FROM deliveries
                           WHERE due_at IS NOT NULL AND deliveries.lane = lanes.lane)
             FROM lanes WHERE lane IS NOT NULL",
            [],
            |row| {
                let lane: [u8; 16] = row.get(0)?;
                Ok((Uuid::from_bytes(lane), row.get(1)?))
            },
        )
    }

    /// What is due in a lane, the longest due first.
    ///
    /// # Errors
    /// The store's.
    pub fn due_in(
        &self,
        lane: Uuid,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, WriteError> {
        self.all(
            "SELECT id FROM deliveries WHERE lane = ?1 AND due_at <= ?2
             ORDER BY due_at, id LIMIT ?3",
            params![lane.as_bytes(), now, limit],
            |row| row.get(0),
        )
    }

    /// How many are to be tried still, of all tenants, and from when the oldest of them is.
    ///
    /// # Errors
    /// The store's.
    pub fn pending_deliveries(&self) -> Result<(u64, Option<UnixMillis>), WriteError> {
        // Ids are made in the order of time, and the index of what is pending has them.
        let sql = "SELECT count(*), min(id) FROM deliveries WHERE status = 'pending'";
        let row = self.one(sql, [], |row| Ok((row.get(0)?, row.get::<_, Option<DeliveryId>>(1)?)));
        let Some((count, Some(oldest))) = row? else { return Ok((0, None)) };
        let made = "SELECT created_at FROM deliveries WHERE id = ?1";
        Ok((count, self.one(made, [oldest], |row| row.get(0))?))
    }

    /// Whether an earlier event of the call keeps a later one of its lane waiting.
    pub(in crate::store) fn is_behind(
        &self,
        lane: Uuid,
        call: CallId,
        before: DeliveryId,
        attempts_max: u32,
    ) -> Result<bool, WriteError> {
        let found = self.one(
            "SELECT 1 FROM deliveries WHERE lane = ?1 AND call = ?2 AND status = 'pending'
                AND id < ?3 AND attempts < ?4 LIMIT 1",
            params![lane.as_bytes(), call, before, attempts_max],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The next event of the call that waits for this one in its lane.
    pub(in crate::store) fn waits_for(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<DeliveryId>, WriteError> {
        self.one(
            "SELECT id FROM deliveries WHERE lane = ?1 AND call = ?2 AND status = 'pending'
                AND id > ?3 AND due_at IS NULL ORDER BY id LIMIT 1",
            params![lane(delivery).as_bytes(), delivery.call, delivery.id],
            |row| row.get(0),
        )
    }

    /// The events of a call that wait for what is yet to be known of it.
    pub(in crate::store) fn held_deliveries(
        &self,
        tenant: TenantId,
        call: CallId,
        now: UnixMillis,
    ) -> Result<Vec<Delivery>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE tenant = ?1 AND call = ?2
                AND status = 'pending' AND attempts = 0 AND held_until > ?3"
        );
        self.all(&sql, params![tenant, call, now], read)
    }
}

/// What a delivery shares its share of the sender with.
fn lane(delivery: &Delivery) -> Uuid {
    match delivery.webhook {
        Some(WebhookId(id)) => id,
        None => Tx::lane_of(delivery.tenant, &delivery.url),
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), WriteError> {
        if delivery.due_at.is_some() {
            self.is_due = true;
        }
        self.run(
            &format!(
                "INSERT OR REPLACE INTO deliveries ({COLUMNS}, lane) VALUES (?1, ?2, ?3, ?4, ?5,
                    ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
            ),
            params![
                delivery.id,
                delivery.tenant,
                delivery.webhook,
                delivery.is_agents,
                delivery.call,
                delivery.event,
                delivery.url,
                delivery.body,
                delivery.status,
                delivery.attempts,
                delivery.manual_retries,
                delivery.due_at,
                delivery.held_until,
                delivery.last_error,
                delivery.last_status,
                delivery.delivered_at,
                delivery.created_at,
                delivery.updated_at,
                lane(delivery).as_bytes(),
            ],
        )?;
        Ok(())
    }

    /// Whether an earlier event of the same call to the same place is still to be tried.
    pub(in crate::store) fn has_turn(
        &self,
        delivery: &Delivery,
        attempts_max: u32,
    ) -> Result<bool, WriteError> {
        Ok(!self.is_behind(lane(delivery), delivery.call, delivery.id, attempts_max)?)
    }

    /// Forgets deliveries that have been over since before, with the logs of them; how many.
    pub(in crate::store) fn delete_aged_deliveries(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        let aged = "SELECT id FROM deliveries WHERE tenant = ?1 AND created_at < ?2
                AND updated_at < ?2 AND status <> 'pending' ORDER BY created_at LIMIT ?3";
        let which = params![tenant, before, limit];
        self.run(&format!("DELETE FROM attempts WHERE delivery IN ({aged})"), which)?;
        self.run(&format!("DELETE FROM deliveries WHERE id IN ({aged})"), which)
    }
}
