//! What is the same of every carrier's websocket: its first words, its last.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::media::framing::{Began, Frame, Framing, Heard};
use crate::media::messages::{self, Start};
use crate::runtime::websocket::{self, Broken, Say, Socket};

/// From the upgrade to the carrier's `start`. Twilio sends it at once.
const START_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a side that is told good-bye may take to hear it.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

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
        loop {
            match websocket::hear(carrier).await {
                websocket::Heard::Text => {
                    match messages::parse(carrier.text()).map(|envelope| envelope.message) {
                        Ok(messages::Message::Start(start)) => return Some(start),
                        Ok(messages::Message::Stop) => return None,
                        Ok(_) | Err(_) => {}
                    }
                }
                websocket::Heard::Binary | websocket::Heard::Alive => {}
                websocket::Heard::Close(_) | websocket::Heard::Over | websocket::Heard::Lost(_) => {
                    return None;
                }
            }
        }
    };
    timeout(START_WAIT_MAX, first).await.ok().flatten()
}

/// The same of a stream that is spelled otherwise than Twilio's.
pub(super) async fn begin_spelled(
    carrier: &mut impl Socket,
    framing: &dyn Framing,
) -> Option<Began> {
    let first = async {
        loop {
            let frame = match websocket::hear(carrier).await {
                websocket::Heard::Text => Frame::Text(Cow::Borrowed(carrier.text())),
                websocket::Heard::Binary => Frame::Binary(Cow::Borrowed(carrier.bytes())),
                websocket::Heard::Alive => continue,
                websocket::Heard::Close(_) | websocket::Heard::Over | websocket::Heard::Lost(_) => {
                    return None;
                }
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
    };
    timeout(START_WAIT_MAX, first).await.ok().flatten()
}

/// Sends what is left, closes, and waits a moment for the other side to do so too. Without a code:
/// the other side has closed, and is only heard out.
pub(super) async fn farewell(mut socket: impl Socket, left: Vec<String>, code: Option<u16>) {
    let goodbye = async {
        if let Some(code) = code {
            poll_fn(|cx| socket.poll_ready(cx)).await?;
            for text in &left {
                socket.say(Say::Text(text));
            }
            socket.say(Say::Close(code));
            poll_fn(|cx| socket.poll_flush(cx)).await?;
        }
        loop {
            let heard = websocket::hear(&mut socket).await;
            if matches!(heard, websocket::Heard::Over | websocket::Heard::Lost(_)) {
                break;
            }
        }
        Ok::<_, Broken>(())
    };
    // One that does not listen any more needs no good-bye.
    drop(timeout(FAREWELL_MAX, goodbye).await);
}
