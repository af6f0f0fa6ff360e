//! Reads what a hosted control API answers. It is somebody else's service: a field that is missing
//! or strange is told by name, and nothing is made up in its place.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{parse_rfc3339, profile};
use crate::domain::{E164, TenantId, UnixMillis, hosted_id};

/// One object of an answer, and into whose tenant it is read.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    fields: &'a Map<String, Value>,
    tenant: TenantId,
}

impl<'a> Told<'a> {
    pub(super) fn of(value: &'a Value, tenant: TenantId) -> Result<Self, String> {
        let fields = value.as_object().ok_or("it is no object")?;
        Ok(Self { fields, tenant })
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.fields.get(name).and_then(Value::as_bool)
    }

    pub(super) fn count(self, name: &str) -> Option<u32> {
        self.fields.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
    }

    /// The members of a list; none where there is no list.
    pub(super) fn list(self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.fields.get(name).and_then(Value::as_array).into_iter().flatten()
    }

    pub(super) fn inner(self, name: &str) -> Option<Self> {
        let fields = self.fields.get(name)?.as_object()?;
        Some(Self { fields, tenant: self.tenant })
    }

    /// The id that a text or a number is here.
    pub(super) fn id(self, name: &str) -> Option<Uuid> {
        self.name_of(name).map(|text| hosted_id(self.tenant, &text))
    }

    /// The id as it is called there.
    pub(super) fn name_of(self, name: &str) -> Option<String> {
        let value = self.fields.get(name)?;
        let number = || value.as_u64().map(|number| number.to_string());
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned).or_else(number)
    }

    pub(super) fn ids(self, name: &str) -> Vec<Uuid> {
        let texts = self.list(name).filter_map(Value::as_str);
        texts.map(|text| hosted_id(self.tenant, text)).collect()
    }

    /// A number, with or without its plus.
    pub(super) fn phone(self, name: &str) -> Option<E164> {
        let text = self.text(name)?;
        E164::parse(text).or_else(|| E164::from_digits(text))
    }

    pub(super) fn moment(self, name: &str) -> Option<UnixMillis> {
        self.text(name).and_then(parse_rfc3339)
    }

    /// Everything that has no meaning of its own here.
    pub(super) fn profile(self) -> String {
        profile::hosted(self.fields)
    }
}

/// What is said of a row that lacks a field.
pub(super) fn lacks(what: &str, id: Option<Uuid>, field: &str) -> String {
    match id {
        Some(id) => format!("{what} {id} has no usable {field}"),
        None => format!("{what} has no usable {field}"),
    }
}
