//! Talkover updates an agent area by area. Bodies are partial: what is not said stays.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::agent::FIELDS;
use crate::{
    dialects::{
        AgentFields, PrivateHosts, Reader,
        profile::{self, Rule},
        text,
    },
    domain::Refusal,
};

/// The members of `voice`, by the names that Update Agent Voice gives them.
const VOICE: &[(&str, &str, Rule)] = &[
    ("voice_id", "id", Rule::Text(255)),
    ("similarity", "similarity_boost", Rule::Number(0.0, 1.0)),
    ("similarity_boost", "similarity_boost", Rule::Number(0.0, 1.0)),
    ("stability", "stability", Rule::Number(0.0, 1.0)),
    ("ambient_background", "ambient_background", Rule::Text(255)),
];

/// Update Agent Voice's own fields; those of Create Agent are taken as well.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::VoiceRequest)]
pub struct VoiceRequest {
    /// The voice template.
    #[schema(max_length = 255)]
    pub voice_id: Option<String>,
    /// How close to the voice it is made from.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub similarity: Option<f64>,
    /// How even it sounds.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub stability: Option<f64>,
    /// What is heard behind it.
    #[schema(max_length = 255)]
    pub ambient_background: Option<String>,
    /// How fast it speaks.
    #[schema(minimum = 0.1, maximum = 3.0)]
    pub conversation_speed: Option<f64>,
    /// Who says the first word.
    #[schema(pattern = "^(agent|user)$")]
    pub who_speaks_first: Option<String>,
}

/// Reads the body of Update Agent Knowledge, and of Update Agent Advanced Settings.
///
/// # Errors
/// A field is not what its page asks for.
pub fn area(body: Value, private: PrivateHosts) -> Result<AgentFields, Refusal> {
    read(Reader::of_body(body)?, private)
}

/// Reads Update Agent Voice's body; `stored` is the profile as it is.
///
/// # Errors
/// A field is not what its page asks for.
pub fn voice(body: Value, private: PrivateHosts, stored: &str) -> Result<AgentFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let mut said = Map::new();
    for (name, member, rule) in VOICE {
        let checked = |value: &Value| rule.check(value).map(|()| value.clone());
        if let Some(value) = reader.given(name, checked) {
            said.insert((*member).to_owned(), value.unwrap_or_default());
        }
    }
    let mut fields = read(reader, private)?;
    if !said.is_empty() {
        let mut voice = match profile::parsed(stored).remove("voice") {
            Some(Value::Object(voice)) => voice,
            Some(_) | None => Map::new(),
        };
        if let Some(id) = said.get("id") {
            voice.insert("template".to_owned(), serde_json::json!({ "id": id, "name": null }));
        }
        voice.append(&mut said);
        fields.profile.insert("voice".to_owned(), Value::Object(voice));
    }
    Ok(fields)
}

fn read(mut reader: Reader, private: PrivateHosts) -> Result<AgentFields, Refusal> {
    let mut fields = AgentFields {
        label: reader.given("label", text(255)),
        name: reader.present("name", text(255)),
        ..AgentFields::read_own(&mut reader, private)
    };
    fields.read_profile(&mut reader, FIELDS, false);
    reader.finish().map(|()| fields)
}
