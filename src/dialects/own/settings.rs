//! A tenant's settings.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{
        Given, PrivateHosts, Reader, WarningBody, Wrong, attestation, id, integer, phone, schema,
        target::target,
    },
    domain::{AgentId, Attestation, BelowMin, E164, Refusal, Target, TenantSettings},
};

/// Numbers on one tenant's block list: it is looked through for every call.
const BLOCK_LIST_MAX: usize = 10_000;

/// What is to change. A null is the default again.
#[derive(Debug, ToSchema)]
#[schema(as = own::SettingsRequest)]
pub struct SettingsRequest {
    /// How far back a call counts as one that may be returned.
    #[schema(minimum = 0, maximum = 3650)]
    pub window_days: Option<u32>,
    /// How long outbound calls are remembered.
    #[schema(minimum = 1, maximum = 3650)]
    pub touch_retention_days: Option<u32>,
    /// The least attestation a caller needs.
    pub min_attestation: Option<schema::Attestation>,
    /// What becomes of a call below it: `as_withheld`, `reject`, or the id of an agent.
    #[schema(example = "as_withheld")]
    pub below_min: Option<String>,
    /// The least attestation for which a runtime is told everything.
    pub context_min_attestation: Option<schema::Attestation>,
    /// Who answers when nobody else does.
    pub fallback_agent_id: Option<Uuid>,
    /// What a caller hears when every target is used up: neither a socket nor an agent.
    pub last_resort: Option<schema::Target>,
    /// Callers who are not served.
    #[schema(max_items = 10000)]
    pub block_list: Option<Vec<schema::Phone>>,
    /// What they get: neither a socket nor an agent.
    pub block_target: Option<schema::Target>,
}

/// What is to change. An absent field stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SettingsFields {
    /// How far back a touch counts.
    pub window_days: Option<u32>,
    /// How long touches are kept.
    pub touch_retention_days: Option<u32>,
    /// The least attestation a caller needs.
    pub min_attestation: Option<Attestation>,
    /// What becomes of a call below it.
    pub below_min: Option<BelowMin>,
    /// The least attestation for which a runtime is told everything.
    pub context_min_attestation: Option<Attestation>,
    /// Who answers when nobody else does.
    pub fallback_agent: Given<AgentId>,
    /// What a caller hears when every target is used up.
    pub last_resort: Option<Target>,
    /// Callers who are not served.
    pub block_list: Option<Vec<E164>>,
    /// What they get.
    pub block_target: Given<Target>,
}

/// Reads a change. A null is the default again.
///
/// # Errors
/// A field is not understood.
pub fn settings(body: Value, private: PrivateHosts) -> Result<SettingsFields, Refusal> {
    let defaults = TenantSettings::default();
    let mut reader = Reader::of_body(body)?;
    let last = |value: &Value| {
        let target = target(private)(value)?;
        let no = "must work when all else has failed: neither a socket nor an agent";
        if target.is_final() { Ok(target) } else { Err(no.into()) }
    };
    let fields = SettingsFields {
        window_days: reader
            .given("window_days", integer(0..=3650))
            .map(|days| days.unwrap_or(defaults.window_days)),
        touch_retention_days: reader
            .given("touch_retention_days", integer(1..=3650))
            .map(|days| days.unwrap_or(defaults.touch_retention_days)),
        min_attestation: reader
            .given("min_attestation", attestation)
            .map(|least| least.unwrap_or(defaults.min_attestation)),
        below_min: reader
            .given("below_min", below_min)
            .map(|below| below.unwrap_or(defaults.below_min)),
        context_min_attestation: reader
            .given("context_min_attestation", attestation)
            .map(|least| least.unwrap_or(defaults.context_min_attestation)),
        fallback_agent: reader.given("fallback_agent_id", id),
        last_resort: reader
            .given("last_resort", last)
            .map(|target| target.unwrap_or(defaults.last_resort)),
        block_list: reader.given("block_list", block_list).map(Option::unwrap_or_default),
        block_target: reader.given("block_target", last),
    };
    reader.finish().map(|()| fields)
}

fn below_min(value: &Value) -> Result<BelowMin, Wrong> {
    match value.as_str() {
        Some("as_withheld") => Ok(BelowMin::AsWithheld),
        Some("reject") => Ok(BelowMin::Reject),
        _ => id(value)
            .map(BelowMin::Agent)
            .map_err(|_| "must be as_withheld, reject or an agent's id".into()),
    }
}

fn block_list(value: &Value) -> Result<Vec<E164>, Wrong> {
    let values = value.as_array().ok_or("must be an array of E.164 numbers")?;
    if values.len() > BLOCK_LIST_MAX {
        return Err(format!("must have at most {BLOCK_LIST_MAX} numbers").into());
    }
    let read = |(at, value)| phone(value).map_err(|wrong| wrong.within(at));
    let mut list: Vec<_> = values.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

/// The settings as they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Settings)]
pub struct SettingsBody {
    /// How far back a call counts as one that may be returned.
    window_days: u32,
    /// How long outbound calls are remembered.
    touch_retention_days: u32,
    /// The least attestation a caller needs.
    #[schema(value_type = schema::Attestation)]
    min_attestation: &'static str,
    /// What becomes of a call below it: `as_withheld`, `reject`, or the id of an agent.
    below_min: String,
    /// The least attestation for which a runtime is told everything.
    #[schema(value_type = schema::Attestation)]
    context_min_attestation: &'static str,
    /// Who answers when nobody else does.
    fallback_agent_id: Option<Uuid>,
    /// What a caller hears when every target is used up.
    #[schema(value_type = schema::Target)]
    last_resort: String,
    /// Callers who are not served.
    #[schema(value_type = Vec<schema::Phone>)]
    block_list: Vec<String>,
    /// What they get; null is what everybody gets when nobody answers.
    #[schema(value_type = Option<schema::Target>)]
    block_target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<WarningBody>>,
}

impl SettingsBody {
    /// The same with what the write warns of.
    #[must_use]
    pub fn warns(self, warnings: Vec<WarningBody>) -> Self {
        Self { warnings: Some(warnings), ..self }
    }
}

impl From<&TenantSettings> for SettingsBody {
    fn from(settings: &TenantSettings) -> Self {
        Self {
            window_days: settings.window_days,
            touch_retention_days: settings.touch_retention_days,
            min_attestation: settings.min_attestation.as_str(),
            below_min: match settings.below_min {
                BelowMin::AsWithheld => "as_withheld".to_owned(),
                BelowMin::Reject => "reject".to_owned(),
                BelowMin::Agent(agent) => agent.to_string(),
            },
            context_min_attestation: settings.context_min_attestation.as_str(),
            fallback_agent_id: settings.fallback_agent.map(|agent| agent.0),
            last_resort: settings.last_resort.to_string(),
            block_list: settings.block_list.iter().map(E164::to_string).collect(),
            block_target: settings.block_target.as_ref().map(Target::to_string),
            warnings: None,
        }
    }
}
