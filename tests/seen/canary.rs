//! Numbers and secrets that must not be found where they do not belong, in a daemon that logs all
//! it can.
//!
//! Looked for: callers' and our own full numbers, known and unknown, and the number of somebody
//! who was called in vain; the carrier's auth token and API secret; API keys, given and made;
//! media and call tokens; what an agent's target URL and constant parameters hold. In the log and
//! in the metrics none of them may be. In the store's files there may be numbers (they are what
//! it is for), the carrier's token (webhooks are verified with it) and what agents are set up
//! with; API keys, media tokens and call tokens may not.

use std::{collections::HashMap, fs};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    daemon::{API_SECRET, Daemon, KEY, OPERATOR, TOKEN},
    stage::{
        Bot, CALLER, NUMBER, call_when, complete, converse, form, open, ring, sid, token,
        webhook_signed,
    },
};

const STRANGER: &str = "+14155556248";
const NOBODYS: &str = "+12125557719";
const CALLED: &str = "+14155553316";
const WITH_SECRET: &str = "canary-in-a-target";
const PARAMETER: &str = "canary-in-a-parameter";

/// A carrier's API that refuses whatever it is asked, in the carrier's words: its URL.
async fn refusing_api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = json!({ "code": 21211, "status": 400, "more_info": "",
                "message": format!("The 'To' number {CALLED} is not a valid phone number.") });
            let body = body.to_string();
            let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length:";
            drop(stream.read(&mut [0; 4096]).await);
            let answer = format!("{head} {}\r\n\r\n{body}", body.len());
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    url
}

/// What was done, for the log to be read by.
struct Played {
    daemon: Daemon,
    /// What must not be found in the log and the metrics, with its name.
    canaries: Vec<(&'static str, String)>,
    /// What must not be found in the store either.
    keyed: Vec<(&'static str, String)>,
    ended: Vec<String>,
}

async fn play() -> Played {
    let daemon = Daemon::start_with_api(&refusing_api().await);
    let mut bot = Bot::start().await;
    let target = format!("{}?secret={WITH_SECRET}", bot.url);
    let refused = format!("ws://127.0.0.1:9/?secret={WITH_SECRET}");
    let agent = daemon.desk(NUMBER, &[&refused, &target]).await;
    let constant = json!({ "runtime_parameters": { "secret": PARAMETER } });
    daemon.api(KEY, Method::PATCH, &format!("/v1/agents/{agent}"), Some(constant)).await;
    let body = json!({ "name": "made" });
    let made = daemon.api(OPERATOR, Method::POST, "/switchback/v1/keys", Some(body)).await;
    let made = made["key"].as_str().unwrap().to_owned();
    daemon.api(&made, Method::GET, "/v1/agents", None).await;

    // A call with media, a stranger's without, one for nobody, one that proves nothing.
    let talked = sid(1);
    let document = ring(&daemon, &talked, CALLER, NUMBER).await;
    converse(open(&daemon, &document, &talked).await).await;
    complete(&daemon, &talked, CALLER, NUMBER).await;
    let missed = sid(2);
    ring(&daemon, &missed, STRANGER, NUMBER).await;
    complete(&daemon, &missed, STRANGER, NUMBER).await;
    ring(&daemon, &sid(3), STRANGER, NOBODYS).await;
    let forged = form(&talked, STRANGER, NUMBER, "ringing");
    webhook_signed(&daemon, "/carriers/main/voice", &forged, TOKEN).await;
    // One that is placed, and refused in words that name the number.
    let source = json!({ "name": "Renewals", "type": "outbound" });
    let source = daemon.post("/v1/agents", source).await["id"].as_str().unwrap().to_owned();
    let number = daemon.post("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let attached = json!({ "number_id": number["id"] });
    daemon.post(&format!("/v1/agents/{source}/numbers"), attached).await;
    let placed = daemon.http.post(format!("{}/v1/calls", daemon.control)).bearer_auth(KEY);
    let placed = placed.json(&json!({ "agent_id": source, "to": CALLED }));
    let placed = placed.send().await.unwrap();
    assert_eq!(placed.status(), 502, "{:?}", placed.text().await);
    // Numbers in paths and queries, right and wrong; keys that are none.
    for path in [
        format!("/switchback/v1/contacts/{CALLER}"),
        format!("/switchback/v1/contacts/{}", CALLER.replace('+', "%2B")),
        format!("/switchback/v1/calls?from={}", CALLER.replace('+', "%2B")),
        format!("/switchback/v1/route?from={CALLER}&to={NUMBER}"),
        format!("/switchback/v1/nowhere/{CALLER}"),
    ] {
        let url = format!("{}{path}", daemon.control);
        daemon.http.get(&url).bearer_auth(KEY).send().await.unwrap();
        daemon.http.get(&url).bearer_auth(TOKEN).send().await.unwrap();
    }
    daemon.http.get(format!("{}/{CALLER}", daemon.edge)).send().await.unwrap();
    for (code, args) in [(0, ["calls", "show", "last"]), (1, ["calls", "show", NOBODYS])] {
        assert_eq!(daemon.command(&args).await.0, code, "{args:?}");
    }
    for call in [&talked, &missed] {
        call_when(&daemon, call, |call| call["ended_at"].is_string()).await;
    }

    let headers = bot.headers.recv().await.unwrap();
    let bearer = &headers.iter().find(|(name, _)| name == "authorization").unwrap().1;
    let call_token = bearer.strip_prefix("Bearer ").unwrap().to_owned();
    assert!(call_token.len() > 20, "{call_token}");
    let keyed = vec![
        ("the tenant's key", KEY.to_owned()),
        ("the operator's key", OPERATOR.to_owned()),
        ("the key that was made", made),
        ("the media token", token(&document).to_owned()),
        ("the call token", call_token),
    ];
    // Without the plus, so that every spelling is found.
    let bare = |number: &str| number.trim_start_matches('+').to_owned();
    let mut canaries = vec![
        ("the caller", bare(CALLER)),
        ("our number", bare(NUMBER)),
        ("the stranger", bare(STRANGER)),
        ("nobody's number", bare(NOBODYS)),
        ("who was called", bare(CALLED)),
        ("the auth token", TOKEN.to_owned()),
        ("the API key's secret", API_SECRET.to_owned()),
        ("the target's secret", WITH_SECRET.to_owned()),
        ("the parameter's secret", PARAMETER.to_owned()),
    ];
    canaries.extend(keyed.iter().cloned());
    Played { daemon, canaries, keyed, ended: vec![talked, missed] }
}

#[tokio::test]
async fn nothing_is_told_where_it_does_not_belong() {
    let Played { daemon, canaries, keyed, ended } = play().await;
    let metrics = daemon.metrics().await;
    let mut ids = Vec::new();
    for carrier_id in &ended {
        let call = call_when(&daemon, carrier_id, |_| true).await;
        ids.push(call["id"].as_str().unwrap().to_owned());
    }
    let (status, dir) = daemon.stop().await;
    assert!(status.success());
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("\"DEBUG\""), "it logs all it can");
    let mut found = Vec::new();
    for (what, canary) in &canaries {
        for (place, text) in [("log", &log), ("metrics", &metrics)] {
            let lines = text.lines().filter(|line| line.contains(canary.as_str()));
            found.extend(lines.map(|line| format!("{what} is in the {place}: {line}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");

    let mut files = 0;
    for entry in fs::read_dir(dir.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        files += 1;
        for (what, canary) in &keyed {
            let is_there = bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
            assert!(!is_there, "{what} is in {}", path.display());
        }
    }
    assert!(files > 0);
    check_lines(&log, &ids);
}

/// Every line is one JSON object; each call has one line for its decision and one for its end, and
/// every line that names a call names its trace.
fn check_lines(log: &str, ids: &[String]) {
    let mut told: HashMap<(String, String), usize> = HashMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "{field} is missing: {line}");
        }
        let Some(call) = line["call"].as_str() else { continue };
        assert_eq!(line["trace_id"], call.replace('-', ""), "{line}");
        let message = line["message"].as_str().unwrap();
        *told.entry((call.to_owned(), message.to_owned())).or_default() += 1;
        if ["call decided", "call placed", "call ended"].contains(&message) {
            assert_eq!(line["level"], "INFO");
            assert_eq!(line["agent"].as_str().unwrap().len(), 36, "{line}");
            let (ours, is_inbound) = match line["direction"].as_str().unwrap() {
                "inbound" => ("dnis", true),
                _ => ("ani", false),
            };
            assert_eq!(line[ours], "+12*******42", "{line}");
            assert_eq!(line["reason"] == "default", is_inbound, "{line}");
        }
        if message == "call ended" {
            assert!(line["lasted_ms"].is_u64() && line["status"].is_string(), "{line}");
        }
    }
    let placed = told.iter().filter(|((_, message), _)| message == "call placed");
    assert_eq!(placed.map(|(_, count)| count).sum::<usize>(), 1);
    let ended = told.iter().filter(|((_, message), _)| message == "call ended");
    assert_eq!(ended.map(|(_, count)| count).sum::<usize>(), ids.len() + 1);
    for id in ids {
        for message in ["call decided", "call ended"] {
            let count = told.get(&(id.clone(), message.to_owned())).copied().unwrap_or(0);
            assert_eq!(count, 1, "{message} of {id}");
        }
    }
}
