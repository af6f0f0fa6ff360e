//! The part of Plivo's REST API that a customer of voice uses (Plivo docs, voice/api/call and
//! numbers/api; plivo-python 4.63 `resources`). Paths end in a slash, bodies are JSON, numbers have
//! no plus.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use base64_simd::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{cause, digits, direction, time};
use crate::{
    domain::{E164, Secret},
    simulator::{
        exchange::{Inner, Owned},
        leg::{Ending, Leg},
        peers::{Station, form::Sent, offers},
        play::{Detection, Order},
        verb::Step,
    },
};

/// Rows of a page, unless asked otherwise, and at most.
const LIMIT: usize = 20;

type Exchange = State<Arc<Inner>>;

/// The API's routes.
pub(super) fn router(exchange: Arc<Inner>) -> Router {
    Router::new()
        .route("/v1/Account/{account}/Call/", get(list).post(create))
        .route("/v1/Account/{account}/Call/{call}/", get(read).post(transfer).delete(hang_up))
        .route("/v1/Account/{account}/Number/{number}/", get(owned))
        .route("/v1/Account/{account}/PhoneNumber/", get(search))
        .route("/v1/Account/{account}/PhoneNumber/{number}/", axum::routing::post(buy))
        .fallback(|| async { error(404, "not found") })
        .with_state(exchange)
}

/// An error of the API's.
pub(super) fn error(status: u16, message: &str) -> Response {
    let body = json!({ "api_id": Uuid::new_v4(), "error": message });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// Lets in who knows the account's token.
fn admit(exchange: &Inner, account: &str, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Basic "));
    let given = given.and_then(|text| STANDARD.decode_to_vec(text).ok()).unwrap_or_default();
    let ours = &exchange.account;
    let opens = |secret: &Secret| given == format!("{account}:{}", secret.reveal()).into_bytes();
    if account == ours.account_id && ours.secrets.iter().any(opens) {
        Ok(())
    } else {
        let refused = "Could not verify your access level for that URL.";
        Err(Box::new((StatusCode::UNAUTHORIZED, refused).into_response()))
    }
}

fn with_plus(number: &str) -> String {
    if number.starts_with("sip:") { number.to_owned() } else { format!("+{}", digits(number)) }
}

async fn create(
    State(exchange): Exchange,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (from, to) = (with_plus(text("from")), with_plus(text("to")));
    if !to.starts_with("sip:") && E164::parse(&to).is_none() {
        return error(400, "to parameter is invalid");
    }
    if exchange.owned(&from).is_none() {
        return error(400, "from parameter is not a number of the account");
    }
    let answer_url = text("answer_url");
    if !answer_url.starts_with("http") {
        return error(400, "answer_url parameter is invalid");
    }
    let given = |name: &str| Some(text(name)).filter(|t| !t.is_empty()).map(str::to_owned);
    let ringing = given("ring_url").map(|url| (Station::Ringing, url));
    // Without a URL of its own, the end is told to the one that answers.
    let ended = given("hangup_url").unwrap_or_else(|| answer_url.to_owned());
    let is_detected = text("machine_detection") == "true";
    let detection = match (is_detected, given("machine_detection_url")) {
        (true, Some(url)) => Detection::Meanwhile(url),
        (true, None) => Detection::First,
        (false, _) => Detection::Off,
    };
    let seconds = body.get("ring_timeout").and_then(Value::as_u64).unwrap_or(120);
    let order = Order {
        step: Some(Step::to(answer_url)),
        fallback_url: given("fallback_url"),
        document: None,
        tells: ringing.into_iter().chain([(Station::Completed, ended)]).collect(),
        timeout: Some(Duration::from_secs(seconds)),
        detection,
    };
    let show = |leg: &Leg| {
        let body = json!({ "api_id": Uuid::new_v4(), "message": "call fired",
            "request_uuid": leg.facts.sid });
        (StatusCode::CREATED, Json(body)).into_response()
    };
    exchange.place(&from, &to, order, show).await
}

/// A call that is not over.
fn live(exchange: &Inner, id: &str) -> Option<Arc<Leg>> {
    exchange.find(id).filter(|leg| !leg.state().status.is_final())
}

async fn hang_up(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    match live(&exchange, &id) {
        Some(leg) => {
            leg.end(Ending::Api);
            StatusCode::NO_CONTENT.into_response()
        }
        None => error(404, "call not found"),
    }
}

async fn transfer(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(leg) = live(&exchange, &id) else { return error(404, "call not found") };
    let (legs, url) = (text("legs"), text("aleg_url"));
    if !matches!(legs, "aleg" | "both") || !url.starts_with("http") {
        return error(400, "aleg_url parameter is invalid");
    }
    leg.go_to(Step::to(url));
    let body = json!({ "api_id": Uuid::new_v4(), "message": "call transfered",
        "call_uuids": [id] });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

async fn read(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    match exchange.find(&id) {
        Some(leg) => Json(call(&leg)).into_response(),
        None => error(404, "call not found"),
    }
}

/// A call's record.
fn call(leg: &Leg) -> Value {
    let (facts, state) = (&leg.facts, leg.state());
    let (_, code, name) = cause(state.status);
    let zoned = |at| format!("{}+00:00", time(at));
    let answered = state.answered.map(|at| at.duration_since(facts.started).as_millis());
    let answered = answered.and_then(|ms| u64::try_from(ms).ok());
    let answered_at = answered.map(|ms| crate::domain::UnixMillis(facts.created_at.0 + ms));
    let talked = answered_at.zip(state.ended_at).map_or(0, |(a, e)| (e.0 - a.0.min(e.0)) / 1000);
    json!({
        "api_id": Uuid::new_v4(),
        "answer_time": answered_at.map(zoned),
        "bill_duration": talked.div_ceil(60) * 60,
        "call_direction": direction(leg),
        "call_duration": talked,
        "call_state": if state.status.is_final() { "ANSWER" } else { "LIVE" },
        "call_status": super::word(state.status),
        "call_uuid": facts.sid,
        "end_time": state.ended_at.map(zoned),
        "from_number": digits(&facts.from),
        "hangup_cause_code": code,
        "hangup_cause_name": name,
        "initiation_time": zoned(facts.created_at),
        "parent_call_uuid": null,
        "resource_uri": format!("/v1/Account/{}/Call/{}/", facts.account_sid, facts.sid),
        "to_number": digits(&facts.to),
        "total_amount": "0.00550",
    })
}

/// Calls that are over, newest first.
async fn list(
    State(exchange): Exchange,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let is = |name: &str, value: &str| asked.get(name).is_none_or(|wanted| wanted == value);
    let is_asked = |leg: &&Arc<Leg>| {
        let ended = leg.state().ended_at.map(time);
        leg.state().status.is_final()
            && is("from_number", &digits(&leg.facts.from))
            && is("to_number", &digits(&leg.facts.to))
            && is("call_direction", direction(leg))
            && asked.get("end_time__gte").is_none_or(|since| ended.as_deref() >= Some(since))
    };
    let legs = exchange.book().legs.clone();
    let all: Vec<Value> = legs.iter().rev().filter(is_asked).map(|leg| call(leg)).collect();
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let (limit, offset) =
        (number("limit").unwrap_or(LIMIT).clamp(1, LIMIT), number("offset").unwrap_or(0));
    let rows: Vec<&Value> = all.iter().skip(offset).take(limit).collect();
    let after = offset.saturating_add(limit);
    let filters = asked.pairs().filter(|(name, _)| !matches!(*name, "limit" | "offset"));
    let mut next = url::form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(filters).append_pair("limit", &limit.to_string());
    let next = next.append_pair("offset", &after.to_string()).finish();
    let next = (after < all.len()).then(|| format!("/v1/Account/{account}/Call/?{next}"));
    let meta = json!({ "limit": limit, "offset": offset, "next": next, "previous": null,
        "total_count": all.len() });
    Json(json!({ "api_id": Uuid::new_v4(), "meta": meta, "objects": rows })).into_response()
}

async fn owned(
    State(exchange): Exchange,
    Path((account, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    match exchange.owned(&with_plus(&number)) {
        Some(owned) => Json(json!({ "number": digits(&owned.e164), "voice_enabled": true,
            "application": format!("/v1/Account/{account}/Application/1/"), "active": true }))
        .into_response(),
        None => error(404, "number not found"),
    }
}

async fn search(
    State(exchange): Exchange,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let is_toll_free = asked.get("type") == Some("tollfree");
    let limit = asked.get("limit").and_then(|text| text.parse().ok()).unwrap_or(LIMIT);
    let offered = offers::search(&exchange, asked.get("pattern"), is_toll_free);
    let rows = offered.take(limit).map(|number| {
        json!({ "number": digits(&number), "country": "UNITED STATES", "city": null,
            "region": "California, UNITED STATES", "type": "fixed", "voice_enabled": true,
            "restriction": null, "monthly_rental_rate": "0.80000" })
    });
    let rows: Vec<Value> = rows.collect();
    let meta = json!({ "limit": limit, "offset": 0, "next": null, "previous": null,
        "total_count": rows.len() });
    Json(json!({ "api_id": Uuid::new_v4(), "meta": meta, "objects": rows })).into_response()
}

async fn buy(
    State(exchange): Exchange,
    Path((account, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let number = with_plus(&number);
    if !offers::is_for_sale(&number) || exchange.owned(&number).is_some() {
        return error(404, "number is not available");
    }
    // Its application, and with it its URLs, stay as they are.
    let like = exchange.book().numbers.first().map(|(_, owned)| owned.clone());
    exchange.add(Owned { e164: number.clone(), ..like.unwrap_or_default() });
    let body = json!({ "api_id": Uuid::new_v4(), "message": "created", "status": "fulfilled",
        "numbers": [{ "number": digits(&number), "status": "Success" }] });
    (StatusCode::CREATED, Json(body)).into_response()
}
