//! What a number says itself of how it is answered, in the place of an agent.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::agent::{URL_LEN_MAX, field};
use crate::{
    dialects::{
        PrivateHosts, Reader,
        agent::{AgentFields, AgentOwnRequest},
        boolean,
        profile::{self, Field, Rule},
        web_url,
    },
    domain::{InboundConfig, Refusal, Target},
};

/// What it takes besides `enabled`; `prompt` is what an agent has as its instructions.
const FIELDS: &[Field] = &[
    field("prompt", Rule::Text(65_535)),
    field("returns", Rule::Returns),
    field("webhook_url", Rule::Text(URL_LEN_MAX)),
    field("language", Rule::Text(35)),
    field("tools", Rule::Objects(16)),
    field("voicemail_action", Rule::Word(&["hangup", "leave_message"])),
];

/// How a number is to be answered, whole: what is left out is cleared.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::InboundRequest)]
pub struct InboundRequest {
    /// Whether its calls are answered.
    pub enabled: bool,
    /// What the agent that answers is told.
    #[schema(max_length = 65535)]
    pub prompt: Option<String>,
    /// What it returns of each call: names to `boolean`, `string` or `number`.
    #[schema(value_type = Option<Object>)]
    pub returns: Option<Map<String, Value>>,
    /// Where its calls are told.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://example.com/calls")]
    pub webhook_url: Option<String>,
    /// Its language (BCP 47).
    #[schema(max_length = 35)]
    pub language: Option<String>,
    /// Its tools.
    #[schema(max_items = 16, value_type = Option<Vec<Object>>)]
    pub tools: Option<Vec<Map<String, Value>>>,
    /// What becomes of a call that a machine answers.
    pub voicemail_action: Option<VoicemailAction>,
    /// What is ours.
    #[serde(flatten)]
    #[schema(inline)]
    pub own: AgentOwnRequest,
}

/// What becomes of a call that a machine answers.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::VoicemailAction, rename_all = "snake_case")]
pub enum VoicemailAction {
    /// It ends.
    Hangup,
    /// The agent speaks to the machine.
    LeaveMessage,
}

/// How a number is to be answered.
#[derive(Clone, Debug)]
pub struct InboundFields {
    /// Whether its calls are answered.
    pub is_enabled: bool,
    /// All that would be an agent's, as the text of a JSON object.
    pub profile: String,
    /// Where its calls go; `None` leaves that alone.
    pub targets: Option<Vec<Target>>,
}

/// Reads how a number is to be answered.
///
/// # Errors
/// `enabled` is missing, or a field is not understood.
pub fn inbound(body: Value, private: PrivateHosts) -> Result<InboundFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let is_enabled = reader.required("enabled", boolean);
    let targets = AgentFields::read_own(&mut reader, private).targets;
    reader.check("webhook_url", web_url(URL_LEN_MAX, private.redirect));
    let profile = implicit_profile(&mut reader);
    match is_enabled {
        Some(is_enabled) => {
            reader.finish().map(|()| InboundFields { is_enabled, profile, targets })
        }
        None => Err(reader.refusal()),
    }
}

/// Reads what would be an agent's. Who nobody named has a prompt, and by it is known. Call it last.
pub(super) fn implicit_profile(reader: &mut Reader) -> String {
    let mut bag = profile::read(reader, FIELDS, true);
    let prompt = bag.get("prompt").cloned().unwrap_or_default();
    bag.insert("instructions".to_owned(), prompt.clone());
    bag.insert("prompt".to_owned(), if prompt.is_null() { "".into() } else { prompt });
    profile::merged("{}", bag)
}

/// What a number shows of how it is answered.
#[derive(Debug, serde::Serialize, ToSchema)]
#[schema(as = callingbox::InboundShown)]
pub struct InboundShown {
    inbound_enabled: bool,
    inbound_prompt: Option<String>,
    #[schema(value_type = Option<Object>)]
    inbound_returns: Option<Value>,
    inbound_webhook_url: Option<String>,
    inbound_language: Option<String>,
    #[schema(value_type = Option<Vec<Object>>)]
    inbound_tools: Option<Value>,
    inbound_voicemail_action: String,
}

impl InboundShown {
    /// As it is configured; a number that is not says that it is not.
    #[must_use]
    pub fn new(config: Option<&InboundConfig>) -> Self {
        let profile = config.map_or("{}", |config| &config.profile);
        let mut bag = profile::shown(profile, FIELDS);
        let prompt = bag.remove("prompt").filter(|prompt| prompt != "");
        let mut take = |name: &str| bag.remove(name).filter(|value| !value.is_null());
        let text = |value: Option<Value>| value.and_then(|v| v.as_str().map(str::to_owned));
        Self {
            inbound_enabled: config.is_some_and(|config| config.is_enabled),
            inbound_prompt: text(prompt),
            inbound_returns: take("returns"),
            inbound_webhook_url: text(take("webhook_url")),
            inbound_language: text(take("language")),
            inbound_tools: take("tools"),
            inbound_voicemail_action: text(take("voicemail_action"))
                .unwrap_or_else(|| "hangup".to_owned()),
        }
    }
}
