//! A document's text as values, with the place of each, so that what is wrong can be pointed at.

use std::collections::HashMap;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned, options::DuplicateKeyPolicy};

use crate::dialects::Problem;

/// Lists, objects and scalars of a document: ten thousand agents several times over.
const NODES_MAX: usize = 1_000_000;
/// How much of a document may come of repeating parts of it (`*alias`).
const REPEATED_MAX: usize = 100_000;

/// Where things are in a text: line and column by path (`agents[2].targets[0]`).
#[derive(Clone, Debug, Default)]
pub(super) struct Places(HashMap<String, (u64, u64)>);

impl Places {
    /// The place of a path, or of what it is nearest within.
    pub(super) fn of(&self, path: &str) -> Option<(u64, u64)> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return Some(*place);
            }
            path = path.rfind(['.', '[']).and_then(|end| path.get(..end))?;
        }
    }
}

/// Reads a JSON text, which has no places.
pub(super) fn json(text: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(text).map_err(|error| Problem::BodyUnreadable(error.to_string()))
}

/// Reads a YAML text.
pub(super) fn yaml(text: &[u8]) -> Result<(Value, Places), Problem> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Problem::BodyUnreadable("it is not UTF-8".to_owned()))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: NODES_MAX, max_events: 2 * NODES_MAX },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPEATED_MAX,

        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        // `no` is a language, and `on` a name.
        strict_booleans: true,
        with_snippet: false,
    };
    let read: Result<Option<Node>, _> = serde_saphyr::from_str_with_options(text, options);
    let node = read.map_err(|error| Problem::BodyUnreadable(error.to_string()))?;
    let mut places = Places::default();
    let empty = || Value::Object(Map::new());
    let value = node.map_or_else(empty, |node| node.value(text, String::new(), &mut places));
    Ok((value, places))
}

/// A value with its place.
struct Node {
    at: Location,
    kind: Kind,
}

enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(Spanned<String>, Node)>),
}

impl Node {
    fn value(self, text: &str, path: String, places: &mut Places) -> Value {
        let value = match self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(value),
            Kind::Number(number) => match plus(text, self.at) {
                // A phone number without quotation marks: to YAML an integer like any other.
                true => Value::String(format!("+{number}")),
                false => Value::Number(number),
            },
            Kind::Text(text) => Value::String(text),
            Kind::List(nodes) => {
                let element =
                    |(n, node): (usize, Self)| node.value(text, format!("{path}[{n}]"), places);
                Value::Array(nodes.into_iter().enumerate().map(element).collect())
            }
            Kind::Object(members) => {
                let mut object = Map::new();
                for (key, node) in members {
                    let dot = if path.is_empty() { "" } else { "." };
                    let inner = format!("{path}{dot}{}", key.value);
                    let value = node.value(text, inner.clone(), places);
                    // Of a list or object the key's place, which is before its first line.
                    if value.is_array() || value.is_object() {
                        places.0.insert(inner, place(key.referenced));
                    }
                    object.insert(key.value, value);
                }
                Value::Object(object)
            }
        };
        if !path.is_empty() {
            places.0.entry(path).or_insert_with(|| place(self.at));
        }
        value
    }
}

fn place(at: Location) -> (u64, u64) {
    (at.line(), at.column())
}

/// Whether the scalar there begins with a plus.
fn plus(text: &str, at: Location) -> bool {
    let start = at.span().byte_offset().and_then(|offset| usize::try_from(offset).ok());
    start.and_then(|start| text.as_bytes().get(start)) == Some(&b'+')
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { at: defined, kind: value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Kind, E> {
        let number = Number::from_f64(value);
        number.map(Kind::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Kind::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Kind, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Kind::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::Config};
    use serde_json::json;

    use super::*;

    /// What other readers of YAML take for something else than a text.
    const ODD: &[&str] = &[
        "",
        " ",
        "~",
        "null",
        "Null",
        "true",
        "no",
        "No",
        "on",
        "y",
        "0",
        "-0",
        "007",
        "0x1f",
        "0o17",
        "0b1",
        "1e3",
        "1_000",
        "12:30:45",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".nan",
        "+1",
        "-",
        "--- a",
        "---",
        "...",
        "- a",
        "? a",
        "a: b",
        "a:",
        ": a",
        "a #b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "|2-",
        "%YAML 1.2",
        "@a",
        "`a`",
        "'",
        "''",
        "\"",
        "\\n",
        "[",
        "]",
        "{}",
        ",",
        "<<",
        "=",
        " a",
        "a ",
        "\ta",
        "a\t",
        "\n",
        "a\n",
        "\na",
        "a\n\n",
        " a\n b\n",
        "a\r\nb",
        "a\rb",
        "\u{feff}a",
        "a\u{85}b",
        "a\u{2028}b",
        "\u{2029}",
        "\u{0}",
        "\u{7}",
        "\u{1b}[0m",
        "\u{7f}",
        "\u{9f}",
        "\u{a0}",
        "\u{200b}",
        "é",
        "e\u{301}",
        "日本語",
        "🦀",
        "\u{10ffff}",
        "\u{fffe}",
        "2026-01-02",
        "2026-01-02T03:04:05Z",
        "+14155550100",
    ];

    fn words() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(ODD).prop_map(str::to_owned),
            "[-?:,\\[\\]{}#&*!|>'\"%@`~\\\\ \\n\\tnoYE01xe.+=<_]{0,10}",
            "[ab \\n:#]{60,120}",
            any::<String>(),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            (-1000.0..1000.0_f64).prop_map(Value::from),
            words().prop_map(Value::from),
            words().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(words(), inner, 0..4)
                    .prop_map(|object| Value::Object(object.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(Config { cases: 3000, failure_persistence: None, ..Config::default() })]

        /// Whatever is written out is read as what it was.
        #[test]
        fn a_value_written_in_yaml_is_read_as_it_was(value in value()) {
            let document = json!({ "in": { "a": [value] } });
            let text = serde_saphyr::to_string(&document).unwrap();
            let (read, _) = yaml(text.as_bytes())
                .map_err(|problem| TestCaseError::fail(format!("{problem:?} in {text:?}")))?;
            prop_assert_eq!(read, document, "{:?}", text);
        }
    }
}
