//! Calls as they happen, over server-sent events.

use std::{collections::HashMap, time::Duration};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    daemon::{Daemon, KEY, OPERATOR},
    stage::{CALLER, NUMBER, complete, ring, sid},
};

/// One stream, read event by event.
struct Events {
    response: Response,
    text: String,
    last_id: Option<String>,
}

impl Events {
    async fn open(daemon: &Daemon, key: &str, last_id: Option<&str>) -> Self {
        let url = format!("{}/switchback/v1/events", daemon.control);
        let mut request = daemon.http.get(url).bearer_auth(key);
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { response, text: String::new(), last_id: None }
    }

    /// The next event's kind and data; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let fields: HashMap<_, _> =
                    block.lines().filter_map(|line| line.split_once(": ")).collect();
                let id = fields.get("id").map(|id| (*id).to_owned());
                let event = fields.get("event").map(|event| (*event).to_owned());
                let data = fields.get("data").map(|data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                self.last_id = id.or(self.last_id.take());
                if let Some(event) = event {
                    return Some((event, data.unwrap()));
                }
            }
            let wait = timeout(Duration::from_secs(20), self.response.chunk());
            let chunk = wait.await.expect("neither event nor end").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Everything up to and with the end of that call: each event's kind.
    async fn until_end(&mut self, sid: &str) -> Vec<String> {
        let mut kinds = Vec::new();
        loop {
            let (kind, data) = self.next().await.expect("the stream ended");
            assert_eq!(data["type"], kind.as_str());
            assert_eq!(data["call"]["carrier_call_id"], sid);
            kinds.push(kind);
            if kinds.last().unwrap() == "call.ended" {
                return kinds;
            }
        }
    }
}

#[tokio::test]
async fn a_call_is_told_from_start_to_end_once_and_to_its_tenant_alone() {
    let daemon = Daemon::start();
    daemon.desk(NUMBER, &["builtin:echo"]).await;
    let operator = |path, body| daemon.api(OPERATOR, Method::POST, path, Some(body));
    let tenant = operator("/switchback/v1/tenants", json!({ "name": "others" })).await;
    let body = json!({ "name": "theirs", "tenant_id": tenant["id"] });
    let other = operator("/switchback/v1/keys", body).await["key"].as_str().unwrap().to_owned();
    let mut ours = Events::open(&daemon, KEY, None).await;
    let mut theirs = Events::open(&daemon, &other, None).await;
    let mut everybodys = Events::open(&daemon, OPERATOR, None).await;

    let first = sid(1);
    ring(&daemon, &first, CALLER, NUMBER).await;
    let (kind, data) = ours.next().await.unwrap();
    assert_eq!(kind, "call.started");
    assert_eq!(data["call"]["from"], CALLER);
    assert_eq!(data["call"]["agent_name"], "Front desk");
    let trace = data["call"]["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(trace, data["call"]["id"].as_str().unwrap().replace('-', ""));
    for _ in 0..3 {
        complete(&daemon, &first, CALLER, NUMBER).await;
        ring(&daemon, &first, CALLER, NUMBER).await;
    }
    let kinds = ours.until_end(&first).await;
    assert!(kinds.iter().rev().skip(1).all(|kind| kind == "call.updated"), "{kinds:?}");
    let kinds = everybodys.until_end(&first).await;
    assert_eq!(kinds[0], "call.started", "{kinds:?}");

    // A caller is only told once that it ended: what comes next is the next call.
    let second = sid(2);
    ring(&daemon, &second, CALLER, NUMBER).await;
    loop {
        let (kind, data) = ours.next().await.unwrap();
        assert_ne!(kind, "call.ended");
        if data["call"]["carrier_call_id"] == second.as_str() {
            break;
        }
    }
    let wait = timeout(Duration::from_millis(300), theirs.next());
    assert!(wait.await.is_err(), "another tenant's calls");

    // Whoever was away goes on where it left off; and a stop ends the stream in good order.
    let last_id = ours.last_id.clone().unwrap();
    drop(ours);
    complete(&daemon, &second, CALLER, NUMBER).await;
    let mut again = Events::open(&daemon, KEY, Some(&last_id)).await;
    assert_eq!(again.until_end(&second).await.last().unwrap(), "call.ended");
    let last_id = again.last_id.clone().unwrap();
    daemon.terminate();
    assert_eq!(again.next().await, None);
    assert_eq!(theirs.next().await, None);
    let (status, dir) = daemon.stop().await;
    assert!(status.success(), "{status}");

    // What an earlier process told is gone, and said to be.
    let daemon = Daemon::start_in(dir, "info", "127.0.0.1:0");
    for unknown in [last_id.as_str(), "1", "nonsense"] {
        let mut again = Events::open(&daemon, KEY, Some(unknown)).await;
        assert_eq!(again.next().await.unwrap().0, "reset", "{unknown}");
        let now: u64 = again.last_id.unwrap().parse().unwrap();
        assert!(now > last_id.parse().unwrap(), "numbers only grow");
    }
}

#[tokio::test]
async fn a_call_that_outlives_its_process_ends_once() {
    let daemon = Daemon::start();
    daemon.desk(NUMBER, &["builtin:echo"]).await;
    let call = sid(3);
    ring(&daemon, &call, CALLER, NUMBER).await;
    crate::stage::call_when(&daemon, &call, |call| call["status"] == "ringing").await;
    let (_, dir) = daemon.stop().await;
    let daemon = Daemon::start_in(dir, "info", "127.0.0.1:0");
    let mut events = Events::open(&daemon, KEY, None).await;
    for _ in 0..3 {
        complete(&daemon, &call, CALLER, NUMBER).await;
    }
    assert_eq!(events.until_end(&call).await, ["call.ended"]);
    let wait = timeout(Duration::from_millis(300), events.next());
    assert!(wait.await.is_err(), "it has ended");
}
