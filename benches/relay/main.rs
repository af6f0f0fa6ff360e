//! What relaying a call's audio costs: carriers and runtimes over loopback sockets, through the
//! whole daemon and, in the same run, through a relay of bytes that does nothing else.
//!
//! `cargo bench --bench relay`: so many calls of each way, in turns; `-- --scale` instead: one
//! way over more and more calls; `-- --way NAME`: that one only; `-- --boot`: how much sooner a
//! caller is spoken to by a runtime that was opened ahead; `-- --json` prints one JSON object.
//! The daemon and the raw relay have one worker thread each, whose processor time the kernel
//! counts; carriers and runtimes are another process with one thread. Where that thread is busy
//! all the time, it and not the relay is what cannot go on, and latencies are its own.

#![expect(unsafe_code, reason = "a counting allocator has to be one")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

mod boot;
mod calls;
#[expect(dead_code, reason = "the other benches use the rest")]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/daemon.rs"]
mod daemon;
mod far;
mod frames;
#[path = "../common/heap.rs"]
mod heap;
mod installation;
mod raw;
mod scale;
mod sockets;
#[path = "../common/threads.rs"]
mod threads;
mod ways;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use common::Sample;
use heap::Heap;
use serde_json::{Value, json};
use switchback::telemetry::metrics;

use crate::calls::Calls;
use crate::ways::Way;

#[global_allocator]
static HEAP: Heap = Heap;

const CALLS: u64 = 200;

/// Calls on a link, where there are many.
const CROWD: u64 = 1000;

/// Short rounds, many of them: what else the machine does falls on a way's and the raw relay's.
const ROUNDS: usize = 15;
const SECONDS: f64 = 0.5;

/// The edge's only worker.
const WORKER: &str = "edge-0";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let number = |name: &str, otherwise: u64| {
        let mut after = arguments.iter().skip_while(|argument| *argument != name).skip(1);
        after.next().map_or(otherwise, |count| count.parse().unwrap())
    };
    if has("--far") {
        return far::serve();
    }
    let report = if has("--scale") {
        scale::measure(number("--max", 5000))
    } else if has("--boot") {
        boot::measure()
    } else {
        let only = arguments.iter().skip_while(|argument| *argument != "--way").nth(1);
        side_by_side(number("--calls", CALLS), only.map(|name| Way::named(name)))
    };
    if has("--json") {
        println!("{report}");
    } else if has("--scale") {
        scale::print(&report);
    } else if has("--boot") {
        boot::print(&report);
    } else {
        print_side_by_side(&report);
    }
}

/// The process of carriers and runtimes.
struct Far {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
    runtime: SocketAddr,
}

impl Far {
    fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.arg("--far").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let tell = child.stdin.take().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let runtime = line(&mut told)["runtime"].as_str().unwrap().parse().unwrap();
        Self { child, tell, told, runtime }
    }

    fn ask(&mut self, what: &Value) -> Value {
        self.say(what);
        line(&mut self.told)
    }

    fn say(&mut self, what: &Value) {
        writeln!(self.tell, "{what}").unwrap();
    }

    /// Waits for its answer, and takes nothing of it.
    fn wait(&mut self) {
        assert!(!self.told.fill_buf().unwrap().is_empty(), "the far ends are gone");
    }

    fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn line(from: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    assert!(from.read_line(&mut line).unwrap() > 0, "the far ends are gone");
    serde_json::from_str(&line).unwrap()
}

/// What a relay came to in one round.
struct Round {
    /// Of the relay's worker, a frame there and a frame back.
    cpu_us: f64,
    /// The same by what the kernel sampled.
    user_ticks: f64,
    kernel_ticks: f64,
    /// How often its worker slept for each.
    sleeps: f64,
    allocations: f64,
    p50_us: f64,
    p99_us: f64,
    sent: f64,
    late: f64,
    /// Frames that were never answered, and calls that had ended.
    lost: f64,
    ended: f64,
    /// The share of its time that the far ends' thread worked.
    far_busy: f64,
}

/// Opens calls; bytes of heap that each takes once it has carried some audio and is quiet.
fn open(far: &mut Far, way: Way, to: SocketAddr, calls: u64) -> f64 {
    let before = Heap::used();
    far.ask(&json!({ "do": "open", "way": way.name(), "to": to, "calls": calls }));
    run(far, way, 0.5);
    std::thread::sleep(Duration::from_millis(300));
    Heap::used().saturating_sub(before) as f64 / calls as f64
}

/// The same twice over: the first are hung up when caches and tables are there.
fn open_anew(far: &mut Far, way: Way, to: SocketAddr, calls: u64) -> f64 {
    open(far, way, to, calls / 4 + 1);
    close(far, way);
    open(far, way, to, calls)
}

/// Hangs up all calls of a way, and waits until they are gone.
fn close(far: &mut Far, way: Way) {
    far.ask(&json!({ "do": "close", "way": way.name() }));
    std::thread::sleep(Duration::from_millis(700));
}

fn run(far: &mut Far, way: Way, seconds: f64) -> Round {
    let worker = worker(way);
    let what = json!({ "do": "run", "way": way.name(), "seconds": seconds });
    let before = threads::done(worker);
    far.say(&what);
    // What is asked for to ask and to measure is not the relay's.
    let allocations = Heap::allocations();
    far.wait();
    let allocations = Heap::allocations() - allocations;
    let after = threads::done(worker);
    let ran = line(&mut far.told);
    // A round in which nothing was answered has no latencies.
    let number = |name: &str| ran[name].as_f64().unwrap_or(f64::INFINITY);
    let sent = number("sent");
    Round {
        cpu_us: (after.cpu - before.cpu).as_secs_f64() * 1e6 / sent,
        user_ticks: after.user - before.user,
        kernel_ticks: after.kernel - before.kernel,
        sleeps: (after.sleeps - before.sleeps) / sent,
        allocations: allocations as f64 / sent / 2.0,
        p50_us: number("p50_us"),
        p99_us: number("p99_us"),
        sent,
        late: number("late"),
        lost: number("lost"),
        ended: number("ended"),
        far_busy: number("busy"),
    }
}

/// System calls for a frame there and a frame back, and of those `epoll_wait`: in a round of its
/// own, since counting them costs something.
fn calls_a_round_trip(far: &mut Far, way: Way) -> Option<[f64; 2]> {
    let mut calls = Calls::of(threads::named(worker(way)).next()?)?;
    let before = calls.so_far();
    let ran = far.ask(&json!({ "do": "run", "way": way.name(), "seconds": SECONDS }));
    let (after, sent) = (calls.so_far(), ran["sent"].as_f64().unwrap());
    Some([0, 1].map(|which| ((after[which] - before[which]) / sent * 100.0).round() / 100.0))
}

/// The thread of the raw relay, or the edge's worker, which carries a daemon's calls. Only one
/// daemon is up at a time.
fn worker(way: Way) -> &'static str {
    if way == Way::Raw { way.name() } else { WORKER }
}

/// Every way in turns with the raw relay, one way after the other, as many calls of each; and calls
/// on a link once more, as many as links are for.
fn side_by_side(calls: u64, only: Option<Way>) -> Value {
    let mut far = Far::start();
    let raw = raw::start(far.runtime);
    let raw_heap = open_anew(&mut far, Way::Raw, raw, calls);
    let mut ways = serde_json::Map::new();
    for way in Way::OF_DAEMONS.into_iter().filter(|way| only.is_none_or(|only| only == *way)) {
        ways.insert(way.name().to_owned(), beside_raw(&mut far, way, calls));
    }
    if ways.contains_key(Way::Linked.name()) && calls < CROWD {
        open(&mut far, Way::Raw, raw, CROWD - calls);
        ways.insert("linked_crowd".to_owned(), beside_raw(&mut far, Way::Linked, CROWD));
    }
    far.stop();
    json!({
        "bench": "relay", "calls": calls, "rounds": ROUNDS, "seconds_a_round": SECONDS,
        "median_min_max": true, "raw_heap_kib_per_call": kib(raw_heap), "ways": ways,
    })
}

/// A way in turns with the raw relay, which has as many calls.
fn beside_raw(far: &mut Far, way: Way, calls: u64) -> Value {
    let daemon = installation::start(way != Way::Passed, far.runtime);
    let before = runtimes_lost();
    let heap = open_anew(far, way, daemon.edge, calls);
    let round = |_| [Way::Raw, way].map(|way| run(far, way, SECONDS));
    let rounds: Vec<_> = (0..ROUNDS).map(round).collect();
    let mut report = report(&rounds, heap);
    report["calls"] = calls.into();
    report["lost_runtimes"] = runtimes_lost()
        .into_iter()
        .map(|(why, count)| (why.clone(), count - before.get(&why).unwrap_or(&0.0)))
        .filter(|(_, count)| *count > 0.0)
        .collect();
    for (way, name) in [(Way::Raw, "raw_system_calls"), (way, "system_calls")] {
        report[name] = json!(calls_a_round_trip(far, way));
    }
    close(far, way);
    daemon.stop();
    report
}

/// How often the daemon has lost a runtime, or a carrier, in a call that went on, by what it was.
fn runtimes_lost() -> BTreeMap<String, f64> {
    let rendered = metrics::render();
    let counted = rendered.lines().filter_map(|line| {
        let (what, count) = line.split_once(' ')?;
        let why = if what == "switchback_media_quiet_total" {
            "carrier_quiet"
        } else {
            let labels = what.strip_prefix("switchback_targets_total{")?;
            labels.split_once("outcome=\"")?.1.split_once('"')?.0
        };
        Some((why.to_owned(), count.parse().ok()?))
    });
    // These are calls that were hung up.
    counted.filter(|(why, _)| why != "answered").collect()
}

fn kib(bytes: f64) -> f64 {
    (bytes / 10.24).round() / 100.0
}

/// What a way came to, beside the raw relay.
fn report(rounds: &[[Round; 2]], heap: f64) -> Value {
    let spread = |of: &dyn Fn(&[Round; 2]) -> f64| {
        let sample = Sample::of(rounds.iter().map(of).collect());
        [0.5, 0.0, 1.0].map(|share| (sample.at(share) * 1000.0).round() / 1000.0)
    };
    let sum = |of: &dyn Fn(&[Round; 2]) -> f64| rounds.iter().map(of).sum::<f64>();
    let user_share = |of: usize| {
        let (user, kernel) =
            (sum(&|rounds| rounds[of].user_ticks), sum(&|rounds| rounds[of].kernel_ticks));
        (user / (user + kernel).max(1.0) * 1000.0).round() / 1000.0
    };
    json!({
        "user_share": user_share(1), "raw_user_share": user_share(0),
        "raw_sleeps": spread(&|[raw, _]| raw.sleeps),
        "sleeps": spread(&|[_, way]| way.sleeps),
        "lost": sum(&|[_, way]| way.lost), "ended": spread(&|[_, way]| way.ended)[2],
        "raw_lost": sum(&|[raw, _]| raw.lost),
        "raw_cpu_us": spread(&|[raw, _]| raw.cpu_us),
        "cpu_us": spread(&|[_, way]| way.cpu_us),
        "cpu_of_raw": spread(&|[raw, way]| way.cpu_us / raw.cpu_us),
        "allocations_per_frame": spread(&|[_, way]| way.allocations),
        "raw_p50_us": spread(&|[raw, _]| raw.p50_us),
        "p50_us": spread(&|[_, way]| way.p50_us),
        "raw_p99_us": spread(&|[raw, _]| raw.p99_us),
        "p99_us": spread(&|[_, way]| way.p99_us),
        "added_p99_us": spread(&|[raw, way]| way.p99_us - raw.p99_us),
        "far_busy": spread(&|[_, way]| way.far_busy),
        "heap_kib_per_call": kib(heap),
    })
}

fn print_side_by_side(report: &Value) {
    let text = |value: &Value, digits: usize| {
        let number = |place: usize| value[place].as_f64().unwrap_or_default();
        format!("{:.digits$} ({:.digits$}-{:.digits$})", number(0), number(1), number(2))
    };
    println!(
        "{} calls of each way, {} rounds of {} s in turns; median (least-most)\n",
        report["calls"], report["rounds"], report["seconds_a_round"]
    );
    let ways = || report["ways"].as_object().into_iter().flatten();
    print!("{:<26}", "");
    ways().for_each(|(name, _)| print!("{name:>22}"));
    println!();
    for (what, key, digits) in [
        ("CPU a round trip, us", "cpu_us", 2),
        ("  of the raw relay, us", "raw_cpu_us", 2),
        ("  as a multiple", "cpu_of_raw", 2),
        ("sleeps a round trip", "sleeps", 2),
        ("  of the raw relay", "raw_sleeps", 2),
        ("allocations a frame", "allocations_per_frame", 2),
        ("round trip p50, us", "p50_us", 0),
        ("  of the raw relay, us", "raw_p50_us", 0),
        ("round trip p99, us", "p99_us", 0),
        ("  of the raw relay, us", "raw_p99_us", 0),
        ("  added, us", "added_p99_us", 0),
        ("far ends busy", "far_busy", 2),
    ] {
        print!("{what:<26}");
        ways().for_each(|(_, way)| print!("{:>22}", text(&way[key], digits)));
        println!();
    }
    for (what, key) in [
        ("system calls, epoll_wait", "system_calls"),
        ("  of the raw relay", "raw_system_calls"),
        ("share in user code", "user_share"),
        ("  of the raw relay", "raw_user_share"),
        ("frames lost", "lost"),
        ("calls ended", "ended"),
        ("  runtimes lost, by cause", "lost_runtimes"),
        ("heap a call, KiB", "heap_kib_per_call"),
    ] {
        print!("{what:<26}");
        ways().for_each(|(_, way)| print!("{:>22}", way[key].to_string()));
        println!();
    }
    println!("  of the raw relay, KiB   {:>22}", report["raw_heap_kib_per_call"].to_string());
}
