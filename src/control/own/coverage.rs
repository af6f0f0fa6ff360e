//! Where return calls would miss: caller IDs of source agents that no callback agent owns.

use axum::extract::State;
use utoipa::IntoParams;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Caller,
        receive::Params,
    },
    dialects::{
        Page,
        own::{UncoveredBody, coverage},
    },
    domain::TenantId,
    store::{Rows, UncoveredCaller, WriteError},
};

/// The list's query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct CoverageQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Numbers after this one.
    #[param(example = "+14155550100")]
    starting_after: Option<String>,
}

/// Caller IDs of source agents that none of their callback agents owns: who rings them back does
/// not reach who knows why they were called.
#[utoipa::path(get, path = "/coverage", tag = "routing", params(CoverageQuery),
    responses((status = 200, body = Page<UncoveredBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = coverage(query.0)?;
    let tenant = caller.tenant;
    let listed = api
        .read(move |rows| {
            let listed = rows.uncovered(tenant, fields.starting_after, fields.limit)?;
            listed.try_map(|caller| shown(rows, tenant, &caller))
        })
        .await?;
    Ok(answer::read(Page { data: listed.rows, has_more: listed.has_more }))
}

fn shown(
    rows: &Rows<'_>,
    tenant: TenantId,
    caller: &UncoveredCaller,
) -> Result<UncoveredBody, WriteError> {
    let number = rows.number_by_e164(tenant, caller.caller_id)?.first().map(|number| number.id);
    let mut sources = Vec::with_capacity(caller.sources.len());
    for &(id, last) in &caller.sources {
        let name = rows.agent(tenant, id)?.map(|record| record.agent.name);
        sources.push((id, name.unwrap_or_default(), last));
    }
    Ok(UncoveredBody::new(caller.caller_id, number, &sources))
}
