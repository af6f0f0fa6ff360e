//! A call as a person reads it: from its webhook to its end, with what was decided and why.
//!
//! It reads what the API answers, and nothing else.

use serde_json::Value;

use crate::dialects::parse_rfc3339;

/// A text in an answer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A text in an answer, or what stands for none.
pub(super) fn or<'v>(value: &'v Value, pointer: &str, none: &'v str) -> &'v str {
    Some(text(value, pointer)).filter(|text| !text.is_empty()).unwrap_or(none)
}

/// A time in an answer, in milliseconds since 1970.
pub(super) fn time(value: &Value, pointer: &str) -> Option<u64> {
    parse_rfc3339(text(value, pointer)).map(|at| at.0)
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer).and_then(Value::as_u64)
}

/// Its agent's name, or else its id.
pub(super) fn agent(call: &Value) -> &str {
    or(call, "/agent_name", or(call, "/agent_id", "-"))
}

/// How long somebody was on the line.
pub(super) fn talked(call: &Value) -> Option<String> {
    let (from, to) = (time(call, "/answered_at")?, time(call, "/ended_at")?);
    Some(seconds(to.saturating_sub(from)))
}

/// How it ended.
pub(super) fn end(call: &Value) -> String {
    let mut said = text(call, "/status").replace('_', " ");
    said.push_str(match text(call, "/ended_by") {
        "caller" => ": the caller hung up",
        "agent" => ": the agent hung up",
        "api" => ": ended through the API",
        "last_target" => ": after its last target",
        "drain" => ": cut, the daemon was stopped",
        _ => "",
    });
    if let Some(talked) = talked(call) {
        said.push_str(&format!(", talked {talked}"));
    }
    let code = text(call, "/error_code");
    if !code.is_empty() {
        said.push_str(&format!(", error {code}"));
    }
    said
}

/// What came of a target.
pub(super) fn tried(tried: &Value) -> String {
    let place = number(tried, "/attempt").unwrap_or(0) + 1;
    let (target, outcome) = (text(tried, "/target"), text(tried, "/outcome"));
    let code = number(tried, "/close_code").map(|code| format!(", closed with {code}"));
    format!("target {place}, {target}: {outcome}{}", code.unwrap_or_default())
}

/// The call as lines.
pub(super) fn of(call: &Value) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} dials {}: {}",
            or(call, "/from", "(no number)"),
            or(call, "/to", "(no number)"),
            or(call, "/status", "?")
        ),
        format!("  call     {} ({})", text(call, "/id"), text(call, "/direction")),
        format!(
            "  carrier  {} at {}",
            or(call, "/carrier_call_id", "-"),
            or(call, "/account", "an unknown account")
        ),
        format!("  trace    {}", text(call, "/trace_id")),
        format!("  agent    {}", agent(call)),
        format!("  began    {}", text(call, "/created_at")),
        String::new(),
    ];
    let began = time(call, "/created_at").unwrap_or(0);
    for (at, _, what) in moments(call) {
        let after = at.saturating_sub(began);
        let after = format!("+{}.{:03} s", after / 1000, after % 1000);
        let mut parts = what.iter();
        lines.push(format!("{after:>12}  {}", parts.next().map_or("", String::as_str)));
        lines.extend(parts.map(|part| format!("{:>12}  {part}", "")));
    }
    if call.pointer("/live") == Some(&Value::Bool(true)) {
        lines.push(format!(
            "{:>12}  in progress; media {}",
            "now",
            or(call, "/media_now/state", "-")
        ));
    }
    lines
}

/// When, what comes first where two are of one millisecond, and its lines.
type Moment = (u64, u8, Vec<String>);

/// What happened, in order.
fn moments(call: &Value) -> Vec<Moment> {
    let began = time(call, "/created_at").unwrap_or(0);
    let answered = time(call, "/answered_at");
    let mut moments = vec![(began, 0, decision(call))];
    for session in array(call, "/media") {
        moments.extend(media(session));
    }
    moments.extend(answered.map(|at| (at, 2, vec!["answered".to_owned()])));
    for one in array(call, "/targets_tried") {
        moments.push((time(one, "/at").unwrap_or(began), 3, vec![tried(one)]));
    }
    if let (Some(now), Some(answered)) = (call.get("media_now"), answered) {
        // The socket that is open now began when the call was answered, or after a pause.
        moments.extend(first_audio(now, answered));
    }
    moments.extend(time(call, "/ended_at").map(|at| (at, 6, vec![format!("over: {}", end(call))])));
    moments.sort_by_key(|(at, rank, _)| (*at, *rank));
    moments
}

/// The webhook, with the decision's tree.
fn decision(call: &Value) -> Vec<String> {
    let mut lines = vec![match text(call, "/direction") {
        "outbound" => format!("placed for {}", agent(call)),
        _ => {
            format!("webhook; decided: {}, {}", or(call, "/reason", "no reason kept"), agent(call))
        }
    }];
    if call.pointer("/unmatched") == Some(&Value::Bool(true)) {
        lines.push("note: nobody had called this person".to_owned());
    }
    lines.extend(tree(array(call, "/trace")));
    lines
}

/// A trace as a tree.
pub(super) fn tree(steps: &[Value]) -> Vec<String> {
    let width = steps.iter().map(|step| text(step, "/step").len()).max().unwrap_or(0);
    let line = |(n, step): (usize, &Value)| {
        let branch = if n + 1 == steps.len() { "└─" } else { "├─" };
        let (name, result) = (text(step, "/step"), text(step, "/result"));
        let detail = text(step, "/detail");
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        format!("{branch} {name:<width$}  {result}{detail}")
    };
    steps.iter().enumerate().map(line).collect()
}

/// One media socket: its start, the first audio each way, its end.
fn media(session: &Value) -> Vec<Moment> {
    let Some(start) = time(session, "/started_at") else { return Vec::new() };
    let ended = time(session, "/ended_at").unwrap_or(start);
    let count = |pointer| number(session, pointer).unwrap_or(0);
    let mut end = vec![
        format!("media ended: {}", text(session, "/end").replace('_', " ")),
        format!(
            "   {} frames to the runtime, {} to the caller, {} lost; {} of {} marks played",
            count("/frames_to_runtime"),
            count("/frames_to_carrier"),
            count("/frames_dropped"),
            count("/marks_played"),
            count("/marks_set"),
        ),
    ];
    for (who, pointer) in FIRST_AUDIO {
        if number(session, pointer).is_none() {
            end.push(format!("   never: {who}"));
        }
    }
    let mut moments = vec![(start, 1, vec!["media began".to_owned()]), (ended, 5, end)];
    moments.extend(first_audio(session, start));
    moments
}

const FIRST_AUDIO: [(&str, &str); 2] = [
    ("runtime heard the caller", "/first_audio_to_runtime_ms"),
    ("caller heard the runtime", "/first_audio_to_carrier_ms"),
];

fn first_audio(media: &Value, start: u64) -> impl Iterator<Item = Moment> {
    FIRST_AUDIO.into_iter().filter_map(move |(who, pointer)| {
        let after = number(media, pointer)?;
        let line = format!("{who} for the first time, {after} ms into the media");
        Some((start + after, 4, vec![line]))
    })
}

fn array<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_from_its_webhook_to_its_end() {
        let call = serde_json::json!({
            "id": "c1", "trace_id": "7c", "live": false, "account": "main", "direction": "inbound",
            "carrier_call_id": "CA1", "status": "completed", "from": "+14155550137",
            "to": "+12125550142", "agent_name": "Return desk", "reason": "callback",
            "unmatched": false, "created_at": "2026-11-22T03:00:00Z",
            "answered_at": "2026-11-22T03:00:00.2Z", "ended_at": "2026-11-22T03:00:09.5Z",
            "ended_by": "caller", "error_code": null,
            "targets_tried": [
                { "attempt": 0, "target": "wss://a", "at": "2026-11-22T03:00:00.21Z",
                  "outcome": "refused", "close_code": null },
                { "attempt": 1, "target": "wss://b", "at": "2026-11-22T03:00:00.25Z",
                  "outcome": "answered", "close_code": 1000 }
            ],
            "media": [{
                "started_at": "2026-11-22T03:00:00.2Z", "ended_at": "2026-11-22T03:00:09.4Z",
                "end": "carrier_stopped", "first_audio_to_runtime_ms": 60,
                "first_audio_to_carrier_ms": 310, "frames_to_runtime": 450,
                "frames_to_carrier": 440, "frames_dropped": 0, "marks_set": 3, "marks_played": 2
            }],
            "trace": [
                { "step": "number", "result": "found", "detail": "" },
                { "step": "callback", "result": "match", "detail": "touch t-1" }
            ]
        });
        let expected = "\
+14155550137 dials +12125550142: completed
  call     c1 (inbound)
  carrier  CA1 at main
  trace    7c
  agent    Return desk
  began    2026-11-22T03:00:00Z

    +0.000 s  webhook; decided: callback, Return desk
              ├─ number    found
              └─ callback  match: touch t-1
    +0.200 s  media began
    +0.200 s  answered
    +0.210 s  target 1, wss://a: refused
    +0.250 s  target 2, wss://b: answered, closed with 1000
    +0.260 s  runtime heard the caller for the first time, 60 ms into the media
    +0.510 s  caller heard the runtime for the first time, 310 ms into the media
    +9.400 s  media ended: carrier stopped
                 450 frames to the runtime, 440 to the caller, 0 lost; 2 of 3 marks played
    +9.500 s  over: completed: the caller hung up, talked 9.3 s";
        assert_eq!(of(&call).join("\n"), expected);
    }
}
