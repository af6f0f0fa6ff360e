//! Plivo Voice (Plivo docs, voice/xml, voice/api and voice-agents/audio-streaming).

mod answer;
mod rest;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Asking, Manners, Peer, Station, StationEvent, StreamTold,
    form::{Form, word},
};
use crate::{
    domain::{Account, AccountOrigin, CallStatus, CarrierId, Direction, Secret, UnixMillis},
    simulator::{
        exchange::Inner,
        leg::{Ending, Leg, Who},
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// Plivo, as its customers meet it.
pub(super) struct Plivo;

impl Peer for Plivo {
    fn account(&self, name: &str) -> (Account, Value) {
        let mut account = Account::named(name.to_owned(), CarrierId::Plivo, AccountOrigin::Api);
        let random = || Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        account.account_id = random().chars().take(18).fold("MA".to_owned(), |mut id, c| {
            id.push(c);
            id
        });
        account.application_id = random();
        let token = random();
        let told = json!({ "account_id": account.account_id, "secrets": [token],
            "application_id": account.application_id });
        account.secrets = vec![Secret::new(token)];
        (account, told)
    }

    fn call_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn stream_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    /// Plivo docs, callback-configurations: `ct`, `rt`.
    fn manners(&self) -> Manners {
        Manners {
            user_agent: "Plivo",
            connect_max: Duration::from_secs(2),
            answer_max: Duration::from_secs(40),
            signs_upgrades: true,
        }
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        let mut form = form(leg);
        match asking.dialled {
            None => form.add("Event", "StartApp"),
            Some(dialled) => {
                let is_answered = dialled.talked.is_some();
                form.add("DialStatus", word(dialled.outcome).replace("canceled", "cancel"));
                form.add("DialRingStatus", is_answered.to_string());
                form.add("DialHangupCause", cause(dialled.outcome).0);
                form.add("DialALegUUID", &leg.facts.sid);
                form.add("DialBLegUUID", Uuid::new_v4().to_string());
            }
        }
        if let Some(who) = asking.answered_by {
            form.add("Machine", (who == Who::Machine).to_string());
        }
        Letter::form(&asking.step.url, form.encoded())
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        answer::parse(content_type, body)
    }

    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter {
        let mut form = form(leg);
        if event.station != Station::Completed {
            form.add("Event", "Ring");
            return Letter::form(url, form.encoded());
        }
        let (state, seconds) = (leg.state(), event.seconds.unwrap_or(0));
        let (cause, code, name) = cause(state.status);
        let source = match state.ending {
            Some(Ending::Api) => "API Request",
            Some(Ending::Document | Ending::Busy | Ending::Rejected) => "Answer XML",
            Some(Ending::Failed | Ending::HandedOver) => "Error",
            Some(Ending::Person) => "Caller",
            None => "Carrier",
        };
        let answered = state.answered.map(|at| at.duration_since(leg.facts.started).as_millis());
        let answered = answered.and_then(|ms| u64::try_from(ms).ok());
        let began = leg.facts.created_at;
        let answered = answered.map_or_else(String::new, |ms| time(UnixMillis(began.0 + ms)));
        for (name, value) in [
            ("Event", "Hangup".to_owned()),
            ("HangupCause", cause.to_owned()),
            ("HangupCauseCode", code.to_string()),
            ("HangupCauseName", name.to_owned()),
            ("HangupSource", source.to_owned()),
            ("Duration", seconds.to_string()),
            ("BillDuration", (seconds.div_ceil(60) * 60).to_string()),
            ("TotalCost", "0.00550".to_owned()),
            ("BillRate", "0.0055".to_owned()),
            ("StartTime", time(began)),
            ("AnswerTime", answered),
            ("EndTime", time(clock::now())),
        ] {
            form.add(name, value);
        }
        Letter::form(url, form.encoded())
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let mut form = form(leg);
        form.add("Event", "MachineDetection");
        form.add("Machine", (who == Who::Machine).to_string());
        form.add("IfMachine", "continue");
        Letter::form(url, form.encoded())
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let mut form = Form(vec![
            ("CallUUID", leg.facts.sid.clone()),
            ("StreamID", id.to_owned()),
            ("From", digits(&leg.facts.from)),
            ("To", digits(&leg.facts.to)),
            ("Direction", direction(leg).to_owned()),
            ("Timestamp", time(clock::now())),
        ]);
        let event = match what {
            StreamTold::Started => "StartStream",
            StreamTold::Stopped => "StopStream",
            StreamTold::Failed(_) => "DroppedStream",
        };
        form.add("Event", event);
        if let StreamTold::Failed(problem) = what {
            form.add("StatusReason", &problem.what);
        }
        stream.status_callback.as_ref().map(|url| Letter::form(url, form.encoded()))
    }

    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire> {
        Box::new(wire::Messages::new(leg, stream, id))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange)
    }

    /// Errors have no codes.
    fn error(&self, status: u16, _code: Option<u32>, message: &str) -> Response {
        rest::error(status, message)
    }
}

/// The parameters of every request about a call.
fn form(leg: &Leg) -> Form {
    let facts = &leg.facts;
    let mut form = Form::default();
    if facts.direction == Direction::Outbound {
        for name in ["ALegUUID", "ALegRequestUUID", "RequestUUID"] {
            form.add(name, &facts.sid);
        }
    }
    form.add("CallUUID", &facts.sid);
    form.add("From", digits(&facts.from));
    form.add("To", digits(&facts.to));
    form.add("Direction", direction(leg));
    form.add("ParentAuthID", &facts.account_sid);
    form.add("CallStatus", word(leg.state().status));
    form.add("BillRate", "0.0055");
    if let Some(forwarded) = &facts.forwarded_from {
        form.add("ForwardedFrom", digits(forwarded));
    }
    form
}

/// Numbers go without their plus.
fn digits(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).to_owned()
}

fn direction(leg: &Leg) -> &'static str {
    match leg.facts.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

/// Why a call ended: Plivo's cause, its code and name (docs, voice/hangup-causes).
const fn cause(status: CallStatus) -> (&'static str, u32, &'static str) {
    match status {
        CallStatus::NoAnswer => ("NO_ANSWER", 3000, "No Answer"),
        CallStatus::Busy => ("USER_BUSY", 3010, "Busy Line"),
        CallStatus::Canceled => ("ORIGINATOR_CANCEL", 1000, "Cancelled"),
        CallStatus::Failed => ("UNALLOCATED_NUMBER", 2000, "Invalid Destination Address"),
        CallStatus::Completed
        | CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => ("NORMAL_CLEARING", 4000, "Normal Hangup"),
    }
}

/// `2026-10-05 14:00:01`; of which time zone, Plivo does not say.
fn time(at: UnixMillis) -> String {
    super::form::timestamp(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;
