//! Whose request it is. A key opens one tenant, or the installation; nothing opens
//! both. What it may do there its scopes say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::{FromRequestParts, MatchedPath, Query};
use http::{HeaderMap, header, request::Parts};
use moka::sync::Cache;

use super::{Api, answer::parse_rev, keys};
use crate::{
    dialects::Problem,
    domain::{KeyId, KeyReach, KeyScope, Refusal, Scope, TenantId, UnixMillis},
    store::Actor,
    telemetry::clock,
};

/// Keys in use at once; past that the least used is looked up again.
const KEYS_CACHED_MAX: u64 = 10_000;
/// How long a key that another process revoked may still be taken here.
const KEYS_CACHED_FOR: Duration = Duration::from_secs(5);

/// How often it is noted that a key was used.
const USE_NOTED_EVERY_MS: u64 = 60_000;

/// A key that was presented and is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented {
    pub(super) id: KeyId,
    scope: KeyScope,
    reach: KeyReach,
}

/// What the key of a request came to; it travels with the request.
#[derive(Clone, Debug)]
pub(super) struct Known(pub(super) Result<Presented, Problem>);

/// A key lately seen.
struct Seen {
    presented: Presented,
    /// When it was last noted that it is in use.
    noted: AtomicU64,
}

/// Keys lately seen, by the hash they are stored under.
pub(super) struct Keys {
    seen: Cache<[u8; 32], Arc<Seen>>,
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
    /// A key was ended: every key is looked up again.
    pub(super) fn forget(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.seen.invalidate_all();
    }

    /// What a key opens.
    pub(super) async fn find(&self, api: &Api, key: &str) -> Result<Presented, Problem> {
        let hash = keys::hash(key);
        let seen = match self.seen.get(&hash) {
            Some(seen) => seen,
            None => self.look_up(api, hash).await?,
        };
        let now = clock::now();
        let presented = seen.presented;
        if presented.reach.expires_at.is_some_and(|end| end <= now) {
            return Err(Problem::KeyUnknown);
        }
        seen.is_used(api, now);
        Ok(presented)
    }

    async fn look_up(&self, api: &Api, hash: [u8; 32]) -> Result<Arc<Seen>, Problem> {
        let before = self.revocations.load(Ordering::SeqCst);
        let record = api.read(move |rows| rows.key_by_hash(&hash)).await?;
        let record = record.filter(|record| record.is_good(clock::now()));
        let record = record.ok_or(Problem::KeyUnknown)?;
        let presented = Presented { id: record.id, scope: record.scope, reach: record.reach() };
        let noted = AtomicU64::new(record.last_used_at.map_or(0, |at| at.0));
        let seen = Arc::new(Seen { presented, noted });
        self.seen.insert(hash, Arc::clone(&seen));
        if self.revocations.load(Ordering::SeqCst) != before {
            self.seen.invalidate(&hash);
        }
        Ok(seen)
    }
}

impl Seen {
    /// Has it noted that the key is used, now and then; the request does not wait for it.
    fn is_used(&self, api: &Api, now: UnixMillis) {
        let noted = self.noted.load(Ordering::Relaxed);
        let is_due = now.0.saturating_sub(noted) >= USE_NOTED_EVERY_MS;
        let (set, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        if is_due && self.noted.compare_exchange(noted, now.0, set, failed).is_ok() {
            let (store, id) = (api.store.clone(), self.presented.id);
            tokio::spawn(async move {
                let noted = store.write(Actor::default(), move |tx| tx.note_use(id, now)).await;
                if let Err(error) = noted {
                    tracing::debug!(%error, "that a key is used could not be noted");
                }
            });
        }
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
    /// How far its key goes.
    pub(super) reach: KeyReach,
}

impl Anybody {
    pub(super) const fn actor(&self) -> Actor {
        Actor { key: Some(self.key), tenant: self.tenant }
    }

    /// Whether the key has not ended meanwhile. A store that is busy revokes nobody.
    pub(super) async fn is_still_good(&self, api: &Api) -> bool {
        let id = self.key;
        let record = api.read(move |rows| rows.key(id)).await;
        record.map_or(true, |found| found.is_some_and(|record| record.is_good(clock::now())))
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id, scope, reach } = presented(parts, api).await?;
        match (scope, reach.tenant) {
            (KeyScope::Tenant, Some(tenant)) => Ok(Self { key: id, tenant }),
            (KeyScope::Tenant, None) | (KeyScope::Operator, _) => Err(Problem::Forbidden),
        }
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id, scope, .. } = presented(parts, api).await?;
        match scope {
            KeyScope::Operator => Ok(Self { key: id }),
            KeyScope::Tenant => Err(Problem::Forbidden),
        }
    }
}

impl FromRequestParts<Api> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Presented { id, reach, .. } = presented(parts, api).await?;
        Ok(Self { key: id, tenant: reach.tenant, reach })
    }
}

/// The key of a request, if it may do that; and the wait for the `min_rev` the request asks for.
async fn presented(parts: &Parts, api: &Api) -> Result<Presented, Problem> {
    let known = parts.extensions.get::<Known>().cloned();
    let presented = known.map_or(Err(Problem::KeyMissing), |known| known.0)?;
    let scope = scope(parts);
    if !presented.reach.scopes.has(scope) {
        return Err(Problem::ScopeMissing(scope));
    }
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

/// What a request takes. Calls are placed and steered under paths whose segment says so.
fn scope(parts: &Parts) -> Scope {
    if parts.method.is_safe() {
        return Scope::Read;
    }
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_of_calls = |segment: &str| segment == "calls" || segment.ends_with("call");
    if path.split('/').any(is_of_calls) { Scope::Calls } else { Scope::Write }
}

/// The key of a request, or the token that stands for one. The scheme's name is case-insensitive
/// (RFC 9110 §11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
