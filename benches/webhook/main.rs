//! A whole return call's webhook over loopback, beside a bare hyper server that parses the form and
//! answers a constant: `cargo bench --bench webhook`; with `-- --json` one JSON line, with
//! `-- --contacts 1000000` over a million contacts.
//!
//! Each server has one worker thread, the carrier who asks has another; on a machine of two cores
//! that is all of it, and what the daemon does behind the answer (its store's writer above all)
//! takes its share from both. So the ratio of requests a second is read together with that of the
//! workers' own processor time, which the kernel counts and nobody else's load changes much.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

mod bare;
mod carrier;
#[expect(dead_code, reason = "the other benches use the rest")]
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod parts;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use common::Sample;
use serde_json::{Value, json};
use switchback::telemetry::clock;

/// The program's own: see `src/main.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Both answer so many, then they take turns again.
const REQUESTS_A_ROUND: usize = 16_000;
const ROUNDS: usize = 7;

/// One server's round.
struct Round {
    requests_per_second: f64,
    /// Of the server's worker, a request.
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--contacts").skip(1);
    let contacts = arguments.next().map_or(100_000, |count| count.parse().unwrap());
    if std::env::args().any(|argument| argument == "--parts") {
        println!("{}", parts::measure(contacts));
        return;
    }
    let as_json = std::env::args().any(|argument| argument == "--json");

    let daemon = daemon::start(contacts);
    let bare = bare::start();
    let mut calls = daemon::Calls::new(contacts);
    let mut rounds = Vec::new();
    // The first round warms caches, allocators and connections up.
    for round in 0..=ROUNDS {
        let (one, other) = (calls.take(REQUESTS_A_ROUND), calls.take(REQUESTS_A_ROUND));
        let both = (
            measure(bare, "bare", one, bare::ANSWER),
            measure(daemon.edge, "daemon", other, "<Stream url="),
        );
        if round > 0 {
            rounds.push(both);
        }
    }
    let store = threads_cpu("store-writer") + threads_cpu("blocking");
    let dropped = daemon.stop();
    let report = report(&rounds, contacts, dropped, store);
    if as_json {
        println!("{report}");
    } else {
        print(&report);
    }
}

fn measure(server: SocketAddr, worker: &str, requests: Vec<Vec<u8>>, expected: &str) -> Round {
    let count = requests.len() as f64;
    let cpu = threads_cpu(worker);
    let start = clock::instant();
    let latencies = carrier::ask(server, requests, expected);
    let took = start.elapsed();
    let cpu = threads_cpu(worker) - cpu;
    let latencies = Sample::of(latencies);
    Round {
        requests_per_second: count / took.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        p50_us: latencies.at(0.5),
        p99_us: latencies.at(0.99),
    }
}

/// The processor time of this process's threads whose name begins so.
fn threads_cpu(name: &str) -> Duration {
    let of_task = |task: fs::DirEntry| {
        let is_named = fs::read_to_string(task.path().join("comm")).ok()?.starts_with(name);
        let time = fs::read_to_string(task.path().join("schedstat")).ok()?;
        is_named.then(|| time.split(' ').next()?.parse().ok().map(Duration::from_nanos))?
    };
    fs::read_dir("/proc/self/task").unwrap().filter_map(|task| of_task(task.unwrap())).sum()
}

fn report(rounds: &[(Round, Round)], contacts: u64, dropped: u64, store: Duration) -> Value {
    let spread = |of: &dyn Fn(&(Round, Round)) -> f64| {
        let sample = Sample::of(rounds.iter().map(of).collect());
        [0.5, 0.0, 1.0].map(|share| (sample.at(share) * 1000.0).round() / 1000.0)
    };
    let server = |of: fn(&(Round, Round)) -> &Round| {
        json!({
            "requests_per_second": spread(&|both| of(both).requests_per_second),
            "worker_cpu_us_per_request": spread(&|both| of(both).cpu_us),
            "p50_us": spread(&|both| of(both).p50_us),
            "p99_us": spread(&|both| of(both).p99_us),
        })
    };
    let requests = (rounds.len() + 1) * REQUESTS_A_ROUND;
    json!({
        "bench": "webhook", "contacts": contacts, "rounds": rounds.len(),
        "requests_a_round": REQUESTS_A_ROUND, "connections": carrier::CONNECTIONS,
        "median_min_max": true, "bare": server(|both| &both.0), "daemon": server(|both| &both.1),
        "ratio_requests": spread(&|(bare, daemon)| {
            daemon.requests_per_second / bare.requests_per_second
        }),
        "ratio_cpu": spread(&|(bare, daemon)| bare.cpu_us / daemon.cpu_us),
        "store_cpu_us_per_request": store.as_secs_f64() * 1e6 / requests as f64,
        "rows_dropped": dropped,
    })
}

fn print(report: &Value) {
    let text = |value: &Value| {
        let number = |place: usize| value[place].as_f64().unwrap_or_default();
        let digits = if number(0) < 10.0 { 2 } else { 0 };
        format!("{:.digits$} ({:.digits$} to {:.digits$})", number(0), number(1), number(2))
    };
    println!(
        "{} rounds of {} webhooks each in turns, {} connections, {} contacts; median (least to most)\n",
        report["rounds"], report["requests_a_round"], report["connections"], report["contacts"]
    );
    println!("{:<28}{:>26}{:>26}", "", "bare hyper", "daemon");
    for (what, key) in [
        ("requests/s", "requests_per_second"),
        ("p50, us", "p50_us"),
        ("p99, us", "p99_us"),
        ("worker's CPU a request, us", "worker_cpu_us_per_request"),
    ] {
        let (bare, daemon) = (text(&report["bare"][key]), text(&report["daemon"][key]));
        println!("{what:<28}{bare:>26}{daemon:>26}");
    }
    println!("\nshare of the bare server's requests/s: {}", text(&report["ratio_requests"]));
    println!("share by the workers' CPU:             {}", text(&report["ratio_cpu"]));
    println!(
        "behind the answer: {:.1} us of the store's CPU a request; {} rows dropped by its full queue",
        report["store_cpu_us_per_request"].as_f64().unwrap_or_default(),
        report["rows_dropped"]
    );
}
