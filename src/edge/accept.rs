//! The accept loop: plain hyper, with the limits that keep one peer from taking what all need.
//! It knows nothing of carriers.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// A request's line and headers. Twilio's largest seen is 2 KiB; the query may repeat the form.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// From a connection's quiet to the end of the next request's headers. Carriers keep connections
/// open between webhooks; who sends a byte a second does not.
const HEAD_SECONDS_MAX: u64 = 30;

/// Connections at once that speak HTTP; a media socket has left them. Past it the kernel's backlog
/// holds the rest.
const CONNECTIONS_MAX: u32 = 20_000;

/// After a failed accept (no file descriptors left, most likely), before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts until `stop` turns true, then lets requests in progress finish.
///
/// `handle` answers one request; sockets that it upgrades are its own to end.
pub async fn serve<H, F>(listener: TcpListener, stop: watch::Receiver<bool>, handle: H)
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let mut stopping = stop.clone();
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            biased;
            () = pressed(&mut stopping) => break,
            accepted = accept => accepted,
        };
        match (accepted, slot) {
            (Ok((stream, peer)), Ok(slot)) => {
                tokio::spawn(connection(stream, peer, slot, stop.clone(), handle.clone()));
            }
            (Err(error), _) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
            (_, Err(_)) => break,
        }
    }
    drop(listener);
    // Every slot free: every request in progress is answered.
    drop(slots.acquire_many(CONNECTIONS_MAX).await);
}

async fn connection<H, F>(
    stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
    handle: H,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let answer = handle(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .max_buf_size(HEAD_BYTES_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = pressed(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(slot);
}

/// Returns when the switch is pressed, or can never be.
async fn pressed(stop: &mut watch::Receiver<bool>) {
    // The guard must not live: it would make the future stay on its thread.
    drop(stop.wait_for(|stop| *stop).await);
}
