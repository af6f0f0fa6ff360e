//! Outbound calls through the public API, to people of the simulated carrier.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{
    domain::CallStatus,
    simulator::{Behaviour, Delivery, Exchange, Fault, Person, Pickup, Runtime, Voice, audio},
};

use crate::{
    customer::{NUMBER, PERSON, WAIT},
    daemon::{Daemon, exchange_to},
};

struct Scene {
    daemon: Daemon,
    exchange: Exchange,
    agent: String,
    runtime: Runtime,
    greeting: Vec<u8>,
}

async fn scene(delivery: Delivery, then: Pickup, fault: Option<Fault>) -> Scene {
    let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = edge.to_string();
    let mut exchange = exchange_to(&edge, delivery);
    let api_url = exchange.open().await.unwrap();
    exchange.people(PERSON, Person { then, fault, ..Person::default() });
    let daemon = Daemon::start_with(&edge, &format!("api_url = \"{api_url}\""));
    let greeting = audio::chime(523.0, 659.0);
    let runtime = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let agent = json!({ "name": "Renewals", "type": "outbound", "number_ids": [number],
        "targets": [runtime.url()], "voicemail_action": "hangup" });
    let agent = daemon.make("/v1/agents", agent).await;
    Scene { daemon, exchange, agent, runtime, greeting }
}

impl Scene {
    /// Asks for the call; the answer's status and body.
    async fn place(&self) -> (u16, Value) {
        let body = json!({ "agent_id": self.agent, "to": PERSON });
        let answer = self.daemon.request("/v1/calls", &body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The touch's outcome, once it is this or time is up.
    async fn outcome(&self, expected: &str) -> String {
        let mut found = String::new();
        for _ in 0..250 {
            let request = self.daemon.read(&format!("/switchback/v1/contacts/{PERSON}"));
            let contact: Value = request.send().await.unwrap().json().await.unwrap();
            contact["touches"][0]["outcome"].as_str().unwrap_or("none").clone_into(&mut found);
            if found == expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        found
    }
}

#[tokio::test]
async fn a_person_who_answers_talks_to_the_agent() {
    let stays = Some(Duration::from_millis(900));
    let says = audio::tone(440.0, 200);
    let voice = Voice { says: says.clone(), stays, ..Voice::default() };
    let scene = scene(Delivery::InOrder, Pickup::Answers(voice), None).await;
    let (status, call) = scene.place().await;
    assert_eq!(status, 201, "{call}");
    let leg = scene.exchange.calls()[0].clone();
    let state = leg.over(WAIT).await.unwrap();
    assert!(audio::contains(&audio::audible(&state.heard), &scene.greeting), "{:?}", state.moments);
    assert!(audio::contains(&scene.runtime.calls()[0].heard, &says));
    assert_eq!(scene.outcome("answered").await, "answered");
    let path = format!("/switchback/v1/calls/{}", call["id"].as_str().unwrap());
    let row = scene.daemon.ask(Method::GET, &path, json!(null)).await;
    assert_eq!(
        (&row["carrier_call_id"], &row["direction"]),
        (&json!(leg.facts.sid), &json!("outbound"))
    );
}

#[tokio::test]
async fn events_may_come_twice_or_backwards_and_before_the_answer() {
    for delivery in [Delivery::Twice, Delivery::Backwards] {
        let slow = Some(Fault::Slow(Duration::from_millis(300)));
        let scene = scene(delivery, Pickup::Busy, slow).await;
        let (status, call) = scene.place().await;
        assert_eq!(status, 201, "{call}");
        assert_eq!(scene.outcome("busy").await, "busy", "{delivery:?}");
        let calls = scene.daemon.ask(Method::GET, "/switchback/v1/calls", json!(null)).await;
        assert_eq!(calls["data"].as_array().unwrap().len(), 1, "{calls}");
        assert_eq!(calls["data"][0]["status"], "busy", "{calls}");
    }
}

#[tokio::test]
async fn a_refused_call_leaves_no_touch() {
    let message = "The phone number you are attempting to call is not valid.".to_owned();
    let fault = Fault::Refused { status: 400, code: 21211, message };
    let scene = scene(Delivery::InOrder, Pickup::Nobody, Some(fault)).await;
    let (status, call) = scene.place().await;
    assert!((400..600).contains(&status), "{status} {call}");
    assert_eq!(scene.outcome("none").await, "none");
    assert!(scene.exchange.calls().is_empty());
}

#[tokio::test]
async fn an_unclear_answer_rings_once_and_is_remembered() {
    let scene = scene(Delivery::InOrder, Pickup::Nobody, Some(Fault::Unclear(503))).await;
    let (status, call) = scene.place().await;
    assert_eq!(status, 201, "{call}");
    assert_eq!(scene.outcome("no_answer").await, "no_answer");
    let legs = scene.exchange.calls();
    assert_eq!(legs.len(), 1, "rung once");
    assert_eq!(legs[0].over(WAIT).await.unwrap().status, CallStatus::NoAnswer);
}
