//! The ceilings that `benches/compare/run.sh` measures beside the daemon, each a server on
//! one thread: `bare` is hyper alone, which parses the form by the usual library and answers a
//! constant; `relay` joins a carrier's media socket to a runtime's, message by message, by
//! tokio-tungstenite as it comes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench, which ends where anything fails"
)]

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, client_async};

/// As long as the daemon's, about.
const ANSWER: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect action=\"",
    "https://edge.example.com/carriers/main/resume?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c",
    "&amp;attempt=1\"><Stream url=\"wss://edge.example.com/media/",
    "0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d87e3b9a6c5d4e",
    "\" statusCallback=\"https://edge.example.com/carriers/main/status",
    "?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c\"/></Connect></Response>",
);

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|text| text != "--bench").collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    match asked[..] {
        ["bare", place] => local.block_on(&runtime, bare(place)),
        ["relay", place, to] => local.block_on(&runtime, relay(place, to.to_owned())),
        _ => println!("servers for benches/compare/run.sh: bare PLACE, relay PLACE RUNTIME"),
    }
}

async fn bare(place: &str) {
    let listener = TcpListener::bind(place).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::task::spawn_local(service);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let pairs: Vec<_> = form_urlencoded::parse(&body).collect();
    assert!(pairs.len() > 20, "a carrier's form");
    Ok(xml(Bytes::from_static(ANSWER.as_bytes())))
}

fn xml(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/xml"));
    response
}

/// Webhooks and sockets come to the same place, as they do to an application.
async fn relay(place: &str, runtime: String) {
    let listener = TcpListener::bind(place).await.unwrap();
    let place = listener.local_addr().unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let runtime = runtime.clone();
        tokio::task::spawn_local(async move {
            stream.set_nodelay(true).unwrap();
            let mut start = [0; 4];
            stream.peek(&mut start).await.unwrap();
            if start.starts_with(b"POST") {
                let document = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect>\
                     <Stream url=\"ws://{place}/media\"/></Connect></Response>"
                );
                let document = Bytes::from(document);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let document = document.clone();
                    async move {
                        drop(request.into_body().collect().await);
                        Ok::<_, Infallible>(xml(document))
                    }
                });
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
            } else {
                drop(join(stream, &runtime).await);
            }
        });
    }
}

async fn join(
    carrier: TcpStream,
    runtime: &str,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let address = runtime.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut to_runtime, mut from_runtime) = client_async(runtime, stream).await?.0.split();
    let (mut to_carrier, mut from_carrier) = accept_async(carrier).await?.split();
    let there = async {
        while let Some(message) = from_carrier.next().await {
            to_runtime.send(message?).await?;
        }
        Ok(())
    };
    let back = async {
        while let Some(message) = from_runtime.next().await {
            to_carrier.send(message?).await?;
        }
        Ok(())
    };
    tokio::select! {
        done = there => done,
        done = back => done,
    }
}
