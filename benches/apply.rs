//! How fast the log reaches the index: `cargo bench --bench apply`, with `-- --json` one JSON line.
//! Readers decide on the other cores meanwhile.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

#[expect(dead_code, reason = "the other benches use the rest")]
mod common;

use std::hint::black_box;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{NOW, Sample, Seeded};
use serde_json::{Value, json};
use switchback::domain::{Agent, InboundCall, Outcome, Touch, TouchId, UnixMillis, UnixSeconds};
use switchback::index::{Delta, Index, Writer};
use switchback::replica::feed::{Frame, Request};
use switchback::replica::follower::Follower;
use switchback::replica::log::{Cursor, Entry, Stream};
use switchback::replica::wire;
use switchback::routing::decide;
use switchback::telemetry::clock;
use uuid::Uuid;

const CONTACTS: u64 = 1_000_000;
const TOUCHES: usize = 300_000;
const CONTROL_ROWS: usize = 40_000;
/// A measurement ends here, done or not.
const LONGEST: Duration = Duration::from_secs(3);

fn main() {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let mut bench = Bench::new();
    let mut rows = vec![bench.idle()];
    for (what, deltas) in [
        ("touches, 1 an entry", touches(1)),
        ("touches, 256 an entry", touches(256)),
        ("agents, 1 an entry", control(|delta| matches!(delta, Delta::Agent(_)))),
        ("agents' roles, 1 an entry", roles()),
        ("numbers, 1 an entry", control(|delta| matches!(delta, Delta::Number(_)))),
    ] {
        let is_small = deltas.iter().all(|delta| things(delta) == 1);
        rows.push(bench.followed(what, "log, an entry a frame", &deltas, 1));
        if is_small {
            rows.push(bench.followed(what, "log, 256 a frame", &deltas, 256));
        }
        rows.push(bench.applied(what, &deltas));
    }
    if as_json {
        println!("{}", json!({ "bench": "apply", "rows": rows }));
    } else {
        print(&rows);
    }
}

/// An index with everything in it, and the log it follows.
struct Bench {
    index: Index,
    writer: Writer,
    follower: Follower,
    cursors: [Cursor; 2],
    calls: Vec<InboundCall>,
}

impl Bench {
    fn new() -> Self {
        let (index, mut writer) = Index::new(None);
        let mut follower = Follower::default();
        let origin = Cursor::origin(Uuid::from_u128(1));
        let people = (0..CONTACTS).map(|n| Delta::Touches(common::touches(n))).collect();
        for (stream, deltas) in
            [(Stream::Control, common::installation()), (Stream::Touches, people)]
        {
            let whole = Frame::Snapshot { stream, cursor: origin, part: 0, deltas, last: true };
            acknowledged(follower.follow(whole, &index, &mut writer).as_ref());
        }
        let mut seeded = Seeded(1);
        let calls = (0..200_000)
            .map(|_| match seeded.below(2) {
                0 => common::return_call(seeded.below(CONTACTS)),
                _ => common::strangers_call(&mut seeded),
            })
            .collect();
        Self { index, writer, follower, cursors: [origin; 2], calls }
    }

    /// The log's next entries, one a delta, so many a frame: what a store would send.
    fn frames(&mut self, deltas: &[Delta], entries: usize) -> Vec<Frame> {
        let is_touch = matches!(deltas.first(), Some(Delta::Touches(_)));
        let stream = if is_touch { Stream::Touches } else { Stream::Control };
        let cursor = self.cursors.get_mut(usize::from(stream.as_u8())).unwrap();
        let epoch = cursor.epoch;
        let mut entry = |delta: &Delta| {
            let body = wire::encode(std::slice::from_ref(delta));
            let entry = Entry::next(cursor, body.into());
            *cursor = entry.cursor(epoch);
            entry
        };
        deltas
            .chunks(entries)
            .map(|some| Frame::Batch {
                stream,
                epoch,
                entries: some.iter().map(&mut entry).collect(),
            })
            .collect()
    }

    /// Readers alone.
    fn idle(&self) -> Value {
        let (_, readers) = beside_readers(&self.index, &self.calls, || {
            thread::sleep(Duration::from_secs(1));
        });
        row("nobody writes", "", [0.0; 3], &readers)
    }

    /// Frames as they come: chain checked, bodies read, deltas applied.
    fn followed(&mut self, what: &str, how: &str, deltas: &[Delta], entries: usize) -> Value {
        let frames = self.frames(deltas, entries);
        let Self { index, writer, follower, cursors, calls } = self;
        let mut done = 0;
        let (took, readers) = beside_readers(index, calls, || {
            let (start, ran) = (clock::instant(), cpu_seconds());
            for frame in frames {
                acknowledged(follower.follow(frame, index, writer).as_ref());
                done += 1;
                if start.elapsed() > LONGEST {
                    break;
                }
            }
            [start.elapsed().as_secs_f64(), cpu_seconds() - ran]
        });
        for (cursor, stream) in cursors.iter_mut().zip(Stream::ALL) {
            *cursor = follower.cursor(stream).unwrap();
        }
        let applied = deltas.iter().take(done * entries);
        let (count, things) = (applied.clone().count(), applied.map(things).sum::<usize>());
        row(what, how, rates(count, things, took), &readers)
    }

    /// The same deltas without a log, for comparison.
    fn applied(&mut self, what: &str, deltas: &[Delta]) -> Value {
        let Self { index, writer, calls, .. } = self;
        let mut done = 0;
        let (took, readers) = beside_readers(index, calls, || {
            let (start, ran) = (clock::instant(), cpu_seconds());
            for delta in deltas {
                writer.apply(std::slice::from_ref(delta));
                done += 1;
                if start.elapsed() > LONGEST {
                    break;
                }
            }
            [start.elapsed().as_secs_f64(), cpu_seconds() - ran]
        });
        let things: usize = deltas.iter().take(done).map(things).sum();
        row(what, "applied directly", rates(done, things, took), &readers)
    }
}

fn acknowledged(request: Option<&Request>) {
    assert!(matches!(request, Some(Request::Ack { .. })), "{request:?}");
}

/// Runs `write` while readers decide on every other core; their decisions' times with it.
fn beside_readers<T>(
    index: &Index,
    calls: &[InboundCall],
    write: impl FnOnce() -> T,
) -> (T, Sample) {
    let cores = thread::available_parallelism().unwrap().get();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = |first: usize| {
            let is_over = &is_over;
            let calls = calls.iter().cycle().skip(first * 1000);
            scope.spawn(move || read(index, calls, is_over))
        };
        let readers: Vec<_> = (1..cores.max(2)).map(reader).collect();
        let done = write();
        is_over.store(true, Ordering::Relaxed);
        let measured = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        (done, Sample::of(measured))
    })
}

fn read<'c>(
    index: &Index,
    calls: impl Iterator<Item = &'c InboundCall>,
    is_over: &AtomicBool,
) -> Vec<f64> {
    let now = UnixMillis(NOW * 1000);
    let decided = |call| {
        let start = clock::instant();
        let view = index.view();
        black_box(decide(&view, black_box(call), now));
        start.elapsed().as_nanos() as f64
    };
    calls.take_while(|_| !is_over.load(Ordering::Relaxed)).map(decided).collect()
}

/// Touches of people who are known, so many a delta: by turns a new call of the same agent, which
/// takes the older one's place, and how it ended.
fn touches(a_delta: usize) -> Vec<Delta> {
    let mut seeded = Seeded(3);
    let mut news = iter::repeat_with(|| {
        let mut touch = *common::touches(seeded.below(CONTACTS)).first().unwrap();
        touch.id = TouchId(Uuid::from_u64_pair(seeded.next(), seeded.next()));
        touch.at = UnixSeconds(NOW + 1);
        [touch, Touch { outcome: Outcome::Answered, ..touch }]
    })
    .flatten();
    let mut some = || Delta::Touches(news.by_ref().take(a_delta).collect());
    (0..TOUCHES / a_delta).map(|_| some()).collect()
}

/// What the installation has of a kind, written again and again in a random order.
fn control(is_wanted: impl Fn(&Delta) -> bool) -> Vec<Delta> {
    let all: Vec<_> = common::installation().into_iter().filter(|delta| is_wanted(delta)).collect();
    let mut seeded = Seeded(4);
    let any = || all.get(seeded.below(all.len() as u64) as usize).unwrap().clone();
    iter::repeat_with(any).take(CONTROL_ROWS).collect()
}

/// Callback agents who take their role anew each time: the twenty numbers that each owns follow.
fn roles() -> Vec<Delta> {
    let mut rows = control(|delta| matches!(delta, Delta::Agent(of) if of.callback.is_some()));
    for (n, row) in rows.iter_mut().enumerate() {
        if let Delta::Agent(Agent { callback: Some(callback), .. }) = row {
            callback.since = n as u64;
        }
    }
    rows
}

fn things(delta: &Delta) -> usize {
    if let Delta::Touches(touches) = delta { touches.len() } else { 1 }
}

/// Entries and things a second, and things a second of the thread's own processor time: what others
/// take of a busy machine is not in that.
fn rates(entries: usize, things: usize, [seconds, cpu]: [f64; 2]) -> [f64; 3] {
    let (entries, things) = (entries as f64, things as f64);
    [entries / seconds, things / seconds, things / cpu]
}

/// For how long this thread has been running.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn row(what: &str, how: &str, rates: [f64; 3], readers: &Sample) -> Value {
    let ns = [0.5, 0.99].map(|share| readers.at(share));
    let [entries, things, by_cpu] = rates.map(f64::round);
    json!({
        "what": what, "how": how, "entries_per_second": entries, "rows_per_second": things,
        "rows_per_cpu_second": by_cpu, "reader_p50_ns": ns[0], "reader_p99_ns": ns[1],
    })
}

fn print(rows: &[Value]) {
    println!(
        "{CONTACTS} contacts, readers on every core but one; a decision's p50 and p99 in ns\n"
    );
    println!(
        "{:<28}{:<24}{:>12}{:>12}{:>12}{:>8}{:>8}",
        "", "", "entries/s", "rows/s", "rows/CPU s", "p50", "p99"
    );
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| row[key].as_f64().unwrap_or_default();
        println!(
            "{:<28}{:<24}{:>12.0}{:>12.0}{:>12.0}{:>8.0}{:>8.0}",
            text("what"),
            text("how"),
            number("entries_per_second"),
            number("rows_per_second"),
            number("rows_per_cpu_second"),
            number("reader_p50_ns"),
            number("reader_p99_ns"),
        );
    }
}
