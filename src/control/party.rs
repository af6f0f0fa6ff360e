//! Who acts on one call: its runtime, by the call's own token, or its tenant, by a key. A token
//! opens its call and nothing else.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{
    Api,
    auth::{Caller, bearer},
    receive::At,
};
use crate::{
    calls::{LiveCall, seal},
    dialects::Problem,
    domain::{CallId, CallPatch, Refusal, TenantId},
    store::{Actor, Tx, WriteError},
    telemetry::clock,
};

/// Who acts on the call in the path.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) call: CallId,
    pub(super) tenant: TenantId,
    /// The tenant, by a key; else the call's runtime.
    caller: Option<Caller>,
    /// What a live call's row begins with: the journal may not have brought it yet.
    first_row: Option<Box<CallPatch>>,
}

impl Party {
    /// A tenant, in an API that knows no tokens.
    pub(super) fn of(api: &Api, caller: Caller, call: CallId) -> Self {
        Self::new(api.live.get(call).as_deref(), call, caller.tenant, Some(caller))
    }

    fn new(
        live: Option<&LiveCall>,
        call: CallId,
        tenant: TenantId,
        caller: Option<Caller>,
    ) -> Self {
        let live = live.filter(|live| live.facts.tenant == tenant);
        let row = |live: &LiveCall| Box::new(live.facts.row(live.state().status, clock::now()));
        Self { call, tenant, caller, first_row: live.map(row) }
    }

    pub(super) fn actor(&self) -> Actor {
        let runtime = Actor { key: None, tenant: Some(self.tenant) };
        self.caller.map_or(runtime, |caller| caller.actor())
    }

    /// Whether it is the call's own runtime.
    pub(super) const fn is_runtime(&self) -> bool {
        self.caller.is_none()
    }

    /// Sees to it that a live call has its row, so that something can be kept beside it. The
    /// journal's own first word of it then changes nothing.
    pub(super) fn enter(&self, tx: &mut Tx<'_>) -> Result<(), WriteError> {
        if let Some(first_row) = &self.first_row
            && tx.call(self.tenant, self.call)?.is_none()
        {
            tx.upsert_call(first_row)?;
        }
        Ok(())
    }
}

impl FromRequestParts<Api> for Party {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or(Problem::KeyMissing)?;
        let now = clock::now();
        let opened = seal::call_of_token(api.index.view().media_keys(), token, now);
        let caller = match opened {
            Ok(_) => None,
            Err(_) => Some(Caller::from_request_parts(parts, api).await?),
        };
        let At(call) = At::<CallId>::from_request_parts(parts, api).await?;
        let live = api.live.get(call);
        let tenant = match caller {
            Some(caller) => caller.tenant,
            None if opened != Ok(call) => return Err(Refusal::CallNotFound.into()),
            None => match &live {
                Some(live) => live.facts.tenant,
                None => {
                    let owner = api.read(move |rows| rows.call_owner(call)).await?;
                    owner.ok_or(Refusal::CallNotFound)?
                }
            },
        };
        let live = live.as_deref();
        Ok(Self::new(live, call, tenant, caller))
    }
}
