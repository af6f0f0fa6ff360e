//! Placing calls: the row, the command, and the wait for the carrier's verdict. Every dialect
//! comes through here.

use std::time::Duration;

use tokio::time::timeout;

use super::{Api, auth::Caller};
use crate::{
    calls::Facts,
    dialects::Problem,
    dispatch::{Placing, Verdict},
    domain::{Ani, Attestation, CallRecord, InboundCall, Refusal},
    index::View,
    routing,
    store::{NewCall, PlacedCall, Tx, WriteError},
};

/// How long the API's client waits for the carrier's verdict. Later, the call's status tells.
const VERDICT_WAIT: Duration = Duration::from_secs(5);

/// Places a call; `new` says which, from what it finds in the transaction.
pub(super) async fn place<F>(api: &Api, caller: Caller, new: F) -> Result<PlacedCall, Problem>
where
    F: FnOnce(&mut Tx<'_>) -> Result<NewCall, WriteError> + Send + 'static,
{
    let tenant = caller.tenant;
    let made = api
        .write(caller.actor(), move |tx| {
            let new = new(tx)?;
            tx.place_call(tenant, new)
        })
        .await?
        .value;
    let (facts, account) = {
        let view = api.index.view();
        let account = made.call.account.and_then(|id| view.account_by_id(id)).cloned();
        (facts(&view, &made.call), account)
    };
    let (Some(facts), Some(account), Some(dial)) = (facts, account, made.dial.clone()) else {
        // The account has gone within this request. The next start says so of the row.
        return Err(Refusal::NoCallerId.into());
    };
    api.live.expect(facts);
    let verdict = api.dispatch.place(Placing { dial, account }).await;
    match timeout(VERDICT_WAIT, verdict).await {
        Ok(Ok(Verdict::Refused(cause, said))) => Err(Refusal::NotPlaced(cause, said).into()),
        // Who is called and rings back at once is known from here on.
        Ok(Ok(Verdict::Taken(heads))) if !api.reached(heads).await => Err(Problem::NotApplied),
        Ok(Ok(Verdict::Taken(_)) | Err(_)) | Err(_) => {
            let call = made.call.id;
            let now = api.read(move |rows| {
                let call = rows.call(tenant, call)?;
                call.map(|call| rows.placed(call)).transpose()
            });
            Ok(now.await?.unwrap_or(made))
        }
    }
}

/// What is fixed about a call placed here: its agent's ladder as it now is.
#[must_use]
pub fn facts(view: &View<'_>, call: &CallRecord) -> Option<Facts> {
    let account = call.account?;
    let tenant = view.tenant(call.tenant)?;
    let agent = call.agent.and_then(|id| view.agent(id));
    Some(Facts {
        id: call.id,
        tenant: call.tenant,
        account,
        carrier_call_id: String::new(),
        direction: call.direction,
        call: InboundCall {
            account: Some(account),
            dnis: call.dnis,
            ani: call.ani.map_or(Ani::Unusable, Ani::Number),
            forwarded_from: None,
            attestation: Attestation::None,
        },
        number: call.number,
        agent: agent.cloned(),
        reason: None,
        unmatched: false,
        touch: None,
        ladder: agent
            .map(|agent| routing::ladder(view, Some(agent), view.targets(agent)))
            .unwrap_or_default(),
        last_resort: tenant.settings.last_resort.clone(),
        context_min_attestation: tenant.settings.context_min_attestation,
        trace: Vec::new(),
        created_at: call.created_at,
    })
}
