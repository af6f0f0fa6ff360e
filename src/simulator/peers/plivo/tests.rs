//! Plivo's peer against what was recorded of Plivo.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::simulator::{leg::Facts, peers::form::Sent};

/// The names of a recorded request.
fn recorded(id: &str) -> BTreeSet<String> {
    let text = fs::read("tests/fixtures/plivo/webhooks.json").unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let webhooks = file["webhooks"].as_array().unwrap();
    let found = webhooks.iter().find(|webhook| webhook["id"] == id).unwrap();
    names(found["body"].as_str().unwrap())
}

fn names(body: &str) -> BTreeSet<String> {
    let form = Sent::read(body.as_bytes());
    // What it costs is said with some and not with others.
    form.pairs().map(|(name, _)| name.to_owned()).filter(|name| name != "BillRate").collect()
}

fn leg(direction: Direction, status: CallStatus) -> Leg {
    let facts = Facts {
        sid: Plivo.call_id(),
        account_sid: "MAMO7XWB2XYF3PE8DP3J".to_owned(),
        application_id: String::new(),
        from: "+19195550154".to_owned(),
        to: "+12125550147".to_owned(),
        direction,
        created_at: UnixMillis(1_767_268_800_000),
        started: clock::instant(),
        stir_verstat: None,
        forwarded_from: None,
    };
    Leg::new(facts, status)
}

#[test]
fn requests_are_as_recorded() {
    let (inbound, outbound) = (
        leg(Direction::Inbound, CallStatus::Completed),
        leg(Direction::Outbound, CallStatus::NoAnswer),
    );
    let asked = |leg: &Leg, asking: &Asking| names(&Plivo.ask(leg, asking).body);
    let nothing = Asking::default();
    assert_eq!(asked(&inbound, &nothing), recorded("answer_inbound"));
    assert_eq!(asked(&outbound, &nothing), recorded("answer_outbound"));
    let dialled = super::super::Dialled { outcome: CallStatus::Completed, talked: None };
    let dialled = Asking { dialled: Some(dialled), ..nothing };
    assert_eq!(asked(&inbound, &dialled), recorded("dial_action_answered"));
    let told = |leg: &Leg, station| {
        let event = StationEvent { station, sequence: 0, seconds: Some(42) };
        names(&Plivo.station(leg, &event, "https://h/").body)
    };
    assert_eq!(told(&outbound, Station::Ringing), recorded("ring_outbound"));
    assert_eq!(told(&outbound, Station::Completed), recorded("hangup_outbound_no_answer"));
    assert_eq!(told(&inbound, Station::Completed), recorded("hangup_inbound_completed"));
    let detected = Plivo.detected(&outbound, Who::Machine, "https://h/");
    assert_eq!(names(&detected.body), recorded("machine_detected"));
}

#[test]
fn recorded_documents_are_read_and_others_refused() {
    let read = |document: &str| answer::parse("text/xml", document.as_bytes());
    let refused = |inner: &str| read(&format!("<Response>{inner}</Response>")).unwrap_err().code;
    assert_eq!(refused("<Say>Twilio's</Say>"), 8011);
    assert_eq!(refused("<Reject/>"), 8011);
    assert_eq!(refused("<Hangup reason=\"tired\"/>"), 8011);
    assert_eq!(refused("<Stream bidirectional=\"true\">wss://h/</Stream>"), 8011);
    let both = "<Stream bidirectional=\"true\" keepCallAlive=\"true\" audioTrack=\"both\" \
                contentType=\"audio/x-mulaw;rate=8000\">wss://h/</Stream>";
    assert_eq!(refused(both), 8011);
    assert_eq!(read("<Response/>"), Ok(Vec::new()));
}
