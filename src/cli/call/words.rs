//! What happens in a simulated call, in words.

use serde_json::{Value, json};

use super::text;
use crate::simulator::{Dial, Moment, Verb, What};

/// A moment as a line: when, and what.
pub(super) fn line(moment: &Moment) -> String {
    let (event, detail) = told(&moment.what);
    let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
    format!("{:>8.3} s  {}{detail}", moment.at.as_secs_f64(), event.replace('_', " "))
}

/// A moment for scripts.
pub(super) fn json(moment: &Moment) -> Value {
    let (event, detail) = told(&moment.what);
    let at_ms = u64::try_from(moment.at.as_millis()).unwrap_or(u64::MAX);
    json!({ "at_ms": at_ms, "event": event, "detail": detail })
}

/// What was decided, from the call's row.
pub(super) fn decision(call: &Value) -> Vec<String> {
    const MARGIN: &str = "            ";
    if call.is_null() {
        return vec![format!(
            "{MARGIN}no call row: the number is nobody's, or --key is no key of its tenant's"
        )];
    }
    let steps = call.get("trace").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let reason = text(call, "reason");
    let reason = if reason.is_empty() { text(call, "error_code") } else { reason };
    let first = format!("{MARGIN}decided: {reason}, call {}", text(call, "id"));
    let steps = steps.iter().map(|step| {
        let (name, result, detail) =
            (text(step, "step"), text(step, "result"), text(step, "detail"));
        format!("{MARGIN}  {name}, {}: {detail}", result.replace('_', " "))
    });
    std::iter::once(first).chain(steps).collect()
}

/// How the call ended, from its row.
pub(super) fn end(call: &Value) -> Vec<String> {
    let tried = call.get("targets_tried").and_then(Value::as_array);
    let tried = tried.map_or(&[][..], Vec::as_slice).iter().map(|tried| {
        let (target, outcome) = (text(tried, "target"), text(tried, "outcome"));
        format!("tried {target}: {}", outcome.replace('_', " "))
    });
    let ended = text(call, "ended_by").replace('_', " ");
    let ended = (!ended.is_empty()).then(|| format!("ended by the {ended}"));
    tried.chain(ended).collect()
}

/// A name for scripts, and the rest.
fn told(what: &What) -> (&'static str, String) {
    match what {
        What::Asked { url, status, took } => {
            ("asked", format!("{url} answered {status} in {:.1} ms", took.as_secs_f64() * 1000.0))
        }
        What::Instructed(verbs) => ("is_told_to", meaning(verbs)),
        What::Told { event, status } => ("told", format!("{event}, answered {status}")),
        What::Answered => ("answered", String::new()),
        What::Said(text) => ("hears", format!("\u{201c}{text}\u{201d}")),
        // The token in its path is a secret while it lives.
        What::Connected(url) => {
            let place = url.rfind('/').and_then(|at| url.get(..=at)).unwrap_or(url);
            ("media_socket_open", format!("{place}..."))
        }
        What::SoundBegan => ("hears_sound", String::new()),
        What::SoundEnded => ("hears_silence", String::new()),
        What::Mark(name) => ("mark_played", name.clone()),
        What::Cleared => ("sound_cleared", String::new()),
        What::Key(key) => ("pressed", key.to_string()),
        What::Closed(Some(code)) => ("media_socket_closed", code.to_string()),
        What::Closed(None) => ("media_socket_closed", "without a code".to_owned()),
        What::Dialled { callee, outcome } => ("dialled", format!("{callee}, {outcome}")),
        What::HandedOver(url) => ("handed_over", format!("{url}, which is not called here")),
        What::PassedOver(verb) => ("not_simulated", verb.clone()),
        What::Busy => ("hears_the_busy_tone", String::new()),
        What::Rejected => ("hears_that_the_number_is_not_in_service", String::new()),
        What::Failed(problem) => ("failed", problem.to_string()),
        What::Ended(status) => ("over", status.to_string()),
    }
}

/// A document's meaning.
fn meaning(verbs: &[Verb]) -> String {
    let mut parts: Vec<String> = verbs.iter().map(verb).collect();
    if parts.is_empty() {
        parts.push("hang up".to_owned());
    }
    parts.join(", then ")
}

fn verb(verb: &Verb) -> String {
    match verb {
        Verb::Say(_) => "speak".to_owned(),
        Verb::Pause(length) => format!("wait {} s", length.as_secs()),
        Verb::Connect(_) => "open a media socket".to_owned(),
        Verb::Dial(Dial { callee, action: Some(_) }) => {
            format!("dial {callee} and ask what follows")
        }
        Verb::Dial(Dial { callee, action: None }) => format!("dial {callee}"),
        Verb::Redirect(step) => {
            let url = step.url.as_str();
            let path = url
                .split("://")
                .nth(1)
                .and_then(|rest| rest.find('/').map(|at| rest.split_at(at).1));
            format!("ask {}", path.unwrap_or(url).split('?').next().unwrap_or_default())
        }
        Verb::Reject { is_busy: true } => "refuse as busy".to_owned(),
        Verb::Reject { is_busy: false } => "refuse".to_owned(),
        Verb::HangUp => "hang up".to_owned(),
        Verb::Other(name) => format!("do {name}, which is not simulated"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::Step;

    #[test]
    fn documents_are_told_in_words() {
        let verbs = [
            Verb::Connect(crate::simulator::Stream::default()),
            Verb::Redirect(Step::to("https://edge.example.com/carriers/main/resume?call=1")),
        ];
        assert_eq!(meaning(&verbs), "open a media socket, then ask /carriers/main/resume");
        assert_eq!(meaning(&[]), "hang up");
        let busy = [Verb::Reject { is_busy: true }];
        assert_eq!(meaning(&busy), "refuse as busy");
    }
}
