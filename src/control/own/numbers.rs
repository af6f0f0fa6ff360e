//! Numbers: brought, changed, taken away. They are listed through CallingBox's dialect.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
        receive::{At, Body},
    },
    dialects::own::{number, number_patch},
    domain::NumberId,
    store::{NewNumber, NumberPatch, Tx},
};

pub(super) async fn add(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = number(body, api.settings.private)?;
    let new = NewNumber {
        e164: fields.e164,
        account: fields.account,
        friendly_name: fields.friendly_name,
        passthrough: fields.passthrough,
    };
    let add = move |tx: &mut Tx<'_>| tx.add_number(caller.tenant, new);
    let reply = |api: &Api, (record, is_new), warnings| {
        let body = api.number_body(&record).warns(warnings);
        if is_new { Reply::created(&body) } else { Reply::ok(&body) }
    };
    api.answer(caller.actor(), add, reply).await
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<NumberId>,
    Body(body): Body,
) -> Answer {
    let fields = number_patch(body, api.settings.private)?;
    let patch = NumberPatch {
        account: fields.account,
        friendly_name: fields.friendly_name,
        passthrough: fields.passthrough,
        default_agent: fields.default_agent,
    };
    let update = move |tx: &mut Tx<'_>| tx.update_number(caller.tenant, id, patch);
    let reply = |api: &Api, record, warnings| Reply::ok(&api.number_body(&record).warns(warnings));
    api.answer(caller.actor(), update, reply).await
}

pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<NumberId>) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_number(caller.tenant, id);
    api.answer(caller.actor(), remove, |_, (), _| Reply::none()).await
}
