//! Things that are configured, as the texts that history keeps of them: whole, so that any of them
//! can be put back.
//!
//! The shapes mirror the records field by field: a field added there does not compile until it is
//! carried here. What is left out is written by every change and means nothing by itself.

use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, serde_as};
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, Agent, AgentId, AgentRecord, AgentState, Attestation, BelowMin, BindingRecord,
        Callback, Direction, E164, InboundConfig, NumberId, NumberRecord, Outcome, RuntimeMedia,
        Target, TenantId, TenantSettings, Thing, ThingKind, UnixMillis,
    },
    store::StoreError,
};

#[serde_as]
#[derive(Serialize, Deserialize)]
struct AgentText {
    name: String,
    label: Option<String>,
    #[serde_as(as = "DisplayFromStr")]
    direction: Direction,
    #[serde_as(as = "DisplayFromStr")]
    state: AgentState,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    targets: Vec<Target>,
    callback: Option<CallbackText>,
    runtime_parameters: Vec<(String, String)>,
    first_audio_timeout_ms: Option<u32>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    min_attestation: Option<Attestation>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    context_min_attestation: Option<Attestation>,
    #[serde(default)]
    #[serde_as(as = "Option<DisplayFromStr>")]
    runtime_media: Option<RuntimeMedia>,
    profile: String,
    #[serde_as(as = "Option<DisplayFromStr>")]
    primary_number: Option<NumberId>,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    numbers: Vec<NumberId>,
    created_at: u64,
    archived_at: Option<u64>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
struct CallbackText {
    #[serde_as(as = "Vec<DisplayFromStr>")]
    sources: Vec<AgentId>,
    window_days: Option<u32>,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    trigger_outcomes: Vec<Outcome>,
    since: u64,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
struct NumberText {
    #[serde_as(as = "Option<DisplayFromStr>")]
    account: Option<AccountId>,
    #[serde_as(as = "DisplayFromStr")]
    e164: E164,
    friendly_name: Option<String>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    passthrough: Option<Target>,
    bindings: Vec<BindingText>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    default_agent: Option<AgentId>,
    inbound: Option<InboundText>,
    created_at: u64,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
struct InboundText {
    #[serde_as(as = "DisplayFromStr")]
    agent: AgentId,
    is_enabled: bool,
    profile: String,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
struct BindingText {
    #[serde_as(as = "DisplayFromStr")]
    agent: AgentId,
    #[serde_as(as = "DisplayFromStr")]
    direction: Direction,
    attached: u64,
    claim: Option<u64>,
    place: u64,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
struct SettingsText {
    window_days: u32,
    touch_retention_days: u32,
    #[serde_as(as = "DisplayFromStr")]
    min_attestation: Attestation,
    below_min: String,
    #[serde_as(as = "DisplayFromStr")]
    context_min_attestation: Attestation,
    #[serde_as(as = "Option<DisplayFromStr>")]
    fallback_agent: Option<AgentId>,
    #[serde_as(as = "DisplayFromStr")]
    last_resort: Target,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    block_list: Vec<E164>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    block_target: Option<Target>,
}

/// The text of a thing.
pub(super) fn written(thing: &Thing) -> Result<String, StoreError> {
    let text = match thing {
        Thing::Agent(record) => serde_json::to_string(&agent_text(record)),
        Thing::Number(record) => serde_json::to_string(&number_text(record)),
        Thing::Settings(settings) => serde_json::to_string(&settings_text(settings)),
    };
    text.map_err(|error| StoreError::Log(error.to_string()))
}

/// The thing that a text was written of.
pub(super) fn read(
    tenant: TenantId,
    kind: ThingKind,
    id: Uuid,
    text: &str,
) -> Result<Thing, StoreError> {
    let thing = match kind {
        ThingKind::Agent => serde_json::from_str(text)
            .map(|text| Thing::Agent(agent_record(tenant, AgentId(id), text))),
        ThingKind::Number => serde_json::from_str(text)
            .map(|text| Thing::Number(number_record(tenant, NumberId(id), text))),
        ThingKind::Settings => {
            serde_json::from_str(text).map(|text| Thing::Settings(settings(text)))
        }
    };
    thing.map_err(|error| StoreError::Log(error.to_string()))
}

fn agent_text(record: &AgentRecord) -> AgentText {
    let AgentRecord {
        agent,
        label,
        profile,
        primary_number,
        numbers,
        created_at,
        updated_at: _,
        archived_at,
        upstream: _,
    } = record.clone();
    let Agent {
        id: _,
        tenant: _,
        name,
        direction,
        state,
        targets,
        callback,
        runtime_parameters,
        first_audio_timeout_ms,
        min_attestation,
        context_min_attestation,
        runtime_media,
    } = agent;
    let callback = callback.map(|role| {
        let Callback { sources, window_days, trigger_outcomes, since } = role;
        let trigger_outcomes = trigger_outcomes.iter().collect();
        CallbackText { sources, window_days, trigger_outcomes, since }
    });
    AgentText {
        name,
        label,
        direction,
        state,
        targets,
        callback,
        runtime_parameters,
        first_audio_timeout_ms,
        min_attestation,
        context_min_attestation,
        runtime_media,
        profile,
        primary_number,
        numbers,
        created_at: created_at.0,
        archived_at: archived_at.map(|at| at.0),
    }
}

fn agent_record(tenant: TenantId, id: AgentId, text: AgentText) -> AgentRecord {
    let callback = text.callback.map(|role| {
        let CallbackText { sources, window_days, trigger_outcomes, since } = role;
        let trigger_outcomes = trigger_outcomes.into_iter().collect();
        Callback { sources, window_days, trigger_outcomes, since }
    });
    let agent = Agent {
        id,
        tenant,
        name: text.name,
        direction: text.direction,
        state: text.state,
        targets: text.targets,
        callback,
        runtime_parameters: text.runtime_parameters,
        first_audio_timeout_ms: text.first_audio_timeout_ms,
        min_attestation: text.min_attestation,
        context_min_attestation: text.context_min_attestation,
        runtime_media: text.runtime_media,
    };
    let created_at = UnixMillis(text.created_at);
    AgentRecord {
        agent,
        label: text.label,
        profile: text.profile,
        primary_number: text.primary_number,
        numbers: text.numbers,
        created_at,
        updated_at: created_at,
        archived_at: text.archived_at.map(UnixMillis),
        upstream: None,
    }
}

fn number_text(record: &NumberRecord) -> NumberText {
    let NumberRecord {
        id: _,
        tenant: _,
        account,
        e164,
        friendly_name,
        passthrough,
        bindings,
        default_agent,
        inbound,
        created_at,
        updated_at: _,
        upstream: _,
    } = record.clone();
    let bindings = bindings.into_iter().map(|binding| {
        let BindingRecord { agent, number: _, direction, attached, claim, place } = binding;
        BindingText { agent, direction, attached, claim, place }
    });
    NumberText {
        account,
        e164,
        friendly_name,
        passthrough,
        bindings: bindings.collect(),
        default_agent,
        inbound: inbound.map(|config| {
            let InboundConfig { agent, is_enabled, profile } = config;
            InboundText { agent, is_enabled, profile }
        }),
        created_at: created_at.0,
    }
}

fn number_record(tenant: TenantId, number: NumberId, text: NumberText) -> NumberRecord {
    let bindings = text.bindings.into_iter().map(|binding| {
        let BindingText { agent, direction, attached, claim, place } = binding;
        BindingRecord { agent, number, direction, attached, claim, place }
    });
    let created_at = UnixMillis(text.created_at);
    NumberRecord {
        id: number,
        tenant,
        account: text.account,
        e164: text.e164,
        friendly_name: text.friendly_name,
        passthrough: text.passthrough,
        bindings: bindings.collect(),
        default_agent: text.default_agent,
        inbound: text.inbound.map(|config| {
            let InboundText { agent, is_enabled, profile } = config;
            InboundConfig { agent, is_enabled, profile }
        }),
        created_at,
        updated_at: created_at,
        upstream: None,
    }
}

fn settings_text(settings: &TenantSettings) -> SettingsText {
    let TenantSettings {
        window_days,
        touch_retention_days,
        min_attestation,
        below_min,
        context_min_attestation,
        fallback_agent,
        last_resort,
        block_list,
        block_target,
    } = settings.clone();
    let below_min = super::codec::below_min_word(below_min);
    SettingsText {
        window_days,
        touch_retention_days,
        min_attestation,
        below_min,
        context_min_attestation,
        fallback_agent,
        last_resort,
        block_list,
        block_target,
    }
}

fn settings(text: SettingsText) -> TenantSettings {
    let below_min = match text.below_min.as_str() {
        "reject" => BelowMin::Reject,
        word => word.parse().map_or(BelowMin::AsWithheld, BelowMin::Agent),
    };
    TenantSettings {
        window_days: text.window_days,
        touch_retention_days: text.touch_retention_days,
        min_attestation: text.min_attestation,
        below_min,
        context_min_attestation: text.context_min_attestation,
        fallback_agent: text.fallback_agent,
        last_resort: text.last_resort,
        block_list: text.block_list,
        block_target: text.block_target,
    }
}
