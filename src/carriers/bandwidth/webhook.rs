//! Reads Bandwidth's events, once they have proven themselves (Bandwidth docs, voice/webhooks;
//! python-sdk 23 `models/*_callback.py`).
//!
//! An event says what it is, whichever URL it comes to: JSON in the body, or its fields in the
//! query of a GET, beside our own. What objects hold is in JSON alone.

use std::borrow::Cow;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    carriers::{
        AnsweredBy, DialOutcome, Event, Progress, Refused, Request, StreamEvent, VoiceRequest,
        Webhook,
        shared::{
            form::{Form, call_id},
            party,
        },
    },
    domain::{Account, Attestation, CallStatus, Direction, E164, InboundCall, UnixMillis},
};

/// A call's id is `c-`, eight digits and a UUID; a longer text is none.
const CALL_ID_LEN_MAX: usize = 128;

/// What tells a fallback URL from the one that failed: Bandwidth itself says nothing of it.
pub(super) const FALLBACK: &str = "fallback=1";

/// A text that may be missing, or null.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    event_type: Option<Text<'a>>,
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow)]
    call_id: Option<Text<'a>>,
    #[serde(borrow)]
    parent_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    direction: Option<Text<'a>>,
    #[serde(borrow)]
    answer_time: Option<Text<'a>>,
    #[serde(borrow)]
    end_time: Option<Text<'a>>,
    #[serde(borrow)]
    cause: Option<Text<'a>>,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
    #[serde(borrow)]
    digit: Option<Text<'a>>,
    #[serde(default)]
    sip_response_code: Value,
    #[serde(borrow)]
    stir_shaken: Option<StirShaken<'a>>,
    #[serde(borrow)]
    machine_detection_result: Option<Detected<'a>>,
    /// Keys and values are a SIP header's, so whatever a switch has put there.
    #[serde(default)]
    diversion: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StirShaken<'a> {
    #[serde(borrow)]
    verstat: Option<Text<'a>>,
    #[serde(borrow)]
    attestation_indicator: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Detected<'a> {
    #[serde(borrow)]
    value: Option<Text<'a>>,
}

/// Reads an event.
pub(super) fn parse<'a>(request: &Request<'a>, account: &Account) -> Result<Webhook<'a>, Refused> {
    let query = request.query();
    let mut body: Body<'a> = if *request.method == Method::GET {
        from_query(query)?
    } else {
        serde_json::from_slice(request.body)
            .map_err(|_| Refused::Malformed("the body is no event"))?
    };
    match body.account_id.as_ref() {
        None => return Err(Refused::Malformed("no accountId")),
        Some(Text(id)) if *id != account.account_id => return Err(Refused::AccountMismatch),
        Some(_) => {}
    }
    let is_call = body.call_id.as_ref().is_some_and(|Text(id)| is_call_id(id));
    let event = if is_call { event(&mut body, query, account) } else { Event::Unknown };
    let carrier_call_id = body.call_id.take().filter(|_| is_call);
    Ok(Webhook {
        carrier_call_id: carrier_call_id.map(|Text(id)| id).unwrap_or_default(),
        event_id: event_id(&body),
        step: None,
        is_fallback: query.split('&').any(|part| part == FALLBACK),
        event,
    })
}

/// The fields of a GET. A plus that nobody escaped has become a blank.
fn from_query(query: &str) -> Result<Body<'_>, Refused> {
    let mut form = Form::parse(query).map_err(|_| Refused::Malformed("too many parameters"))?;
    let mut text = |name: &str| form.take(name).map(Text);
    let mut body = Body {
        event_type: text("eventType"),
        event_time: text("eventTime"),
        account_id: text("accountId"),
        call_id: text("callId"),
        parent_call_id: text("parentCallId"),
        from: text("from"),
        to: text("to"),
        direction: text("direction"),
        answer_time: text("answerTime"),
        end_time: text("endTime"),
        cause: text("cause"),
        error_message: text("errorMessage"),
        digit: text("digit"),
        ..Body::default()
    };
    for party in [&mut body.from, &mut body.to].into_iter().flatten() {
        if let Some(digits) = party.0.strip_prefix(' ') {
            party.0 = Cow::Owned(format!("+{digits}"));
        }
    }
    Ok(body)
}

/// An event of a call may come twice, to one URL or to another; its time tells it from the next of
/// its kind.
fn event_id(body: &Body<'_>) -> Option<Cow<'static, str>> {
    let (Text(kind), Text(time)) = (body.event_type.as_ref()?, body.event_time.as_ref()?);
    Some(Cow::Owned([kind, " ", time].concat()))
}

fn event<'a>(body: &mut Body<'a>, query: &str, account: &Account) -> Event<'a> {
    let answered_by = body.answered_by();
    let kind = body.event_type.as_ref().map_or("", |Text(kind)| kind.as_ref());
    match kind {
        "initiate" | "redirect" => Event::Voice(body.voice(account)),
        "answer" => {
            Event::Voice(VoiceRequest { is_answered: true, answered_by, ..body.voice(account) })
        }
        "transferComplete" => {
            let dial = Some(dial_outcome(text(body.cause.as_ref())));
            Event::Voice(VoiceRequest { is_answered: true, dial, ..body.voice(account) })
        }
        "disconnect" => Event::Progress(body.ended(query)),
        "dtmf" => key(text(body.digit.as_ref())).map_or(Event::Unknown, Event::Dtmf),
        "machineDetectionComplete" => answered_by.map_or(Event::Unknown, Event::AnsweredBy),
        "mediaStreamStarted" => Event::Stream(StreamEvent::Started),
        "mediaStreamStopped" if text(body.cause.as_ref()) == "closed" => {
            Event::Stream(StreamEvent::Stopped)
        }
        // What waits for the stream's end goes on by itself.
        "mediaStreamStopped" => Event::Stream(StreamEvent::Failed(body.why())),
        // Names are given once: it is the same stream, which is there already.
        "mediaStreamRejected" if text(body.cause.as_ref()) == "duplicate" => {
            Event::Stream(StreamEvent::Failed(body.why()))
        }
        "mediaStreamRejected" => Event::Stream(StreamEvent::Rejected(body.why())),
        _ => Event::Unknown,
    }
}

impl<'a> Body<'a> {
    fn direction(&self) -> Direction {
        match text(self.direction.as_ref()) {
            "outbound" => Direction::Outbound,
            _ => Direction::Inbound,
        }
    }

    fn voice(&self, account: &Account) -> VoiceRequest {
        VoiceRequest {
            call: InboundCall {
                account: Some(account.id),
                dnis: party::number(text(self.to.as_ref())),
                ani: party::ani(text(self.from.as_ref())),
                forwarded_from: self.forwarded_from(),
                attestation: self.attestation(),
            },
            direction: self.direction(),
            is_answered: self.answer_time.is_some(),
            is_over: false,
            dial: None,
            answered_by: None,
        }
    }

    /// Only what Bandwidth has verified vouches for a caller.
    fn attestation(&self) -> Attestation {
        let Some(signed) = &self.stir_shaken else { return Attestation::None };
        if text(signed.verstat.as_ref()) != "TN-Verification-Passed" {
            return Attestation::None;
        }
        match text(signed.attestation_indicator.as_ref()) {
            "A" => Attestation::A,
            "B" => Attestation::B,
            "C" => Attestation::C,
            _ => Attestation::None,
        }
    }

    fn forwarded_from(&self) -> Option<E164> {
        let first = self.diversion.get("origTo")?.as_str()?;
        party::number(first)
    }

    fn answered_by(&self) -> Option<AnsweredBy> {
        let Detected { value } = self.machine_detection_result.as_ref()?;
        Some(match text(value.as_ref()) {
            "human" => AnsweredBy::Human,
            "answering-machine" => AnsweredBy::MachineStart,
            // The tone that a message is left after.
            "tone-detected" => AnsweredBy::MachineEnd,
            _ => AnsweredBy::Unknown,
        })
    }

    fn ended(&mut self, query: &str) -> Progress<'a> {
        let direction = self.direction();
        let parent = self.parent_call_id.take().map(|Text(id)| id);
        let (answered_at, ended_at) = (at(self.answer_time.as_ref()), at(self.end_time.as_ref()));
        let talked = answered_at.zip(ended_at).map(|(from, to)| to.0.saturating_sub(from.0) / 1000);
        let code = &self.sip_response_code;
        let code = code.as_u64().or_else(|| code.as_str()?.parse().ok());
        Progress {
            status: status(text(self.cause.as_ref())),
            direction,
            is_placed: direction == Direction::Outbound && parent.is_none(),
            parent,
            from: party::ani(text(self.from.as_ref())).number(),
            to: party::number(text(self.to.as_ref())),
            sequence: None,
            duration_seconds: talked.and_then(|seconds| u32::try_from(seconds).ok()),
            answered_by: None,
            sip_code: code.and_then(|code| u16::try_from(code).ok()),
            at: ended_at.or_else(|| at(self.event_time.as_ref())),
            call: call_id(query),
        }
    }

    /// Why a stream failed: the cause's word, and Bandwidth's own words.
    fn why(&mut self) -> Cow<'a, str> {
        match (self.cause.take(), self.error_message.take()) {
            (Some(Text(cause)), Some(Text(words))) => Cow::Owned(format!("{cause}: {words}")),
            (Some(Text(text)), None) | (None, Some(Text(text))) => text,
            (None, None) => Cow::Borrowed(""),
        }
    }
}

fn key(text: &str) -> Option<char> {
    let key = text.parse::<char>().ok()?.to_ascii_uppercase();
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key)
}

fn text<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map_or("", |Text(text)| text.as_ref())
}

fn is_call_id(text: &str) -> bool {
    (1..=CALL_ID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// How a call ended, by its cause. The list is open.
pub(super) fn status(cause: &str) -> CallStatus {
    match cause {
        "hangup" => CallStatus::Completed,
        // Who rejects a call is there and does not want it.
        "busy" | "rejected" => CallStatus::Busy,
        "timeout" => CallStatus::NoAnswer,
        "cancel" => CallStatus::Canceled,
        _ => CallStatus::Failed,
    }
}

/// An unknown cause counts as failed: trying the next target is better than hanging up on somebody.
fn dial_outcome(cause: &str) -> DialOutcome {
    match status(cause) {
        CallStatus::Completed => DialOutcome::Answered,
        status @ (CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress
        | CallStatus::NoAnswer
        | CallStatus::Busy
        | CallStatus::Canceled
        | CallStatus::Failed) => DialOutcome::Unanswered(status),
    }
}

fn at(time: Option<&Text<'_>>) -> Option<UnixMillis> {
    timestamp(&time?.0)
}

/// A time as events and the API have it (ISO 8601).
pub(super) fn timestamp(text: &str) -> Option<UnixMillis> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis)
}
