//! The carriers' protocols, one room each behind one door. Pure: bytes and the time in, values out.
//!
//! A room never opens a socket, asks the clock or names another room; what several need is in
//! `shared/`. Adding a carrier is one folder, one variant of [`CarrierId`], one arm in [`room`].
//!
//! Some carriers are answered with a document, some with requests to their API; some bring back
//! the URL that they were given for the next step, some only a text. The door hides both: an answer
//! is a [`Reply`] of either kind, and a [`Webhook`] names the step that it is about
//! ([`Webhook::step`]).

pub mod bandwidth;
mod command;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod golden;
mod numbers;
#[cfg(test)]
mod pages;
pub mod plivo;
pub mod shared;
pub mod signalwire;
pub mod telnyx;
pub mod twilio;
pub mod vonage;
mod webhook;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use uuid::Uuid;

pub use crate::domain::CarrierId;
use crate::{
    domain::{Account, CallStatus, MediaFormat, Target, UnixMillis},
    media::framing::Framing,
};
pub use command::{
    Answer, ApiError, ApiRequest, Authorization, CallPage, Command, CommandOutcome, Dial,
    FoundCall, Leg, NumberOrder, NumberSearch, OfferedNumber, Order, Otherwise, Reply, Told,
};
pub use numbers::{
    Answerer, AskedUrl, HeldApplication, HeldNumber, NumberCommand, NumberOutcome, NumberPage,
    PointTo, Pointing,
};
pub use webhook::{
    AnsweredBy, DialOutcome, Endpoint, Event, Progress, Refused, Request, StreamEvent,
    VoiceRequest, Webhook,
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

    /// The status that a request is refused with: carriers differ in what they send once more.
    fn refusal_status(&self, refused: Refused) -> StatusCode {
        match refused {
            Refused::Malformed(_) => StatusCode::BAD_REQUEST,
            Refused::Unsigned
            | Refused::WrongSignature
            | Refused::UnknownKey
            | Refused::BodyMismatch
            | Refused::Stale
            | Refused::AccountMismatch => StatusCode::FORBIDDEN,
        }
    }

    /// What a request that is refused with 401 would have to show (RFC 9110 §11.6.1).
    fn challenge(&self) -> &'static str {
        "Basic realm=\"carriers\""
    }

    /// The status of an answer that says nothing.
    fn acknowledgement(&self) -> StatusCode {
        StatusCode::NO_CONTENT
    }

    /// Proves that a websocket upgrade comes from the account's carrier, as far as that carrier
    /// proves it: our ticket in the path is checked besides. `request.url` is the `ws`/`wss` URL
    /// the carrier was given.
    ///
    /// # Errors
    /// As [`Carrier::receive`].
    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused>;

    /// What makes the carrier do it: a document, which replaces what `out` holds, or a request.
    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply;

    /// Whether the call has to be picked up before the carrier can do that; then
    /// [`Answer::PickUp`] comes first.
    fn picks_up_first(&self, answer: &Answer<'_>) -> bool {
        let _documents_pick_up_by_themselves = answer;
        false
    }

    /// Whether its webhooks only tell what has happened, and every answer is a request to its API.
    fn is_told_by_requests(&self) -> bool {
        false
    }

    /// Whether it can be the carrier's own name for an account.
    fn is_account_id(&self, text: &str) -> bool;

    /// Whether it can do what the target asks; where not, saving it is refused.
    fn can(&self, target: &Target) -> bool;

    /// What its media socket is asked to carry for a runtime that wants this.
    fn media_format(&self, wanted: MediaFormat) -> MediaFormat;

    /// How its media socket spells that; none where it speaks the very messages that runtimes are
    /// spoken to in.
    fn framing(&self, format: MediaFormat, account: &Account) -> Option<Box<dyn Framing>>;

    /// The headers the carrier would sign the request with, by the account's first secret: for
    /// who plays the carrier (`doctor`, the simulator, tests). None where there is no secret, or
    /// it is one that cannot sign.
    fn sign(&self, request: &Request<'_>, account: &Account, now: UnixMillis) -> HeaderMap;

    /// Where its API is for the account, unless configured otherwise: scheme and host, no trailing
    /// slash.
    fn api_url(&self, account: &Account) -> Cow<'static, str>;

    /// The API request that carries out the command. `nonce` is new for each sending, and `now`
    /// its time, for carriers whose credentials are made anew for each request. None where the
    /// carrier's API has no such thing.
    fn request(
        &self,
        command: &Command<'_>,
        account: &Account,
        now: UnixMillis,
        nonce: Uuid,
    ) -> Option<ApiRequest>;

    /// What the API's reply says of the command.
    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome;

    /// How the account's numbers are asked for, and pointed here.
    ///
    /// # Errors
    /// The account lacks the keys that it takes: these, for people.
    fn pointing(&self, account: &Account) -> Result<&'static dyn Pointing, &'static str>;

    /// The API request that tells where a live call stands. None where the carrier's API tells it
    /// of no single call.
    fn look(&self, carrier_call_id: &str, account: &Account) -> Option<ApiRequest> {
        let _unknown_there = (carrier_call_id, account);
        None
    }

    /// What the reply to that says; none where it is not clear.
    fn looked(&self, status: u16, body: &[u8]) -> Option<CallStatus> {
        let _unknown_there = (status, body);
        None
    }

    /// Whether it tells when a machine records, and not only that one answered.
    fn tells_recording(&self) -> bool {
        true
    }

    /// Whether a request that ends or moves a call is done once, however often it comes with the
    /// same `nonce`: then one without a reply is sent again at once.
    fn does_once(&self) -> bool {
        false
    }

    /// Whether a call that dials on is taken out of it by ending the leg that is dialled: no
    /// request reaches the call itself then.
    fn leaves_dial_by_its_leg(&self) -> bool {
        false
    }

    /// What the API's reply says of a [`Reply::Request`].
    fn reply_outcome(&self, status: u16, body: &[u8]) -> CommandOutcome {
        let _documents_have_none = (status, body);
        CommandOutcome::Unclear
    }
}

/// The room of a carrier.
#[must_use]
pub fn room(carrier: CarrierId) -> &'static dyn Carrier {
    match carrier {
        CarrierId::Bandwidth => &bandwidth::Bandwidth,
        CarrierId::Plivo => &plivo::Plivo,
        CarrierId::SignalWire => &signalwire::SignalWire,
        CarrierId::Telnyx => &telnyx::Telnyx,
        CarrierId::TelnyxTexml => &telnyx::TelnyxTexml,
        CarrierId::Twilio => &twilio::Twilio,
        CarrierId::Vonage => &vonage::Vonage,
    }
}
