//! Fault of the runtime, what stands behind it on the ladder, carrier: in every cell the caller
//! hears what comes next within two seconds, and no call is left over.
//!
//! `cargo test` plays a Latin square: every fault with every carrier, every kind of target with
//! every fault. `SWITCHBACK_FAULTS=all` plays every cell. The table is printed with `--nocapture`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use switchback::simulator::{
    Behaviour, Leg, Person, Pickup, Ringing, Runtime, State, Voice, What, audio,
};
use tokio::sync::Semaphore;

use crate::{
    runtimes::{Fault, Sick},
    stage::{Carrier, Daemon, WAIT, number},
};

/// The promise, from the carrier's `start` or from the failure.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Cells at once: what two busy cores carry in time.
const AT_ONCE: usize = 16;

const CALLER: &str = "+14155550117";
const COLLEAGUE: &str = "+14155550199";
const DESK: &str = "desk@pbx.example.com";
const ELSEWHERE: &str = "http://elsewhere.example.com/voice";

/// What stands behind the sick runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Socket,
    Tel,
    Sip,
    Say,
    Redirect,
    LastResort,
}

impl Next {
    const ALL: [Self; 6] =
        [Self::Socket, Self::Tel, Self::Sip, Self::Say, Self::Redirect, Self::LastResort];

    fn target(self, spare: &Runtime) -> Option<String> {
        Some(match self {
            Self::Socket => spare.url(),
            Self::Tel => format!("tel:{COLLEAGUE}"),
            Self::Sip => format!("sip:{DESK}"),
            Self::Say => "say:One moment.".to_owned(),
            Self::Redirect => format!("redirect:{ELSEWHERE}"),
            Self::LastResort => return None,
        })
    }

    /// When it is heard, if it is.
    fn heard(self, state: &State) -> Option<Duration> {
        let is_it = |what: &What| match (self, what) {
            (Self::Tel, What::Dialled { callee, .. }) => callee == COLLEAGUE,
            (Self::Sip, What::Dialled { callee, .. }) => callee == &format!("sip:{DESK}"),
            (Self::Say, What::Said(text)) => text == "One moment.",
            (Self::LastResort, What::Said(text)) => text != "One moment.",
            (Self::Redirect, What::HandedOver(url)) => url == ELSEWHERE,
            _ => false,
        };
        state.moments.iter().find(|moment| is_it(&moment.what)).map(|moment| moment.at)
    }
}

/// One cell, as it was played.
struct Cell {
    fault: Fault,
    next: Next,
    carrier: usize,
    /// How long nothing was heard; why it is none.
    silent: Result<Duration, String>,
}

impl Cell {
    fn is_in_time(&self) -> bool {
        self.silent.as_ref().is_ok_and(|silent| *silent <= SILENCE_MAX)
    }
}

/// Everything a cell needs.
struct Hall {
    daemon: Daemon,
    carriers: Vec<Carrier>,
    spare: Runtime,
    greeting: Vec<u8>,
}

impl Hall {
    /// Plays a cell; none where the carrier cannot do that target.
    async fn play(&self, cell: usize, fault: Fault, next: Next, place: usize) -> Option<Cell> {
        let carrier = &self.carriers[place];
        let sick = Sick::start(fault).await;
        let dnis = number(place, cell);
        let targets: Vec<String> =
            std::iter::once(sick.url.clone()).chain(next.target(&self.spare)).collect();
        if !self.daemon.desk(carrier, &dnis, &targets).await {
            return None;
        }
        let ringing = Ringing { from: CALLER.to_owned(), to: dnis, ..Ringing::default() };
        let leg = carrier.exchange.ring(ringing).unwrap();
        let silent = self.silent(&leg, sick, fault, next).await;
        leg.hang_up();
        Some(Cell { fault, next, carrier: place, silent })
    }

    /// From `start`, or from the failure, to what is heard next.
    async fn silent(
        &self,
        leg: &Arc<Leg>,
        sick: Sick,
        fault: Fault,
        next: Next,
    ) -> Result<Duration, String> {
        let tell = |what: &str| format!("{what}: {:?}", leg.state().moments);
        let open = leg.happens(WAIT, |what| matches!(what, What::Connected(_))).await;
        let mut began = leg.facts.started + open.ok_or_else(|| tell("no socket"))?.at;
        if fault.is_later() {
            let mut fell = sick.fell.clone();
            let fell = tokio::time::timeout(WAIT, fell.wait_for(Option::is_some)).await;
            began = fell.ok().and_then(|at| at.ok()?.as_ref().copied()).ok_or(tell("never ill"))?;
        }
        let heard = match next {
            Next::Socket => self.hears_spare(leg).await,
            other => leg
                .until(WAIT, |state| other.heard(state).is_some())
                .await
                .and_then(|state| other.heard(&state).map(|at| leg.facts.started + at)),
        };
        let heard = heard.ok_or_else(|| tell("nothing is heard"))?;
        Ok(heard.saturating_duration_since(began))
    }

    /// When the next runtime is heard.
    async fn hears_spare(&self, leg: &Leg) -> Option<Instant> {
        // A tenth of a second: enough to know who speaks.
        let first = &self.greeting[..audio::FRAME_LEN * 5];
        let hears = |state: &State| audio::contains(&audio::audible(&state.heard), first);
        leg.until(WAIT, hears).await?;
        Some(switchback::telemetry::clock::instant())
    }
}

#[expect(clippy::disallowed_methods, reason = "it is the test that is told, not the daemon")]
fn is_whole() -> bool {
    std::env::var("SWITCHBACK_FAULTS").is_ok_and(|word| word == "all")
}

/// The cells to play: fault, next, carrier.
fn cells(carriers: usize) -> Vec<(Fault, Next, usize)> {
    let mut cells = Vec::new();
    for (row, fault) in Fault::ALL.into_iter().enumerate() {
        for (column, next) in Next::ALL.into_iter().enumerate() {
            let is_due = |place: &usize| is_whole() || (row + place) % Next::ALL.len() == column;
            cells.extend((0..carriers).filter(is_due).map(|place| (fault, next, place)));
        }
    }
    cells
}

fn print(hall: &Hall, cells: &[Cell]) {
    let mut rows: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for cell in cells {
        let shown = match &cell.silent {
            Ok(silent) => format!("{:.2} s", silent.as_secs_f64()),
            Err(_) => "never".to_owned(),
        };
        let key = (format!("{:?}", cell.fault), format!("{:?}", cell.next));
        rows.entry(key).or_default().push(format!("{} {shown}", hall.carriers[cell.carrier].kind));
    }
    println!("silent, by fault, next target and carrier:");
    for ((fault, next), row) in rows {
        println!("{fault:>10} then {next:<10} {}", row.join(", "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_hears_something_whatever_fails() {
    let daemon = Daemon::start().await;
    let carriers = Carrier::all(&daemon).await;
    let greeting = audio::chime(523.0, 659.0);
    let spare = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    for carrier in &carriers {
        let stays = Some(Duration::from_secs(60));
        let then = Pickup::Answers(Voice { stays, ..Voice::default() });
        for callee in [COLLEAGUE.to_owned(), format!("sip:{DESK}")] {
            let person = Person { then: then.clone(), ..Person::default() };
            carrier.exchange.people(&callee, person);
        }
    }
    let cells = cells(carriers.len());
    let hall = Arc::new(Hall { daemon, carriers, spare, greeting });
    let turn = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = tokio::task::JoinSet::new();
    for (place, (fault, next, carrier)) in cells.into_iter().enumerate() {
        let (hall, turn) = (Arc::clone(&hall), Arc::clone(&turn));
        playing.spawn(async move {
            let _turn = turn.acquire().await.unwrap();
            hall.play(place, fault, next, carrier).await
        });
    }
    let played: Vec<Cell> = playing.join_all().await.into_iter().flatten().collect();
    print(&hall, &played);
    let mut late: Vec<String> =
        played.iter().filter_map(|cell| cell.silent.clone().err()).collect();
    for (place, cell) in
        played.iter().enumerate().filter(|(_, cell)| !cell.is_in_time() && cell.silent.is_ok())
    {
        // Sixteen calls, a daemon and whatever else this machine does: once more, alone.
        let Cell { fault, next, carrier, .. } = *cell;
        let again = hall.play(5000 + place, fault, next, carrier).await.unwrap();
        if !again.is_in_time() {
            let (kind, silent) = (hall.carriers[carrier].kind, again.silent);
            late.push(format!("{fault:?} then {next:?} with {kind}: {silent:?}"));
        }
    }
    assert!(late.is_empty(), "{late:#?}");
    assert!(played.len() >= Fault::ALL.len() * (hall.carriers.len() - 1));
    assert_eq!(hall.daemon.left_over(WAIT).await, 0, "a call is stuck");
    let hall = Arc::into_inner(hall).unwrap();
    assert_eq!(hall.daemon.stop().await.cut, 0);
}
