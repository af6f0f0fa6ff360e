//! Problems in our own words.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::dialects::Problem;

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Error)]
pub struct ErrorBody {
    /// A sentence for people.
    error: String,
    /// A word for programs.
    code: &'static str,
    /// What is wrong with each field that is wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, String>,
}

/// The status and body of a problem.
#[must_use]
pub fn error(problem: &Problem) -> (u16, Value) {
    let told = problem.told();
    let fields = told.fields.into_iter().map(|error| (error.field, error.message)).collect();
    let body = ErrorBody { error: told.message, code: told.code, fields };
    (told.status, serde_json::to_value(body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Refusal;

    #[test]
    fn a_problem_is_a_sentence_a_code_and_the_fields() {
        let (status, body) = error(&Refusal::invalid("to", "is required").into());
        let fields = json!({ "to": "is required" });
        let expected =
            json!({ "error": "to is required", "code": "validation_error", "fields": fields });
        assert_eq!((status, body), (422, expected));
        let (status, body) = error(&Refusal::NumberTaken.into());
        let expected = json!({ "error": "the number is taken", "code": "number_taken" });
        assert_eq!((status, body), (409, expected));
    }
}
