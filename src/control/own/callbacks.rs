//! The callback role, whole.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
        changes,
        etag::{Conditions, tag},
        receive::{At, Body},
        whole::agent,
    },
    dialects::{CallbackFields, CallbackRequest, own::CallbackBody},
    domain::{AgentId, Refusal},
    store::{Role, Tx},
};

/// The callback role of an agent.
#[utoipa::path(get, path = "/agents/{agent}/callback", tag = "callbacks",
    responses((status = 200, body = CallbackBody), (status = 304, description = "The asker has it.")))]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
) -> Answer {
    let record = api.read(move |rows| agent(rows, caller.tenant, id)).await?;
    let callback = record.agent.callback.as_ref().ok_or(Refusal::NotCallbackAgent)?;
    Ok(conditions.read(callback, CallbackBody::from(callback)))
}

/// Gives an agent the callback role, or replaces it whole.
#[utoipa::path(put, path = "/agents/{agent}/callback", tag = "callbacks",
    request_body = CallbackRequest,
    responses((status = 200, body = CallbackBody), (status = 409, description = "The agent is archived."),
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
        conditions.hold(agent(tx, caller.tenant, id)?.agent.callback.as_ref())?;
        let record = changes::set_callback(tx, caller.tenant, id, fields, Role::TakeOrReplace)?;
        Ok(record.agent.callback.ok_or(Refusal::NotCallbackAgent)?)
    };
    let reply = |_: &Api, callback, warnings| {
        let body = CallbackBody::from(&callback).warns(warnings);
        Reply::ok(&body).tagged(&tag(&callback))
    };
    api.answer(caller.actor(), set, reply).await
}

/// Takes the callback role from an agent.
#[utoipa::path(delete, path = "/agents/{agent}/callback", tag = "callbacks",
    responses((status = 204, description = "It is gone."),
        (status = 409, description = "The agent is archived."),
        (status = 412, description = "The role is not at the version that If-Match names.")))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    conditions: Conditions,
    At(id): At<AgentId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| {
        conditions.hold(agent(tx, caller.tenant, id)?.agent.callback.as_ref())?;
        tx.remove_callback(caller.tenant, id)
    };
    api.answer(caller.actor(), remove, |_, _, _| Reply::none()).await
}
