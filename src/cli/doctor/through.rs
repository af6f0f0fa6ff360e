//! The public URL, as carriers use it: a webhook that is not signed, one that is, and a media
//! socket that is held.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{daemon::clock_finding, finding::Finding};
use crate::{
    cli::client::{Client, Posted, segment, text},
    domain::{CallId, Target},
    runtime::{
        Dial, DialError, Dialer, RuntimeSocket,
        websocket::{self, CLOSE_NORMAL, Heard, Say, Socket},
    },
    telemetry::clock,
};

/// A message goes each way so often: a call's media is never silent for longer.
const TALKS_EVERY: Duration = Duration::from_millis(500);

/// How long what is said may take to come back.
const ECHO_MAX: Duration = Duration::from_secs(5);

const UNTOUCHED: &str = "the public URL must lead to the edge's listener, and edge.public_url be its \
     very text: a proxy has to leave path, query and body untouched, a prefix included";

/// Asks an account's webhook without a signature: it must be us, and refuse. Whether anybody
/// answers at all.
pub(super) fn unsigned(client: &Client<'_>, url: &str, findings: &mut Vec<Finding>) -> bool {
    let posted = match client.post_form(url, &[], "") {
        Ok(posted) => posted,
        Err(error) => {
            findings.push(Finding::ill(
                "reach",
                format!("{url} does not answer: {error}"),
                "check the name, the certificate, the proxy and the edge's listener",
            ));
            return false;
        }
    };
    if let Some(date) = posted.date {
        findings.push(clock_finding("clock", "the public URL's", date));
    }
    let code = posted.status;
    findings.push(match (code, posted.body.as_str()) {
        (401 | 403, "unsigned") => {
            Finding::well("reach", format!("{url} answers, and refuses who does not sign"))
        }
        (404, body) if body.contains("no such account") => Finding::ill(
            "reach",
            format!("{url} leads to an edge that does not know the account"),
            "it is another installation's edge, or one that has not heard of the account yet",
        ),
        _ => Finding::ill(
            "reach",
            format!("{url} answers {code} to an unsigned request, which is not us (403 unsigned)"),
            UNTOUCHED,
        ),
    });
    true
}

/// Asks it as its carrier would, signed by the daemon.
pub(super) fn signed(operator: &Client<'_>, account: &Value, public_url: &str) -> Finding {
    let (name, kind) = (text(account, "name"), text(account, "kind"));
    // It names the account and no call: it proves itself, and is then of no use to anybody.
    let url = format!("{public_url}/carriers/{name}/status?doctor=1&x=%20a");
    let body = format!("AccountSid={}", segment(text(account, "account_id")));
    let path = format!("/switchback/v1/carrier-accounts/{}/sign", segment(name));
    let asked = json!({ "method": "POST", "url": url, "body": body });
    let signed = match operator.answer_to(Method::POST, &path, Some(&asked)) {
        Ok((200, signed)) => signed,
        Ok((_, answer)) => {
            let said = text(&answer, "error");
            let detail = format!("{name}: no webhook could be signed: {said}");
            let remedy = "give an operator's key (--operator-key); the daemon signs for its own \
                          machine only, or where control.allow_sign says so";
            return Finding::doubtful("signature", detail, remedy);
        }
        Err(error) => return Finding::doubtful("signature", format!("{name}: {error}"), ""),
    };
    let headers = signed.get("headers").and_then(Value::as_object);
    let headers: Vec<(&str, &str)> = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    if headers.is_empty() {
        let detail = format!("{name}: {kind} signs with a key of its own: not tried");
        return Finding::well("signature", detail);
    }
    match operator.post_form(&url, &headers, &body) {
        Ok(posted) => verdict(name, &posted),
        Err(error) => Finding::ill("signature", format!("{name}: {url}: {error}"), UNTOUCHED),
    }
}

/// What the edge says of a request that was rightly signed.
fn verdict(name: &str, posted: &Posted) -> Finding {
    let ill = |what: &str, remedy| Finding::ill("signature", format!("{name}: {what}"), remedy);
    match (posted.status, posted.body.as_str()) {
        (401 | 403, "unsigned") => ill(
            "a signed webhook comes without its signature",
            "a proxy takes headers away: let every header of /carriers/ through",
        ),
        (401 | 403, "wrong_signature" | "body_mismatch") => {
            ill("a signed webhook comes with another URL or body than was signed", UNTOUCHED)
        }
        (401 | 403, "stale") => ill(
            "a signed webhook is too old when it comes",
            "run a time service (chrony, systemd-timesyncd) on the daemon's machine",
        ),
        (200..300 | 400, _) | (401 | 403, "account_mismatch") => {
            Finding::well("signature", format!("{name}: a signed webhook is believed"))
        }
        (code, _) => {
            ill(&format!("a signed webhook is answered {code}, which is not us"), UNTOUCHED)
        }
    }
}

/// Opens a media socket through the public URL, and holds it.
pub(super) async fn socket(dialer: &Dialer, url: &str, hold: Duration) -> Finding {
    let shown = url.rsplit_once('/').map_or(url, |(base, _)| base);
    let mut socket = match open(dialer, url).await {
        Ok(socket) => socket,
        Err(error) => {
            return Finding::ill(
                "socket",
                format!("no media socket opens at {shown}: {error}"),
                "the proxy has to pass websocket upgrades of /media/ on (Upgrade and Connection); \
                 edge.media_url is where carriers open them",
            );
        }
    };
    let held = clock::instant();
    // Once more at the end: a cut is only noticed by who speaks.
    loop {
        if let Err(why) = talk(&mut socket).await {
            let seconds = held.elapsed().as_secs_f64();
            return Finding::ill(
                "socket",
                format!("the media socket at {shown} was cut after {seconds:.1} s: {why}"),
                "a proxy cuts it: raise its time-outs for /media/ above the longest call",
            );
        }
        let left = hold.saturating_sub(held.elapsed());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(TALKS_EVERY.min(left)).await;
    }
    drop(websocket::send(&mut socket, Say::Close(CLOSE_NORMAL)).await);
    let seconds = hold.as_secs();
    Finding::well(
        "socket",
        format!("a media socket at {shown} opens, and was held for {seconds} s"),
    )
}

async fn open(dialer: &Dialer, url: &str) -> Result<RuntimeSocket, DialError> {
    let call = CallId(uuid::Uuid::now_v7());
    let dial = Dial {
        target: Target::Runtime(url.to_owned()),
        agent: None,
        call,
        token: String::new(),
        traceparent: String::new(),
    };
    dialer.dial(dial).await
}

/// Says something, and waits for it to come back; or how the socket ended.
async fn talk(socket: &mut RuntimeSocket) -> Result<(), String> {
    let said = format!("{{\"event\":\"mark\",\"mark\":{{\"name\":\"{:0>160}\"}}}}", "doctor");
    let ended = || "the connection ended".to_owned();
    websocket::send(socket, Say::Text(&said)).await.map_err(|_| ended())?;
    let answer = timeout(ECHO_MAX, async {
        loop {
            match websocket::hear(socket).await {
                Heard::Text if socket.text() == said => return Ok(()),
                Heard::Text => return Err("what came back is not what was said".to_owned()),
                Heard::Close(code) => return Err(format!("closed with {}", code.unwrap_or(1005))),
                Heard::Over | Heard::Lost(_) => return Err(ended()),
                Heard::Binary | Heard::Alive => {}
            }
        }
    });
    answer.await.unwrap_or_else(|_| Err("nothing came back".to_owned()))
}
