//! API keys: what they open, what they may do there, and for how long.

use super::{KeyId, TenantId, UnixMillis, spelled};

spelled! {
    /// What a key opens.
    pub enum KeyScope {
        /// Everything of one tenant.
        Tenant = "tenant",
        /// Tenants, keys and accounts of the installation.
        Operator = "operator",
    }
}

spelled! {
    /// What a key may do with what it opens.
    pub enum Scope {
        /// Look.
        Read = "read",
        /// Change what is configured or remembered.
        Write = "write",
        /// Place calls and steer those in progress.
        Calls = "calls",
    }
}

/// A set of scopes in one byte; the empty set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0x07);

    /// Whether the scope is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether all of these are among them.
    #[must_use]
    pub const fn cover(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The members, in order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | (1 << scope as u8)))
    }
}

/// An API key; the key itself is stored hashed and shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its identity.
    pub id: KeyId,
    /// What it opens.
    pub scope: KeyScope,
    /// Whose it is; `None` for an operator's.
    pub tenant: Option<TenantId>,
    /// What it may do there.
    pub scopes: Scopes,
    /// A name for people.
    pub name: String,
    /// The first and last characters, to recognise it by.
    pub hint: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends by itself, if it does.
    pub expires_at: Option<UnixMillis>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixMillis>,
    /// The key whose place it takes.
    pub replaces: Option<KeyId>,
}

impl KeyRecord {
    /// Whether it opens anything at this time.
    #[must_use]
    pub fn is_good(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Which keys it may make and end.
    #[must_use]
    pub const fn reach(&self) -> KeyReach {
        KeyReach { tenant: self.tenant, scopes: self.scopes, expires_at: self.expires_at }
    }
}

/// How far a key goes. Who holds it makes and ends keys that go no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyReach {
    /// The one tenant; `None` is the installation.
    pub tenant: Option<TenantId>,
    /// What it may do there.
    pub scopes: Scopes,
    /// Until when.
    pub expires_at: Option<UnixMillis>,
}

impl KeyReach {
    /// Everything, for ever.
    pub const ALL: Self = Self { tenant: None, scopes: Scopes::ALL, expires_at: None };

    /// Whether the other goes no further.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let until = |end| other.expires_at.is_some_and(|other| other <= end);
        (self.tenant.is_none() || self.tenant == other.tenant)
            && self.scopes.cover(other.scopes)
            && self.expires_at.is_none_or(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_covers_what_goes_no_further() {
        let tenant = Some(TenantId(uuid::Uuid::from_u128(1)));
        let read: Scopes = [Scope::Read].into_iter().collect();
        let end = Some(UnixMillis(10));
        let of = |tenant, scopes, expires_at| KeyReach { tenant, scopes, expires_at };
        for (one, other, covers) in [
            (KeyReach::ALL, of(tenant, Scopes::ALL, None), true),
            (of(tenant, Scopes::ALL, None), KeyReach::ALL, false),
            (of(tenant, read, None), of(tenant, read, end), true),
            (of(tenant, read, None), of(tenant, Scopes::ALL, None), false),
            (of(tenant, Scopes::ALL, end), of(tenant, read, None), false),
            (of(tenant, Scopes::ALL, end), of(tenant, read, Some(UnixMillis(11))), false),
        ] {
            assert_eq!(one.covers(&other), covers, "{one:?} {other:?}");
        }
        assert_eq!(Scopes::ALL.iter().collect::<Vec<_>>(), Scope::ALL);
    }
}
