//! Runtimes in every state of ill health.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens there.
    Refused,
    /// It takes the connection and says nothing.
    BlackHole,
    /// The same where TLS should begin.
    TlsStall,
    /// It answers the upgrade with 503.
    Error,
    /// It takes the call, and neither speaks nor reads.
    Silence,
    /// It speaks, and dies in the fifth second.
    Death,
    /// It answers the upgrade with noise.
    Noise,
    /// It speaks, and then sends what is no websocket's frame.
    Garbage,
    /// It speaks, and then is gone without a word to anybody: no packet comes any more.
    HalfOpen,
    /// It speaks, and then closes its own direction alone.
    HalfClosed,
}

impl Fault {
    pub const ALL: [Self; 10] = [
        Self::Refused,
        Self::BlackHole,
        Self::TlsStall,
        Self::Error,
        Self::Silence,
        Self::Death,
        Self::Noise,
        Self::Garbage,
        Self::HalfOpen,
        Self::HalfClosed,
    ];

    /// Whether it is well at first.
    pub const fn is_later(self) -> bool {
        matches!(self, Self::Death | Self::Garbage | Self::HalfOpen | Self::HalfClosed)
    }

    /// How long it then is.
    const fn lasts(self) -> Duration {
        match self {
            Self::Death => Duration::from_secs(5),
            _ => Duration::from_secs(1),
        }
    }
}

/// A runtime with a fault.
pub struct Sick {
    pub url: String,
    /// When it fell ill, for those that are well at first.
    pub fell: watch::Receiver<Option<Instant>>,
}

impl Sick {
    pub async fn start(fault: Fault) -> Self {
        let (fell, falls) = watch::channel(None);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if fault == Fault::TlsStall { "wss" } else { "ws" };
        if fault != Fault::Refused {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, fault, fell.clone()));
                }
            });
        }
        Self { url: format!("{scheme}://{address}/"), fell: falls }
    }
}

async fn serve(mut stream: TcpStream, fault: Fault, fell: watch::Sender<Option<Instant>>) {
    match fault {
        Fault::Refused => {}
        Fault::BlackHole | Fault::TlsStall => std::future::pending().await,
        Fault::Error => {
            let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
            drop(stream.write_all(answer).await);
        }
        Fault::Noise => {
            drop(stream.write_all(&[0x7f, 0x00, 0xff, b'\n'].repeat(64)).await);
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Fault::Silence => {
            let socket = accept_async(stream).await;
            std::future::pending::<()>().await;
            drop(socket);
        }
        Fault::Death | Fault::Garbage | Fault::HalfOpen | Fault::HalfClosed => {
            let Ok(mut socket) = accept_async(stream).await else { return };
            if speak(&mut socket, fault.lasts()).await.is_none() {
                return;
            }
            fell.send_replace(Some(switchback::telemetry::clock::instant()));
            falls(socket, fault).await;
        }
    }
}

/// Speaks for that long from the call's start; none where the call ends before.
async fn speak(socket: &mut WebSocketStream<TcpStream>, lasts: Duration) -> Option<()> {
    let mut stream = Value::Null;
    while stream.is_null() {
        let Message::Text(text) = socket.next().await?.ok()? else { continue };
        let message: Value = serde_json::from_str(&text).ok()?;
        stream = message["start"]["streamSid"].clone();
    }
    let until = tokio::time::sleep(lasts);
    tokio::pin!(until);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    // A tone that is nobody else's.
    let sound = base64_simd::STANDARD.encode_to_string([0x21; 160]);
    loop {
        tokio::select! {
            () = &mut until => return Some(()),
            _ = ticks.tick() => {
                let media = json!({ "event": "media", "streamSid": stream,
                    "media": { "payload": sound } });
                socket.send(Message::text(media.to_string())).await.ok()?;
            }
            read = socket.next() => { read?.ok()?; }
        }
    }
}

async fn falls(socket: WebSocketStream<TcpStream>, fault: Fault) {
    match fault {
        Fault::Garbage => {
            let mut stream = socket.into_inner();
            // A reserved operation code, and noise behind it.
            drop(stream.write_all(&[0x8f, 0xff, 0x00, 0x77].repeat(64)).await);
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Fault::HalfOpen => {
            std::future::pending::<()>().await;
            drop(socket);
        }
        Fault::HalfClosed => {
            let mut stream = socket.into_inner();
            drop(stream.shutdown().await);
            let mut rest = Vec::new();
            drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await);
        }
        _ => drop(socket.get_ref().set_zero_linger()),
    }
}
