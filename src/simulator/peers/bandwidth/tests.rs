//! Bandwidth's peer against what was recorded of Bandwidth.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::simulator::{leg::Facts, peers::Station};

fn fixture(name: &str) -> Value {
    let text = fs::read(format!("tests/fixtures/bandwidth/{name}")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn names(body: &str) -> BTreeSet<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    let names = body.as_object().unwrap().keys().cloned();
    // A dialer's own label.
    names.filter(|name| name != "tag").collect()
}

/// The names of a recorded event.
fn recorded(id: &str) -> BTreeSet<String> {
    let file = fixture("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    let found = webhooks.iter().find(|webhook| webhook["id"] == id).unwrap();
    names(found["body"].as_str().unwrap())
}

fn leg(direction: Direction, status: CallStatus) -> Leg {
    let facts = Facts {
        sid: Bandwidth.call_id(),
        account_sid: "9915855".to_owned(),
        application_id: "1ed8a1e0-93a5-47a9-8b32-ceb63719acb1".to_owned(),
        from: "+19195550197".to_owned(),
        to: "+18185550101".to_owned(),
        direction,
        created_at: UnixMillis(1_767_268_800_000),
        started: clock::instant(),
        stir_verstat: None,
        forwarded_from: None,
    };
    Leg::new(facts, status)
}

#[test]
fn events_are_as_recorded() {
    let inbound = leg(Direction::Inbound, CallStatus::Completed);
    let outbound = leg(Direction::Outbound, CallStatus::NoAnswer);
    let asked = |leg: &Leg, asking: &Asking| names(&Bandwidth.ask(leg, asking).body);
    assert_eq!(asked(&inbound, &Asking::default()), recorded("initiate"));
    let told = |leg: &Leg| {
        let event = StationEvent { station: Station::Completed, sequence: 0, seconds: None };
        names(&Bandwidth.station(leg, &event, "https://h/").body)
    };
    assert_eq!(told(&outbound), recorded("disconnect_timeout"));
    let answered = |leg: &Leg| leg.change(|state| state.answered = Some(clock::instant()));
    answered(&inbound);
    answered(&outbound);
    assert_eq!(told(&inbound), recorded("disconnect_hangup"));
    assert_eq!(asked(&outbound, &Asking::default()), recorded("answer_outbound"));
    let detected = Bandwidth.detected(&outbound, Who::Human, "https://h/");
    assert_eq!(names(&detected.body), recorded("machine_detection_complete"));
    let stream = Stream { status_callback: Some("https://h/".to_owned()), ..Stream::default() };
    let told = |what: StreamTold| {
        names(&Bandwidth.stream_told(&inbound, &stream, "s-1", &what).unwrap().body)
    };
    assert_eq!(told(StreamTold::Started), recorded("media_stream_started"));
    assert_eq!(told(StreamTold::Stopped), recorded("media_stream_stopped"));
    let failed = StreamTold::Failed(Problem::schema("connect timed out"));
    assert_eq!(told(failed), recorded("media_stream_rejected"));
}

#[test]
fn documents_are_read_and_others_refused() {
    let read = |document: &str| answer::parse("application/xml", document.as_bytes());
    let refused = |inner: &str| read(&format!("<Response>{inner}</Response>")).is_err();
    let start = "<StartStream name=\"a\" mode=\"bidirectional\" tracks=\"inbound\" \
                 destination=\"wss://h/\"/>";
    assert!(refused(start), "nothing waits for it");
    assert!(refused(&format!("{start}<StopStream name=\"a\"/>")));
    assert!(refused(&format!("{start}<StopStream name=\"b\" wait=\"true\"/>")));
    assert!(refused(&format!("{start}<StopStream name=\"a\" wait=\"True\"/>")));
    assert!(!refused(&format!("{start}<StopStream name=\"a\" wait=\"true\"/>")));
    assert!(refused("<Say>Twilio's</Say>"));
    assert!(refused("<Redirect redirectUrl=\"/a\"/><Hangup/>"));
    assert!(refused("<Pause duration=\"0\"/>"));
    assert_eq!(read("<Response/>"), Ok(Vec::new()));
    let file = fixture("answer_documents.json");
    for document in file["documents"].as_array().unwrap() {
        let id = document["id"].as_str().unwrap();
        let read = read(document["xml"].as_str().unwrap());
        // The older way to hold a call is not played; and it asks its customer without a user.
        let is_odd = ["agent_bridge_pause", "transfer"].contains(&id);
        assert_eq!(read.is_err(), is_odd, "{id}: {read:?}");
    }
}
