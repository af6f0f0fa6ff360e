//! What a carrier's webhook is answered.

use reqwest::Method;
use serde_json::json;

use crate::daemon::{Daemon, between, inbound_form, sign};

const CONTACT: &str = "+14155550137";
const STRANGER: &str = "+14155550199";
const NUMBER: &str = "+12125550142";
const SID: &str = "CAb27b806e16e007b36784197374f40f63";

struct Scene {
    daemon: Daemon,
    number: String,
    callback: String,
}

/// An outbound agent called the contact from the number; a front desk claims the number; a return
/// desk owns it and holds the callback role.
async fn scene() -> Scene {
    let daemon = Daemon::start().await;
    let number = daemon.number(NUMBER).await;
    let source = daemon.outbound_agent("Renewals").await;
    daemon.inbound_agent("Front desk", &["say:Front desk here."], &number).await;
    let callback = daemon
        .post(
            "/v1/agents",
            json!({ "name": "Return desk", "type": "inbound",
            "targets": ["say:You called us back."] }),
        )
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let role = json!({ "source_agent_ids": [source] });
    daemon.post(&format!("/api/v1/agents/{callback}/callback"), role).await;
    daemon.post(&format!("/v1/agents/{callback}/numbers"), json!({ "number_id": number })).await;
    daemon.touch("t-1", &source, CONTACT, NUMBER).await;
    Scene { daemon, number, callback }
}

fn sid(n: u32) -> String {
    format!("CA{n:032x}")
}

#[tokio::test]
async fn the_callback_agent_wins_for_the_contact_and_the_front_desk_for_a_stranger() {
    let Scene { daemon, callback, .. } = scene().await;

    let answer = daemon.inbound(&sid(1), CONTACT, NUMBER).await;
    assert_eq!(answer.status, 200);
    assert!(answer.content_type.starts_with("text/xml"), "{}", answer.content_type);
    assert!(answer.body.contains("<Say>You called us back.</Say>"), "{}", answer.body);

    let answer = daemon.inbound(&sid(2), STRANGER, NUMBER).await;
    assert!(answer.body.contains("<Say>Front desk here.</Say>"), "{}", answer.body);
    let answer = daemon.inbound(&sid(3), "anonymous", NUMBER).await;
    assert!(answer.body.contains("<Say>Front desk here.</Say>"), "{}", answer.body);

    let path = format!("/api/v1/agents/{callback}/callback");
    let (status, _) = daemon.api(Method::DELETE, &path, None).await;
    assert_eq!(status, 200);
    for (n, from) in [(4, CONTACT), (5, STRANGER)] {
        let answer = daemon.inbound(&sid(n), from, NUMBER).await;
        assert!(answer.body.contains("<Say>Front desk here.</Say>"), "{from}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_restart_changes_no_decision() {
    let Scene { daemon, .. } = scene().await;
    let (dir, _) = daemon.stop().await;
    let daemon = Daemon::start_in(dir).await;
    let answer = daemon.inbound(&sid(1), CONTACT, NUMBER).await;
    assert!(answer.body.contains("<Say>You called us back.</Say>"), "{}", answer.body);
    let answer = daemon.inbound(&sid(2), STRANGER, NUMBER).await;
    assert!(answer.body.contains("<Say>Front desk here.</Say>"), "{}", answer.body);
}

#[tokio::test]
async fn who_does_not_prove_himself_is_refused_and_nothing_else_happens() {
    let Scene { daemon, .. } = scene().await;
    let form = inbound_form(SID, CONTACT, NUMBER);
    let target = "/carriers/main/voice";
    let wrong = sign("another token", "https://edge.example.com/carriers/main/voice", &form);
    for signature in [None, Some(""), Some("bm90IGEgc2lnbmF0dXJlIGF0IGE="), Some(&*wrong)] {
        let answer = daemon.webhook_signed(target, &form, signature).await;
        assert_eq!(answer.status, 403, "{signature:?}");
        assert!(!answer.body.contains("Response"), "{}", answer.body);
    }
    let (status, _) =
        daemon.api(Method::GET, &format!("/switchback/v1/calls?carrier_call_id={SID}"), None).await;
    assert_eq!(status, 200);
    let calls = daemon.get(&format!("/switchback/v1/calls?carrier_call_id={SID}")).await;
    assert_eq!(calls["data"].as_array().unwrap().len(), 0, "{calls}");
    let metrics = daemon.metrics().await;
    for cause in ["unsigned", "wrong_signature"] {
        let line =
            format!("switchback_signature_failures_total{{carrier=\"twilio\",cause=\"{cause}\"");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(!metrics.contains("4155550137"));

    // Rightly signed, but another account's.
    let mut foreign = inbound_form(SID, CONTACT, NUMBER);
    foreign[1].1 = "AC00000000000000000000000000000000";
    let answer = daemon.webhook(target, &foreign).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("account_mismatch"), "{}", answer.body);
}

#[tokio::test]
async fn a_redelivered_webhook_gets_the_same_bytes_and_one_row() {
    let Scene { daemon, callback, .. } = scene().await;
    let path = format!("/v1/agents/{callback}");
    let media = json!({ "targets": ["builtin:echo"] });
    let (status, _) = daemon.api(Method::PATCH, &path, Some(media)).await;
    assert_eq!(status, 200);
    let first = daemon.inbound(SID, CONTACT, NUMBER).await;
    assert!(first.body.contains("<Stream url=\"wss://edge.example.com/media/"), "{}", first.body);
    for _ in 0..3 {
        let again = daemon.inbound(SID, CONTACT, NUMBER).await;
        assert_eq!(again.body, first.body);
    }
    let calls = wait_for_calls(&daemon, SID, 1).await;
    let call = &calls["data"][0];
    assert_eq!(call["reason"], "callback", "{call}");
    let call = daemon.get(&format!("/switchback/v1/calls/{}", call["id"].as_str().unwrap())).await;
    assert!(!call["trace"].as_array().unwrap().is_empty(), "{call}");

    // A request that says another URL of ours failed is decided anew.
    let mut fallback = inbound_form(SID, CONTACT, NUMBER);
    fallback.push(("ErrorCode", "11200"));
    fallback.push(("ErrorUrl", "https://edge.example.com/carriers/main/voice"));
    let answer = daemon.webhook("/carriers/main/voice", &fallback).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<Stream "), "{}", answer.body);
}

pub async fn wait_for_calls(daemon: &Daemon, sid: &str, count: usize) -> serde_json::Value {
    let path = format!("/switchback/v1/calls?carrier_call_id={sid}");
    for _ in 0..100 {
        let calls = daemon.get(&path).await;
        if calls["data"].as_array().unwrap().len() == count {
            return calls;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never {count} calls {sid}: {}", daemon.get(&path).await);
}

#[tokio::test]
async fn every_kind_of_target_is_answered() {
    let Scene { daemon, number, .. } = scene().await;
    let cases = [
        ("say:a < b & \"c\"", "<Say>a &lt; b &amp; "),
        (
            "redirect:https://old.example.com/voice?a=1&b=2",
            ">https://old.example.com/voice?a=1&amp;b=2</Redirect>",
        ),
        ("tel:+16465550155", "<Number>+16465550155</Number>"),
        ("sip:desk@pbx.example.com", "<Sip>sip:desk@pbx.example.com</Sip>"),
        ("busy", "<Reject reason=\"busy\"/>"),
        ("reject", "<Reject/>"),
        ("builtin:tone", "<Connect><Stream url=\"wss://edge.example.com/media/"),
    ];
    for (n, (target, expected)) in (0..).zip(cases) {
        let path = format!("/switchback/v1/numbers/{number}");
        let body = json!({ "passthrough": target });
        let (status, answer) = daemon.api(Method::PATCH, &path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        let answer = daemon.inbound(&sid(100 + n), STRANGER, NUMBER).await;
        assert!(answer.body.contains(expected), "{target}: {}", answer.body);
        // The contact's call is a return call all the same.
        let answer = daemon.inbound(&sid(200 + n), CONTACT, NUMBER).await;
        assert!(answer.body.contains("You called us back."), "{target}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_dial_that_nobody_answers_goes_on_to_the_next_target_and_the_last_resort() {
    let daemon = Daemon::start().await;
    let number = daemon.number(NUMBER).await;
    let targets = ["tel:+16465550155", "sip:desk@pbx.example.com"];
    daemon.inbound_agent("Desk", &targets, &number).await;
    let answer = daemon.inbound(SID, STRANGER, NUMBER).await;
    let next = next_url(&answer.body);

    let mut form = inbound_form(SID, STRANGER, NUMBER);
    form[4].1 = "in-progress";
    form.push(("DialCallStatus", "no-answer"));
    let answer = daemon.webhook(&next, &form).await;
    assert!(answer.body.contains("<Sip>"), "{}", answer.body);
    let again = daemon.webhook(&next, &form).await;
    assert_eq!(again.body, answer.body);

    let next = next_url(&answer.body);
    let answer = daemon.webhook(&next, &form).await;
    assert!(answer.body.contains("<Say>We are sorry"), "{}", answer.body);

    // Two who talked are done.
    let answer = daemon.inbound(&sid(9), STRANGER, NUMBER).await;
    let next = next_url(&answer.body);
    let nine = sid(9);
    let mut form = inbound_form(&nine, STRANGER, NUMBER);
    form[4].1 = "in-progress";
    form.push(("DialCallStatus", "completed"));
    let answer = daemon.webhook(&next, &form).await;
    assert!(answer.body.contains("<Hangup/>"), "{}", answer.body);
}

/// The path and query the carrier is to ask next.
fn next_url(document: &str) -> String {
    let url = between(document, "action=\"https://edge.example.com", "\"");
    url.replace("&amp;", "&")
}

#[tokio::test]
async fn unknown_numbers_and_numbers_without_agents_are_refused_politely() {
    let daemon = Daemon::start().await;
    let answer = daemon.inbound(&sid(1), STRANGER, "+12125550199").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<Reject/>"), "{}", answer.body);

    daemon.number(NUMBER).await;
    let answer = daemon.inbound(&sid(2), STRANGER, NUMBER).await;
    assert!(answer.body.contains("<Reject reason=\"busy\"/>"), "{}", answer.body);
    let calls = wait_for_calls(&daemon, &sid(2), 1).await;
    assert_eq!(calls["data"][0]["status"], "failed", "{calls}");
    assert_eq!(calls["data"][0]["error_code"], "no_inbound_agent", "{calls}");
    assert_eq!(wait_for_calls(&daemon, &sid(1), 0).await["data"], json!([]));
}

#[tokio::test]
async fn bad_requests_get_clear_errors() {
    let daemon = Daemon::start().await;
    let base = format!("http://{}", daemon.edge);
    let status = |response: reqwest::Response| response.status().as_u16();
    let http = &daemon.http;
    let form = inbound_form(SID, CONTACT, NUMBER);
    let other = daemon.webhook("/carriers/other/voice", &form).await;
    assert_eq!(other.status, 404);
    assert_eq!(daemon.webhook("/carriers/main/nothing", &form).await.status, 404);
    assert_eq!(status(http.get(format!("{base}/")).send().await.unwrap()), 404);
    let put = http.put(format!("{base}/carriers/main/voice")).send().await.unwrap();
    assert_eq!(status(put), 405);
    let large = vec![b'a'; 70_000];
    let post = http.post(format!("{base}/carriers/main/voice")).body(large).send().await.unwrap();
    assert_eq!(status(post), 413);
    let get = http.get(format!("{base}/media/not-a-token")).send().await.unwrap();
    assert_eq!(status(get), 403);
    // Signed, and no call at all.
    let form = [("AccountSid", crate::daemon::ACCOUNT_SID)];
    assert_eq!(daemon.webhook("/carriers/main/voice", &form).await.status, 400);
}

#[tokio::test]
async fn readiness_says_so_while_it_drains() {
    let daemon = Daemon::start().await;
    for path in ["livez", "readyz"] {
        let url = format!("http://{}/{path}", daemon.admin);
        assert_eq!(daemon.http.get(url).send().await.unwrap().status(), 200, "{path}");
    }
    let (_, drained) = daemon.stop().await;
    assert_eq!(drained.cut, 0);
}
