//! Every carrier that is simulated while all is well, whatever the order its events come in: the
//! daemon's calls to people, and `call` into an account of each kind.

use std::{process::Command, sync::Arc, time::Duration};

use serde_json::{Value, json};
use switchback::{
    domain::{CarrierId, Secret},
    simulator::{
        Behaviour, Delivery, Person, Pickup, Ringing, Runtime, Voice, What, audio, open_account,
    },
};

use crate::stage::{Carrier, Daemon, KEY, OPERATOR, WAIT, number};

const HUMAN: &str = "+14155550118";
const MACHINE: &str = "+14155550119";

/// The row of the only call to that number by that agent, once a field is so.
async fn becomes(daemon: &Daemon, id: &Value, field: &str, value: &str) -> Value {
    let path = format!("/switchback/v1/calls/{}", id.as_str().unwrap());
    let mut row = Value::Null;
    for _ in 0..400 {
        row = daemon.get(&path).await;
        if row[field] == value {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(row[field], value, "{row}");
    row
}

/// Somebody answers and talks to the agent; a machine answers, and is hung up on.
async fn calls_people(daemon: &Daemon, carrier: Carrier, place: usize, shown: &str) {
    let greeting = audio::chime(523.0, 659.0);
    let desk = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    let (says, ours) = (audio::tone(440.0, 200), number(place, 7));
    let stays = Some(Duration::from_millis(1200));
    let voice = Voice { says: says.clone(), stays, ..Voice::default() };
    let then = Pickup::Answers(voice);
    carrier.exchange.people(HUMAN, Person { then, ..Person::default() });
    let then = Pickup::Machine(Voice::default());
    carrier.exchange.people(MACHINE, Person { then, ..Person::default() });
    let body = json!({ "e164": ours, "account": carrier.kind.as_str() });
    let id = daemon.post("/switchback/v1/numbers", &body).await["id"].clone();
    carrier.owns(daemon, &ours);
    let agent = json!({ "name": format!("Caller {ours}"), "type": "outbound",
        "targets": [desk.url()], "number_ids": [id], "voicemail_action": "hangup" });
    let agent = daemon.post("/v1/agents", &agent).await["id"].clone();

    let call = json!({ "agent_id": agent, "to": HUMAN });
    let call = daemon.post("/v1/calls", &call).await;
    let leg = carrier.exchange.calls()[0].clone();
    let state = leg.over(WAIT).await.unwrap_or_else(|| panic!("{shown}: {:?}", leg.state()));
    let hears = audio::contains(&audio::audible(&state.heard), &greeting);
    assert!(hears, "{shown}: {:?}", state.moments);
    assert!(audio::contains(&desk.calls()[0].heard, &says), "{shown}");
    becomes(daemon, &call["id"], "status", "completed").await;

    let call = json!({ "agent_id": agent, "to": MACHINE });
    let call = daemon.post("/v1/calls", &call).await;
    let row = becomes(daemon, &call["id"], "status", "completed").await;
    assert_eq!(row["ended_by"], "machine", "{shown}: {row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_called_whatever_the_order_of_events() {
    let mut playing = tokio::task::JoinSet::new();
    for delivery in [Delivery::InOrder, Delivery::Twice, Delivery::Backwards] {
        let daemon = Arc::new(Daemon::start().await);
        for (place, kind) in CarrierId::ALL.iter().enumerate() {
            let Some(carrier) = Carrier::open(&daemon, *kind, delivery).await else { continue };
            let (daemon, shown) = (Arc::clone(&daemon), format!("{kind}, {delivery:?}"));
            playing.spawn(async move {
                calls_people(&daemon, carrier, place, &shown).await;
                assert_eq!(daemon.left_over(WAIT).await, 0, "{shown}: a call is stuck");
            });
        }
    }
    playing.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_reached_by_a_dial_hears_what_follows() {
    let daemon = Daemon::start().await;
    for (place, carrier) in Carrier::all(&daemon).await.iter().enumerate() {
        let (kind, dnis) = (carrier.kind, number(place, 8));
        carrier.exchange.people("+14155550199", Person::default());
        let targets = ["tel:+14155550199".to_owned(), "say:Nobody is there.".to_owned()];
        assert!(daemon.desk(carrier, &dnis, &targets).await, "{kind}");
        let ringing = Ringing { from: HUMAN.to_owned(), to: dnis, ..Ringing::default() };
        let leg = carrier.exchange.ring(ringing).unwrap();
        let state = leg.over(WAIT).await.unwrap_or_else(|| panic!("{kind}: {:?}", leg.state()));
        let dialled = |what: &What| matches!(what, What::Dialled { .. });
        let said = |what: &What| *what == What::Said("Nobody is there.".to_owned());
        assert!(state.has(dialled) && state.has(said), "{kind}: {:?}", state.moments);
    }
    assert_eq!(daemon.left_over(WAIT).await, 0, "a call is stuck");
}

/// `call`, with an account of that kind; what it prints.
fn call(daemon: &Daemon, kind: CarrierId, dnis: &str, more: &[String]) -> (bool, String) {
    let control = format!("http://{}", daemon.addresses.control);
    let output = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["call", "--account", kind.as_str(), "--from", HUMAN, "--to", dnis])
        .args(more)
        .env("SWITCHBACK_URL", control)
        .env("SWITCHBACK_KEY", KEY)
        .env("SWITCHBACK_OPERATOR_KEY", OPERATOR)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_be_played_into_an_account_of_any_kind() {
    let daemon = Daemon::start().await;
    for (place, kind) in CarrierId::ALL.iter().enumerate() {
        let Some((account, told)) = open_account(*kind, kind.as_str()) else { continue };
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut body = told;
        for (name, value) in [("name", kind.as_str()), ("kind", kind.as_str())] {
            body[name] = value.into();
        }
        body["api_url"] = format!("http://{free}").into();
        daemon.operate("/switchback/v1/carrier-accounts", &body).await;
        let dnis = number(place, 9);
        let number = json!({ "e164": dnis, "account": kind.as_str() });
        let number = daemon.post("/switchback/v1/numbers", &number).await;
        let agent = json!({ "name": format!("Desk {kind}"), "type": "inbound",
            "targets": ["say:Front desk."], "number_ids": [number["id"]] });
        daemon.post("/v1/agents", &agent).await;

        let is_telnyx = matches!(kind, CarrierId::Telnyx | CarrierId::TelnyxTexml);
        let seed = account.api.private_key.as_ref().map_or("", Secret::reveal).to_owned();
        let mut more = Vec::new();
        if is_telnyx {
            let (done, text) = call(&daemon, *kind, &dnis, &[]);
            assert!(!done && (text.contains("--signing-key") || text.contains("--api")), "{text}");
            more.extend(["--signing-key".to_owned(), seed]);
        }
        if *kind == CarrierId::Telnyx {
            more.extend(["--api".to_owned(), free.to_string()]);
        }
        let (done, text) = call(&daemon, *kind, &dnis, &more);
        assert!(done && text.contains("decided: default"), "{kind}: {text}");
        assert!(text.contains("hears: “Front desk.”"), "{kind}: {text}");
    }
}
