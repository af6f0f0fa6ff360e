//! Plivo's REST API as values: the request for a command, and what its reply means (Plivo docs,
//! voice/api/call and numbers/api; plivo-python 4.63 `resources`). It sends nothing.
//!
//! Paths end in a slash, bodies are JSON, numbers have no plus. Placing a call is answered with a
//! `request_uuid`; the call to one destination has the same id.

use http::Method;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{numbers, webhook::FALLBACK};
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, CallPage, Command, CommandOutcome, Dial, FoundCall,
        NumberSearch, OfferedNumber,
        shared::{credentials, party::plusless::digits, query},
    },
    domain::{Account, CallStatus, DialFailure, E164, Secret, UnixMillis},
};

/// Where the API is.
pub(super) const API_URL: &str = "https://api.plivo.com";

/// Rows of a page at most.
const PAGE_SIZE: &str = "20";

/// None for a number that is to be bought while no application is configured: Plivo puts a number
/// to an application, and its calls would go to nobody.
pub(super) fn request(command: &Command<'_>, account: &Account) -> Option<ApiRequest> {
    let auth_id = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    let base = format!("/v1/Account/{auth_id}");
    let call_path =
        |id: &str| format!("{base}/Call/{}/", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            (Method::DELETE, call_path(carrier_call_id), String::new())
        }
        Command::Redirect { carrier_call_id, url } => {
            let body = json!({ "legs": "aleg", "aleg_url": url, "aleg_method": "POST" });
            (Method::POST, call_path(carrier_call_id), body.to_string())
        }
        Command::Dial(call) => (Method::POST, format!("{base}/Call/"), dial_body(call)),
        Command::FindCalls { from, to, since } => {
            let mut query = calls_query(*since);
            query::push(&mut query, "from_number", &without_plus(*from));
            query::push(&mut query, "to_number", &without_plus(*to));
            (Method::GET, format!("{base}/Call/?{query}"), String::new())
        }
        Command::ListCalls { since, page } => {
            let query = page.map_or_else(|| calls_query(*since), query::safe);
            (Method::GET, format!("{base}/Call/?{query}"), String::new())
        }
        Command::SearchNumbers(search) => {
            let path = format!("{base}/PhoneNumber/?{}", search_query(search));
            (Method::GET, path, String::new())
        }
        Command::BuyNumber(order) => {
            let application = Some(&account.application_id).filter(|id| !id.is_empty())?;
            let path = format!("{base}/PhoneNumber/{}/", without_plus(order.number));
            (Method::POST, path, json!({ "app_id": application }).to_string())
        }
        Command::FindNumber { number } => {
            (Method::GET, format!("{base}/Number/{}/", without_plus(*number)), String::new())
        }
        Command::Numbers(command) => numbers::request(command, &base),
    };
    let token = account.secrets.first().map_or("", Secret::reveal);
    let authorization = Authorization::Header(credentials::basic(&account.account_id, token));
    let content_type = "application/json";
    Some(ApiRequest { method, host: None, path, authorization, content_type, body })
}

/// The request that tells where a live call stands; of one that is over Plivo knows nothing there.
pub(super) fn look(carrier_call_id: &str, account: &Account) -> ApiRequest {
    let (account_id, call) = (&account.account_id, carrier_call_id);
    let encoded = |id| utf8_percent_encode(id, NON_ALPHANUMERIC);
    let path = format!("/v1/Account/{}/Call/{}/?status=live", encoded(account_id), encoded(call));
    let token = account.secrets.first().map_or("", Secret::reveal);
    ApiRequest {
        method: Method::GET,
        host: None,
        path,
        authorization: Authorization::Header(credentials::basic(account_id, token)),
        content_type: "application/json",
        body: String::new(),
    }
}

/// What the reply to that says.
pub(super) fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    #[derive(Deserialize)]
    struct LiveBody {
        call_status: String,
    }
    match status {
        200..300 => {
            let live: LiveBody = serde_json::from_slice(body).ok()?;
            super::webhook::call_status(&live.call_status)
        }
        404 => Some(CallStatus::Completed),
        _ => None,
    }
}

pub(super) fn without_plus(number: E164) -> String {
    number.as_u64().to_string()
}

/// The fallback is the same URL as the first, but for a word that tells the two apart.
fn dial_body(call: &Dial<'_>) -> String {
    let joint = if call.voice_url.contains('?') { '&' } else { '?' };
    let mut body = json!({
        "from": without_plus(call.from),
        "to": without_plus(call.to),
        "answer_url": call.voice_url,
        "answer_method": "POST",
        "fallback_url": format!("{}{joint}{FALLBACK}", call.voice_url),
        "fallback_method": "POST",
        "ring_url": call.status_url,
        "ring_method": "POST",
        "hangup_url": call.status_url,
        "hangup_method": "POST",
        "ring_timeout": call.ring_seconds,
    });
    if let (true, Some(body)) = (call.detects_machine, body.as_object_mut()) {
        // With a URL it is asynchronous: nobody is kept waiting in silence while Plivo listens.
        body.insert("machine_detection".to_owned(), Value::from("true"));
        body.insert("machine_detection_url".to_owned(), Value::from(call.status_url));
        body.insert("machine_detection_method".to_owned(), Value::from("POST"));
    }
    body.to_string()
}

/// Calls are listed once they are over; those that came in are left out already.
fn calls_query(since: UnixMillis) -> String {
    let mut query = String::new();
    query::push(&mut query, "call_direction", "outbound");
    query::push(&mut query, "end_time__gte", &format!("{} 00:00:00", query::day(since)));
    query::push(&mut query, "limit", PAGE_SIZE);
    query
}

fn search_query(search: &NumberSearch<'_>) -> String {
    let mut query = String::new();
    query::push(&mut query, "country_iso", search.country);
    query::push(&mut query, "type", if search.is_toll_free { "tollfree" } else { "local" });
    query::push(&mut query, "services", "voice");
    if let Some(area_code) = search.area_code {
        query::push(&mut query, "pattern", area_code);
    }
    query::push(&mut query, "limit", &search.limit.min(20).to_string());
    query
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    match (command, status) {
        (_, 200..300) => success(command, body),
        (_, 429) => CommandOutcome::Busy,
        // Whoever answers so may have passed it on before.
        (_, 408 | 500..) => CommandOutcome::Unclear,
        // Gone already. One that still waits at Plivo is asked for a document later, and hung up.
        (Command::HangUp { .. }, 404) => CommandOutcome::Done,
        (Command::FindNumber { .. }, 404) => CommandOutcome::Owned(false),
        (Command::Numbers(command), _) => command.refused(error(status, body)),
        _ => CommandOutcome::Refused(error(status, body)),
    }
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => Some(CommandOutcome::Done),
        Command::Dial(_) => serde_json::from_slice::<FiredBody>(body)
            .ok()
            .and_then(|fired| fired.request_uuid.one())
            .map(|carrier_call_id| CommandOutcome::Accepted { carrier_call_id }),
        Command::FindCalls { .. } => page(body).map(|page| CommandOutcome::Found(page.calls)),
        Command::ListCalls { .. } => page(body).map(CommandOutcome::Listed),
        Command::SearchNumbers(search) => serde_json::from_slice::<List<OfferBody>>(body)
            .ok()
            .map(|list| list.objects.iter().filter_map(|offer| offered(offer, search)).collect())
            .map(CommandOutcome::Offered),
        // Where Plivo wants papers first, it says so by another status than 2xx or `pending`.
        Command::BuyNumber(_) => serde_json::from_slice::<BoughtBody>(body)
            .ok()
            .map(|bought| CommandOutcome::Owned(bought.status == "fulfilled")),
        Command::FindNumber { number } => serde_json::from_slice::<OfferBody>(body)
            .ok()
            .map(|owned| CommandOutcome::Owned(digits(&owned.number) == Some(*number))),
        Command::Numbers(command) => numbers::success(command, body).map(CommandOutcome::Numbers),
    }
    .unwrap_or(CommandOutcome::Unclear)
}

/// A call that was placed, before it is one.
#[derive(Deserialize)]
struct FiredBody {
    request_uuid: OneOrMany,
}

/// Several destinations make a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn one(self) -> Option<String> {
        match self {
            Self::One(id) => Some(id),
            Self::Many(ids) => ids.into_iter().next(),
        }
    }
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    meta: Meta,
    objects: Vec<T>,
}

#[derive(Default, Deserialize)]
struct Meta {
    next: Option<String>,
}

#[derive(Deserialize)]
struct CallBody {
    call_uuid: String,
    #[serde(default)]
    call_direction: String,
    parent_call_uuid: Option<String>,
    from_number: Option<String>,
    to_number: Option<String>,
    initiation_time: Option<String>,
    answer_time: Option<String>,
    #[serde(default)]
    hangup_cause_code: Value,
}

#[derive(Deserialize)]
struct OfferBody {
    number: String,
    region: Option<String>,
    city: Option<String>,
}

#[derive(Deserialize)]
struct BoughtBody {
    status: String,
}

/// A page of calls that an API placed: neither those that came in nor those dialled on.
fn page(body: &[u8]) -> Option<CallPage> {
    let list: List<CallBody> = serde_json::from_slice(body).ok()?;
    let is_placed = |call: &&CallBody| {
        call.call_direction == "outbound"
            && call
                .parent_call_uuid
                .as_deref()
                .is_none_or(|id| id.is_empty() || id == call.call_uuid)
    };
    Some(CallPage {
        calls: list.objects.iter().filter(is_placed).filter_map(found).collect(),
        listed: list.objects.len(),
        next: list.meta.next.as_deref().and_then(query::of),
    })
}

fn found(call: &CallBody) -> Option<FoundCall> {
    let created_at: Timestamp = call.initiation_time.as_deref()?.parse().ok()?;
    Some(FoundCall {
        carrier_call_id: call.call_uuid.clone(),
        call: None,
        from: call.from_number.as_deref().and_then(digits),
        to: call.to_number.as_deref().and_then(digits),
        status: status(call),
        created_at: UnixMillis(u64::try_from(created_at.as_millisecond()).ok()?),
        answered_by: None,
    })
}

/// A record says when somebody answered and why it ended, in Plivo's codes (docs, voice/hangup
/// causes).
fn status(call: &CallBody) -> CallStatus {
    if call.answer_time.as_deref().is_some_and(|time| !time.is_empty()) {
        return CallStatus::Completed;
    }
    let code = &call.hangup_cause_code;
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok());
    match code {
        Some(1000) => CallStatus::Canceled,
        Some(3000 | 3050) => CallStatus::NoAnswer,
        Some(3010) => CallStatus::Busy,
        _ => CallStatus::Failed,
    }
}

/// The region is a country's name, or a state's with the country's behind it.
fn offered(offer: &OfferBody, search: &NumberSearch<'_>) -> Option<OfferedNumber> {
    let region = offer.region.as_deref().and_then(|region| region.split_once(", "));
    Some(OfferedNumber {
        number: digits(&offer.number)?,
        country: search.country.to_owned(),
        is_toll_free: search.is_toll_free,
        state: region.map(|(state, _)| state.to_owned()),
        locality: offer.city.clone().filter(|city| !city.is_empty()),
    })
}

/// An error body: a text, or an object by field. Plivo has no codes here.
fn error(status: u16, body: &[u8]) -> ApiError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error").or_else(|| body.get("message"));
    let text = |error: &Value| error.as_str().map_or_else(|| error.to_string(), str::to_owned);
    let message = error.map(text).unwrap_or_default();
    ApiError { cause: cause(status, &message), status, code: None, message }
}

/// What an error comes to for a call that was to be placed, by its status and its words.
fn cause(status: u16, message: &str) -> DialFailure {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match status {
        // An account that is not ours is not found.
        401 | 404 => DialFailure::Credentials,
        402 | 403 => DialFailure::NotPermitted,
        _ if says(&["caller id", "callerid", "from number", "\"from\"", "src "]) => {
            DialFailure::InvalidCallerId
        }
        _ if says(&["destination", "to number", "\"to\"", "dst "]) => DialFailure::InvalidNumber,
        _ => DialFailure::Refused,
    }
}
