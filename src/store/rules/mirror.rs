//! What a hosted control API says becomes rows of ours, and nobody else writes to them.
//!
//! Theirs is what they tell of: agents with name, direction, state, fields and numbers, that a
//! number is there at all; in Talkover's case callback roles, in CallingBox's numbers' names and
//! defaults. Everything else about the rows is ours: targets, a runtime's parameters, a number's
//! account and passthrough. What a pull brings is one write, so it is seen whole.

use super::{NAME_LEN_MAX, Tx, WriteError};
use crate::{
    domain::{
        AccountId, Agent, AgentId, AgentRecord, AgentState, Callback, Direction, FieldError,
        HostedAgent, HostedCallback, HostedNumber, Number, NumberId, OutcomeSet, Refusal,
        UpstreamRecord,
    },
    store::MirrorChange,
};

/// Sources of one role at most, as for a role that is given here.
const SOURCES_MAX: usize = 1000;

impl Tx<'_> {
    /// Makes the upstreams what the configuration file says. What was mirrored from one that has
    /// left the file stays, and is ours from then on.
    ///
    /// # Errors
    /// The store's.
    pub fn reconcile_upstreams(&mut self, wanted: &[UpstreamRecord]) -> Result<(), WriteError> {
        for known in self.upstreams()? {
            let kept = wanted.iter().find(|wanted| wanted.name == known.name);
            let is_same =
                kept.is_some_and(|kept| kept.kind == known.kind && kept.tenant == known.tenant);
            if !is_same {
                self.delete_upstream(&known.name)?;
                self.insert_audit(Some(known.tenant), "upstream.release", None)?;
            }
        }
        for upstream in wanted {
            self.put_upstream(upstream)?;
        }
        Ok(())
    }

    /// Applies what has changed at an upstream. `account` is the carrier account of numbers that
    /// have none.
    ///
    /// # Errors
    /// Unknown upstream or account; something of somebody else's stands in a row's place.
    pub fn apply_mirror(
        &mut self,
        name: &str,
        account: Option<&str>,
        change: MirrorChange,
    ) -> Result<(), WriteError> {
        let upstream = self.upstream(name)?.ok_or(Refusal::UpstreamNotFound)?;
        self.is_mirroring = true;
        let account = match account {
            Some(account) => {
                let usable = self.usable_accounts(upstream.tenant)?;
                let named = usable.iter().find(|known| known.name == account);
                Some(named.ok_or(Refusal::AccountNotFound)?.id)
            }
            None => None,
        };
        for id in change.gone_agents {
            self.mirror_gone_agent(&upstream, id)?;
        }
        for id in change.gone_numbers {
            self.mirror_gone_number(&upstream, id)?;
        }
        for number in &change.numbers {
            self.mirror_number(&upstream, account, number)?;
        }
        // Every agent before any role, which may name those that follow.
        for agent in &change.agents {
            self.mirror_agent(&upstream, agent)?;
        }
        for agent in &change.agents {
            if upstream.kind.has_callbacks() {
                self.mirror_callback(&upstream, agent)?;
            }
            self.mirror_bindings(&upstream, agent)?;
        }
        if upstream.kind.has_defaults() {
            for number in &change.numbers {
                self.mirror_default(&upstream, number)?;
            }
        }
        self.insert_audit(Some(upstream.tenant), "upstream.apply", None)
    }

    /// CallingBox retires agents and Talkover deletes them: what is not told of any more has had
    /// that done to it.
    fn mirror_gone_agent(
        &mut self,
        upstream: &UpstreamRecord,
        id: AgentId,
    ) -> Result<(), WriteError> {
        let Some(record) = self.agent(upstream.tenant, id)? else { return Ok(()) };
        if upstream.kind.has_callbacks() {
            return self.remove_agent(&record);
        }
        if record.agent.state != AgentState::Archived {
            self.retire_agent(&record)?;
        }
        Ok(())
    }

    fn mirror_gone_number(
        &mut self,
        upstream: &UpstreamRecord,
        id: NumberId,
    ) -> Result<(), WriteError> {
        let Some(record) = self.number(upstream.tenant, id)? else { return Ok(()) };
        for binding in &record.bindings {
            self.delete_binding(id, binding.agent)?;
            let primary = self.known_agent(upstream.tenant, binding.agent)?.primary_number;
            self.settle_primary(upstream.tenant, binding.agent, primary)?;
        }
        self.delete_number(id)?;
        self.insert_audit(Some(upstream.tenant), "number.remove", Some(id.0))
    }

    fn mirror_number(
        &mut self,
        upstream: &UpstreamRecord,
        account: Option<AccountId>,
        told: &HostedNumber,
    ) -> Result<(), WriteError> {
        let tenant = upstream.tenant;
        let clash = |message: &str| {
            let (field, message) = (format!("numbers.{}", told.e164), message.to_owned());
            WriteError::from(Refusal::Invalid(vec![FieldError { field, message }]))
        };
        let Some(known) = self.any_number(told.id)? else {
            if self.number_at(account, told.e164)?.is_some() {
                return Err(clash("Is here already, by another id: remove it first."));
            }
            let number = Number {
                id: told.id,
                tenant,
                account,
                e164: told.e164,
                passthrough: None,
                owners: Vec::new(),
            };
            self.insert_number(&number, told.friendly_name.as_deref())?;
            return self.mark_number(told.id, &upstream.name);
        };
        if known.tenant != tenant || known.e164 != told.e164 {
            return Err(clash("Has an id that is another number's here."));
        }
        let has_place = account.is_some() && known.account.is_none();
        if has_place && self.number_at(account, told.e164)?.is_some() {
            return Err(clash("Is at that account already: remove it there first."));
        }
        let name = match upstream.kind.has_defaults() {
            true => told.friendly_name.as_deref(),
            false => known.friendly_name.as_deref(),
        };
        self.put_number(told.id, known.account.or(account), name, known.passthrough.as_ref())?;
        self.mark_number(told.id, &upstream.name)
    }

    fn mirror_agent(
        &mut self,
        upstream: &UpstreamRecord,
        told: &HostedAgent,
    ) -> Result<(), WriteError> {
        let tenant = upstream.tenant;
        let name: String = told.name.chars().take(NAME_LEN_MAX).collect();
        let Some(known) = self.routed_agent(told.id)? else {
            let agent = Agent {
                id: told.id,
                tenant,
                name,
                direction: told.direction,
                state: told.state,
                targets: Vec::new(),
                callback: None,
                runtime_parameters: Vec::new(),
                first_audio_timeout_ms: None,
                min_attestation: None,
                context_min_attestation: None,
                runtime_media: None,
            };
            self.insert_agent(&agent, told.label.as_deref(), &told.profile)?;
            return self.mark_agent(told.id, &upstream.name);
        };
        if known.tenant != tenant {
            let field = format!("agents.{}", told.id);
            return Err(Refusal::invalid(field, "Has an id that is taken here.").into());
        }
        let mut record = self.known_agent(tenant, told.id)?;
        if known.direction != told.direction {
            self.leave_lists(tenant, told.id)?;
            self.clear_claims(told.id)?;
            self.delete_callback(told.id)?;
        }
        record.agent.name = name;
        record.label.clone_from(&told.label);
        record.agent.direction = told.direction;
        record.agent.state = told.state;
        record.profile.clone_from(&told.profile);
        let is_archived = told.state == AgentState::Archived;
        let archived_at = record.archived_at.unwrap_or(self.now());
        record.archived_at = is_archived.then_some(archived_at);
        self.put_agent(&record)?;
        self.mark_agent(told.id, &upstream.name)
    }

    /// What a role does not say, its window or its outcomes, stays as it was said here.
    fn mirror_callback(
        &mut self,
        upstream: &UpstreamRecord,
        told: &HostedAgent,
    ) -> Result<(), WriteError> {
        let id = told.id;
        let held = self.known_agent(upstream.tenant, id)?.agent.callback;
        let role = told.callback.as_ref().filter(|_| told.direction == Direction::Inbound);
        let sources = match role {
            Some(role) => self.known_sources(upstream, role)?,
            None => Vec::new(),
        };
        let Some(role) = role.filter(|_| !sources.is_empty()) else {
            return if held.is_some() { self.delete_callback(id) } else { Ok(()) };
        };
        let tenant = self.tenant(upstream.tenant)?.ok_or(Refusal::TenantNotFound)?;
        let kept = tenant.tenant.settings.touch_retention_days;
        let window_days = role.window_days.map(|days| days.min(kept));
        let outcomes = held.as_ref().map_or(OutcomeSet::ALL, |held| held.trigger_outcomes);
        let taken = Callback {
            sources,
            window_days: window_days.or(held.as_ref().and_then(|held| held.window_days)),
            trigger_outcomes: role.trigger_outcomes.unwrap_or(outcomes),
            since: held.as_ref().map_or(self.next_seq(), |held| held.since),
        };
        self.put_callback(id, &taken)?;
        if held.is_none() {
            self.clear_claims(id)?;
        }
        Ok(())
    }

    /// The sources that are here: one that was made while the pull went on comes with the next.
    fn known_sources(
        &self,
        upstream: &UpstreamRecord,
        role: &HostedCallback,
    ) -> Result<Vec<AgentId>, WriteError> {
        let mut sources: Vec<AgentId> = Vec::new();
        for &source in role.sources.iter().take(SOURCES_MAX) {
            let is_outbound = self
                .agent(upstream.tenant, source)?
                .is_some_and(|record| record.agent.direction == Direction::Outbound);
            if is_outbound && !sources.contains(&source) {
                sources.push(source);
            }
        }
        Ok(sources)
    }

    /// A new binding of an inbound agent claims where nobody says who a number's default is.
    fn mirror_bindings(
        &mut self,
        upstream: &UpstreamRecord,
        told: &HostedAgent,
    ) -> Result<(), WriteError> {
        let record: AgentRecord = self.known_agent(upstream.tenant, told.id)?;
        for &number in record.numbers.iter().filter(|number| !told.numbers.contains(number)) {
            self.delete_binding(number, told.id)?;
        }
        let claims = !upstream.kind.has_defaults()
            && told.direction == Direction::Inbound
            && record.agent.callback.is_none();
        let mut attached = record.numbers;
        for &number in &told.numbers {
            let is_new = !attached.contains(&number);
            if is_new && self.number(upstream.tenant, number)?.is_some() {
                self.insert_binding(number, told.id, claims)?;
                attached.push(number);
            }
        }
        let primary = told.primary.or(record.primary_number);
        self.settle_primary(upstream.tenant, told.id, primary)
    }

    /// The latest claim among the upstream's own agents is its default agent's.
    fn mirror_default(
        &mut self,
        upstream: &UpstreamRecord,
        told: &HostedNumber,
    ) -> Result<(), WriteError> {
        let Some(agent) = told.default_agent else { return Ok(()) };
        let mut latest = None;
        let mut has_agent = false;
        for binding in self.known_number(upstream.tenant, told.id)?.bindings {
            has_agent |= binding.agent == agent && binding.direction == Direction::Inbound;
            if self.upstream_of_agent(binding.agent)?.is_some() && binding.claim.is_some() {
                latest = latest.max(Some((binding.claim, binding.agent)));
            }
        }
        if has_agent && latest.is_none_or(|(_, holder)| holder != agent) {
            self.put_claim(told.id, agent)?;
        }
        Ok(())
    }

    /// Refuses to write what is a hosted API's to say of an agent.
    pub(super) fn refuse_mirrored_agent(&self, id: AgentId) -> Result<(), WriteError> {
        refuse(self.upstream_of_agent(id)?)
    }

    /// The same of its callback role.
    pub(super) fn refuse_mirrored_callback(&self, id: AgentId) -> Result<(), WriteError> {
        refuse(self.upstream_of_agent(id)?.filter(|upstream| upstream.kind.has_callbacks()))
    }

    /// The same of whether a number is there.
    pub(super) fn refuse_mirrored_number(&self, id: NumberId) -> Result<(), WriteError> {
        refuse(self.upstream_of_number(id)?)
    }

    /// The same of a number's name and default agent.
    pub(super) fn refuse_mirrored_defaults(&self, id: NumberId) -> Result<(), WriteError> {
        refuse(self.upstream_of_number(id)?.filter(|upstream| upstream.kind.has_defaults()))
    }
}

fn refuse(owner: Option<UpstreamRecord>) -> Result<(), WriteError> {
    match owner {
        Some(upstream) => Err(Refusal::Mirrored(upstream.owner()).into()),
        None => Ok(()),
    }
}
