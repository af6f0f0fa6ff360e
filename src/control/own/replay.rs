//! Recorded calls decided again: as the configuration is, and as a document would make it.
//!
//! The document is rehearsed, never applied. An index of the tenant as it would then be is built
//! beside the one that routes, by the same deltas, and both are asked by the same code.

use axum::extract::State;
use tokio::task::spawn_blocking;
use utoipa::IntoParams;
use uuid::Uuid;

use super::setup;
use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Caller,
        receive::{Params, Text},
    },
    dialects::{
        Problem,
        own::{ReplayBody, ReplayFields, ReplayedBody, SetupRequest, replay as fields},
    },
    domain::{Ani, Attestation, CallRecord, Direction, InboundCall, TenantId, UnixMillis},
    index::{Delta, Index},
    routing,
    store::{ApplyHow, CallFilter, Listed, Paging, Rows, Tx, WriteError},
    telemetry::clock,
};

/// Which calls are decided again.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct ReplayQuery {
    /// Those of this last span of time: `90m`, `24h`, `7d`.
    #[param(default = "24h")]
    since: Option<String>,
    /// Calls of one answer.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
    /// Those older than this one.
    starting_after: Option<Uuid>,
    /// As for apply.
    prune: Option<bool>,
}

/// The recorded calls that would go elsewhere if a document were applied.
#[utoipa::path(post, path = "/replay", tag = "configuration", params(ReplayQuery),
    request_body(description = "The document, in YAML or JSON.",
        content((SetupRequest = "application/json"), (SetupRequest = "application/yaml"))),
    responses((status = 200, body = ReplayBody)))]
pub(super) async fn replay(
    State(api): State<Api>,
    caller: Caller,
    query: Params,
    text: Text,
) -> Answer {
    let fields = fields(query.0)?;
    let document = setup::read(&api, text).await?;
    let tenant = caller.tenant;
    let how = ApplyHow { prune: fields.prune, expected: None, busy: api.busy_agents(tenant) };
    let said = document.clone();
    let rehearsal = move |tx: &mut Tx<'_>| {
        tx.apply_setup(tenant, &said.setup, &how)?;
        tx.routed_tenant(tenant)
    };
    let rehearsed = api.rehearse(caller.actor(), rehearsal).await;
    let after = rehearsed.map_err(|problem| document.placed(problem))?.value;
    let from = UnixMillis(clock::now().0.saturating_sub(fields.since_ms));
    let calls = api.read(move |rows| recorded(rows, tenant, from, fields)).await?;
    let index = api.index.clone();
    let answer = spawn_blocking(move || decided(&index, tenant, after, &calls)).await;
    Ok(answer::read(answer.map_err(|_| Problem::Internal)?))
}

/// Calls that came in since then, newest first.
fn recorded(
    rows: &Rows<'_>,
    tenant: TenantId,
    from: UnixMillis,
    fields: ReplayFields,
) -> Result<Listed<CallRecord>, WriteError> {
    let filter = CallFilter {
        direction: Some(Direction::Inbound),
        from_date: Some(from),
        ..CallFilter::default()
    };
    let (limit, starting_after) = (fields.limit, fields.starting_after);
    let paging = Paging::Keyset { limit, starting_after, ending_before: None };
    rows.calls(tenant, &filter, &paging)
}

fn decided(
    index: &Index,
    tenant: TenantId,
    mut deltas: Vec<Delta>,
    calls: &Listed<CallRecord>,
) -> ReplayBody {
    let (changed, mut writer) = index.beside();
    let before = index.view();
    let mut contacts: Vec<_> = calls.rows.iter().filter_map(|call| call.ani).collect();
    contacts.sort_unstable();
    contacts.dedup();
    deltas.extend(contacts.into_iter().map(|contact| {
        let touches = before.contact(tenant, contact).to_vec();
        Delta::Contact { tenant, contact, touches }
    }));
    writer.apply(&deltas);
    let after = changed.view();
    let moved = calls.rows.iter().filter_map(|row| {
        let (call, at) = (call_of(row), row.created_at);
        let was = routing::decide(&before, &call, at);
        ReplayedBody::new(row, at, &was, &routing::decide(&after, &call, at))
    });
    let moved = moved.collect();
    let next = calls.rows.last().filter(|_| calls.has_more).map(|call| call.id.0);
    ReplayBody::new(calls.rows.len(), moved, next)
}

/// The call as far as its row tells.
fn call_of(row: &CallRecord) -> InboundCall {
    InboundCall {
        account: row.account,
        dnis: row.dnis,
        ani: row.ani.map_or(Ani::Withheld, Ani::Number),
        forwarded_from: None,
        attestation: if row.caller_verified { Attestation::A } else { Attestation::None },
    }
}
