//! What the carrier tells of a call of ours, in any order and however often, and what it is told.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::{
    carrier::Do,
    daemon::{Daemon, PERSON, SALES_LINE},
};

/// Every order of four.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for code in 0..256_usize {
        let order = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
        if (0..4).all(|n| order.contains(&n)) {
            orders.push(order);
        }
    }
    orders
}

fn person(n: usize) -> String {
    format!("+1415555{:04}", 1000 + n)
}

#[tokio::test]
async fn one_end_whatever_the_order() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let statuses = ["initiated", "ringing", "in-progress", "completed"];
    let orders = orders();
    assert_eq!(orders.len(), 24);
    for (n, order) in orders.iter().enumerate() {
        let person = person(n);
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        for &at in order {
            for _ in 0..2 {
                assert_eq!(daemon.carrier.tell(&placed, statuses[at], &[]).await, 204);
            }
        }
        daemon.becomes(&id, "status", "completed").await;
        daemon.remembers(&person, &["answered"]).await;
    }
    let completed = "switchback_calls_total{direction=\"outbound\",status=\"completed\"}";
    assert_eq!(daemon.metric(completed).await, 24);
}

#[tokio::test]
async fn webhooks_may_come_before_the_answer() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let all = ["initiated", "ringing", "no-answer", "no-answer"];
    for (n, count) in (0..=all.len()).enumerate() {
        let person = person(n);
        daemon.carrier.then(Do::TellFirst(all[..count].to_vec()));
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        for status in &all[count..] {
            daemon.carrier.tell(&placed, status, &[]).await;
        }
        daemon.becomes(&id, "status", "no_answer").await;
        daemon.becomes(&id, "carrier_call_id", &placed.sid).await;
        daemon.remembers(&person, &["no_answer"]).await;
    }
    let ended = "switchback_calls_total{direction=\"outbound\",status=\"no_answer\"}";
    assert_eq!(daemon.metric(ended).await, 5);
}

#[tokio::test]
async fn every_end_is_its_outcome() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let ends = [
        ("completed", "completed", "answered"),
        ("busy", "busy", "busy"),
        ("no-answer", "no_answer", "no_answer"),
        ("canceled", "canceled", "canceled"),
        ("failed", "failed", "failed"),
    ];
    for (n, (told, status, outcome)) in ends.into_iter().enumerate() {
        let person = person(n);
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        daemon.carrier.tell(&placed, told, &[("SequenceNumber", "3")]).await;
        daemon.becomes(&id, "status", status).await;
        daemon.remembers(&person, &[outcome]).await;
    }
}

#[tokio::test]
async fn a_machine_is_nobody() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let path = format!("/v1/agents/{}", team.caller);
    let action = json!({ "voicemail_action": "hangup" });
    let (status, body) = daemon.api(Method::PATCH, &path, Some(action)).await;
    assert_eq!(status, 200, "{body}");
    // The verdict before the end, after it, and with it.
    for n in 0..3 {
        let person = person(n);
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        assert_eq!(placed.one("AsyncAmd"), "true");
        assert_eq!(placed.one("AsyncAmdStatusCallback"), placed.one("StatusCallback"));
        let verdict = [
            ("CallSid", placed.sid.as_str()),
            ("AccountSid", crate::daemon::ACCOUNT_SID),
            ("AnsweredBy", "machine_start"),
            ("MachineDetectionDuration", "2300"),
        ];
        let url = placed.one("AsyncAmdStatusCallback");
        daemon.carrier.tell(&placed, "in-progress", &[]).await;
        if n == 0 {
            assert_eq!(daemon.carrier.post(url, &verdict).await.0, 204);
        }
        let with: &[_] = if n == 2 { &[("AnsweredBy", "machine_start")] } else { &[] };
        daemon.carrier.tell(&placed, "completed", with).await;
        if n == 1 {
            assert_eq!(daemon.carrier.post(url, &verdict).await.0, 204);
        }
        daemon.remembers(&person, &["voicemail"]).await;
        daemon.becomes(&id, "status", "no_answer").await;
        daemon.becomes(&id, "answered_by", "machine").await;
    }
    let ended = "switchback_calls_total{direction=\"outbound\",status=\"completed\"}";
    assert_eq!(daemon.metric(ended).await, 3);
}

#[tokio::test]
async fn a_machine_is_hung_up_on_where_no_socket_could_be_closed() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let path = format!("/v1/agents/{}", team.caller);
    let targets = [
        ("tel:+14155550199", "hangup"),
        ("sip:desk@pbx.example.com", "hangup"),
        ("say:Good morning.", "hangup"),
        ("redirect:https://ivr.example.com/voice", "hangup"),
        ("say:Please ring us back.", "leave_message"),
    ];
    let mut hung_up = Vec::new();
    for (n, (target, action)) in targets.into_iter().enumerate() {
        let person = person(n);
        let change = json!({ "targets": [target], "voicemail_action": action });
        let (status, body) = daemon.api(Method::PATCH, &path, Some(change)).await;
        assert_eq!(status, 200, "{body}");
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        assert!(!daemon.carrier.ask(&placed).await.contains("<Connect>"));
        let verdict = [
            ("CallSid", placed.sid.as_str()),
            ("AccountSid", crate::daemon::ACCOUNT_SID),
            ("AnsweredBy", "machine_start"),
        ];
        // A carrier that tells it twice is not told twice.
        for _ in 0..2 {
            let url = placed.one("AsyncAmdStatusCallback");
            assert_eq!(daemon.carrier.post(url, &verdict).await.0, 204);
        }
        if action == "hangup" {
            hung_up.push(placed.sid.clone());
            daemon.until(target, || async { daemon.carrier.hung_up() == hung_up }).await;
        }
        daemon.carrier.tell(&placed, "completed", &[]).await;
        daemon.becomes(&id, "status", "no_answer").await;
        daemon.becomes(&id, "answered_by", "machine").await;
        daemon.remembers(&person, &["voicemail"]).await;
        if target.starts_with("tel:") {
            let row = daemon.get(&format!("/switchback/v1/calls/{id}")).await;
            assert_eq!(row["ended_by"], "machine", "{row}");
        }
    }
    assert_eq!(daemon.carrier.hung_up(), hung_up, "a message is left in peace");
}

/// The carrier's own answer is still on its way, and no other webhook has come.
#[tokio::test]
async fn a_machine_that_is_told_of_before_its_call_is_hung_up_on() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let path = format!("/v1/agents/{}", team.caller);
    let change = json!({ "targets": ["say:Good morning."], "voicemail_action": "hangup" });
    let (status, body) = daemon.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(status, 200, "{body}");
    daemon.carrier.then(Do::AcceptAfter(Duration::from_millis(500)));
    let person = person(0);
    let tell = async {
        daemon.until("placed", || async { !daemon.carrier.placed().is_empty() }).await;
        let placed = daemon.carrier.last();
        let verdict = [
            ("CallSid", placed.sid.as_str()),
            ("AccountSid", crate::daemon::ACCOUNT_SID),
            ("AnsweredBy", "machine_start"),
        ];
        let url = placed.one("AsyncAmdStatusCallback");
        assert_eq!(daemon.carrier.post(url, &verdict).await.0, 204);
        placed
    };
    let (id, placed) = tokio::join!(daemon.placed(&team.caller, &person), tell);
    let is_hung_up = || async { daemon.carrier.hung_up().contains(&placed.sid) };
    daemon.until("hung up", is_hung_up).await;
    daemon.carrier.tell(&placed, "completed", &[]).await;
    daemon.becomes(&id, "status", "no_answer").await;
    daemon.becomes(&id, "answered_by", "machine").await;
    daemon.remembers(&person, &["voicemail"]).await;
}

#[tokio::test]
async fn who_ended_a_call_is_known_with_its_end_however_often_that_is_told() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    for n in 0..10 {
        let id = daemon.placed(&team.caller, &person(n)).await;
        let placed = daemon.carrier.last();
        for status in ["in-progress", "completed", "completed"] {
            assert_eq!(daemon.carrier.tell(&placed, status, &[]).await, 204);
        }
        // Looked at without a pause: as soon as it is over, it says by whom.
        let path = format!("/switchback/v1/calls/{id}");
        let mut call = daemon.get(&path).await;
        for _ in 0..10_000 {
            if call["status"] == "completed" {
                break;
            }
            call = daemon.get(&path).await;
        }
        assert_eq!(call["ended_by"], "caller", "{n}: {call}");
    }
}

/// The verdicts of Twilio's two ways of detection (docs, voice/answering-machine-detection), and
/// whether each is a machine that records.
const VERDICTS: [(&str, bool); 7] = [
    ("human", false),
    ("unknown", false),
    ("machine_start", false),
    ("fax", false),
    ("machine_end_beep", true),
    ("machine_end_silence", true),
    ("machine_end_other", true),
];

#[tokio::test]
async fn a_machine_that_records_is_told_the_agents_text() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let path = format!("/v1/agents/{}", team.caller);
    let change = json!({ "targets": ["tel:+14155550199"], "voicemail_action": "leave_message",
        "voicemail_message": "Please ring us back." });
    let (status, body) = daemon.api(Method::PATCH, &path, Some(change)).await;
    assert_eq!(status, 200, "{body}");
    let mut redirected = Vec::new();
    for (n, (verdict, is_recording)) in VERDICTS.into_iter().enumerate() {
        let person = person(n);
        let id = daemon.placed(&team.caller, &person).await;
        let placed = daemon.carrier.last();
        assert_eq!(placed.one("MachineDetection"), "DetectMessageEnd", "with the greeting's end");
        assert!(daemon.carrier.ask(&placed).await.contains("<Dial"));
        let told = [
            ("CallSid", placed.sid.as_str()),
            ("AccountSid", crate::daemon::ACCOUNT_SID),
            ("AnsweredBy", verdict),
        ];
        // Told twice, it is said once.
        for _ in 0..2 {
            let url = placed.one("AsyncAmdStatusCallback");
            assert_eq!(daemon.carrier.post(url, &told).await.0, 204);
        }
        let is_machine = verdict.starts_with("machine") || verdict == "fax";
        if is_recording {
            redirected.push(placed.sid.clone());
            daemon
                .until(verdict, || async { daemon.carrier.redirected().len() == redirected.len() })
                .await;
            let url = daemon.carrier.redirected().pop().unwrap();
            let form = [
                ("CallSid", placed.sid.as_str()),
                ("AccountSid", crate::daemon::ACCOUNT_SID),
                ("From", placed.one("From")),
                ("To", placed.one("To")),
                ("CallStatus", "in-progress"),
                ("Direction", "outbound-api"),
            ];
            let (_, document) = daemon.carrier.post(&url, &form).await;
            assert!(document.contains("<Say>Please ring us back.</Say>"), "{document}");
        }
        daemon.carrier.tell(&placed, "completed", &[]).await;
        let shown = if is_machine { json!("machine") } else { json!(null) };
        daemon.becomes(&id, "status", if is_machine { "no_answer" } else { "completed" }).await;
        let row = daemon.get(&format!("/v1/calls/{id}")).await;
        assert_eq!(row["answered_by"], shown, "{verdict}: {row}");
    }
    assert_eq!(daemon.carrier.redirected().len(), redirected.len());
    assert!(daemon.carrier.hung_up().is_empty());
}

#[tokio::test]
async fn who_answers_meets_the_agent() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let id = daemon.placed(&team.caller, PERSON).await;
    let placed = daemon.carrier.last();
    let document = daemon.carrier.ask(&placed).await;
    assert!(document.contains("<Connect>") && document.contains(&id), "{document}");
    assert_eq!(daemon.carrier.ask(&placed).await, document);
    daemon.becomes(&id, "status", "in_progress").await;

    // No call of ours; ours, but to somebody else; ours, under another id.
    let url = placed.one("Url").to_owned();
    let mut strange = placed.clone();
    strange.sid = "CA000000000000000000000000000000ff".to_owned();
    let unknown = "00000000-0000-7000-8000-000000000001";
    strange.form.insert("Url".to_owned(), vec![url.replace(&id, unknown)]);
    assert!(daemon.carrier.ask(&strange).await.contains("<Hangup"));
    strange.form.insert("Url".to_owned(), vec![url]);
    assert!(daemon.carrier.ask(&strange).await.contains("<Hangup"));
    strange.form.insert("To".to_owned(), vec!["+14155550199".to_owned()]);
    strange.sid = "CA000000000000000000000000000000fe".to_owned();
    assert!(daemon.carrier.ask(&strange).await.contains("<Hangup"));
    let line = "switchback_webhooks_total{carrier=\"twilio\",account=\"main\",kind=\"voice\",\
                outcome=\"unknown\"}";
    assert_eq!(daemon.metric(line).await, 3);
}

#[tokio::test]
async fn a_call_without_a_socket_is_ended_at_the_carrier() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let id = daemon.placed(&team.caller, PERSON).await;
    let placed = daemon.carrier.last();
    daemon.carrier.tell(&placed, "ringing", &[]).await;
    let path = format!("/switchback/v1/calls/{id}/hangup");
    let (status, body) = daemon.api(Method::POST, &path, None).await;
    assert_eq!(status, 202, "{body}");
    daemon
        .until("it was hung up", || async { daemon.carrier.hung_up() == [placed.sid.clone()] })
        .await;
    daemon.carrier.tell(&placed, "canceled", &[]).await;
    daemon.becomes(&id, "status", "canceled").await;
    let (status, _) = daemon.api(Method::POST, &path, None).await;
    assert_eq!(status, 409);
    assert_eq!(daemon.reason(PERSON, SALES_LINE).await, "callback");
}
