//! What a decision costs: `cargo bench --bench decide [-- CONTACTS]`, a million if none is said;
//! with `-- --json` one JSON line last; with `-- --scale` the series from ten thousand contacts to
//! CONTACTS instead. Every figure stands beside a yardstick of the same run, since the machine is
//! somebody else's tomorrow.

#![expect(
    unsafe_code,
    reason = "a counting allocator has to be one, and a thread's clock is libc's"
)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/heap.rs"]
mod heap;
mod numbers;
mod pauses;
mod plain;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Chain, NOW, Sample, Seeded};
use heap::Heap;
use pauses::Pauses;
use plain::Plain;
use serde_json::{Map, Value, json};
use switchback::domain::{InboundCall, RouteReason, UnixMillis};
use switchback::index::{Delta, Index, Writer, keep};
use switchback::routing::decide;
use switchback::telemetry::clock;

#[global_allocator]
static HEAP: Heap = Heap;

const CALLS: usize = 1_000_000;
/// Callers whose calls are decided over and over.
const HOT_KEYS: usize = 50;
/// Touches a second that a writer applies beside the readers.
const WRITES_PER_SECOND: u32 = 50_000;
/// Contacts that the unsynchronised maps hold: enough for one hot key.
const PLAIN_CONTACTS: u64 = 100_000;
const NOW_MS: UnixMillis = UnixMillis(NOW * 1000);

fn main() {
    // As the threads do that answer carriers.
    keep();
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let said = std::env::args().find_map(|argument| argument.parse().ok());
    let mut report = Report::default();
    if has("--scale") {
        let most = said.unwrap_or(10_000_000);
        for contacts in [10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|n| *n <= most)
        {
            report.prefix = format!("contacts_{contacts}_");
            at_scale(contacts, &mut report);
            println!();
        }
    } else {
        let contacts = said.unwrap_or(1_000_000);
        report.put("contacts", contacts as f64);
        whole(contacts, &mut report);
    }
    if has("--json") {
        println!("{}", json!({ "bench": "decide", "figures": report.figures }));
    }
}

/// The figures by name, as they were printed.
#[derive(Default)]
struct Report {
    prefix: String,
    figures: Map<String, Value>,
}

impl Report {
    fn put(&mut self, name: &str, value: f64) {
        let value = (value * 1000.0).round() / 1000.0;
        self.figures.insert(format!("{}{name}", self.prefix), json!(value));
    }
}

fn whole(contacts: u64, report: &mut Report) {
    let timer = timer_ns();
    println!("timer, taken off every figure of one decision below: {timer:.0} ns\n");
    let Loaded { index, mut writer, bytes, calls } = loaded(contacts, report);
    hot(&index, &calls, report);
    numbers::measure(report);
    let (miss, mut chain) = misses(bytes, report);
    heading();
    distribution("idle", &random(&index, &calls, timer), miss, report);
    let (returned, others): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| is_return(&index, call));
    assert!(returned.len() > CALLS / 3, "{} of {CALLS} are return calls", returned.len());
    distribution("return calls", &random(&index, returned, timer), miss, report);
    distribution("strangers", &random(&index, others, timer), miss, report);
    let one_number = calls_of_one_number(&calls);
    distribution("one number", &random(&index, &one_number, timer), miss, report);
    for (name, floor) in floors(&mut chain, timer) {
        distribution(name, &floor, miss, report);
    }
    let measured = beside_writer(&mut writer, contacts, || random(&index, &calls, timer));
    distribution("beside a writer", &measured, miss, report);
    for (name, floor) in beside_writer(&mut writer, contacts, || floors(&mut chain, timer)) {
        distribution(&format!("{name} beside"), &floor, miss, report);
    }
}

/// The same people, each calling one and the same number: only what is remembered of them is far.
fn calls_of_one_number(calls: &[InboundCall]) -> Vec<InboundCall> {
    let dnis = calls.first().and_then(|call| call.dnis);
    calls.iter().map(|call| InboundCall { dnis, ..*call }).collect()
}

fn at_scale(contacts: u64, report: &mut Report) {
    let Loaded { index, mut writer, bytes, calls } = loaded(contacts, report);
    let timer = timer_ns();
    let (miss, _) = misses(bytes, report);
    heading();
    distribution("idle", &random(&index, &calls, timer), miss, report);
    let measured = beside_writer(&mut writer, contacts, || random(&index, &calls, timer));
    distribution("beside a writer", &measured, miss, report);
}

struct Loaded {
    index: Index,
    writer: Writer,
    /// The table's.
    bytes: usize,
    /// Return calls and strangers', by turns of a coin.
    calls: Vec<InboundCall>,
}

/// An index with every contact, loaded as the log would: half of them alone, and the others, by
/// which the table doubles, while a reader decides.
fn loaded(contacts: u64, report: &mut Report) -> Loaded {
    let (index, mut writer) = Index::new(None);
    writer.apply(&common::installation());
    let heap = Heap::used();
    let half = contacts / 2;
    let (alone, taken) = load(&mut writer, 0..half);
    let (beside, rounds) = pauses(&index, &mut writer, half..contacts, taken);
    let bytes = index.contact_bytes();
    let touches: usize = (0..contacts).map(|n| common::touches(n).len()).sum();
    let [a_contact, a_touch] = [contacts as f64, touches as f64].map(|of| bytes as f64 / of);
    println!(
        "{contacts} contacts, {touches} touches: {a_contact:.1} bytes a contact, {a_touch:.1} a touch, all slack included"
    );
    println!("applied: {alone:.0} touches/s alone, {beside:.0} beside a reader");
    let grown = (Heap::used() - heap) as f64 / contacts as f64;
    report.put("bytes_a_contact", a_contact);
    report.put("bytes_a_touch", a_touch);
    report.put("heap_bytes_a_contact", grown);
    report.put("applied_touches_per_second_alone", alone);
    report.put("applied_touches_per_second_beside_a_reader", beside);
    println!(
        "a reader's worst pause in {} rounds, us  own time    worst  not pre-  empted  by clock    \
         worst  over 100 us faults and preemptions in the worst, in all",
        pauses::ROUNDS
    );
    for ((name, key), rounds) in NEIGHBOURS.into_iter().zip(&rounds) {
        pauses::tell(name, key, rounds, report);
    }
    Loaded { index, writer, bytes, calls: calls(contacts) }
}

/// Whom a reader is looked at beside: what is printed, and what it is called in the report.
const NEIGHBOURS: [(&str, &str); 4] = [
    ("while nobody writes", "idle"),
    ("beside a thread that spins", "spinning"),
    ("beside memory that grows", "growing"),
    ("while the table doubles", "doubling"),
];

/// A reader's pauses beside each of its neighbours, for about the same time each and in turns; and
/// how fast the last of them was, who has these people's touches applied.
fn pauses(
    index: &Index,
    writer: &mut Writer,
    people: std::ops::Range<u64>,
    taken: Duration,
) -> (f64, [Vec<Pauses>; 4]) {
    let (calls, before) = (calls(people.start), index.contact_bytes());
    let time = taken / pauses::ROUNDS;
    let step = people.clone().count().div_ceil(pauses::ROUNDS as usize).max(1);
    let (mut rounds, mut rates) = ([const { Vec::new() }; 4], Vec::new());
    for first in people.clone().step_by(step) {
        let some = first..(first + step as u64).min(people.end);
        let mut grown = Vec::new();
        let bytes = before / pauses::ROUNDS as usize;
        let [idle, spinning, growing, doubling] = &mut rounds;
        idle.push(pauses::beside(index, &calls, || thread::sleep(time)).1);
        spinning.push(pauses::beside(index, &calls, || pauses::spin(time)).1);
        growing.push(pauses::beside(index, &calls, || pauses::grow(time, bytes, &mut grown)).1);
        let ((rate, _), pauses) = pauses::beside(index, &calls, || load(writer, some));
        doubling.push(pauses);
        rates.push(rate);
    }
    (Sample::of(rates).at(0.5), rounds)
}

fn calls(contacts: u64) -> Vec<InboundCall> {
    let mut seeded = Seeded(1);
    let call = |_| match seeded.below(2) {
        0 => common::return_call(seeded.below(contacts)),
        _ => common::strangers_call(&mut seeded),
    };
    (0..CALLS).map(call).collect()
}

/// Applies these people's touches, a thousand people an entry; touches a second, and how long it
/// took in all.
fn load(writer: &mut Writer, people: std::ops::Range<u64>) -> (f64, Duration) {
    let (start, mut count, mut making) = (clock::instant(), 0, Duration::ZERO);
    for first in people.clone().step_by(1000) {
        let made = clock::instant();
        let some = first..(first + 1000).min(people.end);
        let touches: Vec<_> = some.flat_map(common::touches).collect();
        count += touches.len();
        let entry = [Delta::Touches(touches)];
        making += made.elapsed();
        writer.apply(&entry);
    }
    let taken = start.elapsed();
    (count as f64 / (taken - making).as_secs_f64(), taken)
}

/// The least two readings of the clock can be apart, at the median.
fn timer_ns() -> f64 {
    let read = |_| clock::instant().elapsed().as_nanos() as f64;
    Sample::of((0..100_000).map(read).collect()).at(0.5)
}

/// One return call, over and over, beside the same decision over unsynchronised maps: for each of
/// some callers, since one may have four touches or lie out of its place.
fn hot(index: &Index, calls: &[InboundCall], report: &mut Report) {
    let plain = Plain::new(PLAIN_CONTACTS);
    let both = |call: &&InboundCall| is_return(index, call) && plain.decide(call, NOW_MS).is_some();
    // To begin to keep the directory is not a decision's.
    (0..1000).for_each(|_| _ = black_box(index.view()));
    let before = Heap::allocations();
    for call in calls {
        black_box(decide(&index.view(), black_box(call), NOW_MS));
    }
    let allocations = (Heap::allocations() - before) as f64 / calls.len() as f64;
    let one = |call: &InboundCall| {
        let runs: [&mut dyn FnMut(); 3] = [
            &mut || _ = black_box(decide(&index.view(), black_box(call), NOW_MS)),
            &mut || _ = black_box(index.view()),
            &mut || _ = black_box(plain.decide(black_box(call), NOW_MS)),
        ];
        medians(runs, 2000 / HOT_KEYS)
    };
    let measured: Vec<_> = calls.iter().filter(both).take(HOT_KEYS).map(one).collect();
    let of = |place: usize| Sample::of(measured.iter().map(|one| one[place]).collect());
    let [decided, viewed, yardstick] = [0, 1, 2].map(of);
    let ratio = Sample::of(measured.iter().map(|[ours, _, theirs]| ours / theirs).collect());
    println!(
        "\nhot key, {HOT_KEYS} of them: a return call decided in {:.1} ns, {:.1} of them for the \
         view; over unsynchronised maps {:.1} ns: {:.2} x ({:.2} to {:.2})",
        decided.at(0.5),
        viewed.at(0.5),
        yardstick.at(0.5),
        ratio.at(0.5),
        ratio.at(0.0),
        ratio.at(1.0)
    );
    println!("allocations a decision: {allocations}");
    report.put("hot_ns", decided.at(0.5));
    report.put("hot_view_ns", viewed.at(0.5));
    report.put("hot_unsynchronised_ns", yardstick.at(0.5));
    report.put("hot_ratio", ratio.at(0.5));
    report.put("hot_ratio_least", ratio.at(0.0));
    report.put("hot_ratio_most", ratio.at(1.0));
    report.put("allocations_a_decision", allocations);
}

fn is_return(index: &Index, call: &InboundCall) -> bool {
    decide(&index.view(), call, NOW_MS).reason == RouteReason::Callback
}

/// What each costs once, in ns: the median of many batches, taken in turns.
fn medians<const N: usize>(mut runs: [&mut dyn FnMut(); N], batches: usize) -> [f64; N] {
    const BATCH: u32 = 1000;
    let mut measured = [const { Vec::new() }; N];
    for _ in 0..batches {
        for (run, measured) in runs.iter_mut().zip(&mut measured) {
            let start = clock::instant();
            for _ in 0..BATCH {
                run();
            }
            measured.push(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
        }
    }
    measured.map(|measured| Sample::of(measured).at(0.5))
}

/// One dependent miss over the table's size, in ns, in huge pages; and those to miss more in.
fn misses(bytes: usize, report: &mut Report) -> (f64, Chain) {
    let small = common::dependent_miss_ns(bytes, false);
    let mut chain = Chain::new(bytes, true);
    let miss = chain.miss_ns();
    println!(
        "\none dependent random miss over {} MiB: {small:.0} ns, in huge pages {miss:.0} ns",
        bytes >> 20
    );
    report.put("miss_small_pages_ns", small);
    report.put("miss_ns", miss);
    (miss, chain)
}

/// Each call decided once, each timed by itself.
fn random<'c>(
    index: &Index,
    calls: impl IntoIterator<Item = &'c InboundCall>,
    timer: f64,
) -> Sample {
    each_timed(calls, timer, |call| {
        let view = index.view();
        black_box(decide(&view, black_box(call), NOW_MS));
    })
}

/// Each done once and timed by itself, what the clock takes taken off.
fn each_timed<T>(of: impl IntoIterator<Item = T>, timer: f64, mut run: impl FnMut(T)) -> Sample {
    let mut measured = Vec::with_capacity(CALLS);
    for one in of {
        let start = clock::instant();
        run(one);
        measured.push((start.elapsed().as_nanos() as f64 - timer).max(0.0));
    }
    Sample::of(measured)
}

/// What this machine allows whoever measures so: nothing at all, one miss and four lines at once
/// over the table's size, each timed by itself as decisions are.
fn floors(chain: &mut Chain, timer: f64) -> [(&'static str, Sample); 3] {
    let mut seeded = Seeded(8);
    let places: Vec<_> = (0..CALLS).map(|_| seeded.next()).collect();
    [
        ("nothing", each_timed(0..CALLS, timer, |n| _ = black_box(n))),
        ("one miss", each_timed(0..CALLS, timer, |_| _ = black_box(chain.miss()))),
        ("four lines", each_timed(places, timer, |place| _ = black_box(chain.four(place)))),
    ]
}

/// Runs it while a writer applies touches, as fast as it is said to.
fn beside_writer<T>(writer: &mut Writer, contacts: u64, run: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| write(writer, contacts, &is_over));
        let done = run();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

fn write(writer: &mut Writer, contacts: u64, is_over: &AtomicBool) {
    let mut seeded = Seeded(2);
    let start = clock::instant();
    let mut due = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        writer.apply(&[Delta::Touches(common::touches(seeded.below(contacts)))]);
        due += Duration::from_secs(1) / WRITES_PER_SECOND;
        while start.elapsed() < due && !is_over.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

fn heading() {
    println!("\nrandom keys           p50      p99    p99.9      max  ns   (p50, p99.9 in misses)");
}

fn distribution(name: &str, sample: &Sample, miss: f64, report: &mut Report) {
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| sample.at(share));
    let (low, high) = (p50 / miss, p999 / miss);
    println!("{name:<18}{p50:7.0}  {p99:7.0}  {p999:7.0}  {max:7.0}       ({low:.2}, {high:.2})");
    let name = name.replace(' ', "_");
    for (what, value) in [
        ("p50_ns", p50),
        ("p99_ns", p99),
        ("p999_ns", p999),
        ("p50_misses", low),
        ("p999_misses", high),
    ] {
        report.put(&format!("random_{name}_{what}"), value);
    }
}
