//! The demo's steps. Each says what should happen, lets it happen, and reads what did happen from
//! where a user would: the API, the agents' ends of their sockets, the caller's ear.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Step,
    stage::{CONTACT, NUMBER, STRANGER, Speaker, Stage},
};
use crate::{
    cli::timeline::text,
    simulator::{Leg, Ringing, State, Voice, What, audio},
    telemetry::clock,
};

/// Past this, a step has failed.
const WAIT: Duration = Duration::from_secs(10);

/// The promise: from a runtime's death until the caller hears the next one.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What a step comes to, or what went wrong on the way.
struct Outcome {
    got: String,
    reason: String,
    why: String,
    timed: &'static str,
    took: Duration,
}

type Played = Result<Outcome, String>;

/// Plays every step.
pub(super) async fn play(stage: &Stage, mut done: impl FnMut(Step)) {
    let mut step = |name, title: String, expected: &str, played: Played| {
        let failed = |error| Outcome {
            got: error,
            reason: "failed".to_owned(),
            why: "the step came to no end".to_owned(),
            timed: "gave up after",
            took: WAIT,
        };
        let Outcome { got, reason, why, timed, took } = played.unwrap_or_else(failed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        done(Step { name, title, expected: expected.to_owned(), got, reason, why, timed, ns });
    };
    let title = format!("Renewals calls {CONTACT}, who does not pick up");
    step(
        "missed",
        title,
        "the carrier says no_answer, remembered as no_answer",
        missed(stage).await,
    );

    let (played, call) = match returned(stage).await {
        Ok((outcome, leg)) => (Ok(outcome), Some(leg)),
        Err(error) => (Err(error), None),
    };
    let title = format!("{CONTACT} calls back");
    step("return", title, "callback, to Return desk", played);

    let no_call = || Err("there is no call".to_owned());
    let expected = "the agent knows of Renewals' no_answer; both hear each other, word for word";
    let played = match &call {
        Some(leg) => bridged(stage, leg).await,
        None => no_call(),
    };
    step("bridge", "The two talk".to_owned(), expected, played);

    let title = "The carrier delivers the same webhook again".to_owned();
    let played = match &call {
        Some(leg) => redelivered(stage, leg).await,
        None => no_call(),
    };
    step("redelivery", title, "the same bytes, one call", played);

    let title = "The agent's runtime is killed in mid-call".to_owned();
    let played = match &call {
        Some(leg) => taken_over(stage, leg).await,
        None => no_call(),
    };
    step("takeover", title, "the next target is heard within 2 s", played);
    if let Some(leg) = call {
        leg.hang_up();
    }

    let title = format!("A stranger calls, {STRANGER}");
    step("stranger", title, "default, to Front desk, who is heard", stranger(stage).await);

    let title = "Somebody forges a webhook".to_owned();
    step("forgery", title, "refused, no call", forged(stage).await);
}

/// Two agents call the same person, who answers neither.
async fn missed(stage: &Stage) -> Played {
    let started = clock::instant();
    let place = async |agent: Uuid| {
        stage.api.post("/v1/calls", json!({ "agent_id": agent, "to": CONTACT })).await
    };
    place(stage.renewals).await?;
    let touch = remembered(stage, stage.renewals).await?;
    let took = started.elapsed();
    // The survey's call is later, and no reason to call back: its agent is nobody's source.
    place(stage.surveys).await?;
    remembered(stage, stage.surveys).await?;
    let rang = stage.exchange.calls().into_iter().find(|leg| leg.facts.to == CONTACT);
    let rang = rang.ok_or("the carrier was not asked to call")?;
    let state = rang.over(WAIT).await.ok_or("the carrier does not finish the call")?;
    let mut told = Vec::new();
    for moment in &state.moments {
        if let What::Told { event, status: 200..300 } = &moment.what {
            told.push(event.as_str());
        }
    }
    let told = told.join(", ");
    let reason = text(&touch, "/outcome").to_owned();
    Ok(Outcome {
        got: format!("the carrier says {}, remembered as {reason}", state.status),
        reason,
        why: format!("the carrier's events {told}; a touch from {}", text(&touch, "/caller_id")),
        timed: "from dial to done",
        took,
    })
}

/// The touch of an agent's call, once it says how the call ended.
async fn remembered(stage: &Stage, agent: Uuid) -> Result<Value, String> {
    let (path, agent) = (format!("/switchback/v1/contacts/{CONTACT}"), agent.to_string());
    let started = clock::instant();
    while started.elapsed() < WAIT {
        // Nothing is known of a person nobody has called yet.
        let contact = stage.api.get(&path).await.unwrap_or_default();
        let touches = contact.get("touches").and_then(Value::as_array).into_iter().flatten();
        let is_done = |touch: &&Value| {
            text(touch, "/source_agent_id") == agent && text(touch, "/outcome") != "pending"
        };
        if let Some(touch) = touches.into_iter().find(is_done) {
            return Ok(touch.clone());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the call is not remembered".to_owned())
}

/// What the caller says: four notes that nobody else plays.
fn words() -> Vec<u8> {
    [audio::chime(300.0, 350.0), audio::chime(400.0, 450.0)].concat()
}

fn ring(stage: &Stage, from: &str, says: Vec<u8>) -> Result<Arc<Leg>, String> {
    stage.exchange.ring(Ringing {
        from: from.to_owned(),
        to: NUMBER.to_owned(),
        voice: Voice { says, ..Voice::default() },
        ..Ringing::default()
    })
}

async fn returned(stage: &Stage) -> Result<(Outcome, Arc<Leg>), String> {
    let before = decisions(stage).await?;
    let leg = ring(stage, CONTACT, words())?;
    asked(&leg).await?;
    let after = decisions(stage).await?;
    let Decided { reason, agent, why } = decided(stage, &leg).await?;
    let (got, took) = (format!("{reason}, to {agent}"), after.saturating_sub(before));
    Ok((Outcome { got, reason, why, timed: "decided in", took }, leg))
}

/// Waits until the daemon has answered the call's first webhook.
async fn asked(leg: &Leg) -> Result<(), String> {
    let asked = leg.happens(WAIT, |what| matches!(what, What::Asked { .. } | What::Failed(_)));
    match asked.await.map(|moment| moment.what) {
        Some(What::Asked { status: 200, .. }) => Ok(()),
        Some(other) => Err(format!("the webhook came to {other:?}")),
        None => Err("the webhook is not answered".to_owned()),
    }
}

/// How long decisions have taken in all, by the daemon's own clock.
async fn decisions(stage: &Stage) -> Result<Duration, String> {
    let metrics = stage.api.text(&format!("http://{}/metrics", stage.addresses.admin)).await?;
    let sum = metrics.lines().find_map(|line| line.strip_prefix("switchback_decision_seconds_sum"));
    let seconds = sum.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What was decided of a call.
struct Decided {
    reason: String,
    agent: String,
    why: String,
}

/// Waits until the call's own row is as `is` says: it is written after the carrier has its answer.
async fn row(stage: &Stage, leg: &Leg, is: impl Fn(&Value) -> bool) -> Result<Value, String> {
    let path = format!("/switchback/v1/calls?carrier_call_id={}", leg.facts.sid);
    let started = clock::instant();
    loop {
        let calls = stage.api.get(&path).await?;
        match calls.pointer("/data/0").filter(|call| is(call)) {
            Some(call) => return Ok(call.clone()),
            None if started.elapsed() > WAIT => return Err("the call's row does not come".into()),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// What was decided of a call, and the end of the trace that led there.
async fn decided(stage: &Stage, leg: &Leg) -> Result<Decided, String> {
    let call = row(stage, leg, |call| call.pointer("/trace/0").is_some()).await?;
    let agent = stage.api.get(&format!("/v1/agents/{}", text(&call, "/agent_id"))).await?;
    let steps = call.get("trace").and_then(Value::as_array).cloned().unwrap_or_default();
    let last = |step: &str| {
        let found = steps.iter().rev().find(|found| text(found, "/step") == step)?;
        Some(without_ids(text(found, "/detail")))
    };
    // Why it is a return call or is not, and why then this agent.
    let reason = text(&call, "/reason").to_owned();
    let then = last(&reason).filter(|_| reason != "callback");
    let why = last("callback").into_iter().chain(then.map(|detail| format!("{reason} {detail}")));
    let why = why.collect::<Vec<_>>().join("; ");
    Ok(Decided { reason, agent: text(&agent, "/name").to_owned(), why })
}

/// The agent was told who called this person; each hears what the other says.
async fn bridged(stage: &Stage, leg: &Leg) -> Played {
    let Speaker { runtime, greeting } = &stage.desk;
    let words = words();
    let hears = |state: &State| audio::contains(&audio::audible(&state.heard), greeting);
    let caller_hears = leg.until(WAIT, hears).await.is_some();
    let calls =
        runtime.until(WAIT, |calls| calls.iter().any(|call| audio::contains(&call.heard, &words)));
    let agent_hears = calls.await.is_some();
    let served = runtime.calls();
    let context = served.last().and_then(|call| call.parameter("return_context"));
    let context: Value = serde_json::from_str(context.unwrap_or_default()).unwrap_or_default();
    let source = text(&context, "/touch/source_agent/name").to_owned();
    let outcome = text(&context, "/touch/outcome").to_owned();
    let ears = match (caller_hears, agent_hears) {
        (true, true) => "both hear each other, word for word",
        (true, false) => "the agent does not hear the caller",
        (false, true) => "the caller does not hear the agent",
        (false, false) => "neither hears the other",
    };
    let began = leg.happens(WAIT, |what| *what == What::SoundBegan).await;
    let took = began.map_or(WAIT, |moment| moment.at);
    let heard = served.last().map_or(0, |call| call.heard.len() / 8);
    Ok(Outcome {
        got: format!("the agent knows of {source}' {outcome}; {ears}"),
        reason: served.last().and_then(|call| call.parameter("reason")).unwrap_or("").to_owned(),
        why: format!("its first message told it so; it has heard {heard} ms of the caller"),
        timed: "first heard after",
        took,
    })
}

async fn redelivered(stage: &Stage, leg: &Leg) -> Played {
    let (sent, first) = leg.state().first.ok_or("the first webhook was not kept")?;
    let before = counted(stage, "repeated").await?;
    let again = stage.exchange.deliver(&sent).await.map_err(|problem| problem.to_string())?;
    let repeated = match counted(stage, "repeated").await? > before {
        true => "repeated",
        false => "decided anew",
    };
    let calls = calls(stage, &leg.facts.sid).await?;
    let bytes = if again.body == first.body { "the same bytes" } else { "other bytes" };
    let count = match calls {
        1 => "one call".to_owned(),
        count => format!("{count} calls"),
    };
    Ok(Outcome {
        got: format!("{bytes}, {count}"),
        reason: repeated.to_owned(),
        why: format!("{} bytes, status {}", again.body.len(), again.status),
        timed: "answered in",
        took: again.took,
    })
}

/// How many webhooks have come to this, by the daemon's own count.
async fn counted(stage: &Stage, outcome: &str) -> Result<u64, String> {
    let metrics = stage.api.text(&format!("http://{}/metrics", stage.addresses.admin)).await?;
    let label = format!("outcome=\"{outcome}\"");
    let lines = metrics.lines().filter(|line| line.starts_with("switchback_webhooks_total"));
    let counts = lines.filter(|line| line.contains(&label));
    Ok(counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

async fn calls(stage: &Stage, sid: &str) -> Result<usize, String> {
    let calls = stage.api.get(&format!("/switchback/v1/calls?carrier_call_id={sid}")).await?;
    Ok(calls.get("data").and_then(Value::as_array).map_or(0, Vec::len))
}

/// The runtime dies without a word; the caller must not be left in silence.
async fn taken_over(stage: &Stage, leg: &Leg) -> Played {
    let is_quiet = |state: &State| {
        let sounds = state.moments.iter().filter(|m| m.what == What::SoundBegan).count();
        let ends = state.moments.iter().filter(|m| m.what == What::SoundEnded).count();
        sounds == ends
    };
    leg.until(WAIT, is_quiet).await.ok_or("the first agent never stops")?;
    let before = leg.state().heard.len();
    let killed: Instant = clock::instant();
    stage.desk.runtime.kill();
    // A tenth of a second of the greeting: enough to know who speaks.
    let first = stage.spare.greeting.get(..audio::FRAME_LEN * 5).unwrap_or_default();
    let hears = |state: &State| {
        let since = state.heard.get(before..).unwrap_or_default();
        audio::contains(&audio::audible(since), first)
    };
    let heard = leg.until(WAIT, hears).await;
    let took = killed.elapsed();
    let got = match (heard, took <= SILENCE_MAX) {
        (Some(_), true) => "the next target is heard within 2 s",
        (Some(_), false) => "the next target is heard too late",
        (None, _) => "the next target is not heard",
    };
    let call = row(stage, leg, |call| call.pointer("/targets_tried/0").is_some()).await?;
    let reason = text(&call, "/targets_tried/0/outcome").to_owned();
    let served = stage.spare.runtime.calls();
    let attempt = served.last().and_then(|call| call.parameter("attempt")).unwrap_or("none");
    Ok(Outcome {
        got: got.to_owned(),
        reason,
        why: format!("its socket broke; the agent's second target took over, attempt {attempt}"),
        timed: "silent for",
        took,
    })
}

async fn stranger(stage: &Stage) -> Played {
    let before = decisions(stage).await?;
    let leg = ring(stage, STRANGER, Vec::new())?;
    asked(&leg).await?;
    let after = decisions(stage).await?;
    let Decided { reason, agent, why } = decided(stage, &leg).await?;
    let greeting = &stage.front.greeting;
    let hears = |state: &State| audio::contains(&audio::audible(&state.heard), greeting);
    let heard = match leg.until(WAIT, hears).await {
        Some(_) => "who is heard",
        None => "who is not heard",
    };
    leg.hang_up();
    let took = after.saturating_sub(before);
    let got = format!("{reason}, to {agent}, {heard}");
    Ok(Outcome { got, reason, why, timed: "decided in", took })
}

async fn forged(stage: &Stage) -> Played {
    let ringing = Ringing { from: CONTACT.to_owned(), to: NUMBER.to_owned(), ..Ringing::default() };
    let leg = stage.forger.ring(ringing)?;
    leg.over(WAIT).await.ok_or("the forged call does not end")?;
    let (_, reply) = leg.state().first.ok_or("the forged webhook is not answered")?;
    let count = match calls(stage, &leg.facts.sid).await? {
        0 => "no call".to_owned(),
        count => format!("{count} calls"),
    };
    // Where there is no signature but a password, it is asked for.
    let status = match reply.status {
        401 | 403 => "refused".to_owned(),
        status => status.to_string(),
    };
    Ok(Outcome {
        got: format!("{status}, {count}"),
        reason: String::from_utf8_lossy(&reply.body).into_owned(),
        why: "it is not signed as the account's are".to_owned(),
        timed: "refused in",
        took: reply.took,
    })
}

/// A trace's detail for people who have no use for ids.
fn without_ids(detail: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in detail.split_whitespace() {
        let core = word.trim_matches(|c: char| !c.is_ascii_hexdigit());
        if Uuid::try_parse(core).is_err() {
            words.push(word.to_owned());
        } else if let Some(last) = words.last_mut()
            && word.ends_with(',')
        {
            last.push(',');
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_without_its_ids() {
        let id = "018f4a9e-0000-7000-8000-000000000001";
        let detail = format!("touch {id} [by \"Renewals\" ({id}), 2 s ago, no_answer]");
        assert_eq!(without_ids(&detail), "touch [by \"Renewals\", 2 s ago, no_answer]");
    }
}
