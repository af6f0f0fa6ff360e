//! Over real sockets, with times that a test can wait for.

use std::{io::ErrorKind, sync::Arc};

use http_body_util::BodyExt;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch::Sender,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::*;

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
const SECOND: Duration = Duration::from_secs(1);

struct Served {
    address: SocketAddr,
    stop: Sender<bool>,
    task: JoinHandle<()>,
}

fn settings() -> Settings {
    let times = Times { handshake: SECOND, head: SECOND, idle: 2 * SECOND, answer: 2 * SECOND };
    let trusted_proxies = vec!["127.0.0.9".parse().unwrap()];
    Settings { connections_max: 100, per_address_max: 2, trusted_proxies, times, tls: None }
}

/// A server that answers with what it was sent.
async fn serve_with(settings: Settings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = switch::channel(false);
    let workers = Workers::start(NonZeroUsize::new(2).unwrap()).unwrap();
    let echo = |request: Request<Incoming>, _: SocketAddr| async move {
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        Response::new(Full::new(body.unwrap_or_default()))
    };
    let task = tokio::spawn(async move {
        serve(listener, settings, &workers, stopped, echo).await;
    });
    Served { address, stop, task }
}

/// A connection from one of this machine's addresses.
async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn ask(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hi") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// After how many whole seconds the other side closes.
async fn closes_after(stream: &mut TcpStream) -> u64 {
    let start = tokio::time::Instant::now();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    start.elapsed().as_secs()
}

#[tokio::test]
async fn an_address_has_its_share_and_no_more() {
    let served = serve_with(settings()).await;
    let mut held = vec![connect("127.0.0.2", served.address).await];
    held.push(connect("127.0.0.2", served.address).await);
    for stream in &mut held {
        assert!(ask(stream).await.starts_with("HTTP/1.1 200"));
    }
    let mut third = connect("127.0.0.2", served.address).await;
    assert_eq!(closes_after(&mut third).await, 0);
    ask(&mut connect("127.0.0.3", served.address).await).await;
    let mut proxied = Vec::new();
    for _ in 0..4 {
        proxied.push(connect("127.0.0.9", served.address).await);
        ask(proxied.last_mut().unwrap()).await;
    }
    drop(held);
    for _ in 0..100 {
        let mut again = connect("127.0.0.2", served.address).await;
        again.write_all(REQUEST).await.ok();
        if again.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("who has left has no place any more");
}

#[tokio::test]
async fn who_is_slow_or_quiet_is_closed_and_who_speaks_is_not() {
    let served = serve_with(settings()).await;
    let mut says_nothing = connect("127.0.0.2", served.address).await;
    let mut drips = connect("127.0.0.3", served.address).await;
    let mut stalls = connect("127.0.0.4", served.address).await;
    let mut speaks = connect("127.0.0.5", served.address).await;
    let mut is_quiet = connect("127.0.0.6", served.address).await;
    ask(&mut is_quiet).await;
    stalls.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nh").await.unwrap();
    let speaking = async {
        for _ in 0..5 {
            ask(&mut speaks).await;
            tokio::time::sleep(SECOND).await;
        }
    };
    let dripping = async {
        let start = tokio::time::Instant::now();
        for byte in REQUEST {
            if drips.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        start.elapsed().as_secs()
    };
    let (_, dripped, nothing, stalled, quiet) = tokio::join!(
        speaking,
        dripping,
        closes_after(&mut says_nothing),
        closes_after(&mut stalls),
        closes_after(&mut is_quiet),
    );
    assert!((1..3).contains(&dripped) && (1..3).contains(&nothing), "{dripped} {nothing}");
    assert!((2..4).contains(&stalled) && (2..4).contains(&quiet), "{stalled} {quiet}");
}

#[tokio::test]
async fn long_headers_are_refused_and_a_full_house_lets_wait() {
    let served = serve_with(Settings { connections_max: 1, ..settings() }).await;
    let mut first = connect("127.0.0.2", served.address).await;
    ask(&mut first).await;
    let mut second = connect("127.0.0.3", served.address).await;
    second.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let waits = tokio::time::timeout(SECOND / 2, second.read(&mut [0; 64])).await;
    assert!(waits.is_err(), "in the backlog");
    drop(first);
    let long = vec![b'a'; HEAD_BYTES_MAX];
    second.write_all(&long).await.ok();
    let mut answer = [0; 12];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn a_stop_answers_what_comes_at_once_and_closes_what_is_quiet() {
    let served = serve_with(settings()).await;
    let mut quiet = connect("127.0.0.2", served.address).await;
    ask(&mut quiet).await;
    let mut asks = connect("127.0.0.3", served.address).await;
    let (head, body) = REQUEST.split_at(REQUEST.len() - 2);
    asks.write_all(head).await.unwrap();
    tokio::time::sleep(SECOND / 5).await;
    let mut late = connect("127.0.0.4", served.address).await;
    ask(&mut late).await;
    served.stop.send_replace(true);
    tokio::time::sleep(SECOND / 10).await;
    let last = |mut stream: TcpStream, rest: &'static [u8]| async move {
        stream.write_all(rest).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hi"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    };
    last(late, REQUEST).await;
    assert_eq!(closes_after(&mut quiet).await, 0);
    last(asks, body).await;
    served.task.await.unwrap();
}

#[test]
fn a_process_that_may_open_few_files_keeps_half_of_them() {
    assert_eq!(connections_max(1024), 512);
    assert_eq!(connections_max(20_000), 11_808);
    assert_eq!(connections_max(1 << 20), CONNECTIONS_MAX);
    assert_eq!(connections_max(0), 1);
}

/// A certificate for `localhost` in the folder; it is its own authority.
fn write_certificate(folder: &std::path::Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

async fn handshake(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    assert!(matches!(Tls::open(&cert, &key), Err(TlsError::Unreadable { .. })));
    let first = write_certificate(folder.path());
    let tls = Tls::open(&cert, &key).unwrap();
    let with_tls = Settings { tls: Some(tls.clone()), per_address_max: 9, ..settings() };
    let served = serve_with(with_tls).await;
    let mut open = handshake(served.address, &first).await.unwrap();
    assert_eq!(open.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    ask(&mut open).await;
    assert!(!tls.reload().unwrap());

    // A key alone, then no certificate at all: the old pair goes on, and each is said once.
    let kept = std::fs::read(&key).unwrap();
    std::fs::write(&key, "-----BEGIN NOTHING-----").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Missing { what: "private key", .. })));
    assert!(!tls.reload().unwrap());
    std::fs::write(&key, kept).unwrap();
    std::fs::write(&cert, "").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Missing { what: "certificate", .. })));
    handshake(served.address, &first).await.unwrap();

    let second = write_certificate(folder.path());
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let fitting = std::fs::read(&key).unwrap();
    std::fs::write(&key, other_key).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unfit(_))));
    std::fs::write(&key, fitting).unwrap();
    assert!(tls.reload().unwrap());
    assert!(handshake(served.address, &first).await.is_err());
    ask(&mut handshake(served.address, &second).await.unwrap()).await;
    ask(&mut open).await;

    // Who speaks no TLS, and who says nothing.
    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(REQUEST).await.unwrap();
    assert_eq!(closes_after(&mut plain).await, 0);
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(closes_after(&mut silent).await, 1);
}
