//! Touches that other dialers report, and what is remembered of a person.

use std::collections::HashMap;

use axum::extract::State;
use tokio::task::spawn_blocking;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::{AtContact, Bulk, Params},
    },
    dialects::{
        Problem,
        own::{ContactBody, MergedBody, Rehearsal, Rejected, TouchRequest, dry_run, touches},
    },
    domain::{AgentId, Direction, Refusal, TenantId, TouchRecord},
    store::{MergedTouches, Rows, Tx, WriteError},
    telemetry::clock,
};

/// Touches of one transaction: others get their turn in between.
const PART: usize = 2000;

/// A line and its touch.
type Line = (usize, TouchRecord);

/// Takes touches that other dialers report: an array, or one object a line.
///
/// A line that cannot be read is told, and stops no other. What is known is not taken twice.
#[utoipa::path(post, path = "/touches", tag = "touches",
    params(Rehearsal),
    request_body(content((Vec<TouchRequest> = "application/json"),
        (TouchRequest = "application/x-ndjson"))),
    responses((status = 200, body = MergedBody)))]
pub(super) async fn merge(
    State(api): State<Api>,
    caller: Caller,
    Params(query): Params,
    Bulk(body): Bulk,
) -> Answer {
    let is_dry_run = dry_run(query)?;
    // Who asks again is not kept waiting for a hundred thousand touches that are all known.
    if let Some(answer) = api.answered_before(caller.actor()).await? {
        return Ok(answer);
    }
    let (tenant, now) = (caller.tenant, clock::now());
    let read = spawn_blocking(move || touches(&body, tenant, now)).await;
    let read = read.map_err(|_| Problem::Internal)??;
    let mut told = MergedBody { accepted: 0, duplicates: 0, rejected: read.rejected };
    if is_dry_run {
        let part = api.read(move |rows| rehearse(rows, tenant, read.read)).await?;
        add(&mut told, part);
        return Ok(answer::read(told));
    }
    let mut lines = read.read.into_iter().peekable();
    loop {
        let part: Vec<Line> = lines.by_ref().take(PART).collect();
        let merge = move |tx: &mut Tx<'_>| {
            let (known, unknown) = split(tx, tenant, part)?;
            Ok((tx.merge_touches(tenant, known)?, unknown))
        };
        if lines.peek().is_none() {
            // With the last part, if it is an empty one, goes the answer to the whole.
            let reply = move |_: &Api, part, _| {
                add(&mut told, part);
                Reply::ok(&told)
            };
            return api.answer(caller.actor(), merge, reply).await;
        }
        let done = api.store.write(caller.actor(), merge).await;
        add(&mut told, done.map_err(crate::control::problem)?.value);
    }
}

/// What would become of the touches. Two of one id in the same list count as two.
fn rehearse(
    rows: &Rows<'_>,
    tenant: TenantId,
    lines: Vec<Line>,
) -> Result<(MergedTouches, Vec<Rejected>), WriteError> {
    let (readable, unknown) = split(rows, tenant, lines)?;
    let mut merged = MergedTouches::default();
    for told in readable {
        let known = rows.touch(tenant, told.touch.id)?.map(|known| known.touch);
        let changes = known.is_none_or(|known| {
            known.contact == told.touch.contact && known.merged(&told.touch) != known
        });
        if changes {
            merged.accepted += 1;
        } else {
            merged.duplicates += 1;
        }
    }
    Ok((merged, unknown))
}

fn add(told: &mut MergedBody, part: (MergedTouches, Vec<Rejected>)) {
    let (merged, unknown) = part;
    told.accepted += merged.accepted;
    told.duplicates += merged.duplicates;
    told.rejected.extend(unknown);
    told.rejected.sort_by_key(Rejected::line);
}

/// Those of the tenant's outbound agents, and the rest with what is wrong.
fn split(
    rows: &Rows<'_>,
    tenant: TenantId,
    part: Vec<Line>,
) -> Result<(Vec<TouchRecord>, Vec<Rejected>), WriteError> {
    let mut seen: HashMap<AgentId, Option<Direction>> = HashMap::new();
    let (mut known, mut unknown) = (Vec::with_capacity(part.len()), Vec::new());
    for (line, record) in part {
        let agent = record.touch.agent;
        let direction = match seen.get(&agent) {
            Some(direction) => *direction,
            None => {
                let found = rows.agent(tenant, agent)?.map(|found| found.agent.direction);
                seen.insert(agent, found);
                found
            }
        };
        match direction {
            Some(Direction::Outbound) => known.push(record),
            Some(Direction::Inbound) => {
                unknown.push(Rejected::new(line, "source_agent_id: is not an outbound agent"));
            }
            None => unknown.push(Rejected::new(line, "source_agent_id: no such agent")),
        }
    }
    Ok((known, unknown))
}

/// What is remembered of a person.
#[utoipa::path(get, path = "/contacts/{contact}", tag = "touches",
    responses((status = 200, body = ContactBody)))]
pub(super) async fn contact(
    State(api): State<Api>,
    caller: Caller,
    AtContact(contact): AtContact,
) -> Answer {
    let touches = api.read(move |rows| rows.contact(caller.tenant, contact)).await?;
    if touches.is_empty() {
        return Err(Refusal::ContactNotFound.into());
    }
    Ok(answer::read(ContactBody::new(contact, &touches)))
}
