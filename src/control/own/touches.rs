//! Touches that other dialers report, and what is remembered of a person.

use std::collections::HashMap;

use axum::extract::State;
use tokio::task::spawn_blocking;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply, paging},
        auth::Caller,
        own::calls,
        receive::{AtContact, Bulk, Params},
    },
    dialects::{
        Page, PageFields, Problem,
        own::{
            ContactBody, ErasedBody, MergedBody, Rehearsal, Rejected, TouchRequest, dry_run,
            touches,
        },
    },
    domain::{
        AgentId, ContactRefusal, Direction, Erased, Refusal, TenantId, TouchRecord, UnixMillis,
    },
    store::{Listed, MergedTouches, PlacedCall, Rows, Tx, WriteError},
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
            let (known, mut refused) = split(tx, tenant, part)?;
            let (lines, touches): (Vec<_>, Vec<_>) = known.into_iter().unzip();
            let merged = tx.merge_touches(tenant, touches)?;
            let late = merged.erased.iter().filter_map(|place| lines.get(*place));
            refused.extend(late.map(|line| Rejected::new(*line, ERASED)));
            Ok((merged, refused))
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
    let (readable, mut refused) = split(rows, tenant, lines)?;
    let mut merged = MergedTouches::default();
    for (line, told) in readable {
        if rows.is_late(&told.touch)? {
            refused.push(Rejected::new(line, ERASED));
            continue;
        }
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
    Ok((merged, refused))
}

fn add(told: &mut MergedBody, part: (MergedTouches, Vec<Rejected>)) {
    let (merged, unknown) = part;
    told.accepted += merged.accepted;
    told.duplicates += merged.duplicates;
    told.rejected.extend(unknown);
    told.rejected.sort_by_key(Rejected::line);
}

/// What is said of a touch from before its person was erased.
const ERASED: &str = "erased";

/// Those of the tenant's outbound agents, and the rest with what is wrong.
fn split(
    rows: &Rows<'_>,
    tenant: TenantId,
    part: Vec<Line>,
) -> Result<(Vec<Line>, Vec<Rejected>), WriteError> {
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
            Some(Direction::Outbound) => known.push((line, record)),
            Some(Direction::Inbound) => {
                unknown.push(Rejected::new(line, "source_agent_id: is not an outbound agent"));
            }
            None => unknown.push(Rejected::new(line, "source_agent_id: no such agent")),
        }
    }
    Ok((known, unknown))
}

/// What is remembered of a person.
#[utoipa::path(get, path = "/contacts/{contact}", tag = "contacts", params(PageFields),
    responses((status = 200, body = ContactBody)))]
pub(super) async fn contact(
    State(api): State<Api>,
    caller: Caller,
    AtContact(contact): AtContact,
    query: Params,
) -> Answer {
    let (tenant, page) = (caller.tenant, paging(PageFields::read(query.0)?));
    let known = api.read(move |rows| {
        let settings = rows.tenant(tenant)?.map(|record| record.tenant.settings);
        Ok(Known {
            touches: rows.contact(tenant, contact)?,
            calls: rows.calls_with(tenant, contact, &page)?.try_map(|call| rows.placed(call))?,
            erased_at: rows.erased_at(tenant, contact)?,
            is_blocked: settings.is_some_and(|settings| settings.block_list.contains(&contact)),
        })
    });
    let Known { touches, calls, erased_at, is_blocked } = known.await?;
    if touches.is_empty() && calls.rows.is_empty() && erased_at.is_none() && !is_blocked {
        return Err(Refusal::Contact(ContactRefusal::NotFound).into());
    }
    let data = calls.rows.into_iter().map(|row| calls::known(&api, row)).collect();
    let calls = Page { data, has_more: calls.has_more };
    Ok(answer::read(ContactBody::new(contact, &touches, calls, is_blocked, erased_at)))
}

/// What there is of a person.
struct Known {
    touches: Vec<TouchRecord>,
    calls: Listed<PlacedCall>,
    erased_at: Option<UnixMillis>,
    is_blocked: bool,
}

/// Erases a person: touches, from calls the number and all that was said and given along, and from
/// the block list and its history the number. Until `tombstone_until` what comes late of them is
/// refused. A call to or from them after that is a new relation.
#[utoipa::path(delete, path = "/contacts/{contact}", tag = "contacts",
    responses((status = 200, body = ErasedBody),
        (status = 409, description = "It is a number of the tenant's own.")))]
pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    AtContact(contact): AtContact,
) -> Answer {
    let tenant = caller.tenant;
    let (mut erased, mut is_more) = (Erased::default(), true);
    // A part at a time: others get their turn in between.
    while is_more {
        let part = api.store.write(caller.actor(), move |tx| {
            let is_more = tx.erase_some(tenant, contact, &mut erased)?;
            Ok((erased, is_more))
        });
        (erased, is_more) = part.await.map_err(crate::control::problem)?.value;
    }
    let change = move |tx: &mut Tx<'_>| tx.erase_contact(tenant, contact, erased);
    api.answer(caller.actor(), change, move |api, erased, _| {
        let now = clock::now();
        for call in &erased.canceled {
            api.live.fail(*call, ERASED, now);
        }
        api.strays.erase(tenant, contact);
        api.live.feed().erase(tenant, contact);
        Reply::ok(&ErasedBody::new(&erased))
    })
    .await
}
