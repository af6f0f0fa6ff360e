//! The API's side: three dialects over one store, for whoever holds a key.
//!
//! It reads requests, finds out whose they are, and answers in the words of the dialect the path
//! chose. The rules are the store's, the words the dialects', the decision routing's; a call can be
//! answered without any of this.

mod answer;
mod auth;
mod callingbox;
mod changes;
mod document;
mod etag;
mod gate;
mod guard;
pub mod keys;
mod limits;
mod own;
mod party;
mod placing;
mod receive;
mod shadow;
mod steering;
mod talkover;
mod transcripts;
mod whole;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    calls::{Live, Strays},
    dialects::{PrivateHosts, Problem, WarningBody},
    dispatch::Dispatch,
    domain::Warning,
    index::Index,
    outbox::Outbox,
    store::{
        Actor, Heads, Kept, Once, Repeatable, Rows, Store, StoreError, Tx, WriteError, Written,
    },
    sync::upstream::Upstreams,
};
use answer::{Answer, Reply};
use auth::Keys;
use guard::Dialect;
use limits::Limits;
pub use placing::facts;

/// Streams of events at once: every screen of a large team. Each holds a socket and a page.
const STREAMS_MAX: usize = 256;

/// How the API behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where carriers are told to send webhooks; shown, not used.
    pub public_url: String,
    /// Where carriers are told to open media sockets; shown, not used.
    pub media_url: String,
    /// The URL that the API itself is reached by from outside, where one is told.
    pub control_url: Option<String>,
    /// Whether operators may have requests signed as a carrier would.
    pub allow_sign: bool,
    /// Which targets may name a private address outright.
    pub private: PrivateHosts,
    /// How long a write waits for this process's index, and a read for its `min_rev`.
    pub apply_wait: Duration,
    /// How long a request may take in all.
    pub request_wait: Duration,
    /// Requests a minute that a key may make; `None` is as many as it likes.
    pub requests_per_minute: Option<NonZeroU32>,
    /// How often a stream of events shows life, and looks whether its key is still good.
    pub event_beat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            media_url: String::new(),
            control_url: None,
            allow_sign: false,
            private: PrivateHosts::default(),
            apply_wait: Duration::from_secs(5),
            // A body of 32 MiB over a slow line is in it.
            request_wait: Duration::from_secs(60),
            requests_per_minute: None,
            // Proxies cut what is silent for a minute.
            event_beat: Duration::from_secs(15),
        }
    }
}

/// What the API works with. Clones share it.
#[derive(Clone)]
pub struct Api {
    store: Store,
    index: Index,
    applied: watch::Receiver<Heads>,
    live: Arc<Live>,
    dispatch: Dispatch,
    strays: Strays,
    keys: Arc<Keys>,
    limits: Option<Arc<Limits>>,
    /// Places for streams of events.
    streams: Arc<Semaphore>,
    upstreams: Upstreams,
    outbox: Outbox,
    settings: Arc<Settings>,
}

impl Api {
    /// Puts it together. `applied` says what the index has applied.
    #[must_use]
    pub fn new(
        store: Store,
        index: Index,
        applied: watch::Receiver<Heads>,
        live: Arc<Live>,
        (dispatch, outbox): (Dispatch, Outbox),
        strays: Strays,
        settings: Settings,
    ) -> Self {
        let settings = Arc::new(settings);
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let keys = Arc::default();
        let limits = settings.requests_per_minute.map(|limit| Arc::new(Limits::new(limit)));
        let upstreams = Upstreams::default();
        Self {
            store,
            index,
            applied,
            live,
            dispatch,
            strays,
            keys,
            limits,
            streams,
            upstreams,
            outbox,
            settings,
        }
    }

    /// The same, telling of hosted control APIs that are pulled.
    #[must_use]
    pub fn knowing(self, upstreams: Upstreams) -> Self {
        Self { upstreams, ..self }
    }

    /// Writes, and waits until this process routes by it.
    async fn write<T, F>(&self, actor: Actor, f: F) -> Result<Written<T>, Problem>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        let written = self.store.write(actor, f).await.map_err(problem)?;
        if self.reached(written.heads).await { Ok(written) } else { Err(Problem::NotApplied) }
    }

    /// Writes, waits until this process routes by it, and answers with what `reply` makes of it.
    async fn answer<T, F, R>(&self, actor: Actor, change: F, reply: R) -> Answer
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        R: FnOnce(&Self, T, Vec<WarningBody>) -> Reply + Send + 'static,
        T: Send + 'static,
    {
        let Some(once) = gate::once() else {
            let done = self.write(actor, change).await?;
            let reply = reply(self, done.value, answer::warned(&done.warnings));
            return Ok(reply.at(done.heads));
        };
        let api = self.clone();
        let told = move |value, warnings: &[Warning]| {
            let reply = reply(&api, value, answer::warned(warnings));
            let kept = reply.kept();
            (reply, kept)
        };
        match self.write_once(actor, once, change, told).await? {
            Repeatable::Done(done) => Ok(done.value.at(done.heads)),
            Repeatable::Before(kept, heads) => Ok(Reply::from(kept).at(heads)),
        }
    }

    /// Writes what may have been written before, and waits until this process routes by it.
    async fn write_once<T, V, F, R>(
        &self,
        actor: Actor,
        once: Once,
        change: F,
        told: R,
    ) -> Result<Repeatable<V>, Problem>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        R: FnOnce(T, &[Warning]) -> (V, Kept) + Send + 'static,
        V: Send + 'static,
    {
        let done = self.store.write_once(actor, once, change, told).await.map_err(problem)?;
        let heads = match &done {
            Repeatable::Done(done) => done.heads,
            Repeatable::Before(_, heads) => {
                gate::was_answered();
                *heads
            }
        };
        if self.reached(heads).await { Ok(done) } else { Err(Problem::NotApplied) }
    }

    /// What the request at hand was answered before, if it was.
    async fn answered_before(&self, actor: Actor) -> Result<Option<Response>, Problem> {
        let Some(once) = gate::once() else { return Ok(None) };
        let kept = self.read(move |rows| rows.kept(actor.tenant, &once)).await?;
        Ok(kept.map(|(kept, heads)| {
            gate::was_answered();
            Reply::from(kept).at(heads)
        }))
    }

    /// What a write would answer and warn of. Nothing of it is kept.
    async fn rehearse<T, F>(&self, actor: Actor, f: F) -> Result<Written<T>, Problem>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        self.store.rehearse(actor, f).await.map_err(problem)
    }

    async fn read<T, F>(&self, f: F) -> Result<T, Problem>
    where
        F: FnOnce(&Rows<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read(f).await.map_err(problem)
    }

    /// Waits, within bounds, until the index has applied this.
    async fn reached(&self, heads: Heads) -> bool {
        let mut applied = self.applied.clone();
        let wait = applied.wait_for(|applied| applied.reach(heads));
        matches!(timeout(self.settings.apply_wait, wait).await, Ok(Ok(_)))
    }
}

/// Asker's fault or ours.
fn problem(error: WriteError) -> Problem {
    match error {
        WriteError::Refused(refusal) => Problem::Refused(refusal),
        WriteError::Store(StoreError::Closed) => Problem::Busy,
        WriteError::Store(error) => {
            tracing::error!(%error, "the store failed a request");
            Problem::Internal
        }
    }
}

/// The control listener's routes.
pub fn router(api: Api) -> Router {
    let (mut served, mut parts) = (Router::new(), Vec::new());
    for (dialect, path, routes) in surfaces() {
        let (routes, said) = routes.split_for_parts();
        served = served.nest(path, guard::around(routes, dialect, &api));
        parts.push(document::Part { dialect, path, said });
    }
    let pages = document::pages(document::whole(parts, api.settings.control_url.as_deref()));
    guard::around(pages, Dialect::Own, &api).merge(served).with_state(api)
}

/// The three surfaces, and where they are.
fn surfaces() -> [(Dialect, &'static str, OpenApiRouter<Api>); 3] {
    [
        (Dialect::Talkover, "/api/v1", talkover::routes()),
        (Dialect::CallingBox, "/v1", callingbox::routes()),
        (Dialect::Own, "/switchback/v1", own::routes()),
    ]
}
