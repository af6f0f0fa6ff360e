//! What relaying a call's audio costs: carriers and runtimes over loopback sockets, through the
//! whole daemon and, in the same run, through a relay of bytes that does nothing else.
//!
//! `cargo bench --bench relay`: so many calls of each way, in turns; `-- --scale` instead: one way
//! over more and more calls; `-- --boot`: how much sooner a caller is spoken to by a runtime that
//! was opened ahead; `-- --json` prints one JSON object. The daemon and the raw relay have one
//! worker thread each, whose processor time the kernel counts; carriers and runtimes are
//! another process with one thread. Where that thread is busy all the time, it and not the relay is
//! what cannot go on, and latencies are its own.

#![expect(unsafe_code, reason = "a counting allocator has to be one")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

mod boot;
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
mod sockets;
mod ways;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use common::Sample;
use heap::Heap;
use serde_json::{Value, json};

use crate::ways::Way;

#[global_allocator]
static HEAP: Heap = Heap;

const CALLS: u64 = 200;
const SCALE: [u64; 6] = [1, 100, 500, 1000, 2000, 5000];
const ROUNDS: usize = 7;
const SECONDS: f64 = 1.0;

/// What is promised of a relay that has not too many calls: so much more than the raw one's.
const ADDED_P99_US_MAX: f64 = 5000.0;

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
        scale(number("--max", 5000))
    } else if has("--boot") {
        boot::measure()
    } else {
        side_by_side(number("--calls", CALLS))
    };
    if has("--json") {
        println!("{report}");
    } else if has("--scale") {
        print_scale(&report);
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
        writeln!(self.tell, "{what}").unwrap();
        line(&mut self.told)
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
    allocations: f64,
    p50_us: f64,
    p99_us: f64,
    sent: f64,
    late: f64,
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

fn run(far: &mut Far, way: Way, seconds: f64) -> Round {
    let (cpu, allocations) = (threads_cpu(way.name()), Heap::allocations());
    let ran = far.ask(&json!({ "do": "run", "way": way.name(), "seconds": seconds }));
    let cpu = threads_cpu(way.name()) - cpu;
    let allocations = Heap::allocations() - allocations;
    let number = |name: &str| ran[name].as_f64().unwrap();
    let sent = number("sent");
    assert!(number("lost") <= sent / 100.0, "frames were lost: {ran}");
    Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / sent,
        allocations: allocations as f64 / sent / 2.0,
        p50_us: number("p50_us"),
        p99_us: number("p99_us"),
        sent,
        late: number("late"),
        far_busy: number("busy"),
    }
}

/// The processor time of the raw relay's thread, or of the edge's worker, which carries a daemon's
/// calls. Only one daemon is up at a time.
fn threads_cpu(name: &str) -> Duration {
    let worker = if name == Way::Raw.name() { name } else { WORKER };
    let of_task = |task: fs::DirEntry| {
        let comm = fs::read_to_string(task.path().join("comm")).ok()?;
        let time = fs::read_to_string(task.path().join("schedstat")).ok()?;
        (comm.trim_end() == worker)
            .then(|| time.split(' ').next()?.parse().ok().map(Duration::from_nanos))?
    };
    fs::read_dir("/proc/self/task").unwrap().filter_map(|task| of_task(task.unwrap())).sum()
}

/// Every way in turns with the raw relay, one way after the other.
fn side_by_side(calls: u64) -> Value {
    let mut far = Far::start();
    let raw = raw::start(far.runtime);
    open(&mut far, Way::Raw, raw, calls);
    let raw_heap = open(&mut far, Way::Raw, raw, calls);
    let mut ways = serde_json::Map::new();
    for way in Way::OF_DAEMONS {
        let daemon = installation::start(way != Way::Passed, far.runtime);
        // Its caches and tables are there.
        open(&mut far, way, daemon.edge, calls / 4 + 1);
        let heap = open(&mut far, way, daemon.edge, calls);
        let round = |_| [Way::Raw, way].map(|way| run(&mut far, way, SECONDS));
        let rounds: Vec<_> = (0..ROUNDS).map(round).collect();
        far.ask(&json!({ "do": "close", "way": way.name() }));
        daemon.stop();
        ways.insert(way.name().to_owned(), report(&rounds, heap));
    }
    far.stop();
    json!({
        "bench": "relay", "calls": calls, "rounds": ROUNDS, "seconds_a_round": SECONDS,
        "median_min_max": true, "raw_heap_kib_per_call": kib(raw_heap), "ways": ways,
    })
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
    json!({
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

/// The raw relay and the commonest way over more and more calls.
fn scale(max: u64) -> Value {
    let mut steps = Vec::new();
    for calls in SCALE.into_iter().filter(|&calls| calls <= max) {
        let mut far = Far::start();
        let raw = raw::start(far.runtime);
        let daemon = installation::start(true, far.runtime);
        let mut step = json!({ "calls": calls });
        for (way, to) in [(Way::Raw, raw), (Way::Renamed, daemon.edge)] {
            let heap = open(&mut far, way, to, calls);
            let rounds: Vec<_> = (0..3).map(|_| run(&mut far, way, 2.0)).collect();
            let median =
                |of: fn(&Round) -> f64| Sample::of(rounds.iter().map(of).collect()).at(0.5);
            step[way.name()] = json!({
                "cpu_us": median(|round| round.cpu_us), "p50_us": median(|round| round.p50_us),
                "p99_us": median(|round| round.p99_us), "sent": median(|round| round.sent),
                "late": median(|round| round.late), "far_busy": median(|round| round.far_busy),
                "heap_kib_per_call": heap / 1024.0,
            });
        }
        far.stop();
        daemon.stop();
        let of = |way: &str, what: &str| step[way][what].as_f64().unwrap();
        let ratio = of("renamed", "cpu_us") / of("raw", "cpu_us");
        let added = of("renamed", "p99_us") - of("raw", "p99_us");
        step["cpu_of_raw"] = ratio.into();
        step["added_p99_us"] = added.into();
        step["is_in_time"] = (added <= ADDED_P99_US_MAX).into();
        steps.push(step);
    }
    json!({ "bench": "relay", "scale": steps, "added_p99_us_max": ADDED_P99_US_MAX })
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
    print!("{:<26}", "");
    Way::OF_DAEMONS.iter().for_each(|way| print!("{:>22}", way.name()));
    println!();
    for (what, key, digits) in [
        ("CPU a round trip, us", "cpu_us", 2),
        ("  of the raw relay, us", "raw_cpu_us", 2),
        ("  as a multiple", "cpu_of_raw", 2),
        ("allocations a frame", "allocations_per_frame", 2),
        ("round trip p50, us", "p50_us", 0),
        ("  of the raw relay, us", "raw_p50_us", 0),
        ("round trip p99, us", "p99_us", 0),
        ("  of the raw relay, us", "raw_p99_us", 0),
        ("  added, us", "added_p99_us", 0),
        ("far ends busy", "far_busy", 2),
    ] {
        print!("{what:<26}");
        Way::OF_DAEMONS.iter().for_each(|way| {
            print!("{:>22}", text(&report["ways"][way.name()][key], digits));
        });
        println!();
    }
    print!("{:<26}", "heap a call, KiB");
    Way::OF_DAEMONS.iter().for_each(|way| {
        print!("{:>22}", report["ways"][way.name()]["heap_kib_per_call"].to_string());
    });
    println!("\n  of the raw relay, KiB   {:>22}", report["raw_heap_kib_per_call"].to_string());
}

fn print_scale(report: &Value) {
    println!(
        "{:>6}{:>10}{:>10}{:>8}{:>12}{:>12}{:>10}{:>10}{:>10}",
        "calls",
        "raw us",
        "relay us",
        "ratio",
        "raw p99",
        "relay p99",
        "heap KiB",
        "late",
        "far busy"
    );
    for step in report["scale"].as_array().into_iter().flatten() {
        let of = |way: &str, what: &str| step[way][what].as_f64().unwrap_or_default();
        println!(
            "{:>6}{:>10.2}{:>10.2}{:>8.2}{:>12.0}{:>12.0}{:>10.1}{:>10.0}{:>10.2}",
            step["calls"],
            of("raw", "cpu_us"),
            of("renamed", "cpu_us"),
            step["cpu_of_raw"].as_f64().unwrap_or_default(),
            of("raw", "p99_us"),
            of("renamed", "p99_us"),
            of("renamed", "heap_kib_per_call"),
            of("renamed", "late"),
            of("renamed", "far_busy"),
        );
    }
}
