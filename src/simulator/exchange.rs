//! A simulated Twilio: an account with numbers, people who may be called, and the calls between
//! them. It is the real one's stand-in for its customer; it never looks into the daemon.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

use super::{
    leg::{Facts, Leg},
    play::Play,
    post::{Post, Reach, Reply, Sent, Signer},
    rest,
    twiml::Problem,
};
use crate::{
    domain::{CallStatus, Direction},
    telemetry::clock,
};

/// What the exchange is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account's id, `AC...`.
    pub account_sid: String,
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
    /// No call is made.
    Refused {
        /// The status.
        status: u16,
        /// Twilio's code.
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
    pub(super) account_sid: String,
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
    /// In the order they began.
    pub(super) legs: Vec<Arc<Leg>>,
}

impl Exchange {
    /// An exchange without numbers.
    ///
    /// # Errors
    /// No client for HTTP can be made.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let Settings { account_sid, signer, reach, delivery, pace } = settings;
        let post = Post::new(signer, reach)?;
        let book = Mutex::default();
        let inner = Arc::new(Inner { account_sid, post, delivery, pace, book });
        Ok(Self { inner, server: None })
    }

    /// Opens its API on a free port of this machine, and returns the API's URL.
    ///
    /// # Errors
    /// The port.
    pub async fn open(&mut self) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = rest::router(Arc::clone(&self.inner));
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
        tokio::spawn(play.inbound(owned));
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

    pub(super) fn facts(&self, from: String, to: String, direction: Direction) -> Facts {
        Facts {
            sid: sid("CA"),
            account_sid: self.account_sid.clone(),
            from,
            to,
            direction,
            created_at: clock::now(),
            started: clock::instant(),
            stir_verstat: None,
            forwarded_from: None,
        }
    }

    pub(super) fn begin(&self, facts: Facts, status: CallStatus) -> Arc<Leg> {
        let leg = Arc::new(Leg::new(facts, status));
        self.book().legs.push(Arc::clone(&leg));
        leg
    }
}

/// A new id: two letters and 32 digits.
pub(super) fn sid(kind: &str) -> String {
    format!("{kind}{}", Uuid::new_v4().simple())
}
