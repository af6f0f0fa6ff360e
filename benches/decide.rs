//! What a decision costs: `cargo bench --bench decide [-- CONTACTS]`, a million if none is said.
//! Every figure stands beside a yardstick of
//! the same run, since the machine is somebody else's tomorrow.

#![expect(unsafe_code, reason = "a counting allocator has to be one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints what it measures")]

mod common;
#[expect(dead_code, reason = "only its size is asked for here")]
#[path = "common/heap.rs"]
mod heap;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{NOW, Sample, Seeded};
use heap::Heap;
use rustc_hash::FxHashMap;
use switchback::domain::{InboundCall, RouteReason, UnixMillis};
use switchback::index::{Delta, Index, Writer};
use switchback::routing::decide;
use switchback::telemetry::clock;

#[global_allocator]
static HEAP: Heap = Heap;

const CALLS: usize = 1_000_000;
/// Touches a second that a writer applies beside the readers.
const WRITES_PER_SECOND: u32 = 50_000;

fn main() {
    let contacts = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let (index, mut writer) = Index::new(None);
    writer.apply(&common::installation());
    let bytes = load(&mut writer, contacts);

    let mut seeded = Seeded(1);
    let calls: Vec<_> = (0..CALLS)
        .map(|_| match seeded.below(2) {
            0 => common::return_call(seeded.below(contacts)),
            _ => common::strangers_call(&mut seeded),
        })
        .collect();
    let timer = timer_ns();
    println!("timer, taken off every figure below: {timer:.0} ns\n");
    hot(&index, &calls, contacts);

    let (small, miss) =
        (common::dependent_miss_ns(bytes, false), common::dependent_miss_ns(bytes, true));
    println!(
        "\none dependent random miss over {} MiB: {small:.0} ns, in huge pages {miss:.0} ns",
        bytes >> 20
    );
    println!(
        "\nrandom keys               p50      p99    p99.9      max  ns   (p50, p99.9 in misses)"
    );
    print("idle", &random(&index, &calls, timer), miss);
    let is_return = |call: &InboundCall| is_return(&index, call);
    let (returned, others): (Vec<_>, Vec<_>) = calls.iter().partition(|call| is_return(call));
    assert!(returned.len() > CALLS / 3, "{} of {CALLS} are return calls", returned.len());
    print("  return calls alone", &random(&index, returned, timer), miss);
    print("  strangers alone", &random(&index, others, timer), miss);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| write(&mut writer, contacts, &is_over));
        print("one writer, 50 000/s", &random(&index, &calls, timer), miss);
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Loads every contact as the log would; returns the table's bytes.
fn load(writer: &mut Writer, contacts: u64) -> usize {
    let (heap, start) = (Heap::used(), clock::instant());
    let mut count = 0;
    let mut making = Duration::ZERO;
    for first in (0..contacts).step_by(1000) {
        let made = clock::instant();
        let touches: Vec<_> = (first..first + 1000).flat_map(common::touches).collect();
        count += touches.len();
        let entry = [Delta::Touches(touches)];
        making += made.elapsed();
        writer.apply(&entry);
    }
    let rate = count as f64 / (start.elapsed() - making).as_secs_f64();
    let bytes = Heap::used() - heap;
    println!("{contacts} contacts, {count} touches, applied at {rate:.0} touches/s");
    let [a_contact, a_touch] = [contacts as f64, count as f64].map(|of| bytes as f64 / of);
    println!("{a_contact:.1} bytes a contact, {a_touch:.1} a touch, slack of the table included");
    bytes
}

/// The least two readings of the clock can be apart, at the median.
fn timer_ns() -> f64 {
    let read = |_| clock::instant().elapsed().as_nanos() as f64;
    Sample::of((0..100_000).map(read).collect()).at(0.5)
}

/// One return call, over and over, beside one key of unsynchronised maps over and over.
fn hot(index: &Index, calls: &[InboundCall], contacts: u64) {
    let key = (1_u32, contacts / 2);
    let entries = || (0..contacts).map(|n| ((1_u32, n), [n; 4]));
    let map: FxHashMap<_, _> = entries().collect();
    let looked_up = median_of_batches(|| {
        black_box(map.get(black_box(&key)));
    });
    let map: HashMap<_, _> = entries().collect();
    let looked_up_safely = median_of_batches(|| {
        black_box(map.get(black_box(&key)));
    });
    let now = UnixMillis(NOW * 1000);
    let call = calls.iter().find(|call| is_return(index, call)).unwrap();
    let decided = median_of_batches(|| {
        black_box(decide(&index.view(), black_box(call), now));
    });
    println!("hot key: a return call decided in {decided:.1} ns");
    println!(
        "         a key of an unsynchronised map looked up in {looked_up:.1} ns with our hasher, \
         {looked_up_safely:.1} ns with the standard one"
    );
}

fn is_return(index: &Index, call: &InboundCall) -> bool {
    decide(&index.view(), call, UnixMillis(NOW * 1000)).reason == RouteReason::Callback
}

fn median_of_batches(mut run: impl FnMut()) -> f64 {
    const BATCH: u32 = 1000;
    let batch = |_| {
        let start = clock::instant();
        for _ in 0..BATCH {
            run();
        }
        start.elapsed().as_nanos() as f64 / f64::from(BATCH)
    };
    Sample::of((0..2000).map(batch).collect()).at(0.5)
}

/// Each call decided once, each timed by itself.
fn random<'c>(
    index: &Index,
    calls: impl IntoIterator<Item = &'c InboundCall>,
    timer: f64,
) -> Sample {
    let now = UnixMillis(NOW * 1000);
    let mut measured = Vec::with_capacity(CALLS);
    for call in calls {
        let start = clock::instant();
        let view = index.view();
        black_box(decide(&view, black_box(call), now));
        measured.push((start.elapsed().as_nanos() as f64 - timer).max(0.0));
    }
    Sample::of(measured)
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

fn print(name: &str, sample: &Sample, miss: f64) {
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| sample.at(share));
    let (low, high) = (p50 / miss, p999 / miss);
    println!("{name:<22}{p50:7.0}  {p99:7.0}  {p999:7.0}  {max:7.0}       ({low:.1}, {high:.1})");
}
