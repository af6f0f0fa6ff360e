//! The carrier: requests made beforehand, sent over connections that are kept open, on a thread of
//! its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::telemetry::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) const CONNECTIONS: usize = 64;

/// Sends each request once, the next on a connection when the last is answered; how long each took,
/// in us.
pub(crate) fn ask(server: SocketAddr, requests: Vec<Vec<u8>>, expected: &str) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let expected: Arc<str> = expected.into();
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            connections.spawn(connection(server, requests, next, Arc::clone(&expected)));
        }
        connections.join_all().await.into_iter().flatten().collect()
    })
}

async fn connection(
    server: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    expected: Arc<str>,
) -> Vec<f64> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 8192];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let start = clock::instant();
        stream.write_all(request).await.unwrap();
        let mut len = 0;
        while !is_whole(buffer.get(..len).unwrap()) {
            let read = stream.read(buffer.get_mut(len..).unwrap()).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            len += read;
        }
        latencies.push(start.elapsed().as_nanos() as f64 / 1000.0);
        let answer = std::str::from_utf8(buffer.get(..len).unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&*expected), "{answer}");
    }
    latencies
}

/// Whether an answer with a length has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}
