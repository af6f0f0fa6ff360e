//! The accept loop: plain hyper on a thread a core, with the limits that keep one peer from taking
//! what all need. It knows nothing of carriers.
//!
//! | limit | at it |
//! |---|---|
//! | `CONNECTIONS_MAX` speak HTTP at once, fewer where the process may open fewer files | the next waits in the kernel's backlog |
//! | [`Settings::per_address_max`] of them from one address (IPv6: one /64), trusted proxies excepted | closed at once |
//! | [`Times::handshake`] for TLS | closed |
//! | [`Times::head`] from a request's first byte to its headers' end; of a new connection, from its accept | closed |
//! | `HEAD_BYTES_MAX` of request line and headers | 431 |
//! | body bytes and time, which `edge/webhook.rs` has | 413, 408 |
//! | [`Times::idle`] of quiet between requests | closed: nothing is lost |
//! | [`Times::answer`] from a request's headers to the end of its answer | closed |
//!
//! A media socket has left them all: it is the session's. Each refusal is counted by its cause.
//! Times are kept by one look at all connections four times a second, not by a timer each.

mod crowd;
mod io;
mod tls;
mod watch;
mod workers;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    num::NonZeroUsize,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch as switch},
};

use super::Network;
use crate::telemetry::metrics::{self, EdgeConnection, EdgeRefusal};
use crowd::{Crowd, Place};
pub use io::{CarrierStream, Io};
pub use tls::{Tls, TlsError};
use watch::{Look, Stage, Watch};
pub use workers::Workers;

/// A request's line and headers. Twilio's largest seen is 2 KiB; the query may repeat the form.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Connections at once that speak HTTP.
pub const CONNECTIONS_MAX: u32 = 20_000;

/// Files that are kept for what is no carrier's connection: the store, runtimes' and media sockets,
/// the API. At least half of those that the process may open, where it may open few.
const FILES_KEPT: u64 = 8192;

/// After a failed accept (no file descriptors left, most likely), before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long what may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// TLS's handshake: two round trips and one signature.
    pub handshake: Duration,
    /// From a request's first byte to the end of its headers, which a carrier sends in one packet.
    pub head: Duration,
    /// Longer than the minute after which the usual balancers and proxies close a quiet connection,
    /// so that they do and no request meets our closing.
    pub idle: Duration,
    /// A body's own time, and an answer that is not read.
    pub answer: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            answer: Duration::from_secs(30),
        }
    }
}

/// What an accept loop is given.
#[derive(Clone)]
pub struct Settings {
    /// Connections at once that speak HTTP.
    pub connections_max: u32,
    /// How many of them may come from one address.
    pub per_address_max: u32,
    /// Who may have as many as they like.
    pub trusted_proxies: Vec<Network>,
    /// How long what may take.
    pub times: Times,
    /// The certificate, where carriers come by TLS.
    pub tls: Option<Tls>,
}

impl Default for Settings {
    /// Of a process that may open files enough, with no proxy and no certificate.
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            per_address_max: CONNECTIONS_MAX / 10,
            trusted_proxies: Vec::new(),
            times: Times::default(),
            tls: None,
        }
    }
}

/// How many connections there may be in a process that may open so many files.
#[must_use]
pub fn connections_max(files: u64) -> u32 {
    let left = files.saturating_sub(FILES_KEPT.min(files / 2));
    u32::try_from(left).unwrap_or(u32::MAX).clamp(1, CONNECTIONS_MAX)
}

/// A thread for each core.
#[must_use]
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What all connections share.
struct Shared<H> {
    settings: Settings,
    watch: Arc<Watch>,
    handle: H,
}

/// Accepts until `stop` turns true, then answers what is in progress and what comes within half a
/// second on connections that are open; each answer says that it is its connection's last.
///
/// `handle` answers one request; sockets that it upgrades are its own to end.
pub async fn serve<H, F>(
    listener: TcpListener,
    settings: Settings,
    workers: &Workers,
    mut stop: switch::Receiver<bool>,
    handle: H,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let connections_max = settings.connections_max;
    let crowd = Crowd::new(settings.per_address_max, settings.trusted_proxies.clone());
    let watch = Arc::new(Watch::new());
    let shared = Arc::new(Shared { settings, watch: Arc::clone(&watch), handle });
    let slots = Arc::new(Semaphore::new(connections_max as usize));
    let serving = async {
        loop {
            let accepted = tokio::select! {
                biased;
                () = pressed(&mut stop) => break,
                accepted = accept(&listener, &slots) => accepted,
            };
            let (stream, peer, slot) = match accepted {
                Ok(Some(accepted)) => accepted,
                Ok(None) => break,
                Err(error) => {
                    metrics::edge_refused(EdgeRefusal::NotAccepted);
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Some(place) = crowd.admit(peer.ip()) else {
                metrics::edge_refused(EdgeRefusal::PerAddress);
                continue;
            };
            // It moves to another thread's poll.
            match stream.into_std() {
                Ok(stream) => {
                    let shared = Arc::clone(&shared);
                    workers.least_busy().spawn(connection(stream, peer, (slot, place), shared));
                }
                Err(error) => tracing::warn!(%error, "failed to hand a connection on"),
            }
        }
        watch.stop();
        drop(listener);
        // Every slot free: every request in progress is answered.
        drop(slots.acquire_many(connections_max).await);
    };
    tokio::select! {
        () = serving => {}
        () = watch.keep_time() => {}
    }
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The next connection, once there is room for one.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<Option<Accepted>> {
    let slot = match Arc::clone(slots).try_acquire_owned() {
        Ok(slot) => slot,
        Err(TryAcquireError::NoPermits) => {
            metrics::edge_refused(EdgeRefusal::Full);
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return Ok(None) };
            slot
        }
        Err(TryAcquireError::Closed) => return Ok(None),
    };
    let (stream, peer) = listener.accept().await?;
    Ok(Some((stream, peer, slot)))
}

async fn connection<H, F>(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    _counted: (OwnedSemaphorePermit, Place),
    shared: Arc<Shared<H>>,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let _counted_too = EdgeConnection::open();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let Settings { times, tls, .. } = &shared.settings;
    let stream = match tls {
        None => CarrierStream::Plain(stream),
        Some(tls) => match tokio::time::timeout(times.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => CarrierStream::Tls(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a handshake failed");
                return metrics::edge_refused(EdgeRefusal::TlsHandshake);
            }
            Err(_) => return metrics::edge_refused(EdgeRefusal::TlsTime),
        },
    };
    let watched = shared.watch.watch(*times);
    let service = service_fn(|request| {
        watched.comes_to(Stage::Answering);
        let answer = (shared.handle)(request, peer);
        let watched = &watched;
        async move {
            let mut answer = answer.await;
            if watched.is_stopping() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            watched.comes_to(Stage::Idle);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    // The watch keeps the times. An answer is so short that to copy it behind its head costs less
    // than `writev` does beside `send`.
    http.header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX).writev(false);
    let io = Io::new(stream, Arc::clone(&watched));
    let mut connection = pin!(http.serve_connection(io, service).with_upgrades());
    let mut is_told = false;
    let ended = poll_fn(|cx| {
        match watched.look(cx.waker()) {
            Look::GoOn => {}
            Look::Stop if is_told => {}
            Look::Stop => {
                is_told = true;
                connection.as_mut().graceful_shutdown();
            }
            Look::Over(stage) => return Poll::Ready(Err(stage)),
        }
        connection.as_mut().poll(cx).map(Ok)
    });
    tell(ended.await);
    shared.watch.forget(&watched);
}

/// Counts how a connection ended; or at which stage its time did.
fn tell(ended: Result<hyper::Result<()>, Stage>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            if error.is_parse_too_large() {
                metrics::edge_refused(EdgeRefusal::HeadBytes);
            }
            tracing::debug!(%error, "a connection ended early");
        }
        Err(Stage::Idle) => {}
        Err(Stage::Head) => metrics::edge_refused(EdgeRefusal::HeadTime),
        Err(Stage::Answering) => metrics::edge_refused(EdgeRefusal::AnswerTime),
    }
}

/// Returns when the switch is pressed, or can never be.
async fn pressed(stop: &mut switch::Receiver<bool>) {
    // The guard must not live: it would make the future stay on its thread.
    drop(stop.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod tests;
