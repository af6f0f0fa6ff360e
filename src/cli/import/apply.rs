//! Parts of a file on their way to the daemon. A document is refused as a whole: the lines that
//! are wrong in it are noted and the others sent again, so that no line stops another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    super::{Failure, client::Client},
    Rejected,
    setup::Came,
};
use crate::{dialects::own::Listed, domain::E164};

/// Warnings that are told; past that a person reads no more of them.
const WARNINGS_MAX: usize = 1000;

/// A line of a file, as the document's object.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) value: Value,
}

/// What the request did to the thing of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Created,
    Updated,
}

/// Makes rows true, and remembers what came of each line.
pub(super) struct Applier<'a> {
    client: Client<'a>,
    listed: Listed,
    is_dry_run: bool,
    /// The first line of each thing.
    lines: HashMap<String, u64>,
    rejected_lines: HashSet<u64>,
    rejected: Rejected,
    changed: HashMap<u64, Change>,
    besides: BTreeSet<(String, String)>,
    warned: HashSet<String>,
    warnings: Vec<Value>,
}

impl<'a> Applier<'a> {
    pub(super) fn new(client: Client<'a>, listed: Listed, is_dry_run: bool) -> Self {
        Self {
            client,
            listed,
            is_dry_run,
            lines: HashMap::new(),
            rejected_lines: HashSet::new(),
            rejected: Rejected::default(),
            changed: HashMap::new(),
            besides: BTreeSet::new(),
            warned: HashSet::new(),
            warnings: Vec::new(),
        }
    }

    /// Takes a line of the file, unless it is wrong as it stands or about a thing that an earlier
    /// line is about.
    pub(super) fn read(&mut self, line: u64, value: Result<Value, String>) -> Option<Row> {
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                self.reject(line, error);
                return None;
            }
        };
        // One that says of nothing what it is about is for the daemon to refuse.
        let thing = thing(self.listed, &value).unwrap_or_else(|| format!("line {line}"));
        match self.lines.get(&thing) {
            Some(first) => {
                let error = format!("is the same as line {first}");
                self.reject(line, error);
                None
            }
            None => {
                self.lines.insert(thing, line);
                Some(Row { line, value })
            }
        }
    }

    pub(super) fn is_rejected(&self, line: u64) -> bool {
        self.rejected_lines.contains(&line)
    }

    fn reject(&mut self, line: u64, error: String) {
        if self.rejected_lines.insert(line) {
            self.rejected.push(line, error);
        }
    }

    /// Makes rows true, but for those that are refused.
    pub(super) fn apply(&mut self, mut rows: Vec<Row>) -> Result<(), Failure> {
        while !rows.is_empty() {
            let values: Vec<&Value> = rows.iter().map(|row| &row.value).collect();
            let document = BTreeMap::from([(self.listed.as_str(), values)]);
            let path = "/switchback/v1/apply";
            let query = [("plan", self.is_dry_run.to_string())];
            let fields = match self.client.post_document(path, &query, &document)? {
                Ok(answer) => {
                    self.note(&rows, &answer);
                    return Ok(());
                }
                Err(fields) => fields,
            };
            let wrong = wrong(self.listed, &rows, &fields);
            if wrong.is_empty() {
                let said: Vec<String> =
                    fields.iter().map(|(path, message)| format!("{path}: {message}")).collect();
                return Err(Failure::Refused(said.join("; ")));
            }
            rows.retain(|row| !wrong.contains_key(&row.line));
            for (line, errors) in wrong {
                self.reject(line, errors.join(" "));
            }
        }
        Ok(())
    }

    /// Finds the line of each change.
    fn note(&mut self, rows: &[Row], answer: &Value) {
        let mut lines: HashMap<String, Vec<u64>> = HashMap::new();
        for row in rows {
            for name in names(self.listed, &row.value) {
                lines.entry(name).or_default().push(row.line);
            }
        }
        let list = |key: &str| answer.get(key).and_then(Value::as_array).into_iter().flatten();
        for change in list("changes") {
            let word = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (word("kind"), word("name"));
            let is_ours = format!("{kind}s") == self.listed.as_str();
            let found = [word("id"), name].into_iter().find_map(|name| {
                // Of a number at two accounts there are two changes and two lines.
                lines.get_mut(name).filter(|_| is_ours).and_then(Vec::pop)
            });
            let Some(line) = found else {
                self.besides.insert((kind.to_owned(), name.to_owned()));
                continue;
            };
            let change = if word("action") == "create" { Change::Created } else { Change::Updated };
            self.changed.entry(line).or_insert(change);
        }
        for warning in list("warnings") {
            if self.warned.len() < WARNINGS_MAX && self.warned.insert(warning.to_string()) {
                self.warnings.push(warning.clone());
            }
        }
    }

    /// A failure in the middle, with what that means for the file.
    pub(super) fn stopped(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Refused(said) if !self.is_dry_run && !self.changed.is_empty() => {
                let count = self.changed.len();
                let hint = "import the file again to go on";
                Failure::Refused(format!("{said}; {count} lines were brought in before: {hint}"))
            }
            failure @ (Failure::Refused(_) | Failure::Usage(_)) => failure,
        }
    }

    /// What came of all lines.
    pub(super) fn finish(mut self) -> Came {
        // Parts end in their own order, and agents go in another than the file's.
        self.rejected.shown.sort_by_key(|(line, _)| *line);
        self.changed.retain(|line, _| !self.rejected_lines.contains(line));
        let count = |wanted: Change| {
            let changes = self.changed.values().filter(|change| **change == wanted);
            u64::try_from(changes.count()).unwrap_or(u64::MAX)
        };
        let (created, updated) = (count(Change::Created), count(Change::Updated));
        let taken = self.lines.values().filter(|line| !self.rejected_lines.contains(line));
        let taken = u64::try_from(taken.count()).unwrap_or(u64::MAX);
        Came {
            created,
            updated,
            unchanged: taken.saturating_sub(created + updated),
            besides: u64::try_from(self.besides.len()).unwrap_or(u64::MAX),
            warnings: self.warnings,
            rejected: self.rejected,
        }
    }
}

/// What a row is about, as one text.
fn thing(listed: Listed, value: &Value) -> Option<String> {
    let name = names(listed, value).into_iter().next()?;
    match value.get("account").filter(|_| listed == Listed::Numbers) {
        Some(account) => Some(format!("{name} {account}")),
        None => Some(name),
    }
}

/// What the daemon may call a row's thing: its id, its name, its number.
pub(super) fn names(listed: Listed, value: &Value) -> Vec<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::trim);
    match listed {
        Listed::Agents => {
            let id = text("id").map(str::to_ascii_lowercase);
            id.into_iter().chain(text("name").map(str::to_owned)).collect()
        }
        Listed::Numbers => {
            let number = value.as_str().or_else(|| text("e164"));
            number.and_then(E164::parse).map(|number| number.to_string()).into_iter().collect()
        }
    }
}

/// What is wrong with lines of a document, by the lines.
fn wrong(listed: Listed, rows: &[Row], fields: &Map<String, Value>) -> BTreeMap<u64, Vec<String>> {
    let mut wrong: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (path, message) in fields {
        let message = lines_for_places(listed, rows, message.as_str().unwrap_or_default());
        if let Some((line, field)) = place(listed, rows, path) {
            let field = field.trim_start_matches('.');
            let dot = if field.is_empty() { "" } else { ": " };
            wrong.entry(line).or_default().push(format!("{field}{dot}{message}"));
        }
    }
    wrong
}

/// The line of a path such as `numbers[12].e164`, and what follows in it.
fn place<'p>(listed: Listed, rows: &[Row], path: &'p str) -> Option<(u64, &'p str)> {
    let (place, field) = path.strip_prefix(listed.as_str())?.strip_prefix('[')?.split_once(']')?;
    let row = rows.get(place.parse::<usize>().ok()?)?;
    Some((row.line, field))
}

/// A message that names another thing of the document, with its line instead.
fn lines_for_places(listed: Listed, rows: &[Row], message: &str) -> String {
    let start = format!("{}[", listed.as_str());
    let mut said = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(&start) {
        let (before, from) = rest.split_at(at);
        said.push_str(before);
        match place(listed, rows, from) {
            Some((line, after)) => {
                said.push_str(&format!("line {line}"));
                rest = after;
            }
            None => {
                said.push_str(&start);
                rest = from.strip_prefix(&start).unwrap_or_default();
            }
        }
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_told_as_lines() {
        let row = |line| Row { line, value: json!({}) };
        let rows = [row(2), row(7), row(9)];
        let fields = json!({
            "agents[1].targets[0]": "There is no agent named X.",
            "agents[1].name": "Is required.",
            "agents[2]": "Is agents[0] again, not agents[5].",
            "agents[3]": "Is no line of this part.",
            "document": "Must be an object.",
        });
        let said = wrong(Listed::Agents, &rows, fields.as_object().unwrap());
        let mut seventh = said[&7].clone();
        seventh.sort();
        assert_eq!(seventh, ["name: Is required.", "targets[0]: There is no agent named X."]);
        assert_eq!(said[&9], ["Is line 2 again, not agents[5]."]);
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn a_number_is_another_one_at_another_account() {
        let number = |value: Value| thing(Listed::Numbers, &value);
        let plain = number(json!("+14155550100"));
        assert_eq!(plain, number(json!({ "e164": "+14155550100" })));
        assert_ne!(plain, number(json!({ "e164": "+14155550100", "account": "main" })));
        assert_eq!(number(json!({ "e164": "415" })), None);
        assert_eq!(thing(Listed::Agents, &json!({ "name": " Ada " })), Some("Ada".to_owned()));
    }
}
