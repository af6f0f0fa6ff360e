//! Problems in CallingBox's words: one sentence, and beside it a code that its clients overlook.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{dialects::Problem, domain::Refusal};

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::Error)]
pub struct ErrorBody {
    /// A sentence for people.
    error: String,
    /// A word for programs; ours.
    code: &'static str,
}

/// The status and body of a problem.
#[must_use]
pub fn error(problem: &Problem) -> (u16, Value) {
    let told = problem.told();
    let status = match problem {
        // What is wrong with a request is 400 here; so is writing to an archived agent.
        Problem::Refused(Refusal::AgentArchived | Refusal::AgentInactive | Refusal::NoCallerId) => {
            400
        }
        Problem::Refused(_) if told.status == 422 => 400,
        Problem::Refused(_)
        | Problem::KeyMissing
        | Problem::KeyUnknown
        | Problem::Forbidden
        | Problem::ScopeMissing(_)
        | Problem::TooOften(_)
        | Problem::RouteUnknown
        | Problem::MethodUnknown
        | Problem::BodyTooLarge(_)
        | Problem::BodyUnreadable(_)
        | Problem::NotApplied
        | Problem::NotReached
        | Problem::Busy
        | Problem::TimedOut
        | Problem::Internal => told.status,
    };
    let body = ErrorBody { error: told.message, code: told.code };
    (status, serde_json::to_value(body).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(problem: impl Into<Problem>, status: u16, code: &str, sentence: &str) {
        let expected = (status, json!({ "error": sentence, "code": code }));
        assert_eq!(error(&problem.into()), expected);
    }

    #[test]
    fn a_refusal_is_a_sentence_and_a_code() {
        check(Refusal::invalid("name", "is required"), 400, "validation_error", "name is required");
        check(Refusal::AgentArchived, 400, "agent_archived", "agent is archived");
        check(Refusal::TypeFixed, 400, "type_fixed", "the agent's type cannot change");
        check(Refusal::AgentNotFound, 404, "agent_not_found", "agent not found");
        check(Refusal::NumberTaken, 409, "number_taken", "the number is taken");
        check(Problem::KeyMissing, 401, "key_missing", "missing bearer key");
    }
}
