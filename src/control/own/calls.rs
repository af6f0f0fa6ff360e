//! Calls, those in progress included, and their end by hand.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Duration};

use axum::extract::State;
use uuid::Uuid;

use crate::{
    calls::LiveCall,
    control::{
        Api,
        answer::{self, Answer, paging},
        auth::Caller,
        receive::{At, Params},
    },
    dialects::{
        Page, PageFields, Problem,
        own::{CallBody, CallFilterFields, CallNames, CallQuery, MediaNow, call_filter},
    },
    domain::{CallId, CallRecord, E164, Refusal, TenantId},
    store::{CallFilter, PlacedCall},
};

/// Calls, newest first; with `live`, those in progress.
#[utoipa::path(get, path = "/calls", tag = "calls", params(CallQuery, PageFields),
    responses((status = 200, body = Page<CallBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = call_filter(query.0)?;
    if fields.live == Some(true) {
        return live(&api, caller.tenant, &fields).await;
    }
    let page = paging(fields.page);
    let filter = filter(fields);
    let listed = api
        .read(move |rows| {
            let listed = rows.calls(caller.tenant, &filter, &page)?;
            listed.try_map(|call| rows.placed(call))
        })
        .await?;
    let data: Vec<_> = listed.rows.into_iter().map(|row| known(&api, row)).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

pub(in crate::control) fn filter(fields: CallFilterFields) -> CallFilter {
    CallFilter {
        status: fields.status,
        standing: None,
        direction: fields.direction,
        agent: fields.agent,
        ani: fields.ani,
        dnis: fields.dnis,
        from_date: fields.from_date,
        to_date: fields.to_date,
        search: fields.search,
        carrier_call_id: fields.carrier_call_id,
        is_over: fields.live.map(|live| !live),
    }
}

/// The calls in progress in this process. They are few enough to be sorted here.
async fn live(api: &Api, tenant: TenantId, fields: &CallFilterFields) -> Answer {
    let mut calls = api.live.of_tenant(tenant);
    calls.sort_unstable_by_key(|call| Reverse((call.facts.created_at, call.facts.id)));
    let place = |cursor: Option<Uuid>| {
        cursor.and_then(|cursor| calls.iter().position(|call| call.facts.id.0 == cursor))
    };
    let newest = place(fields.page.starting_after).map_or(0, |at| at + 1);
    let oldest = place(fields.page.ending_before).unwrap_or(calls.len());
    let limit = usize::try_from(fields.page.limit).unwrap_or(usize::MAX);
    let mut found: Vec<_> = calls
        .get(newest..oldest)
        .unwrap_or_default()
        .iter()
        .map(|call| (Arc::clone(call), row_of(call)))
        .filter(|(_, row)| is_asked_for(fields, row))
        .collect();
    let has_more = found.len() > limit;
    if fields.page.ending_before.is_some() {
        found.drain(..found.len().saturating_sub(limit));
    }
    found.truncate(limit);
    let ids: Vec<_> = found.iter().map(|(call, _)| call.facts.id).collect();
    let mut rows = api
        .read(move |rows| {
            let row = |id| match rows.call(tenant, id)? {
                Some(row) => rows.placed(row).map(|kept| Some((id, kept))),
                None => Ok(None),
            };
            ids.into_iter()
                .filter_map(|id| row(id).transpose())
                .collect::<Result<HashMap<_, _>, _>>()
        })
        .await?;
    let data: Vec<_> = found
        .into_iter()
        .map(|(call, fresh)| match rows.remove(&fresh.id) {
            Some(kept) => known(api, kept),
            None => shown(api, fresh, Some(&call)).with(None, None),
        })
        .collect();
    Ok(answer::read(Page { data, has_more }))
}

/// A call, in progress or over.
#[utoipa::path(get, path = "/calls/{call}", tag = "calls",
    responses((status = 200, body = CallBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<CallId>) -> Answer {
    Ok(answer::read(one(&api, caller.tenant, id).await?))
}

pub(super) async fn one(api: &Api, tenant: TenantId, id: CallId) -> Result<CallBody, Problem> {
    let kept = api.read(move |rows| {
        let call = rows.call(tenant, id)?;
        call.map(|call| rows.placed(call)).transpose()
    });
    if let Some(kept) = kept.await? {
        return Ok(known(api, kept));
    }
    // The journal has not brought its row yet.
    let live = api.live.get(id).filter(|call| call.facts.tenant == tenant);
    let live = live.ok_or(Refusal::CallNotFound)?;
    Ok(shown(api, row_of(&live), Some(&live)).with(None, None))
}

/// A call as it is kept, with what the table of live calls knows better.
pub(super) fn known(api: &Api, kept: PlacedCall) -> CallBody {
    let body = match api.live.get(kept.call.id) {
        Some(call) => shown(api, advanced(kept.call, &call), Some(&call)),
        None => shown(api, kept.call, None),
    };
    body.with(kept.dial.as_ref(), kept.result.as_ref())
}

/// A call as it is shown; with the media it has now, where it is in progress here.
pub(super) fn shown(api: &Api, row: CallRecord, live: Option<&LiveCall>) -> CallBody {
    let agent = row.agent.and_then(|id| Some(api.index.view().agent(id)?.name.clone()));
    let names = CallNames { account: api.account_name(row.account), agent };
    CallBody::new(row, names, live.map(media_now))
}

fn media_now(call: &LiveCall) -> MediaNow {
    let state = call.state();
    let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    MediaNow {
        state: state.media.as_str(),
        first_audio_to_runtime_ms: state.first_audio_to_runtime.map(millis),
        first_audio_to_carrier_ms: state.first_audio_to_carrier.map(millis),
    }
}

pub(in crate::control) fn advanced(row: CallRecord, call: &LiveCall) -> CallRecord {
    let state = call.state();
    let has_more = state.tried.len() > row.targets_tried.len();
    CallRecord {
        status: row.status.advanced(state.status),
        targets_tried: if has_more { state.tried } else { row.targets_tried },
        media: if state.carried.len() > row.media.len() { state.carried } else { row.media },
        ..row
    }
}

/// The row that a live call will have.
pub(in crate::control) fn row_of(call: &LiveCall) -> CallRecord {
    let (facts, state) = (&call.facts, call.state());
    CallRecord {
        id: facts.id,
        tenant: facts.tenant,
        account: Some(facts.account),
        carrier_call_id: facts.carrier_call_id.clone(),
        direction: facts.direction,
        status: state.status,
        ani: facts.call.ani.number(),
        dnis: facts.call.dnis,
        number: facts.number,
        agent: facts.agent.as_ref().map(|agent| agent.id),
        version: None,
        reason: facts.reason,
        unmatched: facts.unmatched,
        touch: facts.touch.map(|touch| touch.id),
        trace: facts.trace.clone(),
        targets_tried: state.tried,
        media: state.carried,
        created_at: facts.created_at,
        ringing_at: None,
        answered_at: None,
        ended_at: None,
        updated_at: facts.created_at,
        ended_by: None,
        error_code: None,
        caller_verified: facts.call.attestation.is_verified(),
        is_erased: false,
        by_machine: false,
    }
}

/// What the store asks of rows, asked of a live call.
fn is_asked_for(fields: &CallFilterFields, row: &CallRecord) -> bool {
    fn is<T: PartialEq>(asked: Option<&T>, found: Option<&T>) -> bool {
        asked.is_none_or(|asked| found == Some(asked))
    }
    let search = |text: &String| {
        let text = text.trim();
        let of = |number: Option<E164>| number.is_some_and(|n| n.to_string().contains(text));
        of(row.ani)
            || of(row.dnis)
            || row.carrier_call_id.contains(text)
            || row.id.to_string() == text
    };
    is(fields.status.as_ref(), Some(&row.status))
        && is(fields.direction.as_ref(), Some(&row.direction))
        && is(fields.agent.as_ref(), row.agent.as_ref())
        && is(fields.ani.as_ref(), row.ani.as_ref())
        && is(fields.dnis.as_ref(), row.dnis.as_ref())
        && is(fields.carrier_call_id.as_ref(), Some(&row.carrier_call_id))
        && fields.from_date.is_none_or(|from| row.created_at >= from)
        && fields.to_date.is_none_or(|to| row.created_at <= to)
        && fields.search.as_ref().is_none_or(search)
}
