//! The dry run: what would become of a call, and why. It changes nothing.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Caller,
        receive::Params,
    },
    dialects::{
        Problem,
        own::{RouteBody, RouteFields, RouteQuery, route},
    },
    domain::{AccountId, E164, InboundCall, Refusal, TenantId},
    routing,
    telemetry::clock,
};

/// The id of no account.
const NOWHERE: AccountId = AccountId(uuid::Uuid::nil());

/// What would become of a call, and why. It changes nothing.
#[utoipa::path(get, path = "/route", tag = "routing", params(RouteQuery),
    responses((status = 200, body = RouteBody),
        (status = 404, description = "There is no such carrier account."),
        (status = 409, description = "More than one account has the number: say which.")))]
pub(super) async fn explain(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = route(query.0)?;
    let account = account(&api, caller.tenant, &fields).await?;
    // Before the view: what the answer is made from is at least as new as this.
    let seq = api.applied.borrow().control;
    let (body, touch) = decide(&api, caller.tenant, &fields, account, seq);
    let Some(touch) = touch else { return Ok(answer::read(body)) };
    let known = api.read(move |rows| rows.touch(caller.tenant, touch)).await?;
    Ok(answer::read(match known {
        Some(record) => body.knowing(&record),
        None => body,
    }))
}

/// The account the call comes by: the one that is named, else the only one that has the number.
async fn account(
    api: &Api,
    tenant: TenantId,
    fields: &RouteFields,
) -> Result<Option<AccountId>, Problem> {
    if let Some(name) = &fields.account {
        let view = api.index.view();
        let account = view.account(name);
        let account = account.filter(|account| account.tenant.is_none_or(|of| of == tenant));
        return Ok(Some(account.ok_or(Refusal::AccountNotFound)?.id));
    }
    let Some(e164) = fields.dnis else { return Ok(None) };
    let held = api.read(move |rows| rows.number_by_e164(tenant, e164)).await?;
    match held.as_slice() {
        [] => Ok(None),
        [only] => Ok(only.account),
        [_, _, ..] => Err(Refusal::AccountAmbiguous.into()),
    }
}

fn decide(
    api: &Api,
    tenant: TenantId,
    fields: &RouteFields,
    account: Option<AccountId>,
    seq: u64,
) -> (RouteBody, Option<crate::domain::TouchId>) {
    let now = fields.at.unwrap_or_else(clock::now);
    let view = api.index.view();
    let is_ours =
        |e164: E164| view.number(account, e164).is_some_and(|number| number.tenant == tenant);
    // Another tenant's number is as unknown as nobody's: no account has this id.
    let account = if fields.dnis.is_none_or(is_ours) { account } else { Some(NOWHERE) };
    let call = InboundCall {
        account,
        dnis: fields.dnis,
        ani: fields.ani,
        forwarded_from: fields.forwarded_from,
        attestation: fields.attestation,
    };
    let start = clock::instant();
    std::hint::black_box(routing::decide(&view, &call, now));
    let ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let (decision, trace) = routing::explain(&view, &call, now);
    (RouteBody::new(&decision, trace, ns, seq), decision.touch.map(|touch| touch.id))
}
