//! CallingBox's agents: live from the start, archived at the end.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        changes,
        receive::{At, Body, Params},
        whole::{Whole, agent},
    },
    dialects::{All, callingbox as dialect},
    domain::{AgentId, AgentRecord, AgentState, NumberId, Refusal, TenantId},
    store::{AgentFilter, Paging, Sharing, Tx, WriteError},
};

/// Rows read at a time; the list itself has no pages.
const PART: u32 = 1000;

/// Agents, newest first.
#[utoipa::path(get, path = "/agents", tag = "agents", params(dialect::AgentQuery),
    responses((status = 200, body = All<dialect::AgentBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = dialect::filter(query.0)?;
    let filter = AgentFilter {
        direction: fields.direction,
        archived: fields.archived,
        ..AgentFilter::default()
    };
    let agents = api
        .read(move |rows| {
            let mut agents = Vec::new();
            let mut starting_after = None;
            loop {
                let part = Paging::Keyset { limit: PART, starting_after, ending_before: None };
                let listed = rows.agents(caller.tenant, &filter, &part)?;
                starting_after = listed.rows.last().map(|record| record.agent.id.0);
                agents.extend(Whole::all(rows, listed.rows)?);
                if !listed.has_more || starting_after.is_none() {
                    return Ok(agents);
                }
            }
        })
        .await?;
    Ok(answer::read(All { data: agents.iter().map(|whole| api.agent_body(whole)).collect() }))
}

/// An agent, archived or not.
#[utoipa::path(get, path = "/agents/{agent}", tag = "agents",
    responses((status = 200, body = dialect::AgentBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let whole = api.read(move |rows| Whole::of(rows, agent(rows, caller.tenant, id)?)).await?;
    Ok(answer::read(api.agent_body(&whole)))
}

/// Makes an agent, live at once.
#[utoipa::path(post, path = "/agents", tag = "agents", request_body = dialect::AgentRequest,
    responses((status = 201, body = dialect::AgentBody),
        (status = 409, description = "Another inbound agent has one of the numbers.")))]
pub(super) async fn create(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = dialect::create(body, api.settings.private)?;
    let create = move |tx: &mut Tx<'_>| {
        let tenant = caller.tenant;
        changes::known_numbers(tx, tenant, "number_ids", fields.numbers.as_deref())?;
        let record = changes::create(tx, tenant, fields, AgentState::Live, Sharing::Exclusive)?;
        Whole::of(tx, record)
    };
    let reply =
        |api: &Api, whole, warnings| Reply::created(&api.agent_body(&whole).warns(warnings));
    api.answer(caller.actor(), create, reply).await
}

/// Changes an agent. What is not given stays; null clears.
#[utoipa::path(patch, path = "/agents/{agent}", tag = "agents",
    request_body = dialect::AgentPatchRequest,
    responses((status = 200, body = dialect::AgentBody)))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let mut fields = dialect::patch(body, api.settings.private)?;
    change(&api, caller, move |tx, tenant| {
        let before = agent(tx, tenant, id)?;
        if fields.direction.take().is_some_and(|asked| asked != before.agent.direction) {
            return Err(Refusal::TypeFixed.into());
        }
        let primary = fields.primary.take();
        let updated = changes::update(tx, tenant, id, fields)?;
        match primary {
            None => Ok(updated),
            Some(Some(number)) => set_primary(tx, tenant, id, number, "primary_number_id"),
            Some(None) if before.primary_number.is_none() => Ok(updated),
            Some(None) => {
                let message = "An agent that has numbers has a primary one.";
                Err(Refusal::invalid("primary_number_id", message).into())
            }
        }
    })
    .await
}

/// Archives an agent: it calls and answers no more. Doing it again changes nothing.
#[utoipa::path(delete, path = "/agents/{agent}", tag = "agents",
    responses((status = 200, body = dialect::AgentBody)))]
pub(super) async fn archive(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    change(&api, caller, move |tx, tenant| tx.archive_agent(tenant, id)).await
}

/// Attaches a number to an agent.
#[utoipa::path(post, path = "/agents/{agent}/numbers", tag = "agents",
    request_body = dialect::NumberChoice,
    responses((status = 200, body = dialect::AgentBody),
        (status = 409, description = "Another inbound agent has the number.")))]
pub(super) async fn attach(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let number = dialect::number_to_attach(body)?;
    change(&api, caller, move |tx, tenant| tx.attach_number(tenant, id, number, Sharing::Exclusive))
        .await
}

/// Detaches a number from an agent.
#[utoipa::path(delete, path = "/agents/{agent}/numbers/{number}", tag = "agents",
    responses((status = 200, body = dialect::AgentBody)))]
pub(super) async fn detach(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    At(number): At<NumberId>,
) -> Answer {
    change(&api, caller, move |tx, tenant| tx.detach_number(tenant, id, number)).await
}

/// Makes one of an agent's numbers the one that it shows.
#[utoipa::path(put, path = "/agents/{agent}/primary-number", tag = "agents",
    request_body = dialect::NumberChoice,
    responses((status = 200, body = dialect::AgentBody)))]
pub(super) async fn prefer(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let number = dialect::number_to_prefer(body)?;
    change(&api, caller, move |tx, tenant| set_primary(tx, tenant, id, number, "number_id")).await
}

/// A number that is not attached is here a wrong field, not a missing thing.
fn set_primary(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: AgentId,
    number: NumberId,
    field: &str,
) -> Result<AgentRecord, WriteError> {
    tx.set_primary(tenant, id, number).map_err(|error| match error {
        WriteError::Refused(Refusal::NumberNotAttached | Refusal::NumberNotFound) => {
            Refusal::invalid(field, "Is not attached to the agent.").into()
        }
        other @ (WriteError::Refused(_) | WriteError::Store(_)) => other,
    })
}

/// Writes to an agent and answers with the whole of it.
async fn change<F>(api: &Api, caller: Caller, change: F) -> Answer
where
    F: FnOnce(&mut Tx<'_>, TenantId) -> Result<AgentRecord, WriteError> + Send + 'static,
{
    let write = move |tx: &mut Tx<'_>| {
        let record = change(tx, caller.tenant)?;
        Whole::of(tx, record)
    };
    let reply = |api: &Api, whole, warnings| Reply::ok(&api.agent_body(&whole).warns(warnings));
    api.answer(caller.actor(), write, reply).await
}
