//! The steps that make each agent what the document says.

use serde_json::{Map, Value};

use super::{Applying, WriteError, names::at, part};
use crate::{
    domain::{AgentId, AgentRecord, AgentSetup, AgentState, Callback, OutcomeSet, Refusal, Target},
    store::{AgentPatch, CallbackChange, NewAgent, Role, Sharing},
};

impl Applying<'_, '_> {
    fn said(&self, place: usize) -> AgentSetup {
        let agents = self.setup.agents.as_deref().unwrap_or_default();
        agents.get(place).cloned().unwrap_or_default()
    }

    fn record(&self, id: AgentId) -> Result<AgentRecord, WriteError> {
        self.tx.known_agent(self.tenant, id)
    }

    /// A new agent is live until the end: whoever names it as a source means it as it was.
    pub(super) fn make_agent(
        &mut self,
        place: usize,
        agent: &AgentSetup,
    ) -> Result<AgentId, WriteError> {
        let Some(direction) = agent.direction else {
            let refusal = Refusal::invalid("direction", "Is required: the agent is new.");
            return Err(part(format!("agents[{place}]"), refusal));
        };
        let new = NewAgent {
            state: AgentState::Live,
            label: agent.label.clone().flatten(),
            profile: merged("{}", &agent.profile),
            runtime_parameters: agent.runtime_parameters.clone().unwrap_or_default(),
            first_audio_timeout_ms: agent.first_audio_timeout_ms.flatten(),
            ..NewAgent::named(direction, agent.name.as_deref().unwrap_or_default())
        };
        Ok(self.tx.create_agent(self.tenant, new, Sharing::Allowed)?.agent.id)
    }

    pub(super) fn leave_role(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let leaves = self.said(place).sources.is_some_and(|sources| sources.is_empty());
        if leaves && self.record(id)?.agent.callback.is_some() {
            self.tx.remove_callback(self.tenant, id)?;
        }
        Ok(())
    }

    pub(super) fn turn(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let Some(direction) = self.said(place).direction else { return Ok(()) };
        if self.record(id)?.agent.direction != direction {
            if self.how.busy.contains(&id) {
                return Err(Refusal::AgentHasActiveCalls.into());
            }
            let turned = self.tx.set_calling(self.tenant, id, direction, None);
            turned.map_err(|error| at(format!("agents[{place}].direction"), error))?;
        }
        Ok(())
    }

    pub(super) fn step_off_agents(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let Some(targets) = self.said(place).targets else { return Ok(()) };
        let ladder = self.ladder(&format!("agents[{place}]"), &targets)?;
        let now = self.record(id)?.agent.targets;
        let leads_on = now.iter().any(|target| matches!(target, Target::Agent(_)));
        if leads_on && ladder.is_some_and(|ladder| ladder != now) {
            let patch = AgentPatch { targets: Some(Vec::new()), ..AgentPatch::default() };
            self.tx.update_agent(self.tenant, id, patch)?;
        }
        Ok(())
    }

    pub(super) fn put_fields(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let said = self.said(place);
        let now = self.record(id)?;
        let ladder = match &said.targets {
            Some(targets) => self.ladder(&format!("agents[{place}]"), targets)?,
            None => None,
        };
        let profile = merged(&now.profile, &said.profile);
        let profile = (!said.profile.is_empty() && profile != now.profile).then_some(profile);
        let patch = AgentPatch {
            name: said.name.filter(|name| name.trim() != now.agent.name),
            label: said.label.filter(|label| *label != now.label),
            profile,
            targets: ladder.filter(|ladder| *ladder != now.agent.targets),
            runtime_parameters: said
                .runtime_parameters
                .filter(|parameters| *parameters != now.agent.runtime_parameters),
            first_audio_timeout_ms: said
                .first_audio_timeout_ms
                .filter(|timeout| *timeout != now.agent.first_audio_timeout_ms),
            min_attestation: said
                .min_attestation
                .filter(|least| *least != now.agent.min_attestation),
            context_min_attestation: said
                .context_min_attestation
                .filter(|least| *least != now.agent.context_min_attestation),
            runtime_media: said.runtime_media.filter(|media| *media != now.agent.runtime_media),
        };
        if !patch.is_empty() {
            self.tx.update_agent(self.tenant, id, patch)?;
        }
        Ok(())
    }

    /// Before roles: a source must be published to be listed.
    pub(super) fn go_live(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let now = self.record(id)?;
        match (self.said(place).state, now.agent.state) {
            (Some(AgentState::Live), AgentState::Draft) => {
                self.tx.refuse_mirrored_agent(id)?;
                self.tx.set_state(now, AgentState::Live, "agent.publish")?;
            }
            (Some(AgentState::Live | AgentState::Draft), AgentState::Archived) => {
                let path = format!("agents[{place}].state");
                return Err(part(path, Refusal::AgentArchived));
            }
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    pub(super) fn put_numbers_of(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let said = self.said(place);
        let now = self.record(id)?;
        if let Some(numbers) = &said.numbers {
            let mut wanted = Vec::with_capacity(numbers.len());
            for (nth, number) in numbers.iter().enumerate() {
                let path = format!("agents[{place}].numbers[{nth}]");
                let known = self.known_or_added(number).map_err(|error| at(path, error))?;
                self.numbers.insert(known);
                wanted.push(known);
            }
            let is_same = wanted.len() == now.numbers.len()
                && wanted.iter().all(|number| now.numbers.contains(number));
            if !is_same {
                self.tx.open_agent(self.tenant, id)?;
                self.tx.refuse_mirrored_agent(id)?;
                self.tx.replace_numbers(&now, &wanted, Sharing::Allowed)?;
                self.tx.insert_audit(Some(self.tenant), "agent.numbers", Some(id.0))?;
            }
        }
        if let Some(primary) = &said.primary {
            let path = format!("agents[{place}].primary");
            let known = self.known(primary).map_err(|error| at(path.clone(), error))?;
            let known = known.ok_or_else(|| part(path.clone(), Refusal::NumberNotFound))?;
            if self.record(id)?.primary_number != Some(known.id) {
                let set = self.tx.set_primary(self.tenant, id, known.id);
                set.map_err(|error| at(path, error))?;
            }
        }
        Ok(())
    }

    pub(super) fn put_role(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let said = self.said(place);
        let held = self.record(id)?.agent.callback;
        let sources = match (&said.sources, &held) {
            (Some(sources), _) if sources.is_empty() => return Ok(()),
            (Some(sources), _) => {
                let mut found = Vec::with_capacity(sources.len());
                for (nth, source) in sources.iter().enumerate() {
                    let path = format!("agents[{place}].sources[{nth}]");
                    match self.named(source).map_err(|error| at(path, error))? {
                        Some(source) if !found.contains(&source) => found.push(source),
                        Some(_) => {}
                        None => return Ok(()),
                    }
                }
                found
            }
            (None, Some(held)) => held.sources.clone(),
            (None, None) if said.window_days.is_none() && said.trigger_outcomes.is_none() => {
                return Ok(());
            }
            (None, None) => {
                let message = "The callback role has sources: name them.";
                return Err(Refusal::invalid("sources", message).into());
            }
        };
        let window = held.as_ref().and_then(|held| held.window_days);
        let outcomes = held.as_ref().map_or(OutcomeSet::ALL, |held| held.trigger_outcomes);
        let wanted = Callback {
            sources,
            window_days: said.window_days.unwrap_or(window),
            trigger_outcomes: said.trigger_outcomes.unwrap_or(outcomes),
            since: held.as_ref().map_or(0, |held| held.since),
        };
        if held.as_ref() != Some(&wanted) {
            let change = CallbackChange {
                sources: wanted.sources,
                window_days: Some(wanted.window_days),
                trigger_outcomes: Some(wanted.trigger_outcomes),
            };
            self.tx.set_callback(self.tenant, id, change, Role::TakeOrReplace)?;
        }
        Ok(())
    }

    pub(super) fn retire(&mut self, place: usize, id: AgentId) -> Result<(), WriteError> {
        let now = self.record(id)?;
        match (self.said(place).state, now.agent.state) {
            (Some(AgentState::Draft), AgentState::Live) => {
                self.tx.refuse_mirrored_agent(id)?;
                self.tx.set_state(now, AgentState::Draft, "agent.unpublish")?;
            }
            (Some(AgentState::Archived), AgentState::Live | AgentState::Draft) => {
                self.tx.archive_agent(self.tenant, id)?;
            }
            (Some(_) | None, _) => {}
        }
        Ok(())
    }
}

impl AgentPatch {
    fn is_empty(&self) -> bool {
        let Self {
            name,
            label,
            profile,
            targets,
            runtime_parameters,
            first_audio_timeout_ms,
            min_attestation,
            context_min_attestation,
            runtime_media,
        } = self;
        name.is_none()
            && label.is_none()
            && profile.is_none()
            && targets.is_none()
            && runtime_parameters.is_none()
            && first_audio_timeout_ms.is_none()
            && min_attestation.is_none()
            && context_min_attestation.is_none()
            && runtime_media.is_none()
    }
}

/// A profile with changes applied: texts of JSON values, none takes away.
fn merged(profile: &str, changes: &[(String, Option<String>)]) -> String {
    let mut bag: Map<String, Value> = serde_json::from_str(profile).unwrap_or_default();
    for (name, value) in changes {
        match value.as_deref().map(serde_json::from_str) {
            Some(Ok(value)) => {
                bag.insert(name.clone(), value);
            }
            Some(Err(_)) | None => {
                bag.remove(name);
            }
        }
    }
    Value::Object(bag).to_string()
}
