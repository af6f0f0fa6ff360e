//! Tenants.

use super::{Tx, WriteError, named};
use crate::domain::{Refusal, TenantId, TenantRecord};

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
}
