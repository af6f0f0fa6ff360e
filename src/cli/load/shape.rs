//! What every run over HTTP has: its rate, its length, its connections; and the run itself, with
//! its progress.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    super::{Failure, import::progress},
    args::{duration, pace, some_duration},
    limits::{Limit, broken, limit},
    output::Output,
    report::Told,
};
use crate::simulator::load::{self, Check, Feed, Live, Maker, Pace, Place, Plan, Source, Tally};

const SIGNING: &str = "{wide_bar} {pos}/{len} signed, {elapsed}";

/// What a run over HTTP has.
#[derive(Debug, Args)]
pub(super) struct Shape {
    /// Requests a second, evenly; or max: on each connection the next when the last is answered,
    /// which finds the throughput, and whose latencies leave out all who would have had to wait
    #[arg(long, default_value = "100", value_parser = pace)]
    rate: Pace,
    /// How long the full rate lasts: 30s, 5m
    #[arg(long, default_value = "10s", value_parser = some_duration)]
    duration: Duration,
    /// From nothing to the full rate, before that; not part of the figures
    #[arg(long, default_value = "1s", value_parser = duration)]
    ramp: Duration,
    /// End after so many requests, if the time is not over first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Connections that are kept open; a request that finds none free waits, and that counts
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections)]
    connections: usize,
    /// Threads that send; each keeps one processor busy at the most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    threads: usize,
    /// Requests that are made and signed ahead: before the first is sent, then as they are sent
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = ahead)]
    ahead: usize,
    /// How long an answer may take
    #[arg(long, default_value = "5s", value_parser = some_duration)]
    timeout: Duration,
    /// What else than a failed request makes the exit code 1: p99=5ms, p99.9=20ms, max=1s; or how
    /// many may fail: errors=0.1%
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    fail_over: Vec<Limit>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn count(text: &str, most: usize) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| format!("must be a whole number from 1 to {most}"))
}

/// Every one is a socket, and past this a machine has no more ports to one place.
fn connections(text: &str) -> Result<usize, String> {
    count(text, 60_000)
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    count(text, 256)
}

/// About a kilobyte each.
fn ahead(text: &str) -> Result<usize, String> {
    count(text, 4_000_000)
}

/// What was asked for, and what came of it.
pub(super) struct Run {
    /// `calls` or `route`.
    pub(super) what: &'static str,
    /// Where it went.
    pub(super) to: String,
    /// More of what was asked for.
    pub(super) asked: Value,
}

impl Shape {
    fn plan(&self) -> Plan {
        Plan {
            pace: self.rate,
            ramp: self.ramp,
            steady: self.duration,
            requests_max: self.requests,
        }
    }

    /// Sends the load and tells of it.
    pub(super) fn send(
        &self,
        run: &Run,
        maker: impl Maker,
        check: Arc<Check>,
    ) -> Result<ExitCode, Failure> {
        let plan = self.plan();
        if plan.count() == Some(0) {
            let message = "not one request comes in that time: raise --rate or --duration";
            return Err(Failure::Usage(message.to_owned()));
        }
        self.output.check()?;
        let settings = load::Settings {
            plan,
            place: Place::of(&run.to).map_err(Failure::Usage)?,
            connections: self.connections.max(self.threads),
            timeout: self.timeout,
            check,
        };
        let was_stopped = Arc::new(AtomicBool::new(false));
        let live = Arc::new(Live::default());
        hear_ctrl_c(Arc::clone(&live), Arc::clone(&was_stopped))?;
        let feed = load::feed(maker, plan.count(), self.threads, self.ahead);
        let Feed { sources, maker } = feed.map_err(Failure::Refused)?;
        self.wait_until_ahead(&sources, &maker, &was_stopped);
        let tally = if maker.is_finished() {
            // Whatever was made before: a run is to be what was asked for.
            ended(maker)?;
            self.watch(&settings, sources, &live)?
        } else {
            let tally = self.watch(&settings, sources, &live)?;
            if maker.is_finished() {
                ended(maker)?;
            }
            tally
        };
        self.tell(run, &tally, was_stopped.load(Ordering::Relaxed))
    }

    /// Lets the signatures get ahead.
    fn wait_until_ahead(
        &self,
        sources: &[Source],
        feeder: &JoinHandle<Result<(), String>>,
        was_stopped: &AtomicBool,
    ) {
        let ahead = u64::try_from(self.ahead).unwrap_or(u64::MAX);
        let wanted = self.plan().count().map_or(ahead, |count| count.min(ahead));
        let bar = progress(Some(wanted), !self.output.json, SIGNING);
        let ready = || sources.iter().map(|source| source.len()).sum::<usize>();
        while u64::try_from(ready()).unwrap_or(0) < wanted
            && !feeder.is_finished()
            && !was_stopped.load(Ordering::Relaxed)
        {
            bar.set_position(u64::try_from(ready()).unwrap_or(0));
            thread::sleep(Duration::from_millis(5));
        }
        bar.finish_and_clear();
    }

    fn watch(
        &self,
        settings: &load::Settings,
        sources: Vec<Source>,
        live: &Arc<Live>,
    ) -> Result<Tally, Failure> {
        let run = || load::run(settings, sources, live);
        self.output.watch(settings.plan.length(), "sent", live, run)
    }

    fn tell(&self, run: &Run, tally: &Tally, was_stopped: bool) -> Result<ExitCode, Failure> {
        let broken = broken(&self.fail_over, tally);
        let told = Told { run, plan: self.plan(), shape: self.shown(), tally, was_stopped };
        self.output.tell(&told.text(&broken), &told.plots(), &told.json(&broken), &broken)
    }

    /// What was asked for, as the report repeats it.
    fn shown(&self) -> Value {
        let rate = match self.rate {
            Pace::Open(rate) => json!(rate),
            Pace::Closed => json!("max"),
        };
        json!({ "rate": rate, "duration_s": self.duration.as_secs_f64(),
            "ramp_s": self.ramp.as_secs_f64(), "connections": self.connections,
            "threads": self.threads, "timeout_s": self.timeout.as_secs_f64() })
    }
}

/// Whether who makes the requests has come to a good end.
fn ended(maker: JoinHandle<Result<(), String>>) -> Result<(), Failure> {
    let lost = |_| Failure::Refused("who makes the requests has failed".to_owned());
    let made = maker.join().map_err(lost)?;
    made.map_err(|error| Failure::Refused(format!("no request can be made: {error}")))
}

/// The first Ctrl-C ends the run; the next one the process, as it does without us.
pub(super) fn hear_ctrl_c(live: Arc<Live>, was_stopped: Arc<AtomicBool>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let failed = |error: std::io::Error| Failure::Refused(error.to_string());
    let runtime = runtime.map_err(failed)?;
    let heard = {
        let _within = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
    };
    let mut heard = heard.map_err(failed)?;
    let hear = move || {
        runtime.block_on(async {
            heard.recv().await;
            was_stopped.store(true, Ordering::Relaxed);
            live.stop();
        });
    };
    thread::Builder::new().name("load-hears".to_owned()).spawn(hear).map_err(failed)?;
    Ok(())
}
