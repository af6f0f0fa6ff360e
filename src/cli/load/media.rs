//! `load media`: calls that are talked over, and their echo.

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    super::Failure,
    accounts::Accounts,
    args::{Numbers, duration, some_duration},
    limits::{Limit, exceeded, limit},
    output::{Output, Text},
    page,
    report::{generator, percentiles, rows, verdict, words},
    shape::{count, hear_ctrl_c, threads},
};
use crate::simulator::load::{self, Live, Pace, Sound, Suspicion, TalkSettings};

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
    #[command(flatten)]
    output: Output,
}

/// Every one is a socket.
fn calls(text: &str) -> Result<usize, String> {
    count(text, 60_000)
}

impl Media {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        self.output.check()?;
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
        let (length, calls) = (settings.ramp + settings.steady, Arc::new(calls));
        let talk = || load::talk(settings, &calls, &live);
        let sound = self.output.watch(length, "calls", &live, talk)?;
        let told = Told {
            to: &to,
            media: &self,
            sound: &sound,
            was_stopped: was_stopped.load(Ordering::Relaxed),
        };
        let broken = told.broken();
        self.output.tell(&told.text(&broken), &told.plots(), &told.json(&broken), &broken)
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
            broken.extend(exceeded(*limit, &sound.latency));
            let share = sound.lost() as f64 / sound.said.max(1) as f64;
            if matches!(limit, Limit::Errors(most) if share > *most) {
                broken.push(format!("{} of {} frames are lost", sound.lost(), sound.said));
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
        lines.extend(verdict(&self.suspicions(), Some(&sound.lateness), &sound.threads));
        lines.extend(broken.iter().map(|words| format!("not kept: {words}")));
        lines
    }

    fn text(&self, broken: &[String]) -> Text {
        let Sound { latency, jitter, first, answer, .. } = self.sound;
        Text {
            title: self.title(),
            counts: self.counts(),
            columns: &[
                "",
                "frame there and back",
                "jitter",
                "webhook to first echo",
                "webhook to answer",
            ],
            rows: rows(&[latency, jitter, first, answer]),
            remarks: self.remarks(broken),
        }
    }

    fn plots(&self) -> String {
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
        plots.concat()
    }

    fn json(&self, broken: &[String]) -> Value {
        let sound = self.sound;
        let errors: Map<String, Value> =
            sound.failed.iter().map(|(what, count)| ((*what).to_owned(), json!(count))).collect();
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
            "generator": generator(&self.suspicions(), &sound.lateness, &sound.threads),
            "course": course,
            "is_ok": broken.is_empty(),
            "not_kept": broken,
        })
    }
}
