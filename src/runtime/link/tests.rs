//! What a link's table keeps of every call.

use std::task::{Context, Poll, Waker};

use super::table::{End, OUT_LEN_MAX, Table, Told, WINDOW_LEN};

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn taken(table: &Table) -> String {
    let (mut all, mut batch) = (String::new(), String::new());
    while table.take(&mut batch, &cx()) {
        assert!(batch.ends_with('\n'));
        all.push_str(&batch);
    }
    all
}

fn told(table: &Table, call: u32) -> Poll<(Told, String)> {
    let mut text = String::new();
    table.poll_told(call, &mut text, &cx()).map(|told| (told, text))
}

#[test]
fn lines_go_to_their_calls_and_nowhere_else() {
    let table = Table::default();
    let (one, two) = (table.open("{}").unwrap(), table.open("{}").unwrap());
    assert_eq!(taken(&table), "1 open {}\n2 open {}\n");
    assert!(table.poll_accepted(one, &cx()).is_pending());
    table.hear("1 accept\n2 {\"b\":1}\n\n9 {}\nx\n1 weather\n1 {\"a\":1}", &mut Vec::new());
    assert_eq!(table.poll_accepted(one, &cx()), Poll::Ready(Ok(true)));
    assert_eq!(told(&table, one), Poll::Ready((Told::Message, "{\"a\":1}".to_owned())));
    assert!(told(&table, one).is_pending());
    assert_eq!(told(&table, two), Poll::Ready((Told::Message, "{\"b\":1}".to_owned())));
    // A line's end is none within a line.
    table.say(two, "{\n}");
    table.say(9, "{}");
    assert_eq!(taken(&table), "2 { }\n");
    table.hear("2 {\"last\":1}\n2 close 1001\n2 {}", &mut Vec::new());
    assert_eq!(told(&table, two), Poll::Ready((Told::Message, "{\"last\":1}".to_owned())));
    assert_eq!(told(&table, two), Poll::Ready((Told::Closed(1001), String::new())));
    table.close(two, 1001);
    table.close(one, 1000);
    assert_eq!(taken(&table), "1 close 1000\n", "who has closed is not told");
    assert_eq!((table.len(), table.open("{}")), (0, Some(3)), "no number comes again");
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
    for _ in 0..fits / 4 {
        assert!(matches!(told(&table, one), Poll::Ready((Told::Message, _))));
    }
    assert_eq!(taken(&table), format!("{one} credit {}\n", fits / 4 * message.len()));
    for _ in 0..=fits {
        table.hear(&format!("{two} {message}"), &mut Vec::new());
    }
    assert_eq!(taken(&table), format!("{two} close 1008\n"));
    for _ in 0..fits {
        assert!(matches!(told(&table, two), Poll::Ready((Told::Message, _))));
    }
    assert_eq!(told(&table, two), Poll::Ready((Told::Closed(1008), String::new())));
}

#[test]
fn what_waits_is_bounded_and_leaves_in_whole_lines() {
    let table = Table::default();
    let call = table.open("").unwrap();
    let message = format!("{{{}}}", " ".repeat(300_000));
    let mut said = 0;
    while table.poll_room(&cx()) == Poll::Ready(true) {
        table.say(call, &message);
        said += 1;
    }
    assert!(said <= OUT_LEN_MAX / message.len() + 1);
    assert_eq!(taken(&table).lines().count(), said + 1);
    assert_eq!(table.poll_room(&cx()), Poll::Ready(true));
    table.end(End::Over);
    assert_eq!(table.poll_room(&cx()), Poll::Ready(false));
    assert_eq!(table.open(""), None);
    assert_eq!(told(&table, call), Poll::Ready((Told::Ended(End::Over), String::new())));
}
