//! `load media`: calls that are talked over, and their echo.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    super::{Failure, import::progress, out},
    accounts::Accounts,
    args::{Numbers, duration, some_duration},
    limits::{Limit, limit},
    page,
    report::{SHARES, kept_up, percentiles, rounded, shown, words},
    shape::{count, hear_ctrl_c, threads},
};
use crate::simulator::load::{self, Busy, Live, Pace, Sound, Suspicion, TalkSettings};

/// How often a person is told.
const GLANCE: Duration = Duration::from_millis(200);

const TALKING: &str = "{wide_bar} {elapsed}, {msg}";

/// Calls that are talked over.
#[derive(Debug, Args)]
pub(super) struct Media {
    #[command(flatten)]
    accounts: Accounts,
    #[command(flatten)]
    numbers: Numbers,
    /// Calls at once
    #[arg(long, value_name = "N", default_value = "10", value_parser = calls)]
    calls: usize,
    /// How long all of them talk: 30s, 5m
    #[arg(long, default_value = "10s", value_parser = some_duration)]
    duration: Duration,
    /// While they come, one after another
    #[arg(long, default_value = "2s", value_parser = duration)]
    ramp: Duration,
    /// Start a runtime here that says what it hears
    #[arg(long, value_name = "HOST:PORT")]
    echo: Option<SocketAddr>,
    /// Threads that talk; each keeps one processor busy at the most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    threads: usize,
    /// How long an answer, or a socket, may take
    #[arg(long, default_value = "5s", value_parser = some_duration)]
    timeout: Duration,
    /// What else than a failed call makes the exit code 1: p99=5ms, max=100ms; or how many frames
    /// may be lost: errors=0.1%
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    fail_over: Vec<Limit>,
    /// Another seed makes another choice of callers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write a page with plots, which needs nothing else
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// Every one is a socket.
fn calls(text: &str) -> Result<usize, String> {
    count(text, 60_000)
}

impl Media {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let (to, callers) = self.accounts.callers(&self.numbers)?;
        let calls = load::Calls::new(callers, self.seed).map_err(Failure::Usage)?;
        if let Some(place) = &self.echo {
            let started = load::echo(&place.to_string());
            started.map_err(|error| Failure::Refused(format!("cannot listen: {error}")))?;
        }
        let whole = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let settings = TalkSettings {
            calls: whole(self.calls),
            ramp: self.ramp,
            steady: self.duration,
            timeout: self.timeout,
            threads: whole(self.threads),
        };
        let (live, was_stopped) = (Arc::new(Live::default()), Arc::new(AtomicBool::new(false)));
        hear_ctrl_c(Arc::clone(&live), Arc::clone(&was_stopped))?;
        let sound = self.watch(settings, &Arc::new(calls), &live)?;
        let told = Told {
            to: &to,
            media: &self,
            sound: &sound,
            was_stopped: was_stopped.load(Ordering::Relaxed),
        };
        told.tell()
    }

    fn watch(
        &self,
        settings: TalkSettings,
        calls: &Arc<load::Calls>,
        live: &Arc<Live>,
    ) -> Result<Sound, Failure> {
        let length = settings.ramp + settings.steady;
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let bar = progress(Some(millis), !self.json, TALKING);
        let talked = thread::scope(|scope| {
            let talking = scope.spawn(|| load::talk(settings, calls, live));
            while !talking.is_finished() {
                let passed = u64::try_from(bar.elapsed().as_millis()).unwrap_or(u64::MAX);
                bar.set_position(passed.min(millis));
                let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
                bar.set_message(format!(
                    "{} calls, {} failed",
                    count(&live.sent),
                    count(&live.failed)
                ));
                thread::sleep(GLANCE.min(length));
            }
            talking.join()
        });
        bar.finish_and_clear();
        let lost = |_| Failure::Refused("the generator has failed".to_owned());
        talked.map_err(lost)?.map_err(Failure::Refused)
    }
}

/// A run, and what came of it.
struct Told<'a> {
    to: &'a str,
    media: &'a Media,
    sound: &'a Sound,
    was_stopped: bool,
}

impl Told<'_> {
    fn tell(&self) -> Result<ExitCode, Failure> {
        let broken = self.broken();
        if self.media.json {
            out::json(&self.json(&broken));
        } else {
            self.print(&broken);
        }
        if let Some(path) = &self.media.report {
            let written = fs::write(path, self.page(&broken));
            written.map_err(|error| {
                Failure::Refused(format!("cannot write {}: {error}", path.display()))
            })?;
            if !self.media.json {
                out::line(&format!("written to {}", path.display()));
            }
        }
        Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn broken(&self) -> Vec<String> {
        let sound = self.sound;
        let mut broken = Vec::new();
        if sound.heard == 0 {
            broken
                .push("no frame came back: does the agent's target say what it hears?".to_owned());
        }
        if sound.failures() > 0 {
            broken.push(format!("{} of {} calls failed", sound.failures(), sound.begun));
        }
        for limit in &self.media.fail_over {
            match limit {
                Limit::Latency(share, most) => {
                    let is = Duration::from_micros(sound.latency.value_at_quantile(*share));
                    if is > *most {
                        broken.push(format!("p{} is {is:?}, over {most:?}", share * 100.0));
                    }
                }
                Limit::Errors(most) => {
                    let share = sound.lost() as f64 / sound.said.max(1) as f64;
                    if share > *most {
                        broken.push(format!("{} of {} frames are lost", sound.lost(), sound.said));
                    }
                }
            }
        }
        broken
    }

    fn suspicions(&self) -> Vec<String> {
        let found = Suspicion::of_sound(self.sound);
        found.into_iter().map(|suspicion| words(suspicion, Pace::Open(50.0))).collect()
    }

    fn title(&self) -> String {
        let Media { calls, duration, ramp, .. } = self.media;
        format!("media to {}: {calls} calls for {duration:?} after a ramp of {ramp:?}", self.to)
    }

    fn counts(&self) -> String {
        let sound = self.sound;
        let share = sound.lost() as f64 / sound.said.max(1) as f64 * 100.0;
        let mut line = format!(
            "{} calls, {} connected, {} failed; {} frames said, {} came back, {} lost ({share:.3} %)",
            sound.begun,
            sound.connected,
            sound.failures(),
            sound.said,
            sound.heard,
            sound.lost()
        );
        if sound.others > 0 {
            line.push_str(&format!("; {} came that were no echo", sound.others));
        }
        if self.was_stopped {
            line.push_str("; ended early");
        }
        line
    }

    fn remarks(&self, broken: &[String]) -> Vec<String> {
        let sound = self.sound;
        let failed = sound.failed.iter().map(|(what, count)| format!("failed: {count} {what}"));
        let mut lines: Vec<String> = failed.collect();
        lines.extend(sound.told.iter().map(|told| format!("  {told}")));
        let suspicions = self.suspicions();
        if suspicions.is_empty() {
            let late = shown(sound.lateness.value_at_quantile(0.99));
            lines.push(kept_up(&late, &sound.threads));
        } else {
            lines.push(
                "THE GENERATOR WAS THE BOTTLENECK; these are not the server's limits:".into(),
            );
            lines.extend(suspicions.iter().map(|words| format!("  {words}")));
        }
        lines.extend(broken.iter().map(|words| format!("not kept: {words}")));
        lines
    }

    const COLUMNS: [&'static str; 5] =
        ["", "frame there and back", "jitter", "webhook to first echo", "webhook to answer"];

    fn rows(&self) -> Vec<Vec<String>> {
        let Sound { latency, jitter, first, answer, .. } = self.sound;
        let row = |(name, share): &(&str, f64)| {
            let at = [latency, jitter, first, answer]
                .map(|histogram| shown(histogram.value_at_quantile(*share)));
            std::iter::once((*name).to_owned()).chain(at).collect()
        };
        SHARES.iter().map(row).collect()
    }

    fn print(&self, broken: &[String]) {
        out::line(&self.title());
        out::line(&self.counts());
        out::line("");
        let mut rows = vec![Self::COLUMNS.map(str::to_owned).to_vec()];
        rows.extend(self.rows());
        out::table(&rows);
        out::line("");
        self.remarks(broken).iter().for_each(|line| out::line(line));
    }

    fn page(&self, broken: &[String]) -> String {
        let sound = self.sound;
        let plots = [
            page::by_percentile(&[
                ("frame there and back", page::BLUE, &sound.latency),
                ("jitter", page::GREY, &sound.jitter),
            ]),
            page::latency_over_time(
                "Latency of frames over time",
                Duration::from_secs(1),
                &sound.course.iter().map(|second| &second.latency).collect::<Vec<_>>(),
            ),
        ];
        let text = page::Text {
            title: self.title(),
            counts: self.counts(),
            columns: &Self::COLUMNS,
            rows: self.rows(),
            remarks: self.remarks(broken),
        };
        page::page(&text, &plots.concat())
    }

    fn json(&self, broken: &[String]) -> Value {
        let sound = self.sound;
        let errors: Map<String, Value> =
            sound.failed.iter().map(|(what, count)| ((*what).to_owned(), json!(count))).collect();
        let of_threads = |of: fn(&Busy) -> f64| -> Vec<f64> {
            sound.threads.iter().map(|busy| rounded(of(busy))).collect()
        };
        let why = self.suspicions();
        let course: Vec<Value> = (0..)
            .zip(&sound.course)
            .map(|(at, second): (u64, _)| {
                json!({ "at_s": at, "said": second.said, "heard": second.heard,
                    "p50_us": second.latency.value_at_quantile(0.5),
                    "p99_us": second.latency.value_at_quantile(0.99) })
            })
            .collect();
        json!({
            "load": "media",
            "to": self.to,
            "shape": { "calls": self.media.calls, "threads": self.media.threads,
                "duration_s": self.media.duration.as_secs_f64(),
                "ramp_s": self.media.ramp.as_secs_f64() },
            "ended_early": self.was_stopped,
            "calls": sound.begun,
            "connected": sound.connected,
            "failed": sound.failures(),
            "errors": errors,
            "error_texts": sound.told,
            "frames_said": sound.said,
            "frames_heard": sound.heard,
            "frames_lost": sound.lost(),
            "frames_other": sound.others,
            "latency_us": percentiles(&sound.latency),
            "jitter_us": percentiles(&sound.jitter),
            "first_echo_us": percentiles(&sound.first),
            "answer_us": percentiles(&sound.answer),
            "generator": {
                "was_bottleneck": !why.is_empty(),
                "why": why,
                "lateness_us": percentiles(&sound.lateness),
                "cpu_share": of_threads(Busy::share),
                "cpu_waited_share": of_threads(Busy::waited_share),
            },
            "course": course,
            "is_ok": broken.is_empty(),
            "not_kept": broken,
        })
    }
}
