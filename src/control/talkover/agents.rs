//! Talkover's agents. An archived agent does not exist here.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        changes,
        receive::{At, Body, Params},
        whole::{Whole, current},
    },
    dialects::talkover::{self as dialect, AgentBody, AgentChanged, Envelope, Nothing},
    domain::{AgentId, AgentRecord, AgentState, Refusal, TenantId},
    store::{AgentFilter, Paging, Sharing, Tx, WriteError},
};

/// List Agents: a page of them, newest first.
#[utoipa::path(get, path = "/agents", tag = "agents", params(dialect::AgentQuery),
    responses((status = 200, body = Envelope<Vec<AgentBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = dialect::filter(query.0)?;
    let (page, per_page) = (fields.page, fields.per_page);
    let filter = AgentFilter {
        direction: fields.direction,
        state: fields.state,
        archived: false,
        search: fields.search,
    };
    let (agents, total) = api
        .read(move |rows| {
            let listed = rows.agents(caller.tenant, &filter, &Paging::Page { page, per_page })?;
            Ok((Whole::all(rows, listed.rows)?, listed.total))
        })
        .await?;
    let data: Vec<_> = agents.iter().map(body).collect();
    Ok(answer::read(Envelope::of(data).at(page, per_page, total)))
}

/// Get Agent.
#[utoipa::path(get, path = "/agents/{agent}", tag = "agents",
    responses((status = 200, body = Envelope<AgentBody>)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let whole = api.read(move |rows| Whole::of(rows, current(rows, caller.tenant, id)?)).await?;
    Ok(answer::read(Envelope::of(body(&whole))))
}

/// Create Agent: a draft, until it is published.
#[utoipa::path(post, path = "/agents", tag = "agents", request_body = dialect::AgentRequest,
    responses((status = 201, body = Envelope<AgentBody>)))]
pub(super) async fn create(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = dialect::create(body, api.settings.private)?;
    let create = move |tx: &mut Tx<'_>| {
        let draft = AgentState::Draft;
        let numbers = fields.numbers.as_deref();
        changes::known_numbers(tx, caller.tenant, "phone_number_ids", numbers)?;
        let record = changes::create(tx, caller.tenant, fields, draft, Sharing::Allowed)?;
        Whole::of(tx, record)
    };
    let reply = |_: &Api, whole, warnings| {
        let data = Envelope::of(self::body(&whole));
        Reply::created(&data.says("Agent created successfully").warns(warnings))
    };
    api.answer(caller.actor(), create, reply).await
}

/// Update Agent Calling Settings: its direction, its numbers, its ladder.
#[utoipa::path(put, path = "/agents/{agent}/calling", tag = "agents",
    request_body = dialect::CallingRequest,
    responses((status = 200, body = Envelope<AgentChanged>),
        (status = 409, description = "It has calls in progress, or holds the callback role.")))]
pub(super) async fn calling(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let asked = dialect::calling(body, api.settings.private)?;
    let is_busy = api.is_busy(id);
    let change = move |tx: &mut Tx<'_>| {
        let before = current(tx, caller.tenant, id)?;
        if is_busy && before.agent.direction != asked.direction {
            return Err(Refusal::DirectionBusy.into());
        }
        let numbers = asked.fields.numbers.clone();
        changes::known_numbers(tx, caller.tenant, "phone_number_ids", numbers.as_deref())?;
        tx.set_calling(caller.tenant, id, asked.direction, numbers)?;
        let record = changes::update(tx, caller.tenant, id, asked.fields)?;
        Whole::of(tx, record)
    };
    let reply = |_: &Api, whole: Whole, warnings| {
        let data = AgentChanged::calling(&whole.record, &whole.numbers);
        let message = "Agent calling settings updated successfully";
        Reply::ok(&Envelope::of(data).says(message).warns(warnings))
    };
    api.answer(caller.actor(), change, reply).await
}

/// Publish Agent: from now on it calls and answers.
#[utoipa::path(post, path = "/agents/{agent}/publish", tag = "agents",
    responses((status = 200, body = Envelope<AgentChanged>)))]
pub(super) async fn publish(State(api): State<Api>, caller: Caller, id: At<AgentId>) -> Answer {
    let message = "Agent published successfully";
    turn(&api, caller, id.0, message, |tx, tenant, id| tx.publish(tenant, id)).await
}

/// Unpublish Agent: it is a draft again.
#[utoipa::path(post, path = "/agents/{agent}/unpublish", tag = "agents",
    responses((status = 200, body = Envelope<AgentChanged>)))]
pub(super) async fn unpublish(State(api): State<Api>, caller: Caller, id: At<AgentId>) -> Answer {
    let message = "Agent unpublished successfully";
    turn(&api, caller, id.0, message, |tx, tenant, id| tx.unpublish(tenant, id)).await
}

async fn turn<F>(api: &Api, caller: Caller, id: AgentId, message: &'static str, change: F) -> Answer
where
    F: FnOnce(&mut Tx<'_>, TenantId, AgentId) -> Result<AgentRecord, WriteError> + Send + 'static,
{
    let change = move |tx: &mut Tx<'_>| {
        current(tx, caller.tenant, id)?;
        change(tx, caller.tenant, id)
    };
    let reply = move |_: &Api, record, warnings| {
        let data = Envelope::of(AgentChanged::state(&record));
        Reply::ok(&data.says(message).warns(warnings))
    };
    api.answer(caller.actor(), change, reply).await
}

/// Delete Agent.
#[utoipa::path(delete, path = "/agents/{agent}", tag = "agents",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 409, description = "It is published, or has calls in progress.")))]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let is_busy = api.is_busy(id);
    let delete = move |tx: &mut Tx<'_>| {
        current(tx, caller.tenant, id)?;
        if is_busy {
            return Err(Refusal::AgentHasActiveCalls.into());
        }
        tx.delete_agent(caller.tenant, id)
    };
    let reply = |_: &Api, _, warnings| {
        let envelope: Envelope<Nothing> = Envelope::done("Agent deleted successfully");
        Reply::ok(&envelope.warns(warnings))
    };
    api.answer(caller.actor(), delete, reply).await
}

pub(super) fn body(whole: &Whole) -> AgentBody {
    AgentBody::new(&whole.record, &whole.numbers)
}
