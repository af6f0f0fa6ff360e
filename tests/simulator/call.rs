//! `call`, from the command line into a daemon that runs.

use std::process::{Command, Output};

use serde_json::{Value, json};
use switchback::simulator::{Behaviour, Runtime, audio};

use crate::{
    customer::{NUMBER, PERSON},
    daemon::{Daemon, KEY, OPERATOR},
};

fn call(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.arg("call").args(["--from", PERSON, "--to", NUMBER]).args(arguments);
    run(daemon, command)
}

fn run(daemon: &Daemon, mut command: Command) -> Output {
    command.env("SWITCHBACK_URL", format!("http://{}", daemon.control));
    command.env("SWITCHBACK_KEY", KEY).env("SWITCHBACK_OPERATOR_KEY", OPERATOR);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_played_into_the_daemon_and_heard() {
    let daemon = Daemon::start();
    let edge = format!("http://{}", daemon.edge);
    let runtime = Runtime::start(Behaviour::Echo).await.unwrap();
    let number = daemon.make("/switchback/v1/numbers", json!({ "e164": NUMBER })).await;
    let source = json!({ "name": "Renewals", "type": "outbound", "number_ids": [number] });
    let source = daemon.make("/v1/agents", source).await;
    let desk = json!({ "name": "Front desk", "type": "inbound", "number_ids": [number],
        "targets": ["say:Front desk."] });
    daemon.make("/v1/agents", desk).await;
    let desk = json!({ "name": "Return desk", "type": "inbound", "targets": [runtime.url()] });
    let desk = daemon.make("/v1/agents", desk).await;
    let role = json!({ "source_agent_ids": [source] });
    daemon.post(&format!("/api/v1/agents/{desk}/callback"), role).await;
    daemon.post(&format!("/v1/agents/{desk}/numbers"), json!({ "number_id": number })).await;

    let first = call(&daemon, &["--edge", &edge]);
    let text = said(&first);
    assert!(first.status.success(), "{text}");
    assert!(text.contains("decided: default") && text.contains("hears: “Front desk.”"), "{text}");

    let mut out = Command::new(env!("CARGO_BIN_EXE_switchback"));
    out.args(["call", "--out", "--from", NUMBER, "--to", PERSON]);
    out.args(["--agent", "Renewals", "--outcome", "no_answer"]);
    let out = run(&daemon, out);
    assert!(out.status.success(), "{}", said(&out));

    let folder = tempfile::tempdir().unwrap();
    let (said_wav, heard_wav) = (folder.path().join("said.wav"), folder.path().join("heard.wav"));
    let words = audio::chime(440.0, 660.0);
    audio::write_wav(&said_wav, &words).unwrap();
    let (said_wav, heard_wav) = (said_wav.to_str().unwrap(), heard_wav.to_str().unwrap());
    let arguments = ["--edge", &edge, "--wav", said_wav, "--save", heard_wav, "--json"];
    let second = call(&daemon, &arguments);
    assert!(second.status.success(), "{}", said(&second));
    let told: Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(told["call"]["reason"], "callback", "{told}");
    assert_eq!(told["status"], "completed", "{told}");
    let heard = audio::read_wav(heard_wav.as_ref()).unwrap();
    assert!(audio::contains(&audio::audible(&heard), &words));
    assert_eq!(runtime.calls().len(), 1);
}

#[tokio::test]
async fn who_may_not_sign_makes_no_call() {
    let daemon = Daemon::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["call", "--from", PERSON, "--to", NUMBER, "--operator-key", KEY]);
    let output = run(&daemon, command);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("give an operator's key"), "{text}");
}
