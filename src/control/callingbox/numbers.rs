//! CallingBox's numbers.

use axum::extract::State;

use crate::{
    carriers::{NumberSearch, OfferedNumber},
    control::{
        Api,
        answer::{self, Answer, Reply, paging},
        auth::Caller,
        own,
        receive::{At, Body, Params},
    },
    dialects::{
        Page, PageFields,
        callingbox::{
            AvailableQuery, ErrorBody, InboundRequest, NumberBody, OfferBody, PurchaseRequest,
            available, inbound, purchase as to_buy,
        },
        own::NumberRequest,
    },
    domain::{NumberId, NumberKind, Refusal},
    store::{InboundChange, NewNumber, Tx},
};

/// Numbers, newest first.
#[utoipa::path(get, path = "/numbers", tag = "numbers", params(PageFields),
    responses((status = 200, body = Page<NumberBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let paging = paging(PageFields::read(query.0)?);
    let listed = api.read(move |rows| rows.numbers(caller.tenant, &paging)).await?;
    let data: Vec<_> = listed.rows.iter().map(|number| api.number_body(number)).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

/// Brings a number. The carrier is not asked; it is `POST /switchback/v1/numbers`.
#[utoipa::path(post, path = "/numbers", tag = "numbers", request_body = NumberRequest,
    responses((status = 201, body = NumberBody),
        (status = 200, description = "It was there already", body = NumberBody),
        (status = 409, description = "Somebody else has it there", body = ErrorBody),
        (status = 404, description = "There is no such carrier account.")))]
pub(super) async fn add(state: State<Api>, caller: Caller, body: Body) -> Answer {
    own::numbers::add(state, caller, body).await
}

/// Numbers that the carrier of an account sells.
///
/// Prices are the carrier's to tell: they are 0 here.
#[utoipa::path(get, path = "/numbers/available", tag = "numbers", params(AvailableQuery),
    responses((status = 200, body = Vec<OfferBody>),
        (status = 404, description = "There is no such carrier account."),
        (status = 409, description = "There are several carrier accounts, and none is named."),
        (status = 502, description = "The carrier does not answer")))]
pub(super) async fn search(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = available(query.0)?;
    let (tenant, name) = (caller.tenant, fields.account.clone());
    let account = api.read(move |rows| rows.buying(tenant, name.as_deref())).await?;
    let search = NumberSearch {
        country: &fields.country,
        area_code: fields.area_code.as_deref(),
        is_toll_free: fields.number_type == NumberKind::TollFree,
        limit: fields.limit,
    };
    let offers = api.dispatch.search_numbers(&account, search).await;
    let offers = offers.map_err(|(why, said)| Refusal::CarrierRefused(why, said))?;
    // The carrier's pages may be longer than what was asked for.
    let asked = usize::try_from(fields.limit).unwrap_or(usize::MAX);
    Ok(answer::read(offers.into_iter().take(asked).map(offer).collect::<Vec<_>>()))
}

fn offer(offered: OfferedNumber) -> OfferBody {
    let number_type = if offered.is_toll_free { NumberKind::TollFree } else { NumberKind::Local };
    OfferBody {
        phone_number: offered.number.to_string(),
        country_code: offered.country,
        number_type: number_type.as_str(),
        state: offered.state,
        locality: offered.locality,
        monthly_cost_cents: 0,
        upfront_cost_cents: 0,
        currency: "USD",
    }
}

/// Buys a number from the carrier of an account, to be answered here.
///
/// Who repeats it pays once: a number that the account has is not bought again.
#[utoipa::path(post, path = "/numbers/purchase", tag = "numbers", request_body = PurchaseRequest,
    responses((status = 201, body = NumberBody),
        (status = 200, description = "It was bought before", body = NumberBody),
        (status = 404, description = "There is no such carrier account."),
        (status = 502, description = "The carrier does not answer")))]
pub(super) async fn purchase(State(api): State<Api>, caller: Caller, body: Body) -> Answer {
    let (e164, named) = to_buy(body.0)?;
    if let Some(answer) = api.answered_before(caller.actor()).await? {
        return Ok(answer);
    }
    let tenant = caller.tenant;
    let (account, held) = api.read(move |rows| rows.to_buy(tenant, named.as_deref(), e164)).await?;
    if held.is_none() {
        let bought = api.dispatch.buy_number(&account, e164).await;
        bought.map_err(|(why, said)| Refusal::NotBought(why, said))?;
    }
    let account = Some(account.name);
    let new = NewNumber { e164, account, friendly_name: None, passthrough: None };
    let add = move |tx: &mut Tx<'_>| tx.add_number(tenant, new);
    api.answer(caller.actor(), add, own::numbers::added).await
}

/// Sets how a number itself says that it is answered, whole, in the place of an agent.
#[utoipa::path(put, path = "/numbers/{number}/inbound", tag = "numbers",
    params(("number" = Uuid, Path, description = "The number's id")), request_body = InboundRequest,
    responses((status = 200, body = NumberBody),
        (status = 409, description = "An inbound agent answers on it", body = ErrorBody)))]
pub(super) async fn set_inbound(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<NumberId>,
    body: Body,
) -> Answer {
    let fields = inbound(body.0, api.settings.private)?;
    let change = InboundChange {
        is_enabled: fields.is_enabled,
        profile: fields.profile,
        targets: fields.targets,
    };
    let set = move |tx: &mut Tx<'_>| tx.set_inbound(caller.tenant, id, change);
    let reply = |api: &Api, record, warnings| Reply::ok(&api.number_body(&record).warns(warnings));
    api.answer(caller.actor(), set, reply).await
}

/// Takes a number from whoever is attached to it, and away. The carrier keeps it: giving it back
/// is done there.
#[utoipa::path(delete, path = "/numbers/{number}", tag = "numbers",
    params(("number" = Uuid, Path, description = "The number's id")),
    responses((status = 200, body = NumberBody)))]
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<NumberId>,
) -> Answer {
    let release = move |tx: &mut Tx<'_>| tx.release_number(caller.tenant, id);
    let reply = |api: &Api, record, warnings| Reply::ok(&api.number_body(&record).warns(warnings));
    api.answer(caller.actor(), release, reply).await
}
