//! The vendor's published client against the real program. It needs the package: run
//! `tests/peers/run.sh`.

use std::{path::Path, time::Duration};

use serde_json::Value;
use switchback::simulator::{Delivery, Person, Pickup, Ringing};
use tokio::process::Command;

use crate::{
    customer::PERSON,
    daemon::{Daemon, KEY, exchange_to},
};

#[expect(clippy::disallowed_methods, reason = "it is the test that is told, not the daemon")]
fn python() -> String {
    std::env::var("SWITCHBACK_PYTHON").unwrap_or_else(|_| panic!("run tests/peers/run.sh"))
}

/// One act of the script; what its last line says.
async fn act(daemon: &Daemon, home: &Path, args: &[&str]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/callingbox_client.py");
    let done = Command::new(python())
        .arg(script)
        .args(args)
        .env("CALLINGBOX_BASE_URL", format!("http://{}", daemon.control))
        .env("CALLINGBOX_API_KEY", KEY)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{args:?}: {said}");
    let told = String::from_utf8(done.stdout).unwrap();
    serde_json::from_str(told.lines().last().unwrap_or("{}")).unwrap()
}

#[tokio::test]
#[ignore = "needs the vendor's package: tests/peers/run.sh"]
async fn the_vendors_client_and_command_run_unmodified() {
    let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = edge.to_string();
    let mut exchange = exchange_to(&edge, Delivery::InOrder);
    let api_url = exchange.open().await.unwrap();
    exchange.people(PERSON, Person { then: Pickup::Busy, ..Person::default() });
    let more = format!(
        "api_url = \"{api_url}\"\ncalls_per_second = 20\n[outbox]\nallow_private = true\n\
         [runtime]\ndefault_target = \"builtin:echo\""
    );
    let daemon = Daemon::start_with(&edge, &more);
    let home = tempfile::tempdir().unwrap();

    let bought = act(&daemon, home.path(), &["numbers"]).await;
    let number = bought["number"].as_str().unwrap().to_owned();
    act(&daemon, home.path(), &["call", PERSON]).await;
    let from = "+14155550199".to_owned();
    let ringing = Ringing { from, to: number.clone(), ..Ringing::default() };
    let leg = exchange.ring(ringing).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    leg.hang_up();
    tokio::time::sleep(Duration::from_secs(1)).await;
    act(&daemon, home.path(), &["rang", &number]).await;
}
