//! Carriers as their customers meet them, one [`Peer`] each. What they have in common is outside:
//! the exchange, its people, a call's course, timing, delivery, the line.
//!
//! A peer is the stranger who verifies a room, so it never reads or writes by a room's code: of
//! `carriers/` it takes the signature alone, and all else comes from the carrier's own pages.
//!
//! **Adding one** is a file or a folder here with a `Peer`, and its arm in [`peer`]:
//!
//! - [`Peer::account`]: an account as the carrier opens one, and how a daemon is told of it;
//! - [`Peer::ask`] and [`Peer::read`]: the request for instructions, and its answer as [`Verb`]s
//!   (`xml` reads documents, `twiml` reads those of Twilio's family);
//! - [`Peer::station`], [`Peer::detected`], [`Peer::stream_told`]: what the customer is told of a
//!   call, of who answered, of a media stream;
//! - [`Peer::wire`]: the media socket's messages, as a [`Wire`]; sound is mu-law at 8 kHz on this
//!   side of it, and `audio::carried` and `audio::of_carried` are for those that speak linear;
//! - [`Peer::router`]: the API; [`Inner::place`], [`Inner::find`], [`Leg::end`] and
//!   [`Leg::go_to`] do what it is asked, and [`Peer::error`] is how it refuses.
//!
//! A carrier that is told what to do by requests, not by answers, takes over [`Peer::inbound`] and
//! [`Peer::outbound`]. `tests/faults` and `demo --carrier` then go through every scene with it.

mod bandwidth;
mod form;
mod offers;
mod plivo;
mod signalwire;
mod telnyx;
mod twilio;
mod twiml;
mod vonage;
mod xml;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{
    exchange::{Inner, Owned, Person},
    leg::{Leg, Who},
    play::{Order, Play},
    post::Letter,
    talk::Wire,
    verb::{Problem, Step, Stream, Verb},
};
use crate::domain::{Account, CallStatus, CarrierId};

/// The carrier's part, where it is written.
pub(super) const fn peer(carrier: CarrierId) -> Option<&'static dyn Peer> {
    match carrier {
        CarrierId::Bandwidth => Some(&bandwidth::Bandwidth),
        CarrierId::Plivo => Some(&plivo::Plivo),
        CarrierId::SignalWire => Some(&signalwire::SignalWire),
        CarrierId::Twilio => Some(&twilio::Twilio),
        CarrierId::Vonage => Some(&vonage::Vonage),
        CarrierId::Telnyx => Some(&telnyx::CallControl),
        CarrierId::TelnyxTexml => Some(&telnyx::Texml),
    }
}

/// What one carrier does in its own way.
pub(super) trait Peer: Sync {
    /// An account of that name as the carrier opens one, its credentials made up; and the fields
    /// besides name and kind by which a daemon is told of it.
    fn account(&self, name: &str) -> (Account, Value);

    /// An id of a new call.
    fn call_id(&self) -> String;

    /// An id of a new media stream.
    fn stream_id(&self) -> String;

    /// How it comes.
    fn manners(&self) -> Manners;

    /// The request for instructions.
    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter;

    /// What the answer of that media type says.
    ///
    /// # Errors
    /// What the carrier would refuse it for.
    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem>;

    /// Tells that URL where a call stands.
    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter;

    /// Tells that URL who has answered.
    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter;

    /// Tells of a media stream, where somebody wants to know.
    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter>;

    /// Whether a call whose stream could not begin hears nothing until the API takes it elsewhere.
    fn waits_for_rejected_streams(&self) -> bool {
        false
    }

    /// The messages of a media socket.
    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire>;

    /// The API.
    fn router(&self, exchange: Arc<Inner>) -> Router;

    /// An error as the API tells it; without a code, one that says nothing.
    fn error(&self, status: u16, code: Option<u32>, message: &str) -> Response;

    /// Plays a call to one of the account's numbers.
    fn inbound(&self, play: Play, owned: Owned) -> BoxFuture<'static, ()> {
        Box::pin(play.inbound(owned))
    }

    /// Plays a call placed through the API.
    fn outbound(&self, play: Play, order: Order, person: Person) -> BoxFuture<'static, ()> {
        Box::pin(play.outbound(order, person))
    }
}

/// How a carrier's requests come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    pub(super) user_agent: &'static str,
    /// How long a connection may take.
    pub(super) connect_max: Duration,
    /// How long an answer may take, connection included.
    pub(super) answer_max: Duration,
    /// Whether the upgrade of a media socket is signed like a request.
    pub(super) signs_upgrades: bool,
}

/// What instructions are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asking {
    /// Whom.
    pub(super) step: Step,
    /// Who answered, where that was waited for.
    pub(super) answered_by: Option<Who>,
    /// Another URL was asked first, and how that went.
    pub(super) failed: Option<(Problem, String)>,
    /// How dialling on went.
    pub(super) dialled: Option<Dialled>,
}

impl Asking {
    /// About nothing in particular.
    pub(super) fn of(step: Step) -> Self {
        Self { step, ..Self::default() }
    }
}

/// How dialling on went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialled {
    pub(super) outcome: CallStatus,
    /// How long they talked, if they did.
    pub(super) talked: Option<Duration>,
}

/// A station of a call's life that a customer can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Station {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

impl Station {
    /// In Twilio's words, which most others took.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Completed => "completed",
        }
    }
}

/// A call has come to a station.
#[derive(Clone, Copy, Debug)]
pub(super) struct StationEvent {
    pub(super) station: Station,
    /// Which event of the call it is, from 0.
    pub(super) sequence: u32,
    /// Seconds of talk, with the last.
    pub(super) seconds: Option<u64>,
}

/// What a customer is told of a media stream.
#[derive(Clone, Debug)]
pub(super) enum StreamTold {
    Started,
    Stopped,
    Failed(Problem),
}

impl StreamTold {
    /// In Twilio's words.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Started => "stream-started",
            Self::Stopped => "stream-stopped",
            Self::Failed(_) => "stream-error",
        }
    }
}

/// The fields of an object.
fn fields(object: Value) -> Map<String, Value> {
    if let Value::Object(fields) = object { fields } else { Map::new() }
}

#[cfg(test)]
mod tests;
