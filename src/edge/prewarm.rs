//! The calls whose runtime is opened before their media comes: who waits for which socket, until
//! when, and how many may.
//!
//! A session that waits holds an [`Expected`]; the carrier's socket reaches it by
//! [`Prewarms::hand_over`]. A call is waited for once: asked for at another place of its ladder,
//! the session that waited before ends. It opens no socket and tells no runtime; sessions do.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::time::{Sleep, sleep};

use super::socket::Arrival;
use super::token;
use crate::domain::CallId;
use crate::telemetry::metrics;

/// Calls that are waited for at once: a thousand a second, with a second or two from an answer to
/// the carrier's socket. Each has a connection, and holds 256 KiB of what its runtime says at most,
/// half a gigabyte in all if every runtime talks ahead; fifteen kilobytes a second if it talks as
/// people do. Past it, calls are as without: their runtimes are opened when their media comes.
const AT_ONCE_MAX: usize = 2048;

/// How runtimes are opened ahead.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether they are at all.
    pub is_on: bool,
    /// Calls that are waited for at once.
    pub at_once_max: usize,
    /// How long a call's socket is waited for.
    pub life: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { is_on: true, at_once_max: AT_ONCE_MAX, life: token::LIFE }
    }
}

/// All calls that are waited for.
#[derive(Clone)]
pub struct Prewarms(Arc<Inner>);

struct Inner {
    settings: Settings,
    slots: Arc<Semaphore>,
    waiting: DashMap<CallId, Waiting, RandomState>,
}

/// The other end of an [`Expected`].
struct Waiting {
    place: usize,
    arrival: oneshot::Sender<Arrival>,
}

impl Prewarms {
    /// None yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let slots = Arc::new(Semaphore::new(settings.at_once_max));
        Self(Arc::new(Inner { settings, slots, waiting: DashMap::default() }))
    }

    /// The socket of a call for the target at `place`. `None`: it is waited for already, as when a
    /// webhook is repeated, or shall not be.
    #[must_use]
    pub fn expect(&self, call: CallId, place: usize) -> Option<Expected> {
        let Inner { settings, slots, waiting } = self.0.as_ref();
        if !settings.is_on {
            return None;
        }
        let entry = waiting.entry(call);
        if let Entry::Occupied(entry) = &entry
            && entry.get().place == place
            && !entry.get().arrival.is_closed()
        {
            return None;
        }
        let slot = match Arc::clone(slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(TryAcquireError::NoPermits) => {
                metrics::prewarm(metrics::Prewarm::Full);
                return None;
            }
            Err(TryAcquireError::Closed) => return None,
        };
        let (sender, arrival) = oneshot::channel();
        drop(entry.insert(Waiting { place, arrival: sender }));
        Some(Expected {
            prewarms: self.clone(),
            call,
            arrival,
            until: Box::pin(sleep(settings.life)),
            _slot: slot,
            _counted: metrics::Prewarmed::wait(),
        })
    }

    /// The carrier's socket for the target at `place` is there: it goes to the session that waits.
    /// Where none does, it is given back.
    #[must_use]
    pub fn hand_over(&self, call: CallId, place: usize, arrival: Arrival) -> Option<Arrival> {
        match self.0.waiting.remove_if(&call, |_, waiting| waiting.place == place) {
            Some((_, waiting)) => waiting.arrival.send(arrival).err(),
            None => Some(arrival),
        }
    }

    /// The carrier asks for the target at `place`: sockets for earlier ones will not come.
    pub fn pass(&self, call: CallId, place: usize) {
        drop(self.0.waiting.remove_if(&call, |_, waiting| waiting.place < place));
    }

    /// No socket comes any more: all that wait end, and none begins to.
    pub fn close(&self) {
        self.0.slots.close();
        self.0.waiting.clear();
    }

    /// How many calls are waited for, those included whose runtimes are just being told the end.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.settings.at_once_max.saturating_sub(self.0.slots.available_permits())
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many sockets would still be handed over to somebody.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.0.waiting.len()
    }
}

/// A carrier's socket that is to come.
pub struct Expected {
    prewarms: Prewarms,
    call: CallId,
    arrival: oneshot::Receiver<Arrival>,
    until: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
    _counted: metrics::Prewarmed,
}

impl Expected {
    /// Waits for it. `None`: it does not come any more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        if let Poll::Ready(arrived) = Pin::new(&mut self.arrival).poll(cx) {
            return Poll::Ready(arrived.ok());
        }
        ready!(self.until.as_mut().poll(cx));
        Poll::Ready(self.give_up())
    }

    /// Waits no longer. A socket that was handed over in the same moment is not lost.
    pub(super) fn give_up(&mut self) -> Option<Arrival> {
        self.arrival.close();
        self.arrival.try_recv().ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.arrival.close();
        // Unless another session waits for the call by now.
        let waiting = &self.prewarms.0.waiting;
        drop(waiting.remove_if(&self.call, |_, waiting| waiting.arrival.is_closed()));
    }
}
