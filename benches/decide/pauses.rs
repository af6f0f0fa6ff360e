//! What a reader waits for at worst while something else is done.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use switchback::domain::InboundCall;
use switchback::index::Index;
use switchback::routing::decide;
use switchback::telemetry::clock;

use crate::NOW_MS;

/// The longest of many decisions: by the clock, which counts what the machine gave to others as
/// well, and by the time for which the reader itself was running, since it never sleeps.
#[derive(Default)]
pub(crate) struct Pauses {
    pub(crate) clock_us: f64,
    pub(crate) cpu_us: f64,
    /// Decisions that took more than 100 us by the clock.
    pub(crate) long: usize,
    pub(crate) decisions: usize,
}

pub(crate) fn beside<T>(
    index: &Index,
    calls: &[InboundCall],
    run: impl FnOnce() -> T,
) -> (T, Pauses) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut pauses = Pauses::default();
            for call in calls.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                let (start, ran) = (clock::instant(), cpu_us());
                black_box(decide(&index.view(), black_box(call), NOW_MS));
                let cpu = cpu_us() - ran;
                let clock = start.elapsed().as_nanos() as f64 / 1000.0;
                pauses.clock_us = pauses.clock_us.max(clock);
                pauses.cpu_us = pauses.cpu_us.max(cpu);
                pauses.long += usize::from(clock > 100.0);
                pauses.decisions += 1;
            }
            pauses
        });
        let done = run();
        is_over.store(true, Ordering::Relaxed);
        (done, reader.join().unwrap())
    })
}

/// For how long this thread has been running.
fn cpu_us() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is written where we say, and nowhere else.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
