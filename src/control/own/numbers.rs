//! Numbers: brought, changed, taken away. They are listed through CallingBox's dialect.

use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer, written},
        auth::Caller,
        receive::{At, Body},
    },
    dialects::own::{number, number_patch},
    domain::NumberId,
    store::{NewNumber, NumberPatch},
};

pub(super) async fn add(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = number(body, api.settings.private)?;
    let new = NewNumber {
        e164: fields.e164,
        account: fields.account,
        friendly_name: fields.friendly_name,
        passthrough: fields.passthrough,
    };
    let done = api.write(caller.actor(), move |tx| tx.add_number(caller.tenant, new)).await?;
    let status = if done.value.1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(written(status, done, |(record, _), warnings| {
        answer::read(api.number_body(&record).warns(warnings))
    }))
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
    let done =
        api.write(caller.actor(), move |tx| tx.update_number(caller.tenant, id, patch)).await?;
    Ok(written(StatusCode::OK, done, |record, warnings| {
        answer::read(api.number_body(&record).warns(warnings))
    }))
}

pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<NumberId>) -> Answer {
    let done = api.write(caller.actor(), move |tx| tx.remove_number(caller.tenant, id)).await?;
    Ok(written(StatusCode::NO_CONTENT, done, |(), _| ().into_response()))
}
