//! The order in which agents are brought in: whoever is named by another goes before it.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::Value;

use super::apply::{Row, names};
use crate::dialects::own::Listed;

/// The agents of a file by their names and ids.
pub(super) struct Known {
    places: HashMap<String, usize>,
    sources: BTreeSet<usize>,
    /// Each as somebody else needs it there: it names nobody itself.
    bare: Vec<Row>,
}

impl Known {
    /// Whether another agent of the file has this one as a source.
    pub(super) fn is_source(&self, row: &Row) -> bool {
        let mut names = names(Listed::Agents, &row.value).into_iter();
        names.any(|name| self.places.get(&name).is_some_and(|place| self.sources.contains(place)))
    }

    /// Whom rows name, each once.
    pub(super) fn named_by(&self, rows: &[Row]) -> Vec<Row> {
        let named = rows.iter().flat_map(|row| names_in(&row.value));
        let places: BTreeSet<usize> =
            named.filter_map(|name| self.places.get(&name)).copied().collect();
        places.into_iter().filter_map(|place| self.bare.get(place)).cloned().collect()
    }
}

/// Puts agents in order. Those that name each other in a circle come last, as they are: the daemon
/// says what is wrong with that.
pub(super) fn named_first(rows: Vec<Row>) -> (Vec<Row>, Known) {
    let mut places = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        for name in names(Listed::Agents, &row.value) {
            places.entry(name).or_insert(place);
        }
    }
    let mut waiting = vec![0_usize; rows.len()];
    let mut waiters: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        let named: BTreeSet<usize> = names_in(&row.value)
            .iter()
            .filter_map(|name| places.get(name).copied())
            .filter(|named| *named != place)
            .collect();
        if let Some(count) = waiting.get_mut(place) {
            *count = named.len();
        }
        for named in named {
            waiters.entry(named).or_default().push(place);
        }
    }
    let bare = rows.iter().map(bare).collect();
    let sources = rows.iter().flat_map(|row| sources(&row.value));
    let sources = sources.filter_map(|name| places.get(&name).copied()).collect();
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(rows.len());
    let free = waiting.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut ready: VecDeque<usize> = free.map(|(place, _)| place).collect();
    while let Some(place) = ready.pop_front() {
        ordered.extend(rows.get_mut(place).and_then(Option::take));
        for waiter in waiters.remove(&place).unwrap_or_default() {
            let Some(count) = waiting.get_mut(waiter) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.push_back(waiter);
            }
        }
    }
    ordered.extend(rows.into_iter().flatten());
    (ordered, Known { places, sources, bare })
}

/// Whom an agent names: its sources, and the agents on its ladder.
fn names_in(value: &Value) -> Vec<String> {
    sources(value).chain(steps(value)).collect()
}

fn sources(value: &Value) -> impl Iterator<Item = String> {
    texts(value, "sources").map(named)
}

/// The agents on an agent's ladder.
fn steps(value: &Value) -> impl Iterator<Item = String> {
    texts(value, "targets").filter_map(|target| target.strip_prefix("agent:")).map(named)
}

fn texts<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v str> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// An agent's name; ids are known in lower case.
fn named(text: &str) -> String {
    let text = text.trim();
    let id: Result<uuid::Uuid, _> = text.parse();
    id.map_or_else(|_| text.to_owned(), |id| id.to_string())
}

/// A live agent that names nobody, as small as others need it.
fn bare(row: &Row) -> Row {
    let mut row = row.clone();
    let has_steps = steps(&row.value).next().is_some();
    if let Value::Object(fields) = &mut row.value {
        fields.retain(|name, _| match name.as_str() {
            "id" | "name" | "direction" | "numbers" => true,
            "targets" => !has_steps,
            _ => false,
        });
    }
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(agents: &[Value]) -> Vec<Row> {
        (1..).zip(agents).map(|(line, value)| Row { line, value: value.clone() }).collect()
    }

    fn lines(rows: &[Row]) -> Vec<u64> {
        rows.iter().map(|row| row.line).collect()
    }

    #[test]
    fn whoever_is_named_goes_first() {
        let id = "018F4A9E-0000-7000-8000-000000000001";
        let (ordered, known) = named_first(rows(&[
            json!({ "name": "Desk", "sources": ["Reminders ", "Elsewhere"], "state": "live" }),
            json!({ "name": "Front", "targets": ["busy", "agent: Desk"] }),
            json!({ "name": "Reminders", "state": "draft" }),
            json!({ "name": "Late", "sources": [id.to_lowercase()] }),
            json!({ "id": id }),
        ]));
        assert_eq!(lines(&ordered), [3, 5, 1, 4, 2]);
        let source = |line| known.is_source(ordered.iter().find(|row| row.line == line).unwrap());
        assert_eq!([1, 2, 3, 4, 5].map(source), [false, false, true, false, true]);
        let along = known.named_by(&ordered[2..]);
        assert_eq!(lines(&along), [1, 3, 5]);
        assert_eq!(along[0].value, json!({ "name": "Desk" }));
    }

    #[test]
    fn a_circle_is_left_as_it_is() {
        let (ordered, _) = named_first(rows(&[
            json!({ "name": "A", "targets": ["agent:B"] }),
            json!({ "name": "B", "targets": ["agent:A"] }),
            json!({ "name": "C", "targets": ["agent:C"] }),
            json!("none"),
        ]));
        assert_eq!(lines(&ordered), [3, 4, 1, 2]);
    }
}
