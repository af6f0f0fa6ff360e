//! Talkover's SIP trunks: the verb that adds numbers there. A trunk is a description; its numbers
//! are delivered by carrier accounts like all others.

use axum::extract::State;
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::{At, Body},
    },
    dialects::talkover::{
        self as dialect, DidBody, DidRequest, Envelope, Nothing, TrunkBody, TrunkChangeRequest,
        TrunkHealthBody, TrunkRequest, TrunkStanding, VerifiedBody,
    },
    domain::{NumberId, RecordRefusal, TenantId, TrunkId, TrunkRecord},
    store::{NewNumber, Rows, Tx, WriteError},
    telemetry::clock,
};

/// List SIP Trunks.
#[utoipa::path(get, path = "/sip-trunks", tag = "numbers",
    responses((status = 200, body = Envelope<Vec<TrunkBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    let found = api.read(move |rows| rows.trunks(caller.tenant)).await?;
    let data: Vec<_> = found.iter().map(TrunkBody::from).collect();
    Ok(answer::read(Envelope::of(data)))
}

/// Create SIP Trunk. It is written down, and nobody registers with it: numbers added to it are
/// delivered by a carrier account.
#[utoipa::path(post, path = "/sip-trunks", tag = "numbers", request_body = TrunkRequest,
    responses((status = 201, body = Envelope<TrunkBody>),
        (status = 409, description = "There are as many trunks as are kept.")))]
pub(super) async fn create(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let settings = dialect::trunk(body)?;
    let create = move |tx: &mut Tx<'_>| tx.create_trunk(caller.tenant, settings);
    let reply = |_: &Api, record, warnings| {
        let data = Envelope::of(TrunkBody::from(&record));
        Reply::created(&data.says("SIP trunk created successfully").warns(warnings))
    };
    api.answer(caller.actor(), create, reply).await
}

/// Get SIP Trunk.
#[utoipa::path(get, path = "/sip-trunks/{trunk}", tag = "numbers",
    responses((status = 200, body = Envelope<TrunkBody>)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<TrunkId>) -> Answer {
    let record = api.read(move |rows| known(rows, caller.tenant, id)).await?;
    Ok(answer::read(Envelope::of(TrunkBody::from(&record))))
}

/// Update SIP Trunk: what is not said stays.
#[utoipa::path(put, path = "/sip-trunks/{trunk}", tag = "numbers",
    request_body = TrunkChangeRequest, responses((status = 200, body = Envelope<TrunkBody>)))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<TrunkId>,
    Body(body): Body,
) -> Answer {
    let update = move |tx: &mut Tx<'_>| {
        tx.update_trunk(caller.tenant, id, |record| dialect::trunk_change(body, record))
    };
    let reply = |_: &Api, record, warnings| {
        let data = Envelope::of(TrunkBody::from(&record));
        Reply::ok(&data.says("SIP trunk updated successfully").warns(warnings))
    };
    api.answer(caller.actor(), update, reply).await
}

/// Delete SIP Trunk.
#[utoipa::path(delete, path = "/sip-trunks/{trunk}", tag = "numbers",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 409, description = "It has numbers.")))]
pub(super) async fn remove(State(api): State<Api>, caller: Caller, At(id): At<TrunkId>) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_trunk(caller.tenant, id);
    api.answer(caller.actor(), remove, |_, (), warnings| done("SIP trunk deleted", warnings)).await
}

/// Verify SIP Trunk. Nobody registers: what is found is whether carrier accounts deliver its
/// numbers.
#[utoipa::path(post, path = "/sip-trunks/{trunk}/verify", tag = "numbers",
    responses((status = 200, body = Envelope<VerifiedBody>)))]
pub(super) async fn verify(State(api): State<Api>, caller: Caller, At(id): At<TrunkId>) -> Answer {
    let verify = move |tx: &mut Tx<'_>| {
        let found = standing(tx, caller.tenant, id)?;
        let now = tx.now();
        tx.update_trunk(caller.tenant, id, |record| {
            (record.is_verified, record.checked_at) = (found.is_well(), Some(now));
            record.is_active &= found.is_well();
            Ok(())
        })?;
        Ok((found, now))
    };
    let reply = |_: &Api, (found, now): (TrunkStanding, _), warnings| {
        let data = VerifiedBody::new(&found, now);
        Reply::ok(&Envelope::found(data, found.is_well()).warns(warnings))
    };
    api.answer(caller.actor(), verify, reply).await
}

/// Get SIP Trunk Health: what verifying would find, without writing it down.
#[utoipa::path(get, path = "/sip-trunks/{trunk}/health", tag = "numbers",
    responses((status = 200, body = Envelope<TrunkHealthBody>)))]
pub(super) async fn health(State(api): State<Api>, caller: Caller, At(id): At<TrunkId>) -> Answer {
    let found = api.read(move |rows| standing(rows, caller.tenant, id)).await?;
    Ok(answer::read(Envelope::of(TrunkHealthBody::new(&found, clock::now()))))
}

/// List SIP Trunk DIDs.
#[utoipa::path(get, path = "/sip-trunks/{trunk}/dids", tag = "numbers",
    responses((status = 200, body = Envelope<Vec<DidBody>>)))]
pub(super) async fn dids(State(api): State<Api>, caller: Caller, At(id): At<TrunkId>) -> Answer {
    let data = api
        .read(move |rows| {
            known(rows, caller.tenant, id)?;
            let mut data = Vec::new();
            for (number, country_code) in rows.dids(id)? {
                let record = rows.number(caller.tenant, number)?;
                data.extend(record.map(|record| DidBody::new(&record, country_code, id)));
            }
            Ok(data)
        })
        .await?;
    Ok(answer::read(Envelope::of(data)))
}

/// Create SIP Trunk DID: adds a number, delivered by the tenant's only carrier account or the one
/// that is named.
#[utoipa::path(post, path = "/sip-trunks/{trunk}/dids", tag = "numbers",
    request_body = DidRequest, responses((status = 201, body = Envelope<DidBody>),
        (status = 409, description = "The number is there already, or it is not said which \
            account delivers it.")))]
pub(super) async fn add_did(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<TrunkId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::did(body)?;
    let country = fields.country_code.clone();
    let add = move |tx: &mut Tx<'_>| {
        let new = NewNumber {
            e164: fields.number,
            account: fields.account,
            friendly_name: None,
            passthrough: None,
        };
        tx.add_did(caller.tenant, id, new, &fields.country_code)
    };
    let reply = move |_: &Api, record, warnings| {
        Reply::created(&Envelope::of(DidBody::new(&record, country, id)).warns(warnings))
    };
    api.answer(caller.actor(), add, reply).await
}

/// Delete SIP Trunk DID: the number goes.
#[utoipa::path(delete, path = "/sip-trunks/{trunk}/dids/{number}", tag = "numbers",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 409, description = "The number is attached to agents.")))]
pub(super) async fn remove_did(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<TrunkId>,
    At(number): At<NumberId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.remove_did(caller.tenant, id, number);
    api.answer(caller.actor(), remove, |_, (), warnings| done("DID removed", warnings)).await
}

fn done(message: &'static str, warnings: Vec<crate::dialects::WarningBody>) -> Reply {
    let envelope: Envelope<()> = Envelope::done(message);
    Reply::json(StatusCode::OK, &envelope.warns(warnings))
}

fn known(rows: &Rows<'_>, tenant: TenantId, id: TrunkId) -> Result<TrunkRecord, WriteError> {
    rows.trunk(tenant, id)?.ok_or_else(|| RecordRefusal::TrunkNotFound.into())
}

fn standing(rows: &Rows<'_>, tenant: TenantId, id: TrunkId) -> Result<TrunkStanding, WriteError> {
    known(rows, tenant, id)?;
    let usable = rows.usable_accounts(tenant)?;
    let mut found = TrunkStanding { dids: 0, carried: 0, has_account: !usable.is_empty() };
    for (number, _) in rows.dids(id)? {
        let account = rows.number(tenant, number)?.and_then(|record| record.account);
        found.dids += 1;
        found.carried += usize::from(usable.iter().any(|usable| Some(usable.id) == account));
    }
    Ok(found)
}
