//! Placing calls: the row, the command, and the wait for the carrier's verdict. Every dialect
//! comes through here.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use uuid::Uuid;

use super::{Api, auth::Caller, gate};
use crate::{
    calls::{Errand, Facts},
    dialects::Problem,
    dispatch::{Placing, Verdict},
    domain::{
        Ani, Attestation, CallId, CallStatus, DialFailure, DialRecord, DialState, InboundCall,
        Refusal, TenantId, Warning,
    },
    index::View,
    routing,
    store::{Heads, Kept, NewCall, PlacedCall, Repeatable, Rows, Tx, WriteError},
};

/// How long the API's client waits for the carrier's verdict. Later, the call's status tells.
pub(super) const VERDICT_WAIT: Duration = Duration::from_secs(5);

/// Places a call, once however often it is asked for; `new` says which, from what it finds in the
/// transaction. Answers the call as it stands, and the place in the log that knows of it.
pub(super) async fn place<F>(
    api: &Api,
    caller: Caller,
    new: F,
) -> Result<(PlacedCall, Heads), Problem>
where
    F: FnOnce(&mut Tx<'_>) -> Result<NewCall, WriteError> + Send + 'static,
{
    let make = move |tx: &mut Tx<'_>| {
        let new = new(tx)?;
        tx.place_call(caller.tenant, new)
    };
    let Some(once) = gate::once() else {
        let made = api.write(caller.actor(), make).await?;
        return command(api, made.value, made.heads).await;
    };
    let told = |made: PlacedCall, _: &[Warning]| {
        let id = made.call.id.0.into_bytes().to_vec();
        // How it then went is read off the call: the first asker may not have heard it either.
        (made, Kept { status: 201, headers: Vec::new(), body: id })
    };
    match api.write_once(caller.actor(), once, make, told).await? {
        Repeatable::Done(made) => command(api, made.value, made.heads).await,
        Repeatable::Before(kept, heads) => {
            let id = Uuid::from_slice(&kept.body).map_err(|_| Problem::Internal)?;
            let placed = found(api, caller.tenant, CallId(id)).await?;
            let placed = placed.ok_or(Refusal::CallNotFound)?;
            match refusal(&placed) {
                Some(refusal) => Err(refusal.into()),
                None => Ok((placed, heads)),
            }
        }
    }
}

/// Has the carrier dial, and waits for its verdict; a call that waits for its time is left to the
/// clock.
async fn command(
    api: &Api,
    made: PlacedCall,
    heads: Heads,
) -> Result<(PlacedCall, Heads), Problem> {
    if made.dial.as_ref().is_some_and(|dial| dial.due_at.is_some()) {
        api.dispatch.look_again();
        return Ok((made, heads));
    }
    let (facts, account) = {
        let view = api.index.view();
        let account = made.call.account.and_then(|id| view.account_by_id(id)).cloned();
        (facts(&view, &made), account)
    };
    let (Some(facts), Some(account), Some(dial)) = (facts, account, made.dial.clone()) else {
        // The account has gone within this request. The next start says so of the row.
        return Err(Refusal::NoCallerId.into());
    };
    api.live.expect(facts);
    let verdict = api.dispatch.place(Placing { dial, account }).await;
    let heads = match timeout(VERDICT_WAIT, verdict).await {
        Ok(Ok(Verdict::Refused(cause, said))) => {
            return Err(Refusal::NotPlaced(cause, said).into());
        }
        // Who is called and rings back at once is known from here on.
        Ok(Ok(Verdict::Taken(reached))) if !api.reached(reached).await => {
            return Err(Problem::NotApplied);
        }
        Ok(Ok(Verdict::Taken(reached))) => reached,
        Ok(Err(_)) | Err(_) => heads,
    };
    let now = found(api, made.call.tenant, made.call.id).await?;
    Ok((now.unwrap_or(made), heads))
}

async fn found(api: &Api, tenant: TenantId, id: CallId) -> Result<Option<PlacedCall>, Problem> {
    let placed = move |rows: &Rows<'_>| {
        let call = rows.call(tenant, id)?;
        call.map(|call| rows.placed(call)).transpose()
    };
    api.read(placed).await
}

/// That the carrier did not take it, as it was told at the time.
fn refusal(placed: &PlacedCall) -> Option<Refusal> {
    let is_canceled = placed.call.status == CallStatus::Canceled;
    let dial = placed.dial.as_ref().filter(|_| !is_canceled)?;
    let dial = Some(dial).filter(|dial| dial.state == DialState::Refused)?;
    let cause = placed.call.error_code.as_deref().and_then(|word| word.parse().ok());
    let said = dial.error_message.clone().unwrap_or_default();
    Some(Refusal::NotPlaced(cause.unwrap_or(DialFailure::Refused), said))
}

/// What is fixed about a call placed here: its agent's ladder as it now is.
#[must_use]
pub fn facts(view: &View<'_>, placed: &PlacedCall) -> Option<Facts> {
    let call = &placed.call;
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
        errand: placed.dial.as_ref().map(|dial| Arc::new(errand(dial))),
        created_at: call.created_at,
    })
}

fn errand(dial: &DialRecord) -> Errand {
    Errand {
        brief: dial.brief.clone(),
        hangs_up_on_machine: dial.hangs_up_on_machine,
        voicemail_message: dial.voicemail_message.clone(),
    }
}
