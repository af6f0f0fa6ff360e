//! An agent's life.

use super::{Tx, WriteError, named};
use crate::{
    domain::{Agent, AgentId, AgentRecord, AgentState, Direction, NumberId, Refusal, TenantId},
    store::{AgentPatch, NewAgent, Sharing},
};

/// The longest profile in bytes: persona, tools and all, as text.
const PROFILE_LEN_MAX: usize = 256 * 1024;
/// Constant parameters for a runtime at most; carriers pass on few more.
const RUNTIME_PARAMETERS_MAX: usize = 32;

impl Tx<'_> {
    /// Makes an agent and attaches its numbers.
    ///
    /// # Errors
    /// Unknown tenant or number; wrong fields; a number is claimed (see [`Sharing`]).
    pub fn create_agent(
        &mut self,
        tenant: TenantId,
        new: NewAgent,
        sharing: Sharing,
    ) -> Result<AgentRecord, WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        if new.primary.is_some_and(|primary| !new.numbers.contains(&primary)) {
            let message = "Must be one of the agent's numbers.";
            return Err(Refusal::invalid("primary_number_id", message).into());
        }
        check_profile(&new.profile)?;
        check_parameters(&new.runtime_parameters)?;
        self.check_targets(tenant, None, &new.targets)?;
        let agent = Agent {
            id: AgentId(self.new_id()),
            tenant,
            name: named("name", &new.name)?,
            direction: new.direction,
            state: new.state,
            targets: new.targets,
            callback: None,
            runtime_parameters: new.runtime_parameters,
            first_audio_timeout_ms: new.first_audio_timeout_ms,
            min_attestation: new.min_attestation,
            context_min_attestation: new.context_min_attestation,
            runtime_media: new.runtime_media,
        };
        let label = new.label.map(|label| named("label", &label)).transpose()?;
        self.insert_agent(&agent, label.as_deref(), &new.profile)?;
        let record = self.known_agent(tenant, agent.id)?;
        self.replace_numbers(&record, &new.numbers, sharing)?;
        self.settle_primary(tenant, agent.id, new.primary)?;
        self.insert_audit(Some(tenant), "agent.create", Some(agent.id.0))?;
        self.known_agent(tenant, agent.id)
    }

    /// Changes an agent; calls in progress keep what they started with.
    ///
    /// # Errors
    /// Unknown or archived agent; wrong fields.
    pub fn update_agent(
        &mut self,
        tenant: TenantId,
        id: AgentId,
        patch: AgentPatch,
    ) -> Result<AgentRecord, WriteError> {
        let mut record = self.open_agent(tenant, id)?;
        let is_kept = patch.name.as_ref().is_none_or(|name| *name == record.agent.name)
            && patch.label.as_ref().is_none_or(|label| *label == record.label)
            && patch.profile.as_ref().is_none_or(|profile| *profile == record.profile);
        if !is_kept {
            self.refuse_mirrored_agent(id)?;
        }
        if let Some(name) = patch.name {
            record.agent.name = named("name", &name)?;
        }
        if let Some(label) = patch.label {
            record.label = label.map(|label| named("label", &label)).transpose()?;
        }
        if let Some(profile) = patch.profile {
            check_profile(&profile)?;
            record.profile = profile;
        }
        if let Some(targets) = patch.targets {
            self.check_targets(tenant, Some(id), &targets)?;
            record.agent.targets = targets;
        }
        if let Some(parameters) = patch.runtime_parameters {
            check_parameters(&parameters)?;
            record.agent.runtime_parameters = parameters;
        }
        if let Some(timeout) = patch.first_audio_timeout_ms {
            record.agent.first_audio_timeout_ms = timeout;
        }
        if let Some(least) = patch.min_attestation {
            record.agent.min_attestation = least;
        }
        if let Some(least) = patch.context_min_attestation {
            record.agent.context_min_attestation = least;
        }
        if let Some(media) = patch.runtime_media {
            record.agent.runtime_media = media;
        }
        self.put_agent(&record)?;
        self.insert_audit(Some(tenant), "agent.update", Some(id.0))?;
        self.known_agent(tenant, id)
    }

    /// Sets which way an agent's calls go and, where said, all its numbers. Whether it has live
    /// calls is for who knows the live calls to ask before.
    ///
    /// # Errors
    /// Unknown or archived agent; unknown number; the callback role keeps an agent inbound.
    pub fn set_calling(
        &mut self,
        tenant: TenantId,
        id: AgentId,
        direction: Direction,
        numbers: Option<Vec<NumberId>>,
    ) -> Result<AgentRecord, WriteError> {
        let mut record = self.open_agent(tenant, id)?;
        let flips = record.agent.direction != direction;
        if flips || numbers.as_ref().is_some_and(|numbers| *numbers != record.numbers) {
            self.refuse_mirrored_agent(id)?;
        }
        if flips && record.agent.callback.is_some() {
            return Err(Refusal::AgentHasCallbackRole.into());
        }
        if flips {
            match direction {
                Direction::Inbound => self.leave_lists(tenant, id)?,
                // It owns nothing any more, and does not again when it comes back.
                Direction::Outbound => self.clear_claims(id)?,
            }
        }
        record.agent.direction = direction;
        self.put_agent(&record)?;
        if let Some(numbers) = numbers {
            self.replace_numbers(&record, &numbers, Sharing::Allowed)?;
        }
        let record = self.known_agent(tenant, id)?;
        if flips && direction == Direction::Inbound {
            self.warn_of_no_claims(&record)?;
        }
        self.insert_audit(Some(tenant), "agent.calling", Some(id.0))?;
        Ok(record)
    }

    /// Takes a draft live.
    ///
    /// # Errors
    /// Unknown or archived agent; it has no number. A missing target is a warning.
    pub fn publish(&mut self, tenant: TenantId, id: AgentId) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, id)?;
        if record.numbers.is_empty() && !record.agent.is_live() {
            return Err(Refusal::NotReady(vec!["phone_numbers"]).into());
        }
        if !record.agent.is_live() {
            self.refuse_mirrored_agent(id)?;
        }
        self.set_state(record, AgentState::Live, "agent.publish")
    }

    /// Makes a live agent a draft again; nothing of it is lost.
    ///
    /// # Errors
    /// Unknown or archived agent.
    pub fn unpublish(&mut self, tenant: TenantId, id: AgentId) -> Result<AgentRecord, WriteError> {
        let record = self.open_agent(tenant, id)?;
        if record.agent.is_live() {
            self.refuse_mirrored_agent(id)?;
        }
        self.set_state(record, AgentState::Draft, "agent.unpublish")
    }

    /// Retires an agent: all its numbers are detached. Its touches still count, and lists that name
    /// it as a source keep it. Again it changes nothing.
    ///
    /// # Errors
    /// Unknown agent; a mirrored one.
    pub fn archive_agent(
        &mut self,
        tenant: TenantId,
        id: AgentId,
    ) -> Result<AgentRecord, WriteError> {
        let record = self.known_agent(tenant, id)?;
        if record.agent.state == AgentState::Archived {
            return Ok(record);
        }
        self.refuse_mirrored_agent(id)?;
        self.retire_agent(&record)
    }

    pub(super) fn retire_agent(&mut self, record: &AgentRecord) -> Result<AgentRecord, WriteError> {
        self.detach_all(record)?;
        let mut record = self.known_agent(record.agent.tenant, record.agent.id)?;
        record.archived_at = Some(self.now());
        self.set_state(record, AgentState::Archived, "agent.archive")
    }

    /// Deletes an agent for good. It leaves every list of sources, and its touches match nothing.
    ///
    /// # Errors
    /// Unknown or archived agent; a live one must be unpublished first.
    pub fn delete_agent(&mut self, tenant: TenantId, id: AgentId) -> Result<(), WriteError> {
        let record = self.open_agent(tenant, id)?;
        self.refuse_mirrored_agent(id)?;
        if record.agent.is_live() {
            return Err(Refusal::AgentPublished.into());
        }
        self.remove_agent(&record)
    }

    pub(super) fn remove_agent(&mut self, record: &AgentRecord) -> Result<(), WriteError> {
        let (tenant, id) = (record.agent.tenant, record.agent.id);
        self.leave_lists(tenant, id)?;
        self.detach_all(record)?;
        self.delete_callback(id)?;
        self.delete_webhooks_of(tenant, id)?;
        self.delete_agent_row(id)?;
        self.insert_audit(Some(tenant), "agent.delete", Some(id.0))
    }

    pub(super) fn set_state(
        &mut self,
        mut record: AgentRecord,
        state: AgentState,
        action: &str,
    ) -> Result<AgentRecord, WriteError> {
        let (tenant, id) = (record.agent.tenant, record.agent.id);
        if record.agent.state != state {
            record.agent.state = state;
            self.put_agent(&record)?;
            self.insert_audit(Some(tenant), action, Some(id.0))?;
        }
        // Noted even where nothing changed: the write answers with what there is to warn of.
        self.touch_agent(id)?;
        self.known_agent(tenant, id)
    }
}

fn check_profile(profile: &str) -> Result<(), Refusal> {
    if profile.len() > PROFILE_LEN_MAX {
        let message = format!("All fields together must be at most {PROFILE_LEN_MAX} bytes.");
        return Err(Refusal::invalid("profile", message));
    }
    Ok(())
}

fn check_parameters(parameters: &[(String, String)]) -> Result<(), Refusal> {
    if parameters.len() > RUNTIME_PARAMETERS_MAX {
        let message = format!("Must be at most {RUNTIME_PARAMETERS_MAX} parameters.");
        return Err(Refusal::invalid("runtime_parameters", message));
    }
    Ok(())
}
