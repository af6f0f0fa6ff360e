//! Touches from outside, and what is remembered of a person.

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{dialects::rfc3339, domain::UnixMillis, telemetry::clock};

use crate::daemon::Daemon;

const PATH: &str = "/switchback/v1/touches";

fn touch(id: &str, agent: &str, at: u64) -> Value {
    json!({
        "id": id, "source_agent_id": agent, "contact": "+14155550199",
        "caller_id": "+14155550137", "at": rfc3339(UnixMillis(at)), "outcome": "busy"
    })
}

#[tokio::test]
async fn touches_are_merged_once_and_remembered() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let a = tenant.agent("A", "outbound", &[]).await;
    let now = clock::now().0;
    let uuid = "018f4a9e-0000-7000-8000-000000000007";
    let body = json!([touch("one", &a, now - 5000), touch(uuid, &a, now - 9000)]);
    let first = tenant.post(PATH, body.clone()).await;
    assert!(!first.header("switchback-rev").is_empty());
    assert_eq!(first.is(200), json!({ "accepted": 2, "duplicates": 0, "rejected": [] }));
    let again = tenant.post(PATH, body).await.is(200);
    assert_eq!(again, json!({ "accepted": 0, "duplicates": 2, "rejected": [] }));
    let lines = format!("{}\n\n{}\n", touch("one", &a, now - 5000), touch("three", &a, now));
    let bearer = format!("Bearer {}", tenant.key);
    let lines = tenant.send(Method::POST, PATH, Some(lines), Some(&bearer)).await.is(200);
    assert_eq!(lines, json!({ "accepted": 1, "duplicates": 1, "rejected": [] }));

    for person in ["+14155550199", "%2B14155550199", "%2014155550199"] {
        let contact = tenant.get(&format!("/switchback/v1/contacts/{person}")).await.is(200);
        assert_eq!(contact["contact"], "+14155550199");
        let ids: Vec<_> = contact["touches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["three", "one", uuid]);
        assert_eq!(contact["touches"][1]["outcome"], "busy");
        assert_eq!(contact["touches"][1]["source_agent_id"], json!(a));
    }
    tenant.get("/switchback/v1/contacts/+14155550111").await.is(404);
    tenant.get("/switchback/v1/contacts/nobody").await.is(422);
}

#[tokio::test]
async fn a_bad_line_is_told_by_its_number() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let a = tenant.agent("A", "outbound", &[]).await;
    let f = tenant.agent("F", "inbound", &[]).await;
    let now = clock::now().0;
    let nobody = "018f4a9e-0000-7000-8000-00000000dead";
    let mut number = touch("d", &a, now);
    number["contact"] = json!("4155550199");
    let lines = [
        touch("a", nobody, now).to_string(),
        touch("b", &a, now).to_string(),
        "{".to_owned(),
        touch("c", &f, now).to_string(),
        number.to_string(),
        touch("e", &a, now + 6 * 60 * 1000).to_string(),
        touch("f", &a, now + 4 * 60 * 1000).to_string(),
    ];
    let bearer = format!("Bearer {}", tenant.key);
    let got = tenant.send(Method::POST, PATH, Some(lines.join("\n")), Some(&bearer)).await.is(200);
    assert_eq!((&got["accepted"], &got["duplicates"]), (&json!(2), &json!(0)));
    let rejected = got["rejected"].as_array().unwrap();
    let found: Vec<_> = rejected
        .iter()
        .map(|r| (r["line"].as_u64().unwrap(), r["error"].as_str().unwrap()))
        .collect();
    let expected = [
        (1, "no such agent"),
        (3, "EOF"),
        (4, "not an outbound agent"),
        (5, "contact: must be an E.164 number"),
        (6, "at: is more than 5 minutes in the future"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((line, error), (expected_line, expected_error)) in found.iter().zip(expected) {
        assert_eq!(*line, expected_line);
        assert!(error.contains(expected_error), "{error}");
    }
    for body in ["", "[]", "\n \n"] {
        let none = tenant.send(Method::POST, PATH, Some(body.into()), Some(&bearer)).await.is(200);
        assert_eq!(none, json!({ "accepted": 0, "duplicates": 0, "rejected": [] }));
    }
    tenant.send(Method::POST, PATH, Some("[{".into()), Some(&bearer)).await.is(400);
}

#[tokio::test]
async fn many_touches_are_more_than_one_transaction() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let a = tenant.agent("A", "outbound", &[]).await;
    let now = clock::now().0;
    let body: Vec<_> = (0..4500)
        .map(|n| {
            let mut touch = touch(&format!("t{n}"), &a, now - n);
            touch["contact"] = json!(format!("+1415556{n:04}"));
            touch
        })
        .collect();
    let done = tenant.post(PATH, json!(body)).await.is(200);
    assert_eq!(done, json!({ "accepted": 4500, "duplicates": 0, "rejected": [] }));
    tenant.get("/switchback/v1/contacts/+14155564499").await.is(200);
}
