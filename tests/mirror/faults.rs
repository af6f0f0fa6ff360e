//! A source that fails: what is mirrored stays, and nothing is taken for gone that was not read.

use reqwest::Method;
use serde_json::json;

use crate::{
    daemon::{Daemon, KINDS, LINE, OFTEN, STRANGER, until, upstream},
    proxy::{Fault, Proxy},
};

/// A source with five live inbound agents, the last of them on the line, behind a proxy whose
/// pages are of two.
async fn scene(kind: &str) -> (Daemon, Proxy, Daemon, Vec<String>) {
    let source = Daemon::hosted().await;
    let line = source.number(LINE).await;
    let mut agents = Vec::new();
    for name in ["A", "B", "C", "D"] {
        agents.push(source.agent(name, "inbound", &[]).await);
    }
    agents.push(source.agent("E", "inbound", &[&line]).await);
    for n in 0..4 {
        source.number(&format!("+1212555015{n}")).await;
    }
    let proxy = Proxy::to(&source.url()).await;
    let here = Daemon::mirror(kind, &proxy.url, OFTEN).await;
    until("the first pull", async || here.upstream().await["last_success_at"].is_string()).await;
    (source, proxy, here, agents)
}

/// A page that is not the first, of the list that has pages in this dialect.
fn page_two(kind: &str) -> &'static str {
    if kind == "talkover" { "/api/v1/agents?per_page=2&page=2" } else { "starting_after=" }
}

async fn agents(here: &Daemon) -> usize {
    here.get("/v1/agents").await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_list_that_breaks_off_deletes_nothing() {
    for kind in KINDS {
        let (source, proxy, here, ids) = scene(kind).await;
        assert_eq!(agents(&here).await, 5);
        assert!(proxy.asked(page_two(kind)) > 0, "{kind} is read by pages");
        let numbers = here.get("/v1/numbers").await["data"].as_array().unwrap().len();
        proxy.breaks(Fault { on: page_two(kind), status: 500, body: "oops", times: 1000 });
        let path = format!("/v1/agents/{}", ids[0]);
        source.done(Method::DELETE, &path, json!({})).await;
        here.troubled("it answers 500").await;
        assert_eq!(agents(&here).await, 5, "{kind}");
        assert_eq!(here.get("/v1/numbers").await["data"].as_array().unwrap().len(), numbers);
        proxy.heals();
        until("the deletion", async || agents(&here).await == 4).await;
        assert_eq!(here.get("/v1/numbers").await["data"].as_array().unwrap().len(), numbers);
    }
}

#[tokio::test]
async fn a_source_that_asks_for_patience_gets_it() {
    for kind in KINDS {
        let (source, proxy, here, _) = scene(kind).await;
        proxy.breaks(Fault { on: page_two(kind), status: 429, body: "{}", times: 2 });
        source.agent("F", "inbound", &[]).await;
        until("the new agent", async || agents(&here).await == 6).await;
        assert_eq!(here.upstream().await["last_error"], json!(null), "{kind}");
    }
}

#[tokio::test]
async fn a_source_that_is_away_leaves_what_it_said() {
    let (source, proxy, here, ids) = scene("talkover").await;
    let desk = ids.last().unwrap();
    here.patch(&format!("/v1/agents/{desk}"), json!({ "targets": ["builtin:echo"] })).await;
    proxy.breaks(Fault { on: "/", status: 503, body: "", times: 100_000 });
    here.troubled("it answers 503").await;
    let last = here.upstream().await["last_success_at"].clone();
    let expected = ("default".to_owned(), desk.clone());
    assert_eq!(here.lands(STRANGER, LINE).await, expected);
    // After a restart too, and it is known since when.
    let here = here.restart(&upstream("talkover", &proxy.url, OFTEN)).await;
    assert_eq!(here.lands(STRANGER, LINE).await, expected);
    here.troubled("it answers 503").await;
    let known = here.upstream().await;
    assert!(known["last_success_at"].is_string() && last.is_string(), "{known}");
    assert!(known["lag_seconds"].is_u64(), "{known}");
    proxy.heals();
    source.patch(&format!("/v1/agents/{desk}"), json!({ "name": "E again" })).await;
    let is_back = async || {
        here.get(&format!("/v1/agents/{desk}")).await["name"] == "E again"
            && here.upstream().await["last_error"].is_null()
    };
    until("it is back", is_back).await;
}

#[tokio::test]
async fn a_source_that_is_suddenly_empty_must_say_so_twice() {
    for kind in KINDS {
        let (source, proxy, here, _) = scene(kind).await;
        let (on, body) = match kind {
            "talkover" => ("/api/v1/agents", r#"{"data":[],"meta":{"total":0,"last_page":1}}"#),
            _ => ("/v1/agents", r#"{"data":[]}"#),
        };
        proxy.breaks(Fault { on, status: 200, body, times: 1 });
        here.troubled("5 of 5 agents are gone from it at once").await;
        assert_eq!(agents(&here).await, 5, "{kind}");
        // It was a mistake.
        here.pulled().await;
        assert_eq!(agents(&here).await, 5, "{kind}");
        // It is none any more.
        proxy.breaks(Fault { on, status: 200, body, times: 100_000 });
        until("they are gone", async || agents(&here).await == 0).await;
        drop(source);
    }
}

#[tokio::test]
async fn answers_that_are_none_are_told_and_change_nothing() {
    let (_source, proxy, here, _) = scene("talkover").await;
    for (status, body, expected) in [
        (200, "<html>", "is no JSON"),
        (200, r#"{"success":false,"message":"sorry"}"#, "is no list"),
        (200, r#"{"data":[{"id":"7"}]}"#, "has no usable direction"),
        (401, "{}", "refuses the key with 401"),
        (404, "{}", "refuses /api/v1/agents with 404"),
    ] {
        proxy.breaks(Fault { on: "/api/v1/agents", status, body, times: 100_000 });
        here.troubled(expected).await;
        assert_eq!(agents(&here).await, 5, "{expected}");
        proxy.heals();
        until("it is well", async || here.upstream().await["last_error"].is_null()).await;
    }
}
