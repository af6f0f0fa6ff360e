//! The carrier: requests made beforehand, sent over connections that are kept open, on a thread of
//! its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use switchback::telemetry::clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

pub(crate) const CONNECTIONS: usize = 64;

/// How a carrier comes.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) connections: usize,
    /// Requests a second, all connections together; otherwise the next when the last is answered.
    pub(crate) per_second: Option<u32>,
    /// Whose certificate is trusted, where it comes by TLS.
    pub(crate) tls: Option<CertificateDer<'static>>,
}

impl Manner {
    pub(crate) const fn of(connections: usize) -> Self {
        Self { connections, per_second: None, tls: None }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What is to be sent, and when.
struct Errand {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    start: Instant,
    between: Option<Duration>,
    expected: String,
}

/// Sends each request once, over connections that are all open before the first; how long each
/// took, in us, and all of them. One that was due and had to wait for a connection took the wait as
/// well.
pub(crate) fn ask(
    server: SocketAddr,
    requests: Vec<Vec<u8>>,
    expected: &str,
    manner: &Manner,
) -> (Vec<f64>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut streams = Vec::with_capacity(manner.connections);
        for _ in 0..manner.connections {
            streams.push(connect(server, manner.tls.as_ref()).await);
        }
        let errand = Arc::new(Errand {
            requests,
            next: AtomicUsize::new(0),
            start: clock::instant(),
            between: manner.per_second.map(|rate| Duration::from_secs(1) / rate),
            expected: expected.to_owned(),
        });
        // Where all come as fast as they are answered, this thread never sleeps: else a server pays
        // for waking it with every answer, which over a network it would not, and pays the less the
        // faster it is: a third of the daemon's time went there.
        let awake = errand.between.is_none().then(|| {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            })
        });
        let mut connections = JoinSet::new();
        for stream in streams {
            connections.spawn(connection(stream, Arc::clone(&errand)));
        }
        let latencies = connections.join_all().await.into_iter().flatten().collect();
        let lasted = errand.start.elapsed();
        awake.inspect(|task| task.abort());
        (latencies, lasted)
    })
}

async fn connect(server: SocketAddr, tls: Option<&CertificateDer<'static>>) -> Box<dyn Stream> {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let Some(trusted) = tls else { return Box::new(stream) };
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
}

async fn connection(mut stream: Box<dyn Stream>, errand: Arc<Errand>) -> Vec<f64> {
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 8192];
    loop {
        let place = errand.next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = errand.requests.get(place) else { return latencies };
        let start = match errand.between {
            None => clock::instant(),
            Some(between) => {
                let due = errand.start + between * u32::try_from(place).unwrap();
                tokio::time::sleep_until(due.into()).await;
                // The timer's own grain is nobody's wait.
                if clock::instant() < due + Duration::from_millis(2) {
                    clock::instant()
                } else {
                    due
                }
            }
        };
        stream.write_all(request).await.unwrap();
        let mut len = 0;
        while !is_whole(buffer.get(..len).unwrap()) {
            let read = stream.read(buffer.get_mut(len..).unwrap()).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            len += read;
        }
        latencies.push(start.elapsed().as_nanos() as f64 / 1000.0);
        let answer = std::str::from_utf8(buffer.get(..len).unwrap()).unwrap();
        let is_right = answer.starts_with("HTTP/1.1 20") && answer.contains(&errand.expected);
        assert!(is_right, "{answer}");
    }
}

/// Whether an answer with a length, or one that says nothing, has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.starts_with("HTTP/1.1 204") {
        return true;
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}
