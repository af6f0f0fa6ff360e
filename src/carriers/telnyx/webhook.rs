//! Reads Call Control's events, once they have proven themselves (Telnyx docs, voice-api-webhooks).
//!
//! Events come in parallel, out of order and more than once. Each says what has happened to one
//! leg; what is due then stands in the state that our last command left on it. Every field may be
//! missing, and what is not known is acknowledged.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::state::{self, Left, State};
use crate::{
    carriers::{
        AnsweredBy, DialOutcome, Event, Progress, Refused, StreamEvent, VoiceRequest, Webhook,
        shared::{form::call_id, party},
    },
    domain::{Account, Ani, Attestation, CallStatus, Direction, E164, InboundCall, UnixMillis},
};

/// Events are of the second version of the API; the first has no `data`.
const OLD: &str = "an event of API version 1: set the application to version 2";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    occurred_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Payload<'a>,
}

#[derive(Default, Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    call_control_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    connection_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    shaken_stir_attestation: Option<Cow<'a, str>>,
    shaken_stir_validated: Option<bool>,
    #[serde(borrow, default)]
    sip_headers: Option<Vec<SipHeader<'a>>>,
    #[serde(borrow)]
    hangup_cause: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sip_hangup_cause: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<Cow<'a, str>>,
    #[serde(borrow)]
    failure_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SipHeader<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

/// Reads an event; `query` is the URL's.
pub(super) fn parse<'a>(
    body: &'a [u8],
    query: &str,
    account: &Account,
) -> Result<Webhook<'a>, Refused> {
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|_| Refused::Malformed("the body is no event"))?;
    let Data { event_type, id, occurred_at, payload } = body.data.ok_or(Refused::Malformed(OLD))?;
    if let Some(connection) = payload.connection_id.as_deref()
        && !account.application_id.is_empty()
        && connection != account.application_id
    {
        return Err(Refused::AccountMismatch);
    }
    let state = payload.client_state.as_deref().and_then(state::read);
    let at = occurred_at.as_deref().and_then(timestamp);
    let read = Read { payload, state, at, query, account };
    // One field project also met underscores for dots.
    let dotted = event_type.contains('_').then(|| event_type.replace('_', "."));
    let (event, is_due) = read.event(dotted.as_deref().unwrap_or(&event_type));
    let Read { payload, state, .. } = read;
    let is_child = state.as_ref().is_some_and(|state| state.left == Left::Dial);
    let own = payload.call_control_id.unwrap_or_default();
    let (carrier_call_id, step) = match state {
        Some(state) if is_due => {
            let leg = if is_child { state.parent } else { own };
            (leg, Some(state.step))
        }
        Some(_) | None => (own, None),
    };
    if carrier_call_id.is_empty() {
        // Recordings and others that name no call by an id that commands take.
        return Ok(Webhook {
            carrier_call_id,
            event_id: id,
            step: None,
            is_fallback: false,
            event: Event::Unknown,
        });
    }
    Ok(Webhook { carrier_call_id, event_id: id, step, is_fallback: false, event })
}

/// An event in the reading.
struct Read<'a, 'q> {
    payload: Payload<'a>,
    state: Option<State<'static>>,
    at: Option<UnixMillis>,
    query: &'q str,
    account: &'q Account,
}

impl<'a> Read<'a, '_> {
    /// What has happened, and whether the step that was left is due by it.
    fn event(&self, name: &str) -> (Event<'a>, bool) {
        let left = self.state.as_ref().map(|state| state.left);
        match (name, left) {
            ("call.initiated", _) if self.direction() == Direction::Inbound => {
                (Event::Voice(self.voice(false, None)), false)
            }
            ("call.initiated", _) => (self.progress(CallStatus::Initiated), false),
            ("call.answered", Some(Left::PickUp | Left::Call)) => {
                (Event::Voice(self.voice(true, None)), true)
            }
            ("call.answered", _) => (self.progress(CallStatus::InProgress), false),
            ("call.hangup", Some(Left::Dial)) => {
                let dial = self.dial_outcome();
                // Whoever talked to the leg was picked up by that.
                let is_answered = self.state.as_ref().is_some_and(|state| state.is_answered)
                    || dial == DialOutcome::Answered;
                (Event::Voice(self.voice(is_answered, Some(dial))), true)
            }
            ("call.hangup", _) => (self.progress(self.end()), false),
            ("streaming.stopped" | "streaming.failed", Some(Left::Stream))
            | ("call.speak.ended", Some(Left::Speech)) => {
                (Event::Voice(self.voice(true, None)), true)
            }
            // Told of both legs; ours says by its state that we dialled it.
            ("call.bridged", left) if left != Some(Left::Dial) => (Event::Connected, false),
            ("streaming.started", _) => (Event::Stream(StreamEvent::Started), false),
            ("streaming.stopped", _) => (Event::Stream(StreamEvent::Stopped), false),
            ("streaming.failed", _) => {
                let why = self.payload.failure_reason.as_deref().unwrap_or_default();
                (Event::Stream(StreamEvent::Failed(Cow::Owned(why.to_owned()))), false)
            }
            (name, _) if name.starts_with("call.machine.") => {
                let who = self.payload.result.as_deref().and_then(|word| answered_by(name, word));
                (who.map_or(Event::Unknown, Event::AnsweredBy), false)
            }
            _ => (Event::Unknown, false),
        }
    }

    fn direction(&self) -> Direction {
        match self.payload.direction.as_deref() {
            Some("incoming") => Direction::Inbound,
            Some(_) => Direction::Outbound,
            // Only the first event says it.
            None => self.state.as_ref().map_or(Direction::Inbound, |state| state.direction),
        }
    }

    fn voice(&self, is_answered: bool, dial: Option<DialOutcome>) -> VoiceRequest {
        // The leg that is dialled on has other parties than the call.
        let is_child = self.state.as_ref().is_some_and(|state| state.left == Left::Dial);
        let parties = (!is_child).then_some(&self.payload);
        let from = parties.and_then(|payload| payload.from.as_deref());
        let to = parties.and_then(|payload| payload.to.as_deref());
        let direction = match &self.state {
            Some(state) => state.direction,
            None => self.direction(),
        };
        VoiceRequest {
            call: InboundCall {
                account: Some(self.account.id),
                dnis: to.and_then(party::number),
                ani: from.map_or(Ani::Unusable, party::ani),
                forwarded_from: self.diversion(),
                attestation: self.attestation(),
            },
            direction,
            is_answered,
            is_over: false,
            dial,
            answered_by: None,
        }
    }

    fn attestation(&self) -> Attestation {
        let is_validated = self.payload.shaken_stir_validated == Some(true);
        validated(is_validated, self.payload.shaken_stir_attestation.as_deref())
    }

    /// `Diversion: <sip:+15125550188@192.0.2.9>;reason=...` (RFC 5806).
    fn diversion(&self) -> Option<E164> {
        let headers = self.payload.sip_headers.as_deref().unwrap_or_default();
        let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case("diversion"))?;
        let address = found.value.split(['<', '>']).find(|part| part.starts_with("sip"))?;
        party::number(address)
    }

    fn progress(&self, status: CallStatus) -> Event<'a> {
        let payload = &self.payload;
        let parent = self.state.as_ref().filter(|state| state.left == Left::Dial);
        let direction = match (&self.state, payload.direction.as_deref()) {
            (Some(state), None) => state.direction,
            _ => self.direction(),
        };
        let sip_code = payload.sip_hangup_cause.as_deref().and_then(|code| code.parse().ok());
        let own = self.state.as_ref().filter(|state| state.left == Left::Call);
        let step = own.and_then(|state| state.step.split_once('?')).map(|(_, query)| query);
        Event::Progress(Progress {
            status,
            direction,
            is_placed: direction == Direction::Outbound && parent.is_none(),
            parent: parent.map(|state| Cow::Owned(state.parent.to_string())),
            from: payload.from.as_deref().and_then(|text| party::ani(text).number()),
            to: payload.to.as_deref().and_then(party::number),
            sequence: None,
            duration_seconds: None,
            answered_by: None,
            sip_code,
            at: self.at,
            call: call_id(step.unwrap_or(self.query)),
        })
    }

    /// How a leg ended.
    fn end(&self) -> CallStatus {
        match self.payload.hangup_cause.as_deref() {
            Some("normal_clearing" | "time_limit") => CallStatus::Completed,
            Some("originator_cancel") => CallStatus::Canceled,
            Some("timeout" | "no_answer") => CallStatus::NoAnswer,
            Some("user_busy" | "call_rejected") => CallStatus::Busy,
            _ => CallStatus::Failed,
        }
    }

    fn dial_outcome(&self) -> DialOutcome {
        match self.end() {
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
}

/// Only what Telnyx has validated vouches for a caller.
pub(super) fn validated(is_validated: bool, attested: Option<&str>) -> Attestation {
    match attested.filter(|_| is_validated) {
        Some("A") => Attestation::A,
        Some("B") => Attestation::B,
        Some("C") => Attestation::C,
        _ => Attestation::None,
    }
}

/// The words of both kinds of detection. A greeting that has ended, with a beep or without, leaves
/// a machine that records.
fn answered_by(event: &str, word: &str) -> Option<AnsweredBy> {
    if event.ends_with("greeting.ended") {
        return Some(AnsweredBy::MachineEnd);
    }
    Some(match word {
        "human" | "human_residence" | "human_business" => AnsweredBy::Human,
        "machine" => AnsweredBy::MachineStart,
        "fax_detected" => AnsweredBy::Fax,
        "not_sure" | "silence" => AnsweredBy::Unknown,
        _ => return None,
    })
}

pub(super) fn timestamp(text: &str) -> Option<UnixMillis> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis)
}
