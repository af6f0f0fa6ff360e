//! Reads Vonage's webhooks, once they have proven themselves (nexmo-developer, voice-api/webhook
//! reference): the answer webhook of a call, the events of its legs, and what our own documents
//! have sent to a step's URL.
//!
//! Events come in any order, of the call's own leg and of those that a document connected to it.
//! A field is a text or it is nothing: no other shape makes a request unreadable.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::answer::{CALLED, CALLER, LEG, OUT, WAY};
use crate::{
    carriers::{
        AnsweredBy, DialOutcome, Endpoint, Event, Progress, Refused, Request, StreamEvent,
        VoiceRequest, Webhook,
        shared::{
            form::{Form, call_id},
            party::plusless::{ani, digits, number},
        },
    },
    domain::{Account, Ani, Attestation, CallStatus, Direction, E164, InboundCall, UnixMillis},
};

/// A UUID has 36 characters; ids of other Vonage products have up to 64.
const UUID_LEN_MAX: usize = 64;

/// A text; whatever else stands there is none.
#[derive(Clone, Debug, Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    call_uuid: Text<'a>,
    #[serde(borrow)]
    from: Text<'a>,
    #[serde(borrow)]
    to: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    sub_state: Text<'a>,
    #[serde(borrow)]
    detail: Text<'a>,
    #[serde(borrow)]
    direction: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    start_time: Text<'a>,
    #[serde(borrow)]
    duration: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(borrow)]
    headers: Nested<'a>,
    #[serde(borrow)]
    payload: Nested<'a>,
    #[serde(borrow)]
    original_request: Nested<'a>,
}

/// What an object within may hold that we know.
#[derive(Clone, Debug, Default)]
struct Nested<'a> {
    is_there: bool,
    call_ref: Text<'a>,
    url: Text<'a>,
}

/// Reads a request.
pub(super) fn parse<'a>(
    endpoint: Endpoint,
    request: &Request<'a>,
    account: &Account,
) -> Result<Webhook<'a>, Refused> {
    let query = request.query();
    let fields = if request.body.is_empty() {
        Fields::of_query(query)?
    } else {
        serde_json::from_slice(request.body).map_err(|_| Refused::Malformed("no JSON object"))?
    };
    let is_fallback = fields.original_request.is_there;
    let step = fields.step(account);
    let (endpoint, query) = match &step {
        Some(step) => parted(step).unwrap_or((endpoint, query)),
        None => (endpoint, query),
    };
    let read = Read { state: State::of(query)?, fields, query, account };
    let (event, leg) = match endpoint {
        Endpoint::Resume => read.step_event(),
        Endpoint::Voice if read.fields.status.get().is_none() => {
            (Event::Voice(read.call()), read.own_leg())
        }
        Endpoint::Voice | Endpoint::Status => (read.call_event(), read.own_leg()),
    };
    let carrier_call_id = match leg {
        Some(leg) => Cow::Owned(checked(leg)?.to_owned()),
        // Faults of a document are told without any leg.
        None if event == Event::Unknown => Cow::Borrowed(""),
        None => return Err(Refused::Malformed("no uuid")),
    };
    let step = step.map(|step| Cow::Owned(step.to_owned()));
    Ok(Webhook { carrier_call_id, event_id: None, step, is_fallback, event })
}

/// The endpoint and the query of a URL of ours.
fn parted(url: &str) -> Option<(Endpoint, &str)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let (_, segment) = path.rsplit_once('/')?;
    Some((Endpoint::named(segment)?, query))
}

fn checked(uuid: &str) -> Result<&str, Refused> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_uuid = (1..=UUID_LEN_MAX).contains(&uuid.len()) && uuid.bytes().all(is_plain);
    if is_uuid { Ok(uuid) } else { Err(Refused::Malformed("uuid is no call's")) }
}

impl<'a> Fields<'a> {
    /// A webhook that is a GET has its fields in the query.
    fn of_query(query: &'a str) -> Result<Self, Refused> {
        let mut form = Form::parse(query).map_err(|_| Refused::Malformed("too many parameters"))?;
        let mut take = |name| Text(form.take(name));
        let mut fields = Fields {
            uuid: take("uuid"),
            call_uuid: take("call_uuid"),
            from: take("from"),
            to: take("to"),
            status: take("status"),
            sub_state: take("sub_state"),
            detail: take("detail"),
            direction: take("direction"),
            timestamp: take("timestamp"),
            start_time: take("start_time"),
            duration: take("duration"),
            reason: take("reason"),
            ..Fields::default()
        };
        // What else an object would say is not sent in a form that anybody has described.
        fields.original_request.is_there = form.get("original_request").is_some();
        Ok(fields)
    }

    /// The step that another URL of ours failed at, where this is about that.
    fn step(&self, account: &Account) -> Option<String> {
        let url = self.original_request.url.get()?;
        let is_ours = url.contains(&format!("/carriers/{}/", account.name));
        is_ours.then(|| url.to_owned())
    }

    /// The leg is a media socket of ours.
    fn is_socket(&self) -> bool {
        self.to.get().is_some_and(|to| to.starts_with("wss://") || to.starts_with("ws://"))
    }

    /// Somebody talked on the leg, now that it is over.
    fn has_talked(&self) -> bool {
        self.start_time.get().is_some() || self.seconds().is_some_and(|seconds| seconds > 0)
    }

    fn seconds(&self) -> Option<u32> {
        self.duration.get()?.parse().ok()
    }

    fn status(&self) -> Option<CallStatus> {
        Some(match self.status.get()? {
            "started" => CallStatus::Initiated,
            "ringing" => CallStatus::Ringing,
            "answered" => CallStatus::InProgress,
            "completed" | "disconnected" => CallStatus::Completed,
            "busy" => CallStatus::Busy,
            "rejected" => match self.detail.get() {
                Some("invalid_number" | "restricted") => CallStatus::Failed,
                Some(_) | None => CallStatus::Busy,
            },
            "unanswered" | "timeout" => CallStatus::NoAnswer,
            "cancelled" | "canceled" => CallStatus::Canceled,
            "failed" => CallStatus::Failed,
            _ => return None,
        })
    }

    /// Which machine, and whether it is ready to record. A greeting that has ended, with a beep or
    /// without, leaves a machine that is.
    fn answered_by(&self) -> Option<AnsweredBy> {
        match (self.status.get()?, self.sub_state.get()) {
            ("human", _) => Some(AnsweredBy::Human),
            ("machine", Some("beep_start" | "beep_timeout")) => Some(AnsweredBy::MachineEnd),
            ("machine", _) => Some(AnsweredBy::MachineStart),
            _ => None,
        }
    }
}

/// What stands in the query of a step's URL.
#[derive(Default)]
struct State {
    leg: Option<String>,
    is_outbound: bool,
    caller: Option<String>,
    called: Option<E164>,
}

impl State {
    fn of(query: &str) -> Result<Self, Refused> {
        let form = Form::parse(query).map_err(|_| Refused::Malformed("too many parameters"))?;
        Ok(Self {
            leg: form.get(LEG).map(str::to_owned),
            is_outbound: form.get(WAY) == Some(OUT),
            caller: form.get(CALLER).map(str::to_owned),
            called: form.get(CALLED).and_then(digits),
        })
    }
}

/// A request in the reading.
struct Read<'a, 'q> {
    state: State,
    fields: Fields<'a>,
    query: &'q str,
    account: &'q Account,
}

impl<'a> Read<'a, '_> {
    fn own_leg(&self) -> Option<&str> {
        // Who answered is told of a call by another name.
        self.fields.uuid.get().or_else(|| self.fields.call_uuid.get())
    }

    /// A call that asks for its first document. What we placed has our id on its URL.
    fn call(&self) -> VoiceRequest {
        let direction = self.direction();
        VoiceRequest {
            call: InboundCall {
                account: Some(self.account.id),
                dnis: self.fields.to.get().and_then(number),
                ani: ani(self.fields.from.get().unwrap_or_default()),
                forwarded_from: None,
                attestation: Attestation::None,
            },
            direction,
            is_answered: direction == Direction::Outbound,
            is_over: false,
            dial: None,
            answered_by: None,
        }
    }

    fn direction(&self) -> Direction {
        match self.fields.direction.get() {
            Some("outbound") => Direction::Outbound,
            Some(_) => Direction::Inbound,
            None if call_id(self.query).is_some() => Direction::Outbound,
            None => Direction::Inbound,
        }
    }

    /// An event of a leg that a document of ours connected to the call, or one that it asked for;
    /// and the leg that it is about.
    fn step_event(&self) -> (Event<'a>, Option<&str>) {
        let Fields { headers, payload, original_request, .. } = &self.fields;
        // What comes back within is signed; the URL is not.
        let told = headers.call_ref.get().or_else(|| payload.call_ref.get());
        let call = told.or(self.state.leg.as_deref()).or_else(|| self.own_leg());
        let Some(word) = self.fields.status.get() else {
            let is_asked = payload.is_there || original_request.is_there;
            let event = if is_asked { Event::Voice(self.step(true, None)) } else { Event::Unknown };
            return (event, call);
        };
        if call.is_some() && call == self.fields.uuid.get() {
            return (self.call_event(), call);
        }
        let status = self.fields.status();
        let is_socket = self.fields.is_socket();
        let event = match (word, status) {
            ("disconnected", _) => Event::Voice(self.step(true, None)),
            ("failed" | "unanswered" | "timeout" | "rejected" | "busy", Some(status)) => {
                let dial = (!is_socket).then_some(DialOutcome::Unanswered(status));
                Event::Voice(self.step(false, dial))
            }
            ("completed", _) if !is_socket && self.fields.has_talked() => {
                Event::Voice(self.step(true, Some(DialOutcome::Answered)))
            }
            _ if is_socket => self.socket_event(word),
            (_, Some(status)) => {
                return (self.progress(status, call.map(str::to_owned)), self.own_leg());
            }
            (_, None) => Event::Unknown,
        };
        (event, call)
    }

    /// What a step's URL is asked, about the call and not about the leg whose event it is.
    fn step(&self, is_answered: bool, dial: Option<DialOutcome>) -> VoiceRequest {
        let State { is_outbound, caller, called, .. } = &self.state;
        let direction = if *is_outbound { Direction::Outbound } else { Direction::Inbound };
        VoiceRequest {
            call: InboundCall {
                account: Some(self.account.id),
                dnis: *called,
                ani: caller.as_deref().map_or(Ani::Unusable, ani),
                forwarded_from: None,
                attestation: Attestation::None,
            },
            direction,
            is_answered: is_answered || *is_outbound,
            is_over: false,
            dial,
            answered_by: None,
        }
    }

    /// What became of a media socket, where nobody is asked.
    fn socket_event(&self, word: &str) -> Event<'a> {
        match word {
            "answered" => Event::Stream(StreamEvent::Started),
            "completed" | "disconnected" => Event::Stream(StreamEvent::Stopped),
            "failed" | "unanswered" | "timeout" | "rejected" | "busy" => {
                Event::Stream(StreamEvent::Failed(Cow::Owned(word.to_owned())))
            }
            _ => Event::Unknown,
        }
    }

    /// An event of a call's own leg.
    fn call_event(&self) -> Event<'a> {
        if self.fields.is_socket() {
            return self.socket_event(self.fields.status.get().unwrap_or_default());
        }
        match (self.fields.answered_by(), self.fields.status()) {
            (Some(who), _) => Event::AnsweredBy(who),
            (None, Some(status)) => self.progress(status, None),
            (None, None) => Event::Unknown,
        }
    }

    fn progress(&self, status: CallStatus, parent: Option<String>) -> Event<'a> {
        let direction = self.direction();
        Event::Progress(Progress {
            status,
            direction,
            is_placed: direction == Direction::Outbound && parent.is_none(),
            parent: parent.map(Cow::Owned),
            from: self.fields.from.get().and_then(|text| ani(text).number()),
            to: self.fields.to.get().and_then(number),
            sequence: None,
            duration_seconds: self.fields.seconds(),
            answered_by: None,
            sip_code: None,
            at: self.fields.timestamp.get().and_then(timestamp),
            call: call_id(self.query),
        })
    }
}

fn timestamp(text: &str) -> Option<UnixMillis> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis)
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Text<'de>, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Text<'de>, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NestedFields<'a> {
    #[serde(borrow)]
    call_ref: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Nested<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape<'a> {
            Object(#[serde(borrow)] NestedFields<'a>),
            Other(Option<IgnoredAny>),
        }
        Ok(match Shape::deserialize(deserializer)? {
            Shape::Object(NestedFields { call_ref, url }) => Self { is_there: true, call_ref, url },
            Shape::Other(other) => Self { is_there: other.is_some(), ..Self::default() },
        })
    }
}
