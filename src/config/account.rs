//! One of `[[carrier_accounts]]`: the keys that its kind has, and no others.

use std::{num::NonZeroU32, path::Path};

use super::{
    AccountConfig, ConfigError, Env, net,
    raw::{RawAccount, RawKey, RawSecret, RawSharedKey},
    word,
};
use crate::{
    carriers,
    domain::{Account, AccountKey, AccountOrigin, CarrierId, KeyShape, KeyValue, SharedKey},
};

pub(super) fn check(
    place: usize,
    raw: &RawAccount,
    data_dir: &Path,
    env: Env<'_>,
) -> Result<AccountConfig, ConfigError> {
    let key = |name: &str| format!("carrier_accounts.{place}.{name}");
    if !Account::is_name(&raw.name) {
        let problem = "is no name for a URL: use 1 to 64 letters, digits, - and _";
        return Err(ConfigError::value(&key("name"), &raw.name, problem));
    }
    let kinds: Vec<_> = CarrierId::ALL.iter().map(|kind| kind.as_str()).collect();
    let carrier: CarrierId = word(&key("kind"), &raw.kind, &kinds.join(", "))?;
    let mut account = Account::named(raw.name.clone(), carrier, AccountOrigin::File);
    for name in CarrierId::all_account_key_names() {
        let value = account_key(&key(name), raw.key(name), data_dir, env)?;
        if let (Some(AccountKey { shape: KeyShape::User, .. }), Some(KeyValue::Text(user))) =
            (carrier.account_key(name), &value)
            && user.contains(':')
        {
            let problem = "holds a colon, which ends a user's name where it is sent";
            return Err(ConfigError::value(&key(name), user, problem));
        }
        match (carrier.account_key(name), value) {
            (Some(of_kind), Some(value)) => account.put(of_kind, Some(value)),
            (Some(AccountKey { is_required: true, .. }), None) => {
                let problem = format!("is missing: an account of {carrier} needs it");
                return Err(ConfigError::Secret { key: key(name), problem });
            }
            (None, Some(_)) => {
                let names = carrier.account_key_names();
                let problem = format!("is no key of {carrier}, which has {names}");
                return Err(ConfigError::Secret { key: key(name), problem });
            }
            (_, None) => {}
        }
    }
    let alone = |key: &&AccountKey| {
        let partner = key.partner.and_then(|partner| carrier.account_key(partner));
        partner.is_some_and(|partner| account.has(partner) && !account.has(key))
    };
    if let Some(AccountKey { name, partner, .. }) = carrier.account_keys().iter().find(alone) {
        let problem = format!("is missing: {} is of no use without it", partner.unwrap_or("it"));
        return Err(ConfigError::value(&key(name), "", problem));
    }
    if !carriers::room(carrier).is_account_id(&account.account_id) {
        let problem = format!("is no account of {carrier}");
        return Err(ConfigError::value(&key("account_id"), &account.account_id, problem));
    }
    account.api.url = match raw.api_url.as_str() {
        "" => None,
        text => Some(net::base_url(&key("api_url"), text, &["https", "http"])?),
    };
    account.api.byte_order = word(&key("byte_order"), &raw.byte_order, "little, big")?;
    let Some(calls_per_second) = NonZeroU32::new(raw.calls_per_second) else {
        let problem = "would place no call at all; the carrier's own limit is 1 by default";
        return Err(ConfigError::value(&key("calls_per_second"), "0", problem));
    };
    account.api.calls_per_second = calls_per_second;
    Ok(AccountConfig { account, tenant: Some(raw.tenant.clone()).filter(|t| !t.is_empty()) })
}

/// A key as written, as it is meant; what is empty is not given.
fn account_key(
    key: &str,
    raw: RawKey<'_>,
    data_dir: &Path,
    env: Env<'_>,
) -> Result<Option<KeyValue>, ConfigError> {
    let secret = |key: &str, raw: &RawSecret| net::secret(key, raw, data_dir, env);
    Ok(match raw {
        RawKey::Text(text) => Some(KeyValue::Text(text.to_owned())).filter(|_| !text.is_empty()),
        RawKey::Secret(raw) if *raw == RawSecret::default() => None,
        RawKey::Secret(raw) => Some(KeyValue::Secret(secret(key, raw)?)),
        RawKey::Secrets([]) | RawKey::SharedKeys([]) => None,
        RawKey::Secrets(list) => {
            let read = |(n, raw)| secret(&format!("{key}.{n}"), raw);
            Some(KeyValue::Secrets(list.iter().enumerate().map(read).collect::<Result<_, _>>()?))
        }
        RawKey::SharedKeys(list) => {
            let read = |(n, raw): (usize, &RawSharedKey)| {
                let secret = secret(&format!("{key}.{n}.secret"), &raw.secret)?;
                Ok(SharedKey { id: raw.id.clone(), secret })
            };
            Some(KeyValue::SharedKeys(list.iter().enumerate().map(read).collect::<Result<_, _>>()?))
        }
    })
}
