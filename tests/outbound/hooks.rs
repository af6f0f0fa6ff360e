//! kill -9 and orderly stops while subscribers are told: every event of every call that is known
//! arrives, at least once, and the same again if again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::daemon::{Daemon, PERSON, text};

/// Events by id, as often as they came.
type Told = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// Takes an event after this long.
async fn take(State((told, wait)): State<(Told, Duration)>, Json(event): Json<Value>) {
    tokio::time::sleep(wait).await;
    told.lock().unwrap().entry(text(&event["id"])).or_default().push(event);
}

async fn subscriber(wait: Duration) -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let told = Told::default();
    let routes = Router::new().fallback(take).with_state((Arc::clone(&told), wait));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, told)
}

#[tokio::test]
async fn no_event_is_lost_to_a_kill() {
    const ROUNDS: u64 = 8;
    const CALLS: u64 = 5;
    let mut daemon = Daemon::start().await;
    // Long enough for a kill to come between the event's arrival and the answer's.
    let (url, told) = subscriber(Duration::from_millis(15)).await;
    let team = daemon.team().await;
    daemon.post("/v1/webhook_endpoints", json!({ "url": url })).await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let dials = (0..CALLS).map(|n| {
            let person = format!("+1415555{:04}", 4000 + round * CALLS + n);
            let (daemon, caller) = (&daemon, &team.caller);
            async move { daemon.dial(caller, &person).await }
        });
        // A request that is cut off may have been taken all the same.
        let dials = futures_util::future::join_all(dials);
        let answered = tokio::time::timeout(Duration::from_millis(40 + 25 * round), dials).await;
        acknowledged.extend(answered.unwrap_or_default());
        daemon = daemon.again();
    }
    let deliveries = "/v1/webhook_deliveries?limit=200";
    daemon
        .until("everything is delivered", || async {
            let rows = daemon.get(deliveries).await;
            rows["data"].as_array().unwrap().iter().all(|row| row["status"] == "delivered")
        })
        .await;
    let rows = daemon.get(deliveries).await;
    let told = told.lock().unwrap().clone();
    let mut events: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows["data"].as_array().unwrap() {
        let came = &told[&text(&row["id"])];
        assert!(came.iter().all(|event| *event == came[0]), "the same event each time");
        events.entry(text(&row["call_id"])).or_default().push(text(&row["event_type"]));
    }
    assert_eq!(told.len(), rows["data"].as_array().unwrap().len(), "none but what is kept");
    for call in daemon.get("/v1/calls?limit=100").await["data"].as_array().unwrap() {
        let of_call = &events[&text(&call["id"])];
        let count = |event: &str| of_call.iter().filter(|name| *name == event).count();
        assert_eq!((count("call.queued"), count("call.failed") <= 1), (1, true), "{of_call:?}");
    }
    for (status, call) in acknowledged.iter().filter(|(status, _)| *status == 201) {
        assert!(events.contains_key(&text(&call["id"])), "{status}");
    }
}

/// Notes each event that comes, and answers after this long.
async fn note(State((told, wait)): State<(Told, Duration)>, Json(event): Json<Value>) {
    told.lock().unwrap().entry(text(&event["id"])).or_default().push(event);
    tokio::time::sleep(wait).await;
}

#[tokio::test]
async fn a_stop_waits_for_answers_and_what_it_cannot_wait_for_is_told_again() {
    for (at_once, times) in [(false, 1), (true, 2)] {
        let daemon = Daemon::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let told = Told::default();
        let wait = Duration::from_secs(3);
        let routes = Router::new().fallback(note).with_state((Arc::clone(&told), wait));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let team = daemon.team().await;
        let only_queued = json!({ "url": url, "events": ["call.queued"] });
        daemon.post("/v1/webhook_endpoints", only_queued).await;
        daemon.placed(&team.caller, PERSON).await;
        daemon.until("it is asked", || async { told.lock().unwrap().len() == 1 }).await;
        // The request is under way, and its answer two seconds ahead.
        let daemon = daemon.stopped(at_once).await;
        let deliveries = "/v1/webhook_deliveries?limit=200";
        let is_told = || async { daemon.get(deliveries).await["data"][0]["status"] == "delivered" };
        daemon.until("it is delivered", is_told).await;
        let rows = daemon.get(deliveries).await;
        assert_eq!(rows["data"].as_array().unwrap().len(), 1, "{rows}");
        let told = told.lock().unwrap().clone();
        let came = &told[&text(&rows["data"][0]["id"])];
        assert_eq!((told.len(), came.len()), (1, times), "at once: {at_once}");
        assert_eq!(came.first(), came.last(), "the same event each time");
    }
}
