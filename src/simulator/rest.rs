//! The part of Twilio's REST API that a customer of voice uses (Twilio docs, voice/api and
//! phone-numbers/api): place, read, list and end calls, list numbers. Its objects and errors have
//! the shapes of the recorded ones. It plays no call itself.

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
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    exchange::{Fault, Inner, Owned},
    form::{direction, rfc2822, word},
    leg::{Ending, Leg},
    market,
    play::{Detection, Order, Play},
};
use crate::{
    carriers::shared::form::Form,
    domain::{CallStatus, Direction, E164, Secret, UnixMillis},
    telemetry::clock,
};

/// Pages, unless asked otherwise (usage/twilios-response).
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1000;

/// The longest that a phone may ring.
const TIMEOUT_SECONDS_MAX: u64 = 600;

type Exchange = State<Arc<Inner>>;

/// The API's routes.
pub(super) fn router(exchange: Arc<Inner>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Calls.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Calls/{call}", get(read).post(update))
        .route(
            "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json",
            get(numbers).post(market::buy),
        )
        .route(
            "/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/{country}/{kind}",
            get(market::search),
        )
        .fallback(|uri: http::Uri| async move { not_found(uri.path()) })
        .with_state(exchange)
}

/// An error as the API tells it.
pub(super) struct Told(Box<Response>);

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        *self.0
    }
}

pub(super) type Answer = Result<Response, Told>;

pub(super) fn error(status: u16, code: u32, message: &str) -> Told {
    let body = json!({
        "code": code,
        "message": message,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Told(Box::new((status, Json(body)).into_response()))
}

pub(super) fn not_found(path: &str) -> Told {
    error(404, 20_404, &format!("The requested resource {path} was not found"))
}

/// Lets in who knows the account's secret.
pub(super) fn admit(exchange: &Inner, account: &str, headers: &HeaderMap) -> Result<(), Told> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Basic "));
    let given = given.and_then(|text| STANDARD.decode_to_vec(text).ok()).unwrap_or_default();
    let secrets = exchange.post.account().map_or(&[][..], |account| &account.secrets);
    let opens = |secret: &Secret| {
        given == format!("{}:{}", exchange.account_sid, secret.reveal()).into_bytes()
    };
    if account == exchange.account_sid && secrets.iter().any(opens) {
        Ok(())
    } else {
        Err(error(401, 20_003, "Authenticate"))
    }
}

async fn create(
    State(exchange): Exchange,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let (from, to) = (form.get("From").unwrap_or_default(), form.get("To").unwrap_or_default());
    let person = exchange.person(to);
    let queued = exchange.book().faults.pop_front();
    let fault = queued.or_else(|| person.fault.clone());
    if let Some(Fault::Refused { status, code, message }) = &fault {
        return Err(error(*status, *code, message));
    }
    let order = order(&exchange, &form, from, to)?;
    let facts = exchange.facts(from.to_owned(), to.to_owned(), Direction::Outbound);
    let leg = exchange.begin(facts, CallStatus::Queued);
    let answer = call(&exchange, &leg);
    let play = Play::new(Arc::clone(&exchange), leg, super::Voice::default());
    tokio::spawn(play.outbound(order, person));
    match fault {
        Some(Fault::Slow(delay)) => sleep(delay).await,
        Some(Fault::NoAnswer) => std::future::pending().await,
        Some(Fault::Unclear(status)) => return Err(error(status, 20_500, "Internal Server Error")),
        Some(Fault::Refused { .. }) | None => {}
    }
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// What a request for a call asks, if it may be asked.
fn order(exchange: &Inner, form: &Form<'_>, from: &str, to: &str) -> Result<Order, Told> {
    let given = |name| form.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let refused = |code, message: &str| Err(error(400, code, message));
    if to.is_empty() {
        return refused(21_201, "No 'To' number is specified");
    }
    if from.is_empty() {
        return refused(21_213, "No 'From' number is specified");
    }
    if !to.starts_with("sip:") && E164::parse(to).is_none() {
        let message = format!("The phone number you are attempting to call, {to}, is not valid.");
        return refused(21_211, &message);
    }
    if exchange.owned(from).is_none() {
        let message = format!(
            "The source phone number provided, {from}, is not yet verified for your account."
        );
        return refused(21_210, &message);
    }
    let (url, twiml) = (given("Url"), given("Twiml"));
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if !url.as_ref().map_or(twiml.is_some(), is_url) {
        return refused(21_205, "Url is not a valid URL");
    }
    let wanted = form.pairs().iter().filter(|pair| pair.name() == "StatusCallbackEvent");
    // One a parameter: a list in one is a word that nobody knows.
    let mut events: Vec<String> = wanted.map(|pair| pair.value.to_string()).collect();
    if events.is_empty() {
        events.push("completed".to_owned());
    }
    let seconds = form.get("Timeout").and_then(|text| text.parse().ok()).unwrap_or(60_u64);
    let is_detected = form.get("MachineDetection").is_some();
    let detection = match (is_detected, form.get("AsyncAmd"), given("AsyncAmdStatusCallback")) {
        (true, Some("true"), Some(url)) => Detection::Meanwhile(url),
        (true, Some("true"), None) | (false, ..) => Detection::Off,
        (true, ..) => Detection::First,
    };
    Ok(Order {
        url,
        fallback_url: given("FallbackUrl"),
        twiml,
        status_callback: given("StatusCallback"),
        events,
        timeout: Some(Duration::from_secs(seconds.min(TIMEOUT_SECONDS_MAX))),
        detection,
    })
}

async fn read(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    uri: http::Uri,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let leg = find(&exchange, &id).ok_or_else(|| not_found(uri.path()))?;
    Ok(Json(call(&exchange, &leg)).into_response())
}

async fn update(
    State(exchange): Exchange,
    Path((account, id)): Path<(String, String)>,
    uri: http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let leg = find(&exchange, &id).ok_or_else(|| not_found(uri.path()))?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let status = leg.state().status;
    if status.is_final() {
        return Err(error(400, 21_220, "Call is not in-progress. Cannot redirect."));
    }
    match (form.get("Status"), form.get("Url")) {
        (Some("completed"), _) => leg.end(Ending::Api),
        (Some("canceled"), _) if status < CallStatus::InProgress => leg.end(Ending::Api),
        (None, Some(_)) if status < CallStatus::InProgress => {
            return Err(error(400, 21_220, "Call is not in-progress. Cannot redirect."));
        }
        (None, Some(url)) => {
            leg.change(|state| state.instead = Some(url.to_owned()));
            return Ok(Json(call(&exchange, &leg)).into_response());
        }
        _ => return Err(error(400, 20_001, "only Status and Url are simulated")),
    }
    let mut shown = call(&exchange, &leg);
    if let Some(status) = shown.get_mut("status") {
        *status = "completed".into();
    }
    Ok(Json(shown).into_response())
}

fn find(exchange: &Inner, id: &str) -> Option<Arc<Leg>> {
    let sid = id.strip_suffix(".json")?;
    exchange.book().legs.iter().find(|leg| leg.facts.sid == sid).cloned()
}

/// Newest first, filtered by what is asked for.
async fn list(
    State(exchange): Exchange,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let query = query.unwrap_or_default();
    let asked = Form::parse(&query).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let legs = exchange.book().legs.clone();
    let is = |name: &str, value: &str| asked.get(name).is_none_or(|wanted| wanted == value);
    let found = legs.iter().rev().filter(|leg| {
        is("To", &leg.facts.to)
            && is("From", &leg.facts.from)
            && is("Status", &word(leg.state().status))
            && asked.get("ParentCallSid").is_none()
            && day(leg.facts.created_at).is_some_and(|day| {
                asked.get("StartTime>").is_none_or(|from| day.as_str() >= from)
                    && asked.get("StartTime<").is_none_or(|to| day.as_str() <= to)
            })
    });
    let calls: Vec<_> = found.map(|leg| call(&exchange, leg)).collect();
    Ok(Json(page(&exchange, "Calls", "calls", &calls, &asked)).into_response())
}

async fn numbers(
    State(exchange): Exchange,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let query = query.unwrap_or_default();
    let asked = Form::parse(&query).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let owned = exchange.book().numbers.clone();
    let wanted = asked.get("PhoneNumber").unwrap_or_default();
    let found = owned.iter().filter(|(_, number)| number.e164.contains(wanted));
    let found: Vec<_> = found.map(|(sid, owned)| number(&exchange, sid, owned)).collect();
    let (path, key) = ("IncomingPhoneNumbers", "incoming_phone_numbers");
    Ok(Json(page(&exchange, path, key, &found, &asked)).into_response())
}

/// A page of a list.
fn page(exchange: &Inner, path: &str, key: &str, all: &[Value], asked: &Form<'_>) -> Value {
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("PageSize").unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX);
    let page = number("Page").unwrap_or(0);
    let start = page.saturating_mul(size);
    let rows: Vec<&Value> = all.iter().skip(start).take(size).collect();
    let is_filter = |name: &str| !matches!(name, "PageSize" | "Page" | "PageToken");
    let filters = asked.pairs().iter().filter(|pair| is_filter(pair.name()));
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let filters: String =
        filters.map(|pair| format!("{}={}&", escaped(pair.name()), escaped(&pair.value))).collect();
    let uri = |page: usize| {
        let account = &exchange.account_sid;
        format!("/2010-04-01/Accounts/{account}/{path}.json?{filters}PageSize={size}&Page={page}")
    };
    let last = rows.last().and_then(|row| row.get("sid")).and_then(Value::as_str);
    let has_more = all.len() > start.saturating_add(size);
    let next = has_more.then(|| format!("{}&PageToken=PA{}", uri(page + 1), last.unwrap_or("")));
    let end = (start + rows.len()).saturating_sub(1);
    let mut body = json!({
        "end": end,
        "first_page_uri": uri(0),
        "next_page_uri": next,
        "page": page,
        "page_size": size,
        "previous_page_uri": page.checked_sub(1).map(uri),
        "start": start,
        "uri": uri(page),
    });
    if let Some(body) = body.as_object_mut() {
        body.insert(key.to_owned(), json!(rows));
    }
    body
}

/// A call, as the API shows it.
fn call(exchange: &Inner, leg: &Leg) -> Value {
    let (facts, state) = (&leg.facts, leg.state());
    let account = &exchange.account_sid;
    let base = format!("/2010-04-01/Accounts/{account}/Calls/{}", facts.sid);
    let ours = match facts.direction {
        Direction::Inbound => &facts.to,
        Direction::Outbound => &facts.from,
    };
    let phone_number_sid = exchange
        .book()
        .numbers
        .iter()
        .find(|(_, owned)| owned.e164 == *ours)
        .map(|(sid, _)| sid.clone());
    let ended_at = state.ended_at;
    let is_queued = state.status == CallStatus::Queued;
    let created = (!is_queued).then(|| rfc2822(facts.created_at));
    let talked = state.answered.zip(ended_at).map(|(answered, ended)| {
        let answered_ms = answered.duration_since(facts.started).as_millis();
        let ms = u128::from(ended.0.saturating_sub(facts.created_at.0)).saturating_sub(answered_ms);
        (ms / 1000).to_string()
    });
    json!({
        "account_sid": account,
        "answered_by": state.answered_by,
        "api_version": "2010-04-01",
        "caller_name": null,
        "date_created": created,
        "date_updated": (!is_queued).then(|| rfc2822(ended_at.unwrap_or_else(clock::now))),
        "direction": direction(facts),
        "duration": ended_at.map(|_| talked.clone().unwrap_or_else(|| "0".to_owned())),
        "end_time": ended_at.map(rfc2822),
        "forwarded_from": facts.forwarded_from,
        "from": facts.from,
        "from_formatted": formatted(&facts.from),
        "group_sid": null,
        "parent_call_sid": null,
        "phone_number_sid": phone_number_sid,
        "price": talked.map(|_| "-0.01300"),
        "price_unit": "USD",
        "queue_time": "0",
        "sid": facts.sid,
        "start_time": created,
        "status": word(state.status),
        "subresource_uris": subresources(&base),
        "to": facts.to,
        "to_formatted": formatted(&facts.to),
        "trunk_sid": null,
        "uri": format!("{base}.json"),
    })
}

fn subresources(base: &str) -> Value {
    let names = [
        ("events", "Events"),
        ("notifications", "Notifications"),
        ("payments", "Payments"),
        ("recordings", "Recordings"),
        ("siprec", "Siprec"),
        ("streams", "Streams"),
        ("transcriptions", "Transcriptions"),
        ("user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"),
        ("user_defined_messages", "UserDefinedMessages"),
    ];
    let uris = names.map(|(key, name)| (key.to_owned(), format!("{base}/{name}.json").into()));
    Value::Object(uris.into_iter().collect())
}

/// A number of the account, as the API shows it.
pub(super) fn number(exchange: &Inner, sid: &str, owned: &Owned) -> Value {
    let account = &exchange.account_sid;
    json!({
        "account_sid": account,
        "address_requirements": "none",
        "address_sid": null,
        "api_version": "2010-04-01",
        "beta": false,
        "bundle_sid": null,
        "capabilities": { "fax": false, "mms": true, "sms": true, "voice": true },
        "date_created": "Thu, 01 Jan 2026 08:00:00 +0000",
        "date_updated": "Thu, 01 Jan 2026 08:00:00 +0000",
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "friendly_name": formatted(&owned.e164),
        "identity_sid": null,
        "origin": "twilio",
        "phone_number": owned.e164,
        "sid": sid,
        "sms_application_sid": "",
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": "POST",
        "sms_url": "",
        "status": "in-use",
        "status_callback": owned.status_callback,
        "status_callback_method": "POST",
        "trunk_sid": null,
        "type": "local",
        "uri": format!("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json"),
        "voice_application_sid": "",
        "voice_caller_id_lookup": false,
        "voice_fallback_method": "POST",
        "voice_fallback_url": owned.voice_fallback_url,
        "voice_method": "POST",
        "voice_receive_mode": "voice",
        "voice_url": owned.voice_url,
    })
}

/// `(212) 555-0142` for a number of North America; others as they are.
pub(super) fn formatted(number: &str) -> String {
    let digits = number.strip_prefix("+1").filter(|digits| digits.len() == 10);
    let parts = digits.and_then(|d| Some((d.get(..3)?, d.get(3..6)?, d.get(6..)?)));
    match parts {
        Some((area, office, line)) => format!("({area}) {office}-{line}"),
        None => number.to_owned(),
    }
}

fn day(at: UnixMillis) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    at.to_string().get(..10).map(str::to_owned)
}
