//! What a carrier's request comes to, whatever its spelling.

use std::borrow::Cow;

use http::{HeaderMap, Method};

use crate::domain::{CallId, CallStatus, Direction, E164, InboundCall, UnixMillis};

/// A carrier's request as it came, and the URL the carrier was given for it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The public URL without fragment: configured base, raw path, raw query.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, raw.
    pub body: &'a [u8],
}

impl AnsweredBy {
    /// Nobody there who could talk. Where the carrier cannot tell, somebody is.
    #[must_use]
    pub const fn is_machine(self) -> bool {
        match self {
            Self::MachineStart | Self::MachineEnd | Self::Fax => true,
            Self::Human | Self::Unknown => false,
        }
    }
}

impl<'a> Request<'a> {
    /// The raw query, without its question mark.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

/// Which of an account's URLs was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/carriers/{account}/voice`
    Voice,
    /// `/carriers/{account}/status`
    Status,
    /// `/carriers/{account}/resume`
    Resume,
}

impl Endpoint {
    /// The one that a URL's last segment names.
    #[must_use]
    pub fn named(segment: &str) -> Option<Self> {
        match segment {
            "voice" => Some(Self::Voice),
            "status" => Some(Self::Status),
            "resume" => Some(Self::Resume),
            _ => None,
        }
    }
}

/// What a carrier tells us.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook<'a> {
    /// The carrier's id for the leg.
    pub carrier_call_id: Cow<'a, str>,
    /// The carrier's id for the event, where events come to one URL and come more than once: the
    /// same event is answered the same way.
    pub event_id: Option<Cow<'a, str>>,
    /// The URL that the request is about, as it was given for this step ([`Answer`]'s), from a
    /// carrier that brings texts back and not URLs; its path and query count, in place of the
    /// request's own.
    ///
    /// [`Answer`]: super::Answer
    pub step: Option<Cow<'a, str>>,
    /// The request says that another URL of ours failed before: it is never answered from a cache.
    pub is_fallback: bool,
    /// What happened.
    pub event: Event<'a>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The carrier asks what to do with a call.
    Voice(VoiceRequest),
    /// The call has come to another station.
    Progress(Progress<'a>),
    /// The carrier found out who answered (answering-machine detection).
    AnsweredBy(AnsweredBy),
    /// The media stream began, ended or failed.
    Stream(StreamEvent<'a>),
    /// The call was put together with somebody, or taken elsewhere: by us, or by somebody else's
    /// request to the carrier.
    Connected,
    /// A key was pressed: one of `0-9*#A-D`. Told so by carriers whose media socket says nothing of
    /// keys.
    Dtmf(char),
    /// Something we do not know; it is acknowledged and counted.
    Unknown,
}

/// A request for instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceRequest {
    /// The call. For an outbound call `ani` is our number and `dnis` the person's.
    pub call: InboundCall,
    /// Which way it goes.
    pub direction: Direction,
    /// Somebody has answered already: it cannot be refused any more, only hung up.
    pub is_answered: bool,
    /// The call is over; whatever we answer is not heard.
    pub is_over: bool,
    /// How the dial of a `tel:` or `sip:` target ended, where the request is about that.
    pub dial: Option<DialOutcome>,
    /// Who answered, where the carrier waited to find out.
    pub answered_by: Option<AnsweredBy>,
}

/// How dialling on ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialOutcome {
    /// The two talked, and are done.
    Answered,
    /// Nobody talked: the next target is due.
    Unanswered(CallStatus),
}

/// Progress of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress<'a> {
    /// Where it stands.
    pub status: CallStatus,
    /// Which way it goes.
    pub direction: Direction,
    /// It was placed through the carrier's API, by us or somebody else's dialer; not dialled on.
    pub is_placed: bool,
    /// The leg it was dialled from, for the child leg of a dial.
    pub parent: Option<Cow<'a, str>>,
    /// Who shows as caller, where that is a number.
    pub from: Option<E164>,
    /// Who was called, where that is a number.
    pub to: Option<E164>,
    /// The carrier's order of events within the call.
    pub sequence: Option<u32>,
    /// Seconds of talk, on the last event.
    pub duration_seconds: Option<u32>,
    /// Who answered, where known.
    pub answered_by: Option<AnsweredBy>,
    /// The SIP status code of the end.
    pub sip_code: Option<u16>,
    /// When the carrier says it happened.
    pub at: Option<UnixMillis>,
    /// Our id for it, where we placed the call (`?call=` on the URL).
    pub call: Option<CallId>,
}

/// Who answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A person, or nobody can tell: better a greeting to a machine than silence to a person.
    Human,
    /// A machine, still greeting.
    MachineStart,
    /// A machine that is ready to record.
    MachineEnd,
    /// A fax.
    Fax,
    /// The carrier could not tell.
    Unknown,
}

/// What became of the media stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent<'a> {
    /// The carrier has connected.
    Started,
    /// It is over.
    Stopped,
    /// It failed, in the carrier's words. The carrier asks what follows by itself.
    Failed(Cow<'a, str>),
    /// It could not begin, in the carrier's words, and nobody asks what follows: the caller hears
    /// nothing until the call is taken elsewhere. The request's URL is that of what follows.
    Rejected(Cow<'a, str>),
}

/// Why a request is not acted on: its sender's fault, answered 4xx, counted by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No signature.
    Unsigned,
    /// A signature that matches no reading with any of the account's secrets.
    WrongSignature,
    /// Signed by a scheme or a key that the account does not have.
    UnknownKey,
    /// The signed body hash is not the body's.
    BodyMismatch,
    /// Too old.
    Stale,
    /// Rightly signed, but about another account than the URL's.
    AccountMismatch,
    /// Rightly signed, but not what the carrier's documentation describes.
    Malformed(&'static str),
}

impl Refused {
    /// The cause as a metric's label.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::WrongSignature => "wrong_signature",
            Self::UnknownKey => "unknown_key",
            Self::BodyMismatch => "body_mismatch",
            Self::Stale => "stale",
            Self::AccountMismatch => "account_mismatch",
            Self::Malformed(_) => "malformed",
        }
    }
}
