//! kill -9 between "asked" and "ringing": no touch of a phone that rang is lost, and no phone rings
//! twice.

use std::time::Duration;

use serde_json::json;

use crate::{
    carrier::Do,
    daemon::{Daemon, PERSON, SALES_LINE},
};

/// What must hold after every kill, once the daemon is up again.
async fn check(daemon: &Daemon, person: &str, what: &str) {
    // Whatever a start does of its own has been done by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rings = daemon.carrier.rings(person);
    assert!(rings <= 1, "{what}: it rang {rings} times");
    if rings == 1 {
        assert_eq!(daemon.touches(person).await, ["pending"], "{what}");
        assert_eq!(daemon.reason(person, SALES_LINE).await, "callback", "{what}");
    }
}

#[tokio::test]
async fn a_call_survives_a_kill_at_every_point() {
    let points =
        [Do::KillAndForget, Do::PlaceAndKill, Do::AnswerAndKill, Do::PlaceAndFail, Do::Accept];
    let mut daemon = Daemon::start().await;
    let team = daemon.team().await;
    for (n, point) in points.into_iter().enumerate() {
        let person = format!("+1415555{:04}", 2000 + n);
        let (what, rings) = (format!("{point:?}"), !matches!(point, Do::KillAndForget));
        daemon.carrier.then(point);
        daemon.dial(&team.caller, &person).await;
        if rings {
            // One more point: the carrier's first webhook, before anything of it is on disk.
            let placed = daemon.carrier.last();
            daemon.carrier.tell(&placed, "initiated", &[]).await;
        }
        daemon = daemon.again();
        check(&daemon, &person, &what).await;
        assert_eq!(daemon.carrier.rings(&person), usize::from(rings), "{what}");
        if rings {
            // What was found at the carrier is ours again, and goes on.
            let placed = daemon.carrier.last();
            let path = "/switchback/v1/calls?carrier_call_id=";
            daemon
                .until(&format!("{what}: adopted"), || async {
                    let found = daemon.get(&format!("{path}{}", placed.sid)).await;
                    found["data"][0]["to"] == person.as_str()
                })
                .await;
            daemon.carrier.tell(&placed, "no-answer", &[]).await;
            daemon.remembers(&person, &["no_answer"]).await;
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_found_may_have_rung() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    daemon.carrier.goes_blind();
    daemon.carrier.then(Do::PlaceAndKill);
    daemon.dial(&team.caller, PERSON).await;
    let daemon = daemon.again();
    check(&daemon, PERSON, "not found").await;
    let placed = daemon.carrier.last();
    daemon.carrier.tell(&placed, "busy", &[]).await;
    daemon.remembers(PERSON, &["busy"]).await;
}

/// The moments are chosen by the clock: before the row, between row and command, after the answer.
#[tokio::test]
async fn a_call_survives_a_kill_at_any_moment() {
    let mut daemon = Daemon::start().await;
    let team = daemon.team().await;
    for n in 0..12_u64 {
        let person = format!("+1415555{:04}", 3000 + n);
        let after = Duration::from_millis(n);
        let asked = daemon.dial(&team.caller, &person);
        // The request is cut off where the time is up; the daemon is killed by starting again.
        let answered = tokio::time::timeout(after, asked).await;
        daemon = daemon.again();
        check(&daemon, &person, &format!("after {after:?}")).await;
        if let Ok((status, body)) = answered {
            assert_eq!(status, 201, "{body}");
            assert_eq!(daemon.carrier.rings(&person), 1);
        }
    }
}

#[tokio::test]
async fn two_calls_that_fit_are_told_apart_by_nobody() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    daemon.carrier.then(Do::PlaceAndFail);
    daemon.placed(&team.caller, PERSON).await;
    daemon.carrier.then(Do::PlaceAndFail);
    daemon.placed(&team.caller, PERSON).await;
    let daemon = daemon.again();
    check_none_adopted(&daemon).await;
    assert_eq!(daemon.touches(PERSON).await, ["pending", "pending"]);
    // Their webhooks name them.
    for placed in daemon.carrier.placed() {
        daemon.carrier.tell(&placed, "busy", &[]).await;
    }
    daemon.remembers(PERSON, &["busy", "busy"]).await;
}

async fn check_none_adopted(daemon: &Daemon) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    for placed in daemon.carrier.placed() {
        let path = format!("/switchback/v1/calls?carrier_call_id={}", placed.sid);
        assert_eq!(daemon.get(&path).await["data"], json!([]));
    }
}
