//! The part of Bandwidth's REST API that a customer of voice uses (Bandwidth docs, apis/voice):
//! tokens, and calls. Bodies are JSON.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64_simd::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{cause, common, time};
use crate::{
    domain::{CallStatus, E164},
    simulator::{
        exchange::Inner,
        leg::{Ending, Leg},
        peers::{Station, form::Sent},
        play::{Detection, Order},
        verb::Step,
    },
};

type Exchange = State<Arc<Inner>>;

/// The API's routes.
pub(super) fn router(exchange: Arc<Inner>) -> Router {
    let calls = "/api/v2/accounts/{account}/calls";
    Router::new()
        .route("/api/v1/oauth2/token", post(token))
        .route(calls, get(list).post(create))
        .route("/api/v2/accounts/{account}/calls/{call}", get(read).post(change))
        .fallback(|| async { error(404, "not found") })
        .with_state(exchange)
}

/// An error of the API's.
pub(super) fn error(status: u16, message: &str) -> Response {
    let body = json!({ "type": "validation", "description": message, "id": Uuid::new_v4() });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// The token that the account's client is given.
fn bearer(exchange: &Inner) -> Option<String> {
    let client = exchange.account.api.client.as_ref()?;
    let secret = client.secret.reveal();
    Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, secret.as_bytes()).simple().to_string())
}

fn shown(headers: &HeaderMap) -> &str {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn token(State(exchange): Exchange, headers: HeaderMap, body: Bytes) -> Response {
    let client = exchange.account.api.client.as_ref();
    let wanted = client.map(|client| format!("{}:{}", client.id, client.secret.reveal()));
    let given = shown(&headers).strip_prefix("Basic ");
    let given = given.and_then(|text| STANDARD.decode_to_vec(text).ok());
    let is_client = wanted.is_some() && given == wanted.map(String::into_bytes);
    if !is_client || Sent::read(&body).get("grant_type") != Some("client_credentials") {
        let body = json!({ "error": "invalid_client" });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    Json(json!({ "access_token": bearer(&exchange), "token_type": "Bearer", "expires_in": 3600 }))
        .into_response()
}

/// Lets in who shows the account's token.
fn admit(exchange: &Inner, account: &str, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = shown(headers).strip_prefix("Bearer ");
    if given.is_none() || given != bearer(exchange).as_deref() {
        return Err(Box::new(error(401, "Access is denied")));
    }
    if account == exchange.account.account_id {
        Ok(())
    } else {
        Err(Box::new(error(404, "not found")))
    }
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
    let (from, to) = (text("from").to_owned(), text("to").to_owned());
    if !to.starts_with("sip:") && E164::parse(&to).is_none() {
        return error(400, "Invalid to: must be an E164 telephone number");
    }
    if exchange.owned(&from).is_none() {
        return error(400, "Invalid from: must be a telephone number of the account");
    }
    if text("applicationId") != exchange.account.application_id {
        return error(400, "Invalid applicationId: is no application of the account");
    }
    let answer_url = text("answerUrl");
    if !answer_url.starts_with("http") {
        return error(400, "Invalid answerUrl: must be a URL");
    }
    let given = |name: &str| Some(text(name)).filter(|t| !t.is_empty()).map(str::to_owned);
    let detection = body.get("machineDetection").filter(|value| value.is_object());
    let told = detection.and_then(|wanted| wanted.get("callbackUrl")?.as_str());
    let is_async = detection.is_some_and(|wanted| wanted.get("mode") == Some(&json!("async")));
    let detection = match (detection, told) {
        (None, _) => Detection::Off,
        (Some(_), Some(url)) if is_async => Detection::Meanwhile(url.to_owned()),
        (Some(_), None) if is_async => {
            return error(400, "Invalid machineDetection: no callbackUrl");
        }
        (Some(_), _) => Detection::First,
    };
    let seconds = body.get("callTimeout").and_then(Value::as_u64).unwrap_or(30);
    if !(1..=300).contains(&seconds) {
        return error(400, "Invalid callTimeout: must be from 1 to 300");
    }
    let order = Order {
        step: Some(Step::to(answer_url)),
        fallback_url: given("answerFallbackUrl"),
        document: None,
        tells: given("disconnectUrl").into_iter().map(|url| (Station::Completed, url)).collect(),
        timeout: Some(Duration::from_secs(seconds)),
        detection,
    };
    let show = |leg: &Leg| (StatusCode::CREATED, Json(common(leg))).into_response();
    exchange.place(&from, &to, order, show).await
}

/// A call is ended, or asks what follows.
async fn change(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = admit(&exchange, &account, &headers) {
        return *refused;
    }
    let found = exchange.find(&id).filter(|leg| !leg.state().status.is_final());
    let Some(leg) = found else { return error(404, "call not found") };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("state") {
        "completed" => leg.end(Ending::Api),
        "active" | "" if text("redirectUrl").starts_with("http") => {
            leg.go_to(Step::to(text("redirectUrl")));
        }
        _ => return error(400, "Invalid state or redirectUrl"),
    }
    StatusCode::OK.into_response()
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

/// A call as it is listed.
fn call(leg: &Leg) -> Value {
    let state = leg.state();
    let mut body = common(leg);
    let word = match state.status {
        CallStatus::Queued => "queued",
        CallStatus::Initiated | CallStatus::Ringing => "initiated",
        CallStatus::InProgress => "answered",
        CallStatus::Completed
        | CallStatus::NoAnswer
        | CallStatus::Busy
        | CallStatus::Canceled
        | CallStatus::Failed => "disconnected",
    };
    body.insert("state".to_owned(), word.into());
    if let Some(ended) = state.ended_at {
        body.insert("endTime".to_owned(), time(ended).into());
        body.insert("disconnectCause".to_owned(), cause(state.status).into());
    }
    Value::Object(body)
}

/// Calls, oldest first.
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
        let began = time(leg.facts.created_at);
        is("from", &leg.facts.from)
            && is("to", &leg.facts.to)
            && asked.get("minStartTime").is_none_or(|since| began.as_str() >= since)
    };
    let legs = exchange.book().legs.clone();
    let calls: Vec<Value> = legs.iter().filter(is_asked).map(|leg| call(leg)).collect();
    Json(calls).into_response()
}
