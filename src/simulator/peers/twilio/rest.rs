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

use super::{
    form::{direction, verdict},
    market,
};
use crate::{
    domain::{CallStatus, CarrierId, Direction, E164, Secret, UnixMillis},
    simulator::{
        exchange::{Inner, Owned},
        leg::{Ending, Leg},
        peers::{
            Station,
            form::{Sent, rfc2822, word},
        },
        play::{Detection, Order},
        verb::Step,
    },
    telemetry::clock,
};

/// Pages, unless asked otherwise (usage/twilios-response).
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1000;

/// The longest that a phone may ring.
const TIMEOUT_SECONDS_MAX: u64 = 600;

type Exchange = State<Arc<Inner>>;

/// What those who took over the API made of it.
pub(in crate::simulator::peers) struct Flavour {
    /// Where the accounts are.
    pub(in crate::simulator::peers) base: &'static str,
    /// A call or a number, from how Twilio shows it.
    restyle: fn(&mut Value),
}

/// The original.
pub(in crate::simulator::peers) const TWILIO: Flavour =
    Flavour { base: "/2010-04-01/Accounts", restyle: |_| {} };

/// SignalWire's (docs, compatibility-api/rest-api).
pub(in crate::simulator::peers) const SIGNALWIRE: Flavour =
    Flavour { base: "/api/laml/2010-04-01/Accounts", restyle: as_signalwire };

/// Its names are turned round, and what is a number is written as one.
fn as_signalwire(shown: &mut Value) {
    let Some(shown) = shown.as_object_mut() else { return };
    for (twilio, own) in [("from_formatted", "formatted_from"), ("to_formatted", "formatted_to")] {
        if let Some(value) = shown.remove(twilio) {
            shown.insert(own.to_owned(), value);
        }
    }
    for name in ["duration", "price"] {
        let number = shown.get(name).and_then(Value::as_str).and_then(|t| t.parse::<f64>().ok());
        if let Some(number) = number {
            shown.insert(name.to_owned(), number.into());
        }
    }
}

fn flavour(exchange: &Inner) -> &'static Flavour {
    if exchange.account.carrier == CarrierId::SignalWire { &SIGNALWIRE } else { &TWILIO }
}

/// The API's routes.
pub(in crate::simulator::peers) fn router(exchange: Arc<Inner>, base: &str) -> Router {
    Router::new()
        .route(&format!("{base}/{{account}}/Calls.json"), get(list).post(create))
        .route(&format!("{base}/{{account}}/Calls/{{call}}"), get(read).post(update))
        .route(
            &format!("{base}/{{account}}/IncomingPhoneNumbers.json"),
            get(numbers).post(market::buy),
        )
        .route(
            &format!("{base}/{{account}}/AvailablePhoneNumbers/{{country}}/{{kind}}"),
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

/// An error of the API's.
pub(in crate::simulator::peers) fn error(status: u16, code: u32, message: &str) -> Response {
    refused(status, code, message).into_response()
}

pub(super) fn refused(status: u16, code: u32, message: &str) -> Told {
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
    refused(404, 20_404, &format!("The requested resource {path} was not found"))
}

/// Lets in who knows the account's token: its secret, or the API's own where that is another.
pub(super) fn admit(exchange: &Inner, account: &str, headers: &HeaderMap) -> Result<(), Told> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Basic "));
    let given = given.and_then(|text| STANDARD.decode_to_vec(text).ok()).unwrap_or_default();
    let ours = &exchange.account;
    let opens =
        |secret: &Secret| given == format!("{}:{}", ours.account_id, secret.reveal()).into_bytes();
    let is_known = match &ours.api.key {
        Some(key) => opens(&key.secret),
        None => ours.secrets.iter().any(opens),
    };
    if account == ours.account_id && is_known {
        Ok(())
    } else {
        Err(refused(401, 20_003, "Authenticate"))
    }
}

async fn create(
    State(exchange): Exchange,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let form = Sent::read(&body);
    let (from, to) = (form.get("From").unwrap_or_default(), form.get("To").unwrap_or_default());
    let order = order(&exchange, &form, from, to)?;
    let show = |leg: &Leg| (StatusCode::CREATED, Json(call(&exchange, leg))).into_response();
    Ok(exchange.place(from, to, order, show).await)
}

/// What a request for a call asks, if it may be asked.
fn order(exchange: &Inner, form: &Sent, from: &str, to: &str) -> Result<Order, Told> {
    let refused = |code, message: &str| Err(refused(400, code, message));
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
    let (url, twiml) = (form.given("Url"), form.given("Twiml"));
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if !url.as_ref().map_or(twiml.is_some(), is_url) {
        return refused(21_205, "Url is not a valid URL");
    }
    let seconds = form.get("Timeout").and_then(|text| text.parse().ok()).unwrap_or(60_u64);
    let is_detected = form.get("MachineDetection").is_some_and(|word| word != "none");
    let meanwhile = form.given("AsyncAmdStatusCallback");
    let detection = match (is_detected, form.get("AsyncAmd"), meanwhile) {
        (true, Some("true"), Some(url)) => Detection::Meanwhile(url),
        (true, Some("true"), None) | (false, ..) => Detection::Off,
        (true, ..) => Detection::First,
    };
    Ok(Order {
        step: url.map(Step::to),
        fallback_url: form.given("FallbackUrl"),
        document: twiml.map(|twiml| ("text/xml", twiml)),
        tells: tells(form),
        timeout: Some(Duration::from_secs(seconds.min(TIMEOUT_SECONDS_MAX))),
        detection,
    })
}

/// Who is told of which event: one a parameter, for a list in one is a word that nobody knows.
fn tells(form: &Sent) -> Vec<(Station, String)> {
    let Some(url) = form.given("StatusCallback") else { return Vec::new() };
    let wanted: Vec<&str> = form
        .pairs()
        .filter(|(name, _)| *name == "StatusCallbackEvent")
        .map(|(_, value)| value)
        .collect();
    let wanted = if wanted.is_empty() { vec!["completed"] } else { wanted };
    let all = [Station::Initiated, Station::Ringing, Station::Answered, Station::Completed];
    let told = all.into_iter().filter(|station| wanted.contains(&station.as_str()));
    told.map(|station| (station, url.clone())).collect()
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
    let form = Sent::read(&body);
    let status = leg.state().status;
    if status.is_final() {
        return Err(refused(400, 21_220, "Call is not in-progress. Cannot redirect."));
    }
    match (form.get("Status"), form.get("Url")) {
        (Some("completed"), _) => leg.end(Ending::Api),
        (Some("canceled"), _) if status < CallStatus::InProgress => leg.end(Ending::Api),
        (None, Some(_)) if status < CallStatus::InProgress => {
            return Err(refused(400, 21_220, "Call is not in-progress. Cannot redirect."));
        }
        (None, Some(url)) => {
            leg.go_to(Step::to(url));
            return Ok(Json(call(&exchange, &leg)).into_response());
        }
        _ => return Err(refused(400, 20_001, "only Status and Url are simulated")),
    }
    let mut shown = call(&exchange, &leg);
    if let Some(status) = shown.get_mut("status") {
        *status = "completed".into();
    }
    Ok(Json(shown).into_response())
}

fn find(exchange: &Inner, id: &str) -> Option<Arc<Leg>> {
    exchange.find(id.strip_suffix(".json")?)
}

/// Newest first, filtered by what is asked for.
async fn list(
    State(exchange): Exchange,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
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
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let owned = exchange.book().numbers.clone();
    let wanted = asked.get("PhoneNumber").unwrap_or_default();
    let found = owned.iter().filter(|(_, number)| number.e164.contains(wanted));
    let found: Vec<_> = found.map(|(sid, owned)| number(&exchange, sid, owned)).collect();
    let (path, key) = ("IncomingPhoneNumbers", "incoming_phone_numbers");
    Ok(Json(page(&exchange, path, key, &found, &asked)).into_response())
}

/// A page of a list.
fn page(exchange: &Inner, path: &str, key: &str, all: &[Value], asked: &Sent) -> Value {
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("PageSize").unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE_MAX);
    let page = number("Page").unwrap_or(0);
    let start = page.saturating_mul(size);
    let rows: Vec<&Value> = all.iter().skip(start).take(size).collect();
    let is_filter = |name: &str| !matches!(name, "PageSize" | "Page" | "PageToken");
    let filters = asked.pairs().filter(|(name, _)| is_filter(name));
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let filters: String =
        filters.map(|(name, value)| format!("{}={}&", escaped(name), escaped(value))).collect();
    let uri = |page: usize| {
        let (base, account) = (flavour(exchange).base, &exchange.account.account_id);
        format!("{base}/{account}/{path}.json?{filters}PageSize={size}&Page={page}")
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
    let (flavour, account) = (flavour(exchange), &exchange.account.account_id);
    let base = format!("{}/{account}/Calls/{}", flavour.base, facts.sid);
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
    let mut shown = json!({
        "account_sid": account,
        "answered_by": state.answered_by.map(verdict),
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
    });
    (flavour.restyle)(&mut shown);
    shown
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
    let (base, account) = (flavour(exchange).base, &exchange.account.account_id);
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
        "uri": format!("{base}/{account}/IncomingPhoneNumbers/{sid}.json"),
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
