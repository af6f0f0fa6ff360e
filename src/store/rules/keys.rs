//! API keys.

use sha2::{Digest, Sha256};

use super::{Tx, WriteError, named};
use crate::domain::{KeyId, KeyRecord, KeyScope, Refusal, TenantId};

/// What is kept of an API key.
///
/// Keys have 256 random bits, so a plain SHA-256 is right: nothing can be guessed that a slow hash
/// would protect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySecret {
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// Its first and last characters.
    pub hint: String,
}

impl KeySecret {
    /// What is kept of this key, and looked up when it is presented.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let chars: Vec<char> = key.chars().collect();
        // A short key, as somebody may fix one by hand, shows less of itself.
        let shown = if chars.len() >= 24 { 4 } else { 1 };
        let head: String = chars.iter().take(shown * 2).collect();
        let tail: String = chars.iter().skip(chars.len().saturating_sub(shown)).collect();
        Self { hash: Sha256::digest(key.as_bytes()).into(), hint: format!("{head}...{tail}") }
    }
}

impl Tx<'_> {
    /// Makes a key. The same key again, for the same scope and tenant, is answered as it is.
    ///
    /// # Errors
    /// Unknown tenant; a tenant's key without a tenant or an operator's with one; the key opens
    /// something else already, or was revoked.
    pub fn create_key(
        &mut self,
        scope: KeyScope,
        tenant: Option<TenantId>,
        name: &str,
        secret: &KeySecret,
    ) -> Result<KeyRecord, WriteError> {
        let fits = match scope {
            KeyScope::Tenant => tenant.is_some(),
            KeyScope::Operator => tenant.is_none(),
        };
        if !fits {
            let message = "Is for keys of a tenant, and for those it is required.";
            return Err(Refusal::invalid("tenant", message).into());
        }
        if let Some(tenant) = tenant {
            self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        }
        if let Some(known) = self.key_by_hash(&secret.hash)? {
            let same = known.scope == scope && known.tenant == tenant;
            if same && known.revoked_at.is_none() {
                return Ok(known);
            }
            return Err(Refusal::NameTaken.into());
        }
        let key = KeyRecord {
            id: KeyId(self.new_id()),
            scope,
            tenant,
            name: named("name", name)?,
            hint: secret.hint.clone(),
            created_at: self.now(),
            revoked_at: None,
        };
        self.insert_key(&key, &secret.hash)?;
        self.insert_audit(tenant, "key.create", Some(key.id.0))?;
        Ok(key)
    }

    /// Revokes a key: a tenant's own, or with `None` any. Again it changes nothing.
    ///
    /// # Errors
    /// Unknown key, or not the tenant's.
    pub fn revoke_key(
        &mut self,
        tenant: Option<TenantId>,
        id: KeyId,
    ) -> Result<KeyRecord, WriteError> {
        let known = self.key(id)?.filter(|key| tenant.is_none() || key.tenant == tenant);
        let known = known.ok_or(Refusal::KeyNotFound)?;
        if known.revoked_at.is_none() {
            self.put_revoked(id, self.now())?;
            self.insert_audit(known.tenant, "key.revoke", Some(id.0))?;
        }
        Ok(self.key(id)?.ok_or(Refusal::KeyNotFound)?)
    }
}
