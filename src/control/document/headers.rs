//! What travels beside bodies, said once for all operations: which headers and parameters a request
//! can have, and which headers its answers have. Whether an operation has them follows from its
//! method, its path and its statuses.

use http::{Method, StatusCode};
use serde_json::Value;
use utoipa::openapi::{
    Components, Header, HeaderBuilder, Object, ObjectBuilder, RefOr, Required, Response, Type,
    extensions::Extensions,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
};

use super::{is_write, reference};

/// A place in the log, as a pattern.
const REV: &str = r"^[0-9]{1,18}(\.[0-9]{1,18})?$";
/// An entity tag, as a pattern (RFC 9110 §8.8.3).
const TAG: &str = "^\"[!#-~]*\"$";
/// The request header by which a write says what it is meant for.
const IF_MATCH: &str = "If-Match";
/// Requests that are no reads by their method, and of which some or all write nothing: those that
/// rehearse or ask, and those that another process is told of.
const MAY_WRITE_NOTHING: &[&str] = &[
    "/apply",
    "/cancel",
    "/check-constraints",
    "/end-call",
    "/hangup",
    "/import-calls",
    "/move",
    "/replay",
    "/rollback",
    "/sign",
    "/test",
    "/touches",
    "/transfer",
    "/verify",
];

/// What an operation is, as far as headers depend on it.
pub(super) struct Kind {
    pub(super) has_key: bool,
    is_write: bool,
    /// A write that always leaves an entry in the log.
    is_logged: bool,
    /// What it is about has a version.
    is_versioned: bool,
    /// Afterwards there is nothing that has one.
    is_removal: bool,
}

impl Kind {
    /// What is true of whatever answers an error.
    pub(super) const ANY: Self = Self {
        has_key: true,
        is_write: false,
        is_logged: false,
        is_versioned: false,
        is_removal: false,
    };

    pub(super) fn of(method: &Method, path: &str, operation: &Operation) -> Self {
        let is_write = is_write(method);
        let answers = |status| operation.responses.responses.contains_key(status);
        // Who can say that it is not at that version has one; a document says itself which
        // revision it was written against.
        let names_own = operation.parameters.iter().flatten().any(|one| named(one, IF_MATCH));
        Self {
            has_key: operation.security.is_none(),
            is_write,
            is_logged: is_write && !MAY_WRITE_NOTHING.iter().any(|end| path.ends_with(end)),
            is_versioned: !names_own && (answers("304") || answers("412")),
            is_removal: *method == Method::DELETE,
        }
    }
}

fn named(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.name == name)
}

/// Adds what a request can have.
pub(super) fn ask(kind: &Kind, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let mut takes = |name| parameters.push(RefOr::Ref(reference("parameters", name)));
    if kind.has_key {
        takes("min_rev");
    }
    if kind.is_write {
        takes("wait");
        takes("Idempotency-Key");
    }
    if kind.is_versioned {
        takes(if kind.is_write { IF_MATCH } else { "If-None-Match" });
    }
    takes("X-Request-Id");
}

/// Adds what an answer has.
pub(super) fn answer(kind: &Kind, status: StatusCode, response: &mut Response) {
    let mut has = |name: &str, told: &str| {
        let header = RefOr::Ref(reference("headers", told));
        response.headers.insert(name.to_owned(), header);
    };
    let is_done = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if kind.is_versioned && is_done && !kind.is_removal {
        has("ETag", "ETag");
    }
    if kind.is_write && is_done {
        let told = if kind.is_logged { "Switchback-Rev" } else { "Switchback-Rev.where-written" };
        has("Switchback-Rev", told);
        has("Switchback-Visible", "Switchback-Visible");
        has("Idempotent-Replayed", "Idempotent-Replayed");
    }
    match status {
        StatusCode::UNAUTHORIZED => has("WWW-Authenticate", "WWW-Authenticate"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            has("Retry-After", "Retry-After");
        }
        _ => {}
    }
    if kind.has_key {
        for name in ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"] {
            has(name, name);
        }
    }
    has("X-Request-Id", "X-Request-Id");
}

/// Adds what operations refer to.
pub(super) fn components(components: &mut Components) {
    for (name, header) in always() {
        let mut header = header;
        // A header that is not marked so may be missing, and there is no field for the mark.
        let mark = [("required", Value::Bool(true))];
        header.extensions = Some(Extensions::from_iter(mark));
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
    for (name, header) in sometimes() {
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
    for parameter in parameters() {
        components.parameters.insert(parameter.name.clone(), RefOr::T(parameter));
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn count() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}

fn header(shape: impl Into<Object>, about: &str) -> Header {
    HeaderBuilder::new().schema(Some(shape.into())).description(Some(about)).build()
}

/// The headers that are there wherever they are named.
fn always() -> [(&'static str, Header); 5] {
    [
        (
            "ETag",
            header(text().pattern(Some(TAG)), "The version of what is shown, for `If-Match`."),
        ),
        ("Retry-After", header(count(), "After how many seconds to ask again.")),
        (
            "Switchback-Rev",
            header(text().pattern(Some(REV)), "Where the log stands since this write."),
        ),
        ("WWW-Authenticate", header(text(), "How to prove oneself.")),
        ("X-Request-Id", header(text(), "The request's own id where it had one, or ours.")),
    ]
}

/// The headers that are there where there is something to say.
fn sometimes() -> [(&'static str, Header); 6] {
    let where_limited = "where the installation limits how often a key may ask.";
    [
        (
            "Idempotent-Replayed",
            header(
                text().enum_values(Some(["true"])),
                "There where the request had been answered before.",
            ),
        ),
        (
            "Switchback-Rev.where-written",
            header(
                text().pattern(Some(REV)),
                "Where the log stands since this write, where it was one.",
            ),
        ),
        (
            "Switchback-Visible",
            header(
                text().pattern(Some("^[0-9]+/[0-9]+$")),
                "By how many of the processes that route calls this write is seen, of how many; \
                 there with `wait=all`.",
            ),
        ),
        (
            "X-RateLimit-Limit",
            header(count(), &format!("Requests a minute that the key may make, {where_limited}")),
        ),
        (
            "X-RateLimit-Remaining",
            header(count(), &format!("How many of them are left, {where_limited}")),
        ),
        (
            "X-RateLimit-Reset",
            header(
                count(),
                &format!("When all of them are there again (Unix seconds), {where_limited}"),
            ),
        ),
    ]
}

/// The parameters that requests can have.
fn parameters() -> [Parameter; 6] {
    let parameter = |name: &str, place, shape: ObjectBuilder, about: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(shape.build()))
            .build()
    };
    [
        parameter(
            "min_rev",
            ParameterIn::Query,
            text().pattern(Some(REV)),
            "The text of a `Switchback-Rev` header: what is answered is at least as new.",
        ),
        parameter(
            "wait",
            ParameterIn::Query,
            text().enum_values(Some(["all"])),
            "Answer when every process that routes calls does so by this write.",
        ),
        parameter(
            "Idempotency-Key",
            ParameterIn::Header,
            text().pattern(Some("^[!-~]{1,255}$")),
            "The same request with the same key is done once, and answered the same again.",
        ),
        parameter(
            IF_MATCH,
            ParameterIn::Header,
            text(),
            "The `ETag` of the version that the request is meant for; for another it is not done.",
        ),
        parameter(
            "If-None-Match",
            ParameterIn::Header,
            text(),
            "The `ETag` of the version that the asker has; it is not told again.",
        ),
        parameter(
            "X-Request-Id",
            ParameterIn::Header,
            text(),
            "What the request is called in the answer and in the log; what is not fit for them \
             is replaced.",
        ),
    ]
}
