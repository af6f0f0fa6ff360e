//! What every operation of a surface has in common: the answers that can come instead of its own,
//! their words, the parameters of its path. What travels in headers is [`super::headers`]'.

use http::{Method, StatusCode};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, KnownFormat, ObjectBuilder, Ref, RefOr, Required, Response, Schema,
        SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::AnyOfBuilder,
    },
};

use super::{
    headers::{self, Kind},
    is_write, named, reference, shapes,
};
use crate::{
    control::guard::Dialect,
    dialects::{callingbox, own, schema, talkover},
};

const JSON: &str = "application/json";

/// What can be answered to any request at all.
const ALWAYS: &[StatusCode] = &[
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
/// What can be answered to a request that needs a key.
const TO_A_KEY: &[StatusCode] = &[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];

/// Parameters of paths, as every surface means them. Those that are not listed are ids as well.
const NAMED: &[(&str, &str)] = &[
    ("account", "The carrier account's id."),
    ("agent", "The agent's id."),
    ("call", "The call's id."),
    ("campaign", "The campaign's id."),
    ("contact", "The person's number (E.164)."),
    ("delivery", "The delivery's id, which is the event's."),
    ("key", "The key's id; not the key itself."),
    ("log", "The id of a line of the webhook's log."),
    ("release", "The release request's id."),
    ("trunk", "The trunk's id."),
    ("number", "The number's id."),
    ("revision", "The revision's id."),
    ("tenant", "The tenant's id."),
    ("webhook", "The webhook's id."),
];

/// Adds what is common.
pub(super) fn complete(dialect: Dialect, method: &Method, path: &str, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.extend(of_path(path, parameters));
    let kind = Kind::of(method, path, operation);
    headers::ask(&kind, operation);
    let has_key = kind.has_key;
    let has_body = operation.request_body.is_some();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        shapes::whole_or_none(body);
    }
    let own = &mut operation.responses.responses;
    for status in common(dialect, path, is_write(method), has_key, has_body) {
        let shared = format!("{}.{}", dialect.as_str(), status.as_u16());
        let shared = RefOr::Ref(reference("responses", &shared));
        own.entry(status.as_u16().to_string()).or_insert(shared);
    }
    for (status, response) in own {
        if let (Ok(status), RefOr::T(response)) = (status.parse(), response) {
            dress(dialect, &kind, status, response);
        }
    }
}

/// The parameters of a path that its handler says nothing of.
fn of_path(path: &str, told: &[RefOr<Parameter>]) -> Vec<RefOr<Parameter>> {
    let is_told = |name: &&str| {
        told.iter().any(|one| matches!(one, RefOr::T(parameter) if parameter.name == *name))
    };
    let parameter = |name: &str| {
        let about = NAMED.iter().find(|(known, _)| *known == name).map(|(_, about)| *about);
        let shape = if name == "contact" { schema::Phone::schema() } else { id() };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(about)
            .schema(Some(shape));
        RefOr::T(parameter.build())
    };
    named(path).filter(|name| !is_told(name)).map(parameter).collect()
}

fn id() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
}

/// The statuses that can be answered besides those that the handler names.
fn common(
    dialect: Dialect,
    path: &str,
    is_write: bool,
    has_key: bool,
    has_body: bool,
) -> Vec<StatusCode> {
    let mut statuses = ALWAYS.to_vec();
    if is_write {
        // At least the idempotency key can be another request's.
        statuses.push(StatusCode::CONFLICT);
    }
    if has_key {
        statuses.extend(TO_A_KEY);
        // At least `min_rev` can be wrong.
        statuses.push(wrong_field(dialect));
    }
    if named(path).next().is_some() {
        statuses.push(StatusCode::NOT_FOUND);
    }
    if has_body {
        statuses.extend([wrong_body(dialect), StatusCode::PAYLOAD_TOO_LARGE]);
    }
    statuses
}

/// What the dialect answers where a field is wrong.
const fn wrong_field(dialect: Dialect) -> StatusCode {
    match dialect {
        Dialect::CallingBox => StatusCode::BAD_REQUEST,
        Dialect::Talkover | Dialect::Own => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// What the dialect answers where the body is no JSON.
const fn wrong_body(dialect: Dialect) -> StatusCode {
    match dialect {
        Dialect::CallingBox | Dialect::Own => StatusCode::BAD_REQUEST,
        Dialect::Talkover => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Completes a response: words for it, the dialect's body of an error, the headers.
fn dress(dialect: Dialect, kind: &Kind, status: StatusCode, response: &mut Response) {
    if response.description.is_empty() {
        response.description = about(status).to_owned();
    }
    if status.as_u16() >= 400 {
        let given = response.content.shift_remove(JSON);
        response.content.insert(JSON.to_owned(), or_error(dialect, given).into());
    }
    headers::answer(kind, status, response);
}

/// The dialect's error, or what the handler says is answered with the same status.
fn or_error(dialect: Dialect, given: Option<RefOr<Content>>) -> Content {
    let error = Ref::from_schema_name(error_name(dialect));
    let given = match given {
        Some(RefOr::T(content)) => content.schema,
        Some(RefOr::Ref(_)) | None => None,
    };
    match given {
        Some(given) if given != RefOr::Ref(error.clone()) => {
            let either = AnyOfBuilder::new().item(given).item(error);
            Content::new(Some(Schema::from(either)))
        }
        Some(_) | None => Content::new(Some(error)),
    }
}

/// What a status means here.
fn about(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request cannot be read, or a field is wrong.",
        StatusCode::UNAUTHORIZED => "There is no key, or it opens nothing.",
        StatusCode::FORBIDDEN => "The key opens other things.",
        StatusCode::NOT_FOUND => "There is no such thing, or it is another tenant's.",
        StatusCode::CONFLICT => "It cannot be done as things are.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large.",
        StatusCode::UNPROCESSABLE_ENTITY => "A field is missing or wrong.",
        StatusCode::TOO_MANY_REQUESTS => "Too many at once; later it may be taken.",
        StatusCode::INTERNAL_SERVER_ERROR => "Our own fault.",
        StatusCode::SERVICE_UNAVAILABLE => {
            "Busy, or not as far as the request asks for; soon it may be taken."
        }
        StatusCode::GATEWAY_TIMEOUT => "It took too long.",
        other => other.canonical_reason().unwrap_or("Done."),
    }
}

/// The name of the dialect's error.
fn error_name(dialect: Dialect) -> String {
    let name = match dialect {
        Dialect::Talkover => talkover::ErrorBody::name(),
        Dialect::CallingBox => callingbox::ErrorBody::name(),
        Dialect::Own => own::ErrorBody::name(),
    };
    name.into_owned()
}

/// Adds the shared schemas, responses, headers and parameters.
pub(super) fn components(components: &mut Components) {
    components.schemas.extend(schema::all());
    put::<talkover::ErrorBody>(components);
    put::<callingbox::ErrorBody>(components);
    put::<own::ErrorBody>(components);
    for dialect in [Dialect::Talkover, Dialect::CallingBox, Dialect::Own] {
        for status in common(dialect, "/{of}", true, true, true) {
            let mut response = Response::default();
            dress(dialect, &Kind::ANY, status, &mut response);
            let name = format!("{}.{}", dialect.as_str(), status.as_u16());
            components.responses.insert(name, response.into());
        }
    }
    headers::components(components);
}

/// Adds a schema and those it is made of.
fn put<T: ToSchema>(components: &mut Components) {
    let mut parts = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut parts);
    components.schemas.extend(parts);
}
