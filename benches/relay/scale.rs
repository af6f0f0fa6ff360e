//! More and more calls, until a core has no time left: the raw relay and a common way in turns.

use serde_json::{Value, json};

use crate::common::Sample;
use crate::ways::Way;
use crate::{Far, Round, close, installation, open, raw, run};

/// Near where a core is full they are close, so that a ratio of two of them says something.
const SCALE: [u64; 14] =
    [1, 100, 500, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1600, 1900, 5000];

/// Short rounds in turns, so that what else the machine does falls on both.
const ROUNDS: usize = 5;
const SECONDS: f64 = 0.5;

/// So many calls of both are open at once: four sockets each in the far ends' process, as many in
/// this one. Beyond it those of one are closed while the other is measured.
const BESIDE_MAX: u64 = 2000;

/// So few calls that latencies are those of a relay that has time.
const QUIET_CALLS: u64 = 100;

/// What is promised of a relay that has not too many calls: so much more than the raw one's.
const ADDED_P99_US_MAX: f64 = 5000.0;

/// Of rounds that are so far beyond what is promised there are not more.
const HOPELESS_P99_US: f64 = 20.0 * ADDED_P99_US_MAX;
const HOPELESS_MAX: usize = 2;

const WAYS: [Way; 2] = [Way::Raw, Way::Renamed];

/// Both over more and more calls; those opened before stay.
pub(crate) fn measure(max: u64) -> Value {
    let mut far = Far::start();
    let daemon = installation::start(true, far.runtime);
    let to = [raw::start(far.runtime), daemon.edge];
    let mut opened = [0; 2];
    let mut steps = Vec::new();
    for calls in SCALE.into_iter().filter(|calls| *calls <= max) {
        let mut rounds = [Vec::new(), Vec::new()];
        if calls <= BESIDE_MAX {
            for (n, way) in WAYS.into_iter().enumerate() {
                open(&mut far, way, to[n], calls - opened[n]);
                opened[n] = calls;
            }
            for _ in 0..ROUNDS {
                for (rounds, way) in rounds.iter_mut().zip(WAYS) {
                    if rounds.iter().filter(|round| is_hopeless(round)).count() < HOPELESS_MAX {
                        rounds.push(run(&mut far, way, SECONDS));
                    }
                }
            }
        } else {
            for (n, way) in WAYS.into_iter().enumerate() {
                let other = 1 - n;
                close(&mut far, WAYS[other]);
                opened[other] = 0;
                open(&mut far, way, to[n], calls - opened[n]);
                opened[n] = calls;
                rounds[n].push(run(&mut far, way, SECONDS));
            }
        }
        let [raw, renamed] = rounds.map(|rounds| told(&rounds));
        steps.push(json!({ "calls": calls, "raw": raw, "renamed": renamed }));
    }
    daemon.stop();
    far.stop();
    report(steps)
}

fn is_hopeless(round: &Round) -> bool {
    round.p99_us > HOPELESS_P99_US
}

/// The median of some rounds; of latencies at the tail the best, since whatever else the machine
/// does only adds to them.
fn told(rounds: &[Round]) -> Value {
    let median = |of: fn(&Round) -> f64| Sample::of(rounds.iter().map(of).collect()).at(0.5);
    let best_p99_us = rounds.iter().map(|round| round.p99_us).fold(f64::INFINITY, f64::min);
    json!({
        "cpu_us": median(|round| round.cpu_us), "p50_us": median(|round| round.p50_us),
        "p99_us": best_p99_us, "sent": median(|round| round.sent),
        "late": median(|round| round.late), "lost": median(|round| round.lost),
        "ended": median(|round| round.ended), "far_busy": median(|round| round.far_busy),
        "sleeps": median(|round| round.sleeps),
        "busy": median(|round| round.cpu_us * round.sent / SECONDS / 1e6),
    })
}

fn report(mut steps: Vec<Value>) -> Value {
    // Where nothing was answered there is no figure, and it was not in time.
    let p99 = |step: &Value, way: &str| step[way]["p99_us"].as_f64().unwrap_or(f64::INFINITY);
    let quiet = steps.iter().find(|step| step["calls"].as_u64() >= Some(QUIET_CALLS));
    let limit = quiet.map_or(0.0, |step| p99(step, "raw")) + ADDED_P99_US_MAX;
    for step in &mut steps {
        let cpu = |way: &str| step[way]["cpu_us"].as_f64().unwrap_or(f64::NAN);
        let (ratio, added) = (cpu("renamed") / cpu("raw"), p99(step, "renamed") - p99(step, "raw"));
        step["cpu_of_raw"] = ratio.into();
        step["added_p99_us"] = added.into();
        for way in ["raw", "renamed"] {
            let is_whole = step[way]["lost"] == 0.0 && step[way]["ended"] == 0.0;
            step[way]["is_in_time"] = (p99(step, way) <= limit && is_whole).into();
        }
    }
    // The most calls before the first step that is too many.
    let most = |way: &str| {
        let in_time = steps.iter().take_while(|step| step[way]["is_in_time"] == true);
        in_time.last().map_or(0, |step| step["calls"].as_u64().unwrap())
    };
    json!({
        "bench": "relay", "added_p99_us_max": ADDED_P99_US_MAX, "p99_us_max": limit,
        "rounds": ROUNDS, "seconds_a_round": SECONDS,
        "raw_calls_in_time": most("raw"), "calls_in_time": most("renamed"), "scale": steps,
    })
}

pub(crate) fn print(report: &Value) {
    println!(
        "{:>6}{:>10}{:>10}{:>8}{:>12}{:>12}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}",
        "calls",
        "raw us",
        "relay us",
        "ratio",
        "raw p99",
        "relay p99",
        "lost",
        "late",
        "raw busy",
        "far busy",
        "busy",
        "far busy",
    );
    for step in report["scale"].as_array().into_iter().flatten() {
        let of = |way: &str, what: &str| step[way][what].as_f64().unwrap_or_default();
        println!(
            "{:>6}{:>10.2}{:>10.2}{:>8.2}{:>12.0}{:>12.0}{:>8.0}{:>8.0}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
            step["calls"],
            of("raw", "cpu_us"),
            of("renamed", "cpu_us"),
            step["cpu_of_raw"].as_f64().unwrap_or_default(),
            of("raw", "p99_us"),
            of("renamed", "p99_us"),
            of("renamed", "lost"),
            of("renamed", "late"),
            of("raw", "busy"),
            of("raw", "far_busy"),
            of("renamed", "busy"),
            of("renamed", "far_busy"),
        );
    }
    println!(
        "\nwith a p99 of at most {:.0} us, and every frame answered: {} calls, the raw relay {}",
        report["p99_us_max"].as_f64().unwrap_or_default(),
        report["calls_in_time"],
        report["raw_calls_in_time"]
    );
}
