//! What was before Switchback: a carrier's list of calls, and another dialer's files.

use std::{path::Path, process::Output};

use reqwest::Method;
use serde_json::{Value, json};
use switchback::simulator::{Delivery, Owned, Person, Pickup};
use tokio::process::Command;

use crate::{
    customer::{ACCOUNT_SID, NUMBER, PERSON, TOKEN},
    daemon::{Daemon, KEY, exchange_to},
};

const SHARED: &str = "+12125550143";
const NEIGHBOUR: &str = "+14155550118";

impl Daemon {
    pub async fn import(&self, args: &[&str]) -> (Value, Output) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.arg("import").args(args).arg("--json");
        command.env("SWITCHBACK_URL", format!("http://{}", self.control));
        let done = command.env("SWITCHBACK_KEY", KEY).output().await.unwrap();
        (serde_json::from_slice(&done.stdout).unwrap_or_default(), done)
    }
}

#[tokio::test]
async fn calls_that_a_carrier_lists_become_touches_of_who_shows_the_number() {
    let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut exchange = exchange_to(&edge.to_string(), Delivery::InOrder);
    let api_url = exchange.open().await.unwrap();
    exchange.own(Owned { e164: SHARED.to_owned(), ..Owned::default() });
    for person in [PERSON, NEIGHBOUR] {
        exchange.people(person, Person { then: Pickup::Busy, ..Person::default() });
    }
    let daemon = Daemon::start_with(&edge.to_string(), &format!("api_url = \"{api_url}\""));
    // Another dialer, before anybody had heard of us.
    let http = reqwest::Client::new();
    for (from, to) in [(NUMBER, PERSON), (SHARED, NEIGHBOUR), (NUMBER, NEIGHBOUR)] {
        let calls = format!("{api_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json");
        let form = [("From", from), ("To", to), ("Twiml", "<Response/>")];
        let placed = http.post(calls).basic_auth(ACCOUNT_SID, Some(TOKEN)).form(&form).send();
        assert_eq!(placed.await.unwrap().status(), 201);
    }
    let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let shared = daemon.make("/switchback/v1/numbers", json!({ "e164": SHARED })).await;
    for (name, numbers) in [("Renewals", vec![&number, &shared]), ("Surveys", vec![&shared])] {
        let agent = json!({ "name": name, "type": "outbound", "number_ids": numbers });
        daemon.make("/v1/agents", agent).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    let calls = ["calls", "--account", "main", "--since", "1d"];
    let (dry, done) = daemon.import(&[&calls[..], &["--dry-run"]].concat()).await;
    assert!(done.status.success(), "{done:?}");
    let expected = json!({
        "listed": 3, "accepted": 2, "duplicates": 0, "orphaned": { "ambiguous_agent": 1 },
        "dry_run": true
    });
    assert_eq!(dry, expected);
    let contact = format!("/switchback/v1/contacts/{PERSON}");
    assert_eq!(daemon.read(&contact).send().await.unwrap().status(), 404, "nothing was kept");

    let (first, _) = daemon.import(&calls).await;
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(2), &json!(0)));
    let person = daemon.ask(Method::GET, &contact, Value::Null).await;
    assert_eq!(person["touches"][0]["outcome"], "busy");

    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.csv");
    std::fs::write(&map, format!("{SHARED},Surveys\n")).unwrap();
    let map = map.to_str().unwrap();
    let (second, _) = daemon.import(&[&calls[..], &["--map", map]].concat()).await;
    assert_eq!((&second["accepted"], &second["duplicates"]), (&json!(1), &json!(2)));

    // A page a request, by the carrier's own cursor.
    let path = "/switchback/v1/carrier-accounts/main/import-calls";
    let mut page = json!("PageSize=2");
    let mut listed = Vec::new();
    while page.is_string() {
        let body = json!({ "since": "2026-01-01T00:00:00Z", "page": page });
        let answer = daemon.post(path, body).await;
        listed.push(answer["listed"].as_u64().unwrap());
        page = answer["next_page"].clone();
    }
    assert_eq!(listed, [2, 1]);

    let (_, refused) = daemon.import(&["calls", "--account", "nobody"]).await;
    assert_eq!(refused.status.code(), Some(1));
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn touches_come_from_files_and_bad_lines_are_named() {
    let daemon = Daemon::start();
    let agent = json!({ "name": "Renewals", "type": "outbound" });
    let agent = daemon.make("/v1/agents", agent).await;
    let folder = tempfile::tempdir().unwrap();
    let at = "2026-10-01T09:00:00Z";
    let csv = format!(
        "id,source_agent_id,contact,caller_id,at,outcome\n\
         1,{agent},{PERSON},{NUMBER},{at},busy\n\
         2,{agent},(415) 555-2671,{NUMBER},{at},busy\n\
         3,{agent},{NEIGHBOUR},{NUMBER},{at},no_answer\n\
         4,018f4a9e-0000-7000-8000-000000000001,{NEIGHBOUR},{NUMBER},{at},busy\n"
    );
    let csv = write(folder.path(), "dialer.csv", &csv);
    let (dry, _) = daemon.import(&["touches", &csv, "--dry-run"]).await;
    assert_eq!((&dry["accepted"], &dry["rejected"]), (&json!(2), &json!(2)));
    let (first, done) = daemon.import(&["touches", &csv]).await;
    assert_eq!(done.status.code(), Some(1), "a line was rejected");
    assert_eq!(
        (&first["accepted"], &first["duplicates"]),
        (&json!(2), &json!(0)),
        "not by the dry run"
    );
    let lines: Vec<_> =
        first["errors"].as_array().unwrap().iter().map(|e| e["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 5]);

    // As many lines as need several requests.
    let line = |n: u32| {
        let contact = 14_155_000_000_u64 + u64::from(n % 500);
        let touch = json!({ "id": format!("bulk-{n}"), "source_agent_id": agent,
            "contact": format!("+{contact}"), "caller_id": NUMBER, "at": at, "outcome": "busy" });
        format!("{touch}\n")
    };
    let lines: String = (0..12_000).map(line).collect::<String>() + "not json\n";
    let lines = write(folder.path(), "dialer.ndjson", &lines);
    let (many, _) = daemon.import(&["touches", &lines]).await;
    assert_eq!((&many["accepted"], &many["rejected"]), (&json!(12_000), &json!(1)));
    assert_eq!(many["errors"][0]["line"], 12_001);
    let (again, _) = daemon.import(&["touches", &lines]).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(12_000)));
    let (_, missing) = daemon.import(&["touches", "/nowhere.csv"]).await;
    assert_eq!(missing.status.code(), Some(2));
}
