//! Sends the requests of a plan at their times over connections that are kept open, on threads of
//! its own. It never makes a request: a source does, on other threads, some way ahead.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, Semaphore, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Pace, Plan,
    own::{Busy, spent},
    tally::{Mishap, Tally, micros},
    timer::Timer,
    wire::{Answer, Broken, Line, Place},
};
use crate::telemetry::clock;

/// How long the end is put off for requests that were due and had no connection yet.
const GRACE: Duration = Duration::from_millis(500);

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Who can read its answer.
    pub reader: usize,
}

/// Where requests come from: one queue for each thread.
pub type Source = mpsc::Receiver<Ready>;

/// Says whether an answer is as it should be; the first is the reader that came with the request.
pub type Check = dyn Fn(usize, &Answer<'_>) -> Result<(), (Mishap, String)> + Send + Sync;

/// What a run is made from.
#[derive(Clone)]
pub struct Settings {
    /// When.
    pub plan: Plan,
    /// Where to.
    pub place: Place,
    /// Connections, of all threads together.
    pub connections: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What answers should be.
    pub check: Arc<Check>,
}

/// A run, as it is seen from outside while it lasts.
#[derive(Debug, Default)]
pub struct Live {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    stop: watch::Sender<bool>,
}

impl Live {
    /// Whether it is to end.
    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Ends it before its time.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Sends everything, one thread for each source, and returns what came of it.
///
/// # Errors
/// A thread cannot be had, or no connection at all can be made.
pub fn run(settings: &Settings, sources: Vec<Source>, live: &Arc<Live>) -> Result<Tally, String> {
    let threads = sources.len().max(1);
    let barrier = Arc::new(Barrier::new(threads));
    let workers: Vec<_> = (0..)
        .zip(sources)
        .map(|(place, source)| {
            let share = Share { place, of: threads };
            let (settings, live, barrier) =
                (settings.clone(), Arc::clone(live), Arc::clone(&barrier));
            thread::Builder::new()
                .name(format!("load-{place}"))
                .spawn(move || work(settings, share, source, live, &barrier))
        })
        .collect();
    let mut tally = Tally::new(settings.plan.length());
    let mut failed = None;
    for worker in workers {
        let worker = worker.map_err(|error| format!("cannot start a thread: {error}"))?;
        match worker.join() {
            Ok(Ok(part)) => tally.add(part),
            Ok(Err(error)) => failed = Some(error),
            Err(_) => failed = Some("a thread of the generator has failed".to_owned()),
        }
    }
    failed.map_or(Ok(tally), Err)
}

/// Which of the threads, of how many.
#[derive(Clone, Copy)]
struct Share {
    place: usize,
    of: usize,
}

impl Share {
    /// Its `n`th request, counted among all.
    fn index(self, n: u64) -> u64 {
        n * u64::try_from(self.of).unwrap_or(1) + u64::try_from(self.place).unwrap_or(0)
    }

    /// How many of so many are its own.
    fn part(self, count: usize) -> usize {
        count / self.of + usize::from(self.place < count % self.of)
    }
}

fn work(
    settings: Settings,
    share: Share,
    source: Source,
    live: Arc<Live>,
    barrier: &Barrier,
) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let local = tokio::task::LocalSet::new();
    let ready = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let opened = local.block_on(&runtime, open(&settings, share));
        opened.map(|opened| (runtime, opened))
    });
    // All begin together, also those that cannot: the others wait for them here.
    barrier.wait();
    let (runtime, (lines, connections)) = ready?;
    let mut tally = Tally::new(settings.plan.length());
    tally.connections = connections;
    let worker = Rc::new(Worker {
        share,
        source: Mutex::new(source),
        live,
        start: clock::instant(),
        due: Semaphore::new(0),
        released: Cell::new(0),
        taken: Cell::new(0),
        is_over: Cell::new(false),
        ramped: Cell::new(None),
        last_answer: Cell::new(Duration::ZERO),
        tally: RefCell::new(tally),
        settings,
    });
    let kept = local.block_on(&runtime, Rc::clone(&worker).run(lines));
    kept.map_err(|error| format!("cannot keep time: {error}"))?;
    drop(local);
    let worker = Rc::into_inner(worker).ok_or("a connection has not ended")?;
    Ok(worker.tally.into_inner())
}

/// Opens the connections beforehand: making them is no part of an answer's time.
async fn open(settings: &Settings, share: Share) -> Result<(Vec<Option<Line>>, u64), String> {
    let count = share.part(settings.connections.max(share.of));
    let mut lines = Vec::new();
    let mut problem = String::new();
    for _ in 0..count {
        match timeout(settings.timeout, settings.place.connect()).await {
            Ok(Ok(line)) => lines.push(Some(line)),
            Ok(Err(error)) => problem = error.to_string(),
            Err(_) => problem = "no connection within the time".to_owned(),
        }
        if lines.is_empty() {
            return Err(format!("cannot connect: {problem}"));
        }
    }
    let made = lines.len();
    // Those that failed are tried again when they are needed.
    lines.resize_with(count, || None);
    Ok((lines, u64::try_from(made).unwrap_or(0)))
}

/// What the tasks of one thread share.
struct Worker {
    settings: Settings,
    share: Share,
    source: Mutex<Source>,
    live: Arc<Live>,
    start: Instant,
    /// One permit for each request that is due and not taken.
    due: Semaphore,
    released: Cell<u64>,
    taken: Cell<u64>,
    is_over: Cell<bool>,
    /// What the thread had spent when the full rate began, and when that was.
    ramped: Cell<Option<(Duration, (Duration, Duration))>>,
    last_answer: Cell<Duration>,
    tally: RefCell<Tally>,
}

/// A request that has been sent.
struct Shot {
    /// When it was meant to be.
    meant: Duration,
    /// When it was.
    sent: Duration,
    /// How late that was through no fault of the server's.
    late: Duration,
    /// Whether it had to wait for a connection.
    was_queued: bool,
}

impl Worker {
    async fn run(self: Rc<Self>, lines: Vec<Option<Line>>) -> io::Result<()> {
        let connections = lines.len();
        let mut tasks = JoinSet::new();
        for line in lines {
            tasks.spawn_local(Rc::clone(&self).connection(line));
        }
        let mut stop = self.live.stopped();
        let kept = tokio::select! {
            (kept, ()) = async { tokio::join!(self.keep_time(), self.ramp()) } => kept,
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            // There are no more requests.
            () = async { while tasks.join_next().await.is_some() {} } => Ok(()),
        };
        self.settle(&tasks).await;
        let ended = self.elapsed();
        let busy = self.busy(ended);
        self.is_over.set(true);
        self.due.add_permits(connections);
        while tasks.join_next().await.is_some() {}
        self.count_unsent(self.elapsed());
        let mut tally = self.tally.borrow_mut();
        tally.threads.extend(busy);
        let ended = match self.settings.plan.pace {
            Pace::Open(_) => ended.max(self.last_answer.get()),
            Pace::Closed => self.last_answer.get(),
        };
        tally.lasted = ended.saturating_sub(self.settings.plan.ramp);
        kept
    }

    fn elapsed(&self) -> Duration {
        clock::instant().duration_since(self.start)
    }

    /// Lets requests go at their times, until the last time is over.
    async fn keep_time(&self) -> io::Result<()> {
        let plan = self.settings.plan;
        let mut timer = Timer::new()?;
        let count = plan.count().unwrap_or(0);
        while let (released, Some(next)) = self.next_time()
            && self.share.index(released) < count
        {
            let mut due = 0;
            let elapsed = self.elapsed();
            while let (released, Some(time)) = self.next_time()
                && time <= elapsed
                && self.share.index(released) < count
            {
                self.released.set(released + 1);
                due += 1;
            }
            self.due.add_permits(due);
            if due == 0 {
                timer.until(self.start + next).await?;
            } else {
                tokio::task::yield_now().await;
            }
        }
        timer.until(self.start + plan.length()).await
    }

    /// Lets those go that were due before the end, while there is somebody to send them.
    async fn settle(&self, tasks: &JoinSet<()>) {
        let grace = clock::instant() + GRACE;
        while self.taken.get() < self.released.get()
            && !tasks.is_empty()
            && clock::instant() < grace
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn next_time(&self) -> (u64, Option<Duration>) {
        let released = self.released.get();
        (released, self.settings.plan.at(self.share.index(released)))
    }

    /// Waits until the full rate begins.
    async fn ramp(&self) {
        tokio::time::sleep(self.settings.plan.ramp).await;
        self.ramped.set(Some((self.elapsed(), spent())));
    }

    fn busy(&self, now: Duration) -> Option<Busy> {
        let (since, (ran_before, waited_before)) = self.ramped.get()?;
        let (ran, waited) = spent();
        Some(Busy {
            watched: now.saturating_sub(since),
            ran: ran.saturating_sub(ran_before),
            waited: waited.saturating_sub(waited_before),
        })
    }

    /// One connection's life: a request, its answer, the next request.
    async fn connection(self: Rc<Self>, mut line: Option<Line>) {
        loop {
            let free = self.elapsed();
            let Some(meant) = self.turn().await else { return };
            let Some(ready) = self.ready().await else { return };
            let sent = self.elapsed();
            let shot = match meant {
                None => Shot { meant: sent, sent, late: Duration::ZERO, was_queued: false },
                Some(meant) => {
                    let late = sent.saturating_sub(meant.max(free));
                    Shot { meant, sent, late, was_queued: free > meant }
                }
            };
            self.live.sent.fetch_add(1, Ordering::Relaxed);
            let outcome;
            let answered;
            (line, outcome, answered) = self.ask(line, &ready).await;
            self.record(&shot, answered, outcome);
        }
    }

    /// Waits for a request to be due: its time, where requests have times; none once it is over.
    async fn turn(&self) -> Option<Option<Duration>> {
        let meant = match self.settings.plan.pace {
            Pace::Closed => None,
            Pace::Open(_) => {
                self.due.acquire().await.ok()?.forget();
                self.settings.plan.at(self.share.index(self.taken.get()))
            }
        };
        if self.is_over.get() {
            return None;
        }
        self.taken.set(self.taken.get() + 1);
        Some(meant)
    }

    async fn ready(&self) -> Option<Ready> {
        if let Ok(mut source) = self.source.try_lock() {
            match source.try_recv() {
                Ok(ready) => return Some(ready),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => {}
            }
        }
        self.tally.borrow_mut().waited_for_signing += 1;
        self.source.lock().await.recv().await
    }

    /// Sends it: the connection, if it can be used again, what came of it, and when.
    async fn ask(
        &self,
        line: Option<Line>,
        ready: &Ready,
    ) -> (Option<Line>, Result<(), (Mishap, String)>, Duration) {
        let Settings { timeout: limit, check, place, .. } = &self.settings;
        let asked = timeout(*limit, async {
            let mut line = match line {
                Some(line) => line,
                None => {
                    let line = place
                        .connect()
                        .await
                        .map_err(|error| (Mishap::Refused, format!("cannot connect: {error}")))?;
                    self.tally.borrow_mut().connections += 1;
                    line
                }
            };
            let answer = line.ask(&ready.bytes).await;
            let answered = self.elapsed();
            let (answer, keeps_open) = answer.map_err(|broken| match broken {
                Broken::Reset(error) => (Mishap::Reset, format!("no answer: {error}")),
                Broken::NotHttp(what) => (Mishap::NotHttp, what.to_owned()),
            })?;
            let outcome = check(ready.reader, &answer);
            Ok((Some(line).filter(|_| keeps_open), outcome, answered))
        });
        match asked.await {
            Ok(Ok(asked)) => asked,
            Ok(Err((mishap, words))) => {
                if mishap == Mishap::Refused {
                    // Whoever refuses does so at once: without rest we would do nothing but ask.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                (None, Err((mishap, words)), self.elapsed())
            }
            Err(_) => {
                let words = format!("no answer in {limit:?}");
                (None, Err((Mishap::TimedOut, words)), self.elapsed())
            }
        }
    }

    fn record(&self, shot: &Shot, answered: Duration, outcome: Result<(), (Mishap, String)>) {
        let plan = self.settings.plan;
        let latency = answered.saturating_sub(shot.meant);
        let mut tally = self.tally.borrow_mut();
        // What was cut short has no latency; what timed out has waited at least so long.
        let has_latency = match &outcome {
            Ok(()) => true,
            Err((Mishap::Refused | Mishap::Reset | Mishap::NotHttp, _)) => false,
            Err(_) => true,
        };
        if let Some(moment) = tally.moment(shot.meant) {
            moment.due += 1;
            moment.failed += u64::from(outcome.is_err());
            if has_latency {
                moment.latency.saturating_record(micros(latency));
            }
        }
        if outcome.is_ok()
            && let Some(moment) = tally.moment(answered)
        {
            moment.answered += 1;
        }
        let is_steady = match plan.pace {
            Pace::Open(_) => shot.meant >= plan.ramp,
            Pace::Closed => answered >= plan.ramp,
        };
        if outcome.is_err() {
            self.live.failed.fetch_add(1, Ordering::Relaxed);
        }
        if !is_steady {
            return;
        }
        self.last_answer.set(self.last_answer.get().max(answered));
        tally.sent += 1;
        tally.queued += u64::from(shot.was_queued);
        tally.lateness.saturating_record(micros(shot.late));
        if has_latency {
            tally.latency.saturating_record(micros(latency));
            tally.service.saturating_record(micros(answered.saturating_sub(shot.sent)));
        }
        match outcome {
            Ok(()) => tally.answered += 1,
            Err((mishap, words)) => tally.fail(mishap, || words),
        }
    }

    /// Those that were due and never had a connection count with the time they had waited.
    fn count_unsent(&self, now: Duration) {
        let mut tally = self.tally.borrow_mut();
        for n in self.taken.get()..self.released.get() {
            let Some(meant) = self.settings.plan.at(self.share.index(n)) else { return };
            let waited = micros(now.saturating_sub(meant));
            if let Some(moment) = tally.moment(meant) {
                moment.due += 1;
                moment.failed += 1;
                moment.latency.saturating_record(waited);
            }
            self.live.failed.fetch_add(1, Ordering::Relaxed);
            if meant >= self.settings.plan.ramp {
                tally.latency.saturating_record(waited);
                tally.fail(Mishap::NotSent, || "the time was over first".to_owned());
            }
        }
    }
}
