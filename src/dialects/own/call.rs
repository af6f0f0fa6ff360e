//! Calls: what is known of each, live ones included.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::route::StepBody;
use crate::{
    dialects::{
        PageFields, Reader, boolean, brief::opaque, day_end, day_start, id, member, phone, rfc3339,
        schema, text,
    },
    domain::{
        AgentId, CallRecord, CallResult, CallStatus, DialRecord, Direction, E164, MediaSession,
        Refusal, ResultStatus, TargetTried, TenantId, UnixMillis,
    },
};

const STATUSES: &str =
    "queued, initiated, ringing, in_progress, completed, no_answer, busy, canceled, failed";

/// Which calls are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// With this status.
    #[param(nullable = false)]
    pub status: Option<schema::CallStatus>,
    /// Of this direction.
    pub direction: Option<schema::Direction>,
    /// Of this agent.
    pub agent_id: Option<Uuid>,
    /// From this number.
    pub from: Option<schema::Phone>,
    /// To this number.
    pub to: Option<schema::Phone>,
    /// Not before this day or time.
    pub date_from: Option<schema::Day>,
    /// Not after this day or time.
    pub date_to: Option<schema::Day>,
    /// With this in a number or in the carrier's id.
    #[param(max_length = 255)]
    pub search: Option<String>,
    /// With this id at the carrier.
    #[param(max_length = 255)]
    pub carrier_call_id: Option<String>,
    /// In progress, or over.
    pub live: Option<bool>,
}

/// Which calls are asked for.
#[derive(Clone, Debug)]
pub struct CallFilterFields {
    /// With this status.
    pub status: Option<CallStatus>,
    /// Of this direction.
    pub direction: Option<Direction>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// From this caller.
    pub ani: Option<E164>,
    /// To this number.
    pub dnis: Option<E164>,
    /// Not before.
    pub from_date: Option<UnixMillis>,
    /// Not after.
    pub to_date: Option<UnixMillis>,
    /// With this in a number or the carrier's id.
    pub search: Option<String>,
    /// With this id at the carrier.
    pub carrier_call_id: Option<String>,
    /// In progress, or over.
    pub live: Option<bool>,
    /// Which page of them.
    pub page: PageFields,
}

/// Reads a list's query.
///
/// # Errors
/// A parameter is not understood.
pub fn call_filter(mut query: Reader) -> Result<CallFilterFields, Refusal> {
    let day = |read: fn(&str) -> Option<UnixMillis>| {
        move |value: &serde_json::Value| {
            let at = value.as_str().and_then(read);
            at.ok_or_else(|| "must be a day (YYYY-MM-DD) or an RFC 3339 time".into())
        }
    };
    let filter = CallFilterFields {
        status: query.filter("status", member(STATUSES)),
        direction: query.filter("direction", member("inbound, outbound")),
        agent: query.filter("agent_id", id),
        ani: query.filter("from", phone),
        dnis: query.filter("to", phone),
        from_date: query.filter("date_from", day(day_start)),
        to_date: query.filter("date_to", day(day_end)),
        search: query.filter("search", text(255)),
        carrier_call_id: query.filter("carrier_call_id", text(255)),
        live: query.filter("live", boolean),
        page: PageFields::take(&mut query),
    };
    query.finish().map(|()| filter)
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Call)]
pub struct CallBody {
    id: Uuid,
    /// The trace that everything about the call belongs to (W3C Trace Context).
    trace_id: String,
    /// Whether it is in progress.
    live: bool,
    /// The name of the carrier account it comes or goes by.
    account: Option<String>,
    carrier_call_id: String,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    #[schema(value_type = schema::CallStatus)]
    status: &'static str,
    #[schema(value_type = Option<schema::Phone>)]
    from: Option<String>,
    #[schema(value_type = Option<schema::Phone>)]
    to: Option<String>,
    number_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    agent_name: Option<String>,
    /// Why it goes where it goes.
    #[schema(value_type = Option<schema::RouteReason>)]
    reason: Option<&'static str>,
    /// A call to a callback agent's number that returns no call.
    unmatched: bool,
    /// The call that it returns, or the memory that it left.
    touch_id: Option<Uuid>,
    /// Whether the network vouches for the caller's number.
    caller_verified: bool,
    /// The person of the call has been erased: `from` and `to` name nobody.
    erased: bool,
    created_at: String,
    answered_at: Option<String>,
    ended_at: Option<String>,
    updated_at: String,
    duration_seconds: Option<u64>,
    #[schema(value_type = Option<schema::CallEnd>)]
    ended_by: Option<&'static str>,
    error_code: Option<String>,
    /// The targets it was offered to, in order.
    targets_tried: Vec<TriedBody>,
    /// The media sessions it has had.
    media: Vec<MediaBody>,
    /// The media it has now, if it is in progress in this process.
    media_now: Option<MediaNow>,
    /// How it was decided where it goes.
    trace: Vec<StepBody>,
    /// A test: nobody is remembered for it. Null in events, as what follows.
    is_test: Option<bool>,
    /// When it is to be placed, while it waits for that.
    due_at: Option<String>,
    result_status: Option<&'static str>,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    result: Value,
}

/// What is not in a call's row.
#[derive(Debug, Default)]
pub struct CallNames {
    /// The name of the account that carries it.
    pub account: Option<String>,
    /// The name of its agent.
    pub agent: Option<String>,
}

/// The media of a call that is in progress.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::MediaNow)]
pub struct MediaNow {
    /// Whether a socket is open, and joined to a runtime.
    pub state: &'static str,
    /// After the socket's `start`: when a runtime first had the caller's audio.
    pub first_audio_to_runtime_ms: Option<u64>,
    /// After the socket's `start`: when the carrier first had a runtime's audio.
    pub first_audio_to_carrier_ms: Option<u64>,
}

/// One media socket of a call, from its start to its end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::MediaSession)]
struct MediaBody {
    started_at: String,
    ended_at: String,
    end: String,
    first_audio_to_runtime_ms: Option<u64>,
    first_audio_to_carrier_ms: Option<u64>,
    frames_to_runtime: u64,
    frames_to_carrier: u64,
    frames_dropped: u64,
    marks_set: u64,
    marks_played: u64,
}

impl From<MediaSession> for MediaBody {
    fn from(session: MediaSession) -> Self {
        Self {
            started_at: rfc3339(session.started_at),
            ended_at: rfc3339(session.ended_at),
            end: session.end,
            first_audio_to_runtime_ms: session.first_audio_to_runtime_ms,
            first_audio_to_carrier_ms: session.first_audio_to_carrier_ms,
            frames_to_runtime: session.frames_to_runtime,
            frames_to_carrier: session.frames_to_carrier,
            frames_dropped: session.frames_dropped,
            marks_set: session.marks_set,
            marks_played: session.marks_played,
        }
    }
}

/// A target that a call was offered to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::TargetTried)]
struct TriedBody {
    attempt: u32,
    agent_id: Option<Uuid>,
    target: String,
    at: String,
    outcome: String,
    close_code: Option<u16>,
}

impl From<TargetTried> for TriedBody {
    fn from(tried: TargetTried) -> Self {
        Self {
            attempt: tried.attempt,
            agent_id: tried.agent.map(|agent| agent.0),
            target: tried.target,
            at: rfc3339(tried.at),
            outcome: tried.outcome,
            close_code: tried.close_code,
        }
    }
}

impl CallBody {
    /// A call, the names of what it has to do with, and its media where it is in progress here.
    #[must_use]
    pub fn new(record: CallRecord, names: CallNames, live: Option<MediaNow>) -> Self {
        let talked = record.answered_at.zip(record.ended_at);
        Self {
            id: record.id.0,
            trace_id: record.id.trace_id().to_string(),
            live: live.is_some(),
            account: names.account,
            carrier_call_id: record.carrier_call_id,
            direction: record.direction.as_str(),
            status: record.status.as_str(),
            from: record.ani.map(|ani| ani.to_string()),
            to: record.dnis.map(|dnis| dnis.to_string()),
            number_id: record.number.map(|number| number.0),
            agent_id: record.agent.map(|agent| agent.0),
            agent_name: names.agent,
            reason: record.reason.map(crate::domain::RouteReason::as_str),
            unmatched: record.unmatched,
            touch_id: record.touch.map(|touch| touch.0),
            caller_verified: record.caller_verified,
            erased: record.is_erased,
            created_at: rfc3339(record.created_at),
            answered_at: record.answered_at.map(rfc3339),
            ended_at: record.ended_at.map(rfc3339),
            updated_at: rfc3339(record.updated_at),
            duration_seconds: talked.map(|(from, to)| to.0.saturating_sub(from.0) / 1000),
            ended_by: record.ended_by.map(crate::domain::CallEnd::as_str),
            error_code: record.error_code,
            targets_tried: record.targets_tried.into_iter().map(TriedBody::from).collect(),
            media: record.media.into_iter().map(MediaBody::from).collect(),
            media_now: live,
            trace: record.trace.into_iter().map(StepBody::from).collect(),
            is_test: None,
            due_at: None,
            result_status: None,
            result: Value::Null,
        }
    }

    /// The same with what is kept beside its row; an event does without.
    #[must_use]
    pub fn with(self, dial: Option<&DialRecord>, result: Option<&CallResult>) -> Self {
        let status = result.map_or(ResultStatus::Pending, CallResult::status);
        Self {
            is_test: Some(dial.is_some_and(|dial| dial.is_test)),
            due_at: dial.and_then(|dial| dial.due_at).map(rfc3339),
            result_status: Some(status.as_str()),
            result: opaque(result.and_then(CallResult::fields)),
            ..self
        }
    }
}

/// What happened to a call, as an event tells it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::CallEvent)]
pub struct CallEventBody {
    r#type: &'static str,
    tenant_id: Uuid,
    call: CallBody,
}

impl CallEventBody {
    /// What happened, to whose call, and how the call stands since.
    #[must_use]
    pub const fn new(what: &'static str, tenant: TenantId, call: CallBody) -> Self {
        Self { r#type: what, tenant_id: tenant.0, call }
    }
}
