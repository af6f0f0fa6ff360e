//! Pulls a hosted API's lists, each through all its pages, into values.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Trouble,
    client::Client,
    listing::{Fault, Listing},
    plan::Picture,
};
use crate::{
    dialects::{callingbox, rfc3339, talkover},
    domain::{HostedCall, HostedKind, TenantId, UnixMillis},
};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// How often a list that changed underway is read again before the pull is given up.
const CENSUS_TRIES_MAX: u32 = 3;

/// Pulls everything but calls. Agents come before what they refer to, so that a number that one of
/// them names is missing only if it is gone.
pub(super) async fn picture(client: &mut Client, tenant: TenantId) -> Result<Picture, Trouble> {
    match client.kind() {
        HostedKind::Talkover => {
            let agents = census(client, "/api/v1/agents").await?;
            let callbacks = census(client, "/api/v1/callback-agents").await?;
            let numbers = census(client, "/api/v1/phone-numbers").await?;
            let mut agents = every(&agents, |row| talkover::hosted_agent(row, tenant))?;
            let roles = every(&callbacks, |row| talkover::hosted_callback(row, tenant))?;
            let mut roles: HashMap<_, _> = roles.into_iter().collect();
            for agent in &mut agents {
                agent.callback = roles.remove(&agent.id);
            }
            let numbers = every(&numbers, |row| talkover::hosted_number(row, tenant))?;
            Ok(Picture { agents, numbers: numbers.into_iter().flatten().collect() })
        }
        HostedKind::CallingBox => {
            let agents = census(client, "/v1/agents").await?;
            let numbers = census(client, "/v1/numbers").await?;
            let agents = every(&agents, |row| callingbox::hosted_agent(row, tenant))?;
            let numbers = every(&numbers, |row| callingbox::hosted_number(row, tenant))?;
            Ok(Picture { agents, numbers: numbers.into_iter().flatten().collect() })
        }
    }
}

/// Reads rows, every one of them: a row that cannot be read would be taken for gone.
fn every<T>(rows: &[Value], read: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, Trouble> {
    rows.iter().map(read).collect::<Result<_, _>>().map_err(Trouble::Row)
}

/// Every row of a list, of one moment.
async fn census(client: &mut Client, path: &str) -> Result<Vec<Value>, Trouble> {
    let mut tries = 0;
    loop {
        tries += 1;
        match rows(client, path).await {
            Err(Trouble::List(Fault::Shifted, _)) if tries < CENSUS_TRIES_MAX => {}
            read => return read,
        }
    }
}

async fn rows(client: &mut Client, path: &str) -> Result<Vec<Value>, Trouble> {
    let mut listing = Listing::census(client.kind(), path);
    let mut rows = Vec::new();
    while let Some(request) = listing.request() {
        let body = client.get(&request).await?;
        let page = listing.take(body).map_err(|fault| Trouble::List(fault, path.to_owned()))?;
        rows.extend(page);
    }
    Ok(rows)
}

/// Calls, a page at a time, from now back to a moment.
pub(super) struct Calls {
    listing: Listing,
    since: UnixMillis,
    tenant: TenantId,
}

impl Calls {
    /// Outbound calls only, or those of both directions.
    pub(super) fn since(
        kind: HostedKind,
        tenant: TenantId,
        since: UnixMillis,
        is_outbound_only: bool,
    ) -> Self {
        let path = match kind {
            HostedKind::Talkover => {
                // A day earlier: no page says in which time zone its days begin.
                let at = rfc3339(UnixMillis(since.0.saturating_sub(DAY_MS)));
                let day = at.split('T').next().unwrap_or_default();
                let direction = if is_outbound_only { "direction=outbound&" } else { "" };
                format!("/api/v1/calls?{direction}date_from={day}")
            }
            HostedKind::CallingBox => "/v1/calls".to_owned(),
        };
        Self { listing: Listing::newest(kind, path), since, tenant }
    }

    /// The next page's calls; `None` at the end. A call that cannot be read is passed over: the
    /// others are no less true for it.
    pub(super) async fn next(
        &mut self,
        client: &mut Client,
    ) -> Result<Option<Vec<HostedCall>>, Trouble> {
        let Some(request) = self.listing.request() else { return Ok(None) };
        let body = client.get(&request).await?;
        let rows = self.listing.take(body);
        let rows = rows.map_err(|fault| Trouble::List(fault, "calls".to_owned()))?;
        let read = |row: &Value| match client.kind() {
            HostedKind::Talkover => talkover::hosted_call(row, self.tenant).ok(),
            HostedKind::CallingBox => callingbox::hosted_call(row, self.tenant).ok(),
        };
        let calls: Vec<_> = rows.iter().filter_map(read).collect();
        let is_newest_first = calls.is_sorted_by(|newer, older| newer.at >= older.at);
        let reaches_back = calls.last().is_some_and(|oldest| oldest.at < self.since);
        if is_newest_first && reaches_back {
            self.listing.stop();
        }
        let since = self.since;
        Ok(Some(calls.into_iter().filter(|call| call.at >= since).collect()))
    }
}
