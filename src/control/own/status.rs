//! What the daemon says of itself.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Anybody,
    },
    dialects::own::StatusBody,
    telemetry::clock,
};

/// Agents looked at; more without a target would not be told apart.
const AGENTS_MAX: u32 = 1000;

/// What the daemon says of itself.
#[utoipa::path(get, path = "/status", tag = "installation",
    responses((status = 200, body = StatusBody)))]
pub(super) async fn read(State(api): State<Api>, who: Anybody) -> Answer {
    let tenant = who.tenant;
    let agents = api
        .read(move |rows| {
            let mut agents = Vec::new();
            for record in rows.tenants()? {
                let id = record.tenant.id;
                if tenant.is_none_or(|tenant| tenant == id) {
                    agents.extend(rows.agents_without_target(id, AGENTS_MAX)?);
                }
            }
            Ok(agents)
        })
        .await?;
    let seq = api.applied.borrow().control;
    let view = api.index.view();
    let is_usable = |of: Option<_>| tenant.is_none() || of.is_none() || of == tenant;
    let accounts = view.accounts().filter(|account| is_usable(account.tenant));
    Ok(answer::read(StatusBody {
        version: env!("CARGO_PKG_VERSION"),
        now: clock::now().seconds().0,
        public_url: api.settings.public_url.clone(),
        media_url: api.settings.media_url.clone(),
        accounts: accounts.map(|account| account.name.clone()).collect(),
        agents_without_target: agents
            .iter()
            .filter(|record| view.targets(&record.agent).is_empty())
            .count(),
        seq,
    }))
}
