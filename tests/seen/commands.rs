//! `switchback calls`, as somebody on call types it.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStdout, Command},
    time::timeout,
};

use crate::{
    daemon::{Daemon, KEY},
    stage::{Bot, CALLER, NUMBER, call_when, complete, converse, form, open, ring, sid, webhook},
};

#[tokio::test]
async fn a_call_is_listed_and_shown_from_its_webhook_to_its_end() {
    let daemon = Daemon::start();
    let (code, _, said) = daemon.command(&["calls", "show", "last"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no call yet"), "{said}");
    let mut bot = Bot::start().await;
    daemon.desk(NUMBER, &["ws://127.0.0.1:9/", &bot.url]).await;
    let carrier_id = sid(1);
    let document = ring(&daemon, &carrier_id, CALLER, NUMBER).await;
    let socket = open(&daemon, &document, &carrier_id).await;
    converse(socket).await;
    complete(&daemon, &carrier_id, CALLER, NUMBER).await;
    let call = call_when(&daemon, &carrier_id, |call| {
        call["status"] == "completed" && !call["media"].as_array().unwrap().is_empty()
    })
    .await;
    let media = &call["media"][0];
    assert_eq!((&media["marks_set"], &media["marks_played"]), (&1.into(), &1.into()), "{media}");

    // The runtime belongs to the same trace.
    let trace = call["trace_id"].as_str().unwrap();
    let headers = bot.headers.recv().await.unwrap();
    let parent = &headers.iter().find(|(name, _)| name == "traceparent").unwrap().1;
    assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");

    let (code, list, said) = daemon.command(&["calls"]).await;
    assert_eq!(code, 0, "{said}");
    for word in [CALLER, NUMBER, "Front desk", "default", "completed"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    let (_, live, _) = daemon.command(&["calls", "--live"]).await;
    assert_eq!(live.lines().count(), 1, "only the heading: {live}");

    let id = call["id"].as_str().unwrap();
    let mut shown = Vec::new();
    for named in [id, &carrier_id, CALLER, NUMBER, "last"] {
        let (code, text, said) = daemon.command(&["calls", "show", named]).await;
        assert_eq!(code, 0, "{named}: {said}");
        shown.push(text);
    }
    assert!(shown.iter().all(|text| *text == shown[0]), "{shown:?}");
    let mut rest = shown[0].as_str();
    for part in [
        &format!("{CALLER} dials {NUMBER}: completed"),
        trace,
        "webhook; decided: default, Front desk",
        "└─ ",
        "media began",
        "runtime heard the caller for the first time",
        "media ended: carrier stopped",
        "1 of 1 marks played",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} is not next in {}", shown[0]));
        rest = &rest[at + part.len()..];
    }
    // Targets are tried from the decision on, while the carrier opens its socket.
    let (_, tried) = shown[0].split_once("webhook; decided").unwrap();
    assert!(tried.contains("target 1, ws://127.0.0.1:9/: refused"), "{}", shown[0]);
    // The carrier tells the end by a webhook and by the socket, in either order.
    assert!(shown[0].contains("over: completed: the caller hung up, talked "), "{}", shown[0]);
    assert!(shown[0].contains(": answered"), "{}", shown[0]);
    let (_, json, _) = daemon.command(&["calls", "show", "last", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["id"], id);
    let (code, _, said) = daemon.command(&["calls", "show", "CA-of-nobody"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("no call is known by CA-of-nobody"), "{said}");
}

#[tokio::test]
async fn a_call_in_progress_is_listed_and_hung_up_by_hand() {
    let daemon = Daemon::start();
    daemon.desk(NUMBER, &["builtin:tone"]).await;
    let carrier_id = sid(1);
    let document = ring(&daemon, &carrier_id, CALLER, NUMBER).await;
    let socket = open(&daemon, &document, &carrier_id).await;
    call_when(&daemon, &carrier_id, |call| {
        call["media_now"]["first_audio_to_carrier_ms"].is_number()
    })
    .await;
    let (_, live, _) = daemon.command(&["calls", "--live"]).await;
    assert!(live.contains(CALLER) && live.contains("in_progress"), "{live}");
    let (_, shown, _) = daemon.command(&["calls", "show", "last"]).await;
    assert!(shown.contains("in progress; media joined"), "{shown}");
    let (code, _, said) = daemon.command(&["calls", "hangup", &carrier_id]).await;
    assert_eq!(code, 0, "{said}");
    converse_over(socket).await;
    let gone = form(&carrier_id, CALLER, NUMBER, "completed");
    webhook(&daemon, "/carriers/main/status", &gone).await;
    let call = call_when(&daemon, &carrier_id, |call| call["status"] == "completed").await;
    assert_eq!(call["ended_by"], "api");
    let (code, _, _) = daemon.command(&["calls", "hangup", "last"]).await;
    assert_eq!(code, 1, "it is over");
}

async fn converse_over(mut socket: crate::stage::Socket) {
    use futures_util::StreamExt;
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(Duration::from_secs(20), lines.next_line()).await;
    line.expect("no line").unwrap().expect("the command has ended")
}

#[tokio::test]
async fn calls_are_followed_across_a_restart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let control = free.local_addr().unwrap().to_string();
    drop(free);
    let daemon = Daemon::start_in(tempfile::tempdir().unwrap(), "info", &control);
    daemon.desk(NUMBER, &["say:We are closed."]).await;
    let mut follow = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["calls", "--follow"])
        .env("SWITCHBACK_URL", &daemon.control)
        .env("SWITCHBACK_KEY", KEY)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    // It listens from when it is connected, which may be in the midst of a call.
    let mut n = 0;
    let first = loop {
        n += 1;
        ring(&daemon, &sid(n), CALLER, NUMBER).await;
        if let Ok(line) = timeout(Duration::from_millis(300), lines.next_line()).await {
            let line = line.unwrap().unwrap();
            if line.contains("started") {
                break line;
            }
        }
    };
    assert!(first.contains(CALLER), "{first}");
    let (_, dir) = daemon.stop().await;
    let daemon = Daemon::start_in(dir, "info", &control);
    let carrier_id = sid(1000);
    ring(&daemon, &carrier_id, CALLER, NUMBER).await;
    complete(&daemon, &carrier_id, CALLER, NUMBER).await;
    let call = call_when(&daemon, &carrier_id, |call| call["status"] != "ringing").await;
    let id = call["id"].as_str().unwrap();
    loop {
        let line = line(&mut lines).await;
        if line.contains(id) && line.contains("ended") {
            break;
        }
    }
}
