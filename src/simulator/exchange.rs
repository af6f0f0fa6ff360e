//! A simulated carrier: an account with numbers, people who may be called, and the calls between
//! them. It is the real one's stand-in for its customer; it never looks into the daemon.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use uuid::Uuid;

use super::{
    leg::{Facts, Leg},
    peers::{Peer, peer},
    play::{Order, Play},
    post::{Post, Reach, Reply, Sent, Signer},
    verb::Problem,
};
use crate::{
    domain::{Account, CallStatus, CarrierId, Direction},
    telemetry::clock,
};

/// What the exchange is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account, at the carrier that is played.
    pub account: Account,
    /// Who signs its webhooks.
    pub signer: Signer,
    /// Where the daemon is.
    pub reach: Reach,
    /// How status events are delivered.
    pub delivery: Delivery,
    /// From one station of a call to the next.
    pub pace: Duration,
}

/// How status events are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As they happen.
    #[default]
    InOrder,
    /// Each of them twice.
    Twice,
    /// All at the end, the last first.
    Backwards,
}

/// Makes up an account as the carrier would open one of that name, and the fields besides name and
/// kind by which a daemon's API is told of it; none while nobody plays that carrier.
#[must_use]
pub fn open_account(carrier: CarrierId, name: &str) -> Option<(Account, Value)> {
    peer(carrier).map(|peer| peer.account(name))
}

/// A number of the account, as its owner has set it up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// The number.
    pub e164: String,
    /// Asked what to do with a call.
    pub voice_url: String,
    /// Asked when that fails; may be empty.
    pub voice_fallback_url: String,
    /// Told when a call is over; may be empty.
    pub status_callback: String,
}

/// What a person does who is called.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// How long it rings first.
    pub rings: Duration,
    /// And then.
    pub then: Pickup,
    /// What becomes of the request to call them.
    pub fault: Option<Fault>,
}

/// How a call to somebody goes.
#[derive(Clone, Debug, Default)]
pub enum Pickup {
    /// Nobody answers.
    #[default]
    Nobody,
    /// The line is busy.
    Busy,
    /// The network cannot reach it.
    Fails,
    /// They answer.
    Answers(Voice),
    /// A machine does.
    Machine(Voice),
}

/// What somebody on the phone does.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    /// What they say once they are heard: mu-law. Then they are silent.
    pub says: Vec<u8>,
    /// What they press after that.
    pub keys: String,
    /// How long they then stay; without it, until they are told to hang up.
    pub stays: Option<Duration>,
    /// What becomes of their line, and how long after the media socket has opened.
    pub mishap: Option<(Mishap, Duration)>,
}

/// What goes wrong with a media socket at the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It stays open, and nothing comes by it or is read any more, until the call ends.
    Stalls,
    /// The carrier sends nothing more and says so, and reads on until it is closed.
    HalfCloses,
    /// It breaks; the carrier goes on as when a stream has ended.
    Breaks,
    /// The carrier opens it a second time, and leaves at once whatever that comes to.
    ComesTwice,
}

/// What goes wrong with a request for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is made; the answer comes late.
    Slow(Duration),
    /// The call is made; no answer ever comes.
    NoAnswer,
    /// The call is made; the answer is an error of the carrier's.
    Unclear(u16),
    /// The call is made; the answer is nothing that can be read.
    Garbage,
    /// No call is made.
    Refused {
        /// The status.
        status: u16,
        /// The carrier's code.
        code: u32,
        /// For people.
        message: String,
    },
}

/// A call to one of the account's numbers.
#[derive(Clone, Debug, Default)]
pub struct Ringing {
    /// Who calls, in the carrier's spelling.
    pub from: String,
    /// The number.
    pub to: String,
    /// What the caller does once somebody answers.
    pub voice: Voice,
    /// What the network vouches for, such as `TN-Validation-Passed-A`.
    pub stir_verstat: Option<String>,
    /// Who forwarded it.
    pub forwarded_from: Option<String>,
}

/// The exchange.
pub struct Exchange {
    inner: Arc<Inner>,
    server: Option<JoinHandle<()>>,
}

pub(super) struct Inner {
    pub(super) peer: &'static dyn Peer,
    pub(super) account: Account,
    pub(super) post: Post,
    pub(super) delivery: Delivery,
    pub(super) pace: Duration,
    book: Mutex<Book>,
}

/// What the exchange keeps.
#[derive(Default)]
pub(super) struct Book {
    /// With the carrier's id for each.
    pub(super) numbers: Vec<(String, Owned)>,
    pub(super) people: HashMap<String, Person>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) faults_of_any: VecDeque<Fault>,
    /// In the order they began.
    pub(super) legs: Vec<Arc<Leg>>,
}

impl Exchange {
    /// An exchange without numbers.
    ///
    /// # Errors
    /// Nobody plays that carrier, or no client for HTTP can be made.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let Settings { account, signer, reach, delivery, pace } = settings;
        let kind = account.carrier;
        let peer = peer(kind).ok_or_else(|| format!("{kind} is not simulated"))?;
        let post = Post::new(peer.manners(), account.clone(), signer, reach)?;
        let book = Mutex::default();
        let inner = Arc::new(Inner { peer, account, post, delivery, pace, book });
        Ok(Self { inner, server: None })
    }

    /// Opens its API on a free port of this machine, and returns the API's URL.
    ///
    /// # Errors
    /// The port.
    pub async fn open(&mut self) -> io::Result<String> {
        self.open_at("127.0.0.1:0").await
    }

    /// The same at a place of one's own.
    ///
    /// # Errors
    /// The place.
    pub async fn open_at(&mut self, place: &str) -> io::Result<String> {
        let listener = TcpListener::bind(place).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let spoils = middleware::from_fn_with_state(Arc::clone(&self.inner), spoils);
        let router = self.inner.peer.router(Arc::clone(&self.inner)).layer(spoils);
        self.server = Some(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the simulated carrier's API failed");
            }
        }));
        Ok(url)
    }

    /// Gives the account a number.
    pub fn own(&self, number: Owned) {
        self.inner.add(number);
    }

    /// Says what happens when this number, or this `sip:` address, is called.
    pub fn people(&self, callee: &str, person: Person) {
        self.inner.book().people.insert(callee.to_owned(), person);
    }

    /// Lets the next request for a call go wrong.
    pub fn fault(&self, fault: Fault) {
        self.inner.book().faults.push_back(fault);
    }

    /// Lets the next request that changes anything go wrong, whatever it is.
    pub fn fault_any(&self, fault: Fault) {
        self.inner.book().faults_of_any.push_back(fault);
    }

    /// Somebody calls one of the account's numbers.
    ///
    /// # Errors
    /// The account does not own it.
    pub fn ring(&self, ringing: Ringing) -> Result<Arc<Leg>, String> {
        let owned = self.inner.owned(&ringing.to);
        let owned = owned.ok_or_else(|| format!("{} is no number of the account", ringing.to))?;
        let Ringing { from, to, voice, stir_verstat, forwarded_from } = ringing;
        let facts = Facts {
            stir_verstat,
            forwarded_from,
            ..self.inner.facts(from, to, Direction::Inbound)
        };
        let leg = self.inner.begin(facts, CallStatus::Ringing);
        let play = Play::new(Arc::clone(&self.inner), Arc::clone(&leg), voice);
        tokio::spawn(self.inner.peer.inbound(play, owned));
        Ok(leg)
    }

    /// Every call, in the order they began.
    #[must_use]
    pub fn calls(&self) -> Vec<Arc<Leg>> {
        self.inner.book().legs.clone()
    }

    /// Sends a request again, to the letter.
    ///
    /// # Errors
    /// It does not arrive.
    pub async fn deliver(&self, sent: &Sent) -> Result<Reply, Problem> {
        self.inner.post.deliver(sent).await
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Inner {
    /// Held for a look-up at a time, never across a wait.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a number of the account; the carrier's id for it.
    pub(super) fn add(&self, number: Owned) -> String {
        let sid = sid("PN");
        self.book().numbers.push((sid.clone(), number));
        sid
    }

    pub(super) fn owned(&self, e164: &str) -> Option<Owned> {
        let book = self.book();
        book.numbers.iter().find(|(_, owned)| owned.e164 == e164).map(|(_, owned)| owned.clone())
    }

    pub(super) fn person(&self, callee: &str) -> Person {
        self.book().people.get(callee).cloned().unwrap_or_default()
    }

    /// The call of that id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Leg>> {
        self.book().legs.iter().find(|leg| leg.facts.sid == id).cloned()
    }

    pub(super) fn facts(&self, from: String, to: String, direction: Direction) -> Facts {
        Facts {
            sid: self.peer.call_id(),
            account_sid: self.account.account_id.clone(),
            application_id: self.account.application_id.clone(),
            from,
            to,
            direction,
            created_at: clock::now(),
            started: clock::instant(),
            stir_verstat: None,
            forwarded_from: None,
        }
    }

    fn begin(&self, facts: Facts, status: CallStatus) -> Arc<Leg> {
        let leg = Arc::new(Leg::new(facts, status));
        self.book().legs.push(Arc::clone(&leg));
        leg
    }

    /// Places a call that the API was asked for; `show` is what it answers. The numbers are E.164,
    /// or an address with its `sip:`.
    pub(super) async fn place(
        self: &Arc<Self>,
        from: &str,
        to: &str,
        order: Order,
        show: impl FnOnce(&Leg) -> Response,
    ) -> Response {
        let person = self.person(to);
        let queued = self.book().faults.pop_front();
        let fault = queued.or_else(|| person.fault.clone());
        if let Some(Fault::Refused { status, code, message }) = &fault {
            return self.peer.error(*status, Some(*code), message);
        }
        let facts = self.facts(from.to_owned(), to.to_owned(), Direction::Outbound);
        let leg = self.begin(facts, CallStatus::Queued);
        let answer = show(&leg);
        let play = Play::new(Arc::clone(self), leg, Voice::default());
        tokio::spawn(self.peer.outbound(play, order, person));
        match fault {
            Some(fault) => self.spoil(fault, answer).await,
            None => answer,
        }
    }

    /// What becomes of an answer when something goes wrong behind it.
    async fn spoil(&self, fault: Fault, answer: Response) -> Response {
        match fault {
            Fault::Slow(delay) => {
                sleep(delay).await;
                answer
            }
            Fault::NoAnswer => std::future::pending().await,
            Fault::Garbage => (StatusCode::OK, "<html>502 Bad Gate").into_response(),
            Fault::Unclear(status) => self.peer.error(status, None, "Internal Server Error"),
            Fault::Refused { status, code, message } => {
                self.peer.error(status, Some(code), &message)
            }
        }
    }
}

/// Lets a request go wrong where one is to.
async fn spoils(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let changes = request.method() != Method::GET;
    let fault = if changes { inner.book().faults_of_any.pop_front() } else { None };
    match fault {
        None => next.run(request).await,
        Some(Fault::Refused { status, code, message }) => {
            inner.peer.error(status, Some(code), &message)
        }
        Some(fault) => {
            let answer = next.run(request).await;
            inner.spoil(fault, answer).await
        }
    }
}

/// A new id: two letters and 32 digits.
pub(super) fn sid(kind: &str) -> String {
    format!("{kind}{}", Uuid::new_v4().simple())
}
