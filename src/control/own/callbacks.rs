//! The callback role, whole.

use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer, written},
        auth::Caller,
        changes,
        receive::{At, Body},
        whole::agent,
    },
    dialects::{CallbackFields, own::CallbackBody},
    domain::{AgentId, Refusal},
    store::Role,
};

pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let record = api.read(move |rows| agent(rows, caller.tenant, id)).await?;
    let callback = record.agent.callback.as_ref().ok_or(Refusal::NotCallbackAgent)?;
    Ok(answer::read(CallbackBody::from(callback)))
}

pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = CallbackFields::read(body, api.settings.private)?;
    let done = api
        .write(caller.actor(), move |tx| {
            let record = changes::set_callback(tx, caller.tenant, id, fields, Role::TakeOrReplace)?;
            Ok(record.agent.callback.ok_or(Refusal::NotCallbackAgent)?)
        })
        .await?;
    Ok(written(StatusCode::OK, done, |callback, warnings| {
        answer::read(CallbackBody::from(&callback).warns(warnings))
    }))
}

pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let done = api.write(caller.actor(), move |tx| tx.remove_callback(caller.tenant, id)).await?;
    Ok(written(StatusCode::NO_CONTENT, done, |_, _| ().into_response()))
}
