//! How often a key may ask: a bucket of one minute's requests that fills as time passes.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;

use crate::{
    domain::{KeyId, UnixSeconds},
    telemetry::clock,
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Keys whose requests are counted at once; past that the least used begins anew.
const KEYS_MAX: u64 = 10_000;
/// A bucket that nobody took from for this long is full.
const FULL_AFTER: Duration = Duration::from_secs(60);

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Every key's bucket.
pub(super) struct Limits {
    per_minute: NonZeroU32,
    buckets: Cache<KeyId, Arc<Bucket>>,
}

/// What is left of a key's bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    limit: u32,
    remaining: u32,
    /// When it is full again.
    reset: UnixSeconds,
}

impl Limits {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let buckets = Cache::builder().max_capacity(KEYS_MAX).time_to_idle(FULL_AFTER).build();
        Self { per_minute, buckets }
    }

    /// Takes one request out of a key's bucket; or says after how many seconds there is one again.
    pub(super) fn take(&self, key: KeyId) -> (Left, Result<(), u64>) {
        let quota = Quota::per_minute(self.per_minute);
        let bucket =
            self.buckets.get_with(key, || Arc::new(RateLimiter::direct(quota).with_middleware()));
        let (remaining, taken) = match bucket.check() {
            Ok(state) => (state.remaining_burst_capacity(), Ok(())),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                (0, Err(wait.as_secs() + 1))
            }
        };
        let limit = self.per_minute.get();
        let to_fill = quota.replenish_interval() * limit.saturating_sub(remaining);
        let reset = UnixSeconds(clock::now().seconds().0 + to_fill.as_secs() + 1);
        (Left { limit, remaining, reset }, taken)
    }
}

impl Left {
    /// Says so to the asker (Talkover's headers).
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        for (name, value) in [
            (LIMIT, u64::from(self.limit)),
            (REMAINING, u64::from(self.remaining)),
            (RESET, self.reset.0),
        ] {
            headers.insert(name, HeaderValue::from(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_bucket_empties_by_itself_alone() {
        let limits = Limits::new(NonZeroU32::new(3).unwrap());
        let (one, other) = (KeyId(Uuid::from_u128(1)), KeyId(Uuid::from_u128(2)));
        for remaining in [2, 1, 0] {
            let (left, taken) = limits.take(one);
            assert_eq!((left.limit, left.remaining, taken), (3, remaining, Ok(())));
        }
        let (left, taken) = limits.take(one);
        assert_eq!(left.remaining, 0);
        assert!(matches!(taken, Err(seconds) if (1..=21).contains(&seconds)), "{taken:?}");
        assert!(left.reset.0 > clock::now().seconds().0 + 50);
        assert_eq!(limits.take(other).1, Ok(()));
    }
}
