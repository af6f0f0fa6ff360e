//! Killing the daemon anywhere between the outbound call and the end of the return call, and
//! starting it again, changes no decision. A kill proves that a process may die, not a machine.

use std::time::Duration;

use serde_json::{Value, json};
use switchback::simulator::{
    Behaviour, Delivery, Fault, Leg, Person, Ringing, Runtime, Voice, What, audio,
};

use crate::{
    customer::{NUMBER, PERSON, WAIT},
    daemon::{Daemon, exchange_to},
};

const STRANGER: &str = "+14155550199";

async fn kill_and_check(daemon: &mut Daemon, contact: (&str, &str), stranger: (&str, &str)) {
    for round in 0..2 {
        let (reason, agent) = daemon.decides(PERSON).await;
        assert_eq!((&*reason, &*agent), contact, "the contact, round {round}");
        let (reason, agent) = daemon.decides(STRANGER).await;
        assert_eq!((&*reason, &*agent), stranger, "a stranger, round {round}");
        if round == 0 {
            daemon.kill_and_start();
        }
    }
}

/// The reason that the call's row keeps.
async fn row(daemon: &Daemon, leg: &Leg) -> Value {
    let path = format!("/switchback/v1/calls?carrier_call_id={}", leg.facts.sid);
    for _ in 0..200 {
        let calls = daemon.ask(reqwest::Method::GET, &path, json!(null)).await;
        if calls["data"][0]["reason"].is_string() {
            assert_eq!(calls["data"].as_array().unwrap().len(), 1, "{calls}");
            return calls["data"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Value::Null
}

#[tokio::test]
async fn a_kill_anywhere_in_between_changes_no_decision() {
    let mut daemon = Daemon::start();
    let greeting = audio::chime(523.0, 659.0);
    let runtime = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    let none = ("no_inbound_agent", "");
    let front = ("default", "Front desk");
    let back = ("callback", "Return desk");

    let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let source = json!({ "name": "Renewals", "type": "outbound", "number_ids": [number] });
    let source = daemon.make("/v1/agents", source).await;
    kill_and_check(&mut daemon, none, none).await;

    let desk = json!({ "name": "Front desk", "type": "inbound", "number_ids": [number],
        "targets": ["say:Front desk."] });
    daemon.make("/v1/agents", desk).await;
    kill_and_check(&mut daemon, front, front).await;

    let touch = json!([{ "id": "t-1", "source_agent_id": source, "contact": PERSON,
        "caller_id": NUMBER, "at": jiff::Timestamp::now().to_string(), "outcome": "no_answer" }]);
    daemon.post("/switchback/v1/touches", touch).await;
    kill_and_check(&mut daemon, front, front).await;

    let desk = json!({ "name": "Return desk", "type": "inbound", "targets": [runtime.url()] });
    let desk = daemon.make("/v1/agents", desk).await;
    let role = json!({ "source_agent_ids": [source] });
    daemon.post(&format!("/api/v1/agents/{desk}/callback"), role).await;
    daemon.post(&format!("/v1/agents/{desk}/numbers"), json!({ "number_id": number })).await;
    kill_and_check(&mut daemon, back, front).await;

    // While the two talk: the carrier's next request finds nobody, and the next call is decided as
    // this one was.
    let ringing = || Ringing { from: PERSON.into(), to: NUMBER.into(), ..Ringing::default() };
    let exchange = daemon.exchange();
    let leg = exchange.ring(ringing()).unwrap();
    let hears = |state: &switchback::simulator::State| {
        audio::contains(&audio::audible(&state.heard), &greeting)
    };
    leg.until(WAIT, hears).await.unwrap();
    assert_eq!(row(&daemon, &leg).await["reason"], "callback");
    kill_and_check(&mut daemon, back, front).await;
    let state = leg.over(WAIT).await.unwrap();
    assert!(state.has(|what| matches!(what, What::Failed(_))), "{:?}", state.moments);
    assert_eq!(row(&daemon, &leg).await["reason"], "callback");

    // A webhook from before the kill that is delivered again after it is decided as it was.
    let (sent, first) = state.first.clone().unwrap();
    let exchange = daemon.exchange();
    let again = exchange.deliver(&sent).await.unwrap();
    assert_eq!((first.status, again.status), (200, 200));
    assert!(String::from_utf8_lossy(&again.body).contains("<Stream "), "{again:?}");
    assert_eq!(row(&daemon, &leg).await["reason"], "callback");

    let voice = Voice { stays: Some(Duration::from_millis(700)), ..Voice::default() };
    let leg = exchange.ring(Ringing { voice, ..ringing() }).unwrap();
    let state = leg.over(WAIT).await.unwrap();
    assert!(hears(&state), "{:?}", state.moments);
    kill_and_check(&mut daemon, back, front).await;
    assert_eq!(row(&daemon, &leg).await["reason"], "callback");
}

/// When it is killed after it was asked for a call: before the row, before the dial, while the
/// carrier answers (40 ms), while it rings, when it is over.
const KILLED_AFTER_MS: [u64; 12] = [0, 2, 5, 10, 15, 20, 35, 50, 70, 150, 300, 600];

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_dialling_loses_no_touch_and_rings_nobody_twice() {
    let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = edge.to_string();
    let mut exchange = exchange_to(&edge, Delivery::InOrder);
    let api_url = exchange.open().await.unwrap();
    let account = format!("api_url = \"{api_url}\"\ncalls_per_second = 1000");
    let mut daemon = Daemon::start_with(&edge, &account);
    let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let source = json!({ "name": "Renewals", "type": "outbound", "number_ids": [number] });
    let source = daemon.make("/v1/agents", source).await;
    let desk = json!({ "name": "Return desk", "type": "inbound", "targets": ["say:Hello."] });
    let desk = daemon.make("/v1/agents", desk).await;
    let role = json!({ "source_agent_ids": [source] });
    daemon.post(&format!("/api/v1/agents/{desk}/callback"), role).await;
    daemon.post(&format!("/v1/agents/{desk}/numbers"), json!({ "number_id": number })).await;

    let contacts: Vec<_> = (0..KILLED_AFTER_MS.len()).map(|n| format!("+1415555020{n}")).collect();
    for (contact, after) in contacts.iter().zip(KILLED_AFTER_MS) {
        let slow = Some(Fault::Slow(Duration::from_millis(40)));
        let rings = Duration::from_millis(60);
        exchange.people(contact, Person { rings, fault: slow, ..Person::default() });
        let request = daemon.request("/v1/calls", &json!({ "agent_id": source, "to": contact }));
        // Whether it is answered is not known: the daemon may be dead by then.
        let asked = tokio::spawn(request.send());
        tokio::time::sleep(Duration::from_millis(after)).await;
        daemon.kill_and_start();
        drop(asked.await);
    }
    // Whatever the last start still looks for is found or given up.
    tokio::time::sleep(Duration::from_secs(1)).await;
    daemon.kill_and_start();
    let mut rang = 0;
    for contact in &contacts {
        let legs = exchange.calls().iter().filter(|leg| leg.facts.to == *contact).count();
        assert!(legs <= 1, "{contact} was rung {legs} times");
        rang += legs;
        if legs == 1 {
            let expected = ("callback".to_owned(), "Return desk".to_owned());
            assert_eq!(daemon.decides(contact).await, expected, "{contact}");
        }
    }
    assert!(rang >= 2, "the kills came too early to prove anything: {rang} phones rang");
}
