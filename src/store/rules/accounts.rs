//! Carrier accounts of the configuration file, and the keys media tokens are signed with.

use super::{Tx, WriteError};
use crate::domain::{Account, AccountId, AccountOrigin, MediaKey, Refusal, TenantId};

impl Tx<'_> {
    /// Makes the accounts of the configuration file what the file says. One that has left the file
    /// goes; its numbers wait for its return.
    ///
    /// # Errors
    /// A name is that of an account made through the API; a tenant is unknown.
    pub fn reconcile_accounts(&mut self, accounts: Vec<Account>) -> Result<(), WriteError> {
        let known = self.accounts()?;
        let gone = known.iter().filter(|known| known.origin == AccountOrigin::File);
        for account in gone.filter(|known| accounts.iter().all(|new| new.id != known.id)) {
            self.delete_account(account.id, AccountOrigin::File)?;
            self.insert_audit(account.tenant, "account.remove", Some(account.id.0))?;
        }
        for account in accounts {
            let account = Account { origin: AccountOrigin::File, ..account };
            let same_name = known.iter().find(|known| known.name == account.name);
            if same_name.is_some_and(|known| known.origin == AccountOrigin::Api) {
                return Err(Refusal::NameTaken.into());
            }
            if let Some(tenant) = account.tenant {
                self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
            }
            if same_name != Some(&account) {
                self.put_account(&account)?;
                self.insert_audit(account.tenant, "account.put", Some(account.id.0))?;
            }
        }
        Ok(())
    }

    /// Makes an account.
    ///
    /// # Errors
    /// The name is taken, or the tenant unknown.
    pub fn add_account(&mut self, account: Account) -> Result<Account, WriteError> {
        if self.account(account.id)?.is_some() {
            return Err(Refusal::NameTaken.into());
        }
        if let Some(tenant) = account.tenant {
            self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
            // An account is its name: who took over that of one that is gone would speak to the
            // agents of those whose numbers wait for its return.
            if self.is_awaited_by_others(account.id, tenant)? {
                return Err(Refusal::NameTaken.into());
            }
        }
        self.put_account(&account)?;
        self.insert_audit(account.tenant, "account.create", Some(account.id.0))?;
        Ok(account)
    }

    /// Changes an account made through the API: its secrets and how its carrier's API is spoken to.
    ///
    /// # Errors
    /// No such account of this tenant (an operator's `None` finds every one); the file keeps it.
    pub fn update_account(
        &mut self,
        tenant: Option<TenantId>,
        id: AccountId,
        change: impl FnOnce(&mut Account),
    ) -> Result<Account, WriteError> {
        let mut account = self.own_account(tenant, id)?;
        let Account { name, carrier, tenant: owner, account_id, origin, .. } = account.clone();
        change(&mut account);
        // Who it is stays: its name is a URL, and its calls' ids hang on it.
        account = Account { id, name, carrier, tenant: owner, account_id, origin, ..account };
        self.put_account(&account)?;
        self.insert_audit(account.tenant, "account.update", Some(id.0))?;
        Ok(account)
    }

    /// Removes an account made through the API. Its numbers stay, and answer no webhook.
    ///
    /// # Errors
    /// As for [`Tx::update_account`].
    pub fn remove_account(
        &mut self,
        tenant: Option<TenantId>,
        id: AccountId,
    ) -> Result<Account, WriteError> {
        let account = self.own_account(tenant, id)?;
        self.delete_account(id, AccountOrigin::Api)?;
        self.insert_audit(account.tenant, "account.remove", Some(id.0))?;
        Ok(account)
    }

    /// Writes down that something is signed in the account's name, and returns the account.
    ///
    /// # Errors
    /// No such account.
    pub fn sign_as(&mut self, id: AccountId) -> Result<Account, WriteError> {
        let account = self.account(id)?.ok_or(Refusal::AccountNotFound)?;
        self.insert_audit(account.tenant, "account.sign", Some(id.0))?;
        Ok(account)
    }

    fn own_account(&self, tenant: Option<TenantId>, id: AccountId) -> Result<Account, WriteError> {
        let account = self.account_of(tenant, id)?.ok_or(Refusal::AccountNotFound)?;
        match account.origin {
            AccountOrigin::File => Err(Refusal::AccountFromFile.into()),
            AccountOrigin::Api => Ok(account),
        }
    }

    /// Makes the first key for media tokens, where there is none.
    ///
    /// # Errors
    /// The store's.
    pub fn ensure_media_keys(&mut self) -> Result<(), WriteError> {
        if self.media_keys()?.is_empty() {
            self.insert_media_key(&MediaKey { id: 1, secret: rand::random() })?;
            self.insert_audit(None, "media_key.create", None)?;
        }
        Ok(())
    }
}
