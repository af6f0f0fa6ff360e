//! What goes wrong at carriers: their APIs and their media sockets. Each ends in a stated outcome,
//! and is counted; nothing is left over.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use switchback::{
    domain::CarrierId,
    simulator::{
        Behaviour, Delivery, Fault, Leg, Mishap, Person, Pickup, Ringing, Runtime, State, Voice,
        What, audio,
    },
};

use crate::stage::{Carrier, Daemon, WAIT, number};

const CALLER: &str = "+14155550117";

/// Who is called while the carrier's API does that; with which outcome for us.
fn faults() -> Vec<(&'static str, Fault, u16)> {
    let refused = |status, code| Fault::Refused { status, code, message: "no".to_owned() };
    vec![
        ("+14155550101", refused(400, 10_015), 502),
        ("+14155550102", Fault::Unclear(503), 201),
        ("+14155550103", Fault::Garbage, 201),
        ("+14155550104", Fault::Slow(Duration::from_millis(300)), 201),
        ("+14155550105", Fault::NoAnswer, 201),
        // Put off, and asked again: the first time nobody was called.
        ("+14155550106", refused(429, 20_429), 201),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_fails_leaves_every_call_with_an_outcome() {
    let daemon = Arc::new(Daemon::start().await);
    let mut playing = tokio::task::JoinSet::new();
    for (place, kind) in CarrierId::ALL.iter().enumerate() {
        let daemon = Arc::clone(&daemon);
        let Some(carrier) = Carrier::open(&daemon, *kind, Delivery::InOrder).await else {
            continue;
        };
        playing.spawn(async move { place_calls(&daemon, carrier, place).await });
    }
    playing.join_all().await;
    assert_eq!(daemon.left_over(WAIT).await, 0, "a call is stuck");
    for kind in CarrierId::ALL.iter().map(|kind| kind.as_str()) {
        let counted = async |outcome: &str| {
            let metric = "switchback_dispatch_commands_total";
            let metrics = daemon.metrics().await;
            let (kind, outcome) = (format!("\"{kind}\""), format!("\"{outcome}\""));
            let mut lines = metrics.lines().filter(|line| line.starts_with(metric));
            lines.any(|l| l.contains(&kind) && l.contains(&outcome) && !l.ends_with(" 0"))
        };
        let is_played = switchback::simulator::open_account(kind.parse().unwrap(), "a").is_some();
        for outcome in ["refused", "unclear", "retried"] {
            assert!(!is_played || counted(outcome).await, "{kind}: {outcome}");
        }
    }
}

async fn place_calls(daemon: &Daemon, carrier: Carrier, place: usize) {
    let (kind, ours) = (carrier.kind, number(place, 1));
    let body = json!({ "e164": ours, "account": kind.as_str() });
    let id = daemon.post("/switchback/v1/numbers", &body).await["id"].clone();
    carrier.owns(daemon, &ours);
    let agent = json!({ "name": format!("Caller {kind}"), "type": "outbound",
        "targets": ["builtin:echo"], "number_ids": [id] });
    let agent = daemon.post("/v1/agents", &agent).await["id"].clone();
    for (to, fault, expected) in faults() {
        carrier.exchange.people(to, Person { then: Pickup::Busy, ..Person::default() });
        carrier.exchange.fault(fault.clone());
        let call = json!({ "agent_id": agent, "to": to });
        let (status, answer) = daemon.try_post("/v1/calls", &call).await;
        assert_eq!(status, expected, "{kind}, {fault:?}: {answer}");
        let path = format!("/switchback/v1/calls?to={}&limit=100", to.replace('+', "%2B"));
        let expected = if expected == 201 { "busy" } else { "failed" };
        let mut row = Value::Null;
        for _ in 0..400 {
            let rows = daemon.get(&path).await;
            let rows = rows["data"].as_array().cloned().unwrap_or_default();
            row = rows.into_iter().find(|row| row["from"] == ours.as_str()).unwrap_or_default();
            if row["status"] == expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(row["status"], expected, "{kind}, {fault:?}: {row}");
    }
}

/// Somebody on the line, who hears the desk.
async fn talks(
    daemon: &Daemon,
    carrier: &Carrier,
    dnis: &str,
    target: &str,
    voice: Voice,
) -> Arc<Leg> {
    assert!(daemon.desk(carrier, dnis, &[target.to_owned()]).await);
    let ringing =
        Ringing { from: CALLER.to_owned(), to: dnis.to_owned(), voice, ..Ringing::default() };
    carrier.exchange.ring(ringing).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_answer_a_call_are_sent_until_they_are_done() {
    let daemon = Daemon::start().await;
    let greeting = audio::chime(523.0, 659.0);
    let desk = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    let carrier = Carrier::open(&daemon, CarrierId::Telnyx, Delivery::InOrder).await.unwrap();
    let refused = |status, code| Fault::Refused { status, code, message: "no".to_owned() };
    let faults = [
        Fault::NoAnswer,
        Fault::Unclear(503),
        Fault::Garbage,
        Fault::Slow(Duration::from_millis(700)),
        refused(429, 10_011),
        refused(500, 10_007),
    ];
    for (line, fault) in faults.into_iter().enumerate() {
        let shown = format!("{fault:?}");
        carrier.exchange.fault_any(fault);
        let dnis = number(80, line);
        let leg = talks(&daemon, &carrier, &dnis, &desk.url(), Voice::default()).await;
        let hears = |state: &State| audio::contains(&audio::audible(&state.heard), &greeting);
        let heard = leg.until(WAIT, hears).await;
        assert!(heard.is_some(), "{shown}: {:?}", leg.state().moments);
        let opened = leg.state().moments.into_iter();
        let opened = opened.filter(|moment| matches!(moment.what, What::Connected(_))).count();
        assert_eq!(opened, 1, "{shown}: what was sent twice was done once");
        leg.hang_up();
        // What is asked of the carrier about this call is not the next one's fault.
        leg.over(WAIT).await.unwrap();
        assert_eq!(daemon.left_over(WAIT).await, 0, "{shown}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // What the carrier will not do at all ends the call: nobody is left with ringing.
    carrier.exchange.fault_any(refused(422, 10_015));
    let leg = talks(&daemon, &carrier, &number(80, 90), &desk.url(), Voice::default()).await;
    let over = leg.over(WAIT).await;
    assert!(over.is_some(), "{:?}", leg.state().moments);
    assert_eq!(daemon.left_over(WAIT).await, 0, "a call is stuck");
}

/// A mishap with every carrier; what the caller's side then looks like.
async fn mishap(mishap: Mishap, area: usize, check: impl Fn(CarrierId, &State)) -> Daemon {
    let daemon = Daemon::start().await;
    let desk = Runtime::start(Behaviour::Echo).await.unwrap();
    let mut legs = Vec::new();
    let carriers = Carrier::all(&daemon).await;
    for (place, carrier) in carriers.iter().enumerate() {
        let voice =
            Voice { mishap: Some((mishap, Duration::from_millis(600))), ..Voice::default() };
        let dnis = number(area + place, 1);
        legs.push((carrier.kind, talks(&daemon, carrier, &dnis, &desk.url(), voice).await));
    }
    for (kind, leg) in &legs {
        let open = leg.happens(WAIT, |what| matches!(what, What::Connected(_))).await;
        assert!(open.is_some(), "{kind}: {:?}", leg.state().moments);
    }
    // The watch's ten seconds, and a little.
    let wait = if mishap == Mishap::Stalls { 12 } else { 3 };
    tokio::time::sleep(Duration::from_secs(wait)).await;
    for (kind, leg) in &legs {
        check(*kind, &leg.state());
        leg.hang_up();
    }
    assert_eq!(daemon.left_over(WAIT).await, 0, "a call is stuck");
    let served = desk.until(WAIT, |calls| calls.iter().all(|call| call.is_closed)).await;
    assert!(served.is_some(), "a runtime is left with a call: {:?}", desk.calls());
    daemon
}

fn opened(state: &State) -> usize {
    state.moments.iter().filter(|moment| matches!(moment.what, What::Connected(_))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_stalls_is_closed_by_the_watch() {
    let daemon = mishap(Mishap::Stalls, 100, |kind, state| {
        assert_eq!(opened(state), 1, "{kind}: {:?}", state.moments);
    })
    .await;
    let played = CarrierId::ALL
        .iter()
        .filter(|kind| switchback::simulator::open_account(**kind, "a").is_some());
    let counted = daemon.counted("switchback_media_quiet_total", "").await;
    assert!(counted >= played.count() as f64, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_half_closes_or_breaks_is_followed_by_the_next_target() {
    for (mishap_of, area) in [(Mishap::HalfCloses, 200), (Mishap::Breaks, 300)] {
        mishap(mishap_of, area, |kind, state| {
            // The carrier asks what follows, and there is nothing but the last resort.
            let speaks = |what: &What| matches!(what, What::Said(_));
            assert!(state.has(speaks), "{kind}, {mishap_of:?}: {:?}", state.moments);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_comes_twice_is_refused_and_the_first_goes_on() {
    let daemon = mishap(Mishap::ComesTwice, 400, |kind, state| {
        assert_eq!(opened(state), 1, "{kind}: {:?}", state.moments);
        let refused = |what: &What| matches!(what, What::Failed(p) if p.what.contains("403"));
        assert!(state.has(refused), "{kind}: {:?}", state.moments);
        assert!(!state.has(|what| matches!(what, What::Closed(_))), "{kind}");
    })
    .await;
    assert!(daemon.counted("switchback_media_refused_total", "used").await >= 1.0);
}
