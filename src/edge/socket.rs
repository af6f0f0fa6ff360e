//! What is the same of every websocket here: its shape, its first words, its last.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::media::framing::{Began, Frame, Framing, Heard};
use crate::media::messages::{self, Start};

/// From the upgrade to the carrier's `start`. Twilio sends it at once.
const START_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a side that is told good-bye may take to hear it.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// A websocket, whatever lies under it: messages in, messages out.
pub trait Socket:
    Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send
{
}

impl<S> Socket for S where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send
{
}

/// A carrier's socket, whatever lies under it; its messages are Twilio's, or were made so.
pub type CarrierSocket = Box<dyn Socket>;

/// A carrier's socket whose stream has begun.
pub struct Arrival {
    /// The socket.
    pub socket: CarrierSocket,
    /// How its stream began.
    pub start: Start,
    /// Counts the socket as open.
    pub open: Option<Open>,
}

/// Counts something that is open, until it is dropped.
pub struct Open(Arc<AtomicUsize>);

impl Open {
    /// One more.
    #[must_use]
    pub fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the beginning of a carrier's stream. `None`: it never came.
pub async fn begin(carrier: &mut impl Socket) -> Option<Start> {
    let first = async {
        while let Some(Ok(message)) = carrier.next().await {
            let Message::Text(text) = message else { continue };
            match messages::parse(&text).map(|envelope| envelope.message) {
                Ok(messages::Message::Start(start)) => return Some(start),
                Ok(messages::Message::Stop) => return None,
                Ok(_) | Err(_) => {}
            }
        }
        None
    };
    timeout(START_WAIT_MAX, first).await.ok().flatten()
}

/// The same of a stream that is spelled otherwise than Twilio's.
pub(super) async fn begin_spelled(
    carrier: &mut impl Socket,
    framing: &dyn Framing,
) -> Option<Began> {
    let first = async {
        while let Some(Ok(message)) = carrier.next().await {
            let frame = match &message {
                Message::Text(text) => Frame::Text(Cow::Borrowed(text.as_str())),
                Message::Binary(bytes) => Frame::Binary(Cow::Borrowed(bytes)),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            match framing.read(&frame) {
                Ok(Heard::Began(began)) => return Some(began),
                Ok(Heard::Stopped) => return None,
                Ok(
                    Heard::Connected
                    | Heard::Audio(_)
                    | Heard::Dtmf(_)
                    | Heard::Mark(_)
                    | Heard::Cleared
                    | Heard::Failed(_)
                    | Heard::Unknown,
                )
                | Err(_) => {}
            }
        }
        None
    };
    timeout(START_WAIT_MAX, first).await.ok().flatten()
}

/// Sends what is left, closes, and waits a moment for the other side to do so too. Without a code:
/// the other side has closed, and is only heard out.
pub(super) async fn farewell(
    mut socket: impl Socket,
    left: Vec<Utf8Bytes>,
    code: Option<CloseCode>,
) {
    let goodbye = async {
        if let Some(code) = code {
            for frame in left {
                socket.feed(Message::Text(frame)).await?;
            }
            let close = CloseFrame { code, reason: Utf8Bytes::default() };
            socket.send(Message::Close(Some(close))).await?;
        }
        while socket.next().await.is_some_and(|read| read.is_ok()) {}
        Ok::<_, Error>(())
    };
    // One that does not listen any more needs no good-bye.
    drop(timeout(FAREWELL_MAX, goodbye).await);
}
