//! What a start writes before it serves: the first tenant and keys, the file's accounts.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use super::StartError;
use crate::{
    calls::{Event, Facts, Live},
    config::Config,
    control::{self, keys},
    dispatch::{Dispatch, Placing, Prepare},
    domain::{Account, KeyScope, Secret, TenantId, TenantSettings, UnixMillis, UpstreamRecord},
    index::Index,
    store::{Actor, Heads, KeySecret, PlacedCall, SettingsPatch, Store, Tx, WriteError},
    sync::{
        local::Applied,
        upstream::{Following, Mode, UpstreamSettings, Upstreams},
    },
    telemetry::clock,
};

/// The tenant of an installation that has only one.
const DEFAULT_TENANT: &str = "default";

/// Makes what is missing and reconciles the file's accounts. Answers the keys that were made, once.
pub(super) async fn prepare(
    store: &Store,
    applied: &Applied,
    config: &Config,
) -> Result<Vec<(&'static str, Secret)>, WriteError> {
    let config = config.clone();
    let written = store
        .write(Actor::default(), move |tx| {
            tx.ensure_media_keys()?;
            let made = match tx.tenants()?.is_empty() {
                true => first_keys(tx, &config)?,
                false => Vec::new(),
            };
            let accounts = accounts(tx, &config)?;
            tx.reconcile_accounts(accounts)?;
            Ok(made)
        })
        .await?;
    wait(applied.clone(), written.heads).await;
    Ok(written.value)
}

/// Takes up the calls placed by the last process: those that are not over may tell of themselves
/// any moment, those whose fate is not known are looked for.
pub(super) async fn resume_calls(
    store: &Store,
    applied: &Applied,
    index: &Index,
    live: &Live,
    dispatch: &Dispatch,
) -> Result<(), WriteError> {
    let written = store.write(Actor::default(), |tx| tx.settle_dials()).await?;
    wait(applied.clone(), written.heads).await;
    let now = clock::now();
    for placed in written.value {
        let facts = control::facts(&index.view(), &placed);
        let PlacedCall { call, dial, .. } = placed;
        let (Some(facts), Some(dial)) = (facts, dial) else { continue };
        let account = index.view().account_by_id(facts.account).cloned();
        let account_id = facts.account;
        live.expect(facts);
        if !call.carrier_call_id.is_empty() {
            let begun = live.begin(call.id, account_id, &call.carrier_call_id, None, now);
            if let Some(begun) = begun {
                live.apply(&begun, Event::Status { status: call.status, at: now }, now);
            }
        } else if let Some(account) = account {
            dispatch.look_for(Placing { dial, account });
        }
    }
    Ok(())
}

/// Makes calls that are due known to those who carry them: as things are then, and as if they had
/// just been asked for.
pub(super) fn prepare_due(index: Index, live: Arc<Live>) -> Prepare {
    Arc::new(move |placed| {
        let view = index.view();
        let facts = Facts { created_at: clock::now(), ..control::facts(&view, placed)? };
        let account = Arc::clone(view.account_by_id(facts.account)?);
        live.expect(facts);
        Some(account)
    })
}

/// Begins to pull the hosted control APIs of the file.
pub(super) async fn follow_upstreams(
    store: &Store,
    config: &Config,
) -> Result<(Upstreams, Following), StartError> {
    let config = config.clone();
    let prepared = store.write(Actor::default(), move |tx| {
        let mut settings = Vec::with_capacity(config.upstreams.len());
        for upstream in &config.upstreams {
            settings.push(upstream.of_tenant(tenant_of(tx, &upstream.tenant, &config)?));
        }
        let mirrored = settings.iter().filter(|settings| settings.mode == Mode::Mirror);
        let records: Vec<_> = mirrored.map(record_of).collect();
        tx.reconcile_upstreams(&records)?;
        let pulled = tx.upstreams()?.into_iter();
        let pulled = pulled.filter_map(|known| Some((known.name, known.last_success_at?)));
        Ok((settings, pulled.collect::<HashMap<String, UnixMillis>>()))
    });
    let (settings, pulled) = prepared.await?.value;
    Upstreams::start(settings, &pulled, store).map_err(StartError::Upstream)
}

fn record_of(settings: &UpstreamSettings) -> UpstreamRecord {
    UpstreamRecord {
        name: settings.name.clone(),
        kind: settings.kind,
        base_url: settings.base_url.clone(),
        tenant: settings.tenant,
        last_success_at: None,
        calls_until: None,
    }
}

async fn wait(mut applied: Applied, heads: Heads) {
    drop(applied.wait_for(|now| now.reach(heads)).await);
}

fn first_keys(tx: &mut Tx<'_>, config: &Config) -> Result<Vec<(&'static str, Secret)>, WriteError> {
    let tenant = make_tenant(tx, DEFAULT_TENANT, config)?;
    let mut made = Vec::new();
    for (what, scope, given) in [
        ("operator", KeyScope::Operator, &config.operator_key),
        ("tenant", KeyScope::Tenant, &config.bootstrap_key),
    ] {
        let owner = (scope == KeyScope::Tenant).then_some(tenant);
        let (key, secret) = match given {
            Some(key) => (None, KeySecret::of(key.reveal())),
            None => {
                let (key, secret) = keys::mint(scope);
                (Some(Secret::new(key)), secret)
            }
        };
        tx.create_key(scope, owner, "first start", &secret)?;
        made.extend(key.map(|key| (what, key)));
    }
    Ok(made)
}

fn make_tenant(tx: &mut Tx<'_>, name: &str, config: &Config) -> Result<TenantId, WriteError> {
    let tenant = tx.create_tenant(name)?.tenant.id;
    if config.retention.touches != TenantSettings::TOUCH_RETENTION_DAYS {
        let retention = SettingsPatch {
            touch_retention_days: Some(config.retention.touches),
            ..SettingsPatch::default()
        };
        tx.update_settings(tenant, retention)?;
    }
    Ok(tenant)
}

/// The file's accounts, of its tenants.
fn accounts(tx: &mut Tx<'_>, config: &Config) -> Result<Vec<Account>, WriteError> {
    let mut accounts = Vec::with_capacity(config.accounts.len());
    for account in &config.accounts {
        let tenant = match &account.tenant {
            None => None,
            Some(name) => Some(tenant_of(tx, name, config)?),
        };
        accounts.push(account.of_tenant(tenant));
    }
    Ok(accounts)
}

/// The tenant of that name, made where there is none.
fn tenant_of(tx: &mut Tx<'_>, name: &str, config: &Config) -> Result<TenantId, WriteError> {
    match tx.tenant_by_name(name)? {
        Some(known) => Ok(known.tenant.id),
        None => make_tenant(tx, name, config),
    }
}

/// What an operator should know before the first call.
pub(super) fn warnings(config: &Config, index: &Index) -> Vec<String> {
    let mut warnings = Vec::new();
    let url = &config.edge.public_url;
    let host = url.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let is_local = host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|ip| match ip {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback(),
        });
    let has_accounts = index.view().accounts().len() > 0;
    if has_accounts && (is_local || !url.starts_with("https://")) {
        warnings.push(format!(
            "carriers cannot use {url}: put a proxy with TLS in front or set edge.tls, and set \
             edge.public_url to the https URL, or on a laptop run a tunnel and set the URL it gives"
        ));
    }
    if config.edge.tls.is_some() && url.starts_with("http://") {
        warnings.push(format!(
            "edge.tls is set, but edge.public_url is {url}: signatures are checked over the URL \
             that carriers were given, which begins with https"
        ));
    }
    let builtin =
        |target: &crate::domain::Target| matches!(target, crate::domain::Target::Builtin(_));
    if has_accounts && config.runtime.default_target.as_ref().is_some_and(builtin) {
        warnings
            .push("runtime.default_target is a builtin: callers of real numbers hear it".into());
    }
    warnings
}
