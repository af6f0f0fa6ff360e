//! Many calls on one websocket to a runtime, where its target says so (`link:wss://...`).
//!
//! A message of the websocket holds lines, each of one call: its number on this link, a blank, and
//! either one of Twilio's messages or a word of the link's own (`open`, `accept`, `close`,
//! `credit`). `docs/runtime.md` is the protocol's page. What all calls have to say leaves in one
//! write, and nothing waits for more.
//!
//! A call on a link is a [`Socket`] like any other: it is declined, closed and lost like one. A
//! link that ends takes its calls with it, each to its own next target.
//!
//! [`Socket`]: super::websocket::Socket

mod call;
mod carry;
mod table;

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::Mutex;

use super::dial::{Dial, DialError};
use super::io::Io;
use super::websocket::WebSocket;

pub use call::LinkedCall;
use table::Table;

/// What the upgrade asks for: a runtime that does not know it declines.
pub const PROTOCOL: &str = "switchback.link.v1";

/// What a target begins with whose calls share a socket.
pub const SCHEME: &str = "link:";

/// Links that are remembered; past it the least used is forgotten, and ends with its calls.
const LINKS_MAX: u64 = 10_000;

/// The links to all runtimes, by URL.
#[derive(Clone, Debug)]
pub(super) struct Links(Cache<String, Arc<Mutex<Option<Arc<Table>>>>>);

impl Links {
    pub(super) fn new() -> Self {
        Self(Cache::new(LINKS_MAX))
    }

    /// Opens a call on the link to that URL. Where there is none that has room, one is made by
    /// `connect`; who dials meanwhile waits for the same.
    pub(super) async fn open(
        &self,
        url: &str,
        dial: &Dial,
        connect: impl Future<Output = Result<WebSocket<Io>, DialError>>,
    ) -> Result<LinkedCall, DialError> {
        let slot = self.0.get_with(url.to_owned(), Arc::default);
        let mut current = slot.lock().await;
        let opened = current.as_ref().and_then(|table| LinkedCall::open(table, dial));
        let mut call = match opened {
            Some(call) => call,
            None => {
                let socket = connect.await?;
                let table = Arc::new(Table::default());
                tokio::spawn(carry::carry(socket, Arc::clone(&table)));
                let call = LinkedCall::open(&table, dial).ok_or(DialError::Broken)?;
                *current = Some(table);
                call
            }
        };
        drop(current);
        call.accepted().await?;
        Ok(call)
    }
}

#[cfg(test)]
mod tests;
