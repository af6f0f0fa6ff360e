//! Talkover's updates of an agent, area by area. What is written counts for the next call; the
//! agent stays published.

use axum::extract::State;

use super::agents::body as shown;
use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
        changes,
        receive::{At, Body},
        whole::{Whole, current},
    },
    dialects::{
        AgentFields,
        talkover::{self as dialect, AgentBody, Envelope, VoiceRequest},
    },
    domain::{AgentId, Refusal},
    store::Tx,
};

/// Update Agent Knowledge: whatever of Create Agent's fields is said.
#[utoipa::path(put, path = "/agents/{agent}/knowledge", tag = "agents",
    request_body = Object, responses((status = 200, body = Envelope<AgentBody>)))]
pub(super) async fn knowledge(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::area(body, api.settings.private)?;
    let message = "Agent knowledge updated successfully";
    update(&api, caller, id, message, |_| Ok(fields)).await
}

/// Update Agent Voice. Voices are the runtime's: what is said is kept for it.
#[utoipa::path(put, path = "/agents/{agent}/voice", tag = "agents",
    request_body = VoiceRequest, responses((status = 200, body = Envelope<AgentBody>)))]
pub(super) async fn voice(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let private = api.settings.private;
    let message = "Agent voice updated successfully";
    update(&api, caller, id, message, move |stored| dialect::voice(body, private, stored)).await
}

/// Update Agent Advanced Settings: whatever of Create Agent's fields is said.
#[utoipa::path(patch, path = "/agents/{agent}/advanced-settings", tag = "agents",
    request_body = Object, responses((status = 200, body = Envelope<AgentBody>)))]
pub(super) async fn advanced(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::area(body, api.settings.private)?;
    let message = "Agent advanced settings updated successfully";
    update(&api, caller, id, message, |_| Ok(fields)).await
}

/// Changes an agent by what is read from its stored profile.
async fn update<F>(
    api: &Api,
    caller: Caller,
    id: AgentId,
    message: &'static str,
    fields: F,
) -> Answer
where
    F: FnOnce(&str) -> Result<AgentFields, Refusal> + Send + 'static,
{
    let change = move |tx: &mut Tx<'_>| {
        let before = current(tx, caller.tenant, id)?;
        let fields = fields(&before.profile)?;
        let record = changes::update(tx, caller.tenant, id, fields)?;
        Whole::of(tx, record)
    };
    let reply = move |_: &Api, whole, warnings| {
        Reply::ok(&Envelope::of(shown(&whole)).says(message).warns(warnings))
    };
    api.answer(caller.actor(), change, reply).await
}
