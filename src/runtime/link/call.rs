//! One call of a link, as a socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::json;

use super::table::{End, Table, Told};
use crate::runtime::dial::{Dial, DialError};
use crate::runtime::websocket::{Broken, CLOSE_AWAY, Heard, Say, Socket};

/// A call's end of its link.
#[derive(Debug)]
pub struct LinkedCall {
    table: Arc<Table>,
    number: u32,
    text: String,
    /// The link's own life is looked after by the link; a call's ping is answered at once.
    has_pinged: bool,
}

impl LinkedCall {
    /// Asks the runtime to take a call; none where the link is over or full.
    pub(super) fn open(table: &Arc<Table>, dial: &Dial) -> Option<Self> {
        let about = json!({
            "callId": dial.call.to_string(), "token": dial.token, "traceparent": dial.traceparent,
        });
        let number = table.open(&about.to_string())?;
        Some(Self { table: Arc::clone(table), number, text: String::new(), has_pinged: false })
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

impl Drop for LinkedCall {
    fn drop(&mut self) {
        self.table.close(self.number, CLOSE_AWAY);
    }
}

impl Socket for LinkedCall {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        if std::mem::take(&mut self.has_pinged) {
            return Poll::Ready(Heard::Alive);
        }
        self.table.poll_told(self.number, &mut self.text, cx).map(|told| match told {
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
        &self.text
    }

    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.table.poll_room(cx).map(|is_open| if is_open { Ok(()) } else { Err(Broken) })
    }

    fn say(&mut self, say: Say<'_>) {
        match say {
            Say::Text(text) => self.table.say(self.number, text),
            Say::Ping => self.has_pinged = true,
            Say::Close(code) => self.table.close(self.number, code),
            // No runtime is spoken to in bytes.
            Say::Binary(_) => {}
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        // The link sends it with what the other calls have to say.
        Poll::Ready(Ok(()))
    }
}
