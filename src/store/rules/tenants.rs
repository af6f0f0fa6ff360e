//! Tenants.

use super::{Tx, WriteError, named};
use crate::domain::{AccountOrigin, Refusal, TenantId, TenantRecord};

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
}
