//! One call of a link, as a socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use serde_json::json;

use super::table::{End, Lines, Table, Told};
use crate::media::liveness::PING_EVERY;
use crate::runtime::dial::{Dial, DialError};
use crate::runtime::websocket::{Broken, CLOSE_AWAY, Heard, Say, Socket};
use crate::telemetry::clock;

/// A call's end of its link.
#[derive(Debug)]
pub struct LinkedCall {
    table: Arc<Table>,
    number: u32,
    lines: Lines,
    /// When it was last told that its runtime lives. That is looked after by the link, for all its
    /// calls: as long as the link goes on so do they, also where nothing of their own has come, or
    /// could be said, for a while.
    told_alive: Option<Instant>,
}

impl LinkedCall {
    /// Asks the runtime to take a call; none where the link is over or full.
    pub(super) fn open(table: &Arc<Table>, dial: &Dial) -> Option<Self> {
        let about = json!({
            "callId": dial.call.to_string(), "token": dial.token, "traceparent": dial.traceparent,
        });
        let number = table.open(&about.to_string())?;
        Some(Self { table: Arc::clone(table), number, lines: Lines::default(), told_alive: None })
    }

    /// Waits until it does.
    pub(super) async fn accepted(&mut self) -> Result<(), DialError> {
        match poll_fn(|cx| self.table.poll_accepted(self.number, cx)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(DialError::Declined),
            Err(End::Over | End::Stalled(_)) => Err(DialError::Broken),
        }
    }
}

impl LinkedCall {
    /// Whether it is time to be told that the runtime lives. Whoever waits asks as often as it
    /// would ping.
    fn poll_alive(&mut self) -> Poll<Heard> {
        let now = clock::instant();
        if self.told_alive.is_some_and(|told| now < told + PING_EVERY / 2) {
            return Poll::Pending;
        }
        self.told_alive = Some(now);
        Poll::Ready(Heard::Alive)
    }
}

impl Drop for LinkedCall {
    fn drop(&mut self) {
        self.table.close(self.number, CLOSE_AWAY);
    }
}

impl Socket for LinkedCall {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let Poll::Ready(told) = self.table.poll_told(self.number, &mut self.lines, cx) else {
            return self.poll_alive();
        };
        Poll::Ready(match told {
            Told::Message => Heard::Text,
            Told::Closed(code) => {
                // It is told once; after that there is no such call.
                self.table.close(self.number, code);
                Heard::Close(Some(code))
            }
            Told::Ended(End::Over) => Heard::Over,
            Told::Ended(End::Stalled(since)) => Heard::Lost(since),
        })
    }

    fn text(&self) -> &str {
        self.lines.last()
    }

    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.table
            .poll_room(self.number, cx)
            .map(|is_open| if is_open { Ok(()) } else { Err(Broken) })
    }

    fn say(&mut self, say: Say<'_>) {
        match say {
            Say::Text(text) => self.table.say(self.number, text),
            Say::Close(code) => self.table.close(self.number, code),
            // The link is pinged for all its calls; no runtime is spoken to in bytes.
            Say::Ping | Say::Binary(_) => {}
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        // The link sends it with what the other calls have to say.
        Poll::Ready(Ok(()))
    }
}
