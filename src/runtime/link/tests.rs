//! What a link's table keeps of every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use uuid::Uuid;

use super::call::LinkedCall;
use super::table::{End, Lines, OUT_LEN_MAX, Table, Told, WINDOW_LEN};
use crate::domain::{CallId, Target};
use crate::media::liveness::PING_EVERY;
use crate::runtime::dial::Dial;
use crate::runtime::websocket::{Heard, Say, Socket};
use crate::telemetry::clock;

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn taken(table: &Table) -> String {
    let (mut all, mut batch) = (String::new(), String::new());
    while table.take(&mut batch, &mut Vec::new(), &cx()) {
        assert!(batch.ends_with('\n'));
        all.push_str(&batch);
    }
    all
}

/// A call that hears what it is told.
#[derive(Default)]
struct Ear(u32, Lines);

impl Ear {
    fn of(call: u32) -> Self {
        Self(call, Lines::default())
    }

    fn told(&mut self, table: &Table) -> Poll<(Told, &str)> {
        let told = table.poll_told(self.0, &mut self.1, &cx());
        told.map(|told| (told, if told == Told::Message { self.1.last() } else { "" }))
    }
}

#[test]
fn lines_go_to_their_calls_and_nowhere_else() {
    let table = Table::default();
    let (one, two) = (table.open("{}").unwrap(), table.open("{}").unwrap());
    assert_eq!(taken(&table), "1 open {}\n2 open {}\n");
    assert!(table.poll_accepted(one, &cx()).is_pending());
    table.hear("1 accept\n2 {\"b\":1}\n\n9 {}\nx\n1 weather\n1 {\"a\":1}", &mut Vec::new());
    assert_eq!(table.poll_accepted(one, &cx()), Poll::Ready(Ok(true)));
    let (mut first, mut second) = (Ear::of(one), Ear::of(two));
    assert_eq!(first.told(&table), Poll::Ready((Told::Message, "{\"a\":1}")));
    assert!(first.told(&table).is_pending());
    assert_eq!(second.told(&table), Poll::Ready((Told::Message, "{\"b\":1}")));
    table.hear("1 {\"c\":1}\n2 {}\n1 {\"d\":1}", &mut Vec::new());
    assert_eq!(first.told(&table), Poll::Ready((Told::Message, "{\"c\":1}")));
    table.hear("1 {\"e\":1}", &mut Vec::new());
    assert_eq!(first.told(&table), Poll::Ready((Told::Message, "{\"d\":1}")));
    assert_eq!(first.told(&table), Poll::Ready((Told::Message, "{\"e\":1}")));
    assert!(first.told(&table).is_pending());
    assert_eq!(second.told(&table), Poll::Ready((Told::Message, "{}")));
    // A line's end is none within a line.
    table.say(two, "{\n}");
    table.say(9, "{}");
    assert_eq!(taken(&table), "2 { }\n");
    table.hear("2 {\"last\":1}\n2 close 1001\n2 {}", &mut Vec::new());
    assert_eq!(second.told(&table), Poll::Ready((Told::Message, "{\"last\":1}")));
    assert_eq!(second.told(&table), Poll::Ready((Told::Closed(1001), "")));
    table.close(two, 1001);
    table.close(one, 1000);
    assert_eq!(taken(&table), "1 close 1000\n", "who has closed is not told");
    assert_eq!((table.len(), table.open("{}")), (0, Some(3)), "no number comes again");
}

#[test]
fn what_calls_are_told_goes_through_the_same_memory() {
    let table = Table::default();
    let mut ears = [(); 3].map(|()| Ear::of(table.open("").unwrap()));
    let mut places = Vec::new();
    for _ in 0..4 {
        for ear in &mut ears {
            table.hear(&format!("{} {{\"{}\":1}}", ear.0, "a".repeat(400)), &mut Vec::new());
            let Poll::Ready((Told::Message, text)) = ear.told(&table) else { panic!("nothing") };
            places.push(text.as_ptr().addr());
            assert!(ear.told(&table).is_pending());
        }
    }
    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_room_is_woken_once_when_there_is_some() {
    let table = Table::default();
    let (one, two) = (table.open("").unwrap(), table.open("").unwrap());
    taken(&table);
    table.say(one, &" ".repeat(OUT_LEN_MAX));
    let woken = [(); 2].map(|()| Arc::new(Woken::default()));
    for _ in 0..3 {
        for (number, woken) in [one, two].into_iter().zip(&woken) {
            let waker = Waker::from(Arc::clone(woken));
            assert!(table.poll_room(number, &Context::from_waker(&waker)).is_pending());
        }
    }
    table.close(two, 1000);
    assert_eq!(table.poll_room(two, &cx()), Poll::Ready(true), "it says nothing more");
    let (mut batch, mut wakers) = (String::new(), Vec::new());
    while table.take(&mut batch, &mut wakers, &cx()) {}
    wakers.into_iter().for_each(Waker::wake);
    assert_eq!(woken.map(|woken| woken.0.load(Ordering::Relaxed)), [1, 0]);
    assert_eq!(table.poll_room(one, &cx()), Poll::Ready(true));
}

#[test]
fn a_call_is_told_how_much_was_taken_and_closed_past_its_window() {
    let table = Table::default();
    let (one, two) = (table.open("").unwrap(), table.open("").unwrap());
    taken(&table);
    let message = format!("{{\"x\":\"{}\"}}", "y".repeat(1016));
    let fits = WINDOW_LEN / message.len();
    for _ in 0..fits {
        table.hear(&format!("{one} {message}"), &mut Vec::new());
    }
    let (mut first, mut second) = (Ear::of(one), Ear::of(two));
    for _ in 0..fits / 4 {
        assert!(matches!(first.told(&table), Poll::Ready((Told::Message, _))));
    }
    assert_eq!(taken(&table), "");
    // Who asks for the next has taken those before it.
    assert!(matches!(first.told(&table), Poll::Ready((Told::Message, _))));
    assert_eq!(taken(&table), format!("{one} credit {}\n", fits / 4 * message.len()));
    for _ in 0..=fits {
        table.hear(&format!("{two} {message}"), &mut Vec::new());
    }
    assert_eq!(taken(&table), format!("{two} close 1008\n"));
    for _ in 0..fits {
        assert!(matches!(second.told(&table), Poll::Ready((Told::Message, _))));
    }
    assert_eq!(second.told(&table), Poll::Ready((Told::Closed(1008), "")));
}

#[test]
fn what_waits_is_bounded_and_leaves_in_whole_lines() {
    let table = Table::default();
    let call = table.open("").unwrap();
    let message = format!("{{{}}}", " ".repeat(300_000));
    let mut said = 0;
    while table.poll_room(call, &cx()) == Poll::Ready(true) {
        table.say(call, &message);
        said += 1;
    }
    assert!(said <= OUT_LEN_MAX / message.len() + 1);
    assert_eq!(taken(&table).lines().count(), said + 1);
    assert_eq!(table.poll_room(call, &cx()), Poll::Ready(true));
    table.end(End::Over);
    assert_eq!(table.poll_room(call, &cx()), Poll::Ready(false));
    assert_eq!(table.open(""), None);
    assert_eq!(Ear::of(call).told(&table), Poll::Ready((Told::Ended(End::Over), "")));
}

/// A call's life is its link's: it is not given up because the link is too full to take its words,
/// nor because nothing came for it.
#[test]
fn a_call_lives_as_long_as_its_link_however_full_that_is() {
    let table = Arc::new(Table::default());
    let dial = Dial {
        target: Target::Runtime("link:ws://bot/".to_owned()),
        agent: None,
        call: CallId(Uuid::nil()),
        token: String::new(),
        traceparent: String::new(),
    };
    let mut call = LinkedCall::open(&table, &dial).unwrap();
    let message = format!("{{{}}}", " ".repeat(300_000));
    while call.poll_ready(&mut cx()).is_ready() {
        call.say(Say::Text(&message));
    }
    for _ in 0..2 {
        assert_eq!(call.poll_hear(&mut cx()), Poll::Ready(Heard::Alive));
        assert!(call.poll_hear(&mut cx()).is_pending(), "and is not told over and over");
        thread::sleep(PING_EVERY / 2);
    }
    let stalled = clock::instant();
    table.end(End::Stalled(stalled));
    assert_eq!(call.poll_hear(&mut cx()), Poll::Ready(Heard::Lost(stalled)));
}
