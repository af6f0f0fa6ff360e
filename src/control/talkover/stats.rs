//! Talkover's figures of return calls, and the dry run of a callback role.

use axum::extract::State;
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Caller,
        receive::{At, Body, Params},
    },
    dialects::talkover::{
        self as dialect, ConstraintsBody, ConstraintsRequest, Envelope, Period, SourceCount,
        StatsBody, StatsQuery,
    },
    domain::AgentId,
    telemetry::clock,
};

/// How many people rang back, who answered, and whose calls they returned. Counted as calls
/// happen: calls that are no longer kept stay counted.
#[utoipa::path(get, path = "/callback-agents/stats", tag = "callbacks", params(StatsQuery),
    responses((status = 200, body = Envelope<StatsBody>)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let period = Period::read(query.0, clock::now().day())?;
    let body = api
        .read(move |rows| {
            let stats = rows.callback_stats(caller.tenant, None, period.start, period.end)?;
            let mut sources = Vec::with_capacity(stats.by_source.len());
            for (source, count) in stats.by_source {
                let record = match source {
                    Some(source) => rows.agent(caller.tenant, source)?,
                    None => None,
                };
                let name = record.map(|record| record.agent.name);
                sources.push(SourceCount::new(source, name, count));
            }
            let (received, answered) = (stats.received, stats.answered);
            Ok(StatsBody::new(period, received, answered, stats.unmatched, sources))
        })
        .await?;
    Ok(answer::read(Envelope::of(body)))
}

/// Says what stands against a callback role, and changes nothing.
#[utoipa::path(post, path = "/callback-agents/{agent}/check-constraints", tag = "callbacks",
    request_body = ConstraintsRequest,
    responses((status = 200, body = ConstraintsBody), (status = 422, body = ConstraintsBody)))]
pub(super) async fn check(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let body = match dialect::constraints(body) {
        Ok(fields) => {
            let sources = fields.sources.clone();
            let objections =
                api.read(move |rows| rows.callback_objections(caller.tenant, id, &sources)).await?;
            let objections = if fields.holds_role { objections } else { Vec::new() };
            ConstraintsBody::new(&objections, &fields.sources)
        }
        Err(refusal) => ConstraintsBody::new(&[refusal], &[]),
    };
    let is_valid = body.is_valid();
    let mut response = answer::read(body);
    if !is_valid {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}
