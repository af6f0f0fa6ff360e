//! Talkover's callback agents.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        changes,
        etag::{Conditions, tag},
        receive::{At, Body},
        whole::current,
    },
    dialects::{
        CallbackFields, CallbackRequest,
        talkover::{
            CallbackAgentBody, CallbackBody, CallbackListed, Envelope, Nothing, Period, SourceBody,
            SourcesBody,
        },
    },
    domain::{AgentId, AgentRecord, Refusal},
    store::{Role, Tx},
    telemetry::clock,
};

/// Set Agent as Callback: it answers who rings its source agents back.
#[utoipa::path(post, path = "/agents/{agent}/callback", tag = "callbacks",
    request_body = CallbackRequest,
    responses((status = 200, body = Envelope<CallbackBody>),
        (status = 412, description = "The role is not at the version that If-Match names.")))]
pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = CallbackFields::read(body, api.settings.private)?;
    let set = move |tx: &mut Tx<'_>| {
        conditions.hold(current(tx, caller.tenant, id)?.agent.callback.as_ref())?;
        changes::set_callback(tx, caller.tenant, id, fields, Role::TakeOrReplace)
    };
    let reply = |_: &Api, record: AgentRecord, warnings| {
        let reply = Reply::ok(&Envelope::of(CallbackBody::from(&record)).warns(warnings));
        match &record.agent.callback {
            Some(role) => reply.tagged(&tag(role)),
            None => reply,
        }
    };
    api.answer(caller.actor(), set, reply).await
}

/// Update Callback Sources.
#[utoipa::path(put, path = "/agents/{agent}/callback", tag = "callbacks",
    request_body = CallbackRequest,
    responses((status = 200, body = Envelope<SourcesBody>),
        (status = 412, description = "The role is not at the version that If-Match names.")))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = CallbackFields::read(body, api.settings.private)?;
    let replace = move |tx: &mut Tx<'_>| {
        conditions.hold(current(tx, caller.tenant, id)?.agent.callback.as_ref())?;
        changes::set_callback(tx, caller.tenant, id, fields, Role::ReplaceOnly)
    };
    let reply = |_: &Api, record: AgentRecord, warnings| {
        let reply = Reply::ok(&Envelope::of(SourcesBody::from(&record)).warns(warnings));
        match &record.agent.callback {
            Some(role) => reply.tagged(&tag(role)),
            None => reply,
        }
    };
    api.answer(caller.actor(), replace, reply).await
}

/// Remove Callback.
#[utoipa::path(delete, path = "/agents/{agent}/callback", tag = "callbacks",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 412, description = "The role is not at the version that If-Match names.")))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| {
        conditions.hold(current(tx, caller.tenant, id)?.agent.callback.as_ref())?;
        tx.remove_callback(caller.tenant, id)
    };
    let reply = |_: &Api, _, warnings| {
        let envelope: Envelope<Nothing> = Envelope::done("Callback role removed");
        Reply::ok(&envelope.warns(warnings))
    };
    api.answer(caller.actor(), remove, reply).await
}

/// Get Callback Agent, with its sources and what became of the calls of a month.
#[utoipa::path(get, path = "/callback-agents/{agent}", tag = "callbacks",
    responses((status = 200, body = Envelope<CallbackAgentBody>),
        (status = 304, description = "The asker has the role as it is.")))]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
) -> Answer {
    let Period { start, end } = Period::until(clock::now().day());
    let (role, shown) = api
        .read(move |rows| {
            let record = current(rows, caller.tenant, id)?;
            let callback = record.agent.callback.as_ref().ok_or(Refusal::NotCallbackAgent)?;
            let mut sources = Vec::with_capacity(callback.sources.len());
            for source in &callback.sources {
                let named = rows.agent(caller.tenant, *source)?;
                sources.extend(named.map(|named| (*source, named.agent.name)));
            }
            let stats = rows.callback_stats(caller.tenant, Some(id), start, end)?;
            let (received, answered) = (stats.received, stats.answered);
            Ok((callback.clone(), CallbackAgentBody::new(&record, &sources, received, answered)))
        })
        .await?;
    Ok(conditions.read(&role, Envelope::of(shown)))
}

/// List Callback Agents.
#[utoipa::path(get, path = "/callback-agents", tag = "callbacks",
    responses((status = 200, body = Envelope<Vec<CallbackListed>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    let found = api.read(move |rows| rows.callback_agents(caller.tenant)).await?;
    let data: Vec<_> = found.iter().map(CallbackListed::from).collect();
    Ok(answer::read(Envelope::of(data)))
}

/// List Callback Source Agents.
#[utoipa::path(get, path = "/callback-agents/source-agents", tag = "callbacks",
    responses((status = 200, body = Envelope<Vec<SourceBody>>)))]
pub(super) async fn sources(State(api): State<Api>, caller: Caller) -> Answer {
    let found = api.read(move |rows| rows.source_agents(caller.tenant)).await?;
    let data: Vec<_> = found.iter().map(SourceBody::from).collect();
    Ok(answer::read(Envelope::of(data)))
}
