//! Smooths what is derived: an object made of several is shown as one, and a text whose name says
//! that it is a point in time has that format.

use utoipa::openapi::{
    AllOf, KnownFormat, Object, RefOr, Schema, SchemaFormat, Type,
    schema::{AdditionalProperties, ArrayItems, SchemaType},
};

/// Smooths a schema and all within it.
pub(super) fn smooth(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    if let Schema::AllOf(parts) = schema
        && let Some(whole) = joined(parts)
    {
        *schema = Schema::Object(whole);
    }
    match schema {
        Schema::Object(object) => {
            for (name, property) in &mut object.properties {
                smooth(property);
                if name == "at" || name.ends_with("_at") {
                    moment(property);
                }
            }
            if let Some(AdditionalProperties::RefOr(other)) =
                object.additional_properties.as_deref_mut()
            {
                smooth(other);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                smooth(items);
            }
        }
        Schema::OneOf(parts) => parts.items.iter_mut().for_each(smooth),
        Schema::AllOf(parts) => parts.items.iter_mut().for_each(smooth),
        Schema::AnyOf(parts) => parts.items.iter_mut().for_each(smooth),
        _ => {}
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
