//! The part of Telnyx's REST API that a customer of voice uses (Telnyx docs, api-reference and
//! api-error-codes; telnyx-python 4.189 `types`): dial and command calls, in either way, and find
//! and buy numbers.

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

use crate::{
    domain::{CarrierId, Direction, E164},
    simulator::{
        exchange::{Inner, Owned},
        leg::{Ending, Leg},
        peers::{
            Station,
            form::{Sent, word},
            offers,
        },
        play::{Detection, Order},
        verb::Step,
    },
};

/// Rows of a page, unless asked otherwise.
const PAGE_SIZE: usize = 20;

/// `speak` takes so many characters.
const SPEAK_CHARS_MAX: usize = 3000;

/// Why a call may be refused.
const CAUSES: [&str; 4] = ["USER_BUSY", "CALL_REJECTED", "NOT_FOUND", "TEMPORARILY_UNAVAILABLE"];

type Exchange = State<Arc<Inner>>;
type Answer = Result<Response, Told>;

/// An error as the API tells it.
struct Told(Box<Response>);

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The API's routes.
pub(super) fn router(exchange: Arc<Inner>) -> Router {
    Router::new()
        .route("/v2/calls", post(dial))
        .route("/v2/calls/{call}", get(read))
        .route("/v2/calls/{call}/actions/{action}", post(command))
        .route("/v2/texml/Accounts/{account}/Calls", post(texml_dial))
        .route("/v2/texml/Accounts/{account}/Calls/{call}", post(texml_update))
        .route("/v2/available_phone_numbers", get(search))
        .route("/v2/number_orders", post(buy))
        .route("/v2/phone_numbers", get(numbers))
        .fallback(|| async { error(404, 10_005, "The requested resource could not be found.") })
        .with_state(exchange)
}

/// An error of the API's.
pub(super) fn error(status: u16, code: u32, detail: &str) -> Response {
    let title = match code {
        10_009 => "Authentication failed",
        10_011 | 90_103 => "Too many requests",
        90_018 => "Call has already ended",
        90_034 => "Call not answered yet",
        _ => "Error",
    };
    let error = json!({ "code": code.to_string(), "title": title, "detail": detail });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "errors": [error] }))).into_response()
}

fn refused(code: u32, detail: &str) -> Told {
    Told(Box::new(error(422, code, detail)))
}

/// Lets in who shows the account's API key. Who plays a call into a running daemon knows none, and
/// lets everybody in.
fn admit(exchange: &Inner, headers: &HeaderMap) -> Result<(), Told> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Bearer "));
    let is_known = match &exchange.account.api.key {
        Some(key) => given == Some(key.secret.reveal()),
        None => given.is_some(),
    };
    let wrong = || Told(Box::new(error(401, 10_009, "Could not find any usable credentials.")));
    if is_known { Ok(()) } else { Err(wrong()) }
}

fn body(bytes: &Bytes) -> Result<Value, Told> {
    serde_json::from_slice(bytes).map_err(|_| refused(10_015, "The body is no JSON."))
}

fn text<'v>(body: &'v Value, name: &str) -> &'v str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Who calls whom, if they may.
fn parties(exchange: &Inner, from: &str, to: &str) -> Result<(), Told> {
    if !to.starts_with("sip:") && E164::parse(to).is_none() {
        return Err(refused(10_016, "The 'to' parameter is no E.164 number."));
    }
    if exchange.owned(from).is_none() {
        return Err(refused(10_015, "The 'from' number is none of the account's."));
    }
    Ok(())
}

async fn dial(State(exchange): Exchange, headers: HeaderMap, bytes: Bytes) -> Answer {
    admit(&exchange, &headers)?;
    let body = body(&bytes)?;
    let (from, to) = (text(&body, "from"), text(&body, "to"));
    parties(&exchange, from, to)?;
    if text(&body, "connection_id") != exchange.account.application_id {
        return Err(refused(10_015, "The connection_id is none of the account's."));
    }
    let url = text(&body, "webhook_url");
    let owned = exchange.owned(from).map(|owned| owned.voice_url).unwrap_or_default();
    let url = if url.is_empty() { owned } else { url.to_owned() };
    let seconds = body.get("timeout_secs").and_then(Value::as_u64).unwrap_or(30);
    if !(5..=600).contains(&seconds) {
        return Err(refused(10_015, "The timeout_secs is not from 5 to 600."));
    }
    let detection = match text(&body, "answering_machine_detection") {
        "" | "disabled" => Detection::Off,
        _ => Detection::Meanwhile(url.clone()),
    };
    let brings = body.get("client_state").and_then(Value::as_str).map(str::to_owned);
    check_brings(brings.as_deref())?;
    let order = Order {
        step: Some(Step::to(url)),
        timeout: Some(Duration::from_secs(seconds)),
        detection,
        ..Order::default()
    };
    let show = |leg: &Leg| {
        leg.change(|state| state.orders.brings.clone_from(&brings));
        let data = json!({ "call_control_id": leg.facts.sid, "call_leg_id": Uuid::new_v4(),
            "call_session_id": Uuid::new_v4(), "client_state": brings, "is_alive": false,
            "record_type": "call" });
        Json(json!({ "data": data })).into_response()
    };
    Ok(exchange.place(from, to, order, show).await)
}

fn check_brings(brings: Option<&str>) -> Result<(), Told> {
    let is_base64 = brings.is_none_or(|text| STANDARD.decode_to_vec(text).is_ok());
    if is_base64 { Ok(()) } else { Err(refused(90_017, "The client_state is not base64.")) }
}

async fn read(State(exchange): Exchange, Path(call): Path<String>, headers: HeaderMap) -> Answer {
    admit(&exchange, &headers)?;
    let Some(leg) = exchange.find(&call) else { return Err(unknown()) };
    let data = json!({ "call_control_id": call, "is_alive": !leg.state().status.is_final(),
        "record_type": "call" });
    Ok(Json(json!({ "data": data })).into_response())
}

fn unknown() -> Told {
    Told(Box::new(error(404, 10_005, "The requested resource could not be found.")))
}

fn done() -> Response {
    Json(json!({ "data": { "result": "ok" } })).into_response()
}

/// Takes a command, which is then done when its turn comes. A repeated id is the same command.
async fn command(
    State(exchange): Exchange,
    Path((call, action)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    admit(&exchange, &headers)?;
    let body = body(&bytes)?;
    let Some(leg) = exchange.find(&call) else { return Err(unknown()) };
    let id = text(&body, "command_id").to_owned();
    let state = leg.state();
    if !id.is_empty() && state.orders.seen.contains(&id) {
        return Ok(done());
    }
    if state.status.is_final() || state.ending.is_some() {
        let detail = "This call is no longer active and can't receive commands.";
        return Err(refused(90_018, detail));
    }
    let rings = state.answered.is_none();
    if rings && !["answer", "reject", "hangup", "transfer"].contains(&action.as_str()) {
        return Err(refused(90_034, "The call has not been answered yet."));
    }
    check(&leg, &action, &body)?;
    check_brings(body.get("client_state").and_then(Value::as_str))?;
    leg.change(|state| {
        state.orders.seen.push(id);
        state.orders.is_streaming |= !text(&body, "stream_url").is_empty();
        if exchange.account.carrier == CarrierId::Telnyx {
            state.orders.waiting.push_back((action.clone(), body.clone()));
        }
    });
    // A call that is led by documents is only ever ended this way.
    if exchange.account.carrier != CarrierId::Telnyx {
        leg.end(Ending::Api);
    }
    Ok(done())
}

/// What each command must say.
fn check(leg: &Leg, action: &str, body: &Value) -> Result<(), Told> {
    let has = |name: &str| !text(body, name).is_empty();
    let invalid = |detail: &str| Err(refused(10_015, detail));
    match action {
        "answer" if leg.facts.direction == Direction::Outbound => {
            Err(refused(90_102, "An outgoing call cannot be answered."))
        }
        "answer" if has("stream_auth_token") || body.get("custom_parameters").is_some() => {
            invalid("answer takes neither stream_auth_token nor custom_parameters.")
        }
        "answer" if !has("stream_url") => Ok(()),
        "answer" | "streaming_start" => {
            if leg.state().orders.is_streaming {
                return Err(refused(90_045, "The call is being streamed already."));
            }
            if text(body, "stream_bidirectional_mode") != "rtp" {
                return invalid("Not simulated: only MP3 is heard unless the mode is rtp.");
            }
            if text(body, "stream_codec") != "PCMU"
                || text(body, "stream_bidirectional_codec") != "PCMU"
            {
                return invalid("Not simulated: a codec other than PCMU.");
            }
            if !["self", "both"].contains(&text(body, "stream_bidirectional_target_legs")) {
                return invalid("The opposite leg alone would hear it, and there is none.");
            }
            if !has("stream_url") {
                return invalid("The stream_url is missing.");
            }
            Ok(())
        }
        "streaming_stop" if !leg.state().orders.is_streaming => {
            Err(refused(90_048, "The call is not being streamed."))
        }
        "speak" if !has("payload") || !has("voice") => invalid("payload or voice is missing."),
        "speak" if text(body, "payload").chars().count() > SPEAK_CHARS_MAX => {
            invalid("The payload is too long.")
        }
        "transfer" if !has("to") => invalid("The 'to' parameter is missing."),
        "reject" if !CAUSES.contains(&text(body, "cause")) => invalid("The cause is unknown."),
        "hangup" | "streaming_stop" | "speak" | "transfer" | "reject" => Ok(()),
        _ => Err(unknown()),
    }
}

async fn texml_dial(
    State(exchange): Exchange,
    Path(account): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    admit(&exchange, &headers)?;
    let body = body(&bytes)?;
    let (from, to, url) = (text(&body, "From"), text(&body, "To"), text(&body, "Url"));
    parties(&exchange, from, to)?;
    let ours = &exchange.account;
    if account != ours.account_id || text(&body, "ApplicationSid") != ours.application_id {
        return Err(unknown());
    }
    let given = |name: &str| Some(text(&body, name)).filter(|t| !t.is_empty()).map(str::to_owned);
    let callback = given("StatusCallback").unwrap_or_default();
    let wanted: Vec<&str> = text(&body, "StatusCallbackEvent").split(' ').collect();
    let all = [Station::Initiated, Station::Ringing, Station::Answered, Station::Completed];
    let told = all.into_iter().filter(|station| wanted.contains(&station.as_str()));
    let is_detected = !["", "Disable"].contains(&text(&body, "MachineDetection"));
    let is_meanwhile = body.get("AsyncAmd") == Some(&Value::Bool(true));
    let detection = match (is_detected, is_meanwhile, given("AsyncAmdStatusCallback")) {
        (true, true, Some(url)) => Detection::Meanwhile(url),
        (true, false, _) => Detection::First,
        (true, true, None) | (false, ..) => Detection::Off,
    };
    let seconds = body.get("Timeout").and_then(Value::as_u64).unwrap_or(30);
    let order = Order {
        step: Some(Step::to(url)),
        fallback_url: given("FallbackUrl"),
        document: None,
        tells: told.map(|station| (station, callback.clone())).collect(),
        timeout: Some(Duration::from_secs(seconds)),
        detection,
    };
    // No id is among the fields of the page.
    let show = |leg: &Leg| {
        let body = json!({ "from": from, "to": to, "status": word(leg.state().status) });
        Json(body).into_response()
    };
    Ok(exchange.place(from, to, order, show).await)
}

async fn texml_update(
    State(exchange): Exchange,
    Path((account, call)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    admit(&exchange, &headers)?;
    let body = body(&bytes)?;
    let leg = exchange.find(&call).filter(|_| account == exchange.account.account_id);
    let Some(leg) = leg else { return Err(unknown()) };
    if leg.state().status.is_final() {
        return Err(refused(90_018, "This call is no longer active and can't receive commands."));
    }
    match (text(&body, "Status"), text(&body, "Url")) {
        ("completed", _) => leg.end(Ending::Api),
        (_, url) if url.starts_with("http") => leg.go_to(Step::to(url)),
        _ => return Err(refused(10_015, "Neither Status nor Url.")),
    }
    Ok(Json(json!({ "sid": call, "status": word(leg.state().status) })).into_response())
}

async fn search(
    State(exchange): Exchange,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &headers)?;
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let is_toll_free = asked.get("filter[phone_number_type]") == Some("toll_free");
    let limit = asked.get("filter[limit]").and_then(|text| text.parse().ok());
    let area = asked.get("filter[national_destination_code]");
    let offered = offers::search(&exchange, area, is_toll_free).take(limit.unwrap_or(PAGE_SIZE));
    let rows: Vec<Value> = offered
        .map(|number| {
            json!({ "phone_number": number, "record_type": "available_phone_number",
                "region_information": [{ "region_type": "country_code", "region_name": "US" }] })
        })
        .collect();
    let meta = json!({ "total_results": rows.len(), "best_effort_results": 0 });
    Ok(Json(json!({ "data": rows, "meta": meta })).into_response())
}

async fn buy(State(exchange): Exchange, headers: HeaderMap, bytes: Bytes) -> Answer {
    admit(&exchange, &headers)?;
    let body = body(&bytes)?;
    let number = body.pointer("/phone_numbers/0/phone_number").and_then(Value::as_str);
    let number = number.unwrap_or_default().to_owned();
    if !offers::is_for_sale(&number) || exchange.owned(&number).is_some() {
        return Err(refused(10_015, "The number is not available."));
    }
    // The connection, and with it the URLs, stay as they are.
    let like = exchange.book().numbers.first().map(|(_, owned)| owned.clone());
    exchange.add(Owned { e164: number.clone(), ..like.unwrap_or_default() });
    let data = json!({ "id": Uuid::new_v4(), "record_type": "number_order", "status": "pending",
        "phone_numbers": [{ "phone_number": number, "status": "pending" }] });
    Ok(Json(json!({ "data": data })).into_response())
}

async fn numbers(
    State(exchange): Exchange,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &headers)?;
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let (page, size) = (
        number("page[number]").unwrap_or(1).max(1),
        number("page[size]").unwrap_or(PAGE_SIZE).clamp(1, 250),
    );
    let wanted = asked.get("filter[phone_number]").unwrap_or_default();
    let owned = exchange.book().numbers.clone();
    let found: Vec<_> = owned.iter().filter(|(_, owned)| owned.e164.contains(wanted)).collect();
    let rows = found.iter().skip((page - 1).saturating_mul(size)).take(size).map(|(_, owned)| {
        json!({ "id": owned.e164.trim_start_matches('+'), "record_type": "phone_number",
            "phone_number": owned.e164, "status": "active", "phone_number_type": "local",
            "connection_id": exchange.account.application_id, "country_iso_alpha2": "US",
            "tags": [] })
    });
    let rows: Vec<Value> = rows.collect();
    let meta = json!({ "page_number": page, "page_size": size,
        "total_pages": found.len().div_ceil(size), "total_results": found.len() });
    Ok(Json(json!({ "data": rows, "meta": meta })).into_response())
}
