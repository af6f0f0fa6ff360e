//! Whose request it is. A key opens one tenant, or the installation; nothing opens both.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::extract::{FromRequestParts, Query};
use http::{HeaderMap, header, request::Parts};
use moka::sync::Cache;

use super::{Api, answer::parse_rev, keys};
use crate::{
    dialects::Problem,
    domain::{KeyId, KeyScope, Refusal, TenantId},
    store::Actor,
};

/// Keys in use at once; past that the least used is looked up again.
const KEYS_CACHED_MAX: u64 = 10_000;
/// How long a key that another process revoked may still be taken here.
const KEYS_CACHED_FOR: Duration = Duration::from_secs(5);

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    Tenant(TenantId),
    Installation,
}

/// A key that was presented and is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented {
    id: KeyId,
    opens: Opens,
}

/// What the key of a request came to; it travels with the request.
#[derive(Clone, Debug)]
pub(super) struct Known(pub(super) Result<Presented, Problem>);

/// Keys lately seen, by the hash they are stored under.
pub(super) struct Keys {
    seen: Cache<[u8; 32], Presented>,
    /// Counts revocations: a look-up that one overtook is not kept.
    revocations: AtomicU64,
}

impl Default for Keys {
    fn default() -> Self {
        let seen =
            Cache::builder().max_capacity(KEYS_CACHED_MAX).time_to_live(KEYS_CACHED_FOR).build();
        Self { seen, revocations: AtomicU64::new(0) }
    }
}

impl Keys {
    /// A key was revoked: every key is looked up again.
    pub(super) fn forget(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.seen.invalidate_all();
    }

    /// What a key opens.
    pub(super) async fn find(&self, api: &Api, key: &str) -> Result<Presented, Problem> {
        let hash = keys::hash(key);
        if let Some(presented) = self.seen.get(&hash) {
            return Ok(presented);
        }
        let before = self.revocations.load(Ordering::SeqCst);
        let record = api.read(move |rows| rows.key_by_hash(&hash)).await?;
        let record = record.filter(|record| record.revoked_at.is_none());
        let record = record.ok_or(Problem::KeyUnknown)?;
        let opens = match (record.scope, record.tenant) {
            (KeyScope::Operator, _) => Opens::Installation,
            (KeyScope::Tenant, Some(tenant)) => Opens::Tenant(tenant),
            (KeyScope::Tenant, None) => return Err(Problem::KeyUnknown),
        };
        let presented = Presented { id: record.id, opens };
        self.seen.insert(hash, presented);
        if self.revocations.load(Ordering::SeqCst) != before {
            self.seen.invalidate(&hash);
        }
        Ok(presented)
    }
}

/// Who asks, by a tenant's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    key: KeyId,
    pub(super) tenant: TenantId,
}

impl Caller {
    pub(super) const fn actor(&self) -> Actor {
        Actor { key: Some(self.key), tenant: Some(self.tenant) }
    }
}

/// Who asks, by an operator's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    key: KeyId,
}

impl Operator {
    pub(super) const fn actor(&self) -> Actor {
        Actor { key: Some(self.key), tenant: None }
    }
}

/// Who asks, by either; the tenant where it is a tenant's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anybody {
    key: KeyId,
    pub(super) tenant: Option<TenantId>,
}

impl Anybody {
    pub(super) const fn actor(&self) -> Actor {
        Actor { key: Some(self.key), tenant: self.tenant }
    }

    /// Whether the key has not been revoked meanwhile. A store that is busy revokes nobody.
    pub(super) async fn is_still_good(&self, api: &Api) -> bool {
        let id = self.key;
        let record = api.read(move |rows| rows.key(id)).await;
        record.map_or(true, |record| record.is_some_and(|record| record.revoked_at.is_none()))
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id, opens } = presented(parts, api).await?;
        match opens {
            Opens::Tenant(tenant) => Ok(Self { key: id, tenant }),
            Opens::Installation => Err(Problem::Forbidden),
        }
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id, opens } = presented(parts, api).await?;
        match opens {
            Opens::Installation => Ok(Self { key: id }),
            Opens::Tenant(_) => Err(Problem::Forbidden),
        }
    }
}

impl FromRequestParts<Api> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id: key, opens } = presented(parts, api).await?;
        match opens {
            Opens::Installation => Ok(Self { key, tenant: None }),
            Opens::Tenant(tenant) => Ok(Self { key, tenant: Some(tenant) }),
        }
    }
}

/// The key of a request, and the wait for the `min_rev` it asks for.
async fn presented(parts: &Parts, api: &Api) -> Result<Presented, Problem> {
    let known = parts.extensions.get::<Known>().cloned();
    let presented = known.map_or(Err(Problem::KeyMissing), |known| known.0)?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).unwrap_or_default();
    if let Some((_, text)) = query.iter().find(|(name, _)| name == "min_rev") {
        let wrong = || Refusal::invalid("min_rev", "Must be the text of a Switchback-Rev header.");
        let heads = parse_rev(text).ok_or_else(wrong)?;
        if !api.reached(heads).await {
            return Err(Problem::NotReached);
        }
    }
    Ok(presented)
}

/// The key of a request, or the token that stands for one. The scheme's name is case-insensitive
/// (RFC 9110 §11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
