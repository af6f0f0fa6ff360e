//! What is told of a run: as a text, and as JSON.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::{output::Text, page, shape::Run};
use crate::simulator::load::{Busy, Pace, Plan, Suspicion, Tally};

/// The rows of the table.
const SHARES: [(&str, f64); 9] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("p99.999", 0.99999),
    ("max", 1.0),
];

/// A run, and what came of it.
pub(super) struct Told<'a> {
    pub(super) run: &'a Run,
    pub(super) plan: Plan,
    /// The shape that was asked for.
    pub(super) shape: Value,
    pub(super) tally: &'a Tally,
    pub(super) was_stopped: bool,
}

impl Told<'_> {
    /// Why the figures may be the generator's own, in words.
    fn suspicions(&self) -> Vec<String> {
        let found = Suspicion::of(self.tally, self.plan.pace);
        found.into_iter().map(|suspicion| words(suspicion, self.plan.pace)).collect()
    }

    /// How it was asked for, in a line.
    fn title(&self) -> String {
        let Run { what, to, .. } = self.run;
        let shape = |name: &str| self.shape.get(name).cloned().unwrap_or_default();
        let rate = match self.plan.pace {
            Pace::Open(rate) => format!("{rate} requests a second"),
            Pace::Closed => "as fast as answers came".to_owned(),
        };
        format!(
            "{what} to {to}: {rate} for {:?} after a ramp of {:?}, {} connections, {} threads",
            self.plan.steady,
            self.plan.ramp,
            shape("connections"),
            shape("threads")
        )
    }

    /// The counts, in a line.
    fn counts(&self) -> String {
        let tally = self.tally;
        let mut line = format!(
            "{} sent, {} answered as they should be ({:.1} a second for {:.1} s), {} failed",
            tally.sent,
            tally.answered,
            tally.rate(),
            tally.lasted.as_secs_f64(),
            tally.failures()
        );
        if self.was_stopped {
            line.push_str("; ended early");
        }
        line
    }

    /// What is to be said beside the table.
    fn remarks(&self, broken: &[String]) -> Vec<String> {
        let tally = self.tally;
        let mut lines = Vec::new();
        for (mishap, count) in &tally.failed {
            lines.push(format!("failed: {count} {}", mishap.name()));
        }
        lines.extend(tally.told.iter().map(|told| format!("  {told}")));
        if tally.queued > 0 {
            lines.push(format!(
                "{} of {} were due while every connection waited for an answer: that is in their \
                 latency. The server was slow, or --connections is too low.",
                tally.queued, tally.sent
            ));
        }
        // Without times of their own, requests cannot be late.
        let lateness = match self.plan.pace {
            Pace::Open(_) => Some(&tally.lateness),
            Pace::Closed => None,
        };
        lines.extend(verdict(&self.suspicions(), lateness, &tally.threads));
        lines.extend(broken.iter().map(|words| format!("not kept: {words}")));
        lines
    }

    pub(super) fn text(&self, broken: &[String]) -> Text {
        Text {
            title: self.title(),
            counts: self.counts(),
            columns: &["latency", "from when it was due", "from when it was sent"],
            rows: rows(&[&self.tally.latency, &self.tally.service]),
            remarks: self.remarks(broken),
        }
    }

    pub(super) fn plots(&self) -> String {
        let Tally { latency, service, step, course, .. } = self.tally;
        let moments: Vec<_> = course.iter().map(|moment| &moment.latency).collect();
        let plots = [
            page::by_percentile(&[
                ("from when it was due", page::BLUE, latency),
                ("from when it was sent", page::GREY, service),
            ]),
            page::latency_over_time(
                "Latency over time, by when a request was due",
                *step,
                &moments,
            ),
            page::rate_over_time(self.tally),
        ];
        plots.concat()
    }

    pub(super) fn json(&self, broken: &[String]) -> Value {
        let tally = self.tally;
        let errors: Map<String, Value> =
            tally.failed.iter().map(|(mishap, count)| (mishap.name(), json!(count))).collect();
        let mut generator = generator(&self.suspicions(), &tally.lateness, &tally.threads);
        generator.insert("waited_for_signing".to_owned(), json!(tally.waited_for_signing));
        json!({
            "load": self.run.what,
            "to": self.run.to,
            "asked": self.run.asked,
            "shape": self.shape,
            "ended_early": self.was_stopped,
            "sent": tally.sent,
            "answered": tally.answered,
            "failed": tally.failures(),
            "errors": errors,
            "error_texts": tally.told,
            "lasted_s": rounded(tally.lasted.as_secs_f64()),
            "answered_per_second": rounded(tally.rate()),
            "latency_us": percentiles(&tally.latency),
            "service_us": percentiles(&tally.service),
            "waited_for_a_connection": tally.queued,
            "connections_made": tally.connections,
            "generator": generator,
            "course": self.course(),
            "is_ok": broken.is_empty(),
            "not_kept": broken,
        })
    }

    fn course(&self) -> Vec<Value> {
        let step = self.tally.step;
        let moments = (0..).zip(&self.tally.course);
        let shown = moments.map(|(place, moment)| {
            let at = |share| moment.latency.value_at_quantile(share);
            json!({ "at_s": rounded((step * place).as_secs_f64()), "due": moment.due,
                "answered": moment.answered, "failed": moment.failed,
                "p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1.0) })
        });
        shown.collect()
    }
}

pub(super) fn words(suspicion: Suspicion, pace: Pace) -> String {
    match suspicion {
        Suspicion::Busy(share) => {
            let percent = share * 100.0;
            let cure = match pace {
                Pace::Open(_) => "a lower --rate, or more --threads",
                Pace::Closed => "more --threads, if there are processors for them",
            };
            format!(
                "a thread ran or waited to run {percent:.0} % of its time and had none left: {cure}"
            )
        }
        Suspicion::Late(late) => format!(
            "one in a hundred was sent {late:?} late or more though a connection was free: a lower \
             --rate, more --threads, or a machine with less else to do"
        ),
        Suspicion::Crowded(share) => format!(
            "a thread waited {:.0} % of its time for a processor that others had: give the \
             generator processors of its own",
            share * 100.0
        ),
        Suspicion::Unsigned(share) => format!(
            "{:.1} % were due before they were signed: more --ahead, or a lower --rate",
            share * 100.0
        ),
    }
}

pub(super) fn percentiles(histogram: &Histogram<u64>) -> Value {
    let mut all = Map::new();
    all.insert("count".to_owned(), json!(histogram.len()));
    all.insert("mean".to_owned(), json!(rounded(histogram.mean())));
    for (name, share) in SHARES {
        all.insert(name.to_owned(), json!(histogram.value_at_quantile(share)));
    }
    Value::Object(all)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The table: each of these at every share.
pub(super) fn rows(of: &[&Histogram<u64>]) -> Vec<Vec<String>> {
    let row = |(name, share): &(&str, f64)| {
        let at = of.iter().map(|histogram| shown(histogram.value_at_quantile(*share)));
        std::iter::once((*name).to_owned()).chain(at).collect()
    };
    SHARES.iter().map(row).collect()
}

/// Whose limits the figures show: what is suspected of the generator, or that it kept up, and how
/// late it sent.
pub(super) fn verdict(
    suspicions: &[String],
    lateness: Option<&Histogram<u64>>,
    threads: &[Busy],
) -> Vec<String> {
    if suspicions.is_empty() {
        let late = lateness.map(|of| shown(of.value_at_quantile(0.99)));
        let late = late.map(|late| format!("99 % were sent within {late} of their time, and "));
        let busiest = threads.iter().map(Busy::share).fold(0.0, f64::max) * 100.0;
        return vec![format!(
            "The generator kept up: {}its busiest thread ran {busiest:.0} % of the time.",
            late.unwrap_or_default()
        )];
    }
    let heading = "THE GENERATOR WAS THE BOTTLENECK; these are not the server's limits:";
    let why = suspicions.iter().map(|words| format!("  {words}"));
    std::iter::once(heading.to_owned()).chain(why).collect()
}

/// The same, for scripts.
pub(super) fn generator(
    why: &[String],
    lateness: &Histogram<u64>,
    threads: &[Busy],
) -> Map<String, Value> {
    let of_threads =
        |of: fn(&Busy) -> f64| -> Value { threads.iter().map(|busy| rounded(of(busy))).collect() };
    Map::from_iter([
        ("was_bottleneck".to_owned(), json!(!why.is_empty())),
        ("why".to_owned(), json!(why)),
        ("lateness_us".to_owned(), percentiles(lateness)),
        ("cpu_share".to_owned(), of_threads(Busy::share)),
        ("cpu_waited_share".to_owned(), of_threads(Busy::waited_share)),
    ])
}

/// Microseconds, in the unit that suits them.
fn shown(micros: u64) -> String {
    let duration = Duration::from_micros(micros);
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.2} ms", duration.as_secs_f64() * 1000.0),
        1_000_000.. => format!("{:.2} s", duration.as_secs_f64()),
    }
}
