//! What a client asks of an agent, as the store's writes. Both dialects and our own API share it.

use super::whole::agent;
use crate::{
    dialects::{AgentFields, CallbackFields},
    domain::{
        AgentId, AgentRecord, AgentState, FieldError, NumberId, OutcomeSet, Refusal, TenantId,
    },
    store::{AgentPatch, CallbackChange, NewAgent, Role, Rows, Sharing, Tx, WriteError},
};

/// Makes an agent.
pub(super) fn create(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    fields: AgentFields,
    state: AgentState,
    sharing: Sharing,
) -> Result<AgentRecord, WriteError> {
    if let Some(Some(_)) = fields.window_days {
        return Err(no_role());
    }
    let profile = fields.profile(None).unwrap_or_default();
    let (Some(direction), Some(name)) = (fields.direction, fields.name) else {
        return Err(Refusal::invalid("name", "Is required.").into());
    };
    let new = NewAgent {
        direction,
        state,
        name,
        label: fields.label.flatten(),
        profile,
        targets: fields.targets.unwrap_or_default(),
        runtime_parameters: fields.runtime_parameters.unwrap_or_default(),
        first_audio_timeout_ms: fields.first_audio_timeout_ms.flatten(),
        min_attestation: fields.min_attestation.flatten(),
        context_min_attestation: fields.context_min_attestation.flatten(),
        runtime_media: fields.runtime_media.flatten(),
        numbers: fields.numbers.unwrap_or_default(),
        primary: fields.primary.flatten(),
    };
    tx.create_agent(tenant, new, sharing)
}

/// Changes what is given; direction and numbers are not among it.
pub(super) fn update(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: AgentId,
    fields: AgentFields,
) -> Result<AgentRecord, WriteError> {
    let before = agent(tx, tenant, id)?;
    let patch = AgentPatch {
        profile: fields.profile(Some(&before.profile)),
        name: fields.name,
        label: fields.label,
        targets: fields.targets,
        runtime_parameters: fields.runtime_parameters,
        first_audio_timeout_ms: fields.first_audio_timeout_ms,
        min_attestation: fields.min_attestation,
        context_min_attestation: fields.context_min_attestation,
        runtime_media: fields.runtime_media,
    };
    let changed = tx.update_agent(tenant, id, patch)?;
    match (fields.window_days, before.agent.callback) {
        (None, _) | (Some(None), None) => Ok(changed),
        (Some(Some(_)), None) => Err(no_role()),
        (Some(window), Some(callback)) => {
            let change = CallbackChange {
                sources: callback.sources,
                window_days: Some(window),
                trigger_outcomes: None,
            };
            tx.set_callback(tenant, id, change, Role::ReplaceOnly)
        }
    }
}

/// Gives or changes the callback role. Where it is replaced as a whole, what is not given is the
/// default again.
pub(super) fn set_callback(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: AgentId,
    fields: CallbackFields,
    role: Role,
) -> Result<AgentRecord, WriteError> {
    let all = |given: Option<OutcomeSet>| given.unwrap_or(OutcomeSet::ALL);
    let (window_days, trigger_outcomes) = match role {
        Role::ReplaceOnly => (fields.window_days, fields.trigger_outcomes.map(all)),
        Role::TakeOrReplace => {
            let outcomes = all(fields.trigger_outcomes.flatten());
            (Some(fields.window_days.flatten()), Some(outcomes))
        }
    };
    let change = CallbackChange { sources: fields.sources, window_days, trigger_outcomes };
    if fields.targets.is_some() {
        let patch = AgentPatch { targets: fields.targets, ..AgentPatch::default() };
        tx.update_agent(tenant, id, patch)?;
    }
    tx.set_callback(tenant, id, change, role)
}

/// Refuses numbers that the tenant does not have, by their places in the list.
pub(super) fn known_numbers(
    rows: &Rows<'_>,
    tenant: TenantId,
    field: &str,
    numbers: Option<&[NumberId]>,
) -> Result<(), WriteError> {
    let mut wrong = Vec::new();
    for (at, id) in numbers.unwrap_or_default().iter().enumerate() {
        if rows.number(tenant, *id)?.is_none() {
            let message = "There is no such number.".to_owned();
            wrong.push(FieldError { field: format!("{field}.{at}"), message });
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong).into()) }
}

fn no_role() -> WriteError {
    Refusal::invalid("window_days", "Belongs to the callback role, which the agent does not hold.")
        .into()
}
