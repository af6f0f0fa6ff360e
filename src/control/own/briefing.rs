//! Everything that a runtime needs to know of its call, in one answer.

use axum::extract::State;

use crate::{
    calls::Resume,
    control::{
        Api,
        answer::{self, Answer},
        own::calls::row_of,
        party::Party,
        transcripts,
    },
    dialects::own::{BriefingBody, BriefingFields, return_context},
    domain::{Attestation, CallResult, CallSummary, Refusal, ResultStatus},
    store::PlacedCall,
};

/// What is known of a call, for who talks in it.
#[utoipa::path(get, path = "/calls/{call}/briefing", tag = "calls",
    description = "With the call's own token or a tenant's key.",
    responses((status = 200, body = BriefingBody)))]
pub(super) async fn read(State(api): State<Api>, party: Party) -> Answer {
    let (tenant, id) = (party.tenant, party.call);
    let live = api.live.get(id).filter(|live| live.facts.tenant == tenant);
    let first = live.as_deref().map(row_of);
    let (placed, returned) = api
        .read(move |rows| {
            let call = rows.call(tenant, id)?.or(first).ok_or(Refusal::CallNotFound)?;
            let returned = call.touch.map(|touch| rows.call_summary(tenant, touch));
            Ok((rows.placed(call)?, returned.transpose()?.flatten()))
        })
        .await?;
    let PlacedCall { call, dial, version, result, .. } = placed;
    let is_full = match &live {
        _ if !party.is_runtime() => true,
        Some(live) => {
            let agent = match live.resume() {
                Resume::At(place) => live.agent(place),
                Resume::HangUp => live.facts.agent.clone(),
            };
            live.facts.is_context_full(agent.as_deref())
        }
        // What the network said is not kept; what it vouched for in full is.
        None => call.caller_verified || asks_nothing(&api, &party),
    };
    let is_test = dial.as_ref().is_some_and(|dial| dial.is_test);
    let told = |summary: &CallSummary| {
        return_context(&summary.touch, Some(summary), call.caller_verified, is_full)
    };
    let fields = BriefingFields {
        returned: returned.as_ref().map(told),
        is_test,
        brief: dial.map(|dial| dial.brief).unwrap_or_default(),
        version,
        attestation: live.map(|live| live.facts.call.attestation),
        result: result.as_ref().map_or(ResultStatus::Pending, CallResult::status),
        segments: transcripts::read(&api, &party).await?,
        call,
    };
    Ok(answer::read(BriefingBody::from(fields)))
}

/// Whether everything is told whoever calls.
fn asks_nothing(api: &Api, party: &Party) -> bool {
    let view = api.index.view();
    let tenant = view.tenant(party.tenant);
    tenant.is_some_and(|tenant| tenant.settings.context_min_attestation == Attestation::None)
}
