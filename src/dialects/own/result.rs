//! What came of a call, as its runtime says.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, brief::opaque, text},
    domain::{CallId, CallResult, Refusal, ResultStatus},
};

/// Characters of the reason why there is no result.
const ERROR_MAX: usize = 1000;

/// What a runtime says came of its call: a result, or why there is none.
#[derive(Debug, ToSchema)]
#[schema(as = own::ResultRequest)]
pub struct ResultRequest {
    /// The fields that the agent returns, each of its kind or null; a field left out is null.
    #[schema(additional_properties, value_type = Option<Object>)]
    pub result: Option<Map<String, Value>>,
    /// Why there is no result.
    #[schema(min_length = 1, max_length = 1000)]
    pub error: Option<String>,
}

/// What is told of a call's end.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultFields {
    /// These fields.
    Given(Map<String, Value>),
    /// That there is no result, and why.
    Failed(String),
}

/// Reads a result.
///
/// # Errors
/// Neither a result nor an error, or both.
pub fn result_fields(body: Value) -> Result<ResultFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let given = reader.optional("result", |value| {
        value.as_object().cloned().ok_or_else(|| "must be an object".into())
    });
    let error = reader.optional("error", text(ERROR_MAX));
    match (given, error) {
        (Some(given), None) => reader.finish().map(|()| ResultFields::Given(given)),
        (None, Some(error)) => reader.finish().map(|()| ResultFields::Failed(error)),
        (Some(_), Some(_)) => {
            reader.blame("error", "cannot be combined with result");
            Err(reader.refusal())
        }
        (None, None) => {
            // What was given and could not be read has been blamed already.
            let _noted: Option<()> = reader.required("result", |_| Ok(()));
            Err(reader.refusal())
        }
    }
}

/// What came of a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Result)]
pub struct ResultBody {
    call_id: Uuid,
    result_status: &'static str,
    #[schema(value_type = Option<Object>)]
    result: Value,
    result_error: Option<String>,
}

impl ResultBody {
    /// A call's result, where it is known.
    #[must_use]
    pub fn new(call: CallId, result: Option<&CallResult>) -> Self {
        let status = result.map_or(ResultStatus::Pending, CallResult::status);
        Self {
            call_id: call.0,
            result_status: status.as_str(),
            result: opaque(result.and_then(CallResult::fields)),
            result_error: result.and_then(CallResult::error).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_or_a_reason_why_there_is_none() {
        let read = result_fields(json!({ "result": { "a": 1 } })).unwrap();
        assert!(matches!(read, ResultFields::Given(given) if given.len() == 1));
        let read = result_fields(json!({ "error": "no answer", "result": null })).unwrap();
        assert_eq!(read, ResultFields::Failed("no answer".to_owned()));
        for (body, field) in [
            (json!({}), "result"),
            (json!({ "result": [] }), "result"),
            (json!({ "error": "" }), "error"),
            (json!({ "result": {}, "error": "x" }), "error"),
        ] {
            match result_fields(body) {
                Err(Refusal::Invalid(wrong)) => assert_eq!(wrong[0].field, field),
                other => panic!("{other:?}"),
            }
        }
    }
}
