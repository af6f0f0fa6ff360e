//! The step that makes the tenant's settings what the document says.

use super::{Applying, WriteError, names::at};
use crate::{
    domain::{AgentId, AgentRef, BelowMin, BelowMinRef, Refusal, TenantSettings},
    store::SettingsPatch,
};

impl Applying<'_, '_> {
    pub(super) fn put_settings(&mut self) -> Result<(), WriteError> {
        match self.settings_patch() {
            Ok(patch) if patch.is_empty() => Ok(()),
            Ok(patch) => match self.tx.update_settings(self.tenant, patch) {
                Ok(_) => Ok(()),
                Err(error) => self.note("settings".to_owned(), error),
            },
            Err(error) => self.note("settings".to_owned(), error),
        }
    }

    /// Roles come before the settings, so that both may become shorter at once; that touches are
    /// kept longer comes before the roles, so that both may become longer.
    pub(super) fn keep_longer(&mut self) -> Result<(), WriteError> {
        let record = self.tx.tenant(self.tenant)?.ok_or(Refusal::TenantNotFound)?;
        let now = record.tenant.settings.touch_retention_days;
        let longer = self.setup.settings.touch_retention_days.filter(|days| *days > now);
        let Some(days) = longer else { return Ok(()) };
        let patch = SettingsPatch { touch_retention_days: Some(days), ..SettingsPatch::default() };
        match self.tx.update_settings(self.tenant, patch) {
            Ok(_) => Ok(()),
            Err(error) => self.note("settings".to_owned(), error),
        }
    }

    /// What the document says and is not so.
    fn settings_patch(&self) -> Result<SettingsPatch, WriteError> {
        let record = self.tx.tenant(self.tenant)?.ok_or(Refusal::TenantNotFound)?;
        let now: TenantSettings = record.tenant.settings;
        let said = &self.setup.settings;
        let named = |field: &str, named: &AgentRef| -> Result<Option<AgentId>, WriteError> {
            self.named(named).map_err(|error| at(format!("settings.{field}"), error))
        };
        let below_min = match &said.below_min {
            None => None,
            Some(BelowMinRef::AsWithheld) => Some(BelowMin::AsWithheld),
            Some(BelowMinRef::Reject) => Some(BelowMin::Reject),
            Some(BelowMinRef::Agent(agent)) => named("below_min", agent)?.map(BelowMin::Agent),
        };
        let fallback_agent = match &said.fallback_agent {
            None => None,
            Some(None) => Some(None),
            Some(Some(agent)) => named("fallback_agent", agent)?.map(Some),
        };
        let block_list = said.block_list.clone().map(|mut list| {
            list.sort_unstable();
            list.dedup();
            list
        });
        Ok(SettingsPatch {
            window_days: new(said.window_days, &now.window_days),
            touch_retention_days: new(said.touch_retention_days, &now.touch_retention_days),
            min_attestation: new(said.min_attestation, &now.min_attestation),
            below_min: new(below_min, &now.below_min),
            context_min_attestation: new(
                said.context_min_attestation,
                &now.context_min_attestation,
            ),
            fallback_agent: new(fallback_agent, &now.fallback_agent),
            last_resort: new(said.last_resort.clone(), &now.last_resort),
            block_list: new(block_list, &now.block_list),
            block_target: new(said.block_target.clone(), &now.block_target),
        })
    }
}

/// What is said, where it is not so.
fn new<T: PartialEq>(said: Option<T>, now: &T) -> Option<T> {
    said.filter(|said| said != now)
}

impl SettingsPatch {
    fn is_empty(&self) -> bool {
        let Self {
            window_days,
            touch_retention_days,
            min_attestation,
            below_min,
            context_min_attestation,
            fallback_agent,
            last_resort,
            block_list,
            block_target,
        } = self;
        window_days.is_none()
            && touch_retention_days.is_none()
            && min_attestation.is_none()
            && below_min.is_none()
            && context_min_attestation.is_none()
            && fallback_agent.is_none()
            && last_resort.is_none()
            && block_list.is_none()
            && block_target.is_none()
    }
}
