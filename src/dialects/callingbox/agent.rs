//! CallingBox's agents. A null clears a field; the type is for life.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema, openapi::Object};
use uuid::Uuid;

use super::NumberBody;
use crate::{
    dialects::{
        AgentFields, AgentOwnRequest, AgentShown, PrivateHosts, Reader, WarningBody, boolean, id,
        ids, member,
        profile::{self, As, Field, Rule},
        rfc3339, schema, text, web_url,
    },
    domain::{AgentRecord, Direction, NumberId, Refusal},
};

/// Characters of a webhook's URL.
pub(super) const URL_LEN_MAX: usize = 2048;

/// Characters of what is said to a machine: Telnyx speaks no more, and few machines record it.
const VOICEMAIL_MESSAGE_LEN_MAX: usize = 3000;

pub(super) const fn field(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, is_required: false }
}

/// What Create an Agent takes besides name, type and numbers.
pub(in crate::dialects) const FIELDS: &[Field] = &[
    field("persona", Rule::Text(65_535)),
    field("instructions", Rule::Text(65_535)),
    field("voice", Rule::Text(255)),
    field("language", Rule::Text(35)),
    field("returns", Rule::Returns),
    field("tools", Rule::Objects(16)),
    field("webhook_url", Rule::Text(URL_LEN_MAX)),
    field("voicemail_action", Rule::Word(&["hangup", "leave_message"])),
    field("voicemail_message", Rule::Text(VOICEMAIL_MESSAGE_LEN_MAX)),
];

/// Create an Agent's body.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::AgentRequest, example = json!({
    "name": "Return desk", "type": "inbound", "targets": ["builtin:echo"]
}))]
pub struct AgentRequest {
    /// Its name.
    #[schema(pattern = r"\S", max_length = 255)]
    pub name: String,
    /// Which way its calls go, for life.
    pub r#type: schema::Direction,
    /// The numbers it answers or calls from. The first is the primary one if no other is.
    pub number_ids: Option<Vec<Uuid>>,
    /// One of `number_ids`.
    pub primary_number_id: Option<Uuid>,
    /// What is ours.
    #[serde(flatten)]
    #[schema(inline)]
    pub own: AgentOwnRequest,
    /// The rest.
    #[serde(flatten)]
    #[schema(schema_with = fields_new)]
    pub fields: Map<String, Value>,
}

/// Update an Agent's body. Numbers are attached and detached, not written.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::AgentPatchRequest)]
pub struct AgentPatchRequest {
    /// Its name.
    #[schema(pattern = r"\S", max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// What it is already.
    #[schema(nullable = false)]
    pub r#type: Option<schema::Direction>,
    /// One of the agent's numbers.
    pub primary_number_id: Option<Uuid>,
    /// What is ours.
    #[serde(flatten)]
    #[schema(inline)]
    pub own: AgentOwnRequest,
    /// The rest.
    #[serde(flatten)]
    #[schema(schema_with = fields_changed)]
    pub fields: Map<String, Value>,
}

fn fields_new() -> Object {
    profile::object(FIELDS, As::New)
}

fn fields_changed() -> Object {
    profile::object(FIELDS, As::Change)
}

fn fields_shown() -> Object {
    profile::object(FIELDS, As::Shown)
}

/// Which number is to be attached, or to be the primary one.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::NumberChoice)]
pub struct NumberChoice {
    /// The number's id.
    pub number_id: Uuid,
}

/// Reads Create an Agent's body.
///
/// # Errors
/// A required field is missing, or a field is not what its page asks for.
pub fn create(body: Value, private: PrivateHosts) -> Result<AgentFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let name = reader.required("name", text(255));
    let direction = reader.required("type", member("inbound, outbound"));
    let numbers: Option<Vec<NumberId>> = reader.optional("number_ids", ids);
    let primary: Option<NumberId> = reader.optional("primary_number_id", id);
    let attached = numbers.as_deref().unwrap_or_default();
    if primary.is_some_and(|primary| !attached.contains(&primary)) {
        reader.blame("primary_number_id", "must be one of number_ids");
    }
    let primary = Some(primary.or_else(|| attached.first().copied()));
    let own = AgentFields::read_own(&mut reader, private);
    let mut fields = AgentFields { direction, name, numbers, primary, ..own };
    reader.check("webhook_url", web_url(URL_LEN_MAX, private.redirect));
    fields.read_profile(&mut reader, FIELDS, true);
    reader.finish().map(|()| fields)
}

/// Reads an update's body. Numbers are attached and detached, not written.
///
/// # Errors
/// A field is not what its page asks for.
pub fn patch(body: Value, private: PrivateHosts) -> Result<AgentFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let mut fields = AgentFields {
        name: reader.present("name", text(255)),
        direction: reader.present("type", member("inbound, outbound")),
        primary: reader.given("primary_number_id", id),
        ..AgentFields::read_own(&mut reader, private)
    };
    reader.check("webhook_url", web_url(URL_LEN_MAX, private.redirect));
    fields.read_profile(&mut reader, FIELDS, false);
    reader.finish().map(|()| fields)
}

/// Reads which number is to be attached.
///
/// # Errors
/// There is none.
pub fn number_to_attach(body: Value) -> Result<NumberId, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let number = reader.required("number_id", id);
    number.ok_or_else(|| reader.refusal())
}

/// Reads which number is to be the primary one.
///
/// # Errors
/// There is none.
pub fn number_to_prefer(body: Value) -> Result<NumberId, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let is_by_its_field = reader.says("primary_number_id") && !reader.says("number_id");
    let name = if is_by_its_field { "primary_number_id" } else { "number_id" };
    let number = reader.required(name, id);
    number.ok_or_else(|| reader.refusal())
}

/// Which agents are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// Of this type only.
    pub r#type: Option<schema::Direction>,
    /// Archived ones too.
    pub include_archived: Option<bool>,
}

/// Which agents are asked for.
#[derive(Clone, Copy, Debug)]
pub struct AgentFilterFields {
    /// Of this type only.
    pub direction: Option<Direction>,
    /// Archived ones too.
    pub archived: bool,
}

/// Reads List Agents' query.
///
/// # Errors
/// A parameter is not understood.
pub fn filter(mut query: Reader) -> Result<AgentFilterFields, Refusal> {
    let filter = AgentFilterFields {
        direction: query.filter("type", member("inbound, outbound")),
        archived: query.filter("include_archived", boolean).unwrap_or(false),
    };
    query.finish().map(|()| filter)
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::Agent)]
pub struct AgentBody {
    id: Uuid,
    org_id: Uuid,
    // Clients expect a text; whoever held the key is in the audit trail.
    user_id: &'static str,
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = schema::Direction)]
    kind: &'static str,
    primary_number_id: Option<Uuid>,
    archived_at: Option<String>,
    created_at: String,
    updated_at: String,
    numbers: Vec<NumberBody>,
    #[serde(flatten)]
    #[schema(inline)]
    own: AgentShown,
    #[serde(flatten)]
    #[schema(schema_with = fields_shown)]
    profile: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<WarningBody>>,
}

impl AgentBody {
    /// An agent with its numbers.
    #[must_use]
    pub fn new(record: &AgentRecord, numbers: Vec<NumberBody>) -> Self {
        let agent = &record.agent;
        let mut profile = profile::shown(&record.profile, FIELDS);
        if let Some(action) = profile.get_mut("voicemail_action").filter(|value| value.is_null()) {
            *action = "hangup".into();
        }
        Self {
            id: agent.id.0,
            org_id: agent.tenant.0,
            user_id: "api",
            name: agent.name.clone(),
            kind: agent.direction.as_str(),
            primary_number_id: record.primary_number.map(|number| number.0),
            archived_at: record.archived_at.map(rfc3339),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
            numbers,
            own: AgentShown::from(record),
            profile,
            warnings: None,
        }
    }

    /// The same with what the write warns of.
    #[must_use]
    pub fn warns(self, warnings: Vec<WarningBody>) -> Self {
        Self { warnings: Some(warnings), ..self }
    }
}
