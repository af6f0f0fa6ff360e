//! Reads Plivo's webhooks, once they have proven themselves (Plivo docs, voice/xml/request and
//! voice/api/call).
//!
//! The signature has no separators, so it proves the text but not which name carries it: ids and
//! numbers are checked for their shape here.

use crate::{
    carriers::{
        AnsweredBy, DialOutcome, Endpoint, Event, Progress, Refused, StreamEvent, VoiceRequest,
        Webhook,
        shared::{
            form::{Form, call_id},
            party::plusless::{ani, number},
        },
    },
    domain::{Account, Attestation, CallStatus, Direction, InboundCall},
};

/// A UUID has 36 characters. A longer id has swallowed its neighbour.
const CALL_UUID_LEN_MAX: usize = 36;

/// What tells a fallback URL from the one that failed: Plivo itself says nothing of it.
pub(super) const FALLBACK: &str = "fallback=1";

/// Reads a request from its parameters; `query` is the URL's.
pub(super) fn parse<'a>(
    endpoint: Endpoint,
    mut form: Form<'a>,
    query: &str,
    account: &Account,
) -> Result<Webhook<'a>, Refused> {
    // A sub-account's requests name its parent, of which we need not know.
    let is_main = account.account_id.starts_with("MA");
    if is_main && form.get("ParentAuthID").is_some_and(|id| id != account.account_id) {
        return Err(Refused::AccountMismatch);
    }
    let call_uuid = form.take("CallUUID").ok_or(Refused::Malformed("no CallUUID"))?;
    if !is_call_uuid(&call_uuid) {
        return Err(Refused::Malformed("CallUUID is no call's"));
    }
    let is_fallback = query.split('&').any(|part| part == FALLBACK);
    let event = if is_asking(endpoint, &form) {
        Event::Voice(voice_request(&form, account))
    } else {
        status_event(&mut form, &call_uuid, query)
    };
    Ok(Webhook { carrier_call_id: call_uuid, event_id: None, step: None, is_fallback, event })
}

/// Whether it wants a document. An application without a hangup URL tells the end of a call to the
/// answer URL; what follows a dial or a stream is always asked for.
fn is_asking(endpoint: Endpoint, form: &Form<'_>) -> bool {
    match endpoint {
        Endpoint::Status => false,
        Endpoint::Resume => form.get("Event") != Some("Hangup"),
        Endpoint::Voice => {
            form.get("Event") != Some("Hangup") && !status(form).is_some_and(CallStatus::is_final)
        }
    }
}

fn voice_request(form: &Form<'_>, account: &Account) -> VoiceRequest {
    let status = status(form);
    VoiceRequest {
        call: InboundCall {
            account: Some(account.id),
            dnis: form.get("To").and_then(number),
            ani: ani(form.get("From").unwrap_or_default()),
            forwarded_from: form.get("ForwardedFrom").and_then(|text| ani(text).number()),
            attestation: attestation(form),
        },
        direction: direction(form),
        is_answered: matches!(status, Some(CallStatus::InProgress | CallStatus::Completed)),
        is_over: status.is_some_and(CallStatus::is_final),
        dial: form.get("DialStatus").map(dial_outcome),
        answered_by: answered_by(form),
    }
}

fn status_event<'a>(form: &mut Form<'a>, call_uuid: &str, query: &str) -> Event<'a> {
    // Two of Plivo's pages have two spellings of a stream's events.
    match form.get("Event").unwrap_or_default() {
        "StartStream" | "started" => return Event::Stream(StreamEvent::Started),
        "StopStream" | "stopped" => return Event::Stream(StreamEvent::Stopped),
        "DroppedStream" | "failed" => {
            let why = form.take("StatusReason").unwrap_or_else(|| "dropped".into());
            return Event::Stream(StreamEvent::Failed(why));
        }
        "MachineDetection" => {
            return answered_by(form).map_or(Event::Unknown, Event::AnsweredBy);
        }
        _ => {}
    }
    let Some(status) = status(form) else { return Event::Unknown };
    let first_leg = form.take("ALegUUID");
    let parent = first_leg.filter(|first| first != call_uuid && is_call_uuid(first));
    let is_requested = form.get("RequestUUID").or_else(|| form.get("ALegRequestUUID")).is_some();
    let direction = direction(form);
    Event::Progress(Progress {
        status,
        direction,
        is_placed: direction == Direction::Outbound && is_requested && parent.is_none(),
        parent,
        from: form.get("From").and_then(|text| ani(text).number()),
        to: form.get("To").and_then(number),
        sequence: None,
        duration_seconds: form.get("Duration").and_then(|text| text.parse().ok()),
        answered_by: answered_by(form),
        sip_code: None,
        // StartTime and EndTime do not say of which time zone.
        at: None,
        call: call_id(query),
    })
}

pub(super) fn is_call_uuid(text: &str) -> bool {
    (1..=CALL_UUID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Both say so, or nobody vouches. The names were seen in the field; no page of Plivo's has them.
fn attestation(form: &Form<'_>) -> Attestation {
    let is_verified =
        form.get("STIRVerification").is_some_and(|word| word.eq_ignore_ascii_case("verified"));
    match form.get("STIRAttestation").filter(|_| is_verified) {
        Some("A" | "a") => Attestation::A,
        Some("B" | "b") => Attestation::B,
        Some("C" | "c") => Attestation::C,
        _ => Attestation::None,
    }
}

fn direction(form: &Form<'_>) -> Direction {
    match form.get("Direction") {
        Some("outbound") => Direction::Outbound,
        _ => Direction::Inbound,
    }
}

fn status(form: &Form<'_>) -> Option<CallStatus> {
    form.get("CallStatus").and_then(call_status)
}

pub(super) fn call_status(word: &str) -> Option<CallStatus> {
    Some(match word {
        "queued" => CallStatus::Queued,
        "initiated" => CallStatus::Initiated,
        "ringing" => CallStatus::Ringing,
        "in-progress" => CallStatus::InProgress,
        "completed" => CallStatus::Completed,
        "no-answer" | "timeout" => CallStatus::NoAnswer,
        "busy" => CallStatus::Busy,
        "cancel" | "canceled" | "cancelled" => CallStatus::Canceled,
        "failed" => CallStatus::Failed,
        _ => return None,
    })
}

/// An unknown word counts as failed: trying the next target is better than hanging up on somebody.
fn dial_outcome(word: &str) -> DialOutcome {
    match call_status(word) {
        Some(CallStatus::Completed | CallStatus::InProgress) => DialOutcome::Answered,
        Some(status) => DialOutcome::Unanswered(status),
        None if word == "answer" || word == "answered" => DialOutcome::Answered,
        None => DialOutcome::Unanswered(CallStatus::Failed),
    }
}

/// Plivo tells a machine from a person, and no more; when it may be spoken to, it does not say.
fn answered_by(form: &Form<'_>) -> Option<AnsweredBy> {
    match form.get("Machine")? {
        "true" => Some(AnsweredBy::MachineStart),
        "false" => Some(AnsweredBy::Human),
        _ => Some(AnsweredBy::Unknown),
    }
}
