//! `GET /media/{token}`: a carrier opens a call's media socket.
//!
//! It proves itself three times: by our ticket in the path, by the carrier's own signature of the
//! upgrade, by the call's id in `start`. Until the first two hold nothing is upgraded; the session
//! begins after the third, or has begun before: then it opened the call's runtime already.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::accept::Io;
use super::prewarm::{self, Expected, Prewarms};
use super::probe::{self, Probes};
use super::report::Report;
use super::session::{self, Wiring};
use super::socket::{self, Arrival, CarrierSocket, Open};
use super::start;
use super::token::{self, Claims, Used};
use super::translated::Translated;
use super::watched::Watched;
use super::way::{self, Way};
use crate::calls::{Event as CallEvent, Facts, LiveCall, seal};
use crate::carriers;
use crate::domain::{
    Account, Ani, Attestation, CallId, CallStatus, Direction, InboundCall, Target, UnixMillis,
};
use crate::index::Index;
use crate::media::carrier_leg::CarrierLeg;
use crate::media::framing::CallNamed;
use crate::media::messages::{CARRIER_MESSAGE_LEN_MAX, Start};
use crate::media::websocket::Role;
use crate::routing;
use crate::runtime::websocket::{Socket, WebSocket};
use crate::telemetry::{clock, metrics};

/// All media sockets of the process.
pub struct MediaSockets {
    index: Index,
    wiring: Wiring,
    media_url: String,
    used: Used,
    prewarms: Prewarms,
    open: Arc<AtomicUsize>,
    probes: Probes,
}

/// A socket that may open.
struct Admitted {
    claims: Claims,
    account: Arc<Account>,
    /// The call, unless its process is gone.
    call: Option<Arc<LiveCall>>,
}

impl MediaSockets {
    /// No socket yet. `media_url` is what carriers were given as the base of sockets' URLs.
    #[must_use]
    pub fn new(
        index: Index,
        wiring: Wiring,
        media_url: String,
        prewarm: prewarm::Settings,
    ) -> Self {
        let (used, prewarms) = (Used::new(), Prewarms::new(prewarm));
        Self {
            index,
            wiring,
            media_url,
            used,
            prewarms,
            open: Arc::default(),
            probes: Probes::default(),
        }
    }

    /// How many sockets are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The calls whose runtime is opened before their socket.
    #[must_use]
    pub const fn prewarms(&self) -> &Prewarms {
        &self.prewarms
    }

    /// A carrier is being told to open a call's socket for the target at `place`: where that is a
    /// runtime elsewhere, it is opened already.
    pub fn prewarm(self: &Arc<Self>, call: &Arc<LiveCall>, place: usize) {
        if !matches!(*call.target(place), Target::Runtime(_)) {
            return;
        }
        let Some(expected) = self.prewarms.expect(call.facts.id, place) else { return };
        let (sockets, call) = (Arc::clone(self), Arc::clone(call));
        tokio::spawn(async move { sockets.carry_ahead(expected, call, place).await });
    }

    async fn carry_ahead(&self, expected: Expected, call: Arc<LiveCall>, place: usize) {
        let account = self.index.view().account_by_id(call.facts.account).cloned();
        let Some(account) = account else { return };
        let way = Way::of(&account, way::spoken(&call, place));
        let start = start::ahead(&call, place, &account, &way);
        let token = self.call_token(call.facts.id, clock::now());
        let carried = Arc::clone(&call);
        let carry = session::carry_ahead(expected, start, call, place, token, &self.wiring);
        let report = Box::pin(carry).await;
        self.conclude(&carried, &report);
    }

    /// Answers the upgrade, and carries the call once the connection is a socket.
    pub fn handle(self: &Arc<Self>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let now = clock::now();
        let Some(accept) = accept_key(request.method(), request.headers()) else {
            // Who has no ticket learns nothing else.
            return match self.claims(target, now) {
                Ok(_) => refused(StatusCode::BAD_REQUEST, "no_websocket"),
                Err(refusal) => refused(StatusCode::FORBIDDEN, refusal.as_str()),
            };
        };
        let probe = self.probes.admit(target, self.index.view().media_keys(), now);
        if let Some(open) = probe {
            tokio::spawn(probe::echo(hyper::upgrade::on(&mut request), open));
            return switched(accept);
        }
        let admitted = match self.admit(target, request.headers(), now) {
            Ok(admitted) => admitted,
            Err(cause) => return refused(StatusCode::FORBIDDEN, cause),
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let sockets = Arc::clone(self);
        let open = Open::count(&self.open);
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => sockets.run(upgraded, &admitted, open).await,
                Err(error) => tracing::debug!(%error, "a media socket broke while it opened"),
            }
        });
        switched(accept)
    }

    fn claims(&self, target: &str, now: UnixMillis) -> Result<Claims, token::Refusal> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let ticket = path.strip_prefix("/media/").unwrap_or_default();
        token::read(ticket, self.index.view().media_keys(), now)
    }

    fn admit(
        &self,
        target: &str,
        headers: &HeaderMap,
        now: UnixMillis,
    ) -> Result<Admitted, &'static str> {
        let claims = self.claims(target, now).map_err(token::Refusal::as_str)?;
        let view = self.index.view();
        let call = self.wiring.live.get(claims.call);
        let url = format!("{}{target}", self.media_url);
        let request = carriers::Request { method: &Method::GET, url: &url, headers, body: &[] };
        let account = Arc::clone(view.account_by_id(claims.account).ok_or("unknown_account")?);
        let proof = carriers::room(account.carrier).verify_upgrade(&request, &account);
        proof.map_err(|refused| {
            metrics::signature_failure(account.carrier, refused.cause());
            refused.cause()
        })?;
        self.used.take(&claims).map_err(token::Refusal::as_str)?;
        Ok(Admitted { claims, account, call })
    }

    async fn run(&self, upgraded: hyper::upgrade::Upgraded, admitted: &Admitted, open: Open) {
        let (role, len_max) = (Role::Server, CARRIER_MESSAGE_LEN_MAX);
        // The socket itself, where hyper gives it back: two layers of indirection less a frame.
        match upgraded.downcast::<Io>() {
            Ok(parts) => {
                let (io, came) = (parts.io.into_stream(), parts.read_buf.to_vec());
                // It is eight kilobytes, and would stay as long as the call.
                drop(parts.read_buf);
                let socket = WebSocket::new(io, role, len_max, came);
                Box::pin(self.carry(socket, admitted, open)).await;
            }
            Err(upgraded) => {
                let io = TokioIo::new(upgraded);
                let socket = WebSocket::new(io, role, len_max, Vec::new());
                Box::pin(self.carry(socket, admitted, open)).await;
            }
        }
    }

    async fn carry(&self, socket: impl Socket + 'static, admitted: &Admitted, open: Open) {
        let mut socket = Watched::new(socket, admitted.claims.call);
        let way = Way::of(&admitted.account, admitted.claims.spoken);
        let begun = match way.framing {
            None => self.begin(&mut socket, admitted).await.map(|(call, start)| {
                let socket: CarrierSocket = Box::new(socket);
                (call, start, socket)
            }),
            Some(_) => self.begin_spelled(socket, admitted, way).await,
        };
        let (call, start, socket) = match begun {
            Ok(begun) => begun,
            Err(cause) => return metrics::media_refused(cause),
        };
        let now = clock::now();
        let (id, place) = (call.facts.id, usize::from(admitted.claims.place));
        let arrival = Arrival { socket, start, open: Some(open) };
        let Some(arrival) = self.prewarms.hand_over(id, place, arrival) else { return };
        let token = self.call_token(id, now);
        let carried = Arc::clone(&call);
        let report = session::carry(arrival, call, place, token, &self.wiring).await;
        self.conclude(&carried, &report);
    }

    /// Reads the beginning of a stream that speaks as runtimes are spoken to.
    async fn begin(
        &self,
        socket: &mut impl Socket,
        admitted: &Admitted,
    ) -> Result<(Arc<LiveCall>, Start), &'static str> {
        let start = socket::begin(socket).await.ok_or("no_start")?;
        let call = self.call(admitted, &start.call_sid, clock::now()).ok_or("call_mismatch")?;
        Ok((call, start))
    }

    /// Reads the beginning of one that speaks otherwise, and makes it one that does not.
    async fn begin_spelled(
        &self,
        mut socket: impl Socket + 'static,
        admitted: &Admitted,
        mut way: Way,
    ) -> Result<(Arc<LiveCall>, Start, CarrierSocket), &'static str> {
        let Admitted { claims, account, call } = admitted;
        let framing = way.framing.as_deref().ok_or("no_start")?;
        let began = socket::begin_spelled(&mut socket, framing).await.ok_or("no_start")?;
        let call = match &began.call {
            CallNamed::Carrier(id) => self.call(admitted, id, clock::now()),
            // Without its process nobody knows what the carrier calls it.
            CallNamed::Ours(id) => call.clone().filter(|_| *id == claims.call),
        };
        let call = call.ok_or("call_mismatch")?;
        let mut start = start::ahead(&call, usize::from(claims.place), account, &way);
        start.parameters = began.parameters;
        if !began.account.is_empty() {
            start.account_sid = began.account;
        }
        let framing = way.framing.take().ok_or("no_start")?;
        let order = account.api.byte_order;
        let leg = CarrierLeg::new(framing, began.stream, began.format, order, start.clone());
        let leg = leg.ok_or("unknown_format")?;
        Ok((call, start, Box::new(Translated::new(socket, leg))))
    }

    fn call_token(&self, call: CallId, now: UnixMillis) -> String {
        let view = self.index.view();
        let key = view.media_keys().first();
        key.map(|key| seal::call_token(key, call, now)).unwrap_or_default()
    }

    /// A session is over: what it came to goes to the call's row.
    fn conclude(&self, call: &LiveCall, report: &Report) {
        let ended = clock::now();
        if let Some(session) = report.session(ended) {
            self.wiring.live.apply(call, CallEvent::Carried(session), ended);
        }
        let id = call.facts.id;
        tracing::debug!(
            call = %id, trace_id = %id.trace_id(), end = ?report.end, counts = ?report.counts,
            tried = report.tried.len(), "a media session is over"
        );
    }

    /// The call that the stream is of, if it is the one the ticket was for.
    fn call(
        &self,
        admitted: &Admitted,
        carrier_call_id: &str,
        now: UnixMillis,
    ) -> Option<Arc<LiveCall>> {
        let Admitted { claims, account, call } = admitted;
        if let Some(call) = call {
            return (call.facts.carrier_call_id == carrier_call_id).then(|| Arc::clone(call));
        }
        if CallId::of_carrier_call(account.id, carrier_call_id) != claims.call {
            return None;
        }
        let view = self.index.view();
        let agent = view.agent(claims.agent?)?;
        let settings = &view.tenant(agent.tenant)?.settings;
        let facts = Facts {
            id: claims.call,
            tenant: agent.tenant,
            account: account.id,
            carrier_call_id: carrier_call_id.to_owned(),
            direction: Direction::Inbound,
            call: InboundCall {
                account: Some(account.id),
                dnis: None,
                ani: Ani::Unusable,
                forwarded_from: None,
                attestation: Attestation::None,
            },
            number: None,
            agent: Some(Arc::clone(agent)),
            reason: None,
            unmatched: false,
            touch: None,
            ladder: routing::ladder(&view, Some(agent), view.targets(agent)),
            last_resort: settings.last_resort.clone(),
            context_min_attestation: settings.context_min_attestation,
            trace: Vec::new(),
            errand: None,
            created_at: now,
        };
        Some(self.wiring.live.open(facts, CallStatus::InProgress, now))
    }
}

/// The answer to the handshake's key (RFC 6455 §4.2.2), where the request is such a handshake.
fn accept_key(method: &Method, headers: &HeaderMap) -> Option<String> {
    let lists = |name: HeaderName, word: &str| {
        let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.any(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(word)))
    };
    let is_handshake = method == Method::GET
        && lists(header::CONNECTION, "upgrade")
        && lists(header::UPGRADE, "websocket")
        && lists(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_handshake)?;
    Some(derive_accept_key(key.as_bytes()))
}

fn switched(accept: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn refused(status: StatusCode, cause: &'static str) -> Response<Full<Bytes>> {
    metrics::media_refused(cause);
    let mut response = Response::new(Full::new(Bytes::from_static(cause.as_bytes())));
    *response.status_mut() = status;
    response
}
