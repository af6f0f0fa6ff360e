//! Pulls each hosted API again and again, and takes in what their webhooks tell meanwhile.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Doubt, EVENTS_QUEUED_MAX, Mode, Shadow, Standing, Trouble, Upstream, UpstreamSettings,
    Upstreams,
    client::Client,
    pace,
    plan::{Picture, plan},
    pull::{self, Calls},
};
use crate::{
    domain::{AgentId, HostedCall, NumberId, Outcome, TouchId, TouchRecord, UnixMillis, Warning},
    store::{Actor, Store, WriteError},
    telemetry::{clock, metrics, redact},
};

/// How far back calls are read again: clocks differ, and lists lag behind what they list.
const OVERLAP_MS: u64 = 10 * 60 * 1000;

/// How far back at most for the sake of calls that were not over: later, they count as failed.
const PENDING_MS_MAX: u64 = 4 * 3600 * 1000;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// After a nudge, before the pull it asks for: others follow at its heels.
const NUDGE_GAP: Duration = Duration::from_secs(1);

/// Calls of a shadow kept at most, some ten megabytes; the oldest go.
const SHADOW_CALLS_MAX: usize = 100_000;

/// Warnings of one change that are logged.
const WARNINGS_MAX: usize = 20;

/// Events taken in one write.
const GROUP_MAX: usize = 256;

/// How long a stop waits for the last events.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// The tasks that pull and take in.
pub struct Following {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Upstreams {
    /// Begins to pull.
    ///
    /// # Errors
    /// No HTTP client can be had.
    pub fn start(
        settings: Vec<UpstreamSettings>,
        known: &HashMap<String, UnixMillis>,
        store: &Store,
    ) -> Result<(Self, Following), String> {
        let (stop, stopped) = watch::channel(false);
        let (events, taken) = mpsc::channel(EVENTS_QUEUED_MAX);
        let mut tasks = JoinSet::new();
        let mut all = Vec::with_capacity(settings.len());
        for settings in settings {
            let client = Client::new(&settings)?;
            let last_success_at = known.get(&settings.name).copied();
            let standing = Standing { last_success_at, ..Standing::default() };
            let upstream = Arc::new(Upstream {
                settings,
                standing: standing.into(),
                shadow: std::sync::Mutex::default(),
                nudge: Notify::new(),
            });
            all.push(Arc::clone(&upstream));
            let follower = Follower {
                upstream,
                store: store.clone(),
                client,
                doubted: None,
                calls_since: None,
                calls: HashMap::new(),
                forgotten: 0,
            };
            tasks.spawn(follower.follow(stopped.clone()));
        }
        tasks.spawn(take_in(taken, store.clone(), stopped));
        Ok((Self { all: all.into(), events: Some(events) }, Following { tasks, stop }))
    }
}

impl Following {
    /// Pulls no more, and writes what was told.
    pub async fn finish(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(FINISH_MAX, ended).await.is_err() {
            tracing::error!("events of hosted services were lost: the store does not keep up");
        }
    }
}

/// What made a pull doubtful: the same again is believed.
type Doubted = (Doubt, Vec<AgentId>, Vec<NumberId>);

struct Follower {
    upstream: Arc<Upstream>,
    store: Store,
    client: Client,
    doubted: Option<Doubted>,
    /// From when on calls are read next; `None` before the first time.
    calls_since: Option<UnixMillis>,
    /// What a shadow has seen.
    calls: HashMap<TouchId, HostedCall>,
    forgotten: u64,
}

impl Follower {
    async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let pulled = tokio::select! {
                pulled = self.pull() => pulled,
                () = pressed(&mut stop) => return,
            };
            let now = clock::now();
            failures = match &pulled {
                Ok(()) => 0,
                // What is to be confirmed is asked for again at the usual pace.
                Err(Trouble::Doubtful(_)) => failures,
                Err(_) => failures + 1,
            };
            let interval = self.upstream.settings.interval;
            let mut wait = pace::next_pull(interval, failures, rand::random());
            if let Err(Trouble::Limited(after)) = &pulled {
                wait = wait.max(*after);
            }
            self.tell(&pulled, now, wait);
            let is_well = pulled.is_ok();
            let nudged = async {
                self.upstream.nudge.notified().await;
                sleep(NUDGE_GAP).await;
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = nudged, if is_well => {}
                () = pressed(&mut stop) => return,
            }
        }
    }

    fn tell(&self, pulled: &Result<(), Trouble>, now: UnixMillis, wait: Duration) {
        let name = &self.upstream.settings.name;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let error = pulled.as_ref().err().map(ToString::to_string);
        metrics::upstream_pull(name, pulled.is_ok());
        if let Some(error) = &error {
            let error = redact::scrub(error);
            tracing::warn!(upstream = name, error, "a hosted API was not mirrored");
        }
        self.upstream.stand(|standing| {
            if error.is_none() {
                standing.last_success_at = Some(now);
            }
            standing.last_error = error;
            standing.next_pull_at = Some(UnixMillis(now.0.saturating_add(wait_ms)));
        });
    }

    /// One pull. Where the picture is of no use, calls are still taken: they stand for themselves.
    async fn pull(&mut self) -> Result<(), Trouble> {
        let picture = self.pull_picture().await;
        if let Err(Trouble::Away(_) | Trouble::Limited(_) | Trouble::Key(_)) = picture {
            return picture;
        }
        let started = clock::now();
        let calls = self.pull_calls(started).await;
        if self.upstream.settings.mode == Mode::Mirror {
            let name = self.upstream.settings.name.clone();
            let success = (picture.is_ok() && calls.is_ok()).then(clock::now);
            let until = calls.is_ok().then_some(started);
            let noted =
                self.store.write(Actor::default(), move |tx| tx.note_pull(&name, success, until));
            noted.await?;
        }
        picture.and(calls)
    }

    async fn pull_picture(&mut self) -> Result<(), Trouble> {
        let tenant = self.upstream.settings.tenant;
        let picture = pull::picture(&mut self.client, tenant).await?;
        match self.upstream.settings.mode {
            Mode::Mirror => self.apply(picture).await,
            Mode::Shadow => {
                let before = self.upstream.shadow();
                let Picture { agents, numbers } = picture;
                let (calls, forgotten) = (before.calls.clone(), before.forgotten);
                self.upstream.cast(Shadow { agents, numbers, calls, forgotten });
                Ok(())
            }
        }
    }

    async fn apply(&mut self, picture: Picture) -> Result<(), Trouble> {
        let UpstreamSettings { name, kind, carrier_account, .. } = self.upstream.settings.clone();
        let asked = name.clone();
        let known = self.store.read(move |rows| {
            let upstream = rows.upstream(&asked)?;
            let upstream = upstream.ok_or(crate::domain::Refusal::UpstreamNotFound)?;
            rows.mirrored(&upstream)
        });
        let plan = plan(kind, &known.await?, picture, carrier_account.is_some());
        if let Some(doubt) = plan.doubt {
            let change = &plan.change;
            let doubted = (doubt.clone(), change.gone_agents.clone(), change.gone_numbers.clone());
            if self.doubted.replace(doubted.clone()) != Some(doubted) {
                return Err(Trouble::Doubtful(doubt));
            }
        }
        self.doubted = None;
        if plan.change.is_empty() {
            return Ok(());
        }
        let change = plan.change;
        tracing::info!(
            upstream = name,
            agents = change.agents.len(),
            agents_gone = change.gone_agents.len(),
            numbers = change.numbers.len(),
            numbers_gone = change.gone_numbers.len(),
            "mirroring what has changed"
        );
        let account = carrier_account;
        let (to, actor) = (name.clone(), Actor::default());
        let applied =
            self.store.write(actor, move |tx| tx.apply_mirror(&to, account.as_deref(), change));
        warn(&name, &applied.await?.warnings);
        Ok(())
    }

    async fn pull_calls(&mut self, started: UnixMillis) -> Result<(), Trouble> {
        let UpstreamSettings { kind, tenant, mode, .. } = self.upstream.settings;
        let since = match self.calls_since {
            Some(since) => since,
            None => self.first_since(started).await?,
        };
        let mut calls = Calls::since(kind, tenant, since, mode == Mode::Mirror);
        let mut oldest_pending = None;
        while let Some(page) = calls.next(&mut self.client).await? {
            let pending = page.iter().filter(|call| call.outcome == Outcome::Pending);
            oldest_pending = pending.map(|call| call.at).chain(oldest_pending).min();
            match mode {
                Mode::Mirror => {
                    merge(&self.store, &self.upstream, &page).await?;
                }
                Mode::Shadow => self.calls.extend(page.into_iter().map(|call| (call.id, call))),
            }
        }
        let usual = UnixMillis(started.0.saturating_sub(OVERLAP_MS));
        let furthest = UnixMillis(started.0.saturating_sub(PENDING_MS_MAX));
        let wanted = oldest_pending.map_or(usual, |pending| pending.min(usual));
        self.calls_since = Some(wanted.max(furthest));
        if mode == Mode::Shadow {
            self.cast_calls();
        }
        Ok(())
    }

    /// Where calls are known, from there on; else as far back as a return call can reach.
    async fn first_since(&self, now: UnixMillis) -> Result<UnixMillis, Trouble> {
        let UpstreamSettings { name, tenant, .. } = self.upstream.settings.clone();
        let since = self.store.read(move |rows| {
            let upstream = rows.upstream(&name)?;
            if let Some(until) = upstream.and_then(|upstream| upstream.calls_until) {
                return Ok(UnixMillis(until.0.saturating_sub(PENDING_MS_MAX)));
            }
            let record = rows.tenant(tenant)?.ok_or(crate::domain::Refusal::TenantNotFound)?;
            let settings = record.tenant.settings;
            let days = match settings.window_days {
                0 => settings.touch_retention_days,
                days => days.max(rows.window_days_max(tenant)?),
            };
            Ok(UnixMillis(now.0.saturating_sub(u64::from(days) * DAY_MS)))
        });
        Ok(since.await?)
    }

    /// Shows what a shadow has seen of calls, in their order.
    fn cast_calls(&mut self) {
        let mut calls: Vec<_> = self.calls.values().cloned().collect();
        calls.sort_unstable_by_key(|call| (call.at, call.id));
        let surplus = calls.len().saturating_sub(SHADOW_CALLS_MAX);
        for call in calls.drain(..surplus) {
            self.calls.remove(&call.id);
            self.forgotten += 1;
        }
        let before = self.upstream.shadow();
        let (agents, numbers) = (before.agents.clone(), before.numbers.clone());
        self.upstream.cast(Shadow { agents, numbers, calls, forgotten: self.forgotten });
    }
}

async fn pressed(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Makes touches of calls.
async fn merge(store: &Store, upstream: &Upstream, calls: &[HostedCall]) -> Result<(), WriteError> {
    let tenant = upstream.settings.tenant;
    let touches: Vec<TouchRecord> = calls.iter().filter_map(|call| call.touch(tenant)).collect();
    if touches.is_empty() {
        return Ok(());
    }
    let merged =
        store.write(Actor::default(), move |tx| tx.merge_touches(tenant, touches)).await?.value;
    upstream.stand(|standing| standing.touches += merged.accepted);
    Ok(())
}

/// Takes in what webhooks tell, until it is told to stop; what has come by then is still taken.
async fn take_in(
    mut events: mpsc::Receiver<(Arc<Upstream>, HostedCall)>,
    store: Store,
    mut stop: watch::Receiver<bool>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        let count = tokio::select! {
            count = events.recv_many(&mut group, GROUP_MAX) => count,
            () = pressed(&mut stop), if !events.is_closed() => {
                events.close();
                continue;
            }
        };
        if count == 0 {
            return;
        }
        let mut by_upstream: Vec<(Arc<Upstream>, Vec<HostedCall>)> = Vec::new();
        for (upstream, call) in group.drain(..) {
            match by_upstream.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &upstream)) {
                Some((_, calls)) => calls.push(call),
                None => by_upstream.push((upstream, vec![call])),
            }
        }
        for (upstream, calls) in by_upstream {
            if let Err(error) = merge(&store, &upstream, &calls).await {
                let (upstream, count) = (&upstream.settings.name, calls.len());
                tracing::error!(upstream, %error, count, "events were lost; the next pull has them");
            }
        }
    }
}

fn warn(upstream: &str, warnings: &[Warning]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let (code, message) = (warning.code.as_str(), redact::scrub(&warning.message));
        tracing::warn!(upstream, code, "{message}");
    }
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    if more > 0 {
        tracing::warn!(upstream, more, "and further warnings");
    }
}
