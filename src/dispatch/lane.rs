//! One account's calls in line: as many a second as the carrier starts, no more than can be placed
//! in time.

use std::{num::NonZeroU32, sync::Arc};

use governor::{Quota, RateLimiter};
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{Placing, Shared, Verdict};
use crate::domain::DialFailure;

/// Calls that may wait their turn: some four minutes at one a second. Who asks for more is told at
/// once, rather than having somebody called long after.
const QUEUED_MAX: usize = 256;

/// Requests under way at once. A carrier that is slow to answer is not to be flooded.
const UNDER_WAY_MAX: usize = 32;

/// A call in line, and who waits for what becomes of it.
type Waiting = (Placing, oneshot::Sender<Verdict>);

/// The line. Clones share it.
#[derive(Clone)]
pub(super) struct Lane {
    calls_per_second: NonZeroU32,
    queue: mpsc::Sender<Waiting>,
}

impl Lane {
    pub(super) fn open(calls_per_second: NonZeroU32, shared: &Arc<Shared>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUED_MAX);
        tokio::spawn(run(calls_per_second, waiting, Arc::clone(shared)));
        Self { calls_per_second, queue }
    }

    pub(super) const fn calls_per_second(&self) -> NonZeroU32 {
        self.calls_per_second
    }

    /// Puts a call in line, or gives it back where the line is too long.
    #[expect(clippy::result_large_err, reason = "it is given back to be refused, once")]
    pub(super) fn queue(
        &self,
        placing: Placing,
        verdict: oneshot::Sender<Verdict>,
    ) -> Result<(), Waiting> {
        self.queue.try_send((placing, verdict)).map_err(|error| match error {
            TrySendError::Full(waiting) | TrySendError::Closed(waiting) => waiting,
        })
    }
}

async fn run(
    calls_per_second: NonZeroU32,
    mut waiting: mpsc::Receiver<Waiting>,
    shared: Arc<Shared>,
) {
    let pace = RateLimiter::direct(
        // A burst of one: the carrier starts them one by one as well.
        Quota::per_second(calls_per_second).allow_burst(NonZeroU32::MIN),
    );
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut stopped = shared.stopped.subscribe();
    loop {
        let next = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            next = waiting.recv() => next,
        };
        let Some((placing, verdict)) = next else { return };
        let place = async {
            pace.until_ready().await;
            Arc::clone(&under_way).acquire_owned().await.ok()
        };
        let place = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => None,
            place = place => place,
        };
        let Some(place) = place else {
            shared.refuse(&placing.dial, DialFailure::NotSent, String::new(), verdict).await;
            break;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.place(&placing, verdict).await;
            drop(place);
        });
    }
    // Nobody is called by a daemon that is about to go.
    waiting.close();
    while let Some((placing, verdict)) = waiting.recv().await {
        shared.refuse(&placing.dial, DialFailure::NotSent, String::new(), verdict).await;
    }
}
