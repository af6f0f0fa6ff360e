//! Things in the document's words: the whole of a tenant, and what a write did to each of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type, schema::SchemaType},
};
use uuid::Uuid;

use super::read::{check_profile, profile_names};
use crate::domain::{
    AgentId, AgentRecord, AgentState, BelowMin, Direction, E164, Names, NumberId, NumberRecord,
    OutcomeSet, Revised, Target, TenantSettings, Thing,
};

/// Fields in the order in which people read them.
type Words = Vec<(String, Value)>;

/// An object that keeps the order of its fields.
#[derive(Debug)]
struct Ordered(Words);

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// A tenant's whole configuration as a document.
#[derive(Debug, Serialize)]
pub struct ExportBody {
    agents: Vec<Ordered>,
    numbers: Vec<Ordered>,
    settings: Ordered,
}

impl ExportBody {
    /// The document of everything there is: applied to its tenant it changes nothing, applied to
    /// another it makes the same decisions.
    #[must_use]
    pub fn new(
        agents: &[AgentRecord],
        numbers: &[NumberRecord],
        settings: &TenantSettings,
        names: &Names,
    ) -> Self {
        let called = Called::new(agents, numbers, names);
        // Of roles that were taken in one write the first made wins: the longest held goes first.
        let mut ordered: Vec<_> = agents.iter().collect();
        let since = |record: &AgentRecord| record.agent.callback.as_ref().map(|role| role.since);
        ordered.sort_by_key(|record| {
            (since(record).is_some(), since(record), record.created_at, record.agent.id)
        });
        Self {
            agents: ordered.into_iter().map(|record| exported_agent(record, &called)).collect(),
            numbers: numbers.iter().map(|record| exported_number(record, &called)).collect(),
            settings: Ordered(settings_words(settings, &called)),
        }
    }

    /// The document as YAML.
    #[must_use]
    pub fn yaml(&self) -> Option<String> {
        serde_saphyr::to_string(self).ok()
    }
}

/// How things are called.
struct Called<'n> {
    names: &'n Names,
    /// Agents that are known by their names alone.
    unique: BTreeSet<AgentId>,
    /// Numbers that several accounts have.
    shared: BTreeSet<E164>,
    accounts: BTreeMap<NumberId, Option<String>>,
}

impl<'n> Called<'n> {
    fn new(agents: &[AgentRecord], numbers: &[NumberRecord], names: &'n Names) -> Self {
        let mut by_name: BTreeMap<&str, Vec<AgentId>> = BTreeMap::new();
        for record in agents {
            by_name.entry(&record.agent.name).or_default().push(record.agent.id);
        }
        let alone = by_name.into_values().filter(|ids| ids.len() == 1).flatten();
        let mut seen = BTreeSet::new();
        let again = numbers.iter().map(|record| record.e164).filter(|e164| !seen.insert(*e164));
        let shared = again.collect();
        let account = |record: &NumberRecord| {
            record.account.and_then(|account| names.accounts.get(&account)).cloned()
        };
        Self {
            names,
            unique: alone.filter(|id| !names.repeated.contains(id)).collect(),
            shared,
            accounts: numbers.iter().map(|record| (record.id, account(record))).collect(),
        }
    }

    /// For people: everything by its name.
    fn for_people(names: &'n Names) -> Self {
        Self {
            names,
            unique: names.agents.keys().copied().collect(),
            shared: BTreeSet::new(),
            accounts: BTreeMap::new(),
        }
    }

    fn agent(&self, id: AgentId) -> String {
        let name = self.names.agents.get(&id).filter(|_| self.unique.contains(&id));
        name.cloned().unwrap_or_else(|| id.to_string())
    }

    fn number(&self, id: NumberId) -> Value {
        let Some(e164) = self.names.numbers.get(&id) else { return id.to_string().into() };
        if self.shared.contains(e164) {
            let account = self.accounts.get(&id).cloned().flatten();
            return json!({ "e164": e164.to_string(), "account": account });
        }
        e164.to_string().into()
    }

    fn target(&self, target: &Target) -> String {
        if let Target::Agent(id) = target {
            return format!("agent:{}", self.agent(*id));
        }
        target.to_string()
    }
}

fn exported_agent(record: &AgentRecord, called: &Called<'_>) -> Ordered {
    let mut words = agent_words(record, called);
    if !called.unique.contains(&record.agent.id) {
        words.insert(0, ("id".to_owned(), record.agent.id.to_string().into()));
    }
    words.retain(|(name, value)| match name.as_str() {
        "state" => record.agent.state != AgentState::Live,
        "primary" => record.primary_number != record.numbers.first().copied(),
        "numbers" | "targets" => value.as_array().is_some_and(|list| !list.is_empty()),
        _ => true,
    });
    Ordered(words)
}

fn exported_number(record: &NumberRecord, called: &Called<'_>) -> Ordered {
    let mut words = number_words(record, called);
    let owners = record.bindings.iter().filter(|b| b.direction == Direction::Inbound);
    // Nor can a default that nobody named.
    let is_named_default =
        record.default_agent.is_some_and(|agent| called.names.agents.contains_key(&agent));
    let is_contested = owners.count() > 1 && is_named_default;
    let is_named =
        record.account.is_none() || called.accounts.get(&record.id).is_some_and(Option::is_some);
    words.retain(|(name, _)| match name.as_str() {
        "agents" => false,
        "default_agent" => is_contested,
        // An account that is gone cannot be named; the number waits for it.
        "account" => is_named,
        _ => true,
    });
    Ordered(words)
}

fn agent_words(record: &AgentRecord, called: &Called<'_>) -> Words {
    let agent = &record.agent;
    let mut words = Words::new();
    let mut say = |name: &str, value: Value| words.push((name.to_owned(), value));
    say("name", agent.name.clone().into());
    say("direction", agent.direction.as_str().into());
    say("state", agent.state.as_str().into());
    if let Some(label) = &record.label {
        say("label", label.clone().into());
    }
    say("numbers", record.numbers.iter().map(|id| called.number(*id)).collect());
    if let Some(primary) = record.primary_number {
        say("primary", called.number(primary));
    }
    say("targets", agent.targets.iter().map(|target| called.target(target)).collect());
    if !agent.runtime_parameters.is_empty() {
        let parameters = agent.runtime_parameters.iter();
        let parameters = parameters.map(|(name, value)| (name.clone(), value.clone().into()));
        say("runtime_parameters", Value::Object(parameters.collect()));
    }
    if let Some(timeout) = agent.first_audio_timeout_ms {
        say("first_audio_timeout_ms", timeout.into());
    }
    if let Some(least) = agent.min_attestation {
        say("min_attestation", least.as_str().into());
    }
    if let Some(least) = agent.context_min_attestation {
        say("context_min_attestation", least.as_str().into());
    }
    if let Some(media) = agent.runtime_media {
        say("runtime_media", media.as_str().into());
    }
    if let Some(role) = &agent.callback {
        say("sources", role.sources.iter().map(|id| called.agent(*id)).collect());
        if let Some(days) = role.window_days {
            say("window_days", days.into());
        }
        if role.trigger_outcomes != OutcomeSet::ALL {
            let outcomes = role.trigger_outcomes.iter();
            say("trigger_outcomes", outcomes.map(|outcome| outcome.as_str()).collect());
        }
    }
    say_profile(&record.profile, &mut say);
    words
}

/// The known fields by their own names, everything else under `profile`.
fn say_profile(profile: &str, say: &mut impl FnMut(&str, Value)) {
    let mut bag: Map<String, Value> = serde_json::from_str(profile).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for name in profile_names().filter(|name| seen.insert(*name)) {
        let is_known = bag.get(name).is_some_and(|value| check_profile(name, value).is_ok());
        if let (true, Some(value)) = (is_known, bag.remove(name)) {
            say(name, value);
        }
    }
    // Rows that were written by hand may hold nulls, which a document would take away.
    bag.retain(|_, value| !value.is_null());
    if !bag.is_empty() {
        say("profile", Value::Object(bag));
    }
}

fn number_words(record: &NumberRecord, called: &Called<'_>) -> Words {
    let mut words = Words::new();
    let mut say = |name: &str, value: Value| words.push((name.to_owned(), value));
    say("e164", record.e164.to_string().into());
    let account = record
        .account
        .map(|id| called.names.accounts.get(&id).cloned().unwrap_or_else(|| id.to_string()));
    say("account", account.into());
    if let Some(name) = &record.friendly_name {
        say("friendly_name", name.clone().into());
    }
    if let Some(target) = &record.passthrough {
        say("passthrough", called.target(target).into());
    }
    if let Some(agent) = record.default_agent {
        say("default_agent", called.agent(agent).into());
    }
    let attached = record.bindings.iter();
    say("agents", attached.map(|binding| called.agent(binding.agent)).collect());
    words
}

fn settings_words(settings: &TenantSettings, called: &Called<'_>) -> Words {
    let mut words = Words::new();
    let mut say = |name: &str, value: Value| words.push((name.to_owned(), value));
    say("window_days", settings.window_days.into());
    say("touch_retention_days", settings.touch_retention_days.into());
    say("min_attestation", settings.min_attestation.as_str().into());
    let below_min = match settings.below_min {
        BelowMin::AsWithheld => "as_withheld".to_owned(),
        BelowMin::Reject => "reject".to_owned(),
        BelowMin::Agent(agent) => below_min(&called.agent(agent)),
    };
    say("below_min", below_min.into());
    say("context_min_attestation", settings.context_min_attestation.as_str().into());
    if let Some(agent) = settings.fallback_agent {
        say("fallback_agent", called.agent(agent).into());
    }
    say("last_resort", settings.last_resort.to_string().into());
    if !settings.block_list.is_empty() {
        say("block_list", settings.block_list.iter().map(E164::to_string).collect());
    }
    if let Some(target) = &settings.block_target {
        say("block_target", target.to_string().into());
    }
    words
}

/// An agent, told from the words that may stand in its place.
fn below_min(agent: &str) -> String {
    let is_word = matches!(agent, "as_withheld" | "reject") || agent.starts_with("agent:");
    let prefix = if is_word { "agent:" } else { "" };
    format!("{prefix}{agent}")
}

/// What a write did to one thing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Revised)]
pub struct RevisedBody {
    /// `create`, `update` or `delete`.
    action: &'static str,
    /// `agent`, `number` or `settings`.
    kind: &'static str,
    id: Uuid,
    /// What people call it: an agent's name, a number.
    name: String,
    /// Field by field; of a thing that is new or gone all that it has.
    fields: Vec<FieldBody>,
}

/// A field that is no longer what it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::RevisedField)]
struct FieldBody {
    field: String,
    /// Null where there was nothing.
    #[schema(schema_with = anything)]
    before: Value,
    /// Null where there is nothing any more.
    #[schema(schema_with = anything)]
    after: Value,
}

/// Any value at all, said as the kinds there are.
fn anything() -> Object {
    let kinds = [Type::Null, Type::Boolean, Type::Number, Type::String, Type::Array, Type::Object];
    ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).build()
}

impl RevisedBody {
    /// A change in the document's words.
    #[must_use]
    pub fn new(change: &Revised, names: &Names) -> Self {
        let called = Called::for_people(names);
        let words = |thing: Option<&Thing>| match thing {
            Some(Thing::Agent(record)) => agent_words(record, &called),
            Some(Thing::Number(record)) => number_words(record, &called),
            Some(Thing::Settings(settings)) => settings_words(settings, &called),
            None => Words::new(),
        };
        let (before, after) = (words(change.before.as_ref()), words(change.after.as_ref()));
        let name = match change.after.as_ref().or(change.before.as_ref()) {
            Some(Thing::Agent(record)) => record.agent.name.clone(),
            Some(Thing::Number(record)) => record.e164.to_string(),
            Some(Thing::Settings(_)) | None => "settings".to_owned(),
        };
        let action = match (&change.before, &change.after) {
            (None, _) => "create",
            (_, None) => "delete",
            (Some(_), Some(_)) => "update",
        };
        Self {
            action,
            kind: change.kind.as_str(),
            id: change.id,
            name,
            fields: fields(before, after),
        }
    }
}

fn fields(before: Words, after: Words) -> Vec<FieldBody> {
    let mut was: BTreeMap<String, Value> = before.iter().cloned().collect();
    let mut fields = Vec::new();
    for (field, after) in after {
        let before = was.remove(&field).unwrap_or_default();
        if before != after {
            fields.push(FieldBody { field, before, after });
        }
    }
    for (field, _) in before {
        if let Some(before) = was.remove(&field).filter(|before| !before.is_null()) {
            fields.push(FieldBody { field, before, after: Value::Null });
        }
    }
    fields
}
