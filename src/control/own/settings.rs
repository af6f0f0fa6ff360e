//! A tenant's settings.

use axum::extract::State;
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer, written},
        auth::Caller,
        receive::Body,
    },
    dialects::own::{SettingsBody, settings},
    domain::Refusal,
    store::SettingsPatch,
};

pub(super) async fn read(State(api): State<Api>, caller: Caller) -> Answer {
    let record = api.read(move |rows| rows.tenant(caller.tenant)).await?;
    let record = record.ok_or(Refusal::TenantNotFound)?;
    Ok(answer::read(SettingsBody::from(&record.tenant.settings)))
}

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
    let done =
        api.write(caller.actor(), move |tx| tx.update_settings(caller.tenant, patch)).await?;
    Ok(written(StatusCode::OK, done, |record, warnings| {
        answer::read(SettingsBody::from(&record.tenant.settings).warns(warnings))
    }))
}
