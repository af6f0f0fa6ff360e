//! What clients write of an agent that routing has no use for: one bag of fields, shared by the
//! dialects, checked by each one's own table, never interpreted.

use serde_json::{Map, Value};
use utoipa::openapi::{Array, Object, ObjectBuilder, Schema, Type, schema::SchemaType};

use super::{
    reader::{Reader, Wrong, whole},
    returns,
};

/// Bytes of a profile's text: sixteen tools and a long persona fit many times over.
const PROFILE_LEN_MAX: usize = 256 * 1024;

/// Fields with a meaning of their own somewhere; they are never put into the bag.
const RESERVED: &[&str] = &[
    "actions",
    "archived_at",
    "callback_config",
    "callback_trigger_statuses",
    "context_min_attestation",
    "created_at",
    "current_status",
    "direction",
    "first_audio_timeout_ms",
    "id",
    "is_ready_to_publish",
    "is_sandbox",
    "label",
    "managed_by",
    "min_attestation",
    "name",
    "number_ids",
    "numbers",
    "org_id",
    "phone_number_ids",
    "phone_numbers",
    "primary_number_id",
    "prompt",
    "runtime_media",
    "runtime_parameters",
    "runtime_url",
    "targets",
    "trainings",
    "trigger_outcomes",
    "type",
    "updated_at",
    "user_id",
    "warnings",
    "window_days",
];

/// A field of one dialect's table.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    pub(super) is_required: bool,
}

/// What a field must be.
pub(super) enum Rule {
    /// A text of at most so many characters.
    Text(usize),
    /// One of these.
    Word(&'static [&'static str]),
    /// A number in this range, both ends included.
    Number(f64, f64),
    /// An integer in this range, both ends included.
    Integer(i64, i64),
    /// True or false.
    Bool,
    /// An object.
    Object,
    /// A list of at most so many objects.
    Objects(usize),
    /// What an agent returns of its calls.
    Returns,
}

impl Rule {
    pub(super) fn check(&self, value: &Value) -> Result<(), Wrong> {
        let holds = match self {
            Self::Returns => return returns::check(value),
            Self::Text(max) => value.as_str().is_some_and(|text| text.chars().count() <= *max),
            Self::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Number(low, high) => value.as_f64().is_some_and(|n| (*low..=*high).contains(&n)),
            Self::Integer(low, high) => whole(value).is_some_and(|n| (*low..=*high).contains(&n)),
            Self::Bool => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Objects(max) => value
                .as_array()
                .is_some_and(|list| list.len() <= *max && list.iter().all(Value::is_object)),
        };
        if holds { Ok(()) } else { Err(self.demand().into()) }
    }

    /// The rule as the APIs' document has it.
    fn schema(&self, is_nullable: bool) -> Schema {
        let of = |kind: Type| {
            let null = is_nullable.then_some(Type::Null);
            let kinds = std::iter::once(kind).chain(null);
            ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds))
        };
        match self {
            Self::Text(max) => of(Type::String).max_length(Some(*max)).into(),
            Self::Word(words) => {
                let words = words.iter().map(|word| Value::from(*word));
                let null = is_nullable.then_some(Value::Null);
                of(Type::String).enum_values(Some(words.chain(null))).into()
            }
            Self::Number(low, high) => {
                of(Type::Number).minimum(Some(*low)).maximum(Some(*high)).into()
            }
            Self::Integer(low, high) => {
                of(Type::Integer).minimum(Some(*low)).maximum(Some(*high)).into()
            }
            Self::Bool => of(Type::Boolean).into(),
            Self::Object | Self::Returns => of(Type::Object).into(),
            Self::Objects(max) => {
                let mut list = Array::new(Object::with_type(Type::Object));
                list.max_items = Some(*max);
                if is_nullable {
                    list.schema_type = SchemaType::from_iter([Type::Array, Type::Null]);
                }
                list.into()
            }
        }
    }

    fn demand(&self) -> String {
        match self {
            Self::Text(max) => format!("must be a string of at most {max} characters"),
            Self::Word(words) => format!("must be one of {}", words.join(", ")),
            Self::Number(low, high) => format!("must be a number from {low} to {high}"),
            Self::Integer(low, high) => format!("must be an integer from {low} to {high}"),
            Self::Bool => "must be true or false".to_owned(),
            Self::Object => "must be an object".to_owned(),
            Self::Objects(max) => format!("must be an array of at most {max} objects"),
            Self::Returns => "must be an object of field names and kinds".to_owned(),
        }
    }
}

/// How an object of the APIs' document has a table's fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Of something to make: what is required must be there.
    New,
    /// Of a change: what is there may be null.
    Change,
    /// Of an answer: always there, sometimes null.
    Shown,
}

/// An object with a table's fields.
pub(super) fn object(table: &[Field], fields: As) -> Object {
    let mut object = Object::with_type(Type::Object);
    for Field { name, rule, is_required } in table {
        let must = fields == As::New && *is_required;
        object.properties.insert((*name).to_owned(), rule.schema(!must).into());
        if must || fields == As::Shown {
            object.required.push((*name).to_owned());
        }
    }
    object
}

/// Reads the table's fields, then takes whatever else is there and means nothing to us. Nulls stay:
/// they clear. Call it last.
pub(super) fn read(reader: &mut Reader, table: &[Field], is_new: bool) -> Map<String, Value> {
    let mut bag = Map::new();
    for field in table {
        let checked = |value: &Value| field.rule.check(value).map(|()| value.clone());
        let given = if is_new && field.is_required {
            reader.required(field.name, checked).map(Some)
        } else {
            reader.given(field.name, checked)
        };
        if let Some(value) = given {
            bag.insert(field.name.to_owned(), value.unwrap_or_default());
        }
    }
    for (name, value) in reader.rest() {
        if !RESERVED.contains(&name.as_str()) {
            bag.insert(name, value);
        }
    }
    let len: usize = bag.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    if len > PROFILE_LEN_MAX {
        reader.blame("body", format!("must have at most {PROFILE_LEN_MAX} bytes of fields"));
    }
    bag
}

/// The bag of what a hosted API shows of an agent: whatever has no meaning of its own here. One
/// that is too large to keep is left out whole.
pub(super) fn hosted(fields: &Map<String, Value>) -> String {
    let is_kept = |name: &str, value: &Value| !value.is_null() && !RESERVED.contains(&name);
    let kept = fields.iter().filter(|(name, value)| is_kept(name, value));
    let bag: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let text = Value::Object(bag).to_string();
    if text.len() > PROFILE_LEN_MAX { "{}".to_owned() } else { text }
}

/// The stored bag with changes applied, as text; a null removes.
pub(super) fn merged(stored: &str, changes: Map<String, Value>) -> String {
    let mut bag = parsed(stored);
    for (name, value) in changes {
        if value.is_null() {
            bag.remove(&name);
        } else {
            bag.insert(name, value);
        }
    }
    Value::Object(bag).to_string()
}

/// The bag as a dialect shows it: its own fields always there, null where the bag has none or
/// another dialect's idea of it.
pub(super) fn shown(stored: &str, table: &[Field]) -> Map<String, Value> {
    let mut bag = parsed(stored);
    for field in table {
        let value = bag.entry(field.name).or_insert(Value::Null);
        if field.rule.check(value).is_err() {
            *value = Value::Null;
        }
    }
    bag
}

/// What the store holds was written by `merged`; an unreadable bag is an empty one.
pub(super) fn parsed(stored: &str) -> Map<String, Value> {
    serde_json::from_str(stored).unwrap_or_default()
}
