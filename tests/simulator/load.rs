//! `load`, from the command line into a daemon that runs.

use std::process::{Command, Output};

use serde_json::{Value, json};
use switchback::{carriers::CarrierId, simulator::open_account};

use crate::{
    customer::{ACCOUNT_SID, NUMBER, TOKEN},
    daemon::{Daemon, KEY, OPERATOR},
};

fn load(daemon: &Daemon, what: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["load", what, "--ramp", "0s", "--duration", "1s"]).args(arguments);
    command.env("SWITCHBACK_URL", format!("http://{}", daemon.control));
    command.env("SWITCHBACK_KEY", KEY).env("SWITCHBACK_OPERATOR_KEY", OPERATOR);
    command.output().unwrap()
}

fn told(output: &Output) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, problem) = (text(&output.stdout), text(&output.stderr));
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{problem}"))
}

/// A number with a front desk that says a word, at every account.
async fn desk(daemon: &Daemon, accounts: &[&str]) {
    let mut numbers = Vec::new();
    for account in accounts {
        let body = json!({ "e164": NUMBER, "account": account });
        numbers.push(daemon.make("/switchback/v1/numbers", body).await);
    }
    let desk = json!({ "name": "Front desk", "type": "inbound", "number_ids": numbers,
        "targets": ["say:Front desk."] });
    daemon.make("/v1/agents", desk).await;
}

#[tokio::test]
async fn calls_of_mixed_carriers_are_answered_and_counted() {
    let daemon = Daemon::start();
    let mut names = vec!["main"];
    let mut given = vec!["--account".to_owned(), "main=2".to_owned()];
    let mut seed = String::new();
    for &kind in CarrierId::ALL {
        let (account, fields) = open_account(kind, kind.as_str()).unwrap();
        let mut body = json!({ "name": kind.as_str(), "kind": kind.as_str(),
            "api_url": "http://127.0.0.1:1" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        if let Some(key) = account.api.private_key.filter(|_| kind == CarrierId::TelnyxTexml) {
            key.reveal().clone_into(&mut seed);
        }
        // One key signs for one account of Telnyx's.
        if kind != CarrierId::Telnyx {
            daemon.operate("/switchback/v1/carrier-accounts", body).await;
            names.push(kind.as_str());
            given.extend(["--account".to_owned(), kind.as_str().to_owned()]);
        }
    }
    desk(&daemon, &names).await;
    let url = format!("http://{}", daemon.edge);
    let page = tempfile::tempdir().unwrap();
    let page = page.path().join("load.html");
    let mut arguments: Vec<&str> = given.iter().map(String::as_str).collect();
    arguments.extend(["--url", &url, "--rate", "200", "--json", "--signing-key", &seed]);
    arguments.extend(["--expect", "Front desk", "--report", page.to_str().unwrap()]);
    let output = load(&daemon, "calls", &arguments);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(0), "{told:#}");
    assert_eq!(
        (&told["sent"], &told["answered"], &told["failed"]),
        (&200.into(), &200.into(), &0.into())
    );
    let number = |pointer: &str| told.pointer(pointer).and_then(Value::as_f64).unwrap();
    // However long it took on a busy machine.
    let answered = number("/answered_per_second") * number("/lasted_s");
    assert!((answered - 200.0).abs() < 1.0 && number("/latency_us/p99") > 0.0, "{told:#}");
    assert!(number("/latency_us/p50") <= number("/latency_us/max"));
    assert!(told["generator"]["was_bottleneck"].is_boolean() && told["is_ok"] == true);
    assert!(told["course"].as_array().unwrap().len() >= 10);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("Latency by percentile"), "{page}");
    let calls = daemon.read("/switchback/v1/calls?limit=100").send().await.unwrap();
    let calls: Value = calls.json().await.unwrap();
    assert_eq!(calls["has_more"], true, "every one is a call of its own");
}

#[tokio::test]
async fn limits_and_wrong_answers_make_the_exit_code() {
    let daemon = Daemon::start();
    desk(&daemon, &["main"]).await;
    let url = format!("http://{}", daemon.edge);
    let few = ["--url", &url, "--rate", "50", "--json"];
    let with = |more: &[&str]| load(&daemon, "calls", &[&few, more].concat());

    let output = with(&["--fail-over", "p50=1us"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output)["not_kept"][0].as_str().unwrap().contains("p50"));
    let output = with(&["--expect", "<Stream"]);
    assert_eq!(
        (output.status.code(), &told(&output)["errors"]["unexpected"]),
        (Some(1), &50.into())
    );
    let output = with(&["--expect", "<Stream", "--fail-over", "errors=100%"]);
    assert_eq!(output.status.code(), Some(1), "nothing was answered");

    let one = ["--kind", "twilio", "--account", "main", "--account-id", ACCOUNT_SID];
    let public = ["--public-url", "http://edge.test:8080", "--to", NUMBER, "--secret"];
    let output = with(&[&one[..], &public, &[TOKEN]].concat());
    assert_eq!(output.status.code(), Some(0), "{:#}", told(&output));
    let output = with(&[&one[..], &public, &["wrong"]].concat());
    assert_eq!(
        (output.status.code(), &told(&output)["errors"]["status_403"]),
        (Some(1), &50.into())
    );
}

#[tokio::test]
async fn decisions_are_asked_for_at_a_rate() {
    let daemon = Daemon::start();
    desk(&daemon, &["main"]).await;
    let arguments = ["--rate", "100", "--to", NUMBER, "--expect", "default", "--json"];
    let output = load(&daemon, "route", &arguments);
    let told = told(&output);
    assert_eq!((output.status.code(), &told["answered"]), (Some(0), &100.into()), "{told:#}");
}

#[tokio::test]
async fn bad_usage_is_told_as_such() {
    let daemon = Daemon::start();
    let check = |what: &str, arguments: &[&str], words: &str| {
        let output = load(&daemon, what, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    check("calls", &["--rate", "fast"], "must be a number");
    check("calls", &["--to", "12"], "is no number");
    check("calls", &["--kind", "twilio"], "--secret");
    check("calls", &["--kind", "twilio", "--secret", "s", "--to", NUMBER], "--url");
    check("calls", &["--account", "main", "--url", "http://127.0.0.1:1"], "say who is called");
    check("calls", &["--rate", "0.1", "--to", NUMBER], "not one request");
    check("calls", &["--report", "/nowhere/load.html", "--to", NUMBER], "cannot write");
    check("route", &["--fail-over", "p99"], "must be like");
    check("route", &[], "say who is called");
}

#[tokio::test]
async fn calls_are_talked_over_and_every_frame_comes_back() {
    let daemon = Daemon::start();
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut numbers = Vec::new();
    let mut given = vec!["--account".to_owned(), "main".to_owned()];
    numbers.push(daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await);
    for kind in [CarrierId::Plivo, CarrierId::SignalWire, CarrierId::Vonage, CarrierId::Bandwidth] {
        let (_, fields) = open_account(kind, kind.as_str()).unwrap();
        let mut body = json!({ "name": kind.as_str(), "kind": kind.as_str() });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        daemon.operate("/switchback/v1/carrier-accounts", body).await;
        let number = json!({ "e164": NUMBER, "account": kind.as_str() });
        numbers.push(daemon.make("/switchback/v1/numbers", number).await);
        given.extend(["--account".to_owned(), kind.as_str().to_owned()]);
    }
    let desk = json!({ "name": "Front desk", "type": "inbound", "number_ids": numbers,
        "targets": [format!("ws://{echo}/")] });
    daemon.make("/v1/agents", desk).await;
    let (url, echo) = (format!("http://{}", daemon.edge), echo.to_string());
    let mut arguments: Vec<&str> = given.iter().map(String::as_str).collect();
    arguments.extend(["--url", &url, "--calls", "10", "--echo", &echo, "--json"]);
    arguments.extend(["--fail-over", "p50=100ms", "--fail-over", "errors=20%"]);
    let output = load(&daemon, "media", &arguments);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(0), "{told:#}");
    assert_eq!((&told["calls"], &told["connected"]), (&10.into(), &10.into()));
    let number = |pointer: &str| told.pointer(pointer).and_then(Value::as_f64).unwrap();
    assert!(number("/frames_said") > 300.0 && number("/frames_heard") > 250.0, "{told:#}");
    assert!(number("/first_echo_us/max") > 0.0 && number("/jitter_us/count") > 200.0);

    let output = load(
        &daemon,
        "media",
        &["--url", &url, "--account", "main", "--to", "+12125550000", "--calls", "2", "--json"],
    );
    assert_eq!(output.status.code(), Some(1), "nobody has that number");
}
