//! Problems in Talkover's words. Its documentation shows five shapes; ours is all of them at once.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::CampaignCallBody;
use crate::{
    dialects::{Problem, Told, reader::sentence},
    domain::{DialFailure, Refusal},
};

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Error)]
pub struct ErrorBody {
    /// Always false.
    success: bool,
    /// A sentence for people.
    message: String,
    /// A word for programs.
    code: String,
    error: ErrorAgain,
    /// What is wrong with each field that is wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, Vec<String>>,
    /// The call in progress that a second one would double.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    existing_call: Option<CampaignCallBody>,
}

/// Code and message once more, for clients that look for them here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::ErrorAgain)]
struct ErrorAgain {
    code: String,
    message: String,
    details: ErrorDetails,
}

/// The first field that is wrong, where one is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::ErrorDetails)]
struct ErrorDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// What it says, of a field that should have a phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<String>,
}

/// The status and body of a problem.
#[must_use]
pub fn error(problem: &Problem) -> (u16, Value) {
    let told = problem.told();
    let (status, code, message) = words(problem, &told);
    let value = if let Problem::Refused(Refusal::PhoneInvalid(_, given)) = problem {
        Some(given.clone())
    } else {
        None
    };
    let field = told.fields.first().map(|first| first.field.clone());
    let details = ErrorDetails { field, value };
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for field in told.fields {
        errors.entry(field.field).or_default().push(field.message);
    }
    let again = ErrorAgain { code: code.clone(), message: message.clone(), details };
    let existing_call = if let Problem::Refused(Refusal::DuplicateCall(open)) = problem {
        Some(CampaignCallBody::from(&**open))
    } else {
        None
    };
    let body = ErrorBody { success: false, message, code, error: again, errors, existing_call };
    (status, serde_json::to_value(body).unwrap_or_default())
}

/// Status, code and message: Talkover's own where its documentation has any, else ours with the
/// code in capitals.
fn words(problem: &Problem, told: &Told) -> (u16, String, String) {
    let theirs =
        |status: u16, code: &str, message: &str| (status, code.to_owned(), message.to_owned());
    match problem {
        Problem::KeyMissing => theirs(401, "INVALID_TOKEN", "Missing Bearer Token"),
        Problem::KeyUnknown => theirs(401, "INVALID_TOKEN", "Unauthenticated."),
        Problem::Forbidden => {
            theirs(403, "UNAUTHORIZED", "You are not authorized to perform this action.")
        }
        Problem::ScopeMissing(_) => (403, "UNAUTHORIZED".to_owned(), sentence(&told.message)),
        Problem::BodyUnreadable(_) => (422, "VALIDATION_ERROR".to_owned(), sentence(&told.message)),
        // Archived agents are CallingBox's: here they do not exist.
        Problem::Refused(Refusal::AgentNotFound | Refusal::AgentArchived) => {
            theirs(404, "AGENT_NOT_FOUND", "Agent not found in this environment.")
        }
        Problem::Refused(Refusal::NotCallbackAgent) => {
            theirs(404, "NOT_CALLBACK_AGENT", "Agent is not configured as a callback agent")
        }
        Problem::Refused(Refusal::NotInbound) => theirs(
            422,
            "INVALID_AGENT_DIRECTION",
            "Agent must have direction=inbound to serve as a callback",
        ),
        Problem::Refused(Refusal::NotOutbound) => theirs(
            422,
            "INVALID_AGENT_DIRECTION",
            "Agent must have direction=outbound to place calls",
        ),
        Problem::Refused(Refusal::AgentInactive) => {
            theirs(400, "AGENT_INACTIVE", "Agent is not published.")
        }
        Problem::Refused(Refusal::PhoneMissing) => {
            theirs(400, "MISSING_PHONE_NUMBER", "The phone number to call is required.")
        }
        Problem::Refused(
            Refusal::PhoneInvalid(..) | Refusal::NotPlaced(DialFailure::InvalidNumber, _),
        ) => theirs(400, "INVALID_PHONE_NUMBER", "The phone number is not valid."),
        Problem::Refused(Refusal::AgentHasActiveCalls) => {
            theirs(409, "AGENT_HAS_ACTIVE_CALLS", "Cannot delete agent while it has active calls.")
        }
        Problem::Refused(Refusal::CallNotActive) => {
            theirs(409, "CALL_NOT_ACTIVE", "Call is not active")
        }
        Problem::Refused(Refusal::AgentPublished) => {
            theirs(409, "AGENT_IS_PUBLISHED", "Cannot delete agent while it is published.")
        }
        Problem::Refused(Refusal::Invalid(_)) => {
            theirs(422, "VALIDATION_ERROR", "The given data was invalid.")
        }
        Problem::Refused(_)
        | Problem::TooOften(_)
        | Problem::RouteUnknown
        | Problem::MethodUnknown
        | Problem::BodyTooLarge(_)
        | Problem::NotApplied
        | Problem::NotReached
        | Problem::Busy
        | Problem::TimedOut
        | Problem::Internal => {
            (told.status, told.code.to_ascii_uppercase(), sentence(&told.message))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(problem: impl Into<Problem>, status: u16, code: &str, message: &str) {
        let (got, body) = error(&problem.into());
        assert_eq!(got, status, "{body}");
        assert_eq!(body["success"], false);
        assert_eq!((&body["code"], &body["message"]), (&json!(code), &json!(message)));
        assert_eq!(
            (&body["error"]["code"], &body["error"]["message"]),
            (&body["code"], &body["message"])
        );
    }

    #[test]
    fn published_words_are_kept() {
        check(Problem::KeyMissing, 401, "INVALID_TOKEN", "Missing Bearer Token");
        check(Problem::KeyUnknown, 401, "INVALID_TOKEN", "Unauthenticated.");
        check(
            Refusal::AgentNotFound,
            404,
            "AGENT_NOT_FOUND",
            "Agent not found in this environment.",
        );
        check(
            Refusal::AgentArchived,
            404,
            "AGENT_NOT_FOUND",
            "Agent not found in this environment.",
        );
        check(Refusal::NumberNotFound, 404, "NUMBER_NOT_FOUND", "Number not found.");
        check(Problem::Internal, 500, "SERVER_ERROR", "Internal error.");
    }

    #[test]
    fn wrong_fields_are_a_map_of_lists() {
        let (status, body) = error(&Refusal::invalid("source_agent_ids.1", "is unknown").into());
        assert_eq!(status, 422);
        assert_eq!(body["code"], "VALIDATION_ERROR");
        assert_eq!(body["errors"], json!({ "source_agent_ids.1": ["is unknown"] }));
        assert_eq!(body["error"]["details"]["field"], "source_agent_ids.1");
    }
}
