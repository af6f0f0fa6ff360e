//! One simulated call: what is known of it, and what has happened, with times. Whoever waits for
//! something to happen waits here.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{sync::watch, time::timeout};

use super::{
    post::{Reply, Sent},
    verb::{Problem, Step, Verb},
};
use crate::{
    domain::{CallStatus, Direction, UnixMillis},
    telemetry::clock,
};

/// Who picks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person.
    Human,
    /// A machine.
    Machine,
}

/// What does not change.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The carrier's id for it.
    pub sid: String,
    /// The carrier's id for the account.
    pub account_sid: String,
    /// The carrier's id for the application that the number is put to; empty where there is none.
    pub application_id: String,
    /// Who calls, in the carrier's spelling.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Which way it goes, seen from the account.
    pub direction: Direction,
    /// When it began.
    pub created_at: UnixMillis,
    /// The same, to measure from.
    pub started: Instant,
    /// What the network vouches for, in the carrier's words.
    pub stir_verstat: Option<String>,
    /// Who forwarded it.
    pub forwarded_from: Option<String>,
}

/// Something that happened, and when, measured from the call's beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happens in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The daemon was asked what to do.
    Asked {
        /// Where.
        url: String,
        /// Its answer's status.
        status: u16,
        /// How long it took.
        took: Duration,
    },
    /// And this is its answer's document.
    Instructed(Vec<Verb>),
    /// The daemon was told of an event.
    Told {
        /// Which.
        event: String,
        /// Its answer's status; 0 where there was none.
        status: u16,
    },
    /// The line is up.
    Answered,
    /// A text is spoken.
    Said(String),
    /// The media socket is open.
    Connected(String),
    /// Sound begins after silence.
    SoundBegan,
    /// Silence begins after sound.
    SoundEnded,
    /// A mark was played to.
    Mark(String),
    /// What was not yet played was thrown away.
    Cleared,
    /// A key was pressed by the caller.
    Key(char),
    /// The daemon closed the media socket, with this code.
    Closed(Option<u16>),
    /// Somebody else was dialled.
    Dialled {
        /// Who.
        callee: String,
        /// How it ended.
        outcome: CallStatus,
    },
    /// Another application has the call now.
    HandedOver(String),
    /// A verb that is not simulated.
    PassedOver(String),
    /// A busy tone.
    Busy,
    /// "The number you have dialled is not in service."
    Rejected,
    /// What the carrier reports to its customer.
    Failed(Problem),
    /// It is over.
    Ended(CallStatus),
}

/// Why a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The person hung up.
    Person,
    /// The document said so, or came to its end.
    Document,
    /// It was refused as busy.
    Busy,
    /// It was refused.
    Rejected,
    /// The API was asked to end it.
    Api,
    /// No document could be had.
    Failed,
    /// Another application has it.
    HandedOver,
}

/// What changes.
#[derive(Clone, Debug)]
pub struct State {
    /// Where it stands.
    pub status: CallStatus,
    /// What happened, in order.
    pub moments: Vec<Moment>,
    /// All that was heard since the media socket opened, silence included: mu-law.
    pub heard: Vec<u8>,
    /// Why it ends, once it does.
    pub ending: Option<Ending>,
    /// What the API wants instead of what is played.
    pub(super) instead: Option<Step>,
    /// When somebody answered.
    pub answered: Option<Instant>,
    /// Who did, where that was to be found out.
    pub answered_by: Option<Who>,
    /// When it was over.
    pub ended_at: Option<UnixMillis>,
    /// The first request for instructions and its answer, for who sends it again.
    pub first: Option<(Sent, Reply)>,
    /// What the API has asked for, at carriers that are told what to do by it.
    pub(super) orders: Orders,
}

/// What the API has asked for, and what it said with that.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    /// What and how, in the order it was asked; nothing of it is done yet.
    pub(super) waiting: VecDeque<(String, Value)>,
    /// The ids of what was asked: the same is done once.
    pub(super) seen: Vec<String>,
    /// What is to be brought back with every event.
    pub(super) brings: Option<String>,
    /// A media stream is open, or about to be.
    pub(super) is_streaming: bool,
}

/// A call, shared by who plays it and who watches it.
#[derive(Debug)]
pub struct Leg {
    /// What does not change.
    pub facts: Facts,
    state: watch::Sender<State>,
}

impl Leg {
    pub(super) fn new(facts: Facts, status: CallStatus) -> Self {
        let state = State {
            status,
            moments: Vec::new(),
            heard: Vec::new(),
            ending: None,
            instead: None,
            answered: None,
            answered_by: None,
            ended_at: None,
            first: None,
            orders: Orders::default(),
        };
        Self { facts, state: watch::Sender::new(state) }
    }

    /// Watches it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// How it stands now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// The person hangs up.
    pub fn hang_up(&self) {
        self.end(Ending::Person);
    }

    /// Waits until the call is as `is` says; `None` if it is not within the time.
    pub async fn until(&self, wait: Duration, is: impl Fn(&State) -> bool) -> Option<State> {
        let mut watch = self.state.subscribe();
        let found = timeout(wait, watch.wait_for(is)).await.ok()?;
        found.ok().map(|state| state.clone())
    }

    /// Waits until it is over and the daemon has been told.
    pub async fn over(&self, wait: Duration) -> Option<State> {
        self.until(wait, |state| {
            state.moments.last().is_some_and(|last| matches!(last.what, What::Ended(_)))
        })
        .await
    }

    /// Waits for something to happen, and returns the first time it did.
    pub async fn happens(&self, wait: Duration, is: impl Fn(&What) -> bool) -> Option<Moment> {
        let find = |state: &State| state.moments.iter().find(|moment| is(&moment.what)).cloned();
        let state = self.until(wait, |state| find(state).is_some()).await?;
        find(&state)
    }

    pub(super) fn note(&self, what: What) {
        let at = clock::instant().duration_since(self.facts.started);
        self.change(|state| state.moments.push(Moment { at, what }));
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// The first reason stays.
    pub(super) fn end(&self, ending: Ending) {
        self.change(|state| state.ending = state.ending.or(Some(ending)));
    }

    /// Whether it is to end.
    pub(super) fn is_over(&self) -> bool {
        self.state.borrow().ending.is_some()
    }

    /// Waits until it is to end, or to go on elsewhere.
    pub(super) async fn ends(&self) {
        let is_over = |state: &State| state.ending.is_some() || state.instead.is_some();
        drop(self.state.subscribe().wait_for(is_over).await);
    }

    /// Leaves what it is doing, to ask there what follows.
    pub(super) fn go_to(&self, step: Step) {
        self.change(|state| state.instead = Some(step));
    }

    /// Takes the document that the API wants, if there is one.
    pub(super) fn instead(&self) -> Option<Step> {
        let mut instead = None;
        self.change(|state| instead = state.instead.take());
        instead
    }

    /// Does `work`, unless the call ends or goes elsewhere first.
    pub(super) async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.ends() => None,
            done = work => Some(done),
        }
    }
}

impl State {
    /// Whether this happened.
    #[must_use]
    pub fn has(&self, is: impl Fn(&What) -> bool) -> bool {
        self.moments.iter().any(|moment| is(&moment.what))
    }
}
