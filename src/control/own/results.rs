//! What came of a call, told by its runtime.
//!
//! The same result again changes nothing; another one replaces it, also after the call's end, for
//! as long as its token is good. What was told to others by then is not told again.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        party::Party,
        receive::Body,
    },
    dialects::{
        self,
        own::{ResultBody, ResultFields, ResultRequest, result_fields},
    },
    domain::{AgentVersion, CallResult, Refusal},
    store::Tx,
};

#[utoipa::path(put, path = "/calls/{call}/result", tag = "calls",
    description = "With the call's own token or a tenant's key. Checked against what the agent \
                   returned when the call began.",
    request_body = ResultRequest,
    responses((status = 200, body = ResultBody)))]
pub(super) async fn set(State(api): State<Api>, party: Party, Body(body): Body) -> Answer {
    let fields = result_fields(body)?;
    let (call, tenant, actor) = (party.call, party.tenant, party.actor());
    let set = move |tx: &mut Tx<'_>| {
        party.enter(tx)?;
        let result = match fields {
            ResultFields::Failed(error) => CallResult::Failed(error),
            ResultFields::Given(given) => {
                let row = tx.call(tenant, call)?.ok_or(Refusal::CallNotFound)?;
                let version = tx.placed(row)?.version;
                let profile = version.as_ref().map_or("", |AgentVersion { profile, .. }| profile);
                CallResult::Completed(dialects::result(profile, &given)?)
            }
        };
        tx.set_result(tenant, call, &result)
    };
    let reply = move |_: &Api, placed: crate::store::PlacedCall, _| {
        Reply::ok(&ResultBody::new(call, placed.result.as_ref()))
    };
    api.answer(actor, set, reply).await
}
