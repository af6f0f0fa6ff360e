//! API keys.

use sha2::{Digest, Sha256};

use super::{Tx, WriteError, named};
use crate::{
    domain::{KeyId, KeyReach, KeyRecord, KeyScope, Refusal, Scopes, TenantId, UnixMillis},
    store::NewKey,
};

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
    /// Makes a key that may do everything with what it opens. The same key again, for the same
    /// scope and tenant, is answered as it is.
    ///
    /// # Errors
    /// As [`Self::add_key`].
    pub fn create_key(
        &mut self,
        scope: KeyScope,
        tenant: Option<TenantId>,
        name: &str,
        secret: &KeySecret,
    ) -> Result<KeyRecord, WriteError> {
        if let Some(known) = self.key_by_hash(&secret.hash)?
            && (known.scope, known.tenant) == (scope, tenant)
            && known.revoked_at.is_none()
        {
            return Ok(known);
        }
        let name = name.to_owned();
        let new = NewKey { scope, tenant, name, scopes: Scopes::ALL, expires_at: None };
        self.add_key(&KeyReach::ALL, &new, secret)
    }

    /// Makes a key that goes no further than who makes it.
    ///
    /// # Errors
    /// It would go further; unknown tenant; a tenant's key without a tenant or an operator's with
    /// one; it would never be good; there is such a key already.
    pub fn add_key(
        &mut self,
        maker: &KeyReach,
        new: &NewKey,
        secret: &KeySecret,
    ) -> Result<KeyRecord, WriteError> {
        let fits = match new.scope {
            KeyScope::Tenant => new.tenant.is_some(),
            KeyScope::Operator => new.tenant.is_none(),
        };
        if !fits {
            let message = "Is for keys of a tenant, and for those it is required.";
            return Err(Refusal::invalid("tenant", message).into());
        }
        if let Some(tenant) = new.tenant {
            self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        }
        if new.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(Refusal::invalid("expires_at", "Must be in the future.").into());
        }
        if self.key_by_hash(&secret.hash)?.is_some() {
            return Err(Refusal::NameTaken.into());
        }
        let key = KeyRecord {
            id: KeyId(self.new_id()),
            scope: new.scope,
            tenant: new.tenant,
            scopes: new.scopes,
            name: named("name", &new.name)?,
            hint: secret.hint.clone(),
            created_at: self.now(),
            expires_at: new.expires_at,
            last_used_at: None,
            revoked_at: None,
            replaces: None,
        };
        if !maker.covers(&key.reach()) {
            return Err(Refusal::KeyWider.into());
        }
        self.insert_key(&key, &secret.hash)?;
        self.insert_audit(key.tenant, "key.create", Some(key.id.0))?;
        Ok(key)
    }

    /// Revokes a key. Again it changes nothing.
    ///
    /// # Errors
    /// Unknown key, or not the tenant's; it goes further than who revokes it.
    pub fn revoke_key(&mut self, by: &KeyReach, id: KeyId) -> Result<KeyRecord, WriteError> {
        let known = self.key_within(by, id)?;
        if known.revoked_at.is_none() {
            self.put_revoked(id, self.now())?;
            self.insert_audit(known.tenant, "key.revoke", Some(id.0))?;
        }
        Ok(self.key(id)?.ok_or(Refusal::KeyNotFound)?)
    }

    /// Puts a new key in the place of one, which is good for a while yet: as long as it takes to
    /// bring the new one to wherever the old one is.
    ///
    /// # Errors
    /// As [`Self::revoke_key`]; the key is over.
    pub fn rotate_key(
        &mut self,
        by: &KeyReach,
        id: KeyId,
        overlap_ms: u64,
        secret: &KeySecret,
    ) -> Result<KeyRecord, WriteError> {
        let known = self.key_within(by, id)?;
        let now = self.now();
        if !known.is_good(now) {
            return Err(Refusal::KeyOver.into());
        }
        if !by.covers(&known.reach()) {
            return Err(Refusal::KeyWider.into());
        }
        let key = KeyRecord {
            id: KeyId(self.new_id()),
            hint: secret.hint.clone(),
            created_at: now,
            last_used_at: None,
            replaces: Some(id),
            ..known.clone()
        };
        self.insert_key(&key, &secret.hash)?;
        let end = UnixMillis(now.0 + overlap_ms);
        self.put_expiry(id, known.expires_at.map_or(end, |known| known.min(end)))?;
        self.insert_audit(known.tenant, "key.rotate", Some(id.0))?;
        Ok(key)
    }

    fn key_within(&self, by: &KeyReach, id: KeyId) -> Result<KeyRecord, WriteError> {
        let known = self.key(id)?.filter(|key| by.tenant.is_none() || key.tenant == by.tenant);
        let known = known.ok_or(Refusal::KeyNotFound)?;
        // Until when does not matter for ending it: it ends.
        let reach = KeyReach { expires_at: by.expires_at, ..known.reach() };
        if by.covers(&reach) { Ok(known) } else { Err(Refusal::KeyWider.into()) }
    }
}
