//! Numbers: brought, changed, taken away. They are listed through CallingBox's dialect.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
        receive::{At, Body},
    },
    dialects::{
        WarningBody,
        callingbox::NumberBody,
        own::{NumberPatchRequest, NumberRequest, number, number_patch},
    },
    domain::{NumberId, NumberRecord},
    store::{NewNumber, NumberPatch, Tx},
};

/// Adds a number; one that the tenant has already is answered as it is.
#[utoipa::path(post, path = "/numbers", tag = "numbers", request_body = NumberRequest,
    responses((status = 201, body = NumberBody),
        (status = 200, body = NumberBody, description = "The tenant had it already."),
        (status = 404, description = "There is no such carrier account."),
        (status = 409, description = "The number is taken, or it is not clear by which account.")))]
pub(in crate::control) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body,
) -> Answer {
    let fields = number(body, api.settings.private)?;
    let new = NewNumber {
        e164: fields.e164,
        account: fields.account,
        friendly_name: fields.friendly_name,
        passthrough: fields.passthrough,
    };
    let add = move |tx: &mut Tx<'_>| tx.add_number(caller.tenant, new);
    api.answer(caller.actor(), add, added).await
}

/// A number, as new or as it was there already.
pub(in crate::control) fn added(
    api: &Api,
    (record, is_new): (NumberRecord, bool),
    warnings: Vec<WarningBody>,
) -> Reply {
    let body = api.number_body(&record).warns(warnings);
    if is_new { Reply::created(&body) } else { Reply::ok(&body) }
}

/// Changes a number. What is not given stays.
#[utoipa::path(patch, path = "/numbers/{number}", tag = "numbers",
    request_body = NumberPatchRequest,
    responses((status = 200, body = NumberBody), (status = 409, description = "The number is taken.")))]
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

/// Removes a number that no agent has.
#[utoipa::path(delete, path = "/numbers/{number}", tag = "numbers",
    responses((status = 204, description = "It is gone."),
        (status = 409, description = "Agents have it.")))]
pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<NumberId>) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_number(caller.tenant, id);
    api.answer(caller.actor(), remove, |_, (), _| Reply::none()).await
}
