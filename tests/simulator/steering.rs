//! Calls that are moved, ended and put off through the API, over real sockets: what the caller
//! hears, what runtimes are told.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use switchback::simulator::{
    Behaviour, Delivery, Exchange, Leg, Person, Pickup, Ringing, Runtime, Voice, What, Who, audio,
};

use crate::{
    customer::{NUMBER, PERSON, WAIT},
    daemon::{Daemon, exchange_to},
};

const COLLEAGUE: &str = "+14155550199";

struct Scene {
    daemon: Daemon,
    exchange: Exchange,
    number: String,
}

impl Scene {
    async fn new() -> Self {
        let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let edge = edge.to_string();
        let mut exchange = exchange_to(&edge, Delivery::InOrder);
        let api_url = exchange.open().await.unwrap();
        let daemon = Daemon::start_with(&edge, &format!("api_url = \"{api_url}\""));
        let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
        Self { daemon, exchange, number }
    }

    async fn agent(&self, name: &str, kind: &str, numbers: &[&str], target: &str) -> String {
        let body = json!({ "name": name, "type": kind, "number_ids": numbers,
            "targets": [target], "voicemail_action": "hangup" });
        self.daemon.make("/v1/agents", body).await
    }

    fn rings(&self) -> Arc<Leg> {
        let ringing = Ringing { from: PERSON.into(), to: NUMBER.into(), ..Ringing::default() };
        self.exchange.ring(ringing).unwrap()
    }

    /// The one call there is.
    async fn row(&self) -> Value {
        for _ in 0..250 {
            let calls = self.daemon.ask(Method::GET, "/switchback/v1/calls", json!(null)).await;
            if calls["data"][0]["id"].is_string() {
                return calls["data"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no call");
    }

    /// Asks something of the call; the status.
    async fn steer(&self, verb: &str, body: &Value) -> u16 {
        let id = self.row().await["id"].as_str().unwrap().to_owned();
        let path = format!("/switchback/v1/calls/{id}/{verb}");
        self.daemon.request(&path, body).send().await.unwrap().status().as_u16()
    }

    async fn becomes(&self, field: &str, value: &str) -> Value {
        let mut row = Value::Null;
        for _ in 0..250 {
            row = self.row().await;
            if row[field] == value {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{field} is not {value}: {row}");
    }
}

fn outcomes(row: &Value) -> Vec<&str> {
    let tried = row["targets_tried"].as_array().unwrap();
    tried.iter().map(|tried| tried["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_caller_is_taken_to_another_agent_and_then_to_a_word() {
    let scene = Scene::new().await;
    let greeting = audio::chime(523.0, 659.0);
    let first = Runtime::start(Behaviour::ListenOnly).await.unwrap();
    let second = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    scene.agent("Desk", "inbound", &[&scene.number], &first.url()).await;
    let other = scene.agent("Other", "inbound", &[], &second.url()).await;
    let seller = scene.agent("Seller", "outbound", &[], &second.url()).await;
    let leg = scene.rings();
    first.until(WAIT, |calls| calls.iter().any(|call| call.start.is_some())).await.unwrap();

    assert_eq!(scene.steer("move", &json!({ "agent_id": seller })).await, 422);
    assert_eq!(scene.steer("move", &json!({ "agent_id": "nobody" })).await, 422);
    assert_eq!(scene.steer("transfer", &json!({ "target": "busy" })).await, 422);
    assert_eq!(scene.steer("move", &json!({ "agent_id": other })).await, 202);
    let told = first.until(WAIT, |calls| calls[0].is_closed).await.unwrap();
    assert!(told[0].was_stopped, "the first one is told");
    leg.until(WAIT, |state| audio::contains(&state.heard, &greeting)).await.unwrap();
    let told = second.calls();
    assert_eq!(told[0].parameter("agent_id"), Some(other.as_str()));
    assert!(!leg.state().has(|what| matches!(what, What::Closed(_))), "in the same stream");

    assert_eq!(scene.steer("transfer", &json!({ "target": "say:Good-bye." })).await, 202);
    let state = leg.over(WAIT).await.unwrap();
    assert!(state.has(|what| *what == What::Said("Good-bye.".to_owned())), "{:?}", state.moments);
    assert!(second.until(WAIT, |calls| calls[0].is_closed).await.unwrap()[0].was_stopped);
    let row = scene.becomes("status", "completed").await;
    assert_eq!(outcomes(&row), ["moved", "moved", "spoken"], "{row}");
    assert_eq!(scene.steer("transfer", &json!({ "target": "say:Too late." })).await, 409);
    assert_eq!(scene.steer("hangup", &json!({})).await, 409);
}

#[tokio::test]
async fn a_caller_is_taken_out_of_a_dial() {
    let scene = Scene::new().await;
    let stays = Some(Duration::from_secs(60));
    let then = Pickup::Answers(Voice { stays, ..Voice::default() });
    scene.exchange.people(COLLEAGUE, Person { then, ..Person::default() });
    let runtime = Runtime::start(Behaviour::ListenOnly).await.unwrap();
    scene.agent("Desk", "inbound", &[&scene.number], &format!("tel:{COLLEAGUE}")).await;
    let leg = scene.rings();
    leg.happens(WAIT, |what| matches!(what, What::Dialled { .. })).await.unwrap();
    assert_eq!(scene.steer("transfer", &json!({ "target": runtime.url() })).await, 202);
    runtime.until(WAIT, |calls| calls.iter().any(|call| call.start.is_some())).await.unwrap();
    assert_eq!(scene.steer("hangup", &json!({})).await, 202);
    leg.over(WAIT).await.unwrap();
    let row = scene.becomes("status", "completed").await;
    assert_eq!(row["ended_by"], "api", "{row}");
    assert_eq!(outcomes(&row)[0], "moved", "{row}");
}

#[tokio::test]
async fn a_machine_is_hung_up_on_and_the_unanswered_cannot_be_moved() {
    let scene = Scene::new().await;
    let runtime = Runtime::start(Behaviour::ListenOnly).await.unwrap();
    let agent = scene.agent("Renewals", "outbound", &[&scene.number], &runtime.url()).await;
    let rings = Duration::from_millis(800);
    let then = Pickup::Machine(Voice::default());
    scene.exchange.people(PERSON, Person { rings, then, ..Person::default() });
    let body = json!({ "agent_id": agent, "to": PERSON, "instructions": "Ask for Ann.",
        "context": { "name": "Ann" } });
    let id = scene.daemon.make("/v1/calls", body).await;
    assert_eq!(scene.steer("transfer", &json!({ "target": "say:Hi." })).await, 409);
    let leg = scene.exchange.calls()[0].clone();
    leg.over(WAIT).await.unwrap();
    let row = scene.becomes("status", "completed").await;
    assert_eq!(row["ended_by"], "machine", "{row}");
    let call = scene.daemon.ask(Method::GET, &format!("/v1/calls/{id}"), json!(null)).await;
    assert_eq!((&call["status"], &call["answered_by"]), (&json!("no_answer"), &json!("machine")));
    let told = runtime.calls();
    if let Some(told) = told.first().filter(|told| told.start.is_some()) {
        assert_eq!(told.parameter("instructions"), Some("Ask for Ann."));
        assert_eq!(told.parameter("variables"), Some(r#"{"name":"Ann"}"#));
    }
}

#[tokio::test]
async fn a_message_is_left_on_a_machine() {
    let scene = Scene::new().await;
    let message = audio::chime(523.0, 659.0);
    let runtime = Runtime::start(Behaviour::Greeting(message.clone())).await.unwrap();
    let agent = scene.agent("Renewals", "outbound", &[&scene.number], &runtime.url()).await;
    let path = format!("/v1/agents/{agent}");
    let leaves = json!({ "voicemail_action": "leave_message" });
    scene.daemon.ask(Method::PATCH, &path, leaves).await;
    // It records for a while, and then hangs up itself.
    let voice = Voice { stays: Some(Duration::from_millis(1500)), ..Voice::default() };
    let then = Pickup::Machine(voice);
    scene.exchange.people(PERSON, Person { then, ..Person::default() });
    let id = scene.daemon.make("/v1/calls", json!({ "agent_id": agent, "to": PERSON })).await;
    let leg = scene.exchange.calls()[0].clone();
    let state = leg.over(WAIT).await.unwrap();
    assert_eq!(state.answered_by, Some(Who::Machine), "it was asked who answers");
    assert!(audio::contains(&audio::audible(&state.heard), &message), "{:?}", state.moments);
    assert!(!state.has(|what| matches!(what, What::Closed(_))), "{:?}", state.moments);
    let row = scene.becomes("status", "completed").await;
    assert_eq!(row["ended_by"], "caller", "{row}");
    let call = scene.daemon.ask(Method::GET, &format!("/v1/calls/{id}"), json!(null)).await;
    assert_eq!((&call["status"], &call["answered_by"]), (&json!("no_answer"), &json!("machine")));
    let contact = scene.daemon.read(&format!("/switchback/v1/contacts/{PERSON}"));
    let contact: Value = contact.send().await.unwrap().json().await.unwrap();
    assert_eq!(contact["touches"][0]["outcome"], "voicemail", "{contact}");
}

#[tokio::test]
async fn a_call_waits_for_its_time_whatever_ends_the_daemon() {
    let mut scene = Scene::new().await;
    let agent = scene.agent("Renewals", "outbound", &[&scene.number], "builtin:echo").await;
    scene.exchange.people(PERSON, Person::default());
    let path = format!("/api/v1/agents/{agent}/call");
    let later =
        |seconds: u32| json!({ "to": PERSON, "delay_seconds": seconds, "is_testing": true });
    let put_off = scene.daemon.post(&path, later(3600)).await;
    assert_eq!(put_off["data"]["status"], "initiated");
    let row = scene.row().await;
    assert_eq!((&row["status"], &row["is_test"]), (&json!("queued"), &json!(true)));
    assert!(row["due_at"].is_string(), "{row}");
    // It is canceled as long as it waits, in either way.
    assert_eq!(scene.steer("hangup", &json!({})).await, 202);
    assert_eq!(scene.becomes("status", "canceled").await["ended_by"], "api");
    assert_eq!(scene.steer("hangup", &json!({})).await, 409);
    scene.daemon.post(&path, later(3600)).await;
    let id = scene.row().await["id"].as_str().unwrap().to_owned();
    let canceled = scene.daemon.post(&format!("/v1/calls/{id}/cancel"), json!({})).await;
    assert_eq!(canceled["status"], "canceled", "{canceled}");

    scene.daemon.post(&path, later(3)).await;
    scene.daemon.kill_and_start();
    assert!(scene.exchange.calls().is_empty(), "nobody was called yet");
    assert_eq!(scene.row().await["status"], "queued");
    for _ in 0..300 {
        if !scene.exchange.calls().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let leg = scene.exchange.calls()[0].clone();
    leg.over(WAIT).await.unwrap();
    let row = scene.becomes("status", "no_answer").await;
    assert_eq!((&row["is_test"], &row["due_at"]), (&json!(true), &Value::Null));
    let contact = scene.daemon.read(&format!("/switchback/v1/contacts/{PERSON}"));
    let contact: Value = contact.send().await.unwrap().json().await.unwrap();
    assert_eq!(contact["touches"], json!([]), "a test leaves no touch");
}
