//! What a client asks of an agent or its callback role, whatever the dialect, and the fields of
//! ours that every dialect shows of an agent.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    profile,
    reader::{Given, Reader, Wrong, attestation, carrier_words, ids, integer, member},
    schema,
    target::{PrivateHosts, target, targets},
};
use crate::domain::{
    AgentId, AgentRecord, Attestation, Direction, NumberId, OutcomeSet, Refusal, RuntimeMedia,
    Target,
};

/// Days of ten years; the store refuses what is longer than touches are kept.
const WINDOW_DAYS_MAX: u32 = 3650;
/// Constant parameters of one agent. Twilio's stream has a limit of the same order.
const PARAMETERS_MAX: usize = 32;
/// Characters of one parameter's name or value (Twilio: 500 for both).
const PARAMETER_LEN_MAX: usize = 500;

/// What a runtime may speak.
pub(super) const RUNTIME_MEDIA: &str = "pcmu, l16_8000, l16_16000, l16_24000";

/// What is asked of an agent. An absent field stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFields {
    /// Which way its calls go.
    pub direction: Option<Direction>,
    /// Its name.
    pub name: Option<String>,
    /// Its label.
    pub label: Given<String>,
    /// Its numbers.
    pub numbers: Option<Vec<NumberId>>,
    /// Its primary number.
    pub primary: Given<NumberId>,
    /// Its ladder.
    pub targets: Option<Vec<Target>>,
    /// Constant parameters of its runtime.
    pub runtime_parameters: Option<Vec<(String, String)>>,
    /// How long its runtime may be silent at first.
    pub first_audio_timeout_ms: Given<u32>,
    /// The least attestation for which it believes who is calling back; null asks for no more than
    /// the tenant does.
    pub min_attestation: Given<Attestation>,
    /// The least attestation for which its runtime is told everything; null is the tenant's.
    pub context_min_attestation: Given<Attestation>,
    /// What its runtime speaks; null is PCMU.
    pub runtime_media: Given<RuntimeMedia>,
    /// The window of its callback role.
    pub window_days: Given<u32>,
    pub(super) profile: Map<String, Value>,
}

impl AgentFields {
    /// Reads the fields that are ours in every dialect.
    pub(super) fn read_own(reader: &mut Reader, private: PrivateHosts) -> Self {
        Self {
            targets: read_targets(reader, private),
            runtime_parameters: reader
                .given("runtime_parameters", parameters)
                .map(Option::unwrap_or_default),
            first_audio_timeout_ms: reader.given("first_audio_timeout_ms", integer(100..=60_000)),
            min_attestation: reader.given("min_attestation", attestation),
            context_min_attestation: reader.given("context_min_attestation", attestation),
            runtime_media: reader.given("runtime_media", member(RUNTIME_MEDIA)),
            window_days: reader.given("window_days", integer(0..=WINDOW_DAYS_MAX)),
            ..Self::default()
        }
    }

    /// Takes the fields that are kept for others.
    pub(super) fn read_profile(
        &mut self,
        reader: &mut Reader,
        table: &[profile::Field],
        is_new: bool,
    ) {
        self.profile = profile::read(reader, table, is_new);
    }

    /// The profile to store in place of `stored`; `None` leaves it alone.
    #[must_use]
    pub fn profile(&self, stored: Option<&str>) -> Option<String> {
        if stored.is_some() && self.profile.is_empty() {
            return None;
        }
        Some(profile::merged(stored.unwrap_or("{}"), self.profile.clone()))
    }
}

/// The fields of an agent that are ours in every dialect, as they are given.
#[derive(Debug, ToSchema)]
pub struct AgentOwnRequest {
    /// Its ladder: where its calls go, one after another.
    #[schema(max_items = 16)]
    pub targets: Option<Vec<schema::Target>>,
    /// Its one agent runtime, for who needs no ladder; `targets` goes before it.
    #[schema(max_length = 4096, pattern = "^wss?://", example = "wss://runtime.example.com/calls")]
    pub runtime_url: Option<String>,
    /// What its runtime is told with every call. At most 32; name and value together have at most
    /// 500 bytes.
    pub runtime_parameters: Option<BTreeMap<String, String>>,
    /// How long its runtime may be silent at first, in milliseconds.
    #[schema(minimum = 100, maximum = 60000)]
    pub first_audio_timeout_ms: Option<u32>,
    /// The least attestation for which it believes who is calling back; null is the tenant's.
    pub min_attestation: Option<schema::Attestation>,
    /// The least attestation for which its runtime is told everything; null is the tenant's.
    pub context_min_attestation: Option<schema::Attestation>,
    /// What its runtime speaks; null is `pcmu`. The carrier's audio is made into it, and back.
    pub runtime_media: Option<schema::RuntimeMedia>,
    /// How far back its callback role looks; for agents that have the role.
    #[schema(minimum = 0, maximum = 3650)]
    pub window_days: Option<u32>,
}

/// A callback role, as it is given.
#[derive(Debug, ToSchema)]
pub struct CallbackRequest {
    /// The outbound agents whose calls are returned to this one, first come first.
    #[schema(min_items = 1)]
    pub source_agent_ids: Vec<Uuid>,
    /// How far back it looks; null is the tenant's own window.
    #[schema(minimum = 0, maximum = 3650)]
    pub window_days: Option<u32>,
    /// Which outcomes of a call make its return this agent's; null means all.
    #[schema(min_items = 1)]
    pub trigger_outcomes: Option<Vec<schema::Outcome>>,
    /// The same by its other name.
    #[schema(min_items = 1)]
    pub callback_trigger_statuses: Option<Vec<schema::Outcome>>,
    /// The agent's ladder.
    #[schema(max_items = 16)]
    pub targets: Option<Vec<schema::Target>>,
    /// Its one agent runtime, for who needs no ladder; `targets` goes before it.
    #[schema(max_length = 4096, pattern = "^wss?://", example = "wss://runtime.example.com/calls")]
    pub runtime_url: Option<String>,
}

/// What is asked of a callback role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallbackFields {
    /// Its source agents, in order.
    pub sources: Vec<AgentId>,
    /// Its window; null is the tenant's.
    pub window_days: Given<u32>,
    /// Which outcomes count; null is all of them.
    pub trigger_outcomes: Given<OutcomeSet>,
    /// The agent's ladder, where it is given along with the role.
    pub targets: Option<Vec<Target>>,
}

impl CallbackFields {
    /// Reads a role.
    ///
    /// # Errors
    /// The list of sources is absent or empty, or a field is not understood.
    pub fn read(body: Value, private: PrivateHosts) -> Result<Self, Refusal> {
        let mut reader = Reader::of_body(body)?;
        let sources = reader.required("source_agent_ids", |value| match ids(value) {
            Ok(sources) if sources.is_empty() => Err("must name at least one agent".into()),
            read => read,
        });
        let window_days = reader.given("window_days", integer(0..=WINDOW_DAYS_MAX));
        let theirs = reader.given("callback_trigger_statuses", carrier_words);
        let ours = reader.given("trigger_outcomes", carrier_words);
        let targets = read_targets(&mut reader, private);
        let sources = sources.unwrap_or_default();
        reader.finish()?;
        Ok(Self { sources, window_days, trigger_outcomes: ours.or(theirs), targets })
    }
}

/// `targets`, or `runtime_url` as a list of one; null is no target.
fn read_targets(reader: &mut Reader, private: PrivateHosts) -> Option<Vec<Target>> {
    let ladder = reader.given("targets", targets(private)).map(Option::unwrap_or_default);
    let one = reader.given("runtime_url", |value| {
        let target = target(private)(value)?;
        if target.is_media() { Ok(target) } else { Err("must be a ws:// or wss:// URL".into()) }
    });
    // Both together is what a client sends that writes back what it has read.
    ladder.or_else(|| one.map(|one| one.into_iter().collect()))
}

/// An object of texts.
pub(super) fn parameters(value: &Value) -> Result<Vec<(String, String)>, Wrong> {
    let object = value.as_object().ok_or("must be an object of strings")?;
    if object.len() > PARAMETERS_MAX {
        return Err(format!("must have at most {PARAMETERS_MAX} members").into());
    }
    let read = |(name, value): (&String, &Value)| {
        let text = value.as_str().ok_or_else(|| Wrong::from("must be a string").within(name))?;
        if name.len() + text.len() > PARAMETER_LEN_MAX {
            let wrong = format!("name and value must be at most {PARAMETER_LEN_MAX} bytes");
            return Err(Wrong::from(wrong).within(name));
        }
        Ok((name.clone(), text.to_owned()))
    };
    object.iter().map(read).collect()
}

/// The fields of ours that every dialect shows of an agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentShown {
    /// Its ladder: where its calls go, one after another.
    #[schema(value_type = Vec<schema::Target>)]
    targets: Vec<String>,
    /// The first target that is an agent runtime.
    runtime_url: Option<String>,
    /// What its runtime is told with every call.
    #[schema(value_type = BTreeMap<String, String>)]
    runtime_parameters: Map<String, Value>,
    /// How long its runtime may be silent at first, in milliseconds.
    first_audio_timeout_ms: Option<u32>,
    /// The least attestation for which it believes who is calling back; null is the tenant's.
    #[schema(value_type = Option<schema::Attestation>)]
    min_attestation: Option<&'static str>,
    /// The least attestation for which its runtime is told everything; null is the tenant's.
    #[schema(value_type = Option<schema::Attestation>)]
    context_min_attestation: Option<&'static str>,
    /// What its runtime speaks; null is `pcmu`.
    #[schema(value_type = Option<schema::RuntimeMedia>)]
    runtime_media: Option<&'static str>,
    /// How far back its callback role looks; null is the tenant's own window.
    window_days: Option<u32>,
    /// The name of the upstream that it is mirrored from; it is changed there, not here.
    managed_by: Option<String>,
}

impl From<&AgentRecord> for AgentShown {
    fn from(record: &AgentRecord) -> Self {
        let agent = &record.agent;
        let runtime = agent.targets.iter().find(|target| target.is_media());
        let parameters = agent.runtime_parameters.iter();
        Self {
            targets: agent.targets.iter().map(Target::to_string).collect(),
            runtime_url: runtime.map(Target::to_string),
            runtime_parameters: parameters.map(|(k, v)| (k.clone(), v.clone().into())).collect(),
            first_audio_timeout_ms: agent.first_audio_timeout_ms,
            min_attestation: agent.min_attestation.map(Attestation::as_str),
            context_min_attestation: agent.context_min_attestation.map(Attestation::as_str),
            runtime_media: agent.runtime_media.map(RuntimeMedia::as_str),
            window_days: agent.callback.as_ref().and_then(|callback| callback.window_days),
            managed_by: record.upstream.clone(),
        }
    }
}

/// An agent in a few words.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct AgentNamed {
    id: Uuid,
    name: String,
}

impl AgentNamed {
    pub(super) fn new(id: AgentId, name: &str) -> Self {
        Self { id: id.0, name: name.to_owned() }
    }
}
