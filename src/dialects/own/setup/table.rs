//! Tables: every row is an agent or a number of a document, every column one of its keys. Cells
//! are texts; they become what the document has under that key.

use serde_json::{Map, Value};

use super::read::{AGENT, NUMBER, check_profile, near, profile_names};

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Agents of a document.
    Agents,
    /// Numbers of a document.
    Numbers,
}

impl Listed {
    /// The document's key for them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Numbers => "numbers",
        }
    }

    /// The columns there may be, in the order in which people read them.
    pub fn columns(self) -> impl Iterator<Item = &'static str> {
        let (own, profile) = match self {
            Self::Agents => (AGENT, true),
            Self::Numbers => (NUMBER, false),
        };
        let mut names: Vec<&str> = own.to_vec();
        for name in profile_names().filter(|_| profile) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.into_iter()
    }

    /// Reads a table's heading.
    ///
    /// # Errors
    /// What is wrong with it: a column that is not known or there twice, or none that says which
    /// thing a row is about.
    pub fn check_heading<'a>(
        self,
        heading: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), String> {
        let known: Vec<&str> = self.columns().collect();
        let mut seen = Vec::new();
        for name in heading {
            if !known.contains(&name) {
                let (near, known) = (near(name, &known), known.join(", "));
                return Err(format!(
                    "the column `{name}` is not known here; did you mean `{near}`? \
                     The columns are {known}"
                ));
            }
            if seen.contains(&name) {
                return Err(format!("the column `{name}` is there twice"));
            }
            seen.push(name);
        }
        let keys: &[&str] = match self {
            Self::Agents => &["name", "id"],
            Self::Numbers => &["e164"],
        };
        if keys.iter().any(|key| seen.contains(key)) {
            return Ok(());
        }
        Err(format!("there must be a column `{}`", keys.join("` or `")))
    }

    /// A row's cells as the document's object. An empty cell leaves its field as it is.
    #[must_use]
    pub fn object(self, cells: Map<String, Value>) -> Value {
        let read = |(column, value): (String, Value)| {
            let Value::String(text) = value else { return (column, value) };
            let value = self.cell(&column, text);
            (column, value)
        };
        Value::Object(cells.into_iter().map(read).collect())
    }

    /// What cannot be read stays a text, which the document's reader then refuses in its words.
    fn cell(self, column: &str, text: String) -> Value {
        let json = || serde_json::from_str::<Value>(&text).ok();
        let structure = || json().filter(|value| value.is_array() || value.is_object());
        let read = match column {
            "numbers" | "trigger_outcomes" => Some(structure().unwrap_or_else(|| {
                list(text.split(|c: char| c.is_whitespace() || c == ';' || c == ','))
            })),
            // Names and what is said have blanks and commas in them.
            "targets" | "sources" => Some(structure().unwrap_or_else(|| list(text.split(';')))),
            "window_days" | "first_audio_timeout_ms" => json().filter(Value::is_number),
            "primary" | "runtime_parameters" | "profile" => structure(),
            // Of a field that may be either, a text is whatever has no brackets around it.
            _ if self == Self::Agents && !AGENT.contains(&column) => {
                let pleases = |value: &Value| check_profile(column, value).is_ok();
                let is_text = || pleases(&Value::String(text.clone()));
                let structured = structure().filter(pleases);
                structured.or_else(|| if is_text() { None } else { json().filter(pleases) })
            }
            _ => None,
        };
        read.unwrap_or(Value::String(text))
    }
}

/// The parts of a cell that are not blank.
fn list<'a>(parts: impl Iterator<Item = &'a str>) -> Value {
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(column: &str, text: &str, expected: &Value) {
        assert_eq!(&Listed::Agents.cell(column, text.to_owned()), expected, "{column}: {text}");
    }

    #[test]
    fn cells_become_what_the_document_has() {
        let two = json!(["+14155550100", "+12125550143"]);
        for text in ["+14155550100 +12125550143", "+14155550100; +12125550143"] {
            check("numbers", text, &two);
        }
        let at = json!([{ "e164": "+14155550100", "account": "main" }]);
        check("numbers", &at.to_string(), &at);
        check("numbers", "[]", &json!([]));
        check(
            "targets",
            "agent:Call desk; say:No, call later.",
            &json!(["agent:Call desk", "say:No, call later."]),
        );
        check("sources", "Reminders;Renewals, late", &json!(["Reminders", "Renewals, late"]));
        check("trigger_outcomes", "busy no_answer", &json!(["busy", "no_answer"]));
        check("window_days", "30", &json!(30));
        check("window_days", "a month", &json!("a month"));
        check("runtime_parameters", r#"{"tone":"warm"}"#, &json!({ "tone": "warm" }));
        check("name", "30", &json!("30"));
        check("instructions", "42", &json!("42"));
        check("instructions", r#"{"say":"hello"}"#, &json!(r#"{"say":"hello"}"#));
        check("voice", "Ada", &json!("Ada"));
        check("voice", r#"{"id":"ada"}"#, &json!({ "id": "ada" }));
        check("enable_recording", "true", &json!(true));
        check("llm_temperature", "0.5", &json!(0.5));
        check("llm_temperature", "warm", &json!("warm"));
    }

    #[test]
    fn a_heading_names_what_there_is() {
        let read = |listed: Listed, heading: &str| listed.check_heading(heading.split(','));
        assert_eq!(read(Listed::Numbers, "e164,account,friendly_name,passthrough"), Ok(()));
        assert_eq!(read(Listed::Agents, "id,sources,persona"), Ok(()));
        for (listed, heading, said) in [
            (Listed::Numbers, "e146", "did you mean `e164`? The columns are e164, account"),
            (Listed::Numbers, "e164,persona", "`persona` is not known"),
            (Listed::Numbers, "account", "there must be a column `e164`"),
            (Listed::Agents, "direction", "there must be a column `name` or `id`"),
            (Listed::Agents, "name,name", "`name` is there twice"),
        ] {
            let error = read(listed, heading).unwrap_err();
            assert!(error.contains(said), "{heading}: {error}");
        }
    }
}
