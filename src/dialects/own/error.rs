//! Problems in our own words.

use serde_json::{Map, Value, json};

use crate::dialects::Problem;

/// The status and body of a problem.
#[must_use]
pub fn error(problem: &Problem) -> (u16, Value) {
    let told = problem.told();
    let mut body = json!({ "error": told.message, "code": told.code });
    let fields: Map<String, Value> =
        told.fields.into_iter().map(|error| (error.field, error.message.into())).collect();
    if let (false, Some(body)) = (fields.is_empty(), body.as_object_mut()) {
        body.insert("fields".to_owned(), Value::Object(fields));
    }
    (told.status, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Refusal;

    #[test]
    fn a_problem_is_a_sentence_a_code_and_the_fields() {
        let (status, body) = error(&Refusal::invalid("to", "is required").into());
        let fields = json!({ "to": "is required" });
        let expected =
            json!({ "error": "to: is required", "code": "validation_error", "fields": fields });
        assert_eq!((status, body), (422, expected));
        let (status, body) = error(&Refusal::NumberTaken.into());
        let expected = json!({ "error": "the number is taken", "code": "number_taken" });
        assert_eq!((status, body), (409, expected));
    }
}
