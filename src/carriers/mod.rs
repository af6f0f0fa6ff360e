//! The carriers' protocols, one room each behind one door. Pure: bytes and the time in, values out.
//!
//! A room never opens a socket, asks the clock or names another room; what several need is in
//! `shared/`. Adding a carrier is one folder, one variant of [`CarrierId`], one arm in [`room`].

#[cfg(test)]
mod conformance;
pub mod shared;
pub mod twilio;

use std::borrow::Cow;

use http::{HeaderMap, Method};

pub use crate::domain::CarrierId;
use crate::domain::{
    Account, CallId, CallStatus, DialFailure, Direction, E164, InboundCall, MediaFormat, Secret,
    Target, UnixMillis,
};

/// The longest body a room reads; a longer one is [`Refused::Malformed`]. A voice webhook is about
/// 1 KiB and carriers' own documents end at 64 kB, so no honest request comes near it.
pub const BODY_LEN_MAX: usize = 64 * 1024;

/// The door every room stands behind.
pub trait Carrier: Sync {
    /// Proves that the request comes from the account's carrier, then reads it. Nothing is read
    /// from a request that has not proven itself.
    ///
    /// # Errors
    /// Who sent it is at fault: see [`Refused`].
    fn receive<'a>(
        &self,
        endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused>;

    /// Proves that a websocket upgrade comes from the account's carrier. `request.url` is the
    /// `ws`/`wss` URL the carrier was given.
    ///
    /// # Errors
    /// As [`Carrier::receive`].
    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused>;

    /// Writes the document that makes the carrier do it, replacing what `out` holds.
    fn answer(&self, answer: &Answer<'_>, out: &mut Vec<u8>);

    /// The media type of its documents.
    fn content_type(&self) -> &'static str;

    /// Whether it can be the carrier's own name for an account.
    fn is_account_id(&self, text: &str) -> bool;

    /// Whether it can do what the target asks; where not, saving it is refused.
    fn can(&self, target: &Target) -> bool;

    /// What its media socket carries.
    fn media_format(&self) -> MediaFormat;

    /// The headers the carrier would sign the request with, by the account's first secret: for
    /// who plays the carrier (`doctor`, the simulator, tests). None where there is no secret.
    fn sign(&self, request: &Request<'_>, account: &Account) -> HeaderMap;

    /// Where its API is, unless configured otherwise: scheme and host, no trailing slash.
    fn api_url(&self) -> &'static str;

    /// The API request that carries out the command.
    fn request(&self, command: &Command<'_>, account: &Account) -> ApiRequest;

    /// What the API's reply says of the command.
    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome;
}

/// The room of a carrier.
#[must_use]
pub fn room(carrier: CarrierId) -> &'static dyn Carrier {
    match carrier {
        CarrierId::Twilio => &twilio::Twilio,
    }
}

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

/// What a carrier tells us.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook<'a> {
    /// The carrier's id for the leg.
    pub carrier_call_id: Cow<'a, str>,
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
    /// It failed, in the carrier's words.
    Failed(Cow<'a, str>),
}

/// What we want of the carrier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'a> {
    /// Open a media socket; when it ends, ask `resume_url` what follows.
    Media {
        /// The socket's URL.
        url: &'a str,
        /// Told when the stream starts, stops or fails.
        status_url: &'a str,
        /// Asked what follows.
        resume_url: &'a str,
        /// Given to the socket's `start`.
        parameters: &'a [(&'a str, &'a str)],
    },
    /// Dial on to a number; then ask `resume_url` what follows.
    DialNumber {
        /// Who is called.
        number: E164,
        /// Asked what follows.
        resume_url: &'a str,
    },
    /// Dial on to a SIP address (without its `sip:`); then ask `resume_url` what follows.
    DialSip {
        /// Who is called.
        address: &'a str,
        /// Asked what follows.
        resume_url: &'a str,
    },
    /// Let another application answer.
    Redirect {
        /// Its URL.
        url: &'a str,
    },
    /// Speak, then hang up.
    Say {
        /// What is said.
        text: &'a str,
    },
    /// Refuse as busy, before anybody has answered.
    Busy,
    /// Refuse, before anybody has answered.
    Reject,
    /// End the call.
    HangUp,
}

/// What we want of the carrier outside of a webhook's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// End the call.
    HangUp {
        /// The carrier's id for its leg.
        carrier_call_id: &'a str,
    },
    /// Take a call that somebody has answered out of what it is doing.
    Redirect {
        /// The carrier's id for its leg.
        carrier_call_id: &'a str,
        /// Asked what follows.
        url: &'a str,
    },
    /// Place a call. No carrier has an idempotency key for it, so it is sent once.
    Dial(Dial<'a>),
    /// Find the calls we placed: for who does not know what became of a [`Command::Dial`].
    FindCalls {
        /// Which number was shown.
        from: E164,
        /// Who was called.
        to: E164,
        /// Not earlier than the day of this.
        since: UnixMillis,
    },
    /// List every call that an API placed, a page at a time, newest first.
    ListCalls {
        /// Not earlier than the day of this.
        since: UnixMillis,
        /// Which page, in the carrier's words ([`CallPage::next`]); the first, if none.
        page: Option<&'a str>,
    },
    /// Find numbers that can be bought.
    SearchNumbers(NumberSearch<'a>),
    /// Buy a number. A number is sold once, so asking twice buys once.
    BuyNumber(NumberOrder<'a>),
    /// Find a number among the account's own: for who does not know what became of a
    /// [`Command::BuyNumber`].
    FindNumber {
        /// Which.
        number: E164,
    },
}

/// Numbers that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberSearch<'a> {
    /// The country, by ISO 3166-1.
    pub country: &'a str,
    /// The area code, of local numbers.
    pub area_code: Option<&'a str>,
    /// Numbers whose callers do not pay.
    pub is_toll_free: bool,
    /// How many at most.
    pub limit: u32,
}

/// A number to be bought, and what the carrier shall ask about its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberOrder<'a> {
    /// Which.
    pub number: E164,
    /// Asked what to do with a call.
    pub voice_url: &'a str,
    /// Told how calls end.
    pub status_url: &'a str,
}

/// A number that can be bought. Carriers tell prices elsewhere, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedNumber {
    /// The number.
    pub number: E164,
    /// Its country, by ISO 3166-1.
    pub country: String,
    /// Its callers do not pay.
    pub is_toll_free: bool,
    /// Its state or province.
    pub state: Option<String>,
    /// Its town.
    pub locality: Option<String>,
}

/// A call to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dial<'a> {
    /// Which number is shown: one of ours at that account.
    pub from: E164,
    /// Who is called.
    pub to: E164,
    /// Asked what to do once somebody has answered, and again where that failed.
    pub voice_url: &'a str,
    /// Told how the call goes, and who answered.
    pub status_url: &'a str,
    /// How long it may ring, in seconds.
    pub ring_seconds: u32,
    /// Whether the carrier shall find out if a machine answers; it costs.
    pub detects_machine: bool,
}

/// A page of a carrier's list of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPage {
    /// Those that an API placed.
    pub calls: Vec<FoundCall>,
    /// How many the page had in all: calls that came in and calls dialled on are no touches.
    pub listed: usize,
    /// What to ask for next, in the carrier's words; none after the last page.
    pub next: Option<String>,
}

/// A call as a carrier's API lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCall {
    /// The carrier's id for it.
    pub carrier_call_id: String,
    /// Which number was shown, where it is a number.
    pub from: Option<E164>,
    /// Who was called, where that is a number.
    pub to: Option<E164>,
    /// Where it stands.
    pub status: CallStatus,
    /// When the carrier took it on.
    pub created_at: UnixMillis,
    /// Who answered, where known.
    pub answered_by: Option<AnsweredBy>,
}

/// A request to a carrier's API, as a value: whoever sends it puts the host in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// Its method.
    pub method: Method,
    /// Its path, beginning with a slash.
    pub path: String,
    /// Its `Authorization`.
    pub authorization: Secret,
    /// The media type of the body.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Done, now or before.
    Done,
    /// A call is being placed.
    Accepted {
        /// The carrier's id for it.
        carrier_call_id: String,
    },
    /// The calls that were asked for and that an API placed, newest first.
    Found(Vec<FoundCall>),
    /// A page of the list that was asked for.
    Listed(CallPage),
    /// Numbers that can be bought.
    Offered(Vec<OfferedNumber>),
    /// Whether the number is the account's own; after an order it is.
    Owned(bool),
    /// Not done: the carrier is busy. It is safe to send again, later.
    Busy,
    /// Nobody can tell whether it was done.
    Unclear,
    /// Not done, and it will not be.
    Refused(ApiError),
}

/// An error in the words of a carrier's API, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// What it comes to, for a call that was to be placed.
    pub cause: DialFailure,
    /// The HTTP status.
    pub status: u16,
    /// The carrier's own code.
    pub code: Option<u32>,
    /// For people; empty where the carrier said nothing.
    pub message: String,
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
