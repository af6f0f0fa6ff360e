//! The yardstick: hyper alone, a form parsed by the usual library, a constant answered.

use std::convert::Infallible;
use std::hint::spin_loop;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use switchback::telemetry::clock;
use tokio::net::TcpListener;

/// As long as the daemon's, about.
pub(crate) const ANSWER: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect action=\"",
    "https://edge.example.com/carriers/main/resume?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c",
    "&amp;attempt=1\"><Stream url=\"wss://edge.example.com/media/",
    "0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d87e3b9a6c5d4e",
    "\" statusCallback=\"https://edge.example.com/carriers/main/status",
    "?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c\"/></Connect></Response>",
);

/// How long it computes besides, in nanoseconds a request.
static BUSY_FOR: AtomicU64 = AtomicU64::new(0);

/// From now on it computes so much longer for each request, and nothing comes of it: what a server
/// that does more reaches over the same sockets.
pub(crate) fn compute_for(more: Duration) {
    BUSY_FOR.store(u64::try_from(more.as_nanos()).unwrap(), Relaxed);
}

/// Starts it on a thread of its own, scheduled as the daemon's are; it ends with the process.
pub(crate) fn start() -> SocketAddr {
    let (ready, address) = mpsc::channel();
    let thread = thread::Builder::new().name(crate::BARE.to_owned());
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
        });
    };
    thread.spawn(serve).unwrap();
    address.recv().unwrap()
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let pairs: Vec<_> = form_urlencoded::parse(&body).collect();
    assert!(pairs.len() > 20, "a carrier's form");
    let busy = Duration::from_nanos(BUSY_FOR.load(Relaxed));
    if !busy.is_zero() {
        let began = clock::instant();
        while began.elapsed() < busy {
            spin_loop();
        }
    }
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/xml"));
    Ok(response)
}
