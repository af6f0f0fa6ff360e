//! Numbers: adding, changing, removing.

use super::{Tx, WriteError, named};
use crate::{
    domain::{
        Account, AccountId, AgentId, Direction, E164, Number, NumberId, NumberRecord, Refusal,
        TenantId,
    },
    store::{NewNumber, NumberPatch, Rows},
};

impl Tx<'_> {
    /// Adds a number. Where the tenant has it at that account already, it is answered as it is,
    /// and `false`. The carrier is not asked.
    ///
    /// # Errors
    /// Unknown tenant or account; several accounts and none named; somebody else has the number
    /// there; wrong fields.
    pub fn add_number(
        &mut self,
        tenant: TenantId,
        new: NewNumber,
    ) -> Result<(NumberRecord, bool), WriteError> {
        self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let account = match &new.account {
            Some(name) => Some(self.usable_account(tenant, name)?),
            None => self.only_account(tenant)?,
        };
        if let Some(known) = self.held(tenant, account, new.e164)? {
            return Ok((known, false));
        }
        if let Some(target) = &new.passthrough {
            self.check_target(tenant, "passthrough", target)?;
        }
        let friendly_name = friendly(new.friendly_name)?;
        let number = Number {
            id: NumberId(self.new_id()),
            tenant,
            account,
            e164: new.e164,
            passthrough: new.passthrough,
            owners: Vec::new(),
        };
        self.insert_number(&number, friendly_name.as_deref())?;
        self.insert_audit(Some(tenant), "number.add", Some(number.id.0))?;
        Ok((self.known_number(tenant, number.id)?, true))
    }

    /// Changes a number.
    ///
    /// # Errors
    /// Unknown number or account; somebody has the number at that account; a default agent that is
    /// not attached or not inbound; wrong fields.
    pub fn update_number(
        &mut self,
        tenant: TenantId,
        id: NumberId,
        patch: NumberPatch,
    ) -> Result<NumberRecord, WriteError> {
        let mut record = self.known_number(tenant, id)?;
        let is_renamed = patch.friendly_name.as_ref().is_some_and(|n| *n != record.friendly_name);
        if is_renamed || patch.default_agent.is_some() {
            self.refuse_mirrored_defaults(id)?;
        }
        if let Some(account) = patch.account {
            let account = account.map(|name| self.usable_account(tenant, &name)).transpose()?;
            if account != record.account && self.number_at(account, record.e164)?.is_some() {
                return Err(Refusal::NumberTaken.into());
            }
            record.account = account;
        }
        if let Some(name) = patch.friendly_name {
            record.friendly_name = friendly(name)?;
        }
        if let Some(passthrough) = patch.passthrough {
            if let Some(target) = &passthrough {
                self.check_target(tenant, "passthrough", target)?;
            }
            record.passthrough = passthrough;
        }
        let (friendly_name, passthrough) =
            (record.friendly_name.as_deref(), record.passthrough.as_ref());
        self.put_number(id, record.account, friendly_name, passthrough)?;
        if let Some(agent) = patch.default_agent {
            self.claim_for(&record, agent)?;
        }
        self.insert_audit(Some(tenant), "number.update", Some(id.0))?;
        self.known_number(tenant, id)
    }

    /// Removes a number.
    ///
    /// # Errors
    /// Unknown number; agents are attached to it.
    pub fn remove_number(&mut self, tenant: TenantId, id: NumberId) -> Result<(), WriteError> {
        let record = self.known_number(tenant, id)?;
        self.refuse_mirrored_number(id)?;
        let mut named = record.bindings.iter().map(|binding| binding.agent);
        let implicit = record.inbound.as_ref().map(|config| config.agent);
        if named.any(|agent| Some(agent) != implicit) {
            return Err(Refusal::NumberInUse.into());
        }
        self.forget_inbound(&record)?;
        self.delete_number(id)?;
        self.insert_audit(Some(tenant), "number.remove", Some(id.0))
    }

    /// Removes a number from whoever is attached to it, then altogether. The carrier is not asked.
    ///
    /// # Errors
    /// Unknown number.
    pub fn release_number(
        &mut self,
        tenant: TenantId,
        id: NumberId,
    ) -> Result<NumberRecord, WriteError> {
        let record = self.known_number(tenant, id)?;
        for binding in &record.bindings {
            self.detach_number(tenant, binding.agent, id)?;
        }
        self.remove_number(tenant, id)?;
        Ok(NumberRecord { bindings: Vec::new(), default_agent: None, inbound: None, ..record })
    }

    /// A claim by name. It may also be made for an agent that holds the callback role: what taking
    /// the role gave up, somebody now asks for by name.
    fn claim_for(&mut self, record: &NumberRecord, agent: AgentId) -> Result<(), WriteError> {
        let owner = self.known_agent(record.tenant, agent)?;
        let bindings = &record.bindings;
        let binding = bindings.iter().find(|binding| binding.agent == agent);
        let binding = binding.ok_or(Refusal::NumberNotAttached)?;
        if owner.agent.direction != Direction::Inbound {
            return Err(Refusal::NotInbound.into());
        }
        let latest = bindings.iter().filter_map(|binding| binding.claim).max();
        if binding.claim.is_none() || binding.claim < latest {
            self.put_claim(record.id, agent)?;
        }
        Ok(())
    }
}

impl Rows<'_> {
    /// The account by which a number is to be bought, and the number where the tenant has it
    /// there already.
    ///
    /// # Errors
    /// No account, or several and none named; somebody else has the number there.
    pub fn to_buy(
        &self,
        tenant: TenantId,
        account: Option<&str>,
        e164: E164,
    ) -> Result<(Account, Option<NumberRecord>), WriteError> {
        let account = self.buying(tenant, account)?;
        let held = self.held(tenant, Some(account.id), e164)?;
        Ok((account, held))
    }

    /// The account by which numbers are bought.
    ///
    /// # Errors
    /// No account, or several and none named.
    pub fn buying(&self, tenant: TenantId, account: Option<&str>) -> Result<Account, WriteError> {
        let id = match account {
            Some(name) => Some(self.usable_account(tenant, name)?),
            None => self.only_account(tenant)?,
        };
        let account = id.map(|id| self.account(id)).transpose()?.flatten();
        Ok(account.ok_or(Refusal::AccountNotFound)?)
    }

    fn held(
        &self,
        tenant: TenantId,
        account: Option<AccountId>,
        e164: E164,
    ) -> Result<Option<NumberRecord>, WriteError> {
        let known = self.number_at(account, e164)?;
        if known.as_ref().is_some_and(|known| known.tenant != tenant) {
            return Err(Refusal::NumberTaken.into());
        }
        Ok(known)
    }

    pub(super) fn usable_account(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<AccountId, WriteError> {
        let usable = self.usable_accounts(tenant)?;
        let named = usable.iter().find(|account| account.name == name);
        Ok(named.ok_or(Refusal::AccountNotFound)?.id)
    }

    fn only_account(&self, tenant: TenantId) -> Result<Option<AccountId>, WriteError> {
        match self.usable_accounts(tenant)?.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.id)),
            [_, _, ..] => Err(Refusal::AccountAmbiguous.into()),
        }
    }
}

/// A blank name is none.
fn friendly(name: Option<String>) -> Result<Option<String>, Refusal> {
    let name = name.filter(|name| !name.trim().is_empty());
    name.map(|name| named("friendly_name", &name)).transpose()
}
