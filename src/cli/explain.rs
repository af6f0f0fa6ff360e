//! `explain`: the dry run of a decision, as a tree a person can read.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{
    Daemon, Failure,
    client::Client,
    out,
    timeline::{self, text},
};
use crate::{dialects::meant, domain::E164};

/// Says where a call would go, and why.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Who calls, in any common spelling; empty for a withheld number
    #[arg(long, allow_hyphen_values = true)]
    from: String,
    /// Which number is dialled, in any common spelling
    #[arg(long)]
    to: String,
    /// When (RFC 3339); now, if not given
    #[arg(long)]
    at: Option<String>,
    /// The caller's attestation: A, B, C or none
    #[arg(long)]
    attestation: Option<String>,
    /// The number that forwarded the call
    #[arg(long)]
    forwarded_from: Option<String>,
    /// The carrier account, where two hold the dialled number
    #[arg(long)]
    account: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        // Whoever leaves out the country means the other number's.
        let to = Spelled::read(&self.to, E164::parse(&self.from));
        let from = Spelled::read(&self.from, E164::parse(to.said()));
        let mut query = vec![("from", from.said().to_owned()), ("to", to.said().to_owned())];
        for (name, value) in [
            ("at", self.at),
            ("attestation", self.attestation),
            ("forwarded_from", self.forwarded_from),
            ("account", self.account),
        ] {
            query.extend(value.map(|value| (name, value)));
        }
        let client = Client::new(&self.daemon)?;
        let answer = client.ask(Method::GET, "/switchback/v1/route", &query, None)?;
        if self.daemon.json {
            out::json(&answer);
        } else {
            let notes = [&from, &to].into_iter().filter_map(Spelled::note);
            let caller = if self.from.is_empty() { "(withheld)" } else { from.said() };
            for line in notes.chain(tree(caller, to.said(), &answer)) {
                out::line(&line);
            }
        }
        let routed = text(&answer, "/decision/outcome") == "route";
        Ok(if routed { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// A number as it was typed, and as it is asked for.
struct Spelled<'a> {
    typed: &'a str,
    meant: Option<String>,
}

impl<'a> Spelled<'a> {
    fn read(typed: &'a str, near: Option<E164>) -> Self {
        let is_plain = typed.is_empty() || E164::parse(typed).is_some();
        let meant = (!is_plain).then(|| meant(typed, near)).flatten();
        Self { typed, meant: meant.map(|e164| e164.to_string()) }
    }

    fn said(&self) -> &str {
        self.meant.as_deref().unwrap_or(self.typed)
    }

    fn note(&self) -> Option<String> {
        self.meant.as_ref().map(|meant| format!("{} is read as {meant}", self.typed))
    }
}

/// The answer as lines: what was decided, then each step that led there.
fn tree(from: &str, to: &str, answer: &Value) -> Vec<String> {
    let outcome = text(answer, "/decision/outcome");
    let reason = text(answer, "/decision/reason");
    let mut lines = vec![format!("{from} dials {to}: {outcome}, {reason}")];
    let agent = text(answer, "/decision/agent/name");
    if !agent.is_empty() {
        let id = text(answer, "/decision/agent/id");
        lines.push(format!("  agent   {agent} ({id})"));
    }
    let target = text(answer, "/decision/target");
    if !target.is_empty() {
        lines.push(format!("  target  {target}"));
    }
    if answer.pointer("/decision/unmatched") == Some(&Value::Bool(true)) {
        lines.push(
            "  note    the agent holds the callback role, but nobody called this person".into(),
        );
    }
    if reason == "unknown_number" {
        lines
            .push(format!("  note    nobody here has {to}: `GET /v1/numbers` lists what you have"));
    }
    let steps = answer.get("trace").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    lines.extend(timeline::tree(steps));
    let nanos = answer.get("decided_in_ns").and_then(Value::as_u64).unwrap_or(0);
    let seq = answer.get("seq").and_then(Value::as_u64).unwrap_or(0);
    lines.push(format!("decided in {nanos} ns at log entry {seq}"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let spelled = Spelled::read("(415) 555-2671", E164::parse("+12125550142"));
        assert_eq!(spelled.said(), "+14155552671");
        assert_eq!(spelled.note().unwrap(), "(415) 555-2671 is read as +14155552671");
        for plain in ["", "+14155552671", "anonymous"] {
            let spelled = Spelled::read(plain, None);
            assert_eq!((spelled.said(), spelled.note()), (plain, None));
        }
    }

    #[test]
    fn a_decision_reads_as_a_tree() {
        let answer = serde_json::json!({
            "decision": {
                "outcome": "route", "reason": "callback", "target": "builtin:echo",
                "agent": { "id": "a1", "name": "Return desk" }, "unmatched": false
            },
            "trace": [
                { "step": "number", "result": "found", "detail": "of tenant default" },
                { "step": "callback", "result": "match", "detail": "" }
            ],
            "decided_in_ns": 812, "seq": 9
        });
        let expected = [
            "+14155550137 dials +12125550142: route, callback",
            "  agent   Return desk (a1)",
            "  target  builtin:echo",
            "├─ number    found: of tenant default",
            "└─ callback  match",
            "decided in 812 ns at log entry 9",
        ];
        assert_eq!(tree("+14155550137", "+12125550142", &answer), expected);
    }
}
