//! A whole return call's webhook over loopback, beside a bare hyper server that parses the form and
//! answers a constant, and beside the same when it computes as long as the daemon does:
//! `cargo bench --bench webhook`, and after `--`
//!
//! - `--contacts 1000000`: over so many contacts; `--json`: one JSON line;
//! - `--scale`: both over 1, 8, 64, 256 and 1000 connections;
//! - `--tls`: the daemon with and without TLS;
//! - `--slow 20000`: what honest webhooks wait while so many slow clients are held;
//! - `--parts`: what a webhook costs besides HTTP, beside its HMAC.
//!
//! Each server has one thread for carriers, and a core of its own; the carrier who asks shares
//! another with what the daemon does behind the answer (its store's writer above all). On a machine
//! of two cores the ratio of requests a second is read together with that of the threads' own
//! processor time, which the kernel counts and nobody else's load changes much.
//! Between the rounds the daemon's calls end, or its memory would grow as no daemon's does, and
//! what it does behind the answer is waited for, which is no part of the bare server's round.

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
#[path = "../common/daemon.rs"]
mod daemon;
mod installation;
mod parts;
mod slow;
#[path = "../common/threads.rs"]
mod threads;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use carrier::Manner;
use common::Sample;
use daemon::{BEHIND, Daemon};
use installation::Calls;
use rustix::process::{Pid, Resource, getrlimit, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use switchback::edge::accept;
use switchback::telemetry::metrics;

/// The program's own: see `src/main.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The daemon's one thread for carriers.
const WORKER: &str = "edge-0";
/// The bare server's.
const BARE: &str = "bare";
/// The store's.
const WRITER: &str = "store-writer";
/// The lowest priority there is (setpriority(2)).
const GIVES_WAY: i32 = 19;
/// In every answer of the daemon's.
const ANSWERED: &str = "<Stream url=";

/// Both answer so many, then they take turns again.
const REQUESTS_A_ROUND: usize = 16_000;
const ROUNDS: usize = 7;

/// What is done behind the answers rests when it takes no more of the time between two looks.
const RESTING: Duration = Duration::from_millis(5);
const LOOKED_EVERY: Duration = Duration::from_millis(100);

/// One server's round.
struct Round {
    requests_per_second: f64,
    /// Of the server's worker, a request.
    cpu_us: f64,
    /// The kernel's share of that.
    kernel: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Round {
    fn user(&self) -> Duration {
        Duration::from_secs_f64(self.cpu_us * (1.0 - self.kernel) / 1e6)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let after = |name: &str, nth: usize| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + nth).map(String::as_str)
    };
    let number = |name, nth| after(name, nth).and_then(|text| text.parse().ok());
    if let (Some(server), Some(count)) = (after("--hold", 1), number("--hold", 2)) {
        return slow::hold(server.parse().unwrap(), count);
    }
    let contacts = number("--contacts", 1).unwrap_or(100_000) as u64;
    if has("--parts") {
        println!("{}", parts::measure(contacts));
    } else if has("--tls") {
        println!("{}", with_and_without_tls(contacts));
    } else if has("--scale") {
        println!("{}", over_connections(contacts));
    } else if let Some(count) = number("--slow", 1) {
        println!("{}", beside_slow_clients(contacts, count));
    } else {
        let report = beside_bare(contacts);
        if has("--json") { println!("{report}") } else { print(&report) }
    }
}

/// Starts a daemon over so many contacts. Where a pair of certificate and key is given, carriers
/// come by TLS.
fn start(contacts: u64, tls: Option<(String, String)>) -> Daemon {
    let configure = |folder: &Path| {
        let tls = tls.map_or("", |(cert, key)| {
            fs::write(folder.join("cert.pem"), cert).unwrap();
            fs::write(folder.join("key.pem"), key).unwrap();
            "[edge.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n"
        });
        installation::config(0) + tls
    };
    daemon::start(configure, |store| installation::fill(store, contacts))
}

/// Gives the servers' workers a core of their own, where there are two. On the other one, what is
/// done behind the answers gives way to the carrier who asks: rows wait in their queue meanwhile.
fn part() {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let (Some(first), Some(second)) = (cores.next(), cores.next()) else { return };
    for (id, name) in threads::all() {
        let is_worker = [WORKER, BARE].contains(&name.as_str());
        let mut core = CpuSet::new();
        core.set(if is_worker { first } else { second });
        if let Ok(id) = i32::try_from(id) {
            // It may have ended meanwhile.
            sched_setaffinity(Pid::from_raw(id), &core).unwrap_or_default();
            if [BEHIND, WRITER].contains(&name.as_str()) {
                setpriority_process(Pid::from_raw(id), GIVES_WAY).unwrap_or_default();
            }
        }
    }
}

/// Has the calls end, and waits until all of it is done.
fn end(server: SocketAddr, calls: &mut Calls, manner: &Manner) {
    carrier::ask(server, calls.ends(), "", manner);
    settle();
}

/// Waits until the store's writer rests.
fn settle() {
    let mut before = Duration::MAX;
    loop {
        let cpu = behind_cpu();
        if cpu.saturating_sub(before) < RESTING && before != Duration::MAX {
            return;
        }
        before = cpu;
        std::thread::sleep(LOOKED_EVERY);
    }
}

/// The processor time of what is done behind the answers.
fn behind_cpu() -> Duration {
    threads::done(WRITER).cpu + threads::done(BEHIND).cpu
}

/// How many call rows a full queue has dropped, of all daemons together.
fn rows_dropped() -> u64 {
    let rendered = metrics::render();
    let mut lines = rendered.lines();
    let dropped = lines.find_map(|line| line.strip_prefix("switchback_journal_dropped_total "));
    dropped.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// One turn: the bare server, the same when it computes as much more as the daemon does, and the
/// daemon.
struct Turn {
    bare: Round,
    busy: Round,
    daemon: Round,
}

/// All in turns.
fn beside_bare(contacts: u64) -> Value {
    let daemon = start(contacts, None);
    let bare = bare::start();
    part();
    let (mut unheard, mut calls) = (Calls::new(contacts), Calls::new(contacts));
    let mut turns: Vec<Turn> = Vec::new();
    let (mut store, mut dropped) = (Duration::ZERO, 0);
    let manner = Manner::of(carrier::CONNECTIONS);
    let mut more = Duration::ZERO;
    // The first turn warms caches, allocators and connections up.
    for turn in 0..=ROUNDS {
        let [one, another] = [unheard.take(REQUESTS_A_ROUND), unheard.take(REQUESTS_A_ROUND)];
        let others = calls.take(REQUESTS_A_ROUND);
        let alone = measure(bare, BARE, one, bare::ANSWER, &manner);
        bare::compute_for(more);
        let busy = measure(bare, BARE, another, bare::ANSWER, &manner);
        bare::compute_for(Duration::ZERO);
        let before = (behind_cpu(), rows_dropped());
        let daemons = measure(daemon.edge, WORKER, others, ANSWERED, &manner);
        settle();
        more = daemons.user().saturating_sub(alone.user());
        if turn > 0 {
            turns.push(Turn { bare: alone, busy, daemon: daemons });
            store += behind_cpu() - before.0;
            dropped += rows_dropped() - before.1;
        }
        end(daemon.edge, &mut calls, &manner);
    }
    daemon.stop();
    report(&turns, contacts, dropped, store)
}

/// The same over few connections and many; medians of three rounds.
fn over_connections(contacts: u64) -> Value {
    let daemon = start(contacts, None);
    let bare = bare::start();
    part();
    let (mut unheard, mut calls) = (Calls::new(contacts), Calls::new(contacts));
    let mut rows = Vec::new();
    for connections in [1, 8, 64, 256, 1000] {
        let manner = Manner::of(connections);
        let rounds: Vec<_> = (0..4)
            .map(|_| {
                let (one, other) = (unheard.take(8000), calls.take(8000));
                let bare = measure(bare, BARE, one, bare::ANSWER, &manner);
                let daemons = measure(daemon.edge, WORKER, other, ANSWERED, &manner);
                end(daemon.edge, &mut calls, &manner);
                (bare, daemons)
            })
            .skip(1)
            .collect();
        let of = |of: &dyn Fn(&(Round, Round)) -> f64| {
            rounded(Sample::of(rounds.iter().map(of).collect()).at(0.5))
        };
        rows.push(json!({
            "connections": connections,
            "bare_requests_per_second": of(&|both| both.0.requests_per_second),
            "requests_per_second": of(&|both| both.1.requests_per_second),
            "ratio_cpu": of(&|both| both.0.cpu_us / both.1.cpu_us),
            "p99_us": of(&|both| both.1.p99_us),
        }));
    }
    let dropped = rows_dropped();
    daemon.stop();
    json!({ "bench": "webhook --scale", "contacts": contacts, "rows": rows, "rows_dropped": dropped })
}

/// Two daemons in turns, one of which is come to by TLS 1.3 over connections that are kept.
fn with_and_without_tls(contacts: u64) -> Value {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let trusted = made.cert.der().clone();
    let pair = (made.cert.pem(), made.signing_key.serialize_pem());
    let (plain, secured) = (start(contacts, None), start(contacts, Some(pair)));
    part();
    let (mut calls, mut others) = (Calls::new(contacts), Calls::new(contacts));
    let manner = Manner::of(carrier::CONNECTIONS);
    let by_tls = Manner { tls: Some(trusted), ..manner.clone() };
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let (one, other) = (calls.take(REQUESTS_A_ROUND), others.take(REQUESTS_A_ROUND));
        let open = measure(plain.edge, WORKER, one, ANSWERED, &manner);
        end(plain.edge, &mut calls, &manner);
        let closed = measure(secured.edge, WORKER, other, ANSWERED, &by_tls);
        end(secured.edge, &mut others, &by_tls);
        if round > 0 {
            rounds.push((open, closed));
        }
    }
    let of = |of: &dyn Fn(&(Round, Round)) -> f64| {
        rounded(Sample::of(rounds.iter().map(of).collect()).at(0.5))
    };
    let report = json!({
        "bench": "webhook --tls", "contacts": contacts, "connections": carrier::CONNECTIONS,
        "plain_requests_per_second": of(&|both| both.0.requests_per_second),
        "tls_requests_per_second": of(&|both| both.1.requests_per_second),
        "plain_cpu_us": of(&|both| both.0.cpu_us), "tls_cpu_us": of(&|both| both.1.cpu_us),
        "ratio_requests": of(&|both| both.1.requests_per_second / both.0.requests_per_second),
        "ratio_cpu": of(&|both| both.0.cpu_us / both.1.cpu_us),
    });
    plain.stop();
    secured.stop();
    report
}

/// Honest webhooks at a steady rate, alone and beside slow clients, in turns.
fn beside_slow_clients(contacts: u64, count: usize) -> Value {
    const RATE: u32 = 1000;
    // More would wait for one another, and the honest for them.
    const LEFT: usize = 64;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let held_at_most = accept::connections_max(files);
    let few = count.min(held_at_most as usize - LEFT);
    let daemon = start(contacts, None);
    let mut calls = Calls::new(contacts);
    let manner = Manner { per_second: Some(RATE), ..Manner::of(8) };
    let mut ask = |seconds: usize| {
        let requests = calls.take(seconds * RATE as usize);
        Sample::of(carrier::ask(daemon.edge, requests, ANSWERED, &manner).0)
    };
    drop(ask(2));
    let memory = memory_kib();
    let mut rounds = Vec::new();
    let (mut held, mut grown) = (0, 0);
    for _ in 0..3 {
        let alone = ask(5);
        let crowd = slow::Crowd::gather(daemon.edge, few);
        grown = grown.max(memory_kib().saturating_sub(memory));
        held = held.max(crowd.held);
        let beside = ask(5);
        rounds.push([alone.at(0.5), alone.at(0.99), beside.at(0.5), beside.at(0.99)]);
        drop(crowd);
        std::thread::sleep(Duration::from_secs(1));
    }
    let median =
        |place: usize| rounded(Sample::of(rounds.iter().map(|r| r[place]).collect()).at(0.5));
    let ratio = Sample::of(rounds.iter().map(|round| round[3] / round[1]).collect());
    let report = json!({
        "bench": "webhook --slow", "asked_to_hold": count, "held": held,
        "files_a_process": files,
        "held_at_most": held_at_most,
        "kib_a_connection": rounded(grown as f64 / held.max(1) as f64),
        "honest_per_second": RATE, "rounds": rounds.len(),
        "alone_p50_us": median(0), "alone_p99_us": median(1),
        "beside_p50_us": median(2), "beside_p99_us": median(3),
        "ratio_p99": rounded(ratio.at(0.5)),
    });
    daemon.stop();
    report
}

/// What this process has in memory.
fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn measure(
    server: SocketAddr,
    worker: &str,
    requests: Vec<Vec<u8>>,
    expected: &str,
    manner: &Manner,
) -> Round {
    let count = requests.len() as f64;
    let before = threads::done(worker);
    let (latencies, took) = carrier::ask(server, requests, expected, manner);
    let after = threads::done(worker);
    let (user, kernel) = (after.user - before.user, after.kernel - before.kernel);
    let latencies = Sample::of(latencies);
    Round {
        requests_per_second: count / took.as_secs_f64(),
        cpu_us: (after.cpu - before.cpu).as_secs_f64() * 1e6 / count,
        kernel: kernel / (user + kernel).max(1.0),
        p50_us: latencies.at(0.5),
        p99_us: latencies.at(0.99),
    }
}

fn report(turns: &[Turn], contacts: u64, dropped: u64, store: Duration) -> Value {
    let spread = |of: &dyn Fn(&Turn) -> f64| {
        let sample = Sample::of(turns.iter().map(of).collect());
        [0.5, 0.0, 1.0].map(|share| (sample.at(share) * 1000.0).round() / 1000.0)
    };
    let server = |of: fn(&Turn) -> &Round| {
        json!({
            "requests_per_second": spread(&|turn| of(turn).requests_per_second),
            "worker_cpu_us_per_request": spread(&|turn| of(turn).cpu_us),
            "of_it_kernel_us": spread(&|turn| of(turn).cpu_us * of(turn).kernel),
            "p50_us": spread(&|turn| of(turn).p50_us),
            "p99_us": spread(&|turn| of(turn).p99_us),
            "share_of_bare": spread(&|turn| {
                of(turn).requests_per_second / turn.bare.requests_per_second
            }),
        })
    };
    let requests = turns.len() * REQUESTS_A_ROUND;
    json!({
        "bench": "webhook", "contacts": contacts, "rounds": turns.len(),
        "requests_a_round": REQUESTS_A_ROUND, "connections": carrier::CONNECTIONS,
        "median_min_max": true, "bare": server(|turn| &turn.bare),
        "busy": server(|turn| &turn.busy), "daemon": server(|turn| &turn.daemon),
        "ratio_cpu": spread(&|turn| turn.bare.cpu_us / turn.daemon.cpu_us),
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
    println!("{:<28}{:>26}{:>26}{:>26}", "", "bare hyper", "as busy as the daemon", "daemon");
    for (what, key) in [
        ("requests/s", "requests_per_second"),
        ("p50, us", "p50_us"),
        ("p99, us", "p99_us"),
        ("worker's CPU a request, us", "worker_cpu_us_per_request"),
        ("  of it the kernel's", "of_it_kernel_us"),
        ("share of bare's requests/s", "share_of_bare"),
    ] {
        let [bare, busy, daemon] =
            ["bare", "busy", "daemon"].map(|server| text(&report[server][key]));
        println!("{what:<28}{bare:>26}{busy:>26}{daemon:>26}");
    }
    println!("\nshare by the workers' CPU: {}", text(&report["ratio_cpu"]));
    println!(
        "behind the answer: {:.1} us of the store's CPU a request; {} rows dropped by its full queue",
        report["store_cpu_us_per_request"].as_f64().unwrap_or_default(),
        report["rows_dropped"]
    );
}
