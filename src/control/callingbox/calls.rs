//! CallingBox's calls, both directions together.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply, paging},
        auth::Caller,
        own::calls::{advanced, filter, row_of},
        party::Party,
        placing,
        receive::{At, Body, Params},
        transcripts,
        whole::agent,
    },
    dialects::{
        Page, PageFields, Problem, TranscriptBody, callingbox as dialect,
        callingbox::{CallBody, Named},
        detects_machine, hangs_up_on_machine,
        own::{CallQuery, call_filter},
        voicemail_message,
    },
    domain::{CallId, CallRefusal, CallStatus, Refusal},
    store::{CallFilter, CallerId, NewCall, PlacedCall},
};

/// Places a call.
#[utoipa::path(post, path = "/calls", tag = "calls", request_body = dialect::CallRequest,
    responses((status = 201, body = CallBody),
        (status = 404, description = "There is no such agent."),
        (status = 502, description = "The carrier refused the call, or cannot be reached.")))]
pub(super) async fn place(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = dialect::call(body, api.settings.private)?;
    let placed = placing::place(&api, caller, move |tx| {
        let (agent, caller_id, profile, is_own) = match fields.agent {
            Named::Agent(id) => {
                let record = agent(tx, caller.tenant, id)?;
                let shown = fields.from.map_or(CallerId::Primary, CallerId::Named);
                (id, shown, record.profile, false)
            }
            Named::Nobody(profile) => {
                let id = tx.caller_without_name(caller.tenant)?;
                (id, CallerId::Any(fields.from), profile, true)
            }
        };
        Ok(NewCall {
            agent,
            to: fields.to,
            caller_id,
            is_test: false,
            detects_machine: detects_machine(&profile),
            hangs_up_on_machine: hangs_up_on_machine(&profile),
            voicemail_message: voicemail_message(&profile),
            profile: is_own.then_some(profile),
            delay_seconds: 0,
            campaign: None,
            brief: fields.brief,
        })
    });
    let (placed, heads) = placed.await?;
    Ok(Reply::created(&shown(&api, placed)).at(heads))
}

/// Calls of both directions, newest first.
#[utoipa::path(get, path = "/calls", tag = "calls", params(CallQuery, PageFields),
    responses((status = 200, body = Page<CallBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = call_filter(query.0)?;
    let page = paging(fields.page);
    // It is found by what it is shown as.
    let (standing, filter) = (fields.status, filter(fields));
    let filter = CallFilter { status: None, standing, ..filter };
    let listed = api
        .read(move |rows| {
            let listed = rows.calls(caller.tenant, &filter, &page)?;
            listed.try_map(|call| rows.placed(call))
        })
        .await?;
    let data: Vec<_> = listed.rows.into_iter().map(|call| shown(&api, call)).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

/// A call, in progress or over.
#[utoipa::path(get, path = "/calls/{call}", tag = "calls",
    responses((status = 200, body = CallBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<CallId>) -> Answer {
    Ok(answer::read(shown(&api, known(&api, caller, id).await?)))
}

/// What was said in a call; while it lives, so far.
#[utoipa::path(get, path = "/calls/{call}/transcript", tag = "calls",
    responses((status = 200, body = TranscriptBody)))]
pub(super) async fn transcript(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CallId>,
) -> Answer {
    let party = Party::of(&api, caller, id);
    let segments = transcripts::read(&api, &party).await?;
    Ok(answer::read(TranscriptBody::new(id, segments)))
}

/// Cancels a call that nobody has answered; with `force`, ends one that somebody has.
///
/// The carrier's verdict is waited for, at most 5 s; its status tells when it is over.
#[utoipa::path(post, path = "/calls/{call}/cancel", tag = "calls",
    request_body = Option<dialect::CancelRequest>,
    responses((status = 200, body = CallBody),
        (status = 409, description = "It is over, or somebody has answered it."),
        (status = 502, description = "The carrier refuses, in its words; the call goes on.")))]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CallId>,
    Body(body): Body,
) -> Answer {
    let is_forced = dialect::cancel(body)?;
    let party = Party::of(&api, caller, id);
    let before = known(&api, caller, id).await?;
    if !is_forced && before.call.status == CallStatus::InProgress {
        return Err(Refusal::Call(CallRefusal::Answered).into());
    }
    let heads = api.end(&party).await?;
    Ok(Reply::ok(&shown(&api, known(&api, caller, id).await?)).at(heads))
}

/// A call as it is kept, or as it will be once the journal has brought its row.
async fn known(api: &Api, caller: Caller, id: CallId) -> Result<PlacedCall, Problem> {
    let kept = api.read(move |rows| {
        let call = rows.call(caller.tenant, id)?;
        call.map(|call| rows.placed(call)).transpose()
    });
    let live = api.live.get(id).filter(|call| call.facts.tenant == caller.tenant);
    Ok(match (kept.await?, live) {
        (Some(kept), Some(live)) => {
            let call = advanced(kept.call, &live);
            PlacedCall { call, ..kept }
        }
        (Some(kept), None) => kept,
        (None, Some(live)) => row_of(&live).into(),
        (None, None) => return Err(Refusal::CallNotFound.into()),
    })
}

/// A call, with what the table of live calls knows better.
fn shown(api: &Api, placed: PlacedCall) -> CallBody {
    let PlacedCall { call, dial, version, result, hook } = placed;
    let call = match api.live.get(call.id) {
        Some(live) => advanced(call, &live),
        None => call,
    };
    CallBody::new(call, dial, version.as_ref(), result.as_ref()).told(hook)
}
