//! What subscribers are told, and what becomes of it.
//!
//! Events are made in the transaction that changes the call, so none is lost and none is told
//! twice. Those of one call go to one place in order: a later one is due only once the earlier one
//! has arrived, or has failed so often that waiting for it does more harm than being out of order.

use std::collections::{HashMap, hash_map::Entry};

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentId, AgentVersion, Attempt, AttemptId, AttemptStatus, CallId, CallRecord, CallStep,
        Delivery, DeliveryId, DeliveryStatus, Refusal, TenantId, UnixMillis, VersionId, Webhook,
        WebhookTrouble,
    },
    store::{Audience, EventWords, PlacedCall, Rows, Telling, Tried, Way},
};

/// Attempts after which an event no longer keeps the later ones of its call waiting: some minutes,
/// while the last attempt is days away.
const ORDERED_ATTEMPTS: u32 = 3;
/// Events in a row that are given up before an endpoint is switched off.
const FAILURES_MAX: u32 = 10;
/// How long the end of a call waits to be told for what is found out about it after it.
const RESULT_WAIT_MS: u64 = 60 * 1000;
/// How a target that took the call is written down.
const TOOK_IT: &str = "answered";

/// What of the tables the events of one write are made from, each read once.
#[derive(Default)]
struct Subscribers {
    of_tenant: HashMap<(TenantId, Option<AgentId>), Vec<Webhook>>,
    versions: HashMap<VersionId, Option<AgentVersion>>,
}

/// To whom an event goes.
struct To<'a> {
    webhook: Option<&'a Webhook>,
    url: &'a str,
    event: &'static str,
    held_until: Option<UnixMillis>,
}

impl Rows<'_> {
    /// How a delivery is sent now.
    ///
    /// # Errors
    /// The store's.
    pub fn way_of(&self, delivery: &Delivery) -> Result<Way, WriteError> {
        let Some(id) = delivery.webhook else {
            let secret = self.webhook_secret(delivery.tenant)?;
            return Ok(secret.map_or(Way::None("no secret"), |(secret, _)| Way::Inline(secret)));
        };
        Ok(match self.webhook(delivery.tenant, id)? {
            None => Way::None("the endpoint was deleted"),
            Some(webhook) if webhook.disabled_at.is_some() => Way::None("the endpoint is disabled"),
            Some(webhook) => Way::Webhook(Box::new(webhook)),
        })
    }
}

impl Tx<'_> {
    /// Makes the events of the steps that this write has taken, for all who are told of them.
    pub(in crate::store) fn tell_subscribers(&mut self) -> Result<(), WriteError> {
        let steps = std::mem::take(&mut self.steps);
        let Some(words) = self.settings().words.filter(|_| !steps.is_empty()) else {
            return Ok(());
        };
        let mut known = Subscribers::default();
        for (call, step) in &steps {
            self.tell_step(&words, &mut known, call, *step)?;
        }
        Ok(())
    }

    fn tell_step(
        &mut self,
        words: &EventWords,
        known: &mut Subscribers,
        call: &CallRecord,
        step: CallStep,
    ) -> Result<(), WriteError> {
        let tenant = call.tenant;
        let by_machine = call.by_machine;
        let of_tenant = (words.names)(Audience::Tenant, step, by_machine);
        let of_agent = (words.names)(Audience::Agent, step, by_machine);
        if of_tenant.is_empty() && of_agent.is_empty() {
            return Ok(());
        }
        known.read(self, tenant, None)?;
        if let Some(agent) = call.agent {
            known.read(self, tenant, Some(agent))?;
        }
        known.read_version(self, call)?;
        let version = call.version.and_then(|id| known.versions.get(&id)).and_then(Option::as_ref);
        let inline = self.inline_url(words, call, version)?;
        let is_talk = step == CallStep::Completed && !by_machine;
        let held_until =
            version.filter(|_| is_talk).and_then(|agent| self.held_until(words, call, agent));
        let mut to = Vec::new();
        for &event in of_tenant {
            for webhook in known.wanting(tenant, None, event) {
                to.push(To { webhook: Some(webhook), url: &webhook.url, event, held_until });
            }
            let inline = inline.iter();
            to.extend(inline.map(|url| To { webhook: None, url, event, held_until }));
        }
        for &event in call.agent.map_or(&[][..], |_| of_agent) {
            for webhook in known.wanting(tenant, call.agent, event) {
                to.push(To { webhook: Some(webhook), url: &webhook.url, event, held_until: None });
            }
        }
        if to.is_empty() {
            return Ok(());
        }
        let placed = self.placed(call.clone())?;
        to.into_iter().try_for_each(|to| self.make_delivery(words, &placed, &to))
    }

    /// The URL that the call brings along, else its agent's.
    fn inline_url(
        &self,
        words: &EventWords,
        call: &CallRecord,
        agent: Option<&AgentVersion>,
    ) -> Result<Option<String>, WriteError> {
        let of_call = self.any_dial(call.id)?.and_then(|dial| dial.brief.webhook_url);
        Ok(of_call.or_else(|| agent.and_then(|agent| (words.agent_url)(&agent.profile))))
    }

    /// Until when the end of a call waits for its result: where a runtime took the call, and its
    /// agent is to find something out.
    fn held_until(
        &self,
        words: &EventWords,
        call: &CallRecord,
        agent: &AgentVersion,
    ) -> Option<UnixMillis> {
        let is_taken = call.targets_tried.iter().any(|tried| tried.outcome == TOOK_IT)
            || !call.media.is_empty();
        (is_taken && (words.awaits_result)(&agent.profile))
            .then(|| UnixMillis(self.now().0 + RESULT_WAIT_MS))
    }

    fn make_delivery(
        &mut self,
        words: &EventWords,
        placed: &PlacedCall,
        to: &To<'_>,
    ) -> Result<(), WriteError> {
        let (id, now) = (DeliveryId(self.new_id()), self.now());
        let tenant = placed.call.tenant;
        if to.webhook.is_none() {
            self.need_webhook_secret(tenant)?;
        }
        let telling = Telling { id, event: to.event, at: now, placed, webhook: to.webhook };
        let delivery = Delivery {
            id,
            tenant,
            webhook: to.webhook.map(|webhook| webhook.id),
            is_agents: to.webhook.is_some_and(|webhook| webhook.agent.is_some()),
            call: placed.call.id,
            event: to.event.to_owned(),
            url: to.url.to_owned(),
            body: (words.body)(&telling),
            status: DeliveryStatus::Pending,
            attempts: 0,
            manual_retries: 0,
            due_at: None,
            held_until: to.held_until,
            last_error: None,
            last_status: None,
            delivered_at: None,
            created_at: now,
            updated_at: now,
        };
        let has_turn = self.has_turn(&delivery, ORDERED_ATTEMPTS)?;
        let due_at = has_turn.then(|| due(&delivery, now));
        self.put_delivery(&Delivery { due_at, ..delivery })
    }

    /// Writes down what came of an attempt. One that was no longer waited for changes nothing.
    ///
    /// # Errors
    /// The store's.
    pub fn note_attempt(&mut self, id: DeliveryId, tried: Tried) -> Result<(), WriteError> {
        let Some(known) = self.any_delivery(id)? else { return Ok(()) };
        if known.status != DeliveryStatus::Pending {
            return Ok(());
        }
        let now = self.now();
        let retry_at = tried.retry_at.filter(|_| !tried.is_delivered);
        let status = match (tried.is_delivered, retry_at) {
            (true, _) => DeliveryStatus::Delivered,
            (false, Some(_)) => DeliveryStatus::Pending,
            (false, None) => DeliveryStatus::Exhausted,
        };
        let delivery = Delivery {
            status,
            attempts: known.attempts.saturating_add(1),
            due_at: retry_at,
            held_until: None,
            last_error: tried.error.clone(),
            last_status: tried.http_status,
            delivered_at: tried.is_delivered.then_some(now),
            updated_at: now,
            ..known
        };
        self.put_delivery(&delivery)?;
        self.log_attempt(&delivery, tried)?;
        self.count_failures(&delivery)?;
        self.let_next_go(&delivery)
    }

    /// Gives a delivery up without an attempt: there is nobody to send it to.
    ///
    /// # Errors
    /// The store's.
    pub fn give_up_delivery(&mut self, id: DeliveryId, why: &str) -> Result<(), WriteError> {
        let Some(known) = self.any_delivery(id)? else { return Ok(()) };
        if known.status != DeliveryStatus::Pending {
            return Ok(());
        }
        let delivery = Delivery {
            status: DeliveryStatus::Exhausted,
            due_at: None,
            last_error: Some(why.to_owned()),
            updated_at: self.now(),
            ..known
        };
        self.put_delivery(&delivery)?;
        self.let_next_go(&delivery)
    }

    /// Has a delivery tried again from the beginning, under the same id. One that waits for its
    /// next attempt is tried at once; one that waits for its turn goes on waiting.
    ///
    /// # Errors
    /// Unknown delivery; its subscription is gone or switched off.
    pub fn redeliver(&mut self, tenant: TenantId, id: DeliveryId) -> Result<Delivery, WriteError> {
        let known = self.delivery(tenant, id)?.ok_or(Refusal::DeliveryNotFound)?;
        if let Way::None(_) = self.way_of(&known)? {
            return Err(Refusal::WebhookDisabled.into());
        }
        let now = self.now();
        let is_waiting = known.status == DeliveryStatus::Pending && known.due_at.is_none();
        let delivery = Delivery {
            status: DeliveryStatus::Pending,
            attempts: if known.status == DeliveryStatus::Pending { known.attempts } else { 0 },
            manual_retries: known.manual_retries.saturating_add(1),
            due_at: (!is_waiting).then_some(now),
            held_until: None,
            delivered_at: None,
            updated_at: now,
            ..known
        };
        self.put_delivery(&delivery)?;
        self.insert_audit(Some(tenant), "webhook_delivery.redeliver", Some(id.0))?;
        Ok(delivery)
    }

    /// Asks for an attempt of a webhook's log to be made again; answers the line that will tell of
    /// it.
    ///
    /// # Errors
    /// It did not fail, or is not the last; the webhook is switched off.
    pub fn retry_attempt(&mut self, failed: &Attempt) -> Result<AttemptId, WriteError> {
        let is_over = self
            .delivery(failed.tenant, failed.delivery)?
            .is_some_and(|delivery| delivery.status == DeliveryStatus::Exhausted);
        if failed.status != AttemptStatus::Failed || !is_over {
            return Err(Refusal::LogNotRetriable.into());
        }
        self.redeliver(failed.tenant, failed.delivery)?;
        let (id, created_at) = (AttemptId(self.new_id()), self.now());
        let attempt = Attempt {
            id,
            number: 1,
            status: AttemptStatus::Pending,
            http_status: None,
            response_body: None,
            response_headers: None,
            duration_ms: None,
            error: None,
            delivered_at: None,
            created_at,
            ..failed.clone()
        };
        self.put_attempt(&attempt, None)?;
        Ok(id)
    }

    /// What was to be found out about a call is known: its end is told now, with that in it.
    ///
    /// # Errors
    /// The store's.
    pub fn tell_result(&mut self, tenant: TenantId, call: CallId) -> Result<(), WriteError> {
        let Some(words) = self.settings().words else { return Ok(()) };
        let now = self.now();
        let held = self.held_deliveries(tenant, call, now)?;
        let Some(call) = self.call(tenant, call)?.filter(|_| !held.is_empty()) else {
            return Ok(());
        };
        let placed = self.placed(call)?;
        for delivery in held {
            let webhook = match delivery.webhook {
                Some(id) => self.webhook(tenant, id)?,
                None => None,
            };
            let body = (words.body)(&Telling {
                id: delivery.id,
                event: &delivery.event,
                at: delivery.created_at,
                placed: &placed,
                webhook: webhook.as_ref(),
            });
            let due_at = delivery.due_at.map(|_| now);
            self.put_delivery(&Delivery { body, due_at, held_until: None, ..delivery })?;
        }
        Ok(())
    }

    /// A line in the log of an agent's webhook.
    fn log_attempt(&mut self, delivery: &Delivery, tried: Tried) -> Result<(), WriteError> {
        let Some(webhook) = delivery.webhook.filter(|_| delivery.is_agents) else {
            return Ok(());
        };
        let asked_for = self.pending_attempt(delivery.id)?;
        let status = match delivery.status {
            DeliveryStatus::Delivered => AttemptStatus::Success,
            DeliveryStatus::Pending => AttemptStatus::Retrying,
            DeliveryStatus::Exhausted => AttemptStatus::Failed,
        };
        let attempt = Attempt {
            id: asked_for.unwrap_or_else(|| AttemptId(self.new_id())),
            tenant: delivery.tenant,
            webhook,
            delivery: delivery.id,
            event: delivery.event.clone(),
            number: delivery.attempts,
            status,
            request: String::new(),
            http_status: tried.http_status,
            response_body: tried.response_body,
            response_headers: tried.response_headers,
            duration_ms: Some(tried.duration_ms),
            error: tried.error,
            delivered_at: delivery.delivered_at,
            created_at: tried.at,
        };
        self.put_attempt(&attempt, tried.request.as_deref())
    }

    /// Counts events that were given up in a row, and switches an endpoint off for too many.
    fn count_failures(&mut self, delivery: &Delivery) -> Result<(), WriteError> {
        let Some(id) = delivery.webhook else { return Ok(()) };
        let failures = |known: u32| match delivery.status {
            DeliveryStatus::Pending => known,
            DeliveryStatus::Delivered => 0,
            DeliveryStatus::Exhausted => known.saturating_add(1),
        };
        let Some(webhook) = self.webhook(delivery.tenant, id)? else { return Ok(()) };
        let failures = failures(webhook.failures);
        if failures == webhook.failures {
            return Ok(());
        }
        let mut webhook = Webhook { failures, ..webhook };
        // Agents' webhooks have no such rule.
        if failures >= FAILURES_MAX && webhook.agent.is_none() && webhook.disabled_at.is_none() {
            webhook.disabled_at = Some(self.now());
            webhook.trouble = Some(WebhookTrouble::TooManyFailures);
            self.insert_audit(Some(webhook.tenant), "webhook.disable", Some(webhook.id.0))?;
        }
        self.put_webhook(&webhook)
    }

    /// The next event of the call may go, where this one does not keep it waiting any more.
    fn let_next_go(&mut self, done: &Delivery) -> Result<(), WriteError> {
        let keeps = done.status == DeliveryStatus::Pending && done.attempts < ORDERED_ATTEMPTS;
        let next = if keeps { None } else { self.waits_for(done)? };
        let Some(next) = next.map(|id| self.any_delivery(id)).transpose()?.flatten() else {
            return Ok(());
        };
        if self.has_turn(&next, ORDERED_ATTEMPTS)? {
            let due_at = Some(due(&next, self.now()));
            self.put_delivery(&Delivery { due_at, ..next })?;
        }
        Ok(())
    }
}

/// When a delivery whose turn it is goes.
fn due(delivery: &Delivery, now: UnixMillis) -> UnixMillis {
    delivery.held_until.map_or(now, |held| held.max(now))
}

impl Subscribers {
    fn read(
        &mut self,
        tx: &Tx<'_>,
        tenant: TenantId,
        agent: Option<AgentId>,
    ) -> Result<(), WriteError> {
        if let Entry::Vacant(entry) = self.of_tenant.entry((tenant, agent)) {
            entry.insert(tx.webhooks(tenant, agent)?);
        }
        Ok(())
    }

    fn read_version(&mut self, tx: &Tx<'_>, call: &CallRecord) -> Result<(), WriteError> {
        if let Some(id) = call.version.filter(|id| !self.versions.contains_key(id)) {
            self.versions.insert(id, tx.agent_version(call.tenant, id)?);
        }
        Ok(())
    }

    fn wanting(
        &self,
        tenant: TenantId,
        agent: Option<AgentId>,
        event: &'static str,
    ) -> impl Iterator<Item = &Webhook> {
        let of = self.of_tenant.get(&(tenant, agent)).into_iter().flatten();
        of.filter(move |webhook| webhook.wants(event))
    }
}
