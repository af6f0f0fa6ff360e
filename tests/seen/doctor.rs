//! `doctor`, of an installation that is well, and of each fault it is to find: behind a proxy, with
//! a carrier and runtimes played here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::OnceCell,
};

use crate::{
    daemon::{Daemon, KEY, OPERATOR, TOKEN},
    stage::Bot,
};

const NUMBER: &str = "+14155550142";

/// What a proxy does to what passes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proxying {
    /// Nothing.
    Plain,
    /// Takes the carrier's signature away.
    StripsHeaders,
    /// Writes the query anew.
    RewritesQuery,
    /// Answers itself.
    IsSomebodyElse,
    /// Lets no socket through.
    RefusesUpgrades,
    /// Cuts every connection after so many milliseconds.
    Cuts(u64),
}

/// A proxy, as far as it is known: its URL, and where it leads once the daemon is up.
struct Proxy {
    url: String,
    edge: Arc<OnceCell<String>>,
}

impl Proxy {
    async fn start(how: Proxying) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let edge: Arc<OnceCell<String>> = Arc::default();
        let to = Arc::clone(&edge);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let to = Arc::clone(&to);
                tokio::spawn(async move { pass(client, to.get().unwrap(), how).await });
            }
        });
        Self { url, edge }
    }
}

async fn pass(mut client: TcpStream, edge: &str, how: Proxying) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        let len = client.read(&mut part).await.ok().filter(|len| *len > 0)?;
        head.extend_from_slice(&part[..len]);
    }
    let at = head.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let text = String::from_utf8(head[..at].to_vec()).unwrap();
    let is_upgrade = text.to_ascii_lowercase().contains("upgrade: websocket");
    let refuses = is_upgrade && how == Proxying::RefusesUpgrades;
    if refuses || how == Proxying::IsSomebodyElse {
        let status = if refuses { "502 Bad Gateway" } else { "200 OK" };
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        return client.write_all(answer.as_bytes()).await.ok();
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if how == Proxying::StripsHeaders {
        lines.retain(|line| !line.to_ascii_lowercase().starts_with("x-twilio"));
    }
    if how == Proxying::RewritesQuery {
        lines[0] = lines[0].replace("%20", "+");
    }
    if !is_upgrade {
        lines.push("connection: close".to_owned());
    }
    let mut server = TcpStream::connect(edge).await.ok()?;
    server.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).await.ok()?;
    server.write_all(&head[at + 4..]).await.ok()?;
    let mut life = Duration::from_secs(60);
    if let (Proxying::Cuts(millis), true) = (how, is_upgrade) {
        life = Duration::from_millis(millis);
    }
    drop(tokio::time::timeout(life, copy_bidirectional(&mut client, &mut server)).await);
    Some(())
}

/// A carrier's API that has one number, which comes here, or does not know us.
async fn carrier(status: StatusCode, edge: &str) -> String {
    let number = json!({ "sid": "PN1", "phone_number": NUMBER, "voice_method": "POST",
        "voice_url": format!("{edge}/carriers/main/voice"), "capabilities": { "voice": true } });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = match status {
        StatusCode::OK => json!({ "incoming_phone_numbers": [number] }).to_string(),
        _ => json!({ "code": 20_003, "message": "Authenticate" }).to_string(),
    };
    let answer = move || async move { (status, body) };
    tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(answer)).await.unwrap();
    });
    url
}

async fn daemon(how: Proxying, status: StatusCode) -> Daemon {
    let proxy = Proxy::start(how).await;
    let api = carrier(status, &proxy.url).await;
    let daemon = Daemon::start_behind(&proxy.url, &format!("api_url = \"{api}\""));
    let edge = daemon.edge.trim_start_matches("http://").to_owned();
    proxy.edge.set(edge).unwrap();
    daemon
}

/// What the doctor finds, and with which code it ends.
async fn examined(daemon: &Daemon, args: &[&str]) -> (i32, Vec<Value>) {
    let all = ["doctor", "--json", "--hold", "1s", "--operator-key", OPERATOR];
    let args: Vec<&str> = all.iter().chain(args).copied().collect();
    let (code, found, said) = daemon.command_as(KEY, &args).await;
    for secret in [TOKEN, OPERATOR, KEY] {
        assert!(!found.contains(secret) && !said.contains(secret), "a secret is shown");
    }
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|_| panic!("{found} {said}"));
    (code, found.as_array().unwrap().clone())
}

/// The findings of a check that are as they are expected to be.
#[track_caller]
fn finds(found: &[Value], check: &str, result: &str, part: &str) {
    let those = found.iter().filter(|row| row["check"] == check && row["result"] == result);
    let fitting = those.filter(|row| row["detail"].as_str().unwrap().contains(part));
    let all: Vec<_> = fitting.collect();
    assert!(!all.is_empty(), "no {result} of {check} says {part:?}: {found:#?}");
    let has_remedy = all.iter().all(|row| !row["remedy"].as_str().unwrap().is_empty());
    assert_eq!(has_remedy, result != "ok", "{all:?}");
}

#[tokio::test]
async fn an_installation_that_is_well_is_said_to_be() {
    let daemon = daemon(Proxying::Plain, StatusCode::OK).await;
    let bot = Bot::start().await;
    daemon.desk(NUMBER, &[&bot.url]).await;
    let (code, found) = examined(&daemon, &[]).await;
    assert_eq!(code, 0, "{found:#?}");
    finds(&found, "reach", "ok", "refuses who does not sign");
    finds(&found, "signature", "ok", "main: a signed webhook is believed");
    finds(&found, "socket", "ok", "held for 1 s");
    finds(&found, "carrier", "ok", "takes its credentials");
    finds(&found, "runtime", "ok", "after `start`");
    finds(&found, "routes", "ok", "somebody answers each");
    finds(&found, "clock", "ok", "twilio's");
    finds(&found, "numbers", "ok", "every number here");
    // A loopback URL without TLS is what a carrier could not use.
    let others = ["public_url", "media_url"];
    for row in found.iter().filter(|row| !others.contains(&row["check"].as_str().unwrap())) {
        assert_eq!(row["result"], "ok", "{row}");
    }
}

#[tokio::test]
async fn a_proxy_that_does_more_than_pass_on_is_found() {
    for (how, check, part) in [
        (Proxying::StripsHeaders, "signature", "without its signature"),
        (Proxying::RewritesQuery, "signature", "another URL or body"),
        (Proxying::IsSomebodyElse, "reach", "which is not us"),
        (Proxying::RefusesUpgrades, "socket", "no media socket opens"),
        (Proxying::Cuts(600), "socket", "was cut after"),
    ] {
        let daemon = daemon(how, StatusCode::OK).await;
        let (code, found) = examined(&daemon, &[]).await;
        assert_eq!(code, 1, "{how:?}: {found:#?}");
        finds(&found, check, "error", part);
    }
}

#[tokio::test]
async fn a_carrier_that_does_not_know_us_is_found() {
    let daemon = daemon(Proxying::Plain, StatusCode::UNAUTHORIZED).await;
    let (code, found) = examined(&daemon, &[]).await;
    assert_eq!(code, 1);
    finds(&found, "carrier", "error", "Authenticate");
}

/// A daemon that has an account at Bandwidth besides, whose list of numbers is answered so.
async fn with_bandwidth(status: StatusCode, list: &'static str) -> Daemon {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/tns", axum::routing::get(async move || (status, list)));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let proxy = Proxy::start(Proxying::Plain).await;
    let api = carrier(StatusCode::OK, &proxy.url).await;
    let accounts = format!(
        r#"api_url = "{api}"
        [[carrier_accounts]]
        name = "bw"
        kind = "bandwidth"
        account_id = "9900008"
        webhook_user = "switchback"
        webhook_password = "long"
        user = "api"
        password = "s3cret"
        api_url = "{url}""#
    );
    let daemon = Daemon::start_behind(&proxy.url, &accounts);
    let edge = daemon.edge.trim_start_matches("http://").to_owned();
    proxy.edge.set(edge).unwrap();
    let number = json!({ "e164": "+19195550197", "account": "bw" });
    daemon.post("/switchback/v1/numbers", number).await;
    daemon
}

#[tokio::test]
async fn a_carrier_that_lists_numbers_alone_is_asked_for_those() {
    let list = "<TelephoneNumbersResponse><TelephoneNumbers><TelephoneNumber>\
        <FullNumber>9195550197</FullNumber><Status>Inservice</Status></TelephoneNumber>\
        </TelephoneNumbers></TelephoneNumbersResponse>";
    let daemon = with_bandwidth(StatusCode::OK, list).await;
    let (_, found) = examined(&daemon, &[]).await;
    finds(&found, "carrier", "ok", "bw: bandwidth takes its credentials");
    finds(&found, "numbers", "ok", "bw: the account has every number here");
    let said = "<Response><Error><Description>Not you.</Description></Error></Response>";
    let daemon = with_bandwidth(StatusCode::UNAUTHORIZED, said).await;
    let (code, found) = examined(&daemon, &[]).await;
    assert_eq!(code, 1);
    finds(&found, "carrier", "error", "Not you.");
}

/// A runtime that never says anything, or hangs up at once.
async fn mute(hangs_up: bool) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/bot", listener.local_addr().unwrap());
    let closes: Arc<AtomicU64> = Arc::default();
    let seen = Arc::clone(&closes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            if hangs_up {
                drop(socket.close(None).await);
            }
            while let Some(Ok(message)) = socket.next().await {
                if let tokio_tungstenite::tungstenite::Message::Close(Some(frame)) = message {
                    seen.store(u64::from(u16::from(frame.code)), Ordering::SeqCst);
                }
            }
        }
    });
    (url, closes)
}

#[tokio::test]
async fn runtimes_that_bring_no_sound_are_found_and_left_politely() {
    let daemon = daemon(Proxying::Plain, StatusCode::OK).await;
    let (silent, closed) = mute(false).await;
    let (hasty, _) = mute(true).await;
    daemon.desk(NUMBER, &[&silent, &hasty, "ws://127.0.0.1:9/nobody"]).await;
    let (code, found) = examined(&daemon, &[]).await;
    assert_eq!(code, 1);
    finds(&found, "runtime", "warning", "says nothing");
    finds(&found, "runtime", "error", "hangs up before it says anything");
    finds(&found, "runtime", "error", "is not reached: refused");
    // Its good-bye may still be on its way when the command has ended.
    for _ in 0..400 {
        if closed.load(Ordering::SeqCst) != 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(closed.load(Ordering::SeqCst), 1000);
    let (_, found) = examined(&daemon, &["--no-runtimes"]).await;
    assert!(found.iter().all(|row| row["check"] != "runtime"));
}

#[tokio::test]
async fn routes_that_lead_nowhere_are_found() {
    let daemon = daemon(Proxying::Plain, StatusCode::OK).await;
    daemon.desk(NUMBER, &["builtin:echo"]).await;
    let bare = json!({ "e164": "+14155550143" });
    daemon.post("/switchback/v1/numbers", bare).await;
    let agent = async |name: &str, kind: &str| {
        let agent = json!({ "name": name, "type": kind });
        daemon.post("/v1/agents", agent).await["id"].as_str().unwrap().to_owned()
    };
    let (back, sales) = (agent("Back", "inbound").await, agent("Sales", "outbound").await);
    let path = format!("/switchback/v1/agents/{back}/callback");
    let role = json!({ "source_agent_ids": [sales] });
    daemon.api(KEY, reqwest::Method::PUT, &path, Some(role)).await;
    for id in [back, sales] {
        daemon.post(&format!("/api/v1/agents/{id}/unpublish"), json!({})).await;
    }
    let (code, found) = examined(&daemon, &[]).await;
    assert_eq!(code, 1, "a number is not at the carrier");
    finds(&found, "numbers", "error", "+14155550143");
    finds(&found, "routes", "warning", "nobody answers +14155550143");
    finds(&found, "routes", "warning", "Front desk answer people with a built-in");
    finds(&found, "routes", "warning", "Back hold the callback role as drafts");
    finds(&found, "routes", "warning", "Back take return calls of agents that are drafts");
}

#[tokio::test]
async fn who_has_only_a_tenants_key_is_told_what_was_not_tried() {
    let daemon = daemon(Proxying::Plain, StatusCode::OK).await;
    let (code, found, _) = daemon.command_as(KEY, &["doctor", "--json", "--hold", "1s"]).await;
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    assert_eq!(code, 0, "{found:#?}");
    finds(&found, "signature", "warning", "no webhook could be signed");
    finds(&found, "socket", "warning", "no media socket could be tried");
    let (code, _, said) = daemon.command_as(KEY, &["doctor", "--hold", "soon"]).await;
    assert!(code == 2 && said.contains("90s"), "{said}");
}
