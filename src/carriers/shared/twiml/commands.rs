//! The REST API of carriers that took over Twilio's resources, as values: the request for a
//! command, and what its reply means (Twilio docs, voice/api/call-resource). It sends nothing.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::{numbers, webhook};
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, CallPage, Command, CommandOutcome, Dial, FoundCall,
        NumberOrder, NumberSearch, OfferedNumber, shared::query,
    },
    domain::{CallStatus, DialFailure, E164, Secret},
};

/// Rows of a page at most (Twilio docs, usage/twilios-response).
const PAGE_SIZE: &str = "1000";

/// Longer ringing is refused (Twilio docs, voice/api/call-resource, Timeout).
const TIMEOUT_SECONDS_MAX: u32 = 600;

/// What a carrier's errors come to.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// Whether a call that is to be ended has ended already, by HTTP status and code.
    pub is_over: fn(u16, Option<u32>) -> bool,
    /// What they come to for a call that was to be placed.
    pub cause: fn(u16, Option<u32>) -> DialFailure,
}

/// The request for a command. `base` is the account's path, such as `/2010-04-01/Accounts/AC...`.
#[must_use]
pub fn request(command: &Command<'_>, base: &str, authorization: Secret) -> ApiRequest {
    let (calls, own) = (format!("{base}/Calls"), format!("{base}/IncomingPhoneNumbers"));
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            let call_sid = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
            (Method::POST, format!("{calls}/{call_sid}.json"), "Status=completed".to_owned())
        }
        Command::Redirect { carrier_call_id, url } => {
            let call_sid = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
            let mut form = String::with_capacity(256);
            query::push(&mut form, "Url", url);
            query::push(&mut form, "Method", "POST");
            (Method::POST, format!("{calls}/{call_sid}.json"), form)
        }
        Command::Dial(call) => (Method::POST, format!("{calls}.json"), dial_form(call)),
        Command::FindCalls { from, to, since } => {
            let mut query = String::new();
            query::push(&mut query, "To", &to.to_string());
            query::push(&mut query, "From", &from.to_string());
            query::push(&mut query, "StartTime>", &query::day(*since));
            query::push(&mut query, "PageSize", "50");
            (Method::GET, format!("{calls}.json?{query}"), String::new())
        }
        Command::ListCalls { since, page } => {
            let mut query = String::new();
            query::push(&mut query, "StartTime>", &query::day(*since));
            query::push(&mut query, "PageSize", PAGE_SIZE);
            let query = page.map_or(query, query::safe);
            (Method::GET, format!("{calls}.json?{query}"), String::new())
        }
        Command::SearchNumbers(search) => {
            let path = format!("{base}/AvailablePhoneNumbers/{}", search_query(search));
            (Method::GET, path, String::new())
        }
        Command::BuyNumber(order) => (Method::POST, format!("{own}.json"), order_form(order)),
        Command::FindNumber { number } => {
            let mut query = String::new();
            query::push(&mut query, "PhoneNumber", &number.to_string());
            (Method::GET, format!("{own}.json?{query}"), String::new())
        }
        Command::Numbers(command) => numbers::request(command, base),
    };
    let content_type = "application/x-www-form-urlencoded";
    let authorization = Authorization::Header(authorization);
    ApiRequest { method, host: None, path, authorization, content_type, body }
}

/// The request that tells where a call stands.
#[must_use]
pub fn look(carrier_call_id: &str, base: &str, authorization: Secret) -> ApiRequest {
    let call_sid = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
    ApiRequest {
        method: Method::GET,
        host: None,
        path: format!("{base}/Calls/{call_sid}.json"),
        authorization: Authorization::Header(authorization),
        content_type: "application/x-www-form-urlencoded",
        body: String::new(),
    }
}

/// What the reply to that says. A call that is not there any more has ended long ago.
#[must_use]
pub fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    match status {
        200..300 => {
            let call: CallBody = serde_json::from_slice(body).ok()?;
            call.status.as_deref().and_then(webhook::call_status)
        }
        404 => Some(CallStatus::Completed),
        _ => None,
    }
}

/// The rest of a search's path (Twilio docs, phone-numbers/api/availablephonenumber-resource).
fn search_query(search: &NumberSearch<'_>) -> String {
    let country = utf8_percent_encode(search.country, NON_ALPHANUMERIC);
    let kind = if search.is_toll_free { "TollFree" } else { "Local" };
    let mut query = String::new();
    query::push(&mut query, "VoiceEnabled", "true");
    query::push(&mut query, "PageSize", &search.limit.to_string());
    if let Some(area_code) = search.area_code {
        query::push(&mut query, "AreaCode", area_code);
    }
    format!("{country}/{kind}.json?{query}")
}

/// An order that also says who answers the number's calls (Twilio docs,
/// phone-numbers/api/incomingphonenumber-resource).
fn order_form(order: &NumberOrder<'_>) -> String {
    let mut form = String::new();
    query::push(&mut form, "PhoneNumber", &order.number.to_string());
    query::push(&mut form, "VoiceUrl", order.voice_url);
    query::push(&mut form, "VoiceMethod", "POST");
    query::push(&mut form, "StatusCallback", order.status_url);
    query::push(&mut form, "StatusCallbackMethod", "POST");
    form
}

fn dial_form(call: &Dial<'_>) -> String {
    let mut form = String::with_capacity(512);
    query::push(&mut form, "To", &call.to.to_string());
    query::push(&mut form, "From", &call.from.to_string());
    for name in ["Url", "FallbackUrl"] {
        query::push(&mut form, name, call.voice_url);
    }
    query::push(&mut form, "StatusCallback", call.status_url);
    // Each event by a parameter of its own; one list of words would be one unknown word.
    for event in ["initiated", "ringing", "answered", "completed"] {
        query::push(&mut form, "StatusCallbackEvent", event);
    }
    for name in ["Method", "FallbackMethod", "StatusCallbackMethod"] {
        query::push(&mut form, name, "POST");
    }
    query::push(&mut form, "Timeout", &call.ring_seconds.min(TIMEOUT_SECONDS_MAX).to_string());
    if call.detects_machine {
        // Asynchronous: nobody is kept waiting in silence while the carrier listens.
        // The second waits for the greeting's end, with a machine.
        let detection = if call.awaits_recording { "DetectMessageEnd" } else { "Enable" };
        query::push(&mut form, "MachineDetection", detection);
        query::push(&mut form, "AsyncAmd", "true");
        query::push(&mut form, "AsyncAmdStatusCallback", call.status_url);
        query::push(&mut form, "AsyncAmdStatusCallbackMethod", "POST");
    }
    form
}

/// What the reply to a command says.
#[must_use]
pub fn outcome(command: &Command<'_>, status: u16, body: &[u8], errors: Errors) -> CommandOutcome {
    let error = match status {
        200..300 => return success(command, body),
        429 => return CommandOutcome::Busy,
        // Whoever answers so may have passed it on before.
        408 | 500.. => return CommandOutcome::Unclear,
        _ => error(status, body, errors),
    };
    match command {
        // No such call any more; not in a state to be ended.
        Command::HangUp { .. } if (errors.is_over)(status, error.code) => CommandOutcome::Done,
        Command::Numbers(command) => command.refused(error),
        Command::HangUp { .. }
        | Command::Redirect { .. }
        | Command::Dial(_)
        | Command::FindCalls { .. }
        | Command::ListCalls { .. }
        | Command::SearchNumbers(_)
        | Command::BuyNumber(_)
        | Command::FindNumber { .. } => CommandOutcome::Refused(error),
    }
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => CommandOutcome::Done,
        Command::Dial(_) => match serde_json::from_slice::<CallBody>(body) {
            Ok(call) => CommandOutcome::Accepted { carrier_call_id: call.sid },
            Err(_) => CommandOutcome::Unclear,
        },
        Command::FindCalls { .. } => match serde_json::from_slice::<CallsBody>(body) {
            Ok(page) => CommandOutcome::Found(placed(&page)),
            Err(_) => CommandOutcome::Unclear,
        },
        Command::ListCalls { .. } => match serde_json::from_slice::<CallsBody>(body) {
            Ok(page) => CommandOutcome::Listed(CallPage {
                calls: placed(&page),
                listed: page.calls.len(),
                next: page.next_page_uri.as_deref().and_then(query::of),
            }),
            Err(_) => CommandOutcome::Unclear,
        },
        Command::SearchNumbers(search) => match serde_json::from_slice::<OffersBody>(body) {
            Ok(found) => {
                let offers = found.available_phone_numbers.iter();
                let offers = offers.filter_map(|offer| offered(offer, search.is_toll_free));
                CommandOutcome::Offered(offers.collect())
            }
            Err(_) => CommandOutcome::Unclear,
        },
        Command::BuyNumber(_) => CommandOutcome::Owned(true),
        Command::FindNumber { number } => match serde_json::from_slice::<NumbersBody>(body) {
            Ok(found) => {
                // The filter is a pattern: what it found may be another number.
                let mut owned = found.incoming_phone_numbers.iter();
                let is_it = |owned: &NumberBody| E164::parse(&owned.phone_number) == Some(*number);
                CommandOutcome::Owned(owned.any(is_it))
            }
            Err(_) => CommandOutcome::Unclear,
        },
        Command::Numbers(command) => {
            let found = numbers::success(command, body);
            found.map_or(CommandOutcome::Unclear, CommandOutcome::Numbers)
        }
    }
}

fn offered(call: &OfferBody, is_toll_free: bool) -> Option<OfferedNumber> {
    Some(OfferedNumber {
        number: E164::parse(&call.phone_number)?,
        country: call.iso_country.clone(),
        is_toll_free,
        state: call.region.clone(),
        locality: call.locality.clone(),
    })
}

/// The calls of a page that an API placed.
fn placed(page: &CallsBody) -> Vec<FoundCall> {
    let placed = page.calls.iter().filter(|call| call.direction == "outbound-api");
    placed.filter_map(found).collect()
}

/// A call, as created and as listed.
#[derive(Deserialize)]
struct CallBody {
    sid: String,
    #[serde(default)]
    direction: String,
    from: Option<String>,
    to: Option<String>,
    status: Option<String>,
    date_created: Option<String>,
    answered_by: Option<String>,
}

#[derive(Deserialize)]
struct CallsBody {
    calls: Vec<CallBody>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct OffersBody {
    available_phone_numbers: Vec<OfferBody>,
}

#[derive(Deserialize)]
struct OfferBody {
    phone_number: String,
    iso_country: String,
    region: Option<String>,
    locality: Option<String>,
}

#[derive(Deserialize)]
struct NumbersBody {
    incoming_phone_numbers: Vec<NumberBody>,
}

#[derive(Deserialize)]
struct NumberBody {
    phone_number: String,
}

fn found(call: &CallBody) -> Option<FoundCall> {
    Some(FoundCall {
        carrier_call_id: call.sid.clone(),
        call: None,
        from: call.from.as_deref().and_then(E164::parse),
        to: call.to.as_deref().and_then(E164::parse),
        status: call.status.as_deref().and_then(webhook::call_status)?,
        created_at: call.date_created.as_deref().and_then(webhook::timestamp)?,
        answered_by: call.answered_by.as_deref().map(webhook::answered_by),
    })
}

/// An error body: Twilio's own form, or that of RFC 9457 in its newer services. Others write the
/// code as a text.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: Value,
    message: Option<String>,
    detail: Option<String>,
    title: Option<String>,
}

fn error(status: u16, body: &[u8], errors: Errors) -> ApiError {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let message = body.message.or(body.detail).or(body.title).unwrap_or_default();
    let code = body.code.as_u64().or_else(|| body.code.as_str()?.parse().ok());
    let code = code.and_then(|code| u32::try_from(code).ok());
    ApiError { cause: (errors.cause)(status, code), status, code, message }
}
