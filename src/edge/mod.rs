//! The carriers' side: webhooks in, answers out, media sockets. It waits for memory only, and hands
//! what is to be kept to a bounded queue, never to a database.

pub mod accept;
mod answering;
mod answers;
pub mod comfort;
mod events;
mod gather;
pub mod media_socket;
mod network;
mod outbound;
pub mod prewarm;
mod probe;
pub mod report;
pub mod session;
pub mod socket;
mod start;
mod step;
mod streams;
pub mod token;
pub mod translated;
mod voice;
mod watched;
mod way;
mod webhook;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use moka::sync::Cache;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    calls::{Live, Strays},
    carriers::{Endpoint, Order, Told},
    domain::UnixMillis,
    index::Index,
    media::comfort::ComfortTone,
    runtime::{Dialer, Sources},
    telemetry::metrics::EventOutcome,
};

pub use events::TakeEvent;
pub use network::Network;

use answers::Answers;
use comfort::Comfort;
use media_socket::MediaSockets;
use prewarm::Prewarms;
use session::Wiring;

/// How long an event is known to have been acted on. Carriers repeat one for a minute or so, while
/// what it asks for may have been done, undone and followed by something else.
const EVENT_LIFE: Duration = Duration::from_secs(10 * 60);

/// Events known at once: ten minutes of 160 a second, within some 10 MiB.
const EVENTS_MAX: u64 = 100_000;

/// Where carriers believe us to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL of the listener, without a trailing slash.
    pub public_url: String,
    /// The same for media sockets.
    pub media_url: String,
    /// Proxies whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<Network>,
    /// How runtimes are opened before their calls' media.
    pub prewarm: prewarm::Settings,
    /// What callers hear while their next runtime is dialled.
    pub comfort_tone: ComfortTone,
    /// The URL that runtimes reach the control API by, where they are told one.
    pub control_url: Option<Arc<str>>,
}

/// All that answering carriers takes.
pub struct Edge {
    settings: Settings,
    index: Index,
    live: Arc<Live>,
    strays: Strays,
    /// Answers already given, by call and request target.
    answers: Answers,
    /// Events that have been acted on, by call and event.
    events: Cache<Uuid, ()>,
    /// What carriers are told by their APIs.
    orders: mpsc::Sender<Order>,
    media: Arc<MediaSockets>,
    take_event: TakeEvent,
}

impl Edge {
    /// An edge that has answered nobody yet. What no document can tell a carrier goes to `orders`.
    #[must_use]
    pub fn new(
        settings: Settings,
        index: Index,
        live: Arc<Live>,
        strays: Strays,
        dialer: Dialer,
        sources: Sources,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let control_url = settings.control_url.clone();
        let comfort = Comfort::new(settings.comfort_tone);
        let wiring = Wiring { live: Arc::clone(&live), dialer, sources, control_url, comfort };
        let media_url = settings.media_url.clone();
        let media = MediaSockets::new(index.clone(), wiring, media_url, settings.prewarm);
        let answers = Answers::new();
        let events = Cache::builder().time_to_live(EVENT_LIFE).max_capacity(EVENTS_MAX).build();
        let take_event: TakeEvent = Arc::new(|_, _, _| EventOutcome::Unknown);
        let media = Arc::new(media);
        Self { settings, index, live, strays, answers, events, orders, media, take_event }
    }

    /// The same, handing on what hosted services tell.
    #[must_use]
    pub fn taking_events(self, take_event: TakeEvent) -> Self {
        Self { take_event, ..self }
    }

    /// The live calls.
    #[must_use]
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What is due every few seconds: calls of which nothing more is heard are closed, or their
    /// carriers asked.
    pub fn upkeep(&self, now: UnixMillis) {
        for call in self.live.sweep(now) {
            let view = self.index.view();
            if let Some(account) = view.account_by_id(call.facts.account) {
                let carrier_call_id = call.facts.carrier_call_id.clone();
                self.order(Order {
                    account: Arc::clone(account),
                    carrier_call_id,
                    told: Told::Look,
                });
            }
        }
    }

    /// Where news of outbound calls goes that are not live here.
    #[must_use]
    pub const fn strays(&self) -> &Strays {
        &self.strays
    }

    /// How many media sockets are open.
    #[must_use]
    pub fn media_sockets(&self) -> usize {
        self.media.open()
    }

    /// The calls whose runtime is opened before their media socket.
    #[must_use]
    pub fn prewarms(&self) -> &Prewarms {
        self.media.prewarms()
    }

    /// Answers one request.
    pub async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path.starts_with("/media/") {
            return self.media.handle(request);
        }
        let upstream =
            path.strip_prefix("/upstreams/").and_then(|rest| rest.strip_suffix("/events"));
        if let Some(name) = upstream.map(str::to_owned) {
            return events::handle(self, request, name).await;
        }
        let rest = path.strip_prefix("/carriers/").and_then(|rest| rest.split_once('/'));
        let found = rest.and_then(|(name, endpoint)| {
            let endpoint = Endpoint::named(endpoint)?;
            Some((Arc::clone(self.index.view().account(name)?), endpoint))
        });
        match found {
            Some((account, endpoint)) => {
                webhook::handle(self, request, peer, account, endpoint).await
            }
            None => plain(StatusCode::NOT_FOUND, "no such account or endpoint"),
        }
    }
}

/// A short answer for people who look at what failed.
fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let value = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}
