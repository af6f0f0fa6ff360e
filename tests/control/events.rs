//! Streams of events: signs of life, keys that are revoked, readers that do not read, and room.

use std::time::Duration;

use reqwest::{Client, Response};

use switchback::{
    control,
    domain::{CallId, CallRecord, CallStatus, Direction, TenantId, UnixMillis},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::daemon::{Caller, Daemon};

async fn daemon() -> Daemon {
    let event_beat = Duration::from_millis(50);
    Daemon::start_with(control::Settings { event_beat, ..control::Settings::default() }).await
}

async fn open(caller: &Caller, last_id: Option<u64>) -> Response {
    let http = Client::builder().no_proxy().build().unwrap();
    let request = http.get(caller.url("/switchback/v1/events")).bearer_auth(&caller.key);
    let request = last_id.into_iter().fold(request, |r, id| r.header("Last-Event-ID", id));
    request.send().await.unwrap()
}

/// What comes, until it holds that or ends.
async fn read(stream: &mut Response, until: &str) -> String {
    let mut text = String::new();
    let mut seen = 0;
    while !text[seen..].contains(until) {
        // Texts here are ASCII; what is looked for may begin in what was there.
        seen = text.len().saturating_sub(until.len());
        let chunk = timeout(Duration::from_secs(5), stream.chunk()).await;
        let Some(chunk) = chunk.unwrap_or_else(|_| panic!("no {until} in {text}")).unwrap() else {
            break;
        };
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

fn call(tenant: TenantId) -> CallRecord {
    CallRecord {
        id: CallId(Uuid::from_u128(9)),
        tenant,
        account: None,
        carrier_call_id: String::new(),
        direction: Direction::Inbound,
        status: CallStatus::Ringing,
        ani: None,
        dnis: None,
        number: None,
        agent: None,
        version: None,
        reason: None,
        unmatched: false,
        touch: None,
        trace: Vec::new(),
        targets_tried: Vec::new(),
        media: Vec::new(),
        created_at: UnixMillis(1),
        ringing_at: None,
        answered_at: None,
        ended_at: None,
        updated_at: UnixMillis(1),
        ended_by: None,
        error_code: None,
        caller_verified: false,
        by_machine: false,
        is_erased: false,
    }
}

#[tokio::test]
async fn a_stream_shows_life_until_its_key_is_revoked() {
    let daemon = daemon().await;
    let made = daemon.tenant("acme").await;
    let mut stream = open(&made, None).await;
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let text = read(&mut stream, "beat").await;
    let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    assert_eq!(id, daemon.live.feed().progress().latest.to_string(), "{text}");
    // Others' events move the place of who has none of its own.
    daemon.live.feed().publish(None, &call(TenantId(Uuid::from_u128(1))));
    let next = format!("id: {}", daemon.live.feed().progress().latest);
    let text = read(&mut stream, &next).await;
    assert!(!text.contains("data:"), "{text}");
    let keys = daemon.operator.get("/switchback/v1/keys").await.is(200);
    let key = keys["data"].as_array().unwrap().iter().find(|key| key["name"] == "test").unwrap();
    let path = format!("/switchback/v1/keys/{}", key["id"].as_str().unwrap());
    daemon.operator.delete(&path).await.is(200);
    read(&mut stream, "never said").await;
    assert!(stream.chunk().await.unwrap().is_none(), "it has ended");
    assert_eq!(open(&made, None).await.status(), 401);
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_and_goes_on() {
    let daemon = daemon().await;
    let mut stream = open(&daemon.operator, None).await;
    read(&mut stream, "beat").await;
    let call = call(TenantId(Uuid::from_u128(1)));
    // More than the sockets between us hold, several times what is kept.
    for _ in 0..60_000 {
        daemon.live.feed().publish(None, &call);
    }
    let last = format!("id: {}\n", daemon.live.feed().progress().latest);
    let text = read(&mut stream, &last).await;
    let resets = text.matches("event: reset").count();
    let events = text.matches("event: call.started").count();
    assert!(resets >= 1 && events < 60_000, "{resets} resets, {events} events");
    let from = daemon.live.feed().progress().latest - 1;
    let mut again = open(&daemon.operator, Some(from)).await;
    let text = read(&mut again, &last).await;
    assert_eq!(text.matches("event: call.started").count(), 1, "{text}");
}

#[tokio::test]
async fn there_is_room_for_so_many_streams_and_no_more() {
    let daemon = daemon().await;
    let mut streams = Vec::new();
    let refused = loop {
        let stream = open(&daemon.operator, None).await;
        if stream.status() != 200 {
            break stream;
        }
        streams.push(stream);
        assert!(streams.len() <= 256);
    };
    assert_eq!((refused.status().as_u16(), streams.len()), (503, 256));
    assert!(refused.headers().contains_key("retry-after"));
    streams.pop();
    for _ in 0..100 {
        if open(&daemon.operator, None).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a place that was left is not given again");
}

#[tokio::test]
async fn a_stop_ends_streams_after_what_was_still_to_be_told() {
    let daemon = daemon().await;
    let mut stream = open(&daemon.operator, None).await;
    read(&mut stream, "beat").await;
    daemon.live.feed().publish(None, &call(TenantId(Uuid::from_u128(1))));
    daemon.live.feed().close();
    let text = read(&mut stream, "never said").await;
    assert_eq!(text.matches("event: call.started").count(), 1, "{text}");
}
