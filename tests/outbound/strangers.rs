//! Calls of other people's dialers become touches, or are counted and listed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::daemon::{ACCOUNT_SID, Daemon, OPERATOR, OTHER_LINE, PERSON, SALES_LINE};

struct Told<'t> {
    sid: &'t str,
    from: &'t str,
    to: &'t str,
    status: &'t str,
    direction: &'t str,
}

const TOLD: Told<'static> = Told {
    sid: "CA000000000000000000000000000000a1",
    from: SALES_LINE,
    to: PERSON,
    status: "no-answer",
    direction: "outbound-api",
};

async fn tell(daemon: &Daemon, query: &str, told: &Told<'_>, extra: &[(&str, &str)]) {
    let mut form = vec![
        ("CallSid", told.sid),
        ("AccountSid", ACCOUNT_SID),
        ("From", told.from),
        ("To", told.to),
        ("CallStatus", told.status),
        ("Direction", told.direction),
    ];
    form.extend_from_slice(extra);
    let url = format!("https://edge.example.com/carriers/main/status{query}");
    assert_eq!(daemon.carrier.post(&url, &form).await.0, 204);
}

async fn orphans(daemon: &Daemon, key: &str) -> Vec<Value> {
    let path = "/switchback/v1/touches/orphans";
    let (status, body) = daemon.api_as(key, Method::GET, path, None).await;
    assert_eq!(status, 200, "{body}");
    body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_strangers_call_is_a_touch_of_the_agent_it_names() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let queries = [String::new(), format!("?agent={}", team.caller), "?x=1&agent=Sales".to_owned()];
    for (n, query) in queries.iter().enumerate() {
        let (sid, to) = (format!("CA{n:032x}"), format!("+1415555{n:04}"));
        for status in ["initiated", "no-answer", "ringing", "no-answer"] {
            let told = Told { sid: &sid, to: &to, status, ..TOLD };
            tell(&daemon, query, &told, &[("SequenceNumber", "1")]).await;
        }
        daemon.remembers(&to, &["no_answer"]).await;
        assert_eq!(daemon.reason(&to, SALES_LINE).await, "callback");
    }
    // Answered by a machine, which is told by itself.
    let to = "+14155550001";
    let verdict = [
        ("CallSid", "CA00000000000000000000000000000001"),
        ("AccountSid", ACCOUNT_SID),
        ("AnsweredBy", "machine_end_beep"),
    ];
    let url = "https://edge.example.com/carriers/main/status";
    daemon.carrier.post(url, &verdict).await;
    daemon.remembers(to, &["voicemail"]).await;
    assert!(orphans(&daemon, OPERATOR).await.is_empty());
    // They are touches, not calls of ours.
    assert_eq!(daemon.get("/v1/calls").await["data"], json!([]));
}

#[tokio::test]
async fn what_nobody_can_be_said_to_have_called_is_listed() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let line = [team.line.as_str()];
    let check = async |n: usize, query: &str, told: Told<'_>, cause: &str, is_ours: bool| {
        let sid = format!("CA{n:032x}");
        for status in ["ringing", "busy"] {
            tell(&daemon, query, &Told { sid: &sid, status, ..told }, &[]).await;
        }
        daemon.until(cause, || async { orphans(&daemon, OPERATOR).await.len() == n }).await;
        let listed = orphans(&daemon, OPERATOR).await[0].clone();
        assert_eq!((&listed["cause"], &listed["carrier_call_id"]), (&json!(cause), &json!(sid)));
        let ours = orphans(&daemon, crate::daemon::KEY).await;
        assert_eq!(ours.iter().any(|found| found["carrier_call_id"] == sid), is_ours);
        let metric = format!("switchback_touches_orphaned_total{{cause=\"{cause}\"}}");
        assert!(daemon.metric(&metric).await > 0, "{cause}");
    };
    check(1, "", Told { from: "+12125559999", ..TOLD }, "unknown_number", false).await;
    check(2, "", Told { to: "sip:x@example.com", ..TOLD }, "no_contact", true).await;
    check(3, "?agent=Nobody", TOLD, "unknown_agent", true).await;
    check(4, "?agent=Callbacks", TOLD, "unknown_agent", true).await;
    daemon.agent("outbound", "Sales", &line).await;
    check(5, "?agent=Sales", TOLD, "ambiguous_agent", true).await;
    check(6, "", TOLD, "ambiguous_agent", true).await;
    daemon.number(OTHER_LINE).await;
    check(7, "", Told { from: OTHER_LINE, ..TOLD }, "no_agent", true).await;
    let call = "?call=018f4a9e-0000-7000-8000-000000000001";
    check(8, call, TOLD, "unknown_call", false).await;
    assert_eq!(daemon.touches(PERSON).await, Vec::<String>::new());
    let ambiguous = "switchback_touches_orphaned_total{cause=\"ambiguous_agent\"}";
    assert_eq!(daemon.metric(ambiguous).await, 2);
}

#[tokio::test]
async fn legs_that_were_dialled_on_are_no_calls() {
    let daemon = Daemon::start().await;
    daemon.team().await;
    let parent = [("ParentCallSid", "CA000000000000000000000000000000b1")];
    tell(&daemon, "", &TOLD, &parent).await;
    tell(&daemon, "", &Told { direction: "outbound-dial", ..TOLD }, &[]).await;
    // Behind them in the same queue, so that they have been dealt with once it is there.
    let last = Told { to: "+14155550199", sid: "CA000000000000000000000000000000c1", ..TOLD };
    tell(&daemon, "", &last, &[]).await;
    daemon.remembers("+14155550199", &["no_answer"]).await;
    assert_eq!(daemon.touches(PERSON).await, Vec::<String>::new());
    assert!(orphans(&daemon, OPERATOR).await.is_empty());
}

#[tokio::test]
async fn news_of_ours_that_come_late_change_nothing_that_is_over() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let id = daemon.placed(&team.caller, PERSON).await;
    let placed = daemon.carrier.last();
    daemon.carrier.tell(&placed, "busy", &[]).await;
    daemon.becomes(&id, "status", "busy").await;
    let daemon = daemon.again();
    for status in ["ringing", "completed", "busy"] {
        assert_eq!(daemon.carrier.tell(&placed, status, &[]).await, 204);
    }
    tell(&daemon, "", &Told { to: "+14155550199", ..TOLD }, &[]).await;
    daemon.remembers("+14155550199", &["no_answer"]).await;
    assert_eq!(daemon.get(&format!("/v1/calls/{id}")).await["status"], "busy");
    assert_eq!(daemon.touches(PERSON).await, ["busy"]);
    assert!(orphans(&daemon, OPERATOR).await.is_empty());
}
