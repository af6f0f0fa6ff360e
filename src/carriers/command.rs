//! What is wanted of a carrier: as the answer to its request, and through its API.

use std::{fmt, sync::Arc};

use http::Method;

use super::{AnsweredBy, NumberCommand, NumberOutcome};
use crate::domain::{
    Account, CallId, CallStatus, DialFailure, Direction, E164, InboundCall, MediaFormat, Secret,
    UnixMillis,
};

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
        /// What it shall carry: [`Carrier::media_format`]'s.
        ///
        /// [`Carrier::media_format`]: super::Carrier::media_format
        format: MediaFormat,
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
        /// Asked what follows, by a carrier that cannot be told to hang up in advance.
        resume_url: &'a str,
    },
    /// Pick up, and ask `resume_url` what follows.
    PickUp {
        /// Asked what follows.
        resume_url: &'a str,
    },
    /// Refuse as busy, before anybody has answered.
    Busy,
    /// Refuse, before anybody has answered.
    Reject,
    /// End the call.
    HangUp,
}

/// The call that an answer is for.
#[derive(Clone, Copy, Debug)]
pub struct Leg<'a> {
    /// On whose behalf.
    pub account: &'a Account,
    /// The carrier's id for it.
    pub carrier_call_id: &'a str,
    /// The carrier's id for the event that is answered: what makes a repeated request one.
    pub event_id: Option<&'a str>,
    /// Which way the call goes.
    pub direction: Direction,
    /// Somebody has picked up.
    pub is_answered: bool,
    /// Who calls whom.
    pub call: InboundCall,
}

/// An answer as the carrier takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The document that was written, of this media type.
    Document(&'static str),
    /// A request to the API. The webhook itself is answered with nothing.
    Request(ApiRequest),
}

/// What a live call's carrier is to be told by its API.
#[derive(Debug)]
pub struct Order {
    /// On whose behalf.
    pub account: Arc<Account>,
    /// The carrier's id for the call that it is for.
    pub carrier_call_id: String,
    /// What.
    pub told: Told,
}

/// What a live call's carrier is to be told.
#[derive(Debug)]
pub enum Told {
    /// An answer that is a request.
    Answer {
        /// The request.
        request: ApiRequest,
        /// Called once where it is not done; without it, the call is ended then.
        otherwise: Option<Otherwise>,
    },
    /// To end the call.
    HangUp,
    /// To take the call out of what it is doing, and ask this URL what follows.
    Redirect(String),
    /// To say whether the call goes on: its media has ended, and nothing was said of its end.
    Look,
}

/// What is done where an answer cannot be.
pub struct Otherwise(pub Box<dyn FnOnce() + Send>);

impl fmt::Debug for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otherwise")
    }
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
    /// Something about the account's numbers and who answers them.
    Numbers(NumberCommand<'a>),
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
    /// Whether it shall tell, besides, when a machine records.
    pub awaits_recording: bool,
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
    /// Our id for it, where the carrier's list says that.
    pub call: Option<CallId>,
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
    /// The host, where it is another than the API's usual one: scheme and host, no trailing slash.
    /// An account whose API's place is configured has all of them there.
    pub host: Option<&'static str>,
    /// Its path, beginning with a slash.
    pub path: String,
    /// Who asks.
    pub authorization: Authorization,
    /// The media type of the body.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

/// How a request to a carrier's API says who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// This is its `Authorization`.
    Header(Secret),
    /// A token that is fetched first and kept while it lives (RFC 6749 §4.4), as `Bearer`.
    ClientCredentials {
        /// Where tokens are: scheme and host, no trailing slash. An account whose API's place is
        /// configured has them there.
        token_host: &'static str,
        /// Their path, beginning with a slash.
        token_path: &'static str,
        /// Who.
        client_id: String,
        /// With what.
        client_secret: Secret,
    },
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
    /// What was asked about the account's numbers.
    Numbers(NumberOutcome),
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
    /// The HTTP status; 0 where nothing was sent.
    pub status: u16,
    /// The carrier's own code.
    pub code: Option<u32>,
    /// For people; empty where the carrier said nothing.
    pub message: String,
}

impl ApiError {
    /// The carrier's API has no request for it: nothing was sent.
    #[must_use]
    pub fn unknown_there() -> Self {
        let message = "the carrier's API has no such request".to_owned();
        Self { cause: DialFailure::Refused, status: 0, code: None, message }
    }
}
