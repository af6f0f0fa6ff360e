//! What a reader waits for at worst while something else is done.
//!
//! The machine gives a thread's time to others as well, and where it is a guest the thread's own
//! clock runs on meanwhile: so the same reader is looked at beside neighbours that share nothing
//! with it, and one of them does to memory what a growing table does. What is found beside those
//! is no pause of the table's making.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use switchback::domain::InboundCall;
use switchback::index::{Index, keep};
use switchback::routing::decide;
use switchback::telemetry::clock;

use crate::common::{self, Sample, Seeded};
use crate::{NOW_MS, Report};

/// What is looked at is cut into so many rounds: the worst of each says whether the worst of all
/// was one mishap.
pub(crate) const ROUNDS: u32 = 8;

/// The longest of many decisions: by the clock, which counts what the machine gave to others as
/// well, and by the time for which the reader itself was running, since it never sleeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pauses {
    clock_us: f64,
    cpu_us: f64,
    /// The same of those in which the reader had not to make way for another: when it gets the
    /// core back, its caches are the other's.
    undisturbed_us: f64,
    /// What the kernel counted of the reader while it made the decision that was longest by its own
    /// time.
    worst: Usage,
    /// And in all.
    whole: Usage,
    /// Decisions that took more than 100 us by the clock.
    long: usize,
    decisions: usize,
}

/// What the kernel counts of a thread.
#[derive(Clone, Copy, Default)]
struct Usage {
    faults: i64,
    /// How often it had to make way for another.
    preempted: i64,
}

impl Usage {
    fn now() -> Self {
        // SAFETY: all zero is a value of it.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: it is written where we say, and nowhere else.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
        Self { faults: usage.ru_minflt + usage.ru_majflt, preempted: usage.ru_nivcsw }
    }

    const fn since(self, then: Self) -> Self {
        Self { faults: self.faults - then.faults, preempted: self.preempted - then.preempted }
    }
}

/// Decides while something else is done.
pub(crate) fn beside<T>(
    index: &Index,
    calls: &[InboundCall],
    run: impl FnOnce() -> T,
) -> (T, Pauses) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(index, calls, &is_over));
        let done = run();
        is_over.store(true, Ordering::Relaxed);
        (done, reader.join().unwrap())
    })
}

fn read(index: &Index, calls: &[InboundCall], is_over: &AtomicBool) -> Pauses {
    keep();
    let mut pauses = Pauses::default();
    let began = Usage::now();
    let mut before = began;
    for call in calls.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
        let (start, ran) = (clock::instant(), cpu_us());
        black_box(decide(&index.view(), black_box(call), NOW_MS));
        let cpu = cpu_us() - ran;
        let clock = start.elapsed().as_nanos() as f64 / 1000.0;
        let after = Usage::now();
        if after.preempted == before.preempted {
            pauses.undisturbed_us = pauses.undisturbed_us.max(cpu);
        }
        if cpu > pauses.cpu_us {
            pauses.cpu_us = cpu;
            pauses.worst = after.since(before);
        }
        before = after;
        pauses.clock_us = pauses.clock_us.max(clock);
        pauses.long += usize::from(clock > 100.0);
        pauses.decisions += 1;
    }
    pauses.whole = before.since(began);
    pauses
}

/// For how long this thread has been running.
fn cpu_us() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is written where we say, and nowhere else.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Runs for so long and shares nothing with anybody.
pub(crate) fn spin(time: Duration) {
    let start = clock::instant();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// For so long does to memory of its own what a growing table does: asks for it in steps, huge
/// pages where they are given, has the system clear it, fills it, and writes here and there in all
/// of it. What it has grown by then goes to `grown`, to be given back when nobody looks.
pub(crate) fn grow(time: Duration, bytes: usize, grown: &mut Vec<Vec<u64>>) {
    const STEPS: u32 = 64;
    let words = (bytes / STEPS as usize / size_of::<u64>()).max(1);
    let mut seeded = Seeded(9);
    let start = clock::instant();
    for step in 1..=STEPS {
        let mut more: Vec<u64> = Vec::with_capacity(words);
        common::ask_for_huge(&more);
        more.extend(0..words as u64);
        grown.push(more);
        while start.elapsed() < time * step / STEPS {
            let place = seeded.next() as usize;
            let of = place % grown.len();
            grown[of][place % words] = place as u64;
        }
    }
}

/// Prints what was found in the rounds of one neighbour.
pub(crate) fn tell(name: &str, key: &str, rounds: &[Pauses], report: &mut Report) {
    let of = |what: fn(&Pauses) -> f64| Sample::of(rounds.iter().map(what).collect());
    let (clock, cpu) = (of(|p| p.clock_us), of(|p| p.cpu_us));
    let undisturbed = of(|p| p.undisturbed_us);
    let sum = |what: fn(&Pauses) -> usize| rounds.iter().map(what).sum::<usize>();
    let worst = rounds.iter().max_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us)).copied();
    let Usage { faults, preempted } = worst.unwrap_or_default().worst;
    let preempted_in_all: i64 = rounds.iter().map(|round| round.whole.preempted).sum();
    let faults_in_all: i64 = rounds.iter().map(|round| round.whole.faults).sum();
    println!(
        "  {name:<28}{:9.0} {:9.0} {:9.0} {:9.0} {:9.0} {:9.0}{:8} of {:<9}{faults:3} {preempted:3}{faults_in_all:7} {preempted_in_all:5}",
        cpu.at(0.5),
        cpu.at(1.0),
        undisturbed.at(0.5),
        undisturbed.at(1.0),
        clock.at(0.5),
        clock.at(1.0),
        sum(|p| p.long),
        sum(|p| p.decisions),
    );
    for (what, value) in [
        ("us", clock.at(1.0)),
        ("median_us", clock.at(0.5)),
        ("cpu_us", cpu.at(1.0)),
        ("cpu_median_us", cpu.at(0.5)),
        ("undisturbed_us", undisturbed.at(1.0)),
        ("undisturbed_median_us", undisturbed.at(0.5)),
        ("long", sum(|p| p.long) as f64),
        ("decisions", sum(|p| p.decisions) as f64),
        ("worst_faults", faults as f64),
        ("worst_preempted", preempted as f64),
        ("faults", faults_in_all as f64),
        ("preempted", preempted_in_all as f64),
    ] {
        report.put(&format!("pause_{key}_{what}"), value);
    }
}
