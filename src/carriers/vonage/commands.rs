//! Vonage's REST API as values: the request for a command, and what its reply means (Vonage
//! api-specification, voice.yml). It sends nothing.
//!
//! Every request bears a token of its own, signed with the application's private key, but for those
//! about numbers (`numbers.rs`), which the API's secret is for. None is bought.

use base64_simd::URL_SAFE_NO_PAD;
use http::Method;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{answer, numbers};
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, CallPage, Command, CommandOutcome, Dial, FoundCall,
        shared::{party::plusless::digits, query},
    },
    domain::{Account, CallStatus, DialFailure, E164, Secret, UnixMillis},
};

/// Where the API is.
pub(super) const API_URL: &str = "https://api.nexmo.com";

/// How long a token is good, in seconds: Vonage's own libraries' default.
const TOKEN_LIFE: u64 = 900;

/// The header of a token.
const JOSE_HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// Rows of a page at most.
const PAGE_SIZE: usize = 100;

/// How long a call may ring: more is refused (voice.yml, `ringing_timer`).
const RING_SECONDS_MAX: u32 = 120;

/// How long the beep of a machine is waited for: less is refused.
const BEEP_SECONDS: u32 = 45;

/// None for what the API has not, and for an account whose private key is none.
pub(super) fn request(
    command: &Command<'_>,
    account: &Account,
    now: UnixMillis,
    nonce: Uuid,
) -> Option<ApiRequest> {
    let call_path = |id: &str| format!("/v1/calls/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            (Method::PUT, call_path(carrier_call_id), json!({ "action": "hangup" }).to_string())
        }
        Command::Redirect { carrier_call_id, url } => {
            (Method::PUT, call_path(carrier_call_id), transfer(carrier_call_id, url)?)
        }
        Command::Dial(call) => (Method::POST, "/v1/calls".to_owned(), dial_body(call)),
        // Neither can be asked for by number.
        Command::FindCalls { since, .. } => (Method::GET, list_path(*since, 0), String::new()),
        Command::ListCalls { since, page } => {
            let from = page.map_or(Some(0), |page| page.parse().ok())?;
            (Method::GET, list_path(*since, from), String::new())
        }
        Command::Numbers(command) => return numbers::request(command, account),
        Command::SearchNumbers(_) | Command::BuyNumber(_) | Command::FindNumber { .. } => {
            return None;
        }
    };
    let token = Secret::new(format!("Bearer {}", token(account, now, nonce)?));
    let (authorization, content_type) = (Authorization::Header(token), "application/json");
    Some(ApiRequest { method, host: None, path, authorization, content_type, body })
}

/// What a token says, in the order of Vonage's own libraries.
#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    jti: Uuid,
    application_id: &'a str,
    exp: u64,
}

fn token(account: &Account, now: UnixMillis, nonce: Uuid) -> Option<String> {
    let iat = now.seconds().0;
    let application_id = account.application_id.as_str();
    let claims = Claims { iat, jti: nonce, application_id, exp: iat + TOKEN_LIFE };
    let key = key_pair(account.api.private_key.as_ref()?)?;
    issue(&serde_json::to_vec(&claims).ok()?, &key)
}

/// A token that says this (RFC 7515 §3.1, RFC 7518 §3.3).
pub(super) fn issue(claims: &[u8], key: &RsaKeyPair) -> Option<String> {
    let mut token = URL_SAFE_NO_PAD.encode_to_string(JOSE_HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(claims, &mut token);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature).ok()?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_append(signature, &mut token);
    Some(token)
}

/// The key that an account's text holds, as PEM. Environments and JSON often hold its line breaks
/// as two letters.
pub(super) fn key_pair(pem: &Secret) -> Option<RsaKeyPair> {
    let pem = pem.reveal().replace("\\n", "\n");
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Sec1(_) | _ => None,
    }
}

/// The call's next document asks the URL: what it brings back is then signed, which the query of
/// a URL that Vonage fetches need not be.
fn transfer(carrier_call_id: &str, url: &str) -> Option<String> {
    let joint = if url.contains('?') { '&' } else { '?' };
    let mut leg = String::new();
    query::push(&mut leg, answer::LEG, carrier_call_id);
    let mut document = Vec::new();
    answer::ask(&format!("{url}{joint}{leg}"), carrier_call_id, &mut document);
    let document: Value = serde_json::from_slice(&document).ok()?;
    let destination = json!({ "type": "ncco", "ncco": document });
    Some(json!({ "action": "transfer", "destination": destination }).to_string())
}

fn dial_body(call: &Dial<'_>) -> String {
    let mut body = json!({
        "to": [{ "type": "phone", "number": answer::digits(call.to) }],
        "from": { "type": "phone", "number": answer::digits(call.from) },
        "answer_url": [call.voice_url],
        // As a GET, our own part of the query would be hashed in an order that no page settles.
        "answer_method": "POST",
        "event_url": [call.status_url],
        "event_method": "POST",
        "ringing_timer": call.ring_seconds.clamp(1, RING_SECONDS_MAX),
    });
    if let (true, Some(body)) = (call.detects_machine, body.as_object_mut()) {
        // With the beep: what is left after it is recorded.
        let detection = json!({
            "behavior": "continue", "mode": "detect_beep", "beep_timeout": BEEP_SECONDS,
        });
        body.insert("advanced_machine_detection".to_owned(), detection);
    }
    body.to_string()
}

fn list_path(since: UnixMillis, from: usize) -> String {
    let mut query = String::new();
    query::push(&mut query, "date_start", &format!("{}T00:00:00Z", query::day(since)));
    query::push(&mut query, "order", "desc");
    query::push(&mut query, "page_size", &PAGE_SIZE.to_string());
    query::push(&mut query, "record_index", &from.to_string());
    format!("/v1/calls?{query}")
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    match (command, status) {
        (_, 200..300) => success(command, body),
        (_, 429) => CommandOutcome::Busy,
        // Whoever answers so may have passed it on before.
        (_, 408 | 500..) => CommandOutcome::Unclear,
        // Gone, or over already: what else is wrong with a hang-up has another status.
        (Command::HangUp { .. }, 400 | 404) => CommandOutcome::Done,
        (Command::Numbers(command), _) => command.refused(error(status, body)),
        _ => CommandOutcome::Refused(error(status, body)),
    }
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => Some(CommandOutcome::Done),
        Command::Dial(_) => serde_json::from_slice::<PlacedBody>(body)
            .ok()
            .map(|placed| CommandOutcome::Accepted { carrier_call_id: placed.uuid }),
        Command::FindCalls { from, to, since } => page(body, Some(*since)).map(|page| {
            let is_it = |call: &FoundCall| call.from == Some(*from) && call.to == Some(*to);
            CommandOutcome::Found(page.calls.into_iter().filter(is_it).collect())
        }),
        Command::ListCalls { .. } => page(body, None).map(CommandOutcome::Listed),
        Command::Numbers(command) => numbers::success(command, body).map(CommandOutcome::Numbers),
        Command::SearchNumbers(_) | Command::BuyNumber(_) | Command::FindNumber { .. } => None,
    }
    .unwrap_or(CommandOutcome::Unclear)
}

#[derive(Deserialize)]
struct PlacedBody {
    uuid: String,
}

#[derive(Deserialize)]
struct ListBody {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    record_index: usize,
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

#[derive(Deserialize)]
struct Embedded {
    calls: Vec<CallBody>,
}

#[derive(Deserialize)]
struct CallBody {
    uuid: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    from: Value,
    #[serde(default)]
    to: Value,
    start_time: Option<String>,
}

/// A page of calls that went out to a phone. One that nobody answered has no time: where that is
/// looked for, it is as old as may be.
fn page(body: &[u8], since: Option<UnixMillis>) -> Option<CallPage> {
    let list: ListBody = serde_json::from_slice(body).ok()?;
    let calls = &list.embedded.calls;
    let is_placed = |call: &&CallBody| call.direction == "outbound" && party(&call.to).is_some();
    let next = list.record_index.saturating_add(calls.len());
    Some(CallPage {
        calls: calls.iter().filter(is_placed).filter_map(|call| found(call, since)).collect(),
        listed: calls.len(),
        next: (!calls.is_empty() && next < list.count).then(|| next.to_string()),
    })
}

fn found(call: &CallBody, since: Option<UnixMillis>) -> Option<FoundCall> {
    let began = call.start_time.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    let began = began.and_then(|at| u64::try_from(at.as_millisecond()).ok()).map(UnixMillis);
    Some(FoundCall {
        call: None,
        carrier_call_id: call.uuid.clone(),
        from: party(&call.from),
        to: party(&call.to),
        status: status(&call.status),
        created_at: began.or(since)?,
        answered_by: None,
    })
}

/// `{"type":"phone","number":"14155550100"}`, or the number alone.
fn party(value: &Value) -> Option<E164> {
    value.as_str().or_else(|| value.get("number")?.as_str()).and_then(digits)
}

fn status(word: &str) -> CallStatus {
    match word {
        "started" => CallStatus::Initiated,
        "ringing" => CallStatus::Ringing,
        "answered" | "machine" | "human" => CallStatus::InProgress,
        "completed" => CallStatus::Completed,
        "busy" | "rejected" => CallStatus::Busy,
        "unanswered" | "timeout" => CallStatus::NoAnswer,
        "cancelled" => CallStatus::Canceled,
        _ => CallStatus::Failed,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    title: String,
    detail: String,
    error_title: String,
    #[serde(rename = "error-code-label")]
    label: String,
    invalid_parameters: Value,
}

/// An error body; Vonage has had four shapes of them. There are no codes.
fn error(status: u16, body: &[u8]) -> ApiError {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let ErrorBody { title, detail, error_title, label, invalid_parameters } = body;
    let is_none = invalid_parameters.is_null();
    let invalid = if is_none { String::new() } else { invalid_parameters.to_string() };
    let said = [&error_title, &label, &title, &detail, &invalid];
    let said: Vec<&str> = said.into_iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
    let cause = cause(status, &invalid);
    ApiError { cause, status, code: None, message: said.join(": ") }
}

/// What an error comes to for a call that was to be placed, by its status and the parameters that
/// it names.
fn cause(status: u16, invalid: &str) -> DialFailure {
    let names = |name: &str| invalid.contains(&format!("\"{name}"));
    match status {
        401 => DialFailure::Credentials,
        402 | 403 => DialFailure::NotPermitted,
        _ if names("from") => DialFailure::InvalidCallerId,
        _ if names("to") => DialFailure::InvalidNumber,
        _ => DialFailure::Refused,
    }
}
