use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    Answer, Feed, Live, Maker, Mishap, Pace, Place, Plan, Ready, Settings, Suspicion, Tally, feed,
    run,
};
use crate::telemetry::clock;

/// The same request for ever.
struct Same;

impl Maker for Same {
    async fn make(&self, _n: u64) -> Result<Ready, String> {
        Ok(Ready { bytes: b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), reader: 0 })
    }
}

/// A server whose every answer comes at once, but for those asked for in the time that it stalls.
fn server(stalls: std::ops::Range<Duration>, said: &'static str) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        let listener = TcpListener::from_std(listener).unwrap();
        let started = clock::instant();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let stalls = stalls.clone();
            tokio::spawn(async move {
                let mut asked = [0; 512];
                while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                    if stalls.contains(&started.elapsed()) {
                        tokio::time::sleep(stalls.end - started.elapsed()).await;
                    }
                    drop(stream.write_all(said.as_bytes()).await);
                }
            });
        }
    };
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve);
    });
    address
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NEVER: std::ops::Range<Duration> = Duration::ZERO..Duration::ZERO;

fn load(server: SocketAddr, pace: Pace, connections: usize, steady_ms: u64) -> Tally {
    let (ramp, steady) = (Duration::ZERO, Duration::from_millis(steady_ms));
    let plan = Plan { pace, ramp, steady, requests_max: None };
    let check = |_: usize, answer: &Answer<'_>| match answer.status {
        200 => Ok(()),
        status => Err((Mishap::Status(status), format!("status {status}"))),
    };
    let settings = Settings {
        plan,
        place: Place::of(&format!("http://{server}")).unwrap(),
        connections,
        timeout: Duration::from_secs(2),
        check: Arc::new(check),
    };
    let Feed { sources, maker } = feed(Same, plan.count(), 1, 1000).unwrap();
    let tally = run(&settings, sources, &Arc::new(Live::default())).unwrap();
    maker.join().unwrap().unwrap();
    tally
}

fn ms(histogram: &Histogram<u64>, share: f64) -> u64 {
    histogram.value_at_quantile(share) / 1000
}

#[test]
fn a_stalled_server_is_seen_by_all_who_would_have_come() {
    let stalls = Duration::from_millis(200)..Duration::from_millis(600);
    let tally = load(server(stalls, OK), Pace::Open(500.0), 4, 1000);
    assert_eq!((tally.sent, tally.answered, tally.failures()), (500, 500, 0));
    // Two hundred came while it stalled. Only four of them had a connection to wait on, which is
    // all that who asks only after an answer would have seen.
    assert!(ms(&tally.latency, 0.8) > 100, "{}", ms(&tally.latency, 0.8));
    assert!(ms(&tally.service, 0.95) < 100, "{}", ms(&tally.service, 0.95));
    assert!(ms(&tally.latency, 1.0) >= 350 && tally.queued > 100);
    let stalled = tally.course.iter().filter(|moment| moment.latency.max() > 50_000).count();
    assert!((3..8).contains(&stalled), "{stalled} stretches of 100 ms");
}

#[test]
fn who_is_never_reached_counts_with_the_wait() {
    let stalls = Duration::from_millis(100)..Duration::from_secs(60);
    let tally = load(server(stalls, OK), Pace::Open(200.0), 2, 500);
    let unsent = tally.failed.get(&Mishap::NotSent).copied().unwrap_or(0);
    assert!(unsent > 60, "{unsent}");
    assert_eq!(tally.failed.get(&Mishap::TimedOut), Some(&2));
    assert!(ms(&tally.latency, 0.9) > 400);
}

#[test]
fn a_rate_that_nobody_can_keep_is_the_generators_own() {
    let tally = load(server(NEVER, OK), Pace::Open(3e6), 8, 300);
    let found = Suspicion::of(&tally, Pace::Open(3e6));
    assert!(!found.is_empty(), "{:?}", tally.threads);
    let calm = load(server(NEVER, OK), Pace::Open(50.0), 2, 300);
    assert_eq!((calm.sent, calm.failures()), (15, 0));
    assert!(calm.threads.iter().all(|busy| busy.share() < 0.5), "{:?}", calm.threads);
}

#[test]
fn a_closed_loop_asks_as_fast_as_it_is_answered() {
    let tally = load(server(NEVER, OK), Pace::Closed, 4, 300);
    assert!(tally.answered > 60 && tally.failures() == 0, "{}", tally.answered);
    assert!(tally.rate() > 200.0 && tally.connections == 4, "{}", tally.rate());
}

#[test]
fn failures_are_counted_by_their_kind() {
    let refused = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let tally = load(server(NEVER, refused), Pace::Open(100.0), 2, 200);
    assert_eq!(tally.failed.get(&Mishap::Status(503)), Some(&20));
    assert!(tally.connections > 10 && tally.told[0].contains("503"), "{:?}", tally.told);
    let tally = load(server(NEVER, "hello\r\n"), Pace::Open(100.0), 2, 100);
    assert_eq!(tally.failed.get(&Mishap::NotHttp), Some(&10));
}

#[test]
fn it_can_be_ended_before_its_time() {
    let (live, ended) = (Arc::new(Live::default()), Arc::new(AtomicU64::new(0)));
    let plan = Plan {
        pace: Pace::Open(100.0),
        ramp: Duration::ZERO,
        steady: Duration::from_secs(60),
        requests_max: None,
    };
    let settings = Settings {
        plan,
        place: Place::of(&format!("http://{}", server(NEVER, OK))).unwrap(),
        connections: 2,
        timeout: Duration::from_secs(2),
        check: Arc::new(|_, _| Ok(())),
    };
    let Feed { sources, .. } = feed(Same, plan.count(), 2, 100).unwrap();
    let stopper = Arc::clone(&live);
    let (live, settings) = (live, settings);
    let watched = Arc::clone(&ended);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        watched.store(1, Ordering::Relaxed);
        stopper.stop();
    });
    let tally = run(&settings, sources, &live).unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert!((10..60).contains(&tally.answered) && tally.failures() == 0, "{}", tally.answered);
    assert!(tally.lasted < Duration::from_secs(2));
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings {
        plan: Plan {
            pace: Pace::Closed,
            ramp: Duration::ZERO,
            steady: Duration::from_millis(100),
            requests_max: Some(10),
        },
        place: Place::of(&format!("http://{port}")).unwrap(),
        connections: 2,
        timeout: Duration::from_secs(2),
        check: Arc::new(|_, _| Ok(())),
    };
    let Feed { sources, .. } = feed(Same, Some(10), 1, 10).unwrap();
    let error = run(&settings, sources, &Arc::new(Live::default())).unwrap_err();
    assert!(error.contains("cannot connect"), "{error}");
}
