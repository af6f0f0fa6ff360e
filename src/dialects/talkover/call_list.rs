//! Talkover's calls as they are listed, found and ended.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page;
use crate::{
    dialects::{NumberShown, Reader, date, id, member, rfc3339, schema, text},
    domain::{
        AgentId, AgentRecord, CallId, CallRecord, CallStatus, Direction, E164, Refusal,
        RouteReason, UnixDay, UnixMillis,
    },
};

/// A status in Talkover's words, as those of ours that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statuses(Vec<CallStatus>);

const STATUSES: &str = "initiated, ringing, answered, completed, failed, busy, no-answer";

impl std::str::FromStr for Statuses {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let of: Vec<_> =
            CallStatus::ALL.iter().copied().filter(|status| word(*status) == text).collect();
        if of.is_empty() { Err(()) } else { Ok(Self(of)) }
    }
}

/// The status as Talkover names it.
pub(super) const fn word(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Queued | CallStatus::Initiated => "initiated",
        CallStatus::Ringing => "ringing",
        CallStatus::InProgress => "answered",
        CallStatus::Completed => "completed",
        CallStatus::NoAnswer => "no-answer",
        CallStatus::Busy => "busy",
        CallStatus::Canceled | CallStatus::Failed => "failed",
    }
}

/// Which calls are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// Standing here only: `initiated`, `ringing`, `answered`, `completed`, `failed`, `busy` or
    /// `no-answer`.
    #[param(pattern = "^(initiated|ringing|answered|completed|failed|busy|no-answer)$")]
    pub status: Option<String>,
    /// In this direction only.
    pub direction: Option<schema::Direction>,
    /// Of this agent only.
    pub agent_id: Option<Uuid>,
    /// Not before this day, in UTC.
    #[param(format = Date, example = "2026-05-02")]
    pub date_from: Option<String>,
    /// Not after this day, in UTC.
    #[param(format = Date, example = "2026-05-31")]
    pub date_to: Option<String>,
    /// A number or SID, or part of one.
    #[param(max_length = 255)]
    pub search: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many of them; more than 100 are 100.
    #[param(minimum = 1, default = 20)]
    pub per_page: Option<u32>,
}

/// Which of an agent's calls are asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AgentCallQuery {
    /// Standing here only: `initiated`, `ringing`, `answered`, `completed`, `failed`, `busy` or
    /// `no-answer`.
    #[param(pattern = "^(initiated|ringing|answered|completed|failed|busy|no-answer)$")]
    pub status: Option<String>,
    /// In this direction only.
    pub direction: Option<schema::Direction>,
    /// Not before this day, in UTC.
    #[param(format = Date, example = "2026-05-02")]
    pub date_from: Option<String>,
    /// Not after this day, in UTC.
    #[param(format = Date, example = "2026-05-31")]
    pub date_to: Option<String>,
    /// A number or SID, or part of one.
    #[param(max_length = 255)]
    pub search: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many of them; more than 100 are 100.
    #[param(minimum = 1, default = 20)]
    pub per_page: Option<u32>,
}

/// Which calls are asked for, and which page of them.
#[derive(Clone, Debug)]
pub struct CallListFields {
    /// Standing anywhere of these; none is anywhere.
    pub statuses: Vec<CallStatus>,
    /// In this direction only.
    pub direction: Option<Direction>,
    /// Of this agent only.
    pub agent: Option<AgentId>,
    /// Not before this day.
    pub from: Option<UnixDay>,
    /// Not after this day.
    pub to: Option<UnixDay>,
    /// With this in a number or the carrier's id.
    pub search: Option<String>,
    /// Which page, from 1.
    pub page: u32,
    /// How many of them.
    pub per_page: u32,
}

/// Reads the query of List Calls and, without its `agent_id`, of Get Agent Calls.
///
/// # Errors
/// A parameter is not understood.
pub fn call_list(mut query: Reader) -> Result<CallListFields, Refusal> {
    let (page, per_page) = page(&mut query);
    let fields = CallListFields {
        statuses: query
            .filter("status", member::<Statuses>(STATUSES))
            .map(|statuses| statuses.0)
            .unwrap_or_default(),
        direction: query.filter("direction", member("inbound, outbound")),
        agent: query.filter("agent_id", id),
        from: query.filter("date_from", date),
        to: query.filter("date_to", date),
        search: query.filter("search", text(255)),
        page,
        per_page,
    };
    query.finish().map(|()| fields)
}

/// A call with what is shown beside its row.
#[derive(Clone, Debug)]
pub struct CallShown {
    /// Its row.
    pub call: CallRecord,
    /// Whether it is a test.
    pub is_test: bool,
}

/// A call as its agent lists it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::AgentCall)]
pub struct CallRow {
    id: Uuid,
    /// The carrier's id, once it has given one.
    sid: Option<String>,
    to: Option<String>,
    to_formatted: Option<String>,
    /// Null where the caller hides it.
    from: Option<String>,
    from_formatted: Option<String>,
    is_testing: bool,
    direction: &'static str,
    status: &'static str,
    /// Seconds from the answer to the end; 0 before both are known.
    duration: u64,
    created_at: String,
    updated_at: String,
}

impl From<&CallShown> for CallRow {
    fn from(shown: &CallShown) -> Self {
        let call = &shown.call;
        let sid = Some(call.carrier_call_id.clone()).filter(|sid| !sid.is_empty());
        let lasted = call.answered_at.zip(call.ended_at);
        Self {
            id: call.id.0,
            sid,
            to: call.dnis.map(|number| number.to_string()),
            to_formatted: call.dnis.map(NumberShown::national),
            from: call.ani.map(|number| number.to_string()),
            from_formatted: call.ani.map(NumberShown::national),
            is_testing: shown.is_test,
            direction: call.direction.as_str(),
            status: word(call.status),
            duration: lasted.map_or(0, |(from, to)| seconds_between(from, to)),
            created_at: rfc3339(call.created_at),
            updated_at: rfc3339(call.updated_at),
        }
    }
}

const fn seconds_between(from: UnixMillis, to: UnixMillis) -> u64 {
    to.0.saturating_sub(from.0) / 1000
}

/// A call's agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = talkover::AgentOfCall)]
pub struct AgentOfCall {
    id: Uuid,
    name: String,
    label: String,
}

impl From<&AgentRecord> for AgentOfCall {
    fn from(record: &AgentRecord) -> Self {
        let agent = &record.agent;
        Self {
            id: agent.id.0,
            name: agent.name.clone(),
            label: record.label.clone().unwrap_or_else(|| agent.name.clone()),
        }
    }
}

/// A call as everybody's are listed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Call)]
pub struct CallListed {
    #[serde(flatten)]
    row: CallRow,
    /// Null where nobody was decided on, or the agent has been deleted.
    agent: Option<AgentOfCall>,
}

impl CallListed {
    /// A call with its agent.
    #[must_use]
    pub fn new(shown: &CallShown, agent: Option<AgentOfCall>) -> Self {
        Self { row: CallRow::from(shown), agent }
    }
}

/// A call alone, with what it returns. An extension: Talkover has no read of one call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallDetail)]
pub struct CallWhole {
    #[serde(flatten)]
    listed: CallListed,
    callback: Returned,
}

/// Which call it returns.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Returned)]
struct Returned {
    /// Whether it was routed by an earlier call to its caller.
    matched: bool,
    source_agent_id: Option<Uuid>,
    /// Null where the earlier call was placed elsewhere, or is forgotten.
    source_call_id: Option<Uuid>,
}

impl CallWhole {
    /// A call with its agent, and the agent and call it returns.
    #[must_use]
    pub fn new(
        shown: &CallShown,
        agent: Option<AgentOfCall>,
        source: Option<AgentId>,
        returned: Option<CallId>,
    ) -> Self {
        let callback = Returned {
            matched: shown.call.reason == Some(RouteReason::Callback),
            source_agent_id: source.map(|agent| agent.0),
            source_call_id: returned.map(|call| call.0),
        };
        Self { listed: CallListed::new(shown, agent), callback }
    }
}

/// A call in progress between an agent and a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::ActiveCall)]
pub struct ActiveBody {
    id: Uuid,
    agent_id: Uuid,
    to: Option<String>,
    status: &'static str,
    started_at: String,
    duration_seconds: u64,
}

impl ActiveBody {
    /// A call of an agent's, as it is now.
    #[must_use]
    pub fn new(
        id: CallId,
        agent: AgentId,
        to: Option<E164>,
        status: CallStatus,
        started_at: UnixMillis,
        now: UnixMillis,
    ) -> Self {
        Self {
            id: id.0,
            agent_id: agent.0,
            to: to.map(|number| number.to_string()),
            status: word(status),
            started_at: rfc3339(started_at),
            duration_seconds: seconds_between(started_at, now),
        }
    }
}

/// End Call's body, for the document.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::EndCallRequest)]
pub struct EndRequest {
    /// The call's `id`, or the carrier's id for it.
    #[schema(max_length = 255, pattern = r"\S")]
    pub call_sid: String,
}

/// Reads End Call's body: which call, by our id or the carrier's.
///
/// # Errors
/// None is named.
pub fn call_to_end(body: Value) -> Result<String, Refusal> {
    let mut reader = Reader::of_body(body)?;
    match reader.required("call_sid", text(255)) {
        Some(named) => reader.finish().map(|()| named),
        None => Err(reader.refusal()),
    }
}

/// A call that has been told to end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::EndedCall)]
pub struct EndedBody {
    id: Uuid,
    status: &'static str,
    ended_at: String,
    ended_reason: &'static str,
}

impl EndedBody {
    /// The hang-up is on its way; Talkover's word for it is that the call is completed.
    #[must_use]
    pub fn new(id: CallId, now: UnixMillis) -> Self {
        Self {
            id: id.0,
            status: word(CallStatus::Completed),
            ended_at: rfc3339(now),
            ended_reason: "ended_by_api",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, statuses: &[CallStatus]) {
        let read = text.parse::<Statuses>().map(|read| read.0).unwrap_or_default();
        assert_eq!(read, statuses, "{text}");
    }

    #[test]
    fn every_status_has_a_word_and_every_word_its_statuses() {
        check("initiated", &[CallStatus::Queued, CallStatus::Initiated]);
        check("answered", &[CallStatus::InProgress]);
        check("no-answer", &[CallStatus::NoAnswer]);
        check("failed", &[CallStatus::Canceled, CallStatus::Failed]);
        check("in_progress", &[]);
        for status in CallStatus::ALL {
            assert!(STATUSES.split(", ").any(|listed| listed == word(*status)), "{status}");
        }
    }
}
