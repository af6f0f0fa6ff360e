//! Calls that wait for their time. They lie in the store, so that a restart loses none; here is the
//! clock that puts them in line when they are due.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::sleep};

use super::{Dispatch, Placing};
use crate::{
    domain::{Account, DialFailure, UnixMillis},
    store::{Actor, PlacedCall},
    telemetry::clock,
};

/// Calls taken up at once: others' writes get their turn in between.
const TAKEN_MAX: u32 = 64;

/// The longest sleep: the machine's clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// A line that is full takes some of its calls within this time.
const POSTPONED_MS: u64 = 5000;

/// Makes a call that is due known to who carries it, as things now are. `None` where it can not be
/// carried any more.
pub type Prepare = Arc<dyn Fn(&PlacedCall) -> Option<Arc<Account>> + Send + Sync>;

impl Dispatch {
    /// Places calls when they are due, from now until the sender is stopped.
    pub fn keep_time(&self, prepare: Prepare) {
        let dispatch = self.clone();
        tokio::spawn(async move {
            let mut stopped = dispatch.shared.stopped.subscribe();
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = dispatch.watch(&prepare) => {}
            }
        });
    }

    /// Another call waits: it may be the next.
    pub fn look_again(&self) {
        self.shared.waiting.notify_one();
    }

    async fn watch(&self, prepare: &Prepare) {
        loop {
            let is_more = self.place_due(prepare).await;
            if !is_more {
                self.sleep_until_due().await;
            }
        }
    }

    /// Places what is due; whether there may be more.
    async fn place_due(&self, prepare: &Prepare) -> bool {
        let taken = self.shared.store.write(Actor::default(), |tx| tx.take_due(TAKEN_MAX)).await;
        let taken = match taken {
            Ok(taken) => taken.value,
            Err(error) => {
                tracing::error!(%error, "calls that are due cannot be read");
                return false;
            }
        };
        let is_more = taken.len() == usize::try_from(TAKEN_MAX).unwrap_or(usize::MAX);
        for placed in taken {
            self.place_one(placed, prepare).await;
        }
        is_more
    }

    async fn place_one(&self, placed: PlacedCall, prepare: &Prepare) {
        // What becomes of it is in its row: nobody waits here.
        let (verdict, _) = oneshot::channel();
        let account = prepare(&placed);
        let (Some(dial), tenant) = (placed.dial, placed.call.tenant) else { return };
        let Some(account) = account else {
            self.shared.refuse(&dial, DialFailure::NotSent, String::new(), verdict).await;
            return;
        };
        let lane = self.lane(&account);
        if let Err((placing, _)) = lane.queue(Placing { dial, account }, verdict) {
            let call = placing.dial.call;
            self.shared.live.forget(call);
            let due_at = UnixMillis(clock::now().0 + POSTPONED_MS);
            let actor = Actor { key: None, tenant: Some(tenant) };
            let postponed =
                self.shared.store.write(actor, move |tx| tx.postpone(call, due_at)).await;
            if let Err(error) = postponed {
                tracing::error!(%call, %error, "a call that is due cannot be put off");
            }
        }
    }

    async fn sleep_until_due(&self) {
        let next = self.shared.store.read(|rows| rows.next_due()).await;
        let wait = match next {
            Ok(Some(due_at)) => Duration::from_millis(due_at.0.saturating_sub(clock::now().0)),
            Ok(None) => SLEEP_MAX,
            Err(error) => {
                tracing::error!(%error, "calls that wait cannot be read");
                SLEEP_MAX
            }
        };
        tokio::select! {
            () = sleep(wait.min(SLEEP_MAX)) => {}
            () = self.shared.waiting.notified() => {}
        }
    }
}
