//! Talkover's calls: listed, read, found while they last, ended.

use std::collections::HashMap;

use crate::{
    calls::{ActiveCall, LiveCall},
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        own::calls::{advanced, row_of},
        party::Party,
        receive::{At, AtPhone, Body, Params},
        whole::current,
    },
    dialects::{
        schema,
        talkover::{
            self as dialect, ActiveBody, AgentCallQuery, AgentOfCall, CallListFields, CallListed,
            CallQuery, CallRow, CallShown, CallWhole, EndRequest, EndedBody, Envelope,
        },
    },
    domain::{AgentId, CallId, CallRecord, Refusal, TenantId},
    store::{CallPageFilter, Listed, Rows, WriteError},
    telemetry::clock,
};
use axum::extract::State;

/// Calls, newest first. The total is a count that is kept, so no page costs more than its day; a
/// search for part of a number or id walks all of the tenant's.
#[utoipa::path(get, path = "/calls", tag = "calls", params(CallQuery),
    responses((status = 200, body = Envelope<Vec<CallListed>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = dialect::call_list(query.0)?;
    let (page, per_page) = (fields.page, fields.per_page);
    let (data, total) = api
        .read(move |rows| {
            let agent = fields.agent;
            let listed = listed(rows, caller.tenant, fields, agent)?;
            let mut agents = HashMap::new();
            let mut data = Vec::with_capacity(listed.rows.len());
            for shown in &listed.rows {
                data.push(CallListed::new(shown, named(rows, shown, &mut agents)?));
            }
            Ok((data, listed.total))
        })
        .await?;
    let rows = data.len();
    Ok(answer::read(Envelope::of(data).paged(page, per_page, total, rows)))
}

/// One agent's calls, newest first.
#[utoipa::path(get, path = "/agents/{agent}/calls", tag = "calls", params(AgentCallQuery),
    responses((status = 200, body = Envelope<Vec<CallRow>>)))]
pub(super) async fn of_agent(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    query: Params,
) -> Answer {
    let fields = dialect::call_list(query.0)?;
    let (page, per_page) = (fields.page, fields.per_page);
    let listed = api
        .read(move |rows| {
            current(rows, caller.tenant, id)?;
            listed(rows, caller.tenant, fields, Some(id))
        })
        .await?;
    let data: Vec<_> = listed.rows.iter().map(CallRow::from).collect();
    let rows = data.len();
    Ok(answer::read(Envelope::of(data).paged(page, per_page, listed.total, rows)))
}

/// A call, with the one it returns. Talkover has no such read; the row is that of its lists.
#[utoipa::path(get, path = "/calls/{call}", tag = "calls",
    responses((status = 200, body = Envelope<CallWhole>)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<CallId>) -> Answer {
    let tenant = caller.tenant;
    let live = api.live.get(id).filter(|call| call.facts.tenant == tenant);
    let body = api
        .read(move |rows| {
            let row = rows.call(tenant, id)?;
            let call = match (row, &live) {
                (Some(row), Some(live)) => advanced(row, live),
                (Some(row), None) => row,
                // The journal has not brought its row yet.
                (None, Some(live)) => row_of(live),
                (None, None) => return Err(Refusal::CallNotFound.into()),
            };
            let touch = call.touch.map(|touch| rows.touch(tenant, touch)).transpose()?.flatten();
            let source = match &touch {
                Some(record) => Some(record.touch.agent),
                None => rows.credited(id)?,
            };
            let shown = shown(rows, call)?;
            let agent = named(rows, &shown, &mut HashMap::new())?;
            Ok(CallWhole::new(&shown, agent, source, touch.and_then(|record| record.call)))
        })
        .await?;
    Ok(answer::read(Envelope::of(body)))
}

/// The calls in progress between an agent and a person, whoever called whom, and those that wait
/// for their time.
#[utoipa::path(get, path = "/agents/{agent}/active-call/{phone}", tag = "calls",
    params(("phone" = schema::Phone, Path, description = "The person's number (E.164).")),
    responses((status = 200, body = Envelope<Vec<ActiveBody>>),
        (status = 400, description = "The number is none.")))]
pub(super) async fn active(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    AtPhone(phone): AtPhone,
) -> Answer {
    let waiting = api.read(move |rows| {
        current(rows, caller.tenant, id)?;
        rows.waiting_calls(caller.tenant, id, phone)
    });
    let waiting = waiting.await?;
    let live = api.live.between(id, phone);
    let now = clock::now();
    let body = |call: &ActiveCall| {
        ActiveBody::new(call.id, id, call.dnis, call.status, call.created_at, now)
    };
    // One whose time has come may be in both.
    let is_live = |call: &CallRecord| live.iter().any(|live| live.id == call.id);
    let later = waiting.into_iter().filter(|call| !is_live(call)).map(|call| {
        let CallRecord { id, dnis, status, created_at, .. } = call;
        body(&ActiveCall { id, dnis, status, created_at })
    });
    let open = live.iter().filter(|call| !call.status.is_final()).map(body);
    let data: Vec<_> = open.chain(later).collect();
    if data.is_empty() {
        return Err(Refusal::NoActiveCall.into());
    }
    Ok(answer::read(Envelope::of(data)))
}

/// Hangs up, or cancels a call that waits for its time. The carrier is told at once, and its
/// verdict waited for, at most 5 s; the call is over when it says so.
#[utoipa::path(post, path = "/agents/{agent}/end-call", tag = "calls",
    request_body = EndRequest,
    responses((status = 200, body = Envelope<EndedBody>),
        (status = 502, description = "The carrier refuses, in its words; the call goes on.")))]
pub(super) async fn end(
    State(api): State<Api>,
    caller: Caller,
    At(agent): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let named = dialect::call_to_end(body)?;
    let tenant = caller.tenant;
    let row = {
        let named = named.clone();
        let found = api.read(move |rows| {
            current(rows, tenant, agent)?;
            match named.parse() {
                Ok(id) => rows.call(tenant, id),
                Err(_) => rows.call_by_carrier_id(tenant, &named),
            }
        });
        found.await?.filter(|call| call.agent == Some(agent))
    };
    let is_it = |call: &LiveCall| {
        let facts = &call.facts;
        let is_named = facts.carrier_call_id == named || facts.id.to_string() == named;
        let is_whose = facts.agent.as_ref().is_some_and(|of| of.id == agent);
        facts.tenant == tenant && is_whose && is_named
    };
    let live = match &row {
        Some(row) => api.live.get(row.id),
        // The journal has not brought its row yet.
        None => api.live.of_tenant(tenant).into_iter().find(|call| is_it(call)),
    };
    let id = live.map(|call| call.facts.id).or(row.map(|row| row.id));
    let id = id.ok_or(Refusal::CallNotFound)?;
    let heads = api.end(&Party::of(&api, caller, id)).await?;
    Ok(Reply::ok(&Envelope::of(EndedBody::new(id, clock::now()))).at(heads))
}

fn listed(
    rows: &Rows<'_>,
    tenant: TenantId,
    fields: CallListFields,
    agent: Option<AgentId>,
) -> Result<Listed<CallShown>, WriteError> {
    let filter = CallPageFilter {
        statuses: fields.statuses,
        direction: fields.direction,
        agent,
        from: fields.from,
        to: fields.to,
        search: fields.search,
    };
    let listed = rows.call_page(tenant, &filter, fields.page, fields.per_page)?;
    listed.try_map(|call| shown(rows, call))
}

fn shown(rows: &Rows<'_>, call: CallRecord) -> Result<CallShown, WriteError> {
    let dial = rows.dial(call.tenant, call.id)?;
    Ok(CallShown { is_test: dial.is_some_and(|dial| dial.is_test), call })
}

/// A call's agent, each read once.
fn named(
    rows: &Rows<'_>,
    shown: &CallShown,
    known: &mut HashMap<AgentId, Option<AgentOfCall>>,
) -> Result<Option<AgentOfCall>, WriteError> {
    let Some(id) = shown.call.agent else { return Ok(None) };
    if let Some(known) = known.get(&id) {
        return Ok(known.clone());
    }
    let agent = rows.agent(shown.call.tenant, id)?.as_ref().map(AgentOfCall::from);
    known.insert(id, agent.clone());
    Ok(agent)
}
