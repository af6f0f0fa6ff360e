//! What a bridge keeps of every call.

use super::*;

const SESSION: &str = include_str!("../../../tests/fixtures/twilio/media_stream_session.jsonl");
const CARRIER: &str = "MZcarrier";

fn start(stream_sid: &str) -> Start {
    Start { stream_sid: stream_sid.to_owned(), call_sid: "CA1".to_owned(), ..Start::default() }
}

fn bridge() -> Bridge {
    let mut bridge = Bridge::new(start("MZours"));
    bridge.begin(start(CARRIER));
    bridge
}

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn audio(chunk: u64) -> String {
    written(|out| messages::write_media(out, CARRIER, chunk + 1, (chunk, chunk * 20), "AAAA"))
}

fn mark(sid: &str, name: &str) -> String {
    written(|out| messages::write_mark(out, sid, None, name))
}

fn dtmf(digit: &str) -> String {
    written(|out| messages::write_dtmf(out, CARRIER, 1, digit))
}

fn for_runtime(bridge: &mut Bridge) -> Vec<String> {
    std::iter::from_fn(|| bridge.next_for_runtime().map(str::to_owned)).collect()
}

fn for_carrier(bridge: &mut Bridge) -> Vec<String> {
    std::iter::from_fn(|| bridge.next_for_carrier().map(str::to_owned)).collect()
}

fn events(frames: &[String]) -> Vec<&'static str> {
    frames
        .iter()
        .map(|frame| match messages::parse(frame).unwrap().message {
            Message::Connected => "connected",
            Message::Start(_) => "start",
            Message::Media(_) => "media",
            Message::Dtmf(_) => "dtmf",
            Message::Mark(_) => "mark",
            Message::Clear => "clear",
            Message::Stop => "stop",
            Message::Unknown => "unknown",
        })
        .collect()
}

#[test]
fn a_whole_session_passes_untouched_and_in_order() {
    let mut lines = SESSION.lines();
    let Message::Start(start) = messages::parse(lines.nth(1).unwrap()).unwrap().message else {
        panic!("no start")
    };
    let mut bridge = Bridge::new(start.clone());
    bridge.begin(start.clone());
    bridge.join(&start);
    assert_eq!(events(&for_runtime(&mut bridge)), ["connected", "start"]);
    for line in lines {
        bridge.from_carrier(line);
        assert_eq!(for_runtime(&mut bridge), [line]);
    }
    let counts = bridge.counts();
    assert_eq!((counts.from_carrier, counts.to_runtime, counts.gaps), (50, 50, 0));
    bridge.carrier_gone();
    assert!(!bridge.has_for_runtime(), "the carrier has said stop itself");
}

#[test]
fn the_oldest_audio_goes_and_everything_else_stays_in_place() {
    let mut bridge = bridge();
    bridge.from_carrier(&dtmf("1"));
    for chunk in 1..=60 {
        bridge.from_carrier(&audio(chunk));
        if chunk == 30 {
            bridge.from_carrier(&dtmf("2"));
        }
    }
    assert_eq!(
        bridge.from_carrier(&written(|out| messages::write_stop(out, &start(CARRIER), 9))),
        FromCarrier::Stop
    );
    bridge.join(&start(CARRIER));
    let frames = for_runtime(&mut bridge);
    assert_eq!(events(&frames[..3]), ["connected", "start", "dtmf"]);
    let expected: Vec<_> =
        (11..=30).map(audio).chain([dtmf("2")]).chain((31..=60).map(audio)).collect();
    assert_eq!(frames[3..54], expected);
    assert_eq!(events(&frames[54..]), ["stop"]);
    assert_eq!(bridge.counts().overflow, 10);
    assert_eq!(bridge.counts().to_runtime, 50);
}

#[test]
fn gaps_are_counted_and_never_filled() {
    let mut bridge = bridge();
    for chunk in [1, 2, 5, 6, 6] {
        bridge.from_carrier(&audio(chunk));
    }
    assert_eq!(bridge.counts().gaps, 2);
    assert_eq!(for_runtime(&mut bridge).len(), 5);
}

#[test]
fn a_runtime_that_reads_nothing_is_given_up() {
    let mut bridge = bridge();
    for _ in 0..CONTROLS_QUEUED_MAX {
        assert_eq!(bridge.from_carrier(&dtmf("1")), FromCarrier::Other);
    }
    assert_eq!(bridge.from_carrier(&dtmf("1")), FromCarrier::Overrun);
}

#[test]
fn a_stream_known_by_another_name_is_renamed_both_ways() {
    let mut bridge = bridge();
    bridge.from_carrier(&audio(1));
    bridge.join(&start("MZours"));
    bridge.from_carrier(&audio(2));
    bridge.from_carrier(&dtmf("1"));
    bridge.carrier_gone();
    for frame in for_runtime(&mut bridge).iter().skip(1) {
        let envelope = messages::parse(frame).unwrap();
        assert_eq!(envelope.stream_sid, "MZours", "{frame}");
    }
    for said in [
        written(|out| messages::write_audio(out, "MZours", "AAAA")),
        r#"{"event":"media","media":{"payload":"AAAA"}}"#.to_owned(),
        r#"{"event":"media","streamSid":"MZ\u006furs","media":{"payload":"AAAA"}}"#.to_owned(),
        mark("MZours", "m"),
        r#"{"event":"clear"}"#.to_owned(),
    ] {
        bridge.from_runtime(&said);
        let frame = bridge.next_for_carrier().unwrap();
        assert_eq!(messages::parse(frame).unwrap().stream_sid, CARRIER, "{frame}");
    }
    assert_eq!(bridge.counts().to_carrier, 3);
}

#[test]
fn what_no_carrier_knows_is_counted_and_kept_from_it() {
    let mut bridge = bridge();
    for said in ["", "{}", "[1]", r#"{"event":"start"}"#, r#"{"event":"hello"}"#] {
        bridge.from_runtime(said);
    }
    assert!(bridge.may_read_runtime());
    assert_eq!(bridge.counts().from_runtime_ignored, 5);
    bridge.from_carrier("{");
    assert_eq!(bridge.counts().from_carrier_ignored, 1);
    // What Twilio invents tomorrow reaches a runtime that may know it.
    bridge.from_carrier(r#"{"event":"weather","streamSid":"MZcarrier"}"#);
    assert_eq!(events(&for_runtime(&mut bridge)), ["unknown"]);
}

#[test]
fn another_runtime_starts_clean() {
    let mut bridge = bridge();
    bridge.join(&start(CARRIER));
    for name in ["a", "b"] {
        bridge.from_runtime(&mark(CARRIER, name));
    }
    assert_eq!(for_carrier(&mut bridge).len(), 2);
    bridge.from_carrier(&mark(CARRIER, "a"));
    bridge.from_carrier(&dtmf("7"));
    bridge.from_carrier(&audio(1));
    bridge.part();
    assert_eq!(events(&for_carrier(&mut bridge)), ["clear"]);

    bridge.join(&start(CARRIER));
    assert_eq!(events(&for_runtime(&mut bridge)), ["connected", "start", "dtmf", "media"]);
    bridge.from_runtime(&mark(CARRIER, "b"));
    assert_eq!(for_carrier(&mut bridge).len(), 1);
    // The carrier returns the dead runtime's mark after `clear`, then the new one's.
    bridge.from_carrier(&mark(CARRIER, "b"));
    assert!(!bridge.has_for_runtime());
    bridge.from_carrier(&mark(CARRIER, "b"));
    assert_eq!(events(&for_runtime(&mut bridge)), ["mark"]);
    assert_eq!(bridge.counts().marks_forgotten, 1);
}

/// A runtime that was joined before the carrier's stream began.
fn ahead() -> Bridge {
    let mut bridge = Bridge::new(start("MZours"));
    bridge.join(&start("MZours"));
    assert_eq!(events(&for_runtime(&mut bridge)), ["connected", "start"]);
    bridge
}

#[test]
fn what_is_said_before_the_carrier_is_there_reaches_it_from_the_first_frame() {
    let mut bridge = ahead();
    for said in [
        written(|out| messages::write_audio(out, "MZours", "AAAA")),
        mark("MZours", "greeted"),
        r#"{"event":"media","media":{"payload":"BBBB"}}"#.to_owned(),
    ] {
        bridge.from_runtime(&said);
    }
    assert!(bridge.may_read_runtime() && bridge.has_audio_for_carrier());
    assert_eq!(bridge.next_for_carrier(), None);
    assert_eq!(bridge.counts().to_carrier, 0, "nobody has heard it yet");

    bridge.begin(start(CARRIER));
    assert!(!bridge.may_read_runtime(), "first what is held");
    let frames = for_carrier(&mut bridge);
    assert_eq!(events(&frames), ["media", "mark", "media"]);
    for frame in &frames {
        assert_eq!(messages::parse(frame).unwrap().stream_sid, CARRIER, "{frame}");
    }
    assert!(frames[0].contains("AAAA") && frames[2].contains("BBBB"));
    assert_eq!((bridge.counts().to_carrier, bridge.counts().marks_played), (2, 0));
    bridge.from_carrier(&audio(1));
    bridge.from_carrier(&mark(CARRIER, "greeted"));
    let told = for_runtime(&mut bridge);
    assert_eq!(events(&told), ["media", "mark"]);
    assert!(told.iter().all(|told| messages::parse(told).unwrap().stream_sid == "MZours"));
    assert_eq!(bridge.counts().marks_played, 1);
}

#[test]
fn what_is_held_has_a_limit_and_nothing_is_lost_at_it() {
    let mut bridge = ahead();
    let mut said = 0;
    while bridge.may_read_runtime() {
        bridge.from_runtime(&written(|out| messages::write_audio(out, "MZours", "AAAA")));
        said += 1;
    }
    assert!(said < HELD_LEN_MAX / HELD_OVERHEAD_LEN, "small messages count");
    bridge.begin(start(CARRIER));
    assert_eq!(for_carrier(&mut bridge).len(), said);
    assert!(bridge.may_read_runtime());
}

#[test]
fn what_a_runtime_takes_back_before_the_carrier_is_there_is_never_heard() {
    let mut bridge = ahead();
    while bridge.may_read_runtime() {
        bridge.from_runtime(&written(|out| messages::write_audio(out, "MZours", "AAAA")));
    }
    bridge.from_runtime(&mark("MZours", "a"));
    bridge.from_runtime(r#"{"event":"clear","streamSid":"MZours"}"#);
    assert!(bridge.may_read_runtime() && !bridge.has_audio_for_carrier());
    bridge.from_runtime(&written(|out| messages::write_audio(out, "MZours", "BBBB")));
    bridge.begin(start(CARRIER));
    let frames = for_carrier(&mut bridge);
    assert_eq!(events(&frames), ["mark", "media"], "its mark still comes back");
    assert!(frames[1].contains("BBBB"));
}

#[test]
fn a_runtime_lost_before_the_carrier_is_there_leaves_nothing_behind() {
    let mut bridge = ahead();
    bridge.from_runtime(&written(|out| messages::write_audio(out, "MZours", "AAAA")));
    bridge.from_runtime(&mark("MZours", "a"));
    bridge.part();
    bridge.join(&start("MZnext"));
    assert_eq!(events(&for_runtime(&mut bridge)), ["connected", "start"]);
    bridge.from_runtime(&mark("MZnext", "a"));
    bridge.begin(start(CARRIER));
    assert_eq!(events(&for_carrier(&mut bridge)), ["mark"]);
    bridge.from_carrier(&mark(CARRIER, "a"));
    assert_eq!(events(&for_runtime(&mut bridge)), ["mark"], "it is the second one's");
    assert_eq!(bridge.counts().marks_forgotten, 0);
}

#[test]
fn a_call_that_never_comes_is_stopped_under_the_name_it_was_started_by() {
    let mut bridge = ahead();
    bridge.carrier_gone();
    let told = for_runtime(&mut bridge);
    assert_eq!(events(&told), ["stop"]);
    assert_eq!(messages::parse(&told[0]).unwrap().stream_sid, "MZours");
}
