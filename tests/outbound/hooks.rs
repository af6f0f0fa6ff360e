//! kill -9 while subscribers are told: every event of every call that is known arrives, at least
//! once, and the same again if again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::daemon::{Daemon, text};

/// Events by id, as often as they came.
type Told = Arc<Mutex<HashMap<String, Vec<Value>>>>;

async fn take(State(told): State<Told>, Json(event): Json<Value>) {
    // Long enough for a kill to come between the event's arrival and the answer's.
    tokio::time::sleep(Duration::from_millis(15)).await;
    told.lock().unwrap().entry(text(&event["id"])).or_default().push(event);
}

async fn subscriber() -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let told = Told::default();
    let routes = Router::new().fallback(take).with_state(Arc::clone(&told));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, told)
}

#[tokio::test]
async fn no_event_is_lost_to_a_kill() {
    const ROUNDS: u64 = 8;
    const CALLS: u64 = 5;
    let mut daemon = Daemon::start().await;
    let (url, told) = subscriber().await;
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
