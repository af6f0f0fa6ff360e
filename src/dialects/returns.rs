//! What agents return of their calls: a flat map from names to kinds of value, and results that
//! keep to it.

use serde_json::{Map, Value};

use super::{brief::OBJECT_LEN_MAX, reader::Wrong};
use crate::domain::{FieldError, Refusal};

/// Fields of one result.
const FIELDS_MAX: usize = 100;

/// What a field of a result can be.
const KINDS: &[&str] = &["boolean", "string", "number"];

/// Whether a value says what an agent returns.
pub(super) fn check(value: &Value) -> Result<(), Wrong> {
    let fields = value.as_object().ok_or("must be an object of field names and kinds")?;
    if fields.len() > FIELDS_MAX {
        return Err(format!("must have at most {FIELDS_MAX} fields").into());
    }
    for (name, kind) in fields {
        if !kind.as_str().is_some_and(|kind| KINDS.contains(&kind)) {
            let wrong = Wrong::from(format!("must be one of {}", KINDS.join(", ")));
            return Err(wrong.within(name));
        }
    }
    Ok(())
}

/// What the agent with this profile returns; empty where it returns nothing.
#[must_use]
pub(super) fn of_profile(profile: &str) -> Map<String, Value> {
    let profile: Map<String, Value> = serde_json::from_str(profile).unwrap_or_default();
    let returns = profile.get("returns").filter(|returns| check(returns).is_ok());
    returns.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// A call's result as it is kept: every field that its agent returns, null where none was given.
///
/// # Errors
/// A field that the agent does not return, or of another kind; too much of it.
pub fn result(profile: &str, given: &Map<String, Value>) -> Result<String, Refusal> {
    let returns = of_profile(profile);
    let mut wrong = Vec::new();
    for (name, value) in given {
        let message = match returns.get(name).and_then(Value::as_str) {
            None => "Is not among the fields that the agent returns.".to_owned(),
            Some(kind) if is_of(kind, value) => continue,
            Some(kind) => format!("Must be a {kind} or null."),
        };
        wrong.push(FieldError { field: format!("result.{name}"), message });
    }
    if !wrong.is_empty() {
        return Err(Refusal::Invalid(wrong));
    }
    let whole = returns.into_iter().map(|(name, _)| {
        let value = given.get(&name).cloned().unwrap_or_default();
        (name, value)
    });
    let text = Value::Object(whole.collect()).to_string();
    if text.len() > OBJECT_LEN_MAX {
        let message = format!("Must be at most {OBJECT_LEN_MAX} bytes.");
        return Err(Refusal::invalid("result", message));
    }
    Ok(text)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => kind == "boolean",
        Value::Number(_) => kind == "number",
        Value::String(_) => kind == "string",
        Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROFILE: &str =
        r#"{"returns":{"paid":"boolean","name":"string","amount":"number"},"voice":"x"}"#;

    fn of(profile: &str, given: &Value) -> Result<Value, String> {
        match result(profile, given.as_object().unwrap()) {
            Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
            Err(Refusal::Invalid(wrong)) => Err(wrong[0].field.clone()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_result_keeps_to_what_the_agent_returns() {
        let whole = json!({ "paid": true, "name": "Ann", "amount": 1.5 });
        assert_eq!(of(PROFILE, &whole), Ok(whole));
        let missing = json!({ "paid": null, "name": "Ann", "amount": null });
        assert_eq!(of(PROFILE, &json!({ "name": "Ann" })), Ok(missing));
        for (given, field) in [
            (json!({ "paid": "yes" }), "result.paid"),
            (json!({ "amount": "1" }), "result.amount"),
            (json!({ "name": ["Ann"] }), "result.name"),
            (json!({ "other": null }), "result.other"),
        ] {
            assert_eq!(of(PROFILE, &given), Err(field.to_owned()));
        }
        assert_eq!(of(PROFILE, &json!({ "name": "x".repeat(70_000) })), Err("result".to_owned()));
        for none in ["{}", "", r#"{"returns":null}"#, r#"{"returns":{"a":"date"}}"#] {
            assert_eq!(of(none, &json!({})), Ok(json!({})));
            assert_eq!(of(none, &json!({ "a": 1 })), Err("result.a".to_owned()));
        }
    }

    #[test]
    fn kinds_are_three() {
        assert!(check(&json!({ "a": "boolean", "b": "string", "c": "number" })).is_ok());
        assert!(check(&json!({})).is_ok());
        for wrong in [json!([]), json!("x"), json!({ "a": "date" }), json!({ "a": { "b": 1 } })] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }
}
