//! A media socket that nobody calls by: `doctor` opens it through the public URL, says something,
//! and is told the same. Its ticket is sealed as a call's is, but for this alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use super::socket::Open;
use crate::{
    calls::seal,
    domain::{MediaKey, UnixMillis},
};

/// Such sockets at once: whoever looks after the installation opens one.
const SOCKETS_MAX: usize = 4;

/// What is said back is small; more is no probe.
const MESSAGE_LEN_MAX: usize = 4 * 1024;

/// The longest hold, and the longest silence in it.
const HELD_MAX: Duration = Duration::from_secs(3600);
const SILENT_MAX: Duration = Duration::from_secs(60);

/// All such sockets of the process.
#[derive(Debug, Default)]
pub(super) struct Probes {
    open: Arc<AtomicUsize>,
}

impl Probes {
    /// A place for the holder of a ticket; none without one, or where all are taken.
    pub(super) fn admit(&self, target: &str, keys: &[MediaKey], now: UnixMillis) -> Option<Open> {
        let ticket = target.strip_prefix("/media/")?;
        let is_ours = seal::is_probe_ticket(keys, ticket, now);
        let has_room = self.open.load(Ordering::Relaxed) < SOCKETS_MAX;
        (is_ours && has_room).then(|| Open::count(&self.open))
    }
}

/// Says back what it hears, until it is closed.
pub(super) async fn echo(upgrade: OnUpgrade, open: Open) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_LEN_MAX))
        .max_frame_size(Some(MESSAGE_LEN_MAX));
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let talk = async {
        while let Ok(Some(Ok(message))) = timeout(SILENT_MAX, socket.next()).await {
            if let Message::Text(text) = message
                && socket.send(Message::Text(text)).await.is_err()
            {
                break;
            }
        }
    };
    // Whichever way it ends, the one at the other end reports.
    drop(timeout(HELD_MAX, talk).await);
    drop(open);
}
