//! Calls to be put to a daemon: the voice webhooks of simulated carriers, signed as theirs are, and
//! the judgement of what is answered. It never sends one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{HeaderValue, header};

use super::{
    Answer, Mishap,
    engine::{Check, Ready},
    feed::Maker,
    pairs::{Pairs, drawn},
    written,
};
use crate::{
    domain::{Account, CallStatus, CarrierId, Direction},
    simulator::{
        leg::{Facts, Leg},
        peers::{Asking, Peer, Station, StationEvent, peer},
        post::{Post, Reach, Sent, Signer, Socket},
        talk::Wire,
        verb::{Step, Stream, Verb},
    },
    telemetry::clock,
};

/// Of so many answers one is read whole, as its carrier reads it: reading costs more than asking.
const READ_EVERY: u64 = 16;

/// An account whose carrier calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// Who signs for it.
    pub signer: Signer,
    /// The URL that its carrier was given.
    pub voice_url: String,
    /// The URL that its carrier tells of a call's end.
    pub status_url: String,
    /// Where the daemon is, where its URLs lead elsewhere.
    pub reach: Reach,
    /// Its share of the calls, among the others'.
    pub weight: u32,
    /// Who calls whom.
    pub pairs: Pairs,
}

/// Calls of several accounts.
pub struct Calls {
    carriers: Vec<Carrier>,
    weights: u64,
    seed: u64,
}

struct Carrier {
    caller: Caller,
    peer: &'static dyn Peer,
    post: Post,
}

impl Calls {
    /// Calls of these accounts; the same seed makes the same choice of numbers.
    ///
    /// # Errors
    /// There is nothing to choose from, or a carrier is not simulated.
    pub fn new(callers: Vec<Caller>, seed: u64) -> Result<Self, String> {
        let weights = callers.iter().map(|caller| u64::from(caller.weight)).sum();
        if weights == 0 {
            return Err("no account is to call".to_owned());
        }
        let carriers = callers.into_iter().map(Carrier::new).collect::<Result<_, _>>()?;
        Ok(Self { carriers, weights, seed })
    }

    /// Who judges the answers; each is to hold `expected`, where that is not empty.
    #[must_use]
    pub fn check(&self, expected: String) -> Arc<Check> {
        let readers: Vec<_> = self.carriers.iter().map(|carrier| carrier.peer).collect();
        let says_nothing: Vec<_> = self
            .carriers
            .iter()
            .map(|carrier| carrier.caller.account.carrier == CarrierId::Telnyx)
            .collect();
        let seen = AtomicU64::new(0);
        Arc::new(move |reader, answer| {
            // Call Control says what it wants by requests of its own.
            let is_silent = says_nothing.get(reader).copied().unwrap_or_default();
            judge(answer, if is_silent { "" } else { &expected })?;
            let is_read = seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(READ_EVERY);
            match readers.get(reader).filter(|_| is_read && answer.status != 204) {
                Some(peer) => match peer.read(answer.content_type, answer.body) {
                    Ok(_) => Ok(()),
                    Err(problem) => Err((Mishap::Unreadable, problem.to_string())),
                },
                None => Ok(()),
            }
        })
    }

    fn choose(&self, chance: u64) -> (usize, Option<&Carrier>) {
        let mut place = chance % self.weights.max(1);
        for (reader, carrier) in self.carriers.iter().enumerate() {
            let weight = u64::from(carrier.caller.weight);
            if place < weight {
                return (reader, Some(carrier));
            }
            place -= weight;
        }
        (0, self.carriers.first())
    }

    /// The `n`th call, and its webhook, signed now.
    async fn call(&self, n: u64) -> Result<(usize, &Carrier, Leg, Sent), String> {
        let chance = drawn(self.seed, n);
        let (reader, carrier) = self.choose(chance >> 32);
        let carrier = carrier.ok_or("no account is to call")?;
        let leg = carrier.leg(n, drawn(chance, n));
        let step = Step::to(carrier.caller.voice_url.clone());
        let letter = carrier.peer.ask(&leg, &Asking::of(step));
        let sent = carrier.post.signed(letter).await.map_err(|problem| problem.what)?;
        Ok((reader, carrier, leg, sent))
    }

    /// Asks for the `n`th call what to do, which is to be a media socket.
    ///
    /// # Errors
    /// It is not.
    pub(super) async fn begin(&self, n: u64) -> Result<Begun<'_>, String> {
        let (_, carrier, leg, sent) = self.call(n).await?;
        let reply = carrier.post.deliver(&sent).await.map_err(|problem| problem.to_string())?;
        let body = String::from_utf8_lossy(&reply.body);
        if !(200..300).contains(&reply.status) {
            return Err(format!("status {}: {body}", reply.status));
        }
        let verbs = carrier.peer.read(&reply.content_type, &reply.body);
        let verbs = verbs.map_err(|problem| problem.to_string())?;
        let stream = verbs
            .into_iter()
            .find_map(|verb| if let Verb::Connect(stream) = verb { Some(stream) } else { None });
        let stream = stream.ok_or_else(|| format!("no media socket in: {body}"))?;
        Ok(Begun { carrier, leg, stream })
    }
}

/// A call whose media socket is known.
pub(super) struct Begun<'a> {
    carrier: &'a Carrier,
    leg: Leg,
    pub(super) stream: Stream,
}

impl Begun<'_> {
    /// Opens its socket.
    pub(super) async fn open(&self) -> Result<(Socket, Box<dyn Wire>), String> {
        let Self { carrier, leg, stream } = self;
        let socket = carrier.post.upgrade(&stream.url, &stream.headers).await;
        let socket = socket.map_err(|problem| problem.to_string())?;
        Ok((socket, carrier.peer.wire(leg, stream, &carrier.peer.stream_id())))
    }

    /// Tells that the caller has hung up. A daemon that does not hear it finds out by itself.
    pub(super) async fn over(&self) {
        let Self { carrier, leg, .. } = self;
        if carrier.caller.status_url.is_empty() {
            return;
        }
        leg.change(|state| state.status = CallStatus::Completed);
        let seconds = Some(leg.facts.started.elapsed().as_secs());
        let event = StationEvent { station: Station::Completed, sequence: 1, seconds };
        let letter = carrier.peer.station(leg, &event, &carrier.caller.status_url);
        drop(carrier.post.send(letter).await);
    }
}

impl Maker for Calls {
    async fn make(&self, n: u64) -> Result<Ready, String> {
        let (reader, carrier, _, mut sent) = self.call(n).await?;
        let agent = HeaderValue::from_static(carrier.peer.manners().user_agent);
        sent.headers.insert(header::USER_AGENT, agent);
        sent.headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Ok(Ready { bytes: written(&sent), reader })
    }
}

impl Carrier {
    fn new(caller: Caller) -> Result<Self, String> {
        let kind = caller.account.carrier;
        let peer = peer(kind).ok_or_else(|| format!("{kind} is not simulated"))?;
        let signer = caller.signer.clone();
        let reach = caller.reach.clone();
        let post = Post::new(peer.manners(), caller.account.clone(), signer, reach)?;
        Ok(Self { caller, peer, post })
    }

    fn leg(&self, n: u64, chance: u64) -> Leg {
        let (from, to) = self.caller.pairs.pair(n, chance);
        let account = &self.caller.account;
        let facts = Facts {
            sid: self.peer.call_id(),
            account_sid: account.account_id.clone(),
            application_id: account.application_id.clone(),
            from,
            to,
            direction: Direction::Inbound,
            created_at: clock::now(),
            started: clock::instant(),
            stir_verstat: None,
            forwarded_from: None,
        };
        Leg::new(facts, CallStatus::Ringing)
    }
}

/// A judge to whom an answer is right that has a status of success and holds the text.
#[must_use]
pub fn holds(expected: String) -> Arc<Check> {
    Arc::new(move |_, answer| judge(answer, &expected))
}

fn judge(answer: &Answer<'_>, expected: &str) -> Result<(), (Mishap, String)> {
    let start = || -> String { String::from_utf8_lossy(answer.body).chars().take(200).collect() };
    if !(200..300).contains(&answer.status) {
        let words = format!("status {}: {}", answer.status, start());
        return Err((Mishap::Status(answer.status), words));
    }
    let body = std::str::from_utf8(answer.body).unwrap_or_default();
    if !expected.is_empty() && !body.contains(expected) {
        return Err((Mishap::Unexpected, format!("no {expected:?} in: {}", start())));
    }
    Ok(())
}
