//! The contract's metrics exist, and no label is anything but a word of a closed set.

use std::collections::BTreeSet;

use serde_json::json;
use switchback::{
    domain::{CallStatus, CarrierId, Direction, OrphanCause, PurgeKind, RouteReason},
    telemetry::metrics::{
        CommandFate, DeliveryFate, EdgeRefusal, EventOutcome, MediaChange, MediaDirection, Prewarm,
        SnapshotFate, WebhookKind, WebhookOutcome,
    },
};

use crate::{
    daemon::Daemon,
    stage::{
        Bot, CALLER, NUMBER, call_when, complete, converse, form, open, ring, sid, webhook_signed,
    },
};

/// The contract's, but for `outbox_*`: there is no outbox yet.
const NAMES: &[&str] = &[
    "webhooks_total",
    "webhook_seconds",
    "decisions_total",
    "decision_seconds",
    "index_entries",
    "index_seq",
    "touches_evicted_total",
    "touches_orphaned_total",
    "purged_total",
    "snapshots_total",
    "index_filled_seconds",
    "sync_lag_seconds",
    "sync_connected",
    "media_calls",
    "media_calls_silent",
    "media_comfort_total",
    "prewarms_total",
    "prewarmed",
    "media_frames_total",
    "media_dropped_total",
    "media_relay_seconds",
    "runtime_connect_seconds",
    "runtime_breaker_open",
    "first_audio_seconds",
    "targets_total",
    "calls_total",
    "dispatch_commands_total",
    "store_commit_seconds",
    "signature_failures_total",
    "outbox_pending",
    "outbox_lag_seconds",
    "outbox_deliveries_total",
];

/// The words that a label may have.
fn words(metric: &str, label: &str) -> Vec<&'static str> {
    fn all<T: Copy>(of: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
        of.iter().map(|one| word(*one)).collect()
    }
    match (metric.strip_prefix("switchback_").unwrap(), label) {
        ("edge_refused_total", "cause") => all(EdgeRefusal::ALL, EdgeRefusal::as_str),
        ("snapshots_total", "fate") => all(SnapshotFate::ALL, SnapshotFate::as_str),
        (_, "carrier") => all(CarrierId::ALL, CarrierId::as_str),
        (_, "account") => vec!["main"],
        (_, "reason") => all(RouteReason::ALL, RouteReason::as_str),
        (_, "stream") => vec!["control", "touches"],
        ("webhooks_total", "kind") => all(WebhookKind::ALL, WebhookKind::as_str),
        ("webhooks_total", "outcome") => all(WebhookOutcome::ALL, WebhookOutcome::as_str),
        ("index_entries", "kind") => vec!["tenant", "account", "agent", "number", "contact"],
        ("calls_total", "direction") => all(Direction::ALL, Direction::as_str),
        (_, "direction") => all(MediaDirection::ALL, MediaDirection::as_str),
        ("calls_total", "status") => all(CallStatus::ALL, CallStatus::as_str),
        ("targets_total", "kind") => {
            vec!["runtime", "builtin", "agent", "tel", "sip", "redirect", "say", "busy", "reject"]
        }
        ("targets_total", "outcome") => vec!["answered", "refused", "spoken", "abandoned", "lost"],
        ("purged_total", "kind") => all(PurgeKind::ALL, PurgeKind::as_str),
        ("touches_orphaned_total", "cause") => all(OrphanCause::ALL, OrphanCause::as_str),
        ("dispatch_commands_total", "outcome") => all(CommandFate::ALL, CommandFate::as_str),
        ("prewarms_total", "outcome") => all(Prewarm::ALL, Prewarm::as_str),
        ("media_dropped_total", "cause") => vec!["overflow", "gap", "malformed", "repeated"],
        ("media_changed_total", "change") => all(MediaChange::ALL, MediaChange::as_str),
        ("signature_failures_total", "cause") => vec!["wrong_signature", "unsigned"],
        ("media_refused_total", "cause") => vec!["malformed", "forged", "unknown_key"],
        ("outbox_deliveries_total", "outcome") => all(DeliveryFate::ALL, DeliveryFate::as_str),
        ("upstream_events_total", "outcome") => all(EventOutcome::ALL, EventOutcome::as_str),
        _ => panic!("{metric} has a label {label} that nobody knows"),
    }
}

/// Name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

/// The samples of a text in Prometheus' format.
fn samples(text: &str) -> Vec<Sample> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap().split(',').filter(|label| !label.is_empty());
        let label = |label: &str| {
            let (name, value) = label.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        };
        (name.to_owned(), labels.map(label).collect(), value.parse().unwrap())
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(sample).collect()
}

/// The metric that a sample is of.
fn metric(sample: &str) -> &str {
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| sample.strip_suffix(suffix))
        .filter(|metric| metric.ends_with("_seconds"))
        .unwrap_or(sample)
}

#[tokio::test]
async fn every_metric_of_the_contract_is_there_and_its_labels_are_words() {
    let daemon = Daemon::start();
    let bot = Bot::start().await;
    daemon.desk(NUMBER, &["ws://127.0.0.1:9", &bot.url]).await;
    let before = samples(&daemon.metrics().await);
    let call = sid(1);
    let document = ring(&daemon, &call, CALLER, NUMBER).await;
    converse(open(&daemon, &document, &call).await).await;
    complete(&daemon, &call, CALLER, NUMBER).await;
    call_when(&daemon, &call, |call| call["status"] == "completed").await;
    // A stranger's number, a forged webhook, a forged media token.
    ring(&daemon, &sid(2), CALLER, "+12125550001").await;
    let form = form(&call, CALLER, NUMBER, "ringing");
    let (status, _) = webhook_signed(&daemon, "/carriers/main/voice", &form, "forged").await;
    assert_eq!(status, 403);
    let stray = format!("{}/media/{}", daemon.edge, "A".repeat(80));
    let upgrade =
        daemon.http.get(stray).header("connection", "upgrade").header("upgrade", "websocket");
    let upgrade = upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", "eA==");
    assert_eq!(upgrade.send().await.unwrap().status(), 403);
    // Frames that the carrier itself left out.
    let gap = sid(3);
    let document = ring(&daemon, &gap, CALLER, NUMBER).await;
    skip(open(&daemon, &document, &gap).await).await;
    complete(&daemon, &gap, CALLER, NUMBER).await;
    call_when(&daemon, &gap, |call| !call["media"].as_array().unwrap().is_empty()).await;

    let text = daemon.metrics().await;
    let all = samples(&text);
    let there: BTreeSet<&str> = all.iter().map(|(name, ..)| metric(name)).collect();
    let missing: Vec<_> = NAMES
        .iter()
        .filter(|name| !there.contains(format!("switchback_{name}").as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{text}");
    for (name, labels, _) in &all {
        for (label, value) in labels {
            if label == "le" {
                assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{value}");
                continue;
            }
            let known = words(metric(name), label);
            assert!(known.contains(&value.as_str()), "{name}: {label}={value:?}");
        }
    }

    // They are fed, not only named.
    let at = |all: &[Sample], name: &str, labels: &[(&str, &str)]| {
        let has = |found: &[(String, String)]| {
            labels.iter().all(|(l, v)| found.iter().any(|(name, value)| name == l && value == v))
        };
        let name = format!("switchback_{name}");
        let fit = all.iter().filter(|(found, of, _)| *found == name && has(of));
        fit.map(|(.., value)| value).sum::<f64>()
    };
    for (name, labels) in [
        ("webhooks_total", &[("kind", "voice"), ("outcome", "accepted")][..]),
        ("webhooks_total", &[("kind", "voice"), ("outcome", "refused")]),
        ("webhooks_total", &[("kind", "status"), ("outcome", "accepted")]),
        ("webhook_seconds_count", &[]),
        ("decisions_total", &[("reason", "default")]),
        ("decisions_total", &[("reason", "unknown_number")]),
        ("decision_seconds_count", &[]),
        ("media_frames_total", &[("direction", "to_runtime")]),
        ("media_frames_total", &[("direction", "to_carrier")]),
        ("media_dropped_total", &[("cause", "gap")]),
        ("media_relay_seconds_count", &[]),
        ("runtime_connect_seconds_count", &[]),
        ("first_audio_seconds_count", &[("direction", "to_runtime")]),
        ("first_audio_seconds_count", &[("direction", "to_carrier")]),
        ("targets_total", &[("kind", "runtime"), ("outcome", "refused")]),
        ("targets_total", &[("kind", "runtime"), ("outcome", "answered")]),
        ("calls_total", &[("direction", "inbound"), ("status", "completed")]),
        ("store_commit_seconds_count", &[]),
        ("signature_failures_total", &[("cause", "wrong_signature")]),
    ] {
        let (was, is) = (at(&before, name, labels), at(&all, name, labels));
        assert!(is > was, "{name} {labels:?}: {was}, then {is}\n{text}");
    }
    assert!(at(&all, "sync_connected", &[]) > 0.5, "{text}");
    assert!(at(&all, "index_seq", &[("stream", "control")]) > 1.0, "{text}");
    assert!(at(&all, "index_entries", &[("kind", "number")]) < 2.0, "{text}");
}

/// A carrier that says two frames, the second far ahead of the first.
async fn skip(mut socket: crate::stage::Socket) {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let mut heard = 0;
    for chunk in [1, 40] {
        let media = json!({ "event": "media", "sequenceNumber": "2",
            "streamSid": "MZ21bd369606e058bea233829118802bf4",
            "media": { "track": "inbound", "chunk": chunk.to_string(), "timestamp": "1",
                "payload": "//////////8=" } });
        socket.send(Message::text(media.to_string())).await.unwrap();
    }
    // Past the next look at the counters.
    while heard < 2 {
        let Message::Text(_) = socket.next().await.unwrap().unwrap() else { continue };
        heard += 1;
    }
    let stop = json!({ "event": "stop", "streamSid": "MZ21bd369606e058bea233829118802bf4" });
    socket.send(Message::text(stop.to_string())).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
}
