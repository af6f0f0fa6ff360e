//! A call's end by hand, and its way to somebody else: by a tenant's key or the call's own token.

use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

use super::calls::one;
use crate::{
    control::{
        Api,
        answer::{self, Answer},
        party::Party,
        receive::Body,
    },
    dialects::{
        Problem,
        own::{CallBody, MoveRequest, TransferRequest, move_to, transfer},
    },
    domain::{AgentId, CallRefusal, Direction, Refusal, Rung, Target},
    routing,
};

#[utoipa::path(post, path = "/calls/{call}/hangup", tag = "calls",
    description = "Ends the call, wherever it stands. A call that waits for its time is canceled.",
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there.")))]
pub(super) async fn hang_up(State(api): State<Api>, party: Party) -> Answer {
    let done = api.end(&party).await;
    told(&api, &party, done).await
}

#[utoipa::path(post, path = "/calls/{call}/transfer", tag = "calls",
    description = "Takes the call to another target. Who talked to it is told `stop`.",
    request_body = TransferRequest,
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there.")))]
pub(super) async fn transfer_call(
    State(api): State<Api>,
    party: Party,
    Body(body): Body,
) -> Answer {
    let target = transfer(body, api.settings.private)?;
    if let Target::Agent(agent) = target {
        return hand_over(&api, &party, agent).await;
    }
    let rung = Rung { agent: None, target };
    let done = api.take_to(&party, vec![rung]).await;
    told(&api, &party, done).await
}

#[utoipa::path(post, path = "/calls/{call}/move", tag = "calls",
    description = "Takes the call to another inbound agent, whose targets are tried in their order.",
    request_body = MoveRequest,
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there.")))]
pub(super) async fn move_call(State(api): State<Api>, party: Party, Body(body): Body) -> Answer {
    hand_over(&api, &party, move_to(body)?).await
}

async fn hand_over(api: &Api, party: &Party, id: AgentId) -> Answer {
    let rungs = {
        let view = api.index.view();
        let agent = view.agent(id).filter(|agent| agent.tenant == party.tenant);
        let agent = agent.ok_or(Refusal::AgentNotFound)?;
        if agent.direction != Direction::Inbound {
            return Err(Refusal::NotInbound.into());
        }
        match agent.is_live() {
            true => routing::ladder(&view, Some(agent), view.targets(agent)),
            false => Vec::new(),
        }
    };
    if rungs.is_empty() {
        return Err(Refusal::Call(CallRefusal::NoTarget).into());
    }
    let done = api.take_to(party, rungs).await;
    told(api, party, done).await
}

/// The call as it stands, if what was wanted is under way. Who asks for a call that is not theirs
/// learns nothing of it.
async fn told(api: &Api, party: &Party, done: Result<(), Problem>) -> Answer {
    let body = one(api, party.tenant, party.call).await?;
    done?;
    Ok((StatusCode::ACCEPTED, answer::read(body)).into_response())
}
