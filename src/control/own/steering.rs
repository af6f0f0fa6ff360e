//! A call's end by hand, and its way to somebody else: by a tenant's key or the call's own token.

use axum::extract::State;
use http::StatusCode;

use super::calls::one;
use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        party::Party,
        receive::Body,
        steering::Steering,
    },
    dialects::{
        Problem,
        own::{CallBody, MoveRequest, TransferRequest, move_to, transfer},
    },
    domain::{CallRefusal, Direction, Refusal, Rung, Target},
    routing,
    store::Heads,
};

#[utoipa::path(post, path = "/calls/{call}/hangup", tag = "calls",
    description = "Ends the call, wherever it stands. A call that waits for its time is canceled. \
        Where no media socket is open the carrier is told, and its verdict waited for, at most \
        5 s.",
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there."),
        (status = 502, description = "The carrier refuses, in its words; the call goes on.")))]
pub(super) async fn hang_up(State(api): State<Api>, party: Party) -> Answer {
    let done = api.end(&party).await;
    told(&api, &party, done).await
}

#[utoipa::path(post, path = "/calls/{call}/transfer", tag = "calls",
    description = "Takes the call to another target. Who talked to it is told `stop`. Where no \
        media socket is open the carrier is told, and its verdict waited for, at most 5 s.",
    request_body = TransferRequest,
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there."),
        (status = 502,
            description = "The carrier refuses, in its words; the call stays where it is.")))]
pub(super) async fn transfer_call(
    State(api): State<Api>,
    party: Party,
    Body(body): Body,
) -> Answer {
    let target = transfer(body, api.settings.private)?;
    elsewhere(&api, &party, Steering::Transfer, target).await
}

#[utoipa::path(post, path = "/calls/{call}/move", tag = "calls",
    description = "Takes the call to another inbound agent, whose targets are tried in their \
        order. Where no media socket is open the carrier is told, and its verdict waited for, at \
        most 5 s.",
    request_body = MoveRequest,
    responses((status = 202, body = CallBody, description = "It is under way."),
        (status = 409, description = "It is over, or cannot go there."),
        (status = 502,
            description = "The carrier refuses, in its words; the call stays where it is.")))]
pub(super) async fn move_call(State(api): State<Api>, party: Party, Body(body): Body) -> Answer {
    elsewhere(&api, &party, Steering::Move, Target::Agent(move_to(body)?)).await
}

async fn elsewhere(api: &Api, party: &Party, steering: Steering, target: Target) -> Answer {
    let done = match (api.was_steered(party).await?, rungs(api, party, target)) {
        (Some(heads), _) => Ok(heads),
        (None, Ok(rungs)) => api.take_to(party, steering, rungs).await,
        (None, Err(refusal)) => Err(refusal.into()),
    };
    told(api, party, done).await
}

/// What a target comes to: an agent's own targets, or itself.
fn rungs(api: &Api, party: &Party, target: Target) -> Result<Vec<Rung>, Refusal> {
    let Target::Agent(id) = target else { return Ok(vec![Rung { agent: None, target }]) };
    let view = api.index.view();
    let agent = view.agent(id).filter(|agent| agent.tenant == party.tenant);
    let agent = agent.ok_or(Refusal::AgentNotFound)?;
    if agent.direction != Direction::Inbound {
        return Err(Refusal::NotInbound);
    }
    let rungs = match agent.is_live() {
        true => routing::ladder(&view, Some(agent), view.targets(agent)),
        false => Vec::new(),
    };
    if rungs.is_empty() { Err(Refusal::Call(CallRefusal::NoTarget)) } else { Ok(rungs) }
}

/// The call as it stands, if what was wanted is under way. Who asks for a call that is not theirs
/// learns nothing of it.
async fn told(api: &Api, party: &Party, done: Result<Heads, Problem>) -> Answer {
    let body = one(api, party.tenant, party.call).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &body).at(done?))
}
