//! Reads the webhooks of carriers that took over Twilio's parameters, once they have proven
//! themselves (Twilio docs, voice/twiml and voice/api/call-resource).
//!
//! The signature has no separators, so it proves the text but not which name carries it: the ids
//! and numbers are checked for their shape.

use jiff::fmt::rfc2822::DateTimeParser;

use crate::{
    carriers::{
        AnsweredBy, DialOutcome, Endpoint, Event, Progress, Refused, StreamEvent, VoiceRequest,
        Webhook,
        shared::{
            form::{Form, call_id},
            party::{ani, number},
        },
    },
    domain::{Account, Attestation, CallStatus, Direction, InboundCall, UnixMillis},
};

/// What a carrier's id of a call looks like.
pub type IsCallId = fn(&str) -> bool;

/// Reads a request from its parameters; `query` is the URL's.
///
/// # Errors
/// It is another account's, or says of no call.
pub fn parse<'a>(
    endpoint: Endpoint,
    mut form: Form<'a>,
    query: &str,
    account: &Account,
    is_call_id: IsCallId,
) -> Result<Webhook<'a>, Refused> {
    match form.get("AccountSid") {
        None => return Err(Refused::Malformed("no AccountSid")),
        Some(sid) if sid != account.account_id => return Err(Refused::AccountMismatch),
        Some(_) => {}
    }
    let call_sid = form.take("CallSid").ok_or(Refused::Malformed("no CallSid"))?;
    if !is_call_id(&call_sid) {
        return Err(Refused::Malformed("CallSid is no call's"));
    }
    let is_voice = endpoint != Endpoint::Status;
    // Status webhooks have an ErrorCode of their own: why the call failed.
    let is_fallback = form.get("ErrorUrl").is_some() || is_voice && form.get("ErrorCode").is_some();
    let event = if is_voice {
        Event::Voice(voice_request(&form, account))
    } else {
        status_event(&mut form, query, is_call_id)
    };
    Ok(Webhook { carrier_call_id: call_sid, event_id: None, step: None, is_fallback, event })
}

fn voice_request(form: &Form<'_>, account: &Account) -> VoiceRequest {
    let status = form.get("CallStatus").and_then(call_status);
    VoiceRequest {
        call: InboundCall {
            account: Some(account.id),
            dnis: number(called(form)),
            ani: ani(caller(form)),
            forwarded_from: form.get("ForwardedFrom").and_then(|text| ani(text).number()),
            attestation: attestation(form.get("StirVerstat")),
        },
        direction: direction(form),
        is_answered: matches!(status, Some(CallStatus::InProgress | CallStatus::Completed)),
        is_over: status.is_some_and(CallStatus::is_final),
        dial: form.get("DialCallStatus").map(dial_outcome),
        answered_by: form.get("AnsweredBy").map(answered_by),
    }
}

fn status_event<'a>(form: &mut Form<'a>, query: &str, is_call_id: IsCallId) -> Event<'a> {
    if let Some(event) = form.get("StreamEvent") {
        return match event {
            "stream-started" => Event::Stream(StreamEvent::Started),
            "stream-stopped" => Event::Stream(StreamEvent::Stopped),
            "stream-error" => {
                Event::Stream(StreamEvent::Failed(form.take("StreamError").unwrap_or_default()))
            }
            _ => Event::Unknown,
        };
    }
    let who = form.get("AnsweredBy").map(answered_by);
    match (form.get("CallStatus"), who) {
        (Some(word), _) => match call_status(word) {
            Some(status) => {
                let parent = form.take("ParentCallSid").filter(|id| is_call_id(id));
                Event::Progress(Progress { parent, ..progress(form, query, status, who) })
            }
            None => Event::Unknown,
        },
        (None, Some(who)) => Event::AnsweredBy(who),
        (None, None) => Event::Unknown,
    }
}

fn progress<'a>(
    form: &Form<'a>,
    query: &str,
    status: CallStatus,
    answered_by: Option<AnsweredBy>,
) -> Progress<'a> {
    let sip_code = form.get("SipResponseCode").or_else(|| form.get("SipResultCode"));
    Progress {
        status,
        direction: direction(form),
        is_placed: form.get("Direction") == Some("outbound-api"),
        parent: None,
        from: ani(caller(form)).number(),
        to: number(called(form)),
        sequence: form.get("SequenceNumber").and_then(|text| text.parse().ok()),
        duration_seconds: form.get("CallDuration").and_then(|text| text.parse().ok()),
        answered_by,
        sip_code: sip_code.and_then(|text| text.parse().ok()),
        at: form.get("Timestamp").and_then(timestamp),
        call: call_id(query),
    }
}

/// The same value comes under two names.
fn caller<'f>(form: &'f Form<'_>) -> &'f str {
    form.get("From").or_else(|| form.get("Caller")).unwrap_or_default()
}

fn called<'f>(form: &'f Form<'_>) -> &'f str {
    form.get("To").or_else(|| form.get("Called")).unwrap_or_default()
}

/// Only these three words vouch for a caller: not `-Diverted`, where the diverting carrier was
/// verified, nor `-Passthrough` (Twilio docs, voice/trusted-calling-with-shakenstir).
#[must_use]
pub fn attestation(text: Option<&str>) -> Attestation {
    match text {
        Some("TN-Validation-Passed-A") => Attestation::A,
        Some("TN-Validation-Passed-B") => Attestation::B,
        Some("TN-Validation-Passed-C") => Attestation::C,
        _ => Attestation::None,
    }
}

/// `outbound-api` and `outbound-dial` are outbound; `inbound` and anything else comes to us.
fn direction(form: &Form<'_>) -> Direction {
    match form.get("Direction") {
        Some(word) if word.starts_with("outbound") => Direction::Outbound,
        _ => Direction::Inbound,
    }
}

/// A status by its word.
#[must_use]
pub fn call_status(word: &str) -> Option<CallStatus> {
    Some(match word {
        "queued" => CallStatus::Queued,
        "initiated" => CallStatus::Initiated,
        "ringing" => CallStatus::Ringing,
        "in-progress" => CallStatus::InProgress,
        "completed" => CallStatus::Completed,
        "no-answer" => CallStatus::NoAnswer,
        "busy" => CallStatus::Busy,
        "canceled" => CallStatus::Canceled,
        "failed" => CallStatus::Failed,
        _ => return None,
    })
}

/// An unknown word counts as failed: trying the next target is better than hanging up on somebody.
#[must_use]
pub fn dial_outcome(word: &str) -> DialOutcome {
    match call_status(word) {
        Some(CallStatus::Completed | CallStatus::InProgress) => DialOutcome::Answered,
        Some(status) => DialOutcome::Unanswered(status),
        None if word == "answered" => DialOutcome::Answered,
        None => DialOutcome::Unanswered(CallStatus::Failed),
    }
}

/// Who answered, by the word.
#[must_use]
pub fn answered_by(word: &str) -> AnsweredBy {
    match word {
        "human" => AnsweredBy::Human,
        "fax" => AnsweredBy::Fax,
        word if word.starts_with("machine_end") => AnsweredBy::MachineEnd,
        word if word.starts_with("machine") => AnsweredBy::MachineStart,
        _ => AnsweredBy::Unknown,
    }
}

/// A time as parameters and the API have it (RFC 2822).
#[must_use]
pub fn timestamp(text: &str) -> Option<UnixMillis> {
    let time = DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis)
}
