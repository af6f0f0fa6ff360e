//! What a document says. Everything that is not understood is told at once, by its path.

use serde_json::{Map, Value, json};

use crate::{
    dialects::{
        PrivateHosts, Reader, Wrong, agent, attestation, callingbox, carrier_words, id, integer,
        member, own, phone,
        reader::{joined, sentence},
        talkover,
        target::target,
        text,
    },
    domain::{
        AgentRef, AgentSetup, BelowMinRef, FieldError, NumberRef, NumberSetup, OutcomeSet, Refusal,
        SettingsSetup, Setup, TargetRef,
    },
};

/// The keys of a document.
const DOCUMENT: &[&str] = &["agents", "numbers", "settings"];
/// The keys of an agent, before those of its profile.
pub(super) const AGENT: &[&str] = &[
    "id",
    "name",
    "direction",
    "state",
    "label",
    "numbers",
    "primary",
    "targets",
    "runtime_parameters",
    "first_audio_timeout_ms",
    "min_attestation",
    "context_min_attestation",
    "runtime_media",
    "sources",
    "window_days",
    "trigger_outcomes",
    "profile",
];
/// The keys of a number.
pub(super) const NUMBER: &[&str] =
    &["e164", "account", "friendly_name", "passthrough", "default_agent"];
const SETTINGS: &[&str] = &[
    "window_days",
    "touch_retention_days",
    "min_attestation",
    "below_min",
    "context_min_attestation",
    "fallback_agent",
    "fallback_agent_id",
    "last_resort",
    "block_list",
    "block_target",
];
/// The window of a role at most, in days; the store refuses what is longer than touches are kept.
const WINDOW_DAYS_MAX: u32 = 3650;

/// Reads a document's values.
pub(super) fn setup(value: Value, private: PrivateHosts) -> Result<Setup, Vec<FieldError>> {
    let mut reading = Reading { private, errors: Vec::new() };
    let Some(mut document) = reading.object("", value, DOCUMENT) else {
        return Err(reading.errors);
    };
    let agents = document.remove("agents").and_then(|list| reading.list("agents", list));
    let agents = agents.map(|agents| {
        let read = |(n, value)| reading.agent(&format!("agents[{n}]"), value);
        agents.into_iter().enumerate().filter_map(read).collect()
    });
    let numbers = document.remove("numbers").and_then(|list| reading.list("numbers", list));
    let numbers = numbers.map(|numbers| {
        let read = |(n, value)| reading.number(&format!("numbers[{n}]"), value);
        numbers.into_iter().enumerate().filter_map(read).collect()
    });
    let settings = document.remove("settings").filter(|settings| !settings.is_null());
    let settings = settings.and_then(|settings| reading.settings(settings)).unwrap_or_default();
    if reading.errors.is_empty() {
        Ok(Setup { agents, numbers, settings })
    } else {
        Err(reading.errors)
    }
}

struct Reading {
    private: PrivateHosts,
    errors: Vec<FieldError>,
}

impl Reading {
    fn blame(&mut self, path: &str, message: &str) {
        let field = if path.is_empty() { "document" } else { path }.to_owned();
        self.errors.push(FieldError { field, message: sentence(message) });
    }

    /// An object, without the keys that are none of its.
    fn object(&mut self, path: &str, value: Value, keys: &[&str]) -> Option<Map<String, Value>> {
        let Value::Object(mut object) = value else {
            self.blame(path, "must be an object");
            return None;
        };
        let unknown: Vec<String> =
            object.keys().filter(|key| !keys.contains(&key.as_str())).cloned().collect();
        for key in unknown {
            object.remove(&key);
            let near = near(&key, keys);
            let dot = if path.is_empty() { "" } else { "." };
            let message = format!("is not known here; did you mean `{near}`?");
            // Not as a sentence: it is one already.
            let field = format!("{path}{dot}{key}");
            self.errors.push(FieldError { field, message: message.replacen("is", "Is", 1) });
        }
        Some(object)
    }

    /// A list; null is an absent one.
    fn list(&mut self, path: &str, value: Value) -> Option<Vec<Value>> {
        match value {
            Value::Array(values) => Some(values),
            Value::Null => None,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.blame(path, "must be a list");
                None
            }
        }
    }

    /// Takes what a reader found wrong.
    fn finish(&mut self, path: &str, reader: Reader) {
        if let Err(Refusal::Invalid(errors)) = reader.finish() {
            self.take(path, errors);
        }
    }

    fn take(&mut self, path: &str, errors: Vec<FieldError>) {
        let within =
            |FieldError { field, message }| FieldError { field: joined(path, &field), message };
        self.errors.extend(errors.into_iter().map(within));
    }

    fn agent(&mut self, path: &str, value: Value) -> Option<AgentSetup> {
        let profile: Vec<&str> = profile_names().collect();
        let keys: Vec<&str> = AGENT.iter().copied().chain(profile.iter().copied()).collect();
        let object = self.object(path, value, &keys)?;
        let mut reader = Reader::of_fields(object);
        let private = self.private;
        let agent = AgentSetup {
            id: reader.optional("id", id),
            name: reader.present("name", text(255)),
            direction: reader.present("direction", member("inbound, outbound")),
            state: reader.present("state", member("draft, live, archived")),
            label: reader.given("label", text(255)),
            numbers: reader.given("numbers", list_of(number_ref)).map(Option::unwrap_or_default),
            primary: reader.optional("primary", number_ref),
            targets: reader
                .given("targets", list_of(target_ref(private)))
                .map(Option::unwrap_or_default),
            runtime_parameters: reader
                .given("runtime_parameters", agent::parameters)
                .map(Option::unwrap_or_default),
            first_audio_timeout_ms: reader.given("first_audio_timeout_ms", integer(100..=60_000)),
            min_attestation: reader.given("min_attestation", attestation),
            context_min_attestation: reader.given("context_min_attestation", attestation),
            runtime_media: reader.given("runtime_media", member(agent::RUNTIME_MEDIA)),
            sources: reader.given("sources", list_of(agent_ref)).map(Option::unwrap_or_default),
            window_days: reader.given("window_days", integer(0..=WINDOW_DAYS_MAX)),
            trigger_outcomes: reader
                .given("trigger_outcomes", carrier_words)
                .map(|outcomes| outcomes.unwrap_or(OutcomeSet::ALL)),
            profile: read_profile(&mut reader, &profile),
        };
        self.finish(path, reader);
        Some(agent)
    }

    fn number(&mut self, path: &str, value: Value) -> Option<NumberSetup> {
        // A number alone says that it is one of the tenant's.
        let value = if value.is_string() { json!({ "e164": value }) } else { value };
        let object = self.object(path, value, NUMBER)?;
        let mut reader = Reader::of_fields(object);
        let e164 = reader.required("e164", phone);
        let account = reader.given("account", text(255));
        let friendly_name = reader.given("friendly_name", text(255));
        let passthrough = reader.given("passthrough", target_ref(self.private));
        let default_agent = reader.optional("default_agent", agent_ref);
        self.finish(path, reader);
        let number = NumberRef { e164: e164?, account };
        Some(NumberSetup { number, friendly_name, passthrough, default_agent })
    }

    fn settings(&mut self, value: Value) -> Option<SettingsSetup> {
        let mut object = self.object("settings", value, SETTINGS)?;
        let fallback = object.remove("fallback_agent_id");
        let fallback = object.remove("fallback_agent").or(fallback);
        let below = object.remove("below_min").filter(|below| !below.is_null());
        let mut reader = Reader::of_fields(Map::new());
        reader.put("fallback_agent", fallback);
        reader.put("below_min", below);
        let fallback_agent = reader.given("fallback_agent", agent_ref);
        let below_min = reader.optional("below_min", |value| match value.as_str() {
            Some("as_withheld") => Ok(BelowMinRef::AsWithheld),
            Some("reject") => Ok(BelowMinRef::Reject),
            // An agent may be named as one of the words is.
            text => match text.and_then(|text| text.strip_prefix("agent:")) {
                Some(agent) => agent_ref(&agent.trim().into()),
                None => agent_ref(value),
            }
            .map(BelowMinRef::Agent)
            .map_err(|_| "must be as_withheld, reject or an agent".into()),
        });
        self.finish("settings", reader);
        let fields = match own::settings(Value::Object(object), self.private) {
            Ok(fields) => fields,
            Err(Refusal::Invalid(errors)) => {
                self.take("settings", errors);
                return None;
            }
            Err(_) => return None,
        };
        Some(SettingsSetup {
            window_days: fields.window_days,
            touch_retention_days: fields.touch_retention_days,
            min_attestation: fields.min_attestation,
            below_min,
            context_min_attestation: fields.context_min_attestation,
            fallback_agent,
            last_resort: fields.last_resort,
            block_list: fields.block_list,
            block_target: fields.block_target,
        })
    }
}

/// The key that comes nearest to one that is not known.
pub(super) fn near<'k>(key: &str, keys: &[&'k str]) -> &'k str {
    let like = |known: &str| strsim::jaro_winkler(known, key);
    let nearest = keys.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
    nearest.copied().unwrap_or_default()
}

/// The fields of an agent's profile that need no `profile:` around them.
pub(super) fn profile_names() -> impl Iterator<Item = &'static str> {
    let tables = callingbox::agent::FIELDS.iter().chain(talkover::agent::FIELDS);
    tables.map(|field| field.name).filter(|name| !AGENT.contains(name))
}

/// What is wrong with a profile's field; it must please one of the dialects that know it.
pub(super) fn check_profile(name: &str, value: &Value) -> Result<(), Wrong> {
    let tables = callingbox::agent::FIELDS.iter().chain(talkover::agent::FIELDS);
    let mut found = Ok(());
    for field in tables.filter(|field| field.name == name) {
        match field.rule.check(value) {
            Ok(()) => return Ok(()),
            Err(wrong) => found = found.and(Err(wrong)),
        }
    }
    found
}

fn read_profile(reader: &mut Reader, names: &[&str]) -> Vec<(String, Option<String>)> {
    let whole = reader.optional("profile", |value| match value.as_object() {
        Some(object) => Ok(object.clone()),
        None => Err("must be an object".into()),
    });
    let mut profile = whole.unwrap_or_default();
    for name in names {
        let checked = |value: &Value| check_profile(name, value).map(|()| value.clone());
        if let Some(value) = reader.given(name, checked) {
            profile.insert((*name).to_owned(), value.unwrap_or_default());
        }
    }
    let text = |value: Value| (!value.is_null()).then(|| value.to_string());
    profile.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// A list of something.
fn list_of<T>(
    read: impl Fn(&Value) -> Result<T, Wrong>,
) -> impl Fn(&Value) -> Result<Vec<T>, Wrong> {
    move |value| {
        let values = value.as_array().ok_or("must be a list")?;
        let one = |(n, value)| read(value).map_err(|wrong| wrong.within(n));
        values.iter().enumerate().map(one).collect()
    }
}

fn agent_ref(value: &Value) -> Result<AgentRef, Wrong> {
    let name = text(255)(value)?;
    Ok(match name.parse() {
        Ok(id) => AgentRef::Id(id, name),
        Err(_) => AgentRef::Name(name),
    })
}

fn number_ref(value: &Value) -> Result<NumberRef, Wrong> {
    let Some(object) = value.as_object() else {
        return Ok(NumberRef { e164: phone(value)?, account: None });
    };
    let e164 = object.get("e164").ok_or("must have e164")?;
    let e164 = phone(e164).map_err(|wrong| wrong.within("e164"))?;
    let account = match object.get("account") {
        None => None,
        Some(name) if name.is_null() => Some(None),
        Some(name) => Some(Some(text(255)(name).map_err(|wrong| wrong.within("account"))?)),
    };
    Ok(NumberRef { e164, account })
}

fn target_ref(private: PrivateHosts) -> impl Fn(&Value) -> Result<TargetRef, Wrong> {
    move |value| match value.as_str().and_then(|text| text.strip_prefix("agent:")) {
        Some(agent) => agent_ref(&agent.trim().into()).map(TargetRef::Agent),
        None => target(private)(value).map(TargetRef::Plain),
    }
}
