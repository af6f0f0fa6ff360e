//! Carriers that come by TLS: webhooks and media, and a certificate renewed between the two.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::daemon::{Daemon, PUBLIC_URL, TOKEN, between, inbound_form, sign};

const SESSION: &str = include_str!("../fixtures/twilio/media_stream_session.jsonl");
const SID: &str = "CAb27b806e16e007b36784197374f40f63";
const NUMBER: &str = "+12125550142";
const TLS: &str = "[edge.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"";

fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["edge.example.com".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

async fn connect(
    daemon: &Daemon,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(daemon.edge).await.unwrap();
    let name = "edge.example.com".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What a signed webhook is answered over the connection.
async fn webhook(stream: &mut TlsStream<TcpStream>, sid: &str) -> String {
    let (target, form) = ("/carriers/main/voice", inbound_form(sid, "+14155550137", NUMBER));
    let signature = sign(TOKEN, &format!("{PUBLIC_URL}{target}"), &form);
    let encoded = |text: &str| text.replace('+', "%2B");
    let pairs: Vec<_> =
        form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let body = pairs.join("&");
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: edge.example.com\r\nX-Twilio-Signature: {signature}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("</Response>") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

async fn open(
    daemon: &Daemon,
    trusted: &CertificateDer<'static>,
    document: &str,
) -> WebSocketStream<TlsStream<TcpStream>> {
    let path = between(document, "<Stream url=\"wss://edge.example.com", "\"");
    let url = format!("wss://edge.example.com{path}");
    let mut request = url.as_str().into_client_request().unwrap();
    request.headers_mut().insert("X-Twilio-Signature", sign(TOKEN, &url, &[]).parse().unwrap());
    client_async(request, connect(daemon, trusted).await.unwrap()).await.unwrap().0
}

#[tokio::test]
async fn a_call_goes_by_tls_and_a_renewed_certificate_cuts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let first = write_certificate(&folder);
    let daemon = Daemon::start_with(dir, TLS).await;
    let number = daemon.number(NUMBER).await;
    daemon.inbound_agent("Desk", &["builtin:echo"], &number).await;

    let mut stream = connect(&daemon, &first).await.unwrap();
    let document = webhook(&mut stream, SID).await;
    assert!(document.starts_with("HTTP/1.1 200"), "{document}");
    let mut media = open(&daemon, &first, &document).await;

    let second = write_certificate(&folder);
    daemon.press_reload();
    let mut renewed = None;
    for _ in 0..100 {
        renewed = connect(&daemon, &second).await.ok();
        if renewed.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(connect(&daemon, &first).await.is_err(), "the old one is shown no more");

    // What was open goes on: the webhooks' connection, and the call's audio.
    let again = webhook(&mut stream, SID).await;
    assert_eq!(again.split_once("\r\n\r\n").unwrap().1, document.split_once("\r\n\r\n").unwrap().1);
    for line in SESSION.lines().take(3) {
        media.send(Message::text(line)).await.unwrap();
    }
    let heard = async {
        while let Some(Ok(message)) = media.next().await {
            if message.to_text().is_ok_and(|text| text.contains("\"media\"")) {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), heard).await.unwrap());
    let other = webhook(&mut renewed.unwrap(), "CA00000000000000000000000000000002").await;
    assert!(other.contains("<Stream "), "{other}");
    let metrics = daemon.metrics().await;
    assert!(
        metrics.contains("switchback_edge_refused_total{cause=\"tls_handshake\"}"),
        "{metrics}"
    );
}
