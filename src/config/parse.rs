//! From text and environment to [`Raw`]: unknown keys are refused, naming the nearest known one.

use std::{fs, path::Path};

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    ConfigError, Env,
    raw::{Raw, RawAccount, RawSharedKey, RawUpstream},
};

/// Variables begin so; section and key follow in capitals, joined by two underscores.
const ENV_PREFIX: &str = "SWITCHBACK_";

pub(super) fn file(path: &Path, env: Env<'_>) -> Result<Raw, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let written = fs::read_to_string(path).map_err(unreadable)?;
    text(&written, &path.display().to_string(), env)
}

pub(super) fn text(written: &str, origin: &str, env: Env<'_>) -> Result<Raw, ConfigError> {
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string(),
    };
    let mut table: Table = written.parse().map_err(syntax)?;
    let known = known_keys();
    refuse_unknown(&table, &known, "", origin)?;
    put_over(&mut table, from_env(&known, ENV_PREFIX, env)?);
    Raw::deserialize_from(table).map_err(syntax)
}

impl Raw {
    fn deserialize_from(table: Table) -> Result<Self, toml::de::Error> {
        Value::Table(table).try_into()
    }
}

/// Every key there is, as the defaults written out. An array's one element shows its shape.
fn known_keys() -> Json {
    let shared = RawSharedKey::default();
    let account = RawAccount { shared_keys: vec![shared], ..RawAccount::default() };
    let upstream = vec![RawUpstream::default()];
    let raw = Raw { carrier_accounts: vec![account], upstream, ..Raw::default() };
    serde_json::to_value(raw).unwrap_or_default()
}

fn refuse_unknown(
    table: &Table,
    known: &Json,
    path: &str,
    origin: &str,
) -> Result<(), ConfigError> {
    let Some(known) = known.as_object() else { return Ok(()) };
    for (key, value) in table {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let Some(shape) = known.get(key) else {
            let near = known
                .keys()
                .map(|candidate| (strsim::jaro_winkler(candidate, key), candidate))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = near.map(|(_, candidate)| format!("; did you mean `{candidate}`?"));
            let hint = hint.unwrap_or_default();
            return Err(ConfigError::UnknownKey { origin: origin.to_owned(), key: full, hint });
        };
        match value {
            Value::Table(inner) => refuse_unknown(inner, shape, &full, origin)?,
            Value::Array(items) => {
                let shape = shape.get(0).unwrap_or(&Json::Null);
                for inner in items.iter().filter_map(Value::as_table) {
                    refuse_unknown(inner, shape, &full, origin)?;
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {}
        }
    }
    Ok(())
}

/// Every scalar whose variable is in the environment.
fn from_env(known: &Json, prefix: &str, env: Env<'_>) -> Result<Table, ConfigError> {
    let mut table = Table::new();
    for (key, default) in known.as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}").to_uppercase();
        if default.is_object() {
            let inner = from_env(default, &format!("{name}__"), env)?;
            if !inner.is_empty() {
                table.insert(key.clone(), Value::Table(inner));
            }
            continue;
        }
        let Some(text) = env(&name) else { continue };
        let wrong = |kind: &str| ConfigError::Syntax {
            origin: name.clone(),
            message: format!("{text:?} is not {kind}"),
        };
        let value = match default {
            Json::Bool(_) => Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?),
            Json::Number(_) => Value::Integer(text.parse().map_err(|_| wrong("a whole number"))?),
            Json::String(_) => Value::String(text),
            Json::Null | Json::Array(_) | Json::Object(_) => continue,
        };
        table.insert(key.clone(), value);
    }
    Ok(table)
}

/// Puts values over those that are there.
fn put_over(table: &mut Table, values: Table) {
    for (key, value) in values {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(values)) => put_over(inner, values),
            // No table stands where one must: that is said when it is read.
            (Some(_), Value::Table(_)) => {}
            (_, value) => drop(table.insert(key, value)),
        }
    }
}
