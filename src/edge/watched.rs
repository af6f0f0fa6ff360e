//! A carrier's socket under watch. While a call lives its carrier sends frames all the time,
//! silence included; one that sends nothing any more leads nowhere, whatever TCP believes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::socket::Socket;
use crate::domain::CallId;
use crate::telemetry::{clock, metrics};

/// How long a carrier's socket may bring nothing: five hundred frames. Networks that change over
/// take a few seconds.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// A socket that ends when it has been quiet for too long.
pub(super) struct Watched<S> {
    socket: S,
    call: CallId,
    heard_at: Instant,
    /// Looked at when it is due, and not with every frame.
    sleep: Pin<Box<Sleep>>,
    is_over: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, call: CallId) -> Self {
        let (heard_at, sleep) = (clock::instant(), Box::pin(sleep(QUIET_MAX)));
        Self { socket, call, heard_at, sleep, is_over: false }
    }
}

impl<S: Socket> Stream for Watched<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(read) = self.socket.poll_next_unpin(cx) {
            self.heard_at = clock::instant();
            return Poll::Ready(read);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let due = self.heard_at + QUIET_MAX;
            if due <= clock::instant() {
                break;
            }
            self.sleep.as_mut().reset(tokio::time::Instant::from_std(due));
        }
        self.is_over = true;
        metrics::media_quiet();
        let call = self.call;
        tracing::warn!(
            %call, trace_id = %call.trace_id(),
            "a carrier's media socket brought nothing for {} s: it is closed",
            QUIET_MAX.as_secs()
        );
        Poll::Ready(None)
    }
}

impl<S: Socket> Sink<Message> for Watched<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Message) -> Result<(), Error> {
        self.socket.start_send_unpin(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.socket.poll_close_unpin(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_socket_that_says_nothing_any_more_has_ended() {
        let (near, far) = duplex(1024);
        let mut carrier = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let socket = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
        let mut watched = Watched::new(socket, CallId(Uuid::nil()));
        carrier.send(Message::text("a")).await.unwrap();
        assert_eq!(watched.next().await.unwrap().unwrap(), Message::text("a"));
        // The far end stays open, and silent: as if for that long.
        watched.heard_at -= QUIET_MAX;
        watched.sleep = Box::pin(sleep(Duration::from_millis(10)));
        assert!(watched.next().await.is_none());
        carrier.send(Message::text("b")).await.unwrap();
        assert!(watched.next().await.is_none(), "it is over");
    }
}
