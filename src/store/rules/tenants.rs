//! Tenants.

use super::{Tx, WriteError, named};
use crate::domain::{AccountOrigin, Refusal, TenantId, TenantRecord, TenantTie, UnixMillis};

/// Calls, deliveries, contacts and revisions that go with their tenant in one write: others get
/// their turn in between.
const REMOVED_MAX: u32 = 500;
/// Later than anything that is kept.
const EVER: UnixMillis = UnixMillis(i64::MAX.unsigned_abs());

impl Tx<'_> {
    /// Makes a tenant with the default settings.
    ///
    /// # Errors
    /// The name is taken, blank or too long.
    pub fn create_tenant(&mut self, name: &str) -> Result<TenantRecord, WriteError> {
        let name = named("name", name)?;
        if self.tenant_by_name(&name)?.is_some() {
            return Err(Refusal::NameTaken.into());
        }
        let id = TenantId(self.new_id());
        self.insert_tenant(id, &name, self.now())?;
        self.insert_audit(Some(id), "tenant.create", Some(id.0))?;
        Ok(self.tenant(id)?.ok_or(Refusal::TenantNotFound)?)
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    /// Unknown tenant; the name is taken, blank or too long; the configuration file names it.
    pub fn rename_tenant(&mut self, id: TenantId, name: &str) -> Result<TenantRecord, WriteError> {
        let known = self.tenant(id)?.ok_or(Refusal::TenantNotFound)?;
        let name = named("name", name)?;
        if known.tenant.name == name {
            return Ok(known);
        }
        if self.tenant_by_name(&name)?.is_some() {
            return Err(Refusal::NameTaken.into());
        }
        // The next start would make an empty tenant of the name that the file says.
        let accounts = self.accounts_of(Some(id))?;
        if accounts.iter().any(|account| account.origin == AccountOrigin::File) {
            return Err(Refusal::AccountFromFile.into());
        }
        self.put_tenant_name(id, &name)?;
        self.insert_audit(Some(id), "tenant.rename", Some(id.0))?;
        Ok(self.tenant(id)?.ok_or(Refusal::TenantNotFound)?)
    }

    /// Takes some of what a tenant has most of, before it is removed; whether there may be more.
    ///
    /// # Errors
    /// As for [`Tx::remove_tenant`].
    pub fn empty_tenant(&mut self, id: TenantId) -> Result<bool, WriteError> {
        self.check_removable(id)?;
        let calls = self.delete_aged_calls(id, EVER, REMOVED_MAX)?;
        let deliveries = self.delete_aged_deliveries(id, EVER, REMOVED_MAX)?;
        let contacts = self.purge_touches(id, EVER.seconds(), REMOVED_MAX)?;
        let revisions = self.delete_aged_revisions(id, EVER, REMOVED_MAX)?;
        Ok(calls + deliveries + contacts + revisions > 0)
    }

    /// Removes a tenant with all that it has. What was written down of who did what stays.
    ///
    /// # Errors
    /// Unknown tenant; it has calls in progress; the configuration file keeps an account of it.
    pub fn remove_tenant(&mut self, id: TenantId) -> Result<(), WriteError> {
        self.check_removable(id)?;
        self.delete_tenant(id)?;
        self.insert_audit(Some(id), "tenant.remove", Some(id.0))?;
        self.leave_no_trace();
        Ok(())
    }

    fn check_removable(&self, id: TenantId) -> Result<(), WriteError> {
        self.tenant(id)?.ok_or(Refusal::TenantNotFound)?;
        let accounts = self.accounts_of(Some(id))?;
        // The next start would make the tenant anew, with nothing.
        if accounts.iter().any(|account| account.origin == AccountOrigin::File) {
            return Err(Refusal::TenantStays(TenantTie::File).into());
        }
        if self.tenant_has_open_calls(id)? {
            return Err(Refusal::TenantStays(TenantTie::ActiveCalls).into());
        }
        Ok(())
    }
}
