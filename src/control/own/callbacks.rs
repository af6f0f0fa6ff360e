//! The callback role, whole.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        changes,
        receive::{At, Body},
        whole::agent,
    },
    dialects::{CallbackFields, own::CallbackBody},
    domain::{AgentId, Refusal},
    store::{Role, Tx},
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
    let set = move |tx: &mut Tx<'_>| {
        let record = changes::set_callback(tx, caller.tenant, id, fields, Role::TakeOrReplace)?;
        Ok(record.agent.callback.ok_or(Refusal::NotCallbackAgent)?)
    };
    let reply =
        |_: &Api, callback, warnings| Reply::ok(&CallbackBody::from(&callback).warns(warnings));
    api.answer(caller.actor(), set, reply).await
}

pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<AgentId>) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_callback(caller.tenant, id);
    api.answer(caller.actor(), remove, |_, _, _| Reply::none()).await
}
