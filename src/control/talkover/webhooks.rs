//! Talkover's webhooks of an agent.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::{At, Body, Params},
        whole::current,
    },
    dialects::{
        Problem,
        talkover::{
            self as dialect, Envelope, Frame, LogBody, Nothing, RetryBody, TestBody, WebhookBody,
            WebhooksBody,
        },
    },
    domain::{AgentId, AgentRecord, AttemptId, Refusal, TenantId, Webhook, WebhookId},
    store::{NewWebhook, Paging, Rows, Tx, WebhookPatch, WriteError},
    telemetry::clock,
};

/// List Agent Webhooks.
#[utoipa::path(get, path = "/agents/{agent}/webhooks", tag = "webhooks",
    responses((status = 200, body = Envelope<WebhooksBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let found = api.read(move |rows| {
        current(rows, caller.tenant, id)?;
        rows.webhooks(caller.tenant, Some(id))
    });
    Ok(answer::read(Envelope::of(WebhooksBody::from(found.await?.as_slice()))))
}

/// Create Webhook.
#[utoipa::path(post, path = "/agents/{agent}/webhooks", tag = "webhooks",
    request_body = dialect::WebhookRequest,
    responses((status = 201, body = Envelope<WebhookBody>),
        (status = 409, description = "There are as many as there may be.")))]
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::webhook(body, api.settings.private)?;
    let create = move |tx: &mut Tx<'_>| {
        current(tx, caller.tenant, id)?;
        let policy = fields.policy(id);
        let new = NewWebhook {
            url: fields.url.unwrap_or_default(),
            name: fields.name,
            events: fields.events.unwrap_or_default(),
            secret: fields.secret.flatten(),
            agent: Some(policy),
            is_enabled: fields.is_enabled.unwrap_or(true),
        };
        tx.create_webhook(caller.tenant, new)
    };
    let reply = |_: &Api, made: Webhook, _| {
        let body = Envelope::of(WebhookBody::from(&made));
        Reply::created(&body.says("Webhook created successfully"))
    };
    api.answer(caller.actor(), create, reply).await
}

/// Get Webhook Details.
#[utoipa::path(get, path = "/agents/{agent}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 200, body = Envelope<WebhookBody>)))]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
) -> Answer {
    let (_, found) = whole(&api, caller, agent, id).await?;
    Ok(answer::read(Envelope::of(WebhookBody::from(&found))))
}

/// Update Webhook: only what is sent changes.
#[utoipa::path(put, path = "/agents/{agent}/webhooks/{webhook}", tag = "webhooks",
    request_body = dialect::WebhookPatchRequest,
    responses((status = 200, body = Envelope<WebhookBody>)))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::webhook_patch(body, api.settings.private)?;
    let update = move |tx: &mut Tx<'_>| {
        let (_, known) = of_agent(tx, caller.tenant, agent, id)?;
        let policy = known.agent.map(|policy| fields.policy_over(policy));
        let patch = WebhookPatch {
            url: fields.url,
            name: fields.name.map(Some),
            events: fields.events,
            secret: fields.secret,
            policy,
            is_enabled: fields.is_enabled,
        };
        tx.update_webhook(caller.tenant, known.id, patch)
    };
    let reply = |_: &Api, webhook: Webhook, _| {
        let body = Envelope::of(WebhookBody::from(&webhook));
        Reply::ok(&body.says("Webhook updated successfully"))
    };
    api.answer(caller.actor(), update, reply).await
}

/// Toggle Webhook Status.
#[utoipa::path(patch, path = "/agents/{agent}/webhooks/{webhook}/toggle", tag = "webhooks",
    responses((status = 200, body = Envelope<WebhookBody>)))]
pub(super) async fn toggle(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
) -> Answer {
    let toggle = move |tx: &mut Tx<'_>| {
        let (_, known) = of_agent(tx, caller.tenant, agent, id)?;
        let is_enabled = Some(known.disabled_at.is_some());
        let patch = WebhookPatch { is_enabled, ..WebhookPatch::default() };
        tx.update_webhook(caller.tenant, known.id, patch)
    };
    let reply = |_: &Api, webhook: Webhook, _| {
        let is_on = webhook.disabled_at.is_none();
        let message = if is_on { "Webhook enabled" } else { "Webhook disabled" };
        Reply::ok(&Envelope::of(WebhookBody::from(&webhook)).says(message))
    };
    api.answer(caller.actor(), toggle, reply).await
}

/// Delete Webhook.
#[utoipa::path(delete, path = "/agents/{agent}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 200, body = Envelope<Nothing>)))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| {
        let (_, known) = of_agent(tx, caller.tenant, agent, id)?;
        tx.delete_webhook(caller.tenant, known.id)
    };
    let reply =
        |_: &Api, (), _| Reply::ok(&Envelope::<Nothing>::done("Webhook deleted successfully"));
    api.answer(caller.actor(), remove, reply).await
}

/// Test Webhook: one event is sent now, and the answer waited for.
#[utoipa::path(post, path = "/agents/{agent}/webhooks/{webhook}/test", tag = "webhooks",
    responses((status = 200, body = TestBody)))]
pub(super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
) -> Answer {
    let (record, webhook) = whole(&api, caller, agent, id).await?;
    let policy = webhook.agent.as_ref().ok_or(Refusal::WebhookNotFound)?;
    let frame = Frame {
        event: "webhook.test",
        agent_name: Some(&record.agent.name),
        webhook: &webhook,
        at: clock::now(),
    };
    let probed = api.outbox.probe(&webhook, policy, frame.test().to_string()).await;
    let took = u64::try_from(probed.took.as_millis()).unwrap_or(u64::MAX);
    Ok(answer::read(TestBody::new(probed.status, took, probed.error)))
}

/// Get Webhook Logs: one line for each attempt, newest first.
#[utoipa::path(get, path = "/agents/{agent}/webhooks/{webhook}/logs", tag = "webhooks",
    params(dialect::LogQuery),
    responses((status = 200, body = Envelope<Vec<LogBody>>)))]
pub(super) async fn logs(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
    query: Params,
) -> Answer {
    let (page, per_page) = dialect::log_page(query.0)?;
    let listed = api.read(move |rows| {
        let (_, known) = of_agent(rows, caller.tenant, agent, id)?;
        rows.attempts(caller.tenant, known.id, &Paging::Page { page, per_page })
    });
    let listed = listed.await?;
    let data: Vec<_> = listed.rows.iter().map(LogBody::from).collect();
    let rows = data.len();
    Ok(answer::read(Envelope::of(data).paged(page, per_page, listed.total, rows)))
}

/// Retry Webhook Log: an attempt that failed for good is made again.
#[utoipa::path(post, path = "/agents/{agent}/webhooks/{webhook}/logs/{log}/retry",
    tag = "webhooks",
    responses((status = 200, body = Envelope<RetryBody>),
        (status = 409, description = "The webhook is disabled.")))]
pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    At(id): At<WebhookId>,
    At(log): At<AttemptId>,
) -> Answer {
    let retry = move |tx: &mut Tx<'_>| {
        let (_, known) = of_agent(tx, caller.tenant, agent, id)?;
        let failed = tx.attempt(caller.tenant, known.id, log)?.ok_or(Refusal::LogNotFound)?;
        Ok((tx.retry_attempt(&failed)?, tx.now()))
    };
    let reply = move |_: &Api, (again, at), _| {
        let body = Envelope::of(RetryBody::new(again, log, at));
        Reply::ok(&body.says("Webhook delivery queued"))
    };
    api.answer(caller.actor(), retry, reply).await
}

/// An agent's webhook, and the agent.
async fn whole(
    api: &Api,
    caller: Caller,
    agent: AgentId,
    id: WebhookId,
) -> Result<(AgentRecord, Webhook), Problem> {
    api.read(move |rows| of_agent(rows, caller.tenant, agent, id)).await
}

fn of_agent(
    rows: &Rows<'_>,
    tenant: TenantId,
    agent: AgentId,
    id: WebhookId,
) -> Result<(AgentRecord, Webhook), WriteError> {
    let record = current(rows, tenant, agent)?;
    let found = rows.webhook(tenant, id)?;
    let found = found.filter(|webhook| webhook.agent.as_ref().map(|p| p.agent) == Some(agent));
    Ok((record, found.ok_or(Refusal::WebhookNotFound)?))
}
