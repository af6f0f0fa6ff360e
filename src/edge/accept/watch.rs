//! Who keeps connections' times: one look at all of them four times a second. A connection only
//! notes what it has come to, so a request costs two stores and no timer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use foldhash::fast::RandomState;

use super::Times;

/// From one look to the next.
const TICK: Duration = Duration::from_millis(250);

/// How long who may stop is still listened to, in ticks: a request that was on its way on an open
/// connection when the stop came is answered, and told to come back on another.
const LINGER: u32 = 2;

/// What a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A request's headers are coming, or the first is to come.
    Head = 0,
    /// A request is being answered.
    Answering = 1,
    /// Nothing is said.
    Idle = 2,
}

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What it does.
    GoOn,
    /// To end when it has answered.
    Stop,
    /// To end now: it has been too long at that.
    Over(Stage),
}

/// All connections.
pub(super) struct Watch {
    clock: Arc<Clock>,
    next: AtomicU64,
    all: Mutex<HashMap<u64, Arc<Watched>, RandomState>>,
}

#[derive(Default)]
struct Clock {
    tick: AtomicU32,
    is_stopping: AtomicBool,
    /// Ticks since the stop.
    lingered: AtomicU32,
}

/// One connection.
pub(super) struct Watched {
    id: u64,
    clock: Arc<Clock>,
    /// For each stage, in ticks.
    times: [u32; 3],
    /// The stage; whether it is over; the tick after which it is too long.
    state: AtomicU64,
    waker: OnceLock<Waker>,
}

const OVER: u64 = 1 << 32;

impl Watch {
    pub(super) fn new() -> Self {
        Self { clock: Arc::default(), next: AtomicU64::new(0), all: Mutex::default() }
    }

    /// One more.
    pub(super) fn watch(&self, times: Times) -> Arc<Watched> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ticks = |time: Duration| {
            let ticks = time.as_millis().div_ceil(TICK.as_millis());
            // One more, since the tick of now is partly gone.
            u32::try_from(ticks).unwrap_or(u32::MAX - 1) + 1
        };
        let times = [times.head, times.answer, times.idle].map(ticks);
        let clock = Arc::clone(&self.clock);
        let state = AtomicU64::new(0);
        let watched = Arc::new(Watched { id, clock, times, state, waker: OnceLock::new() });
        watched.comes_to(Stage::Head);
        self.lock().insert(id, Arc::clone(&watched));
        watched
    }

    /// One less.
    pub(super) fn forget(&self, watched: &Watched) {
        self.lock().remove(&watched.id);
    }

    /// All are to end when they have answered, and soon if nothing is asked of them.
    pub(super) fn stop(&self) {
        self.clock.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Looks at them, for ever.
    pub(super) async fn keep_time(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(&self) {
        let now = self.clock.tick.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let ends = self.clock.is_stopping.load(Ordering::SeqCst)
            && self.clock.lingered.fetch_add(1, Ordering::SeqCst) + 1 == LINGER;
        for watched in self.lock().values() {
            watched.look_at(now);
            if ends {
                watched.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Watched>, RandomState>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Notes what the connection has come to.
    pub(super) fn comes_to(&self, stage: Stage) {
        let [head, answering, idle] = self.times;
        let time = match stage {
            Stage::Head => head,
            Stage::Answering => answering,
            Stage::Idle => idle,
        };
        let until = self.clock.tick.load(Ordering::Relaxed).saturating_add(time);
        self.state.store(u64::from(until) | (stage as u64) << 33, Ordering::Relaxed);
    }

    /// Something was read: of a connection that was quiet, the next request's beginning.
    pub(super) fn reads(&self) {
        if stage(self.state.load(Ordering::Relaxed)) == Stage::Idle {
            self.comes_to(Stage::Head);
        }
    }

    /// What the connection is to do; whom to wake when that changes.
    pub(super) fn look(&self, waker: &Waker) -> Look {
        // First, so that no change falls in between. A task's waker is always the same.
        self.waker.get_or_init(|| waker.clone());
        let state = self.state.load(Ordering::Acquire);
        if state & OVER != 0 {
            return Look::Over(stage(state));
        }
        match self.clock.lingered.load(Ordering::SeqCst) >= LINGER {
            true => Look::Stop,
            false => Look::GoOn,
        }
    }

    /// Whether the answer that is given now is this connection's last.
    pub(super) fn is_stopping(&self) -> bool {
        self.clock.is_stopping.load(Ordering::Relaxed)
    }

    fn look_at(&self, now: u32) {
        let state = self.state.load(Ordering::Relaxed);
        let is_late = state & OVER == 0 && (state & u64::from(u32::MAX)) < u64::from(now);
        // One that has gone on meanwhile is not late any more.
        let (set, not_set) = (Ordering::Release, Ordering::Relaxed);
        if is_late && self.state.compare_exchange(state, state | OVER, set, not_set).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

const fn stage(state: u64) -> Stage {
    match state >> 33 {
        0 => Stage::Head,
        1 => Stage::Answering,
        _ => Stage::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_time_and_going_on_begins_it_anew() {
        let watch = Watch::new();
        let second = Duration::from_secs(1);
        let times = Times { handshake: second, head: second, idle: 4 * second, answer: 2 * second };
        let watched = watch.watch(times);
        let look = || watched.look(Waker::noop());
        let ticks = |count: u32| (0..count).for_each(|_| watch.tick());
        ticks(5);
        assert_eq!(look(), Look::GoOn);
        ticks(1);
        assert_eq!(look(), Look::Over(Stage::Head));
        watched.comes_to(Stage::Answering);
        watched.reads();
        ticks(9);
        assert_eq!(look(), Look::GoOn, "a body's bytes begin nothing");
        watched.comes_to(Stage::Idle);
        ticks(17);
        assert_eq!(look(), Look::GoOn);
        watched.reads();
        ticks(5);
        assert_eq!(look(), Look::GoOn);
        ticks(1);
        assert_eq!(look(), Look::Over(Stage::Head));
        watched.comes_to(Stage::Idle);
        ticks(18);
        assert_eq!(look(), Look::Over(Stage::Idle));
        watched.comes_to(Stage::Idle);
        watch.stop();
        assert!(watched.is_stopping());
        ticks(1);
        assert_eq!(look(), Look::GoOn);
        ticks(1);
        assert_eq!(look(), Look::Stop);
        watch.forget(&watched);
        assert!(watch.lock().is_empty());
    }
}
