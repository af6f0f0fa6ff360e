//! Talkover's agents. Its fields of speech are checked against the documented ranges and kept;
//! nothing here knows what they mean.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema, openapi::Object};
use uuid::Uuid;

use super::{number::NumberOfAgent, page};
use crate::{
    dialects::{
        AgentFields, AgentOwnRequest, AgentShown, PrivateHosts, Reader, ids, member,
        profile::{self, As, Field, Rule},
        rfc3339, schema, text,
    },
    domain::{self, AgentRecord, Direction, NumberRecord, Refusal},
};

const LANGUAGES: &[&str] = &[
    "pt-BR", "pt-PT", "en-US", "en-CA", "es-ES", "fr-FR", "de-DE", "it-IT", "nl-NL", "ja-JP",
    "ko-KR", "zh-TW",
];

const fn required(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, is_required: true }
}

const fn optional(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, is_required: false }
}

/// Create Agent's fields, as its page gives them, and what agents show besides.
pub(in crate::dialects) const FIELDS: &[Field] = &[
    required("language", Rule::Word(LANGUAGES)),
    required("interrupt_sensitivity", Rule::Word(&["low", "medium", "high"])),
    required("endpointing_sensitivity", Rule::Text(255)),
    required("ivr_navigation_mode", Rule::Text(255)),
    required("conversation_speed", Rule::Number(0.1, 3.0)),
    required("initial_message_delay", Rule::Number(0.0, 60.0)),
    required("ask_if_human_present_on_idle", Rule::Bool),
    required("idle_time_seconds", Rule::Integer(1, 60)),
    required("llm_temperature", Rule::Number(0.0, 2.0)),
    required("enable_recording", Rule::Bool),
    required("who_speaks_first", Rule::Word(&["agent", "user"])),
    optional("description", Rule::Text(65_535)),
    optional("initial_message", Rule::Text(65_535)),
    optional("max_idle_check_count", Rule::Integer(1, 10)),
    optional("max_call_duration_seconds", Rule::Integer(1, 3600)),
    optional("say_goodbye_on_max_duration", Rule::Bool),
    optional("user_inactivity_timeout_seconds", Rule::Integer(5, 120)),
    optional("initial_idle_time_seconds", Rule::Integer(1, 60)),
    optional("initial_max_idle_check_count", Rule::Integer(0, 10)),
    optional("voice", Rule::Object),
];

/// Create Agent's body.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::AgentRequest, example = json!({
    "label": "Return desk", "name": "Ada", "language": "en-US", "interrupt_sensitivity": "medium",
    "endpointing_sensitivity": "auto", "ivr_navigation_mode": "off", "conversation_speed": 1.0,
    "initial_message_delay": 0, "ask_if_human_present_on_idle": true, "idle_time_seconds": 10,
    "llm_temperature": 0.4, "enable_recording": false, "direction": "inbound",
    "who_speaks_first": "agent", "targets": ["builtin:echo"]
}))]
pub struct AgentRequest {
    /// What people call it.
    #[schema(pattern = r"\S", max_length = 255)]
    pub label: String,
    /// What it calls itself.
    #[schema(pattern = r"\S", max_length = 255)]
    pub name: String,
    /// Which way its calls go.
    pub direction: schema::Direction,
    /// The numbers it answers or calls from.
    pub phone_number_ids: Option<Vec<Uuid>>,
    /// What is ours.
    #[serde(flatten)]
    #[schema(inline)]
    pub own: AgentOwnRequest,
    /// The rest.
    #[serde(flatten)]
    #[schema(schema_with = fields_new)]
    pub fields: Map<String, Value>,
}

fn fields_new() -> Object {
    profile::object(FIELDS, As::New)
}

fn fields_shown() -> Object {
    profile::object(FIELDS, As::Shown)
}

/// Update Agent Calling Settings' body.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::CallingRequest)]
pub struct CallingRequest {
    /// Which way its calls go from now on.
    pub direction: schema::Direction,
    /// The numbers it answers or calls from, from now on.
    pub phone_number_ids: Option<Vec<Uuid>>,
    /// What is ours.
    #[serde(flatten)]
    #[schema(inline)]
    pub own: AgentOwnRequest,
}

/// Talkover's words for an agent's state. It knows no archived agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentState(pub domain::AgentState);

impl std::str::FromStr for AgentState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "draft" => Ok(Self(domain::AgentState::Draft)),
            "published" => Ok(Self(domain::AgentState::Live)),
            _ => Err(()),
        }
    }
}

impl AgentState {
    /// The state as Talkover names it.
    #[must_use]
    pub const fn word(state: domain::AgentState) -> &'static str {
        match state {
            domain::AgentState::Live => "published",
            domain::AgentState::Draft | domain::AgentState::Archived => "draft",
        }
    }
}

/// Reads Create Agent's body.
///
/// # Errors
/// A required field is missing, or a field is not what its page asks for.
pub fn create(body: Value, private: PrivateHosts) -> Result<AgentFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let mut fields = AgentFields {
        label: reader.required("label", text(255)).map(Some),
        name: reader.required("name", text(255)),
        direction: reader.required("direction", member("inbound, outbound")),
        numbers: reader.optional("phone_number_ids", ids),
        ..AgentFields::read_own(&mut reader, private)
    };
    fields.read_profile(&mut reader, FIELDS, true);
    reader.finish().map(|()| fields)
}

/// What Update Agent Calling Settings asks for.
#[derive(Clone, Debug)]
pub struct CallingBody {
    /// Which way its calls go from now on.
    pub direction: Direction,
    /// Its numbers from now on, and our own fields.
    pub fields: AgentFields,
}

/// Reads Update Agent Calling Settings' body.
///
/// # Errors
/// The direction is missing, or a field is not understood.
pub fn calling(body: Value, private: PrivateHosts) -> Result<CallingBody, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let direction = reader.required("direction", member("inbound, outbound"));
    let numbers = reader.optional("phone_number_ids", ids);
    let fields = AgentFields { numbers, ..AgentFields::read_own(&mut reader, private) };
    match direction {
        Some(direction) => reader.finish().map(|()| CallingBody { direction, fields }),
        None => Err(reader.refusal()),
    }
}

/// Which agents are asked for, and which page of them, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// In this state only: `draft` or `published`.
    #[param(pattern = "^(draft|published)$")]
    pub status: Option<String>,
    /// In this direction only.
    pub direction: Option<schema::Direction>,
    /// With this in their name or label.
    #[param(max_length = 255)]
    pub search: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many of them; more than 100 are 100.
    #[param(minimum = 1, default = 20)]
    pub per_page: Option<u32>,
}

/// Which agents are asked for, and which page of them.
#[derive(Clone, Debug)]
pub struct AgentFilterFields {
    /// In this state only.
    pub state: Option<domain::AgentState>,
    /// In this direction only.
    pub direction: Option<Direction>,
    /// With this in their name or label.
    pub search: Option<String>,
    /// Which page, from 1.
    pub page: u32,
    /// How many of them.
    pub per_page: u32,
}

/// Reads List Agents' query.
///
/// # Errors
/// A parameter is not understood.
pub fn filter(mut query: Reader) -> Result<AgentFilterFields, Refusal> {
    let state = query.filter("status", member::<AgentState>("draft, published"));
    let (page, per_page) = page(&mut query);
    let filter = AgentFilterFields {
        state: state.map(|state| state.0),
        direction: query.filter("direction", member("inbound, outbound")),
        search: query.filter("search", text(255)),
        page,
        per_page,
    };
    query.finish().map(|()| filter)
}

/// A whole agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Agent)]
pub struct AgentBody {
    id: Uuid,
    name: String,
    label: String,
    #[schema(value_type = schema::Direction)]
    direction: &'static str,
    current_status: &'static str,
    is_sandbox: bool,
    is_ready_to_publish: bool,
    created_at: String,
    updated_at: String,
    // Trainings and actions belong to the runtime; clients expect the lists.
    #[schema(value_type = Vec<Object>)]
    trainings: [(); 0],
    #[schema(value_type = Vec<Object>)]
    actions: [(); 0],
    phone_numbers: Vec<NumberOfAgent>,
    #[serde(flatten)]
    #[schema(inline)]
    own: AgentShown,
    #[serde(flatten)]
    #[schema(schema_with = fields_shown)]
    profile: Map<String, Value>,
}

impl AgentBody {
    /// An agent with its numbers.
    #[must_use]
    pub fn new(record: &AgentRecord, numbers: &[NumberRecord]) -> Self {
        let agent = &record.agent;
        Self {
            id: agent.id.0,
            name: agent.name.clone(),
            label: record.label.clone().unwrap_or_else(|| agent.name.clone()),
            direction: agent.direction.as_str(),
            current_status: AgentState::word(agent.state),
            is_sandbox: false,
            is_ready_to_publish: !record.numbers.is_empty(),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
            trainings: [],
            actions: [],
            phone_numbers: numbers.iter().map(NumberOfAgent::from).collect(),
            own: AgentShown::from(record),
            profile: with_whole_voice(profile::shown(&record.profile, FIELDS)),
        }
    }
}

/// What Talkover shows of a voice, known or not.
const OF_A_VOICE: [&str; 7] =
    ["id", "name", "label", "stability", "similarity_boost", "ambient_background", "template"];

fn with_whole_voice(mut profile: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(voice)) = profile.get_mut("voice") {
        for name in OF_A_VOICE {
            voice.entry(name).or_insert(Value::Null);
        }
    }
    profile
}

/// An agent as Publish, Unpublish and Update Calling Settings answer it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::AgentChanged)]
pub struct AgentChanged {
    id: Uuid,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Direction)]
    direction: Option<&'static str>,
    current_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_ready_to_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone_numbers: Option<Vec<NumberOfAgent>>,
    updated_at: String,
}

impl AgentChanged {
    /// After Publish or Unpublish.
    #[must_use]
    pub fn state(record: &AgentRecord) -> Self {
        Self { is_ready_to_publish: Some(!record.numbers.is_empty()), ..Self::plain(record) }
    }

    /// After Update Calling Settings.
    #[must_use]
    pub fn calling(record: &AgentRecord, numbers: &[NumberRecord]) -> Self {
        Self {
            direction: Some(record.agent.direction.as_str()),
            phone_numbers: Some(numbers.iter().map(NumberOfAgent::from).collect()),
            ..Self::plain(record)
        }
    }

    fn plain(record: &AgentRecord) -> Self {
        Self {
            id: record.agent.id.0,
            name: record.agent.name.clone(),
            direction: None,
            current_status: AgentState::word(record.agent.state),
            is_ready_to_publish: None,
            phone_numbers: None,
            updated_at: rfc3339(record.updated_at),
        }
    }
}
