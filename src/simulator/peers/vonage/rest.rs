//! The part of Vonage's REST API that a customer of voice uses (Vonage api-specification,
//! voice.yml). Who asks shows a token that the application's key has signed, once.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use base64_simd::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};

use super::{PRIVATE_KEY, conversation, digits, direction, word};
use crate::{
    domain::E164,
    simulator::{
        exchange::Inner,
        leg::{Ending, Leg},
        peers::{
            Station,
            form::{Sent, timestamp},
        },
        play::{Detection, Order},
        verb::{Step, Verb},
    },
    telemetry::clock,
};

/// Rows of a page, unless asked otherwise, and at most.
const PAGE: (usize, usize) = (10, 100);

type Exchange = State<Arc<Inner>>;

/// The API's routes.
pub(super) fn router(exchange: Arc<Inner>) -> Router {
    Router::new()
        .route("/v1/calls", get(list).post(create))
        .route("/v1/calls/{call}", put(change).get(read))
        .fallback(|| async { error(404, "not found") })
        .with_state(exchange)
}

/// An error of the API's.
pub(super) fn error(status: u16, message: &str) -> Response {
    let body = json!({ "type": "https://developer.vonage.com/api-errors", "title": message,
        "detail": message });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// The same, of a parameter.
fn invalid(name: &str, reason: &str) -> Response {
    let body = json!({ "title": "Bad Request",
        "invalid_parameters": [{ "name": name, "reason": reason }] });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// Lets in who shows a token of the application's.
fn admit(exchange: &Inner, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|text| text.strip_prefix("Bearer "));
    match token.and_then(|token| is_ours(&exchange.account.application_id, token)) {
        Some(true) => Ok(()),
        Some(false) | None => Err(Box::new(error(401, "Unauthorized"))),
    }
}

fn is_ours(application: &str, token: &str) -> Option<bool> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(text).ok()?).ok()
    };
    let (head, claims) = (part(head)?, part(claims)?);
    let key = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).ok()?;
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
    key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode_to_vec(signature).ok()?).ok()?;
    let now = clock::now().seconds().0;
    let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
    Some(
        head.get("alg")? == "RS256"
            && claims.get("application_id")? == application
            && claims.get("jti")?.as_str().is_some_and(|id| !id.is_empty())
            && seconds("iat")? <= now + 60
            && now < seconds("exp")?,
    )
}

/// One number of a list, or of an object.
fn number(value: Option<&Value>) -> Option<String> {
    let value = value?;
    let party = value.get(0).unwrap_or(value);
    let number = party.get("number").and_then(Value::as_str)?;
    E164::from_digits(number).map(|number| number.to_string())
}

/// The one URL of a list.
fn url(body: &Value, name: &str) -> Option<String> {
    let url = body.get(name)?.get(0)?.as_str()?;
    url.starts_with("http").then(|| url.to_owned())
}

async fn create(State(exchange): Exchange, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = admit(&exchange, &headers) {
        return *refused;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(to) = number(body.get("to")) else { return invalid("to", "is no number") };
    let from = number(body.get("from")).filter(|from| exchange.owned(from).is_some());
    let Some(from) = from else { return invalid("from", "is no number of the account") };
    let Some(answer_url) = url(&body, "answer_url") else {
        return invalid("answer_url", "is no array of one URL");
    };
    if body.get("answer_method") != Some(&json!("POST")) {
        return invalid("answer_method", "is not simulated unless POST");
    }
    let stations = [Station::Initiated, Station::Ringing, Station::Answered, Station::Completed];
    let event_url = url(&body, "event_url");
    let tells = event_url.iter().flat_map(|url| stations.map(|station| (station, url.clone())));
    let detection = match (body.get("advanced_machine_detection"), &event_url) {
        (Some(_), Some(url)) => Detection::Meanwhile(url.clone()),
        _ => Detection::Off,
    };
    let seconds = body.get("ringing_timer").and_then(Value::as_u64).unwrap_or(60);
    let order = Order {
        step: Some(Step::to(answer_url)),
        fallback_url: None,
        document: None,
        tells: tells.collect(),
        timeout: Some(Duration::from_secs(seconds)),
        detection,
    };
    let show = |leg: &Leg| {
        let body = json!({ "uuid": leg.facts.sid, "status": "started", "direction": "outbound",
            "conversation_uuid": conversation(leg) });
        (StatusCode::CREATED, Json(body)).into_response()
    };
    exchange.place(&from, &to, order, show).await
}

async fn change(
    State(exchange): Exchange,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = admit(&exchange, &headers) {
        return *refused;
    }
    let Some(leg) = exchange.find(&id) else { return error(404, "Not Found") };
    if leg.state().status.is_final() {
        return error(400, "Bad Request");
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match body.get("action").and_then(Value::as_str) {
        Some("hangup") => leg.end(Ending::Api),
        Some("transfer") => {
            let document = body.pointer("/destination/ncco").map(Value::to_string);
            let document = document.unwrap_or_default();
            let verbs = super::answer::parse("application/json", document.as_bytes());
            // What else a call may be moved to is not simulated.
            let Ok([Verb::Redirect(step)]) = verbs.as_deref() else {
                return invalid("destination", "is no document that asks");
            };
            leg.go_to(step.clone());
        }
        _ => return invalid("action", "is not simulated"),
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn read(State(exchange): Exchange, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&exchange, &headers) {
        return *refused;
    }
    match exchange.find(&id) {
        Some(leg) => Json(call(&leg)).into_response(),
        None => error(404, "Not Found"),
    }
}

/// A call's record.
fn call(leg: &Leg) -> Value {
    let (facts, state) = (&leg.facts, leg.state());
    let phone = |number: &str| json!({ "type": "phone", "number": digits(number) });
    json!({
        "uuid": facts.sid,
        "conversation_uuid": conversation(leg),
        "direction": direction(leg),
        "status": word(state.status),
        "from": phone(&facts.from),
        "to": phone(&facts.to),
        "start_time": state.answered.map(|_| timestamp(facts.created_at).to_string()),
        "end_time": state.ended_at.map(|at| timestamp(at).to_string()),
    })
}

/// Calls, newest first.
async fn list(
    State(exchange): Exchange,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = admit(&exchange, &headers) {
        return *refused;
    }
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let (size, from) =
        (number("page_size").unwrap_or(PAGE.0).clamp(1, PAGE.1), number("record_index"));
    let from = from.unwrap_or(0);
    let since = asked.get("date_start").unwrap_or_default();
    let legs = exchange.book().legs.clone();
    let began = |leg: &Arc<Leg>| timestamp(leg.facts.created_at).to_string();
    let all: Vec<Value> =
        legs.iter().rev().filter(|leg| began(leg).as_str() >= since).map(|leg| call(leg)).collect();
    let rows: Vec<&Value> = all.iter().skip(from).take(size).collect();
    Json(json!({ "count": all.len(), "page_size": size, "record_index": from,
        "_embedded": { "calls": rows } }))
    .into_response()
}
