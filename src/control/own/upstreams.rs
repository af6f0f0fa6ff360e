//! Hosted control APIs that are pulled: how they stand, and what a shadow says.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Anybody,
        receive::AtUpstream,
        shadow,
    },
    dialects::{
        Problem,
        own::{ShadowBody, UpstreamBody, UpstreamCounts, UpstreamsBody},
    },
    domain::{AgentId, MirroredCounts, Refusal},
    sync::upstream::{Mode, Upstream},
    telemetry::clock,
};

/// Agents without a target that are counted; more are not told apart.
const AGENTS_MAX: u32 = 1000;

/// Hosted APIs that are followed, and how far behind them this is.
#[utoipa::path(get, path = "/upstreams", tag = "installation",
    responses((status = 200, body = UpstreamsBody)))]
pub(super) async fn list(State(api): State<Api>, who: Anybody) -> Answer {
    let mut data = Vec::new();
    for upstream in api.upstreams.all() {
        if who.tenant.is_none_or(|tenant| tenant == upstream.settings().tenant) {
            data.push(body(&api, upstream).await?);
        }
    }
    Ok(answer::read(UpstreamsBody { data }))
}

async fn body(api: &Api, upstream: &Upstream) -> Result<UpstreamBody, Problem> {
    let (settings, standing) = (upstream.settings(), upstream.standing());
    let (counts, untargeted) = match settings.mode {
        Mode::Mirror => mirrored(api, settings.name.clone()).await?,
        Mode::Shadow => (shadowed(upstream), 0),
    };
    let body = UpstreamBody {
        name: settings.name.clone(),
        kind: settings.kind.as_str(),
        mode: settings.mode.as_str(),
        base_url: settings.base_url.clone(),
        tenant_id: settings.tenant.0,
        last_success_at: None,
        lag_seconds: None,
        last_error: standing.last_error,
        next_pull_at: None,
        counts: UpstreamCounts::of(counts, standing.touches),
        agents_without_target: untargeted,
    };
    Ok(body.at(clock::now(), standing.last_success_at, standing.next_pull_at))
}

async fn mirrored(api: &Api, name: String) -> Result<(MirroredCounts, usize), Problem> {
    let read = api.read(move |rows| {
        Ok((rows.mirrored_counts(&name)?, rows.mirrored_without_target(&name, AGENTS_MAX)?))
    });
    let (counts, agents) = read.await?;
    let view = api.index.view();
    let has_none =
        |id: &AgentId| view.agent(*id).is_some_and(|agent| view.targets(agent).is_empty());
    Ok((counts, agents.iter().filter(|id| has_none(id)).count()))
}

fn shadowed(upstream: &Upstream) -> MirroredCounts {
    let shadow = upstream.shadow();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    MirroredCounts {
        agents: count(shadow.agents.len()),
        numbers: count(shadow.numbers.len()),
        callbacks: count(shadow.agents.iter().filter(|agent| agent.callback.is_some()).count()),
    }
}

/// Where we would have decided as the hosted service did, and where not.
#[utoipa::path(get, path = "/upstreams/{upstream}/shadow", tag = "installation",
    params(("upstream" = String, Path, description = "The upstream's name")),
    responses((status = 200, body = ShadowBody), (status = 409, description = "It is mirrored")))]
pub(super) async fn shadow(State(api): State<Api>, who: Anybody, at: AtUpstream) -> Answer {
    let upstream = api.upstreams.get(&at.0).cloned();
    let upstream = upstream
        .filter(|upstream| who.tenant.is_none_or(|tenant| tenant == upstream.settings().tenant))
        .ok_or(Refusal::UpstreamNotFound)?;
    if upstream.settings().mode != Mode::Shadow {
        return Err(Refusal::NotShadowed.into());
    }
    let tenant = upstream.settings().tenant;
    let tenant = api.index.view().tenant(tenant).cloned().ok_or(Refusal::TenantNotFound)?;
    let kind = upstream.settings().kind;
    // A hundred thousand decisions take a tenth of a second, which other requests need not wait.
    let report =
        tokio::task::spawn_blocking(move || shadow::report(kind, &tenant, &upstream.shadow()));
    Ok(answer::read(report.await.map_err(|_| Problem::Internal)?))
}
