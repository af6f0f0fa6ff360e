//! Campaigns and which calls are theirs.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    Rows,
    page::{Selection, contains},
};
use crate::{
    domain::{CallId, CampaignCall, CampaignCounts, CampaignId, CampaignRecord, E164, TenantId},
    store::{CampaignFilter, Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, agent, name, kind, status, description, fields, calls,
    completed, failed, lasted_ms, created_at, updated_at";

const CALLS: &str = "SELECT calls.id, campaign, contact, status, created_at
    FROM campaign_calls JOIN calls ON calls.id = campaign_calls.call";

const OPEN: &str = "status IN ('queued', 'initiated', 'ringing', 'in_progress')";

fn read(row: &Row<'_>) -> rusqlite::Result<CampaignRecord> {
    Ok(CampaignRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        agent: row.get(2)?,
        name: row.get(3)?,
        kind: row.get(4)?,
        status: row.get(5)?,
        description: row.get(6)?,
        fields: row.get(7)?,
        counts: CampaignCounts {
            calls: row.get(8)?,
            completed: row.get(9)?,
            failed: row.get(10)?,
            lasted_ms: row.get(11)?,
        },
        created_at: row.get(12)?,
        updated_at: row.get(13)?,
    })
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<CampaignCall> {
    Ok(CampaignCall {
        call: row.get(0)?,
        campaign: row.get(1)?,
        to: row.get(2)?,
        status: row.get(3)?,
        created_at: row.get(4)?,
    })
}

impl Rows<'_> {
    /// A campaign.
    ///
    /// # Errors
    /// The store's.
    pub fn campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Option<CampaignRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM campaigns WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], read)
    }

    /// Campaigns, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn campaigns(
        &self,
        tenant: TenantId,
        filter: &CampaignFilter,
        page: u32,
        per_page: u32,
    ) -> Result<Listed<CampaignRecord>, WriteError> {
        let search = filter.search.as_deref().map(contains);
        let selection = Selection::of("campaigns", tenant)
            .and_some("status = ?", filter.status)
            .and_some("kind = ?", filter.kind.clone())
            .and_some("agent = ?", filter.agent)
            .and_some("created_at >= ?", filter.from.map(|day| day.start()))
            .and_some("created_at < ?", filter.to.map(|day| day.next().start()))
            .and_some(r"(name LIKE ? ESCAPE '\' OR description LIKE ? ESCAPE '\')", search);
        let sql = format!("SELECT {COLUMNS} FROM campaigns WHERE id = ?1");
        self.page(selection, &Paging::Page { page, per_page })?.try_map(|id: Uuid| {
            Ok::<_, WriteError>(self.prepared(&sql)?.query_row([id.as_bytes()], read)?)
        })
    }

    /// How many campaigns a tenant has.
    pub(in crate::store) fn campaigns_count(&self, tenant: TenantId) -> Result<u64, WriteError> {
        let sql = "SELECT count(*) FROM campaigns WHERE tenant = ?1";
        Ok(self.one(sql, [tenant], |row| row.get(0))?.unwrap_or(0))
    }

    /// A campaign's latest calls, newest first.
    ///
    /// # Errors
    /// The store's.
    pub fn campaign_calls(
        &self,
        campaign: CampaignId,
        limit: u32,
    ) -> Result<Vec<CampaignCall>, WriteError> {
        let sql = format!("{CALLS} WHERE campaign = ?1 ORDER BY call DESC LIMIT ?2");
        self.all(&sql, params![campaign, limit], read_call)
    }

    /// The campaign's call to a person that is not over, where there is one.
    pub(in crate::store) fn open_campaign_call(
        &self,
        campaign: CampaignId,
        to: E164,
    ) -> Result<Option<CampaignCall>, WriteError> {
        let sql = format!(
            "{CALLS} WHERE campaign = ?1 AND contact = ?2 AND {OPEN} ORDER BY call DESC LIMIT 1"
        );
        self.one(&sql, params![campaign, to], read_call)
    }

    /// Whether any of its calls is not over. All that are, of whomever, are few.
    pub(in crate::store) fn has_open_calls(
        &self,
        campaign: CampaignId,
    ) -> Result<bool, WriteError> {
        let sql = format!(
            "SELECT 1 FROM calls INDEXED BY calls_open
             CROSS JOIN campaign_calls ON campaign_calls.call = calls.id
             WHERE {OPEN} AND campaign = ?1 LIMIT 1"
        );
        Ok(self.one(&sql, [campaign], |_| Ok(()))?.is_some())
    }

    pub(in crate::store) fn campaign_of(
        &self,
        call: CallId,
    ) -> Result<Option<CampaignId>, WriteError> {
        let sql = "SELECT campaign FROM campaign_calls WHERE call = ?1";
        self.one(sql, [call], |row| row.get(0))
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_campaign(
        &mut self,
        record: &CampaignRecord,
    ) -> Result<(), WriteError> {
        let counts = record.counts;
        self.run(
            &format!(
                "INSERT INTO campaigns ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
                    ?10, ?11, ?12, ?13, ?14)
                 ON CONFLICT (id) DO UPDATE SET agent = ?3, name = ?4, kind = ?5, status = ?6,
                    description = ?7, fields = ?8, updated_at = ?14"
            ),
            params![
                record.id,
                record.tenant,
                record.agent,
                record.name,
                record.kind,
                record.status,
                record.description,
                record.fields,
                counts.calls,
                counts.completed,
                counts.failed,
                counts.lasted_ms,
                record.created_at,
                record.updated_at,
            ],
        )?;
        Ok(())
    }

    /// Its calls stay, and are no campaign's any more.
    pub(in crate::store) fn delete_campaign_rows(
        &mut self,
        id: CampaignId,
    ) -> Result<(), WriteError> {
        self.run("DELETE FROM campaign_calls WHERE campaign = ?1", [id])?;
        self.run("DELETE FROM campaigns WHERE id = ?1", [id])?;
        Ok(())
    }

    pub(in crate::store) fn insert_campaign_call(
        &mut self,
        campaign: CampaignId,
        call: CallId,
        contact: E164,
    ) -> Result<(), WriteError> {
        let sql = "INSERT INTO campaign_calls (call, campaign, contact) VALUES (?1, ?2, ?3)";
        self.run(sql, params![call, campaign, contact])?;
        self.run("UPDATE campaigns SET calls = calls + 1 WHERE id = ?1", [campaign])?;
        Ok(())
    }

    pub(in crate::store) fn count_ended(
        &mut self,
        campaign: CampaignId,
        is_completed: bool,
        lasted_ms: u64,
    ) -> Result<(), WriteError> {
        self.run(
            "UPDATE campaigns SET completed = completed + ?2, failed = failed + ?3,
                lasted_ms = lasted_ms + ?4 WHERE id = ?1",
            params![campaign, is_completed, !is_completed, lasted_ms],
        )?;
        Ok(())
    }
}
