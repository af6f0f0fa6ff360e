//! Telnyx's REST API as values: the request for a command, and what its reply means (Telnyx docs,
//! api-reference; api-error-codes). It sends nothing.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    answer, numbers,
    state::{self, Left, State},
};
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, Command, CommandOutcome, Dial, FoundCall, NumberOrder,
        NumberSearch, OfferedNumber, shared::form::call_id,
    },
    domain::{Account, CallId, CallStatus, DialFailure, Direction, E164, Secret},
};

/// Where the API is.
pub(super) const API_URL: &str = "https://api.telnyx.com";

/// How long a call may ring: shorter and longer is refused (Telnyx docs, dial, `timeout_secs`).
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 5..=600;

/// The call has ended already.
const ENDED: u32 = 90_018;

pub(super) fn request(command: &Command<'_>, account: &Account, nonce: Uuid) -> Option<ApiRequest> {
    let action = |id: &str, action: &str| {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        format!("/v2/calls/{id}/actions/{action}")
    };
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            (Method::POST, action(carrier_call_id, "hangup"), json!({ "command_id": nonce }))
        }
        Command::Redirect { carrier_call_id, url } => {
            // No request puts a call to another step: its stream ends, and that asks.
            let state = State {
                left: Left::Stream,
                direction: Direction::Inbound,
                is_answered: true,
                parent: "".into(),
                step: (*url).into(),
            };
            let body = json!({ "client_state": state.write(), "command_id": nonce });
            (Method::POST, action(carrier_call_id, "streaming_stop"), body)
        }
        Command::Dial(call) => (Method::POST, "/v2/calls".to_owned(), dial(call, account, nonce)),
        // Calls in progress are listed by connection, each with the state we left on it.
        Command::FindCalls { .. } if !account.application_id.is_empty() => {
            let connection = utf8_percent_encode(&account.application_id, NON_ALPHANUMERIC);
            let path = format!("/v2/connections/{connection}/active_calls?page%5Bsize%5D=250");
            return Some(get(path, account));
        }
        // Of calls that are over, no list tells the parties.
        Command::FindCalls { .. } | Command::ListCalls { .. } => return None,
        Command::SearchNumbers(search) => return Some(get(search_path(search), account)),
        Command::BuyNumber(order) => {
            (Method::POST, "/v2/number_orders".to_owned(), buy(order, account))
        }
        Command::FindNumber { number } => {
            let number = number.to_string();
            let number = utf8_percent_encode(&number, NON_ALPHANUMERIC);
            let path = format!("/v2/phone_numbers?filter%5Bphone_number%5D={number}");
            return Some(get(path, account));
        }
        Command::Numbers(command) => return Some(numbers::request(command, account)),
    };
    Some(json_request(method, path, account, &body))
}

/// The request that tells whether a call is alive: kept for some ten minutes after its end.
pub(super) fn look(carrier_call_id: &str, account: &Account) -> ApiRequest {
    let id = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
    get(format!("/v2/calls/{id}"), account)
}

/// What the reply to that says.
pub(super) fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    #[derive(Deserialize)]
    struct AliveBody {
        is_alive: bool,
    }
    match failure(status, body) {
        None => {
            let reply: Reply<AliveBody> = serde_json::from_slice(body).ok()?;
            let is_alive = reply.data.is_alive;
            Some(if is_alive { CallStatus::InProgress } else { CallStatus::Completed })
        }
        Some(CommandOutcome::Refused(error)) if over(error.clone()) == CommandOutcome::Done => {
            Some(CallStatus::Completed)
        }
        Some(_) => None,
    }
}

pub(super) fn json_request(
    method: Method,
    path: String,
    account: &Account,
    body: &Value,
) -> ApiRequest {
    ApiRequest {
        method,
        host: None,
        path,
        authorization: authorization(account),
        content_type: "application/json",
        body: body.to_string(),
    }
}

fn get(path: String, account: &Account) -> ApiRequest {
    ApiRequest { body: String::new(), ..json_request(Method::GET, path, account, &Value::Null) }
}

fn authorization(account: &Account) -> Authorization {
    let key = account.api.key.as_ref().map_or("", |key| key.secret.reveal());
    Authorization::Header(Secret::new(format!("Bearer {key}")))
}

fn dial(call: &Dial<'_>, account: &Account, nonce: Uuid) -> Value {
    let ring = call.ring_seconds.clamp(*TIMEOUT_SECONDS.start(), *TIMEOUT_SECONDS.end());
    // With the beep: what is left after it is recorded.
    let detection = match (call.detects_machine, call.awaits_recording) {
        (true, true) => "detect_beep",
        (true, false) => "detect",
        (false, _) => "disabled",
    };
    json!({
        "connection_id": account.application_id,
        "to": call.to.to_string(),
        "from": call.from.to_string(),
        "webhook_url": call.voice_url,
        "webhook_url_method": "POST",
        "timeout_secs": ring,
        "client_state": answer::call_state(call.voice_url),
        "answering_machine_detection": detection,
        "command_id": nonce,
    })
}

fn buy(order: &NumberOrder<'_>, account: &Account) -> Value {
    json!({
        "connection_id": account.application_id,
        "phone_numbers": [{ "phone_number": order.number.to_string() }],
    })
}

fn search_path(search: &NumberSearch<'_>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let kind = if search.is_toll_free { "toll_free" } else { "local" };
    let mut path = format!(
        "/v2/available_phone_numbers?filter%5Bcountry_code%5D={}&filter%5Bphone_number_type%5D={kind}\
         &filter%5Bfeatures%5D=voice&filter%5Blimit%5D={}",
        encoded(search.country),
        search.limit
    );
    if let Some(area) = search.area_code {
        path.push_str("&filter%5Bnational_destination_code%5D=");
        path.push_str(&encoded(area));
    }
    path
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    match failure(status, body) {
        None => success(command, body),
        Some(CommandOutcome::Refused(error)) => {
            if let Command::Numbers(command) = command {
                command.refused(error)
            } else if matches!(command, Command::HangUp { .. }) {
                over(error)
            } else {
                CommandOutcome::Refused(error)
            }
        }
        Some(outcome) => outcome,
    }
}

/// What the reply says of an answer: a call that has ended needs none.
pub(super) fn reply_outcome(status: u16, body: &[u8]) -> CommandOutcome {
    match failure(status, body) {
        None => CommandOutcome::Done,
        Some(CommandOutcome::Refused(error)) => over(error),
        Some(outcome) => outcome,
    }
}

/// There is no such call any more.
fn over(error: ApiError) -> CommandOutcome {
    if error.code == Some(ENDED) || error.status == 404 {
        CommandOutcome::Done
    } else {
        CommandOutcome::Refused(error)
    }
}

pub(super) fn failure(status: u16, body: &[u8]) -> Option<CommandOutcome> {
    Some(match status {
        200..300 => return None,
        429 => CommandOutcome::Busy,
        408 | 500.. => CommandOutcome::Unclear,
        _ => CommandOutcome::Refused(error(status, body)),
    })
}

#[derive(Deserialize)]
struct Reply<T> {
    data: T,
}

#[derive(Deserialize)]
struct CallBody {
    call_control_id: String,
}

#[derive(Deserialize)]
struct NumberBody {
    phone_number: String,
    #[serde(default)]
    region_information: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    region_type: String,
    region_name: String,
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => CommandOutcome::Done,
        Command::Dial(_) => match serde_json::from_slice::<Reply<CallBody>>(body) {
            Ok(reply) => CommandOutcome::Accepted { carrier_call_id: reply.data.call_control_id },
            Err(_) => CommandOutcome::Unclear,
        },
        Command::SearchNumbers(search) => match numbers(body) {
            Some(found) => {
                let offers = found.iter().filter_map(|number| offered(number, search));
                CommandOutcome::Offered(offers.collect())
            }
            None => CommandOutcome::Unclear,
        },
        Command::BuyNumber(_) => CommandOutcome::Owned(true),
        Command::FindNumber { number } => match numbers(body) {
            Some(found) => CommandOutcome::Owned(
                found.iter().any(|found| E164::parse(&found.phone_number) == Some(*number)),
            ),
            None => CommandOutcome::Unclear,
        },
        Command::Numbers(command) => {
            let found = numbers::success(command, body);
            found.map_or(CommandOutcome::Unclear, CommandOutcome::Numbers)
        }
        Command::FindCalls { from, to, since } => {
            match serde_json::from_slice::<Reply<Vec<ActiveBody>>>(body) {
                Ok(reply) => {
                    let found = reply.data.into_iter().filter_map(active);
                    let found = found.map(|(carrier_call_id, call)| FoundCall {
                        carrier_call_id,
                        call: Some(call),
                        from: Some(*from),
                        to: Some(*to),
                        status: CallStatus::Initiated,
                        created_at: *since,
                        answered_by: None,
                    });
                    CommandOutcome::Found(found.collect())
                }
                Err(_) => CommandOutcome::Unclear,
            }
        }
        Command::ListCalls { .. } => CommandOutcome::Unclear,
    }
}

#[derive(Deserialize)]
struct ActiveBody {
    call_control_id: String,
    client_state: Option<String>,
}

/// A call in progress that was placed here, and our id for it.
fn active(call: ActiveBody) -> Option<(String, CallId)> {
    let state = state::read(call.client_state.as_deref()?).filter(|s| s.left == Left::Call)?;
    let (_, query) = state.step.split_once('?')?;
    Some((call.call_control_id, call_id(query)?))
}

fn numbers(body: &[u8]) -> Option<Vec<NumberBody>> {
    serde_json::from_slice::<Reply<Vec<NumberBody>>>(body).ok().map(|reply| reply.data)
}

fn offered(number: &NumberBody, search: &NumberSearch<'_>) -> Option<OfferedNumber> {
    let region = |kinds: &[&str]| {
        let mut regions = number.region_information.iter();
        let found = regions.find(|region| kinds.contains(&region.region_type.as_str()))?;
        Some(found.region_name.clone())
    };
    Some(OfferedNumber {
        number: E164::parse(&number.phone_number)?,
        country: search.country.to_owned(),
        is_toll_free: search.is_toll_free,
        state: region(&["state"]),
        locality: region(&["rate_center", "location"]),
    })
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
    detail: Option<String>,
}

fn error(status: u16, body: &[u8]) -> ApiError {
    let first =
        serde_json::from_slice::<Errors>(body).ok().and_then(|body| body.errors.into_iter().next());
    let code = first.as_ref().and_then(|error| error.code.parse().ok());
    let message = first.map(|error| error.detail.unwrap_or(error.title)).unwrap_or_default();
    ApiError { cause: cause(status, code), status, code, message }
}

/// Telnyx's error codes, as far as a call to be placed meets them.
const fn cause(status: u16, code: Option<u32>) -> DialFailure {
    match (status, code) {
        (_, Some(10_016)) => DialFailure::InvalidNumber,
        (_, Some(10_010 | 10_038 | 10_039 | 20_012..=20_017)) => DialFailure::NotPermitted,
        (_, Some(90_041..=90_043 | 90_103)) => DialFailure::Busy,
        (_, Some(10_009 | 20_002 | 20_006)) | (401 | 403, None) => DialFailure::Credentials,
        (_, Some(_) | None) => DialFailure::Refused,
    }
}
