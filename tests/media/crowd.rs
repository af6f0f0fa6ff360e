//! Many calls whose runtimes are opened ahead, over pipes in memory: every kind of runtime, every
//! way a call may come or not, and then nothing left behind. One seed says all of it:
//!
//!     SWITCHBACK_SEED=7 SWITCHBACK_CALLS=1000000 cargo test --test media crowd -- --ignored

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use switchback::calls::{Event, Facts};
use switchback::domain::{CallEnd, CallId, CallStatus};
use switchback::edge::prewarm::{Prewarms, Settings};
use switchback::edge::report::{End, Report};
use switchback::edge::session::{Wiring, carry, carry_ahead};
use switchback::edge::socket::Arrival;
use switchback::media::messages::{self, Message as Said, Start};
use switchback::runtime::{Dial, DialError, Dialer};
use switchback::telemetry::clock;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use uuid::Uuid;

use crate::stage::{agent, facts, number, payload, served, wiring};

/// Calls at once: more of them begin only to wait for the processor.
const AT_ONCE: u32 = 500;

/// Fewer than those, so that some calls find no room.
const AHEAD_MAX: usize = 400;

/// How long a call's socket is waited for; some come later.
const LIFE: Duration = Duration::from_millis(60);

/// What no side waits longer for.
const PATIENCE: Duration = Duration::from_secs(60);

/// One call's chances, the same for the same seed and call, whatever runs beside it.
struct Chance(u64);

impl Chance {
    /// One of so many. (SplitMix64.)
    fn of(&mut self, many: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % many
    }
}

/// What all runtimes together came to.
#[derive(Default)]
struct Runtimes {
    opened: AtomicU64,
    ended: AtomicU64,
    /// Told `start` and left without `stop` or a close, though they had not gone themselves.
    orphaned: AtomicU64,
}

#[derive(Default)]
struct Calls {
    used: AtomicU64,
    never_came: AtomicU64,
    cold: AtomicU64,
    heard: AtomicU64,
}

/// One runtime: its kind is in the call's id and its place.
async fn run(pipe: DuplexStream, mut chance: Chance, all: Arc<Runtimes>) {
    let mut socket = WebSocketStream::from_raw_socket(pipe, Role::Server, None).await;
    let kind = chance.of(6);
    let has_gone = serve(&mut socket, kind, &mut chance).await;
    // All but the last kind have read it.
    let (mut has_started, mut has_stopped, mut code) = (kind != 5, false, None);
    if !has_gone {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => {
                    let said = messages::parse(&text).unwrap().message;
                    has_stopped |= said == Said::Stop;
                    has_started |= matches!(said, Said::Start(_));
                }
                Message::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
                _ => {}
            }
        }
        // One given up while it shook hands was told nothing.
        if has_started && (code.is_none() || (code == Some(1000) && !has_stopped)) {
            println!("an orphan of kind {kind}: stop {has_stopped}, close {code:?}");
            all.orphaned.fetch_add(1, Ordering::Relaxed);
        }
    }
    all.ended.fetch_add(1, Ordering::Relaxed);
}

/// Whether it has gone by itself.
async fn serve(socket: &mut WebSocketStream<DuplexStream>, kind: u64, chance: &mut Chance) -> bool {
    let close =
        |code: u16| Message::Close(Some(CloseFrame { code: code.into(), reason: "".into() }));
    let mut start = None;
    if kind != 5 {
        while start.is_none() {
            let Some(Ok(Message::Text(text))) = socket.next().await else { return true };
            if let Said::Start(found) = messages::parse(&text).unwrap().message {
                start = Some(found);
            }
        }
    }
    let Some(start) = start else { return false };
    sleep(Duration::from_millis(chance.of(20))).await;
    let frames = if kind == 0 { 0 } else { chance.of(40) };
    for n in 0..frames {
        let mut text = String::new();
        messages::write_audio(&mut text, &start.stream_sid, &payload(n));
        // It was said good-bye to, and had its half second to listen; what it was told cannot be
        // read any more, since a ping before it would have to be answered.
        if socket.send(Message::text(text)).await.is_err() {
            return true;
        }
    }
    match kind {
        1 => socket.send(close(1011)).await.is_ok(),
        2 => socket.send(close(1000)).await.is_ok(),
        // Without a word.
        3 => true,
        _ => false,
    }
}

struct House {
    seed: u64,
    wiring: Wiring,
    prewarms: Prewarms,
    runtimes: Arc<Runtimes>,
    calls: Calls,
}

impl House {
    fn new(seed: u64) -> Self {
        let runtimes = Arc::new(Runtimes::default());
        let simulated = {
            let runtimes = Arc::clone(&runtimes);
            move |dial: &Dial| {
                let place = dial.target.to_string().len() as u64;
                let mut chance = Chance(seed ^ dial.call.0.as_u64_pair().1 ^ place);
                if chance.of(5) == 0 {
                    return Err(DialError::Refused);
                }
                let (near, far) = duplex(16 * 1024);
                runtimes.opened.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(run(far, chance, Arc::clone(&runtimes)));
                Ok(near)
            }
        };
        let wiring = wiring();
        let dialer: Dialer = wiring.dialer.clone().simulating(Arc::new(simulated));
        let settings = Settings { at_once_max: AHEAD_MAX, life: LIFE, ..Settings::default() };
        Self {
            seed,
            wiring: Wiring { dialer, ..wiring },
            prewarms: Prewarms::new(settings),
            runtimes,
            calls: Calls::default(),
        }
    }

    /// One call, from its decision to its end.
    async fn call(&self, n: u64) {
        let mut chance = Chance(self.seed.wrapping_add(n << 20));
        let rungs = if chance.of(3) == 0 { 1 } else { 3 };
        let ladder = ["ws://one.example/", "ws://the-other.example/", "builtin:echo"];
        let ladder: Vec<_> = ladder.map(str::to_owned).into_iter().take(rungs).collect();
        let facts = facts(agent(2, &ladder), &format!("CA{n:032x}"));
        let id = CallId(Uuid::from_u64_pair(n, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let live = self.wiring.live.open(Facts { id, ..facts }, CallStatus::Ringing, clock::now());
        let ahead = self.prewarms.expect(id, 0).map(|expected| {
            let (wiring, live) = (self.wiring.clone(), Arc::clone(&live));
            tokio::spawn(async move {
                let start = start("MZours", &live.facts.carrier_call_id);
                carry_ahead(expected, start, live, 0, String::new(), &wiring).await
            })
        });
        let until_then = Duration::from_millis(chance.of(90));
        let (comes, then) = (chance.of(3) > 0, chance.of(4));
        sleep(until_then).await;
        if comes {
            self.media_comes(&live, ahead, &mut chance).await;
        } else {
            match then {
                0 => drop(live.hang_up(CallEnd::Api)),
                1 => self.prewarms.pass(id, 1),
                2 => self.over(&live),
                // Nothing is heard of it any more.
                _ => {}
            }
            if let Some(ahead) = ahead {
                self.ended(&ahead_report(ahead).await);
            }
        }
        self.over(&live);
    }

    async fn media_comes(
        &self,
        live: &Arc<switchback::calls::LiveCall>,
        ahead: Option<tokio::task::JoinHandle<Report>>,
        chance: &mut Chance,
    ) {
        let (near, far) = duplex(16 * 1024);
        let server = served(far);
        let mut carrier = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let start = start("MZcarrier", &live.facts.carrier_call_id);
        let arrival = Arrival { socket: Box::new(server), start, open: None };
        let session = match self.prewarms.hand_over(live.facts.id, 0, arrival) {
            None => ahead.unwrap(),
            Some(arrival) => {
                self.calls.cold.fetch_add(1, Ordering::Relaxed);
                if let Some(ahead) = ahead {
                    self.ended(&ahead_report(ahead).await);
                }
                let (wiring, live) = (self.wiring.clone(), Arc::clone(live));
                tokio::spawn(async move { carry(arrival, live, 0, String::new(), &wiring).await })
            }
        };
        let talk = Duration::from_millis(chance.of(30));
        let mut heard = Vec::new();
        let listened = timeout(talk, async {
            while let Some(Ok(message)) = carrier.next().await {
                if let Message::Text(text) = message {
                    let envelope = messages::parse(&text).unwrap();
                    assert_eq!(envelope.stream_sid, "MZcarrier", "{text}");
                    if envelope.message == Said::Clear {
                        heard.clear();
                    }
                    heard.extend(number(&envelope.message));
                }
            }
        });
        drop(listened.await);
        // Of whoever is heard, from the first frame on and in order.
        assert!(heard.iter().copied().eq(0..heard.len() as u64), "{heard:?}");
        self.calls.heard.fetch_add(heard.len() as u64, Ordering::Relaxed);
        if chance.of(2) == 0 {
            let mut text = String::new();
            messages::write_stop(&mut text, &Start::default(), 9);
            drop(carrier.send(Message::text(text)).await);
        }
        drop(carrier);
        self.ended(&ahead_report(session).await);
    }

    fn over(&self, live: &switchback::calls::LiveCall) {
        let (at, status) = (clock::now(), CallStatus::Completed);
        self.wiring.live.apply(live, Event::Status { status, at }, at);
    }

    fn ended(&self, report: &Report) {
        let never_came = report.end == End::NeverCame;
        let counted = if never_came { &self.calls.never_came } else { &self.calls.used };
        counted.fetch_add(1, Ordering::Relaxed);
        assert_eq!(never_came, report.began_at.is_none());
        assert!(!never_came || report.counts.to_carrier == 0);
    }
}

async fn ahead_report(session: tokio::task::JoinHandle<Report>) -> Report {
    timeout(PATIENCE, session).await.unwrap().unwrap()
}

fn start(stream_sid: &str, call_sid: &str) -> Start {
    Start { stream_sid: stream_sid.to_owned(), call_sid: call_sid.to_owned(), ..Start::default() }
}

async fn check(seed: u64, calls: u64) {
    println!("seed {seed}, {calls} calls");
    let house = Arc::new(House::new(seed));
    let slots = Arc::new(Semaphore::new(AT_ONCE as usize));
    let began = clock::instant();
    for n in 0..calls {
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            house.call(n).await;
            drop(slot);
        });
    }
    drop(timeout(PATIENCE, slots.acquire_many(AT_ONCE)).await.unwrap());
    assert!(house.prewarms.is_empty() && house.prewarms.expected() == 0);
    assert!(house.wiring.live.is_empty());
    // Good-byes of runtimes that were left in mid-call may be on their way.
    let Runtimes { opened, ended, orphaned } = house.runtimes.as_ref();
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    for _ in 0..200 {
        if load(ended) == load(opened) {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let Calls { used, never_came, cold, heard } = &house.calls;
    println!(
        "{:?}: {} used, {} never came, {} cold, {} frames heard; {} runtimes opened",
        began.elapsed(),
        load(used),
        load(never_came),
        load(cold),
        load(heard),
        load(opened)
    );
    assert_eq!(load(ended), load(opened), "every runtime's socket has ended");
    assert_eq!(load(orphaned), 0, "and every runtime was told");
    for count in [used, never_came, cold, heard] {
        assert!(load(count) > calls / 100, "the crowd is of every kind");
    }
}

fn given(name: &str, default: u64) -> u64 {
    std::env::vars()
        .find(|(key, _)| key == name)
        .map_or(default, |(_, value)| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_left_behind() {
    check(given("SWITCHBACK_SEED", 1), 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nobody_is_left_behind_by_many() {
    check(given("SWITCHBACK_SEED", 1), given("SWITCHBACK_CALLS", 100_000)).await;
}
