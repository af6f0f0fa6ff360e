//! What became of numbers at their carrier, for people and for scripts.

use serde_json::{Value, json};

use super::{
    super::{client::text, out},
    with_account,
};

/// What became of the numbers so far.
#[derive(Default)]
pub(super) struct Told {
    numbers: Vec<Value>,
    applications: Vec<Value>,
    /// An account could not be listed.
    is_partial: bool,
}

impl Told {
    /// Of nothing yet.
    pub(super) fn new(is_partial: bool) -> Self {
        Self { is_partial, ..Self::default() }
    }

    /// Adds an answer; how many numbers it changed, or would.
    pub(super) fn add(&mut self, account: &str, answer: &Value) -> u64 {
        let rows = answer.get("numbers").and_then(Value::as_array);
        let rows = rows.into_iter().flatten().map(|row| with_account(row, account));
        let before = self.changed();
        self.numbers.extend(rows);
        if let Some(application) = answer.get("application").filter(|row| !row.is_null()) {
            self.applications.push(with_account(application, account));
        }
        self.changed().saturating_sub(before)
    }

    fn changed(&self) -> u64 {
        let is_changed = |row: &&Value| {
            ["pointed", "unpointed", "to_point", "to_unpoint"].contains(&text(row, "outcome"))
        };
        u64::try_from(self.numbers.iter().filter(is_changed).count()).unwrap_or_default()
    }

    pub(super) fn take_waiting(&mut self, account: &str) -> Vec<String> {
        let is_waiting =
            |row: &Value| text(row, "outcome") == "waits" && text(row, "account") == account;
        let waiting = self.numbers.iter().filter(|row| is_waiting(row));
        let waiting = waiting.map(|row| text(row, "e164").to_owned()).collect();
        self.numbers.retain(|row| !is_waiting(row));
        waiting
    }

    pub(super) fn wait(&mut self, account: &str, numbers: &[String]) {
        let row = |number| json!({ "e164": number, "account": account, "outcome": "waits" });
        self.numbers.extend(numbers.iter().map(row));
    }

    pub(super) fn is_amiss(&self) -> bool {
        self.is_partial
            || self.numbers.iter().any(|row| ["refused", "failed"].contains(&text(row, "outcome")))
    }

    pub(super) fn print(&self, as_json: bool, dry_run: bool, verb: &str) {
        if as_json {
            out::json(&json!({
                "dry_run": dry_run, "numbers": self.numbers, "applications": self.applications,
            }));
            return;
        }
        for row in &self.applications {
            let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
            out::line(&format!("application {} {name}", text(row, "id")));
            changes(row, "from", "to");
        }
        for row in &self.numbers {
            let by = row.get("answered_by").filter(|by| !by.is_null()).map(answerer);
            let by = by.map_or_else(String::new, |by| format!(", answered by {by}"));
            let outcome = text(row, "outcome").replace('_', " ");
            out::line(&format!("{:<10} {}{by}", outcome, text(row, "e164")));
            if let Some(why) = row.get("message").and_then(Value::as_str) {
                out::line(&format!("           {why}"));
            }
            if let Some(target) = row.get("passthrough").and_then(Value::as_str) {
                out::line(&format!("           passthrough {target}"));
            }
            changes(row, "from", "to");
            for note in row.get("notes").and_then(Value::as_array).into_iter().flatten() {
                out::line(&format!(
                    "           note: {}",
                    meant(note.as_str().unwrap_or_default())
                ));
            }
        }
        let changed = self.changed();
        out::line(&match (dry_run, verb) {
            (true, _) => format!("{changed} numbers would be changed; nothing was"),
            (false, "point") => format!("{changed} numbers pointed here"),
            (false, _) => format!("{changed} numbers put back"),
        });
    }
}

/// What a note says, for people.
fn meant(note: &str) -> &str {
    match note {
        "asked_by_get" => "it was asked by GET; what is handed on is asked by POST",
        "status_stays" => "its status callback stays where it is: ends are not told here",
        "passthrough_kept" => "it has a passthrough here, which stays",
        "agent_passed_over" => "an agent here would answer, were it not for the passthrough",
        "nobody_answers" => "nobody answers it here yet: attach an agent",
        "by_hand" => "it comes here already, by somebody's hand: nothing is known to put back",
        "no_common_fallback" => {
            "its application answers numbers of several URLs: none to fall back to"
        }
        "gone" => "the account has it no more",
        other => other,
    }
}

/// The changes of a row, a line each.
fn changes(row: &Value, from: &str, to: &str) {
    for change in row.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let value = |key| {
            let value = change.get(key).and_then(Value::as_str).unwrap_or_default();
            if value.is_empty() { "nothing".to_owned() } else { value.to_owned() }
        };
        let field = text(change, "field");
        out::line(&format!("           {field}: {from} {} {to} {}", value("from"), value("to")));
    }
}

/// Who answers, as one line.
pub(super) fn answerer(by: &Value) -> String {
    let url = by.get("url").and_then(Value::as_str);
    let named = || {
        let name = by.get("name").and_then(Value::as_str).unwrap_or_default();
        format!("{} {} {name}", text(by, "kind"), text(by, "id")).trim_end().to_owned()
    };
    match (text(by, "kind"), url) {
        ("url", Some(url)) => url.to_owned(),
        ("nobody", _) => "nobody".to_owned(),
        (_, Some(url)) => format!("{} at {url}", named()),
        (_, None) => named(),
    }
}

/// Prints how numbers stand.
pub(super) fn print_check(rows: &[Value], troubles: &[(String, String)], ok: bool, as_json: bool) {
    if as_json {
        let errors =
            troubles.iter().map(|(account, why)| json!({ "account": account, "error": why }));
        out::json(&json!({ "ok": ok, "numbers": rows, "errors": errors.collect::<Vec<_>>() }));
        return;
    }
    for row in rows {
        let state = text(row, "state");
        let answerer = row.get("answered_by").filter(|by| !by.is_null()).map(answerer);
        let answerer = answerer.map_or_else(String::new, |by| format!(": {by}"));
        out::line(&format!("{:<12} {}{answerer}", state, text(row, "e164")));
        changes(row, "is", "should be");
    }
    for (account, why) in troubles {
        out::problem(&format!("{account}: {why}"));
    }
    if ok {
        out::line("no number was changed behind our back");
    }
}
