//! Calls that were placed before Switchback was asked: the carrier lists them, and those that
//! agents of ours made become touches. A page a request, so that whoever asks sees how it goes and
//! can go on where it ended.

use axum::extract::State;

use super::accounts::NameOrId;
use crate::{
    carriers::{CallPage, FoundCall},
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Anybody,
        receive::{At, Body},
    },
    dialects::{
        Problem,
        own::{ImportFields, ImportRequest, ImportedBody, import as to_import},
    },
    domain::{Account, AccountId, Refusal, StrayEvent, TenantId},
    store::{ImportedCalls, Rows, Tx, WriteError},
};

/// Reads one page of the carrier's list of calls, newest first, and remembers as touches those
/// that an agent here made: by the map that is given, else the only outbound agent on the number
/// that was shown. It can be repeated: a call is remembered once.
///
/// By a shared account a tenant's key brings in, and is told of, the tenant's own calls only.
#[utoipa::path(post, path = "/carrier-accounts/{account}/import-calls", tag = "carrier-accounts",
    params(("account" = String, Path, description = "The account's name or id")),
    request_body = ImportRequest,
    responses((status = 200, body = ImportedBody),
        (status = 502, description = "The carrier does not list its calls")))]
pub(super) async fn calls(
    State(api): State<Api>,
    who: Anybody,
    At(NameOrId(id)): At<NameOrId>,
    Body(body): Body,
) -> Answer {
    let fields = to_import(body)?;
    let tenant = who.tenant;
    let known = api.read(move |rows| usable(rows, tenant, id)).await?;
    let account = known.ok_or(Refusal::AccountNotFound)?;
    let page = list(&api, &account, &fields).await?;
    let events = events(account.id, &page, &fields);
    let is_shared = tenant.is_some() && account.tenant.is_none();
    let listed = u64::try_from(page.listed).unwrap_or(u64::MAX);
    let next = page.next;
    let body = move |imported: ImportedCalls| ImportedBody {
        // How much others call by a shared account is theirs to know.
        listed: if is_shared { imported.total() } else { listed },
        accepted: imported.accepted,
        duplicates: imported.duplicates,
        orphaned: imported.orphans,
        next_page: next,
    };
    if fields.is_dry_run {
        let imported = api.read(move |rows| rows.rehearse_import(tenant, &events)).await?;
        return Ok(answer::read(body(imported)));
    }
    let import = move |tx: &mut Tx<'_>| tx.import_calls(tenant, &events);
    api.answer(who.actor(), import, |_, imported, _| Reply::ok(&body(imported))).await
}

/// An account that the asker may call by: its own or a shared one, for operators any.
pub(super) fn usable(
    rows: &Rows<'_>,
    tenant: Option<TenantId>,
    id: AccountId,
) -> Result<Option<Account>, WriteError> {
    match tenant {
        Some(tenant) => {
            Ok(rows.usable_accounts(tenant)?.into_iter().find(|account| account.id == id))
        }
        None => rows.account_of(None, id),
    }
}

async fn list(api: &Api, account: &Account, fields: &ImportFields) -> Result<CallPage, Problem> {
    let listed = api.dispatch.list_calls(account, fields.since, fields.page.as_deref()).await;
    listed.map_err(|(cause, said)| Refusal::CarrierRefused(cause, said).into())
}

fn events(account: AccountId, page: &CallPage, fields: &ImportFields) -> Vec<StrayEvent> {
    let event = |call: &FoundCall| StrayEvent {
        account,
        carrier_call_id: call.carrier_call_id.clone(),
        call: None,
        agent: call.from.and_then(|from| fields.agents.get(&from)).cloned(),
        from: call.from,
        to: call.to,
        status: Some(call.status),
        by_machine: call.answered_by.is_some_and(crate::carriers::AnsweredBy::is_machine),
        at: call.created_at,
    };
    page.calls.iter().map(event).collect()
}
