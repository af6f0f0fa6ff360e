//! Reads the fields of one body or query and collects what is wrong with them, field by field.
//!
//! It never stops at the first error and never guesses: an absent field, a null and a value are
//! three things.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use serde_json::{Map, Value};

use super::{
    spelling::meant,
    time::{parse_day, parse_rfc3339},
};
use crate::domain::{
    Attestation, E164, FieldError, Outcome, OutcomeSet, Refusal, UnixDay, UnixMillis,
};

/// A field as it was given: not at all, as null, or with a value.
pub type Given<T> = Option<Option<T>>;

/// What is wrong with a value, and where in it.
#[derive(Debug)]
pub struct Wrong {
    at: Option<String>,
    message: String,
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self { at: None, message: message.to_owned() }
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { at: None, message }
    }
}

impl Wrong {
    /// The same, about one element or member.
    #[must_use]
    pub fn within(self, key: impl Display) -> Self {
        let at = self.at.map_or_else(|| key.to_string(), |rest| format!("{key}.{rest}"));
        Self { at: Some(at), message: self.message }
    }
}

/// The fields of one request.
#[derive(Debug)]
pub struct Reader {
    fields: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader {
    /// Reads a body.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn of_body(body: Value) -> Result<Self, Refusal> {
        match body {
            Value::Object(fields) => Ok(Self { fields, errors: Vec::new() }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(Refusal::invalid("body", "Must be a JSON object.")),
        }
    }

    /// Reads the fields of an object.
    #[must_use]
    pub const fn of_fields(fields: Map<String, Value>) -> Self {
        Self { fields, errors: Vec::new() }
    }

    /// Adds a field, where there is one.
    pub fn put(&mut self, name: &str, value: Option<Value>) {
        self.fields.extend(value.map(|value| (name.to_owned(), value)));
    }

    /// Reads a query; the last of equal names counts.
    #[must_use]
    pub fn of_query(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let fields = pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Self { fields, errors: Vec::new() }
    }

    /// A field that may be absent or null.
    pub fn given<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Given<T> {
        let value = self.fields.remove(name)?;
        if value.is_null() {
            return Some(None);
        }
        match read(&value) {
            Ok(read) => Some(Some(read)),
            Err(wrong) => {
                self.blame(name, wrong);
                None
            }
        }
    }

    /// A field that may be absent; null is absence.
    pub fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.given(name, read).flatten()
    }

    /// A field that may be absent, but not null.
    pub fn present<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let given = self.given(name, read);
        if matches!(given, Some(None)) {
            self.blame(name, "cannot be null");
        }
        given.flatten()
    }

    /// A field that must be there. `None` means that an error has been noted.
    pub fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let is_missing = self.fields.get(name).is_none_or(Value::is_null);
        if is_missing {
            self.fields.remove(name);
            self.blame(name, "is required");
            return None;
        }
        self.given(name, read).flatten()
    }

    /// A query's field; the empty text is absence.
    pub fn filter<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        if self.fields.get(name).and_then(Value::as_str) == Some("") {
            self.fields.remove(name);
        }
        self.optional(name, read)
    }

    /// Refuses a field that is wrong, and leaves one that is not to be read.
    pub fn check<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) {
        let Some(Err(wrong)) = self.fields.get(name).filter(|value| !value.is_null()).map(read)
        else {
            return;
        };
        self.fields.remove(name);
        self.blame(name, wrong);
    }

    /// Whether a field is there and has not been read.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The same, where null is absence.
    #[must_use]
    pub fn says(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes an error.
    pub fn blame(&mut self, field: &str, wrong: impl Into<Wrong>) {
        let Wrong { at, message } = wrong.into();
        let field = at.map_or_else(|| field.to_owned(), |at| format!("{field}.{at}"));
        self.errors.push(FieldError { field, message: sentence(&message) });
    }

    /// Everything that has not been read.
    pub fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.fields)
    }

    /// The errors noted, as one refusal.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        Refusal::Invalid(self.errors)
    }

    /// Nothing was wrong.
    ///
    /// # Errors
    /// Something was.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }
}

/// `is required` as `Is required.`
pub(super) fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(Some('.')).collect()
}

/// A field's path within a part of a document: `agents[2]` and `targets.0` as
/// `agents[2].targets[0]`.
pub(super) fn joined(path: &str, field: &str) -> String {
    let mut joined = path.to_owned();
    for step in field.split('.').filter(|step| !step.is_empty()) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            joined.push_str(&format!("[{step}]"));
        } else {
            joined.push('.');
            joined.push_str(step);
        }
    }
    joined
}

/// A text of 1 to `max` characters, not blank.
pub fn text(max: usize) -> impl Fn(&Value) -> Result<String, Wrong> {
    move |value| {
        let text = value.as_str().ok_or("must be a string")?;
        if text.trim().is_empty() {
            return Err("must not be empty".into());
        }
        if text.chars().count() > max {
            return Err(format!("must be at most {max} characters").into());
        }
        Ok(text.to_owned())
    }
}

/// An id.
///
/// # Errors
/// It is no UUID.
pub fn id<T: FromStr>(value: &Value) -> Result<T, Wrong> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| "must be a UUID".into())
}

/// A list of ids, repeated ones included.
///
/// # Errors
/// It is no list, or one of it is no UUID.
pub fn ids<T: FromStr>(value: &Value) -> Result<Vec<T>, Wrong> {
    let values = value.as_array().ok_or("must be an array of UUIDs")?;
    let read = |(at, value)| id(value).map_err(|wrong: Wrong| wrong.within(at));
    values.iter().enumerate().map(read).collect()
}

/// One of a closed set of words; `words` names them for who wrote another.
pub fn member<T: FromStr>(words: &'static str) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let found = value.as_str().and_then(|text| text.parse().ok());
        found.ok_or_else(|| format!("must be one of {words}").into())
    }
}

/// An integer in a range; in a query, its digits.
pub fn integer(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u32, Wrong> {
    move |value| {
        let digits = || value.as_str().and_then(|text| text.parse().ok());
        let found = whole(value).or_else(digits).and_then(|n| u32::try_from(n).ok());
        found.filter(|n| range.contains(n)).ok_or_else(|| {
            format!("must be an integer from {} to {}", range.start(), range.end()).into()
        })
    }
}

/// A JSON number without a fraction, however it is written: 1.0 is an integer (JSON Schema
/// 2020-12 §6.1.1), and some clients' numbers are all written so.
pub(super) fn whole(value: &Value) -> Option<i64> {
    /// Up to here every integer is a double of its own.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let is_whole = |n: &f64| n.fract() == 0.0 && n.abs() < EXACT_MAX;
    // Formatted without a fraction, for there is no cast that cannot lose anything.
    let of_double = || value.as_f64().filter(is_whole).and_then(|n| format!("{n:.0}").parse().ok());
    value.as_i64().or_else(of_double)
}

/// True or false; in a query also `1` and `0`.
///
/// # Errors
/// It is something else.
pub fn boolean(value: &Value) -> Result<bool, Wrong> {
    match (value.as_bool(), value.as_str()) {
        (Some(value), _) => Ok(value),
        (None, Some("true" | "1")) => Ok(true),
        (None, Some("false" | "0")) => Ok(false),
        (None, _) => Err("must be true or false".into()),
    }
}

/// An E.164 number. A leading blank is a plus that was not escaped.
///
/// # Errors
/// It is none.
pub fn phone(value: &Value) -> Result<E164, Wrong> {
    let found = value.as_str().and_then(|text| match text.strip_prefix(' ') {
        Some(digits) => E164::from_digits(digits),
        None => E164::parse(text),
    });
    found.ok_or_else(|| {
        let text = value.as_str().unwrap_or_default();
        match meant(text, None) {
            Some(meant) => format!("must be an E.164 number; write {meant} for this one").into(),
            None => "must be an E.164 number such as +14155550100".into(),
        }
    })
}

/// A point in time.
///
/// # Errors
/// It is no RFC 3339 text.
pub fn moment(value: &Value) -> Result<UnixMillis, Wrong> {
    let found = value.as_str().and_then(parse_rfc3339);
    found.ok_or_else(|| "must be an RFC 3339 time such as 2026-05-02T09:00:00Z".into())
}

/// A day.
///
/// # Errors
/// It is not written `YYYY-MM-DD`, or there is no such day.
pub fn date(value: &Value) -> Result<UnixDay, Wrong> {
    let found = value.as_str().and_then(parse_day);
    found.ok_or_else(|| "must be a day such as 2026-05-02".into())
}

/// An attestation; `a` is as good as `A`.
///
/// # Errors
/// It is none.
pub fn attestation(value: &Value) -> Result<Attestation, Wrong> {
    let found = value.as_str().and_then(|text| match text {
        "a" => Some(Attestation::A),
        "b" => Some(Attestation::B),
        "c" => Some(Attestation::C),
        ours => ours.parse().ok(),
    });
    found.ok_or_else(|| "must be one of A, B, C, none".into())
}

/// A list of outcomes in any dialect's words.
///
/// # Errors
/// It is no list, empty, or one of it is no outcome.
pub fn carrier_words(value: &Value) -> Result<OutcomeSet, Wrong> {
    const WORDS: &str = "must be one of answered, completed, no_answer, busy, voicemail, failed, \
                         canceled, pending";
    let words = value.as_array().ok_or("must be an array of outcomes")?;
    if words.is_empty() {
        return Err("must name at least one outcome; null means all".into());
    }
    let outcomes = words.iter().enumerate().map(|(at, word)| {
        let found = word.as_str().and_then(Outcome::from_any_dialect);
        found.ok_or_else(|| Wrong::from(WORDS).within(at))
    });
    outcomes.collect()
}
