//! A carrier's socket under watch. While a call lives its carrier sends frames all the time,
//! silence included; one that sends nothing any more leads nowhere, whatever TCP believes.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::domain::CallId;
use crate::runtime::websocket::{Broken, Heard, Say, Socket};
use crate::telemetry::timer::Timer;
use crate::telemetry::{clock, metrics};

/// How long a carrier's socket may bring nothing: five hundred frames, and up to an eighth more.
/// Networks that change over take a few seconds.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// How often it is looked at, so that no frame has to note when it came: so many times in that.
const LOOKS: u32 = 8;

/// A socket that ends when it has been quiet for too long.
pub(super) struct Watched<S> {
    socket: S,
    call: CallId,
    /// In how many looks it has brought nothing.
    quiet_looks: u32,
    quiet_max: Duration,
    timer: Timer,
    look_at: Instant,
    is_over: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, call: CallId) -> Self {
        Self::allowing(socket, call, QUIET_MAX)
    }

    fn allowing(socket: S, call: CallId, quiet_max: Duration) -> Self {
        let (timer, look_at) = (Timer::default(), clock::instant() + quiet_max / LOOKS);
        Self { socket, call, quiet_looks: 0, quiet_max, timer, look_at, is_over: false }
    }
}

impl<S: Socket> Socket for Watched<S> {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        if self.is_over {
            return Poll::Ready(Heard::Over);
        }
        if let Poll::Ready(heard) = self.socket.poll_hear(cx) {
            self.quiet_looks = 0;
            return Poll::Ready(heard);
        }
        loop {
            ready!(self.timer.poll(self.look_at, cx));
            // The first look after a frame may come at once, so one more is waited for.
            if self.quiet_looks == LOOKS {
                break;
            }
            self.quiet_looks += 1;
            self.look_at = clock::instant() + self.quiet_max / LOOKS;
        }
        self.is_over = true;
        metrics::media_quiet();
        let call = self.call;
        tracing::warn!(
            %call, trace_id = %call.trace_id(),
            "a carrier's media socket brought nothing for {} s: it is closed",
            self.quiet_max.as_secs()
        );
        Poll::Ready(Heard::Over)
    }

    fn text(&self) -> &str {
        self.socket.text()
    }

    fn bytes(&self) -> &[u8] {
        self.socket.bytes()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.socket.poll_ready(cx)
    }

    fn say(&mut self, say: Say<'_>) {
        self.socket.say(say);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.socket.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use uuid::Uuid;

    use super::*;
    use crate::media::websocket::Role;
    use crate::runtime::websocket::{WebSocket, hear, send};

    #[tokio::test]
    async fn a_socket_that_says_nothing_any_more_has_ended() {
        let quiet_max = Duration::from_millis(160);
        let (near, far) = duplex(1024);
        let mut carrier = WebSocket::new(far, Role::Client, 1024, Vec::new());
        let socket = WebSocket::new(near, Role::Server, 1024, Vec::new());
        let mut watched = Watched::allowing(socket, CallId(Uuid::nil()), quiet_max);
        // As long as something comes now and then, it lives.
        for _ in 0..4 {
            tokio::time::sleep(quiet_max / 2).await;
            send(&mut carrier, Say::Text("a")).await.unwrap();
            assert_eq!((hear(&mut watched).await, watched.text()), (Heard::Text, "a"));
        }
        // The far end stays open, and silent.
        let began = clock::instant();
        assert_eq!(hear(&mut watched).await, Heard::Over);
        assert!(began.elapsed() >= quiet_max - Duration::from_millis(2), "{:?}", began.elapsed());
        send(&mut carrier, Say::Text("b")).await.unwrap();
        assert_eq!(hear(&mut watched).await, Heard::Over, "it is over");
    }
}
