//! Who is sent to next: every subscriber its share, none more than it takes.
//!
//! A lane is what shares a share: one subscription, or one host of a tenant. The store says what is
//! due in it; here is only what has been taken up, so nothing is lost with it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{Shared, sending};
use crate::{
    domain::{DeliveryId, UnixMillis},
    store::WriteError,
    telemetry::{clock, metrics},
};

/// Requests under way at once to all subscribers: each is a socket and a task.
const UNDER_WAY_MAX: usize = 1024;
/// Requests under way at once to one subscriber.
const OF_LANE_MAX: usize = 8;
/// The same while it fails: many that do not answer may not take the places of those that do.
const OF_FAILING_MAX: usize = 2;
/// Deliveries of a lane that are taken up at once, to be sent one after the other.
const TAKEN_UP_MAX: usize = 64;
/// Deliveries that are taken up in one look at the store.
const LOOKED_UP_MAX: usize = 4096;
/// Lanes that are known to fail; past that, more are tried like any other.
const FAILING_MAX: usize = 10_000;
/// Between two looks at the store: an event may come this late, and no look costs more than it
/// brings.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest time between two looks, whatever the store says.
const LOOK_AT_LEAST: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Lanes {
    /// Those with something to do.
    lanes: HashMap<Uuid, Lane>,
    failing: HashSet<Uuid>,
    under_way: usize,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<DeliveryId>,
    under_way: HashSet<DeliveryId>,
}

/// An attempt has been made.
struct Done {
    lane: Uuid,
    id: DeliveryId,
    is_delivered: bool,
}

/// What a look at the store has found.
struct Found {
    due: Vec<(Uuid, Vec<DeliveryId>)>,
    /// When something more is due, where nothing is now.
    next: Option<UnixMillis>,
    pending: u64,
    /// From when the oldest of them is.
    oldest: Option<UnixMillis>,
}

/// What the sender is woken by.
enum Woken {
    Stopped,
    ByTime,
    ByNews,
    ByEnd(Done),
}

/// Sends what is due, until the switch is pressed and the answers that were under way are in.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut lanes = Lanes::default();
    let mut news = shared.store.deliveries_due();
    let mut stopped = shared.stopped.subscribe();
    let (done, mut ended) = mpsc::channel(UNDER_WAY_MAX);
    let mut look_at = now();
    loop {
        let woken = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => Woken::Stopped,
            () = tokio::time::sleep_until(look_at) => Woken::ByTime,
            Some(done) = ended.recv() => Woken::ByEnd(done),
            changed = news.changed() => changed.map_or(Woken::Stopped, |()| Woken::ByNews),
        };
        let is_hungry = match woken {
            Woken::Stopped => break,
            Woken::ByTime => {
                look_at = now() + look(&shared, &mut lanes).await;
                false
            }
            Woken::ByNews => true,
            Woken::ByEnd(done) => lanes.end(&done),
        };
        if is_hungry {
            look_at = look_at.min(now() + LOOK_EVERY);
        }
        lanes.start(&shared, &done);
    }
    let answers = async {
        while lanes.under_way > 0
            && let Some(one) = ended.recv().await
        {
            lanes.end(&one);
        }
    };
    if tokio::time::timeout(shared.settings.drain, answers).await.is_err() {
        tracing::warn!("deliveries were under way at the end; they will be made again");
    }
}

fn now() -> Instant {
    Instant::from_std(clock::instant())
}

/// Takes up what is due; how long it is until the next look.
async fn look(shared: &Shared, lanes: &mut Lanes) -> Duration {
    let now = clock::now();
    let busy = lanes.busy();
    let found = shared.store.read(move |rows| {
        let (pending, oldest) = rows.pending_deliveries()?;
        let mut found = Found { due: Vec::new(), next: None, pending, oldest };
        let mut room = LOOKED_UP_MAX;
        for (lane, due_at) in rows.due_lanes()? {
            if due_at > now {
                found.next = Some(found.next.map_or(due_at, |next| next.min(due_at)));
                continue;
            }
            let under_way = busy.get(&lane).copied();
            let Some(under_way) = under_way.unwrap_or(Some(0)).filter(|_| room > 0) else {
                continue;
            };
            let limit = TAKEN_UP_MAX.min(room) + under_way;
            let due = rows.due_in(lane, now, limit)?;
            room = room.saturating_sub(due.len());
            found.due.push((lane, due));
        }
        Ok::<_, WriteError>(found)
    });
    match found.await {
        Ok(found) => {
            let age = found.oldest.map_or(0, |oldest| now.0.saturating_sub(oldest.0));
            metrics::outbox_pending(found.pending, Duration::from_millis(age));
            found.due.into_iter().for_each(|(lane, due)| lanes.take_up(lane, due));
            let next = found.next.map_or(LOOK_AT_LEAST, |next| {
                Duration::from_millis(next.0.saturating_sub(clock::now().0))
            });
            next.clamp(LOOK_EVERY, LOOK_AT_LEAST)
        }
        Err(error) => {
            tracing::error!(%error, "what is to be delivered cannot be read");
            LOOK_AT_LEAST
        }
    }
}

impl Lanes {
    /// Lanes that are in use: how much is under way, or `None` where more is at hand already.
    fn busy(&self) -> HashMap<Uuid, Option<usize>> {
        let of = |lane: &Lane| lane.waiting.is_empty().then_some(lane.under_way.len());
        self.lanes.iter().map(|(id, lane)| (*id, of(lane))).collect()
    }

    fn take_up(&mut self, lane: Uuid, due: Vec<DeliveryId>) {
        let lane = self.lanes.entry(lane).or_default();
        let is_new = |id: &DeliveryId| !lane.under_way.contains(id);
        lane.waiting.extend(due.into_iter().filter(is_new).take(TAKEN_UP_MAX));
    }

    /// Sends as much as may be under way, one of each lane in turn.
    fn start(&mut self, shared: &Arc<Shared>, done: &mpsc::Sender<Done>) {
        let mut is_progress = true;
        while is_progress && self.under_way < UNDER_WAY_MAX {
            is_progress = false;
            for (&id, lane) in &mut self.lanes {
                if self.under_way == UNDER_WAY_MAX {
                    break;
                }
                let is_failing = self.failing.contains(&id);
                let Some(delivery) = lane.next(is_failing) else { continue };
                self.under_way += 1;
                is_progress = true;
                let (shared, done) = (Arc::clone(shared), done.clone());
                tokio::spawn(async move {
                    let is_delivered = sending::attempt(&shared, delivery).await;
                    // Who does not wait any more has ended.
                    drop(done.send(Done { lane: id, id: delivery, is_delivered }).await);
                });
            }
        }
    }

    /// Gives a place back. Whether the store is to be asked for more.
    fn end(&mut self, done: &Done) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        if done.is_delivered {
            self.failing.remove(&done.lane);
        } else if self.failing.len() < FAILING_MAX {
            self.failing.insert(done.lane);
        }
        let Some(lane) = self.lanes.get_mut(&done.lane) else { return true };
        lane.under_way.remove(&done.id);
        let is_hungry = lane.waiting.is_empty();
        if is_hungry && lane.under_way.is_empty() {
            self.lanes.remove(&done.lane);
        }
        is_hungry
    }
}

impl Lane {
    fn next(&mut self, is_failing: bool) -> Option<DeliveryId> {
        let max = if is_failing { OF_FAILING_MAX } else { OF_LANE_MAX };
        if self.under_way.len() >= max {
            return None;
        }
        let id = self.waiting.pop_front()?;
        self.under_way.insert(id);
        Some(id)
    }
}
