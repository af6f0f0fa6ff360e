//! The one task that has a link's socket: it sends what all calls have to say, tells each what
//! comes for it, and sees that the other side lives.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::table::{End, MESSAGE_LEN_MAX, Table};
use crate::media::liveness::{PING_EVERY, STALL_MAX};
use crate::runtime::io::Io;
use crate::runtime::websocket::{Broken, CLOSE_NORMAL, Heard, Say, Socket, WebSocket, send};
use crate::telemetry::clock;
use crate::telemetry::timer::Timer;

/// How long a link without calls is kept: the next one is spared a connection's making.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What is read at once: a frame of each of two hundred calls.
const BUFFER_LEN: usize = 64 * 1024;

/// The longest buffer that a link keeps for what it reads, and for what it writes, once something
/// was as long: a message, with its head. Its calls keep none.
const KEPT_LEN: usize = MESSAGE_LEN_MAX + 64;

struct Carrying {
    socket: WebSocket<Io>,
    table: Arc<Table>,
    /// What was taken to be sent.
    batch: String,
    wakers: Vec<Waker>,
    timer: Timer,
    alive_at: Instant,
    ping_at: Instant,
    ping_due: bool,
    used_at: Instant,
}

/// Why it is carried no further.
enum Done {
    Lost(End),
    /// Nobody needs it any more.
    Idle,
}

/// Carries a link until it ends.
pub(super) async fn carry(socket: WebSocket<Io>, table: Arc<Table>) {
    let now = clock::instant();
    let mut carrying = Carrying {
        socket: socket.keeping(BUFFER_LEN, KEPT_LEN),
        table,
        batch: String::new(),
        wakers: Vec::new(),
        timer: Timer::default(),
        alive_at: now,
        ping_at: now + PING_EVERY,
        ping_due: false,
        used_at: now,
    };
    match poll_fn(|cx| carrying.poll(cx)).await {
        Done::Lost(end) => carrying.table.end(end),
        Done::Idle => {
            carrying.table.end(End::Over);
            drop(send(&mut carrying.socket, Say::Close(CLOSE_NORMAL)).await);
        }
    }
}

impl Carrying {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        loop {
            if self.write(cx).is_err() {
                return Poll::Ready(Done::Lost(End::Over));
            }
            if self.read(cx).is_err() {
                return Poll::Ready(Done::Lost(End::Over));
            }
            let at = self.ping_at.min(self.alive_at + STALL_MAX);
            ready!(self.timer.poll(at, cx));
            let now = clock::instant();
            if self.alive_at + STALL_MAX <= now {
                return Poll::Ready(Done::Lost(End::Stalled(self.alive_at)));
            }
            if self.ping_at <= now {
                (self.ping_at, self.ping_due) = (now + PING_EVERY, true);
                if self.table.len() > 0 {
                    self.used_at = now;
                } else if self.used_at + IDLE_MAX <= now {
                    return Poll::Ready(Done::Idle);
                }
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        loop {
            let Poll::Ready(ready) = self.socket.poll_ready(cx) else { return Ok(()) };
            ready?;
            let has_ping = std::mem::take(&mut self.ping_due);
            if has_ping {
                self.socket.say(Say::Ping);
            }
            let has_batch = self.table.take(&mut self.batch, &mut self.wakers, cx);
            self.wakers.drain(..).for_each(Waker::wake);
            if has_batch {
                self.socket.say(Say::Text(&self.batch));
            }
            if !has_ping && !has_batch {
                return Ok(());
            }
            if self.socket.poll_flush(cx)?.is_pending() {
                return Ok(());
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        let (mut is_alive, mut ended) = (false, Ok(()));
        while let Poll::Ready(heard) = self.socket.poll_hear(cx) {
            match heard {
                Heard::Text => self.table.hear(self.socket.text(), &mut self.wakers),
                Heard::Binary | Heard::Alive => {}
                Heard::Close(_) | Heard::Over | Heard::Lost(_) => {
                    ended = Err(Broken);
                    break;
                }
            }
            is_alive = true;
        }
        if is_alive {
            self.alive_at = clock::instant();
            self.wakers.drain(..).for_each(Waker::wake);
        }
        ended
    }
}
