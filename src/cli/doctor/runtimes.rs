//! Agent runtimes: does a call's beginning bring sound?

use std::{collections::BTreeMap, time::Duration};

use base64_simd::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, timeout_at};
use uuid::Uuid;

use super::finding::Finding;
use crate::{
    cli::client::text,
    domain::{CallId, Target},
    runtime::{
        Dial, DialError, Dialer, RuntimeSocket,
        websocket::{self, CLOSE_NORMAL, Say, Socket},
    },
    telemetry::clock,
};

/// Runtimes that are asked: each may cost its owner a start of a model.
const RUNTIMES_MAX: usize = 20;

/// How long one may take to say something; a person has hung up by then.
const SILENT_MAX: Duration = Duration::from_secs(5);

const ENDED: &str = "the connection ended";

/// A frame of 20 ms of mu-law, and of silence in it.
const FRAME: [u8; 160] = [0xff; 160];
const FRAME_EVERY: Duration = Duration::from_millis(20);

/// The runtimes that live inbound agents name, each with one of its agents.
pub(super) fn named(agents: &[Value]) -> BTreeMap<String, Value> {
    let mut runtimes = BTreeMap::new();
    for agent in agents {
        let targets = agent.get("targets").and_then(Value::as_array).into_iter().flatten();
        for target in targets.filter_map(Value::as_str) {
            if matches!(target.parse(), Ok(Target::Runtime(_))) {
                runtimes.entry(target.to_owned()).or_insert_with(|| agent.clone());
            }
        }
    }
    runtimes.into_iter().take(RUNTIMES_MAX).collect()
}

/// Calls a runtime as the daemon would, listens, and hangs up.
pub(super) async fn call(dialer: &Dialer, target: &str, agent: &Value) -> Finding {
    let name = text(agent, "name");
    let call = CallId(Uuid::now_v7());
    let dial = Dial {
        target: Target::Runtime(target.to_owned()),
        agent: text(agent, "id").parse().ok(),
        call,
        token: String::new(),
        traceparent: String::new(),
    };
    let begun = clock::instant();
    let mut socket = match dialer.dial(dial).await {
        Ok(socket) => socket,
        Err(error) => return unreached(name, target, error),
    };
    let connected_ms = begun.elapsed().as_millis();
    let heard = listen(&mut socket, call, agent).await;
    hang_up(&mut socket).await;
    let detail = |what: String| format!("{name}: {target} {what}");
    match heard {
        Heard::Sound(after) => {
            let after = after.as_millis();
            let what = format!("opens in {connected_ms} ms, and speaks {after} ms after `start`");
            Finding::well("runtime", detail(what))
        }
        Heard::Nothing => Finding::doubtful(
            "runtime",
            detail(format!("opens, and says nothing for {} s", SILENT_MAX.as_secs())),
            "a bot that waits for the caller is well; one that greets is not: read its log, and see \
             that it answers Twilio's `start` with `media`",
        ),
        Heard::Ended(why) => Finding::ill(
            "runtime",
            detail(format!("opens, and hangs up before it says anything: {why}")),
            "its log says why; `docs/runtime.md` says what it is told and may say",
        ),
    }
}

fn unreached(name: &str, target: &str, error: DialError) -> Finding {
    let remedy = match error {
        DialError::Refused => "nothing listens there: start it, or correct the agent's target",
        DialError::Unresolved | DialError::Url => "correct the agent's target",
        DialError::Tls => {
            "its certificate is not trusted: runtime.ca_file names private authorities"
        }
        DialError::Declined => "it speaks HTTP there, but no websocket at this path",
        DialError::TimedOut => "it must open within a second, or calls go to the next target",
        DialError::Private => "runtime.allow_private decides whether private addresses are dialled",
        DialError::Broken | DialError::Breaker => "see that it stays up; its log says why it broke",
    };
    Finding::ill("runtime", format!("{name}: {target} is not reached: {error}"), remedy)
}

enum Heard {
    /// Its first frame, so long after `start`.
    Sound(Duration),
    Nothing,
    /// It hung up, or broke.
    Ended(String),
}

async fn listen(socket: &mut RuntimeSocket, call: CallId, agent: &Value) -> Heard {
    let simple = call.0.simple();
    let start = json!({
        "event": "start", "sequenceNumber": "1", "streamSid": format!("MZ{simple}"),
        "start": {
            "streamSid": format!("MZ{simple}"), "callSid": format!("CA{simple}"),
            "accountSid": format!("AC{simple}"), "tracks": ["inbound"],
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            "customParameters": {
                "call_id": call.to_string(), "agent_id": text(agent, "id"),
                "direction": "inbound", "reason": "default", "attempt": "1", "doctor": "true",
            },
        },
    });
    let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
    for message in [connected, start] {
        if websocket::send(socket, Say::Text(&message.to_string())).await.is_err() {
            return Heard::Ended(ENDED.to_owned());
        }
    }
    let (begun, until) = (clock::instant(), Instant::now() + SILENT_MAX);
    let (mut ticks, mut chunk) = (interval(FRAME_EVERY), 0_u32);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                chunk += 1;
                let frame = media(chunk, &format!("MZ{simple}"));
                if websocket::send(socket, Say::Text(&frame)).await.is_err() {
                    return Heard::Ended(ENDED.to_owned());
                }
            }
            heard = timeout_at(until, websocket::hear(socket)) => match heard {
                Err(_) => return Heard::Nothing,
                Ok(websocket::Heard::Over | websocket::Heard::Lost(_)) => {
                    return Heard::Ended(ENDED.to_owned());
                }
                Ok(websocket::Heard::Close(code)) => {
                    return Heard::Ended(format!("closed with {}", code.unwrap_or(1005)));
                }
                Ok(websocket::Heard::Text) if is_media(socket.text()) => {
                    return Heard::Sound(begun.elapsed());
                }
                Ok(_) => {}
            },
        }
    }
}

fn media(chunk: u32, stream: &str) -> String {
    json!({
        "event": "media", "sequenceNumber": (chunk + 1).to_string(), "streamSid": stream,
        "media": {
            "track": "inbound", "chunk": chunk.to_string(),
            "timestamp": (u64::from(chunk) * 20).to_string(),
            "payload": STANDARD.encode_to_string(FRAME),
        },
    })
    .to_string()
}

fn is_media(text: &str) -> bool {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    message.get("event").and_then(Value::as_str) == Some("media")
}

/// As the daemon ends a call: `stop`, then a close.
async fn hang_up(socket: &mut RuntimeSocket) {
    drop(websocket::send(socket, Say::Text(&json!({ "event": "stop" }).to_string())).await);
    drop(websocket::send(socket, Say::Close(CLOSE_NORMAL)).await);
}
