//! A tenant's settings.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::Body,
    },
    dialects::own::{SettingsBody, SettingsRequest, settings},
    domain::{Refusal, TenantRecord},
    store::{SettingsPatch, Tx},
};

/// The tenant's settings.
#[utoipa::path(get, path = "/settings", tag = "settings",
    responses((status = 200, body = SettingsBody)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller) -> Answer {
    let record = api.read(move |rows| rows.tenant(caller.tenant)).await?;
    let record = record.ok_or(Refusal::TenantNotFound)?;
    Ok(answer::read(SettingsBody::from(&record.tenant.settings)))
}

/// Changes the tenant's settings. What is not given stays; null is the default.
#[utoipa::path(patch, path = "/settings", tag = "settings", request_body = SettingsRequest,
    responses((status = 200, body = SettingsBody)))]
pub(super) async fn update(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = settings(body, api.settings.private)?;
    let patch = SettingsPatch {
        window_days: fields.window_days,
        touch_retention_days: fields.touch_retention_days,
        min_attestation: fields.min_attestation,
        below_min: fields.below_min,
        context_min_attestation: fields.context_min_attestation,
        fallback_agent: fields.fallback_agent,
        last_resort: fields.last_resort,
        block_list: fields.block_list,
        block_target: fields.block_target,
    };
    let update = move |tx: &mut Tx<'_>| tx.update_settings(caller.tenant, patch);
    let reply = |_: &Api, record: TenantRecord, warnings| {
        Reply::ok(&SettingsBody::from(&record.tenant.settings).warns(warnings))
    };
    api.answer(caller.actor(), update, reply).await
}
