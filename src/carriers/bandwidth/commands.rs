//! Bandwidth's REST API as values: the request for a command, and what its reply means (Bandwidth
//! docs, apis/voice; python-sdk 23 `api/calls_api.py`). It sends nothing.
//!
//! Numbers are bought for a location, which an account here does not name, so none is.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer::fallback, numbers, signature, webhook};
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, Command, CommandOutcome, Dial, FoundCall,
        shared::{credentials, query},
    },
    domain::{Account, CallStatus, DialFailure, E164},
};

/// Where calls are told what to do.
pub(super) const API_URL: &str = "https://voice.bandwidth.com";

/// Where tokens are given.
const TOKEN_HOST: &str = "https://api.bandwidth.com";
const TOKEN_PATH: &str = "/api/v1/oauth2/token";

/// How long a call may ring, in seconds.
const CALL_TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 1..=300;

pub(super) fn request(command: &Command<'_>, account: &Account) -> Option<ApiRequest> {
    let account_id = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    let base = format!("/api/v2/accounts/{account_id}/calls");
    let call_path = |id: &str| format!("{base}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let own = account.secrets.first().map(signature::own).unwrap_or_default();
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            (Method::POST, call_path(carrier_call_id), json!({ "state": "completed" }).to_string())
        }
        Command::Redirect { carrier_call_id, url } => {
            (Method::POST, call_path(carrier_call_id), redirect_body(url, own).to_string())
        }
        Command::Dial(call) => {
            (Method::POST, base, dial_body(call, &account.application_id, own).to_string())
        }
        Command::FindCalls { from, to, since } => {
            let mut query = String::new();
            query::push(&mut query, "from", &from.to_string());
            query::push(&mut query, "to", &to.to_string());
            query::push(&mut query, "minStartTime", &format!("{}T00:00:00Z", query::day(*since)));
            (Method::GET, format!("{base}?{query}"), String::new())
        }
        // Calls are listed oldest first, and pages are named in a header alone.
        Command::ListCalls { .. }
        | Command::SearchNumbers(_)
        | Command::BuyNumber(_)
        | Command::FindNumber { .. } => return None,
        Command::Numbers(command) => {
            return numbers::request(command, account, authorization(account));
        }
    };
    Some(ApiRequest {
        method,
        host: None,
        path,
        authorization: authorization(account),
        content_type: "application/json",
        body,
    })
}

/// The request that tells where a call stands: kept for a week after its end.
pub(super) fn look(carrier_call_id: &str, account: &Account) -> ApiRequest {
    let encoded = |id| utf8_percent_encode(id, NON_ALPHANUMERIC);
    let (account_id, call) = (encoded(&account.account_id), encoded(carrier_call_id));
    ApiRequest {
        method: Method::GET,
        host: None,
        path: format!("/api/v2/accounts/{account_id}/calls/{call}"),
        authorization: authorization(account),
        content_type: "application/json",
        body: String::new(),
    }
}

/// What the reply to that says.
pub(super) fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    match status {
        200..300 => serde_json::from_slice::<CallState>(body).ok().map(|call| stands(&call)),
        404 => Some(CallStatus::Completed),
        _ => None,
    }
}

/// By token where the account has a client, else by a user of the API.
fn authorization(account: &Account) -> Authorization {
    if let Some(client) = &account.api.client {
        return Authorization::ClientCredentials {
            token_host: TOKEN_HOST,
            token_path: TOKEN_PATH,
            client_id: client.id.clone(),
            client_secret: client.secret.clone(),
        };
    }
    let key = account.api.key.as_ref();
    let (user, password) = key.map_or(("", ""), |key| (&key.id, key.secret.reveal()));
    Authorization::Header(credentials::basic(user, password))
}

fn redirect_body(url: &str, (user, password): (&str, &str)) -> Value {
    json!({
        "state": "active",
        "redirectUrl": url,
        "redirectMethod": "POST",
        "redirectFallbackUrl": fallback(url),
        "redirectFallbackMethod": "POST",
        "username": user,
        "password": password,
        "fallbackUsername": user,
        "fallbackPassword": password,
    })
}

fn dial_body(call: &Dial<'_>, application: &str, (user, password): (&str, &str)) -> Value {
    let ring = call.ring_seconds;
    let mut body = json!({
        "from": call.from.to_string(),
        "to": call.to.to_string(),
        "applicationId": application,
        "answerUrl": call.voice_url,
        "answerMethod": "POST",
        "answerFallbackUrl": fallback(call.voice_url),
        "answerFallbackMethod": "POST",
        "disconnectUrl": call.status_url,
        "disconnectMethod": "POST",
        "username": user,
        "password": password,
        "fallbackUsername": user,
        "fallbackPassword": password,
        "callTimeout": ring.clamp(*CALL_TIMEOUT_SECONDS.start(), *CALL_TIMEOUT_SECONDS.end()),
    });
    if let (true, Some(body)) = (call.detects_machine, body.as_object_mut()) {
        // Nobody is kept waiting in silence while Bandwidth listens.
        let detection = json!({
            "mode": "async",
            "callbackUrl": call.status_url,
            "callbackMethod": "POST",
            "username": user,
            "password": password,
        });
        body.insert("machineDetection".to_owned(), detection);
    }
    body
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    match (command, status) {
        (_, 200..300) => success(command, body),
        (_, 429) => CommandOutcome::Busy,
        // Whoever answers so may have passed it on before.
        (_, 408 | 500..) => CommandOutcome::Unclear,
        // Gone already.
        (Command::HangUp { .. }, 404) => CommandOutcome::Done,
        (Command::Numbers(command), _) => command.refused(error(status, body)),
        _ => CommandOutcome::Refused(error(status, body)),
    }
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => Some(CommandOutcome::Done),
        Command::Dial(_) => serde_json::from_slice::<Created>(body)
            .ok()
            .map(|call| CommandOutcome::Accepted { carrier_call_id: call.call_id }),
        Command::FindCalls { .. } => serde_json::from_slice::<Vec<CallState>>(body).ok().map(
            // Newest first, as they are wanted.
            |calls| CommandOutcome::Found(calls.iter().rev().filter_map(found).collect()),
        ),
        Command::ListCalls { .. }
        | Command::SearchNumbers(_)
        | Command::BuyNumber(_)
        | Command::FindNumber { .. } => None,
        Command::Numbers(command) => numbers::success(command, body).map(CommandOutcome::Numbers),
    }
    .unwrap_or(CommandOutcome::Unclear)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    call_id: String,
}

/// A call as it is listed. Nearly everything of it may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallState {
    call_id: String,
    parent_call_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
    direction: Option<String>,
    state: Option<String>,
    enqueued_time: Option<String>,
    start_time: Option<String>,
    disconnect_cause: Option<String>,
}

fn stands(call: &CallState) -> CallStatus {
    match call.state.as_deref() {
        Some("queued") => CallStatus::Queued,
        Some("answered") => CallStatus::InProgress,
        Some("disconnected") => {
            webhook::status(call.disconnect_cause.as_deref().unwrap_or_default())
        }
        _ => CallStatus::Initiated,
    }
}

fn found(call: &CallState) -> Option<FoundCall> {
    let is_placed = call.direction.as_deref() == Some("outbound") && call.parent_call_id.is_none();
    let time = call.enqueued_time.as_deref().or(call.start_time.as_deref())?;
    is_placed.then_some(())?;
    Some(FoundCall {
        call: None,
        carrier_call_id: call.call_id.clone(),
        from: call.from.as_deref().and_then(E164::parse),
        to: call.to.as_deref().and_then(E164::parse),
        status: stands(call),
        created_at: webhook::timestamp(time)?,
        answered_by: None,
    })
}

fn error(status: u16, body: &[u8]) -> ApiError {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = ["description", "message", "error"];
    let message = words.iter().find_map(|name| json.get(name)?.as_str()).map(str::to_owned);
    let message = message.or_else(|| numbers::description(body)).unwrap_or_default();
    ApiError { cause: cause(status, &message), status, code: None, message }
}

/// What an error comes to for a call that was to be placed, by its status and its words: there are
/// no codes.
fn cause(status: u16, message: &str) -> DialFailure {
    let message = message.to_ascii_lowercase();
    let blames = |field: &str| {
        let forms = [
            format!("invalid {field}"),
            format!("'{field}'"),
            format!("\"{field}\""),
            format!("`{field}`"),
            format!("{field}:"),
            format!("{field} number"),
        ];
        forms.iter().any(|form| message.contains(form.as_str()))
    };
    match status {
        // An account that is not theirs who ask is not found.
        401 | 404 => DialFailure::Credentials,
        402 | 403 => DialFailure::NotPermitted,
        _ if blames("from") => DialFailure::InvalidCallerId,
        _ if blames("to") => DialFailure::InvalidNumber,
        _ => DialFailure::Refused,
    }
}
