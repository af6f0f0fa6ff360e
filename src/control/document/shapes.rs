//! Smooths what is derived: an object made of several is shown as one, and a text whose name says
//! that it is a point in time has that format.

use utoipa::openapi::{
    AllOf, Content, KnownFormat, Object, RefOr, Schema, SchemaFormat, Type,
    request_body::RequestBody,
    schema::{AdditionalProperties, ArrayItems, SchemaType},
};

use super::present;

/// Smooths a schema and all within it.
pub(super) fn smooth(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    if let Schema::AllOf(parts) = schema
        && let Some(whole) = joined(parts)
    {
        *schema = Schema::Object(whole);
    }
    if let Schema::Object(object) = schema {
        for (name, property) in &mut object.properties {
            if name == "at" || name.ends_with("_at") {
                moment(property);
            }
        }
    }
    parts(schema).into_iter().for_each(smooth);
}

/// A body that may be missing is not one that may be null.
pub(super) fn whole_or_none(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let RefOr::T(Content { schema: Some(schema), .. }) = content
            && let RefOr::T(Schema::OneOf(either)) = schema
        {
            either.items.retain(|one| !present::may_be_null(one));
            if let [alone] = either.items.as_slice() {
                *schema = alone.clone();
            }
        }
    }
}

/// The schemas that a schema is made of.
pub(super) fn parts(schema: &mut Schema) -> Vec<&mut RefOr<Schema>> {
    match schema {
        Schema::Object(object) => {
            let other = match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::RefOr(other)) => Some(other),
                Some(AdditionalProperties::FreeForm(_)) | None => None,
            };
            object.properties.values_mut().chain(other).collect()
        }
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![items.as_mut()],
            ArrayItems::False => Vec::new(),
        },
        Schema::OneOf(any) => any.items.iter_mut().collect(),
        Schema::AllOf(all) => all.items.iter_mut().collect(),
        Schema::AnyOf(any) => any.items.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// The parts as one object, if all of them are objects that are written out.
fn joined(parts: &AllOf) -> Option<Object> {
    let mut whole = Object::with_type(Type::Object);
    // The struct's own fields come last, and are first in its answer.
    for part in parts.items.iter().rev() {
        let RefOr::T(Schema::Object(part)) = part else { return None };
        whole.properties.extend(part.properties.clone());
        whole.required.extend(part.required.iter().cloned());
    }
    whole.description.clone_from(&parts.description);
    Some(whole)
}

fn moment(property: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = property else { return };
    let is_text = match &object.schema_type {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => false,
    };
    if is_text && object.format.is_none() {
        object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
    }
}
