//! Subscriptions to what happens to calls, and the secret for those that have none of their own.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    Rows,
    codec::{Json, Words, words},
};
use crate::{
    domain::{AgentId, AgentWebhook, Secret, TenantId, UnixMillis, Webhook, WebhookId},
    store::{Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, agent, url, name, events, secret, timeout_seconds, retries_max,
    method, authorization, headers, templates, disabled_at, trouble, failures, created_at,
    updated_at";

/// Names and values, in order.
type Pairs = Vec<(String, String)>;

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let agent: Option<AgentId> = row.get(2)?;
    let agent = match agent {
        Some(agent) => Some(read_policy(row, agent)?),
        None => None,
    };
    Ok(Webhook {
        id: row.get(0)?,
        tenant: row.get(1)?,
        url: row.get(3)?,
        name: row.get(4)?,
        events: row.get::<_, Words<_>>(5)?.0,
        secret: row.get::<_, Option<String>>(6)?.map(Secret::new),
        agent,
        disabled_at: row.get(13)?,
        trouble: row.get(14)?,
        failures: row.get(15)?,
        created_at: row.get(16)?,
        updated_at: row.get(17)?,
    })
}

fn read_policy(row: &Row<'_>, agent: AgentId) -> rusqlite::Result<AgentWebhook> {
    let headers: Json<Pairs> = row.get(11)?;
    let templates: Json<Pairs> = row.get(12)?;
    Ok(AgentWebhook {
        agent,
        timeout_seconds: row.get(7)?,
        retries_max: row.get(8)?,
        method: row.get(9)?,
        authorization: row.get(10)?,
        headers: headers.0.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
        templates: templates.0,
    })
}

impl Rows<'_> {
    /// A subscription.
    ///
    /// # Errors
    /// The store's.
    pub fn webhook(&self, tenant: TenantId, id: WebhookId) -> Result<Option<Webhook>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], read)
    }

    /// A tenant's endpoints, or the webhooks of one of its agents; newest first. There are few: see
    /// the rules for how many.
    ///
    /// # Errors
    /// The store's.
    pub fn webhooks(
        &self,
        tenant: TenantId,
        agent: Option<AgentId>,
    ) -> Result<Vec<Webhook>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE tenant = ?1 AND agent IS ?2
             ORDER BY created_at DESC, id DESC"
        );
        self.all(&sql, params![tenant, agent], read)
    }

    /// The secret for URLs that agents and calls bring along, and since when it is that.
    ///
    /// # Errors
    /// The store's.
    pub fn webhook_secret(
        &self,
        tenant: TenantId,
    ) -> Result<Option<(Secret, UnixMillis)>, WriteError> {
        let sql = "SELECT secret, created_at FROM webhook_secrets WHERE tenant = ?1";
        self.one(sql, [tenant], |row| Ok((Secret::new(row.get(0)?), row.get(1)?)))
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_webhook(&mut self, webhook: &Webhook) -> Result<(), WriteError> {
        let policy = webhook.agent.as_ref();
        let headers = policy.map(|policy| &policy.headers[..]).unwrap_or_default();
        let headers: Vec<_> = headers.iter().map(|(name, text)| (name, text.reveal())).collect();
        let templates = policy.map(|policy| &policy.templates[..]).unwrap_or_default();
        self.run(
            &format!(
                "INSERT OR REPLACE INTO webhooks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                    ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
            ),
            params![
                webhook.id,
                webhook.tenant,
                policy.map(|policy| policy.agent),
                webhook.url,
                webhook.name,
                words(&webhook.events),
                webhook.secret.as_ref().map(Secret::reveal),
                policy.map_or(0, |policy| policy.timeout_seconds),
                policy.map_or(0, |policy| policy.retries_max),
                policy.map_or("", |policy| policy.method.as_str()),
                policy.map_or("", |policy| policy.authorization.as_str()),
                Json(headers),
                Json(templates),
                webhook.disabled_at,
                webhook.trouble,
                webhook.failures,
                webhook.created_at,
                webhook.updated_at,
            ],
        )?;
        Ok(())
    }

    /// Its log stays, and ages; nobody can ask for it any more.
    pub(in crate::store) fn delete_webhook_row(
        &mut self,
        tenant: TenantId,
        id: WebhookId,
    ) -> Result<(), WriteError> {
        self.run("DELETE FROM webhooks WHERE id = ?1 AND tenant = ?2", params![id, tenant])?;
        Ok(())
    }

    /// The webhooks of an agent that is no more.
    pub(in crate::store) fn delete_webhooks_of(
        &mut self,
        tenant: TenantId,
        agent: AgentId,
    ) -> Result<(), WriteError> {
        for webhook in self.webhooks(tenant, Some(agent))? {
            self.delete_webhook_row(tenant, webhook.id)?;
        }
        Ok(())
    }

    pub(in crate::store) fn put_webhook_secret(
        &mut self,
        tenant: TenantId,
        secret: &Secret,
    ) -> Result<(), WriteError> {
        let now = self.now();
        self.run(
            "INSERT OR REPLACE INTO webhook_secrets (tenant, secret, created_at)
             VALUES (?1, ?2, ?3)",
            params![tenant, secret.reveal(), now],
        )?;
        Ok(())
    }

    /// What stands for the host of a URL that a tenant brought along.
    pub(in crate::store) fn lane_of(tenant: TenantId, url: &str) -> Uuid {
        let origin: String = url.split_inclusive('/').take(3).collect();
        Uuid::new_v5(&tenant.0, origin.to_ascii_lowercase().as_bytes())
    }
}
