//! A tenant's settings.

use super::{Tx, WriteError};
use crate::{
    domain::{AgentId, BelowMin, Direction, Refusal, Target, TenantId, TenantRecord},
    store::SettingsPatch,
};

/// Ten years: longer is a mistake, and nobody rings back after it.
const RETENTION_DAYS_MAX: u32 = 3650;
/// Callers on a block list at most: it is part of the tenant's every change in the log.
const BLOCK_LIST_MAX: usize = 10_000;

impl Tx<'_> {
    /// Changes a tenant's settings.
    ///
    /// # Errors
    /// Unknown tenant; wrong fields.
    pub fn update_settings(
        &mut self,
        tenant: TenantId,
        patch: SettingsPatch,
    ) -> Result<TenantRecord, WriteError> {
        let record = self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let mut settings = record.tenant.settings;
        settings.window_days = patch.window_days.unwrap_or(settings.window_days);
        settings.touch_retention_days =
            patch.touch_retention_days.unwrap_or(settings.touch_retention_days);
        self.check_days(tenant, settings.window_days, settings.touch_retention_days)?;
        settings.min_attestation = patch.min_attestation.unwrap_or(settings.min_attestation);
        settings.context_min_attestation =
            patch.context_min_attestation.unwrap_or(settings.context_min_attestation);
        if let Some(below_min) = patch.below_min {
            if let BelowMin::Agent(agent) = below_min {
                self.check_answers(tenant, "below_min", agent)?;
            }
            settings.below_min = below_min;
        }
        if let Some(fallback) = patch.fallback_agent {
            if let Some(agent) = fallback {
                self.check_answers(tenant, "fallback_agent_id", agent)?;
            }
            settings.fallback_agent = fallback;
        }
        if let Some(last_resort) = patch.last_resort {
            check_final("last_resort", &last_resort)?;
            settings.last_resort = last_resort;
        }
        if let Some(block_target) = patch.block_target {
            block_target.iter().try_for_each(|target| check_final("block_target", target))?;
            settings.block_target = block_target;
        }
        if let Some(mut list) = patch.block_list {
            list.sort_unstable();
            list.dedup();
            if list.len() > BLOCK_LIST_MAX {
                let message = format!("Must be at most {BLOCK_LIST_MAX} numbers.");
                return Err(Refusal::invalid("block_list", message).into());
            }
            settings.block_list = list;
        }
        self.put_settings(tenant, &settings)?;
        self.insert_audit(Some(tenant), "settings.update", Some(tenant.0))?;
        Ok(self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?)
    }

    fn check_days(&self, tenant: TenantId, window: u32, kept: u32) -> Result<(), WriteError> {
        if kept == 0 || kept > RETENTION_DAYS_MAX {
            let message = format!("Must be between 1 and {RETENTION_DAYS_MAX}.");
            return Err(Refusal::invalid("touch_retention_days", message).into());
        }
        if window > kept {
            let message = format!("Must be at most {kept}, the days that touches are kept.");
            return Err(Refusal::invalid("window_days", message).into());
        }
        let longest = self.window_days_max(tenant)?;
        if longest > kept {
            let message = format!("A callback agent has a window of {longest} days.");
            return Err(Refusal::invalid("touch_retention_days", message).into());
        }
        Ok(())
    }

    fn check_answers(
        &self,
        tenant: TenantId,
        field: &str,
        agent: AgentId,
    ) -> Result<(), WriteError> {
        let message = match self.agent(tenant, agent)? {
            None => "There is no such agent.",
            Some(record) if record.agent.direction != Direction::Inbound => {
                "The agent is not inbound."
            }
            Some(_) => return Ok(()),
        };
        Err(Refusal::invalid(field, message).into())
    }
}

fn check_final(field: &str, target: &Target) -> Result<(), Refusal> {
    if target.is_final() {
        return Ok(());
    }
    let message = "Must be neither a runtime nor an agent: it answers when those have failed.";
    Err(Refusal::invalid(field, message))
}
