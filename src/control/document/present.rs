//! What answers always have. A property of an answer that may be null is there as null; one that
//! may be left out is never null, as its type says. What is sent to us may leave out either.

use std::collections::BTreeSet;

use utoipa::openapi::{OpenApi, RefOr, Schema, Type, schema::SchemaType};

use super::{SCHEMAS, operations, shapes::parts};

/// Requires of answers what they always have.
pub(super) fn require(document: &mut OpenApi) {
    let asked = asked(document);
    let Some(components) = &mut document.components else { return };
    let schemas = components.schemas.iter_mut().filter(|(name, _)| !asked.contains(*name));
    schemas.for_each(|(_, schema)| present(schema));
}

/// The names of the schemas that requests are made of.
fn asked(document: &mut OpenApi) -> BTreeSet<String> {
    let mut found = Vec::new();
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(schema) = &mut content.schema
            {
                names(schema, &mut found);
            }
        }
    }
    let mut asked = BTreeSet::new();
    while let Some(name) = found.pop() {
        let schemas = document.components.as_mut().map(|components| &mut components.schemas);
        if let Some(schema) = schemas.and_then(|schemas| schemas.get_mut(&name))
            && asked.insert(name)
        {
            names(schema, &mut found);
        }
    }
    asked
}

/// The names of the schemas that a schema is made of.
fn names(schema: &mut RefOr<Schema>, into: &mut Vec<String>) {
    match schema {
        RefOr::Ref(reference) => {
            into.extend(reference.ref_location.strip_prefix(SCHEMAS).map(str::to_owned));
        }
        RefOr::T(schema) => parts(schema).into_iter().for_each(|part| names(part, into)),
    }
}

fn present(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    if let Schema::Object(object) = schema {
        for (name, property) in &object.properties {
            if may_be_null(property) && !object.required.contains(name) {
                object.required.push(name.clone());
            }
        }
    }
    parts(schema).into_iter().for_each(present);
}

pub(super) fn may_be_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(schema) = schema else { return false };
    match schema {
        Schema::Object(object) => has_null(&object.schema_type),
        Schema::Array(array) => has_null(&array.schema_type),
        Schema::OneOf(any) => any.items.iter().any(may_be_null),
        Schema::AnyOf(any) => any.items.iter().any(may_be_null),
        Schema::AllOf(_) | _ => false,
    }
}

fn has_null(kind: &SchemaType) -> bool {
    match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    }
}
