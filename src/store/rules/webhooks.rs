//! Subscriptions to what happens to calls.

use super::{Tx, WriteError, named};
use crate::{
    domain::{Refusal, Secret, TenantId, UnixMillis, Webhook, WebhookId},
    store::{NewWebhook, WebhookPatch},
};

/// Endpoints of a tenant, or webhooks of an agent, at most: each is a row for every step of a call.
const WEBHOOKS_MAX: usize = 50;

impl Tx<'_> {
    /// Makes a subscription.
    ///
    /// # Errors
    /// Unknown tenant or agent; there are too many.
    pub fn create_webhook(
        &mut self,
        tenant: TenantId,
        new: NewWebhook,
    ) -> Result<Webhook, WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let agent = new.agent.as_ref().map(|policy| policy.agent);
        if let Some(agent) = agent {
            self.open_agent(tenant, agent)?;
        }
        if self.webhooks(tenant, agent)?.len() >= WEBHOOKS_MAX {
            return Err(Refusal::WebhooksFull.into());
        }
        let secret = match agent {
            Some(_) => new.secret,
            None => Some(new.secret.unwrap_or_else(new_secret)),
        };
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId(self.new_id()),
            tenant,
            url: new.url,
            name: new.name.map(|name| named("name", &name)).transpose()?,
            events: new.events,
            secret,
            agent: new.agent,
            disabled_at: (!new.is_enabled).then_some(now),
            trouble: None,
            failures: 0,
            created_at: now,
            updated_at: now,
        };
        self.put_webhook(&webhook)?;
        self.insert_audit(Some(tenant), "webhook.create", Some(webhook.id.0))?;
        Ok(webhook)
    }

    /// Changes a subscription.
    ///
    /// # Errors
    /// Unknown subscription.
    pub fn update_webhook(
        &mut self,
        tenant: TenantId,
        id: WebhookId,
        patch: WebhookPatch,
    ) -> Result<Webhook, WriteError> {
        let mut webhook = self.known_webhook(tenant, id)?;
        webhook.url = patch.url.unwrap_or(webhook.url);
        if let Some(name) = patch.name {
            webhook.name = name.map(|name| named("name", &name)).transpose()?;
        }
        webhook.events = patch.events.unwrap_or(webhook.events);
        webhook.secret = patch.secret.unwrap_or(webhook.secret);
        webhook.agent = patch.policy.or(webhook.agent);
        if let Some(is_enabled) = patch.is_enabled {
            switch(&mut webhook, is_enabled, self.now());
        }
        self.save_webhook(webhook, "webhook.update")
    }

    /// Puts a new secret in the old one's place, at once.
    ///
    /// # Errors
    /// Unknown subscription.
    pub fn rotate_webhook(
        &mut self,
        tenant: TenantId,
        id: WebhookId,
    ) -> Result<Webhook, WriteError> {
        let webhook = self.known_webhook(tenant, id)?;
        let webhook = Webhook { secret: Some(new_secret()), ..webhook };
        self.save_webhook(webhook, "webhook.rotate")
    }

    /// Ends a subscription. What it was told can still be read; what waits for it is given up.
    ///
    /// # Errors
    /// Unknown subscription.
    pub fn delete_webhook(&mut self, tenant: TenantId, id: WebhookId) -> Result<(), WriteError> {
        self.known_webhook(tenant, id)?;
        self.delete_webhook_row(tenant, id)?;
        self.insert_audit(Some(tenant), "webhook.delete", Some(id.0))
    }

    /// The secret for URLs that agents and calls bring along, which is made when it is first asked
    /// for; and since when it is that.
    ///
    /// # Errors
    /// Unknown tenant.
    pub fn need_webhook_secret(
        &mut self,
        tenant: TenantId,
    ) -> Result<(Secret, UnixMillis), WriteError> {
        if let Some(known) = self.webhook_secret(tenant)? {
            return Ok(known);
        }
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let secret = new_secret();
        self.put_webhook_secret(tenant, &secret)?;
        Ok((secret, self.now()))
    }

    /// Puts a new secret for such URLs in the old one's place, at once.
    ///
    /// # Errors
    /// Unknown tenant.
    pub fn rotate_webhook_secret(
        &mut self,
        tenant: TenantId,
    ) -> Result<(Secret, UnixMillis), WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let secret = new_secret();
        self.put_webhook_secret(tenant, &secret)?;
        self.insert_audit(Some(tenant), "webhook_secret.rotate", None)?;
        Ok((secret, self.now()))
    }

    fn save_webhook(&mut self, webhook: Webhook, action: &str) -> Result<Webhook, WriteError> {
        let webhook = Webhook { updated_at: self.now(), ..webhook };
        self.put_webhook(&webhook)?;
        self.insert_audit(Some(webhook.tenant), action, Some(webhook.id.0))?;
        Ok(webhook)
    }

    fn known_webhook(&self, tenant: TenantId, id: WebhookId) -> Result<Webhook, WriteError> {
        Ok(self.webhook(tenant, id)?.ok_or(Refusal::WebhookNotFound)?)
    }
}

fn switch(webhook: &mut Webhook, is_enabled: bool, now: UnixMillis) {
    if is_enabled {
        webhook.disabled_at = None;
        webhook.trouble = None;
        webhook.failures = 0;
    } else {
        webhook.disabled_at.get_or_insert(now);
    }
}

/// A new secret, as CallingBox writes them.
fn new_secret() -> Secret {
    let bytes: [u8; 32] = rand::random();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Secret::new(format!("whsec_{hex}"))
}
